"""Evaluation: how good predictions are on gold, each number with its interval."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evaluate import metrics
from partlabel.evaluate.estimate import Estimate, table_of
from partlabel.evaluate.intervals import (
    absolute_sum_interval,
    bootstrap,
    check_level,
    clopper_pearson,
    percentile_interval,
)
from partlabel.evaluate.metrics import Codes, Floats, Metric
from partlabel.evaluate.powered.contradiction import Audit, audit_of
from partlabel.evaluate.powered.influence_functions import influences
from partlabel.evaluate.powered.joint_beliefs import as_asked
from partlabel.evaluate.powered.population import Population, codes_and_names
from partlabel.evaluate.powered.powered_metrics import (
    Metrics,
    metrics_of,
    powered_metrics,
    refuse_too_little_gold,
)
from partlabel.evaluate.powered.prediction_powered import powered
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
        accuracy, balanced_accuracy, macro_precision, macro_f1, log_loss (nats), brier (0 to 2), auc
        and average_precision (means over the classes, each against the others), and ece, the
        expected calibration error of the most likely class. Of one gold item, less.
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
    details : Metrics
        The metrics of each class, and the calibration gap of each bin.
    of_group : mapping of group name to Metrics
        The same for each group with gold, with beliefs for each with at least two gold items.
    audit : Audit or None
        With beliefs: whether gold contradicts them.
    """

    estimates: Mapping[str, Estimate]
    confusion: NDArray[np.int64]
    labels: LabelSpace
    n_gold: int
    n_skipped: int
    n_unmatched: int
    level: float
    details: Metrics = field(default_factory=Metrics)
    of_group: Mapping[Any, Metrics] = field(default_factory=dict)
    audit: Audit | None = None

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
        return table_of([({"metric": name}, one) for name, one in self.estimates.items()])

    def by_group(self) -> pl.DataFrame:
        """Give a table, one row per group and metric, in columns as `to_polars` has."""
        return table_of(
            ({"group": group, "metric": name}, one)
            for group, metrics in self.of_group.items()
            for name, one in metrics.headline.items()
        )

    def by_class(self) -> pl.DataFrame:
        """Give a table, one row per class and metric.

        The metrics are precision, recall, F1, ROC AUC, average precision and prevalence of the
        class; one of which nothing is known is left out. By gold alone, `per_class` has exact
        intervals of precision and recall.
        """
        return table_of(
            ({"class": str(self.labels.classes[k]), "metric": name.removeprefix("class_")}, one)
            for name, of_class in self.details.of_class.items()
            for k, one in enumerate(of_class)
            if one is not None
        )

    def per_class(self) -> pl.DataFrame:
        """Give a table with one row per class: class, support, predicted, precision, recall, F1.

        By gold alone, also where beliefs were given; `by_class` is what rests on both.

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
    beliefs: Any = None,
    joint: bool | None = None,
    strata: Any = None,
    gold_probability: Any = None,
    groups: Any = None,
    labels: LabelSpace | None = None,
    level: float = 0.95,
    n_bootstrap: int = 1000,
    progress: Callable[[int], None] | None = None,
    random_state: int | np.random.Generator | None = 0,
) -> Evaluation:
    """Measure how good beliefs, or a model's probabilities, are on the items with a gold label.

    The numbers are right for the population from which the gold items are a random sample. The
    predicted class is the most likely one (of classes that tie, the first). Balanced accuracy and
    macro F1 are means over the classes that gold holds. Log loss counts probabilities below 1e-15
    as 1e-15. The calibration error has 15 bins of equal mass, or fewer so that each holds 10 items.

    With `beliefs` about all items, the numbers rest on "gold+model": beliefs make the intervals
    narrower where they are right, and gold takes out what they get wrong
    (`partlabel.evaluate.prediction_powered`). The calibration error then is corrected for the
    noise that raises it, with bins that hold equally many of all items. The intervals are right
    for large gold, and were measured from 100 gold rows on; classes with a handful of gold rows
    have wide or doubtful ones.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
    gold : Candidates, or (n_items,) class names with nulls
        Items with one class left are gold; others are skipped and counted. Matched by position, or
        by item ids where both have them and they differ. Integers are codes where no class name is
        an integer.
    beliefs : Beliefs, or (n_items, n_classes) probabilities, default None
        What is believed about the label of each predicted item, gold left out: from a label model
        of votes, say.
    joint : bool, default None
        Whether to add what the predictions say to the beliefs (`joint_beliefs`), which narrows the
        intervals where votes and model err apart, most of all those of ranks and losses, and
        widens them where beliefs know the model already. None takes what gold follows more
        closely. The numbers are right either way, as gold takes back out what beliefs get wrong.
    strata : (n_items,) names, default None
        Parts of the items of which gold is a random sample each, maybe of different shares. Where
        gold is a random sample of all, strata of alike items narrow the intervals too. Strata with
        fewer than 5 gold rows are taken together.
    gold_probability : (n_items,) float in (0, 1], default None
        The probability with which each item was drawn for gold, each on its own; see
        `audit_probability`. No row counts more than ten times as much as the mean one.
    groups : (n_items,) names, default None
        Give all metrics for each of these too.
    labels : LabelSpace, default None
        The classes of the columns where `predicted` is an array; None takes those of `gold`.
    level : float in (0, 1), default 0.95
        How surely an interval holds the true value. Higher gives wider intervals.
    n_bootstrap : int, default 1000
        Resamples for the intervals of balanced accuracy, macro F1, log loss, Brier score and
        calibration error by gold alone. More make their ends steadier; time grows with it. The
        interval of accuracy then is exact; all others, and those that rest on beliefs, strata or
        probabilities, come from influence functions.
    progress : function, default None
        Called with the number of resamples done, again and again; from 0 on in each group.
    random_state : int, Generator or None, default 0

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If no item has gold, lengths or classes differ, a class is unknown, a row is no
        distribution, `level` is outside (0, 1), `n_bootstrap` is below 1, both `strata` and
        `gold_probability` are given, or one of these or beliefs and fewer than two gold items. Also
        if beliefs don't know an item.
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
    population = Population.match(
        predicted,
        gold,
        beliefs=beliefs,
        labels=labels,
        strata=strata,
        gold_probability=gold_probability,
    )
    alone = all(given is None for given in (beliefs, strata, gold_probability))

    def measured(part: Population) -> Metrics:
        if alone:
            return _by_gold(part, level, n_bootstrap, random_state, progress)
        return powered_metrics(part, level, random_state)

    if beliefs is None:
        metrics, audit = measured(population), None
    else:
        refuse_too_little_gold(population)
        population = as_asked(population, joint)
        found = influences(population)
        audit = audit_of(population, found)
        metrics = metrics_of(population, found, powered(population, found), level, random_state)
    return Evaluation(
        estimates=MappingProxyType(dict(metrics.headline)),
        confusion=_confusion(population.probs[population.rows], population.codes),
        labels=population.labels,
        n_gold=population.n_gold,
        n_skipped=len(population) - population.n_gold,
        n_unmatched=population.n_unmatched,
        level=level,
        details=metrics,
        of_group=_by_group(population, groups, measured, least=1 if alone else 2),
        audit=audit,
    )


