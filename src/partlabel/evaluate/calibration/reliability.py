"""ReliabilityDiagram: how often a prediction is right, against how sure it was."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.channels import Channels
from partlabel.errors import InputError
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.intervals import check_level, clopper_pearson, mixture_share
from partlabel.evaluate.metrics import FLOOR, Codes, confidence_bins
from partlabel.labels import LabelSpace

Ends: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Accuracy of each bin, and the ends of its interval."""


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityDiagram:
    """Accuracy against confidence, in bins of confidence that hold about equally many gold items.

    Where a prediction is calibrated, a bin's accuracy is its confidence; below it, the prediction
    is too sure.

    Attributes
    ----------
    count : (n_bins,) int64
        Gold items in the bin; at least one.
    confidence : (n_bins,) float
        Mean probability of the most likely class, rising.
    accuracy : (n_bins,) float
        Share of the items whose most likely class is the gold class.
    low, high : (n_bins,) float
        Interval of the accuracy; exact with gold.
    level : float
        The level of the intervals.
    basis : {"gold", "assumption"}
        "assumption" where it rests on the channels given.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float
    basis: Literal["gold", "assumption"] = "gold"

    def __len__(self) -> int:
        return len(self.count)

    def __repr__(self) -> str:
        kind = "gold items" if self.basis == "gold" else "items, by assumption: unverified"
        return f"ReliabilityDiagram({len(self)} bins, {int(self.count.sum())} {kind})"

    def to_polars(self) -> pl.DataFrame:
        """Give a table with one row per bin: count, confidence, accuracy, low, high."""
        columns = ("count", "confidence", "accuracy", "low", "high")
        return pl.DataFrame({name: getattr(self, name) for name in columns})


def reliability_diagram(
    predicted: Any,
    gold: Any,
    *,
    labels: LabelSpace | None = None,
    bins: int = 10,
    level: float = 0.95,
    channels: Channels | None = None,
) -> ReliabilityDiagram:
    r"""Compare how often predictions are right with how sure they were.

    With partial evidence, a bin's accuracy :math:`a` is the likeliest one,

    .. math:: \max_a \sum_i \log \big(a \, p(o_i \mid \hat y_i) + (1 - a) \sum_{k \ne \hat y_i}
              \tfrac{p_{ik}}{1 - p_{i \hat y_i}} \, p(o_i \mid k)\big),

    where a wrong prediction's class is taken as likely as the prediction has it among the others,
    and the interval is that of the likelihood ratio. It rests on the channels.

    Parameters
    ----------
    predicted, gold, labels
        As in `evaluate`.
    bins : int, default 10
        Bins to cut the gold items into, at quantiles of confidence. More show finer detail with
        wider intervals. Items with the same confidence share a bin, so that there may be fewer
        bins.
    level : float in (0, 1), default 0.95
        The level of each bin's interval.
    channels : Channels, default None
        How partial evidence, given for `gold`, comes about, as in `Calibrator.fit`. None takes gold
        alone.

    Returns
    -------
    ReliabilityDiagram

    Raises
    ------
    InputError
        If `bins` is below 1, and as `evaluate` refuses.

    References
    ----------
    M. H. DeGroot, S. E. Fienberg, "The comparison and evaluation of forecasters", The Statistician
    1983.

    Examples
    --------
    >>> probs = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]
    >>> gold = ["ham", "ham", "ham", "spam"]
    >>> diagram = reliability_diagram(probs, gold, labels=LabelSpace(["ham", "spam"]), bins=2)
    >>> diagram.accuracy
    array([0.5, 1. ])
    """
    check_level(level)
    if bins < 1:
        raise InputError(f"`bins` must be at least 1; got {bins}. 10 is usual.")
    observed = Observed.match(predicted, gold, labels, channels)
    confidence = observed.probs.max(axis=1)
    _, which = np.unique(confidence_bins(confidence, bins), return_inverse=True)
    count = np.bincount(which)
    accuracy, low, high = (_exact if observed.exact.all() else _likeliest)(observed, which, level)
    mean = np.bincount(which, confidence) / count
    return ReliabilityDiagram(count, mean, accuracy, low, high, level, observed.basis)


def _exact(observed: Observed, which: Codes, level: float) -> Ends:
    hits = np.bincount(which, observed.probs.argmax(axis=1) == observed.likelihood.argmax(axis=1))
    count = np.bincount(which)
    return hits / count, *clopper_pearson(hits, count, level)


def _likeliest(observed: Observed, which: Codes, level: float) -> Ends:
    rows, guess = np.arange(len(observed)), observed.probs.argmax(axis=1)
    others = np.maximum(observed.probs, FLOOR, dtype=np.float64)
    others[rows, guess] = 0.0
    right = observed.likelihood[rows, guess]
    wrong = np.einsum("ik,ik->i", others, observed.likelihood) / others.sum(axis=1)
    bins = [which == b for b in range(int(which.max()) + 1)]
    ends = np.array([mixture_share(right[rows], wrong[rows], level) for rows in bins])
    return ends[:, 0], ends[:, 1], ends[:, 2]
