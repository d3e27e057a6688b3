"""Evaluation: how good predictions are on gold, each number with its interval."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evaluate import metrics
from partlabel.evaluate.estimate import Estimate
from partlabel.evaluate.intervals import (
    absolute_sum_interval,
    bootstrap,
    check_level,
    clopper_pearson,
    percentile_interval,
)
from partlabel.evaluate.metrics import Floats, Metric
from partlabel.evaluate.scored import Scored
from partlabel.labels import LabelSpace

BOOTSTRAPPED: Mapping[str, Metric] = MappingProxyType(
    {
        "balanced_accuracy": metrics.balanced_accuracy,
        "macro_f1": metrics.macro_f1,
        "log_loss": metrics.log_loss,
        "brier": metrics.brier,
    }
)
"""Metrics with a percentile interval of the bootstrap."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How good predictions are, measured on the items with a gold label.

    ``evaluation["log_loss"]`` is one `Estimate`.

    Attributes
    ----------
    estimates : mapping of metric name to Estimate
        accuracy, balanced_accuracy, macro_f1, log_loss (nats), brier (0 to 2), and ece, the
        expected calibration error of the most likely class.
    confusion : (n_classes, n_classes) int64
        How many items of each gold class (row) were given each class (column).
    labels : LabelSpace
    n_gold : int
        Items that were scored.
    n_skipped : int
        Predicted items without a gold class.
    n_unmatched : int
        Items with a gold class, but without a prediction; they count neither for nor against it.
    level : float
        The level of the intervals.
    """

    estimates: Mapping[str, Estimate]
    confusion: NDArray[np.int64]
    labels: LabelSpace
    n_gold: int
    n_skipped: int
    n_unmatched: int
    level: float

    def __getitem__(self, metric: str) -> Estimate:
        try:
            return self.estimates[metric]
        except KeyError:
            raise InputError(
                f"`metric` must be one of {', '.join(self.estimates)}; got {metric!r}."
            ) from None

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {estimate}" for name, estimate in self.estimates.items())
        return f"Evaluation({self.n_gold} gold items: {shown})"

    def to_polars(self) -> pl.DataFrame:
        """Give a table, one row per metric: metric, value, low, high, n, level, basis, method."""
        return pl.DataFrame([{"metric": k, **asdict(v)} for k, v in self.estimates.items()])

    def per_class(self) -> pl.DataFrame:
        """Give a table with one row per class: class, support, predicted, precision, recall, F1.

        Precision and recall come with exact intervals (``_low``, ``_high``). They are null where
        nothing is known: precision of a class that is never predicted, recall of a class without
        gold, F1 where both hold.
        """
        hits = np.diagonal(self.confusion)
        support, predicted = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        return pl.DataFrame(
            {
                "class": self.labels.decode(range(len(self.labels))),
                "support": support,
                "predicted": predicted,
                **_share("precision", hits, predicted, self.level),
                **_share("recall", hits, support, self.level),
                "f1": _ratio_or_null(2 * hits, predicted + support),
            }
        )


def evaluate(
    predicted: Any,
    gold: Any,
    *,
    labels: LabelSpace | None = None,
    level: float = 0.95,
    n_bootstrap: int = 1000,
    random_state: int | np.random.Generator | None = 0,
) -> Evaluation:
    """Measure how good beliefs, or a model's probabilities, are on the items with a gold label.

    The numbers are right for the population from which the gold items are a random sample. The
    predicted class is the most likely one (of classes that tie, the first). Balanced accuracy and
    macro F1 are means over the classes that gold holds. Log loss counts probabilities below 1e-15
    as 1e-15. The calibration error has 15 bins of equal mass, or fewer so that each holds 10 items.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
    gold : Candidates, or (n_items,) class names with nulls
        Items with one class left are gold; others are skipped and counted. Matched by position, or
        by item ids where both have them and they differ. Integers are codes where no class name is
        an integer.
    labels : LabelSpace, default None
        The classes of the columns where `predicted` is an array; None takes those of `gold`.
    level : float in (0, 1), default 0.95
        How surely an interval holds the true value. Higher gives wider intervals.
    n_bootstrap : int, default 1000
        Resamples for the intervals of all metrics but accuracy, whose interval is exact. More make
        the ends of the intervals steadier; time grows with it.
    random_state : int, Generator or None, default 0

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If no item has gold, lengths or classes differ, a class is unknown, a row is no
        distribution, `level` is outside (0, 1), or `n_bootstrap` is below 1.
    TypeError
        If `predicted` is an array and there are no `labels`.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]
    >>> evaluation = evaluate(probs, ["ham", "spam", "spam", None], labels=labels)
    >>> print(evaluation["accuracy"])
    0.667 [0.094, 0.992]
    """
    check_level(level)
    if n_bootstrap < 1:
        raise InputError(f"`n_bootstrap` must be at least 1; got {n_bootstrap}. 1000 is usual.")
    scored = Scored.match(predicted, gold, labels)
    return Evaluation(
        estimates=MappingProxyType(_estimates(scored, level, n_bootstrap, random_state)),
        confusion=_confusion(scored),
        labels=scored.labels,
        n_gold=len(scored),
        n_skipped=scored.n_skipped,
        n_unmatched=scored.n_unmatched,
        level=level,
    )


def _estimates(
    scored: Scored, level: float, n_bootstrap: int, random_state: Any
) -> dict[str, Estimate]:
    n, n_metrics = len(scored), len(BOOTSTRAPPED)

    def statistic(weights: Floats) -> Floats:
        return _metrics_and_gaps(scored, weights)

    values = statistic(np.ones(n))
    resampled = bootstrap(statistic, n, n_bootstrap=n_bootstrap, random_state=random_state)
    low, high = percentile_interval(resampled[:, :n_metrics], level)
    gaps = values[n_metrics:]
    ece = float(np.abs(gaps).sum())
    ece_interval = absolute_sum_interval(gaps, resampled[:, n_metrics:], level)
    return {
        "accuracy": _accuracy(scored, level),
        **{
            name: Estimate(float(values[j]), float(low[j]), float(high[j]), n, level)
            for j, name in enumerate(BOOTSTRAPPED)
        },
        "ece": Estimate(ece, *ece_interval, n, level),
    }


def _metrics_and_gaps(scored: Scored, weights: Floats) -> Floats:
    """(..., n_metrics + n_bins): one pass over the resamples serves every metric."""
    values = [metric(scored.probs, scored.codes, weights) for metric in BOOTSTRAPPED.values()]
    gaps = metrics.calibration_gaps(scored.probs, scored.codes, weights)
    return np.concatenate([np.stack(values, axis=-1), gaps], axis=-1)


def _accuracy(scored: Scored, level: float) -> Estimate:
    hits = int((scored.probs.argmax(axis=1) == scored.codes).sum())
    low, high = clopper_pearson(hits, len(scored), level)
    return Estimate(hits / len(scored), float(low), float(high), len(scored), level, method="exact")


def _confusion(scored: Scored) -> NDArray[np.int64]:
    n_classes = len(scored.labels)
    cell = scored.codes.astype(np.int64) * n_classes + scored.probs.argmax(axis=1)
    return np.bincount(cell, minlength=n_classes**2).reshape(n_classes, n_classes)


def _share(
    name: str, part: NDArray[np.int64], whole: NDArray[np.int64], level: float
) -> dict[str, pl.Series]:
    low, high = (
        pl.select(pl.when(pl.Series(whole > 0)).then(pl.Series(end))).to_series()
        for end in clopper_pearson(part, whole, level)
    )
    return {name: _ratio_or_null(part, whole), f"{name}_low": low, f"{name}_high": high}


def _ratio_or_null(part: NDArray[np.int64], whole: NDArray[np.int64]) -> pl.Series:
    ratio = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return pl.Series(ratio, nan_to_null=True)
