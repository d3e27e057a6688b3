r"""IsotonicCalibration: any rising curve from predicted to calibrated probability, per class.

======================  ==================  ====================================================
symbol                  code                shape, meaning
======================  ==================  ====================================================
:math:`g_k`             ``Curve``           rising function of the class's probability
:math:`q_{ik}`          ``normalised(...)`` :math:`g_k(p_{ik}) / \sum_j g_j(p_{ij})`
:math:`r_{ik}`          ``posterior``       :math:`\propto q_{ik}\, p(o_i \mid k)`
======================  ==================  ====================================================

EM: beliefs :math:`r` given the curves, then for each class the isotonic regression of :math:`r_k`
on :math:`p_k` (pool adjacent violators), which is the likeliest rising curve. With gold :math:`r`
is known and one step is all. For two classes each step raises the marginal likelihood, which is
concave in the curve; for more, the normalisation makes it a heuristic, as it does with gold
(B. Zadrozny, C. Elkan, "Transforming classifier scores into accurate multiclass probability
estimates", KDD 2002).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.isotonic import isotonic_regression

from partlabel.errors import InputError
from partlabel.evaluate.calibration.calibrator import Calibrator, normalised
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.metrics import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The scores of one class, each distinct one once.

    Attributes
    ----------
    score : (n_scores,) float, rising
    which : (n,) int64
        Row ``i`` has ``score[which[i]]``.
    """

    score: NDArray[np.float64]
    which: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Floats) -> "Column":
        """Find the distinct scores of (n,) rows."""
        score, which = np.unique(scores.astype(np.float64), return_inverse=True)
        return cls(score, which)

    def sums(self, values: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """(n_scores,) Sum of the values of each score's rows; their number where None."""
        return np.bincount(self.which, values, len(self.score)).astype(np.float64)

    def risen(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_scores,) The rising curve nearest to the (n,) values."""
        count = self.sums()
        mean = self.sums(values) / count
        return np.asarray(isotonic_regression(mean, sample_weight=count, y_min=0.0, y_max=1.0))


def fitted_curves(
    observed: Observed, max_iter: int, tol: float
) -> tuple[list[Column], list[NDArray[np.float64]], NDArray[np.float64], bool]:
    """Each class's scores and curve, the posterior (n, n_classes), and whether EM came to rest."""
    columns = [Column.of(scores) for scores in observed.probs.T]
    posterior = observed.posterior(observed.probs)
    before = observed.probs.astype(np.float64)
    curves = [column.risen(r) for column, r in zip(columns, posterior.T, strict=True)]
    for _ in range(1 if observed.exact.all() else max_iter):
        raised = [curve[column.which] for curve, column in zip(curves, columns, strict=True)]
        after = normalised(np.column_stack(raised))
        if np.abs(after - before).mean() < tol or observed.exact.all():
            return columns, curves, posterior, True
        posterior, before = observed.posterior(after), after
        curves = [column.risen(r) for column, r in zip(columns, posterior.T, strict=True)]
    return columns, curves, posterior, False


class IsotonicCalibration(Calibrator):
    """Calibrates each class by a rising curve of any shape, and normalises.

    Right whatever the shape of the error, if there is much evidence: several hundred gold items a
    class. It may say 0 or 1, which costs a log loss dearly where it is wrong; `VennAbers` doesn't.

    Parameters
    ----------
    max_iter : int, default 1000
        Most EM steps. Gold needs one.
    tol : float, default 1e-5
        EM rests where the probabilities change by less than this on average. Lower is more exact
        and slower.

    Attributes
    ----------
    curves_ : list of (2, n_scores) float, one for each class
        Predicted (rising) and calibrated probability; in between the curve is straight.
    labels_, n_items_, n_gold_, basis_
        As in `Calibrator`.

    Raises
    ------
    InputError
        In `fit`, if `max_iter` or `tol` isn't positive, and as `Calibrator.fit` refuses.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = [[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]]
    >>> gold = ["ham", "spam", "spam", "spam"]
    >>> IsotonicCalibration().fit(probs, gold, labels=labels).transform(probs).probs[::2]
    array([[0.5, 0.5],
           [0. , 1. ]])
    """

    def __init__(self, *, max_iter: int = 1000, tol: float = 1e-5) -> None:
        self.max_iter = max_iter
        self.tol = tol

    def _check(self) -> None:
        check_em(self.max_iter, self.tol)

    def _fit(self, observed: Observed) -> None:
        columns, curves, _, rested = fitted_curves(observed, self.max_iter, self.tol)
        if not rested:
            warn_unrested()
        self.curves_ = [
            np.stack([column.score, curve]) for column, curve in zip(columns, curves, strict=True)
        ]

    def _apply(self, probs: Floats) -> NDArray[np.float64]:
        raised = [np.interp(p, *curve) for p, curve in zip(probs.T, self.curves_, strict=True)]
        return normalised(np.column_stack(raised))


def check_em(max_iter: int, tol: float) -> None:
    """Refuse settings of EM that aren't positive."""
    for name, value in (("max_iter", max_iter), ("tol", tol)):
        if not value > 0:
            raise InputError(f"`{name}` must be positive; got {value}. Leave it at its default.")


def warn_unrested() -> None:
    """Say that EM hasn't come to rest."""
    message = "max_iter was reached while the curves still moved. Raise `max_iter` or `tol`."
    warnings.warn(message, ConvergenceWarning, stacklevel=4)
