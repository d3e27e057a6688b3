r"""Metrics: pure functions of probabilities, gold codes and row weights.

Every metric weighs row ``i`` by ``w_i``; weights of one give the plain value. Several sets of
weights, the resamples of a bootstrap, are read at once: weights of shape (..., n) give values of
shape (...).

======================  ======================  ===================================================
symbol                  code                    meaning
======================  ======================  ===================================================
:math:`p_{ik}`          ``probs[i, k]``         (n, n_classes) predicted probability of class k
:math:`y_i`             ``codes[i]``            (n,) gold class
:math:`w_i`             ``weights[..., i]``     (..., n) weight of the row
:math:`\hat y_i`        ``probs.argmax(1)``     (n,) predicted class; of classes that tie, the first
:math:`c_i`             ``probs.max(1)``        (n,) confidence
======================  ======================  ===================================================
"""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
Codes: TypeAlias = NDArray[np.integer[Any]]

FLOOR = 1e-15
"""Smaller probabilities count as this under a logarithm: a certain mistake costs 34.5 nats."""

ECE_BINS = 15
ECE_ROWS_PER_BIN = 10


class Metric(Protocol):
    """One number about predictions, for each set of row weights."""

    def __call__(self, probs: Floats, codes: Codes, weights: Floats | None = None) -> Floats:
        """Give the value: () without weights, (...) with weights of shape (..., n)."""


def accuracy(probs: Floats, codes: Codes, weights: Floats | None = None) -> Floats:
    """Share of rows whose most likely class is the gold class."""
    return _mean(probs.argmax(axis=1) == codes, weights)


def balanced_accuracy(probs: Floats, codes: Codes, weights: Floats | None = None) -> Floats:
    """Mean recall of the classes that gold holds; a class without gold doesn't count."""
    hits, _, support = class_counts(probs, codes, weights)
    return _mean_where(_ratio(hits, support), support > 0)


def macro_f1(probs: Floats, codes: Codes, weights: Floats | None = None) -> Floats:
    """Mean F1 of the classes that gold holds; 0 for one that is never predicted rightly."""
    hits, predicted, support = class_counts(probs, codes, weights)
    return _mean_where(_ratio(2.0 * hits, predicted + support), support > 0)


def log_loss(probs: Floats, codes: Codes, weights: Floats | None = None) -> Floats:
    r"""Mean of :math:`-\log \max(p_{i y_i}, 10^{-15})`, in nats."""
    return _mean(-np.log(np.maximum(_of_gold(probs, codes), FLOOR)), weights)


def brier(probs: Floats, codes: Codes, weights: Floats | None = None) -> Floats:
    r"""Mean of :math:`\sum_k (p_{ik} - [y_i = k])^2`, from 0 to 2.

    References
    ----------
    G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
    Review 1950, eq. 2.
    """
    squares = np.einsum("ik,ik->i", probs, probs)
    return _mean(squares - 2.0 * _of_gold(probs, codes) + 1.0, weights)


def expected_calibration_error(
    probs: Floats, codes: Codes, weights: Floats | None = None
) -> Floats:
    """Mean distance between confidence and accuracy, over bins that hold equally many rows.

    The sum of the absolute `calibration_gaps`. It is above 0 by chance even for a calibrated
    prediction, the more so the fewer rows a bin holds.

    References
    ----------
    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI 2015. K. Nguyen, B. O'Connor, "Posterior calibration and exploratory
    analysis for natural language processing models", EMNLP 2015 (bins of equal mass).
    """
    return np.asarray(np.abs(calibration_gaps(probs, codes, weights)).sum(axis=-1))


def calibration_gaps(probs: Floats, codes: Codes, weights: Floats | None = None) -> Floats:
    r"""(..., n_bins) What each bin adds to accuracy minus mean confidence; below 0 if too sure.

    .. math:: g_b = \frac{1}{\sum_i w_i} \sum_{i \in b} w_i ([\hat y_i = y_i] - c_i)

    There are 15 bins, or fewer so that each holds at least 10 rows. The weights don't move them.
    """
    confidence = probs.max(axis=1)
    bins = max(1, min(ECE_BINS, len(probs) // ECE_ROWS_PER_BIN))
    which = confidence_bins(confidence, bins)
    gap = (probs.argmax(axis=1) == codes) - confidence
    weights = _ones_like_rows(probs) if weights is None else weights
    gaps = group_sums(which, int(which.max()) + 1, weights, gap)
    return np.asarray(gaps / weights.sum(axis=-1, keepdims=True))


def confidence_bins(confidence: Floats, bins: int) -> NDArray[np.intp]:
    """(n,) The bin of each row: cut at quantiles of confidence, so that bins are equally full.

    Rows with the same confidence share a bin, so that ties make some bins larger and others empty.
    """
    edges = np.unique(np.quantile(confidence, np.arange(1, bins) / bins))
    return np.searchsorted(edges, confidence, side="right")


def class_counts(
    probs: Floats, codes: Codes, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """(..., n_classes) Weight of the rows rightly given to, given to, and truly of each class."""
    guess, n_classes = probs.argmax(axis=1), probs.shape[1]
    weights = _ones_like_rows(probs) if weights is None else weights
    hits = group_sums(codes, n_classes, weights, (guess == codes).astype(np.float64))
    return hits, group_sums(guess, n_classes, weights), group_sums(codes, n_classes, weights)


def group_sums(
    group: Codes, n_groups: int, weights: Floats, values: Floats | None = None
) -> Floats:
    """(..., n_groups) Sum of ``weights * values`` in each group of rows."""
    rows = weights.reshape(-1, weights.shape[-1])
    sums = [np.bincount(group, row if values is None else row * values, n_groups) for row in rows]
    return np.array(sums, dtype=np.float64).reshape(*weights.shape[:-1], n_groups)


def _of_gold(probs: Floats, codes: Codes) -> Floats:
    return np.asarray(probs[np.arange(len(codes)), codes])


def _ones_like_rows(probs: Floats) -> Floats:
    return np.ones(len(probs))


def _mean(values: NDArray[Any], weights: Floats | None) -> Floats:
    if weights is None:
        return np.asarray(values.mean(dtype=np.float64))
    return np.asarray(weights @ values / weights.sum(axis=-1))


def _mean_where(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.where(counted, values, 0.0).sum(axis=-1) / counted.sum(axis=-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
