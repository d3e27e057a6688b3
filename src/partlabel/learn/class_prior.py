r"""How many positives there are, where only some of them are marked.

====================  =================  ===========================================================
symbol                code               meaning
====================  =================  ===========================================================
:math:`q_p(c)`        above_positive     share of the marked positives that score at least c
:math:`q_u(c)`        above_unlabelled   share of the unlabelled rows that do
:math:`\alpha`        prior              share of positives among the unlabelled rows
====================  =================  ===========================================================

Best-bin estimation: Garg, Wu, Smola, Balakrishnan & Lipton, "Mixture proportion estimation and PU
learning: a modern approach", NeurIPS 2021, algorithm 1.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partlabel.errors import InputError, rows_named

CONFIDENCE = 0.9  # of the bound that picks the bin; the paper's delta is one less this
CAUTION = 1.01  # the paper's 1 + gamma


def class_prior(positive_scores: ArrayLike, unlabelled_scores: ArrayLike) -> float:
    r"""Share of positives among unlabelled rows, from the scores of any classifier.

    :math:`q_u(c) / q_p(c)` at the threshold c where its upper confidence bound is lowest. Right
    where the marked positives are a random sample of all positives, and the classifier has a top
    bin that is nearly pure; elsewhere it is too high, never much too low. The scores need not be
    probabilities, but must be of rows that the classifier was not trained on.

    Parameters
    ----------
    positive_scores : (n_positive,) float
        Of marked positives; higher means rather positive.
    unlabelled_scores : (n_unlabelled,) float
        In two samples this share is the population's. In one sample, of the rows that are left
        unmarked: see `mark_propensity`.

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        If a sample is empty or holds a score that is no finite number.

    Notes
    -----
    Costs a sort of all scores. The error falls as the square root of the smaller sample.

    Examples
    --------
    >>> round(class_prior(np.full(1000, 0.9), np.repeat([0.9, 0.1], [300, 700])), 6)
    0.3

    References
    ----------
    S. Garg et al., NeurIPS 2021, algorithm 1 and theorem 1.
    """
    positive = _scores(positive_scores, "positive_scores")
    unlabelled = _scores(unlabelled_scores, "unlabelled_scores")
    bars = np.unique(positive)  # between two of them only the unlabelled share can fall
    above_positive = _share_above(positive, bars)
    above_unlabelled = _share_above(unlabelled, bars)
    width = np.sqrt(np.log(4.0 / (1.0 - CONFIDENCE)) / 2.0)
    slack = width * (len(positive) ** -0.5 + len(unlabelled) ** -0.5)
    best = np.argmin((above_unlabelled + CAUTION * slack) / above_positive)
    return float(min(above_unlabelled[best] / above_positive[best], 1.0))


def mark_propensity(n_marked: int, n_unmarked: int, prior: float) -> float:
    """p(marked | positive) in one sample: the marked, over all positives.

    Parameters
    ----------
    n_marked, n_unmarked : int >= 0
        Rows of the sample; at least one is marked.
    prior : float in [0, 1]
        Share of positives among the *unmarked*, as `class_prior` gives it.

    Returns
    -------
    float in (0, 1]

    Raises
    ------
    InputError
        If nothing is marked, a number is negative, or `prior` is out of range.

    Examples
    --------
    >>> mark_propensity(100, 1000, 0.3)
    0.25

    References
    ----------
    C. Elkan and K. Noto, Learning classifiers from only positive and unlabeled data, KDD 2008,
    section 2.
    """
    if n_marked < 1 or n_unmarked < 0:
        raise InputError(
            "`n_marked` must be at least 1 and `n_unmarked` at least 0; "
            f"got {n_marked} and {n_unmarked}."
        )
    if not 0.0 <= prior <= 1.0:
        raise InputError(f"`prior` must lie in [0, 1]; got {prior}.")
    return float(n_marked / (n_marked + prior * n_unmarked))


def _share_above(scores: NDArray[np.float64], bars: NDArray[np.float64]) -> NDArray[np.float64]:
    below = np.searchsorted(np.sort(scores), bars, side="left")
    return np.asarray(1.0 - below / len(scores))


def _scores(values: ArrayLike, name: str) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or len(scores) == 0:
        raise InputError(
            f"`{name}` must be one score for each row, and hold one; got the shape {scores.shape}."
        )
    bad = ~np.isfinite(scores)
    if bad.any():
        raise InputError(
            f"`{name}` must be finite; got {scores[bad][0]} at {rows_named(bad)}. Drop such rows."
        )
    return scores
