r"""Stacking: temperatures and weights under which held-out evidence is likeliest.

=========================  ==========  =============================================
symbol                     code        shape
=========================  ==========  =============================================
:math:`p_m(y | x_i)`       probs       (n_rows, n_classes) of member m, held out
:math:`p(o_i | y)`         likelihood  (n_rows, n_classes)
:math:`p_m(o_i | x_i)`     explained   (n_rows, n_members)
:math:`w_m`                weights     (n_members,)
=========================  ==========  =============================================

:math:`w` maximises :math:`\sum_i \log \sum_m w_m \, p_m(o_i | x_i)`, with
:math:`p_m(o_i | x_i) = \sum_y p_m(y | x_i) \, p(o_i | y)` (Smyth & Wolpert, Linearly combining
density estimators via stacking, Machine Learning 1999). No clean label is looked at.
"""

import numpy as np
from numpy.typing import NDArray

SHARPNESS = np.exp(np.linspace(-2.0, 1.5, 29))  # of predictions: 1 / temperature
FLOOR = 1e-12  # of probabilities, so that none is ruled out
ROUNDS = 200  # of EM; a step beyond changes no weight in its third digit


def sharpened(probs: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
    """(n_rows, n_classes) The same distributions at another temperature."""
    powers = np.maximum(probs, FLOOR) ** sharpness
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def explained(probs: NDArray[np.float64], likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_rows,) How likely a model finds what was observed of each row."""
    return np.asarray(np.maximum((probs * likelihood).sum(axis=1), FLOOR))


def best_sharpness(probs: NDArray[np.float64], likelihood: NDArray[np.float64]) -> float:
    """Give the sharpness under which the evidence is likeliest."""
    found = [np.log(explained(sharpened(probs, s), likelihood)).mean() for s in SHARPNESS]
    return float(SHARPNESS[int(np.argmax(found))])


def stacked(explained: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_members,) Give the weights of the mixture under which the evidence is likeliest, by EM."""
    weights = np.full(explained.shape[1], 1 / explained.shape[1])
    for _ in range(ROUNDS):
        shares = explained * weights
        weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights
