"""ReliabilityDiagram: how often a prediction is right, against how sure it was."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evaluate.intervals import check_level, clopper_pearson
from partlabel.evaluate.metrics import confidence_bins
from partlabel.evaluate.scored import Scored
from partlabel.labels import LabelSpace


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
        Exact interval of the accuracy.
    level : float
        The level of the intervals.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float

    def __len__(self) -> int:
        return len(self.count)

    def __repr__(self) -> str:
        return f"ReliabilityDiagram({len(self)} bins, {int(self.count.sum())} gold items)"

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
) -> ReliabilityDiagram:
    """Compare how often predictions are right with how sure they were.

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
    scored = Scored.match(predicted, gold, labels)
    confidence = scored.probs.max(axis=1)
    _, which = np.unique(confidence_bins(confidence, bins), return_inverse=True)
    hits = np.bincount(which, scored.probs.argmax(axis=1) == scored.codes)
    count = np.bincount(which)
    low, high = clopper_pearson(hits, count, level)
    return ReliabilityDiagram(
        count, np.bincount(which, confidence) / count, hits / count, low, high, level
    )
