r"""Judge predictions by evidence that they have not seen, without clean labels.

======================  ============  ===============================
symbol                  code          shape
======================  ============  ===============================
:math:`p(y | x_i)`      probs         (n_rows, n_classes), held out
:math:`p(o_i | y)`      likelihood    (n_rows, n_classes)
======================  ============  ===============================

The marginal likelihood :math:`\sum_y p(y | x_i) \, p(o_i | y)` sets the temperature, and chooses
between models that were trained on the same beliefs. Between others it doesn't: one that shares its
belief between a class and the wrong ones that come with it loses nothing. The approximated accuracy
asks how much of the belief given the evidence, :math:`p(y | x_i, o_i)`, lies on the predicted class
(W. Wang et al., Realistic evaluation of deep partial-label learning algorithms, ICLR 2025).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from partlabel.channels.likelihood import approximated_accuracy

SHARPNESS = np.exp(np.linspace(-2.0, 1.5, 29))  # of predictions: 1 / temperature
FLOOR = 1e-12  # of probabilities, so that none is ruled out


def sharpened(probs: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
    """(n_rows, n_classes) The same distributions at another temperature."""
    return shares(np.maximum(probs, FLOOR) ** sharpness)


def shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_rows, n_classes) Rows that add up to one."""
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def log_explained(probs: NDArray[np.float64], likelihood: NDArray[np.float64]) -> float:
    """Mean marginal log-likelihood of the evidence, in nats."""
    return float(np.log(np.maximum((probs * likelihood).sum(axis=1), FLOOR)).mean())


def best_sharpness(probs: NDArray[np.float64], likelihood: NDArray[np.float64]) -> float:
    """Give the sharpness under which the evidence is likeliest."""
    found = [log_explained(sharpened(probs, s), likelihood) for s in SHARPNESS]
    return float(SHARPNESS[int(np.argmax(found))])


def agreement(probs: NDArray[np.float64], likelihood: NDArray[np.float64]) -> float:
    """The approximated accuracy of predictions, by likelihoods rather than their logarithms."""
    with np.errstate(divide="ignore"):
        return approximated_accuracy(probs, np.log(likelihood))


def forward_selected(
    probs: Mapping[str, NDArray[np.float64]], likelihood: NDArray[np.float64], n: int
) -> list[str]:
    """Names of up to `n` predictions, added one by one so that their mean explains the evidence.

    R. Caruana et al., Ensemble selection from libraries of models, ICML 2004.
    """
    left = {name: (said * likelihood).sum(axis=1) for name, said in probs.items()}
    chosen: list[str] = []
    total = np.full(len(likelihood), FLOOR)
    while left and len(chosen) < n:
        best = max(left, key=lambda name: float(np.log(total + left[name]).sum()))
        total += left.pop(best)
        chosen.append(best)
    return chosen
