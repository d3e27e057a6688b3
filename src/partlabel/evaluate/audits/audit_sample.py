r"""Which items to label so that a little gold says the most: `audit_probability`.

An item is drawn with a probability that grows with how unsure its label is,

.. math:: \pi_i = n \Big( (1 - u) \frac{s_i}{\sum_j s_j} + \frac{u}{N} \Big), \qquad
          s_i = \sqrt{\textstyle\sum_k b_{ik} (1 - b_{ik})},

of which the share :math:`u` is uniform, so that beliefs that are sure and wrong are found, and no
gold row weighs more than :math:`1 / u` times the average.

T. Zrnic, E. J. Candes, "Active statistical inference", ICML 2024, arXiv 2403.03208, sec. 3.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError

LEAST_UNIFORM = 0.2


def audit_probability(
    beliefs: Any, n_gold: int, *, uniform: float = LEAST_UNIFORM
) -> NDArray[np.float64]:
    """Give each item the probability with which to draw it for a person to label.

    Draw each item on its own: ``rng.random(n_items) < probability``. Then hand the probabilities to
    `evaluate` as `gold_probability`.

    Parameters
    ----------
    beliefs : Beliefs, or (n_items, n_classes) probabilities
    n_gold : int
        How many items to expect; the number that is drawn varies about it.
    uniform : float in [0.2, 1], default 0.2
        The share that doesn't look at beliefs. More costs width where beliefs are right, and saves
        it where they are wrong.

    Returns
    -------
    (n_items,) float in (0, 1]

    Raises
    ------
    InputError
        If `n_gold` is not in [1, n_items], or `uniform` not in [0.2, 1].

    Examples
    --------
    >>> audit_probability(np.array([[0.5, 0.5], [1.0, 0.0]]), 1).round(2)
    array([0.9, 0.1])
    """
    probs = beliefs.probs if isinstance(beliefs, Beliefs) else np.asarray(beliefs, dtype=np.float64)
    n = len(probs)
    if not 1 <= n_gold <= n:
        raise InputError(
            f"`n_gold` must lie in [1, {n}], the number of items; got {n_gold}. Draw fewer."
        )
    if not LEAST_UNIFORM <= uniform <= 1.0:
        raise InputError(
            f"`uniform` must lie in [{LEAST_UNIFORM}, 1]; got {uniform}. Below a fifth, a few rows "
            "would decide alone."
        )
    unsure = np.sqrt(np.maximum(1.0 - np.einsum("ik,ik->i", probs, probs), 0.0))
    drawn = unsure / unsure.sum() if unsure.any() else np.full(n, 1.0 / n)
    return _scaled_to(n_gold, (1.0 - uniform) * drawn + uniform / n)


def _scaled_to(n_gold: int, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities in proportion to shares, none above 1, that add up to `n_gold`."""
    probability = n_gold * share
    for _ in range(100):
        sure = probability >= 1.0
        left = n_gold - int(sure.sum())
        rest = float(probability[~sure].sum())
        if not sure.any() or rest <= 0 or abs(rest - left) < 1e-9 * n_gold:
            break
        probability[~sure] *= max(left, 0) / rest
        probability[sure] = 1.0
    return np.minimum(probability, 1.0)
