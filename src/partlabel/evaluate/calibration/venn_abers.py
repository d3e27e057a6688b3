r"""VennAbers: isotonic calibration that says how far one more label would move it.

======================  ==================  ====================================================
symbol                  code                shape, meaning
======================  ==================  ====================================================
:math:`p_1(s)`          ``if_right``        the curve at s with (s, 1) added
:math:`p_0(s)`          ``if_wrong``        the curve at s with (s, 0) added
:math:`h`               ``_worth``          (n,) gold labels that a row is worth, in [0, 1]
======================  ==================  ====================================================

For each class the isotonic curve is fitted twice to the data and the new item, once as though it
were of the class and once not. One of the two is calibrated by construction; together they give
:math:`p = p_1 / (1 - p_0 + p_1)`, which minimises the worst regret in log loss (V. Vovk, I. Petej,
V. Fedorova, "Large-scale probabilistic predictors with and without guarantees of validity", NIPS
2015, sections 2 to 4). Classes are normalised.

With partial evidence a row with posterior r about the curve's g counts as
:math:`h = 1 - \overline{r (1 - r)} / (g (1 - g))` gold labels, means taken where the curve is flat:
the share of a label's information that it holds (T. A. Louis, JRSS B 1982). The weighted isotonic
regression of :math:`g + (r - g) / h` is the curve itself, so that one added label moves it by as
much as it should. No theorem of validity is claimed there.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from partlabel.evaluate.calibration.calibrator import Calibrator, normalised
from partlabel.evaluate.calibration.isotonic import Column, check_em, fitted_curves, warn_unrested
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.metrics import Floats

LEAST_WORTH = 1e-3
"""Rows are worth at least this, so that every score has its place on the curve."""


class VennAbers(Calibrator):
    """Calibrates each class by a rising curve, with an interval of the probability.

    Right whatever the shape of the error, and with less evidence than `IsotonicCalibration`; never
    0 or 1. With gold, and up to the normalisation of the classes, one end of each interval is
    calibrated whatever the data, if the items are exchangeable.

    Parameters
    ----------
    max_iter, tol
        As in `IsotonicCalibration`.

    Attributes
    ----------
    curves_ : list of (3, n_scores) float, one for each class
        Predicted probability (rising), and the calibrated one if the item is not of the class, and
        if it is.
    labels_, n_items_, n_gold_, basis_
        As in `Calibrator`.

    Raises
    ------
    InputError
        In `fit`, as `IsotonicCalibration.fit` refuses.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = [[0.9, 0.1]] * 8
    >>> fitted = VennAbers().fit(probs, ["ham"] * 8, labels=labels)
    >>> fitted.transform(probs).probs[0]
    array([0.9, 0.1])
    >>> [end[0, 1].round(3) for end in fitted.intervals(probs)]
    [np.float64(0.0), np.float64(0.111)]
    """

    def __init__(self, *, max_iter: int = 1000, tol: float = 1e-5) -> None:
        self.max_iter = max_iter
        self.tol = tol

    def intervals(self, predicted: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the probabilities if the item is not of the class, and if it is.

        Parameters
        ----------
        predicted : Beliefs, or (n_items, n_classes) probabilities

        Returns
        -------
        low, high : (n_items, n_classes) float
            Far apart where there is little evidence near the prediction. Not normalised.

        Raises
        ------
        InputError, NotFittedError
            As `transform` refuses.
        """
        return self._ends(self._beliefs(predicted).probs)

    def _check(self) -> None:
        check_em(self.max_iter, self.tol)

    def _fit(self, observed: Observed) -> None:
        columns, curves, posterior, rested = fitted_curves(observed, self.max_iter, self.tol)
        if not rested:
            warn_unrested()
        self.curves_ = [
            _curve(column, curve, r)
            for column, curve, r in zip(columns, curves, posterior.T, strict=True)
        ]

    def _apply(self, probs: Floats) -> NDArray[np.float64]:
        low, high = self._ends(probs)
        return normalised(high / (1.0 - low + high))

    def _ends(self, probs: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low = np.empty(probs.shape)
        high = np.empty(probs.shape)
        for k, (score, if_wrong, if_right) in enumerate(self.curves_):
            # A label between two scores joins those that it would have to pass: 0 those below it.
            below = np.searchsorted(score, probs[:, k], side="right") - 1
            above = np.searchsorted(score, probs[:, k], side="left")
            low[:, k] = np.append(if_wrong, 0.0)[below]
            high[:, k] = np.append(if_right, 1.0)[above]
        return low, high


def _curve(
    column: Column, curve: NDArray[np.float64], posterior: NDArray[np.float64]
) -> NDArray[np.float64]:
    worth = _worth(column, curve, posterior)
    weight = column.sums(worth)
    label = column.sums(posterior + (worth - 1.0) * curve[column.which])
    mirrored = if_right(weight[::-1], (weight - label)[::-1])[::-1]  # 0 for 1, falling for rising
    ends = np.stack([1.0 - mirrored, if_right(weight, label)])
    return np.vstack([column.score, np.clip(ends, 0.0, 1.0)])


def _worth(
    column: Column, curve: NDArray[np.float64], posterior: NDArray[np.float64]
) -> NDArray[np.float64]:
    _, block = np.unique(curve.round(12), return_inverse=True)  # blind to rounding errors
    of_row = block[column.which]
    g = curve[column.which]
    full = g * (1.0 - g)
    missing = np.divide(posterior * (1.0 - posterior), full, out=np.zeros_like(g), where=full > 0)
    mean = np.bincount(of_row, missing) / np.bincount(of_row)
    return np.asarray(np.clip(1.0 - mean, LEAST_WORTH, 1.0)[of_row])


def if_right(weight: NDArray[np.float64], label: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_scores,) The isotonic curve at each score, with a label 1 of weight 1 added there.

    The curve is the slope of the lower hull of the sums of weight and label. The new label's step
    of (1, 1) comes just before score j; what lies left of it is moved back by it, and the slope
    above it is that of the bridge between the hulls of both sides.

    Parameters
    ----------
    weight, label : (n_scores,) float
        Sum of the weights (positive), and of the weighted labels, of each score's rows.
    """
    x, y = (np.concatenate([[0.0], np.cumsum(part)]) for part in (weight, label))
    after = len(x) - 1 - _corners(-x[::-1], y[::-1])[::-1]
    return np.asarray(_bridges(x, y, _corners(x, y), after))


@njit(nogil=True, cache=True)
def _corners(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) The corner before point j on the lower hull of the points up to j; 0 is its own."""
    before = np.zeros(len(x), dtype=np.int64)
    for j in range(1, len(x)):
        i = j - 1
        while i > 0 and (y[j] - y[i]) * (x[i] - x[before[i]]) <= (y[i] - y[before[i]]) * (
            x[j] - x[i]
        ):
            i = before[i]
        before[j] = i
    return before


@njit(nogil=True, cache=True)
def _bridges(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    before: NDArray[np.int64],
    after: NDArray[np.int64],
) -> NDArray[np.float64]:
    values = np.empty(len(x) - 1)
    for j in range(len(values)):
        a = b = j
        moved = True
        while moved:
            slope = (y[b] - y[a] + 1.0) / (x[b] - x[a] + 1.0)
            moved = False
            if after[b] != b and y[after[b]] - y[b] < slope * (x[after[b]] - x[b]):
                b, moved = after[b], True
            elif before[a] != a and y[a] - y[before[a]] > slope * (x[a] - x[before[a]]):
                a, moved = before[a], True
        values[j] = slope
    return values
