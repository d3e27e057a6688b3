"""Comparison: how much better one model is than others on the same items."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import t as student

from partlabel.errors import InputError
from partlabel.evaluate.estimate import Basis, Estimate, table_of
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.powered.contradiction import holm
from partlabel.evaluate.powered.influence_functions import HEADLINE, influences
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.powered_metrics import refuse_too_little_gold
from partlabel.evaluate.powered.prediction_powered import Powered, powered
from partlabel.labels import LabelSpace


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Differences between a model and others, metric by metric.

    ``comparison["other", "accuracy"]`` is one `Estimate` of the difference: the model's value less
    that of the other.

    Attributes
    ----------
    differences : mapping of (name of the other, metric) to Estimate
    p_value : mapping of (name of the other, metric) to float
        Of no difference; corrected, metric by metric, for the number of others (Holm).
    """

    differences: Mapping[tuple[str, str], Estimate]
    p_value: Mapping[tuple[str, str], float]

    def __getitem__(self, key: tuple[str, str]) -> Estimate:
        try:
            return self.differences[key]
        except KeyError:
            known = sorted({name for name, _ in self.differences})
            raise InputError(
                f"`key` must be (one of {', '.join(known)}, a metric such as 'accuracy'); "
                f"got {key!r}."
            ) from None

    def to_polars(self) -> pl.DataFrame:
        """Give a table, one row per other and metric; p_value comes last."""
        table = table_of(
            ({"against": other, "metric": metric}, one)
            for (other, metric), one in self.differences.items()
        )
        return table.with_columns(p_value=pl.Series(list(self.p_value.values())))


def compare(
    predicted: Any,
    others: Any,
    gold: Any,
    *,
    beliefs: Any = None,
    labels: LabelSpace | None = None,
    strata: Any = None,
    gold_probability: Any = None,
    level: float = 0.95,
) -> Comparison:
    """Measure how much better a model is than others, on the same items and gold.

    Rows that both get right or wrong alike say nothing of the difference, so that its interval is
    narrower than those of the two values.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
    others : the same, or a mapping of names to the same
        One model, which is called "other", or many.
    gold : Candidates, or class names with nulls
    beliefs : Beliefs, or (n_items, n_classes) probabilities, default None
        As in `evaluate`; None uses gold alone.
    labels, strata, gold_probability, level
        As in `evaluate`.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there is no other, fewer than two items have gold, and as `evaluate` refuses.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> sure, coin = np.tile([0.9, 0.1], (20, 1)), np.tile([[0.9, 0.1], [0.1, 0.9]], (10, 1))
    >>> print(compare(sure, coin, ["ham"] * 20, labels=labels)["other", "accuracy"])
    0.500 [0.266, 0.734]
    """
    check_level(level)
    named: Mapping[str, Any] = others if isinstance(others, Mapping) else {"other": others}
    if not named:
        raise InputError("`others` must hold at least one model; got none. Add what to compare.")
    shared = {
        "beliefs": beliefs,
        "labels": labels,
        "strata": strata,
        "gold_probability": gold_probability,
    }
    own = Population.match(predicted, gold, **shared)
    refuse_too_little_gold(own)
    own_influences = influences(own)
    results = {}
    for name, other in named.items():
        rival = Population.match(other, gold, **shared)
        if len(rival) != len(own) or not np.array_equal(rival.rows, own.rows):
            raise InputError(
                f"`others` must predict the items of `predicted`, in their order; {name!r} has "
                f"{len(rival)} items, {rival.n_gold} of them with gold. Align them first."
            )
        difference = (own_influences - influences(rival)).pick(list(HEADLINE))
        results[name] = powered(own, difference)
    return _comparison(results, own, level)


def _comparison(results: Mapping[str, Powered], own: Population, level: float) -> Comparison:
    names = list(results)
    basis = Basis.GOLD if own.beliefs is None else Basis.GOLD_AND_MODEL
    p = np.stack([_p_values(results[name]) for name in names])
    corrected = np.stack([holm(column) for column in p.T], axis=1)
    ends = {name: np.stack(results[name].interval(level)) for name in names}
    keys = [(name, metric) for name in names for metric in HEADLINE]
    at = {metric: j for j, metric in enumerate(HEADLINE)}
    return Comparison(
        differences={
            (name, metric): Estimate(
                float(results[name].value[at[metric]]),
                float(ends[name][0, at[metric]]),
                float(ends[name][1, at[metric]]),
                own.n_gold,
                level,
                basis,
                "influence",
            )
            for name, metric in keys
        },
        p_value={
            (name, metric): float(corrected[names.index(name), at[metric]]) for name, metric in keys
        },
    )


def _p_values(result: Powered) -> np.ndarray[Any, np.dtype[np.float64]]:
    value, error = np.abs(result.value), result.error
    none = np.where(value > 1e-12, np.inf, 0.0)
    z = np.divide(value, error, out=none, where=error > 1e-12)
    return np.asarray(2.0 * student.sf(z, result.freedom))