def _by_gold(
    part: Population,
    level: float,
    n_bootstrap: int,
    random_state: Any,
    progress: Callable[[int], None] | None,
) -> Metrics:
    """All metrics by gold alone: with exact or bootstrap intervals where there are some."""
    known = np.zeros(len(part), dtype=bool)
    known[part.rows] = True
    part = part.select(known)
    found = powered_metrics(part, level, random_state) if part.n_gold > 1 else Metrics()
    scored = Scored(part.probs[part.rows], part.codes, part.labels, 0, 0)
    own = _estimates(scored, level, n_bootstrap, random_state, progress)
    return replace(found, headline={**found.headline, **own})


def _estimates(
    scored: Scored,
    level: float,
    n_bootstrap: int,
    random_state: Any,
    progress: Callable[[int], None] | None,
) -> dict[str, Estimate]:
    n, n_metrics = len(scored), len(BOOTSTRAPPED)

    def statistic(weights: Floats) -> Floats:
        return _metrics_and_gaps(scored, weights)

    values = statistic(np.ones(n))
    resampled = bootstrap(
        statistic, n, n_bootstrap=n_bootstrap, random_state=random_state, progress=progress
    )
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


def _by_group(
    population: Population, groups: Any, measured: Callable[[Population], Metrics], least: int
) -> dict[Any, Metrics]:
    if groups is None:
        return {}
    which, names = codes_and_names(groups, len(population), "groups")
    parts = {name: population.select(which == code) for code, name in enumerate(names)}
    return {name: measured(part) for name, part in parts.items() if part.n_gold >= least}


def _confusion(probs: Floats, codes: Codes) -> NDArray[np.int64]:
    n_classes = probs.shape[1]
    cell = codes.astype(np.int64) * n_classes + probs.argmax(axis=1)
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
