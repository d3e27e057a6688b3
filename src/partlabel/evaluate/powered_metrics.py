"""All metrics of a population as estimates: those of the whole, of classes, and of bins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from partlabel.errors import InputError
from partlabel.evaluate.estimate import Basis, Estimate
from partlabel.evaluate.influence_functions import (
    HEADLINE,
    OF_CLASS,
    Influences,
    influences,
)
from partlabel.evaluate.intervals import absolute_sum_of_normal
from partlabel.evaluate.population import Population
from partlabel.evaluate.prediction_powered import Powered, powered

BOUNDS: Mapping[str, tuple[float, float]] = {
    "log_loss": (0.0, np.inf),
    "brier": (0.0, 2.0),
    "gap": (-1.0, 1.0),
}
"""What a metric can be; all others are shares."""


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """Estimates of all metrics.

    Attributes
    ----------
    headline : mapping of metric name to Estimate
    of_class : mapping of metric name to one Estimate per class
        ``class_precision``, ``class_recall``, ``class_f1``, ``prevalence``, ``class_auc`` and
        ``class_average_precision``. None where nothing is known of the class.
    gaps : tuple of Estimate
        What each bin of confidence, from low to high, adds to accuracy minus mean confidence.
    """

    headline: Mapping[str, Estimate] = field(default_factory=dict)
    of_class: Mapping[str, tuple[Estimate | None, ...]] = field(default_factory=dict)
    gaps: tuple[Estimate, ...] = ()


def powered_metrics(population: Population, level: float, random_state: Any) -> Metrics:
    """Estimate all metrics from gold and beliefs.

    Raises
    ------
    InputError
        If there are fewer than two gold rows.
    """
    refuse_too_little_gold(population)
    found = influences(population)
    return metrics_of(population, found, powered(population, found), level, random_state)


def refuse_too_little_gold(population: Population) -> None:
    """Refuse gold whose spread can't be told."""
    if population.n_gold < 2:
        raise InputError(
            f"`gold` must name the class of at least two predicted items where beliefs help; got "
            f"{population.n_gold}. Label more, or call `expected_metrics`, which needs no gold."
        )


def metrics_of(
    population: Population, found: Influences, result: Powered, level: float, random_state: Any
) -> Metrics:
    """Give the numbers their names and intervals."""
    basis = Basis.GOLD if population.beliefs is None else Basis.GOLD_AND_MODEL
    ends = result.interval(level)

    def estimate(value: float, low: float, high: float, name: str) -> Estimate:
        least, most = BOUNDS.get(name, (0.0, 1.0))
        value, low, high = (float(np.clip(x, least, most)) for x in (value, low, high))
        return Estimate(value, low, high, population.n_gold, level, basis, "influence")

    def of(name: str) -> tuple[Estimate | None, ...]:
        at = found.columns[name]
        rows = zip(result.value[at], ends[0][at], ends[1][at], strict=True)
        return tuple(
            estimate(value, low, high, name) if low < high else None for value, low, high in rows
        )

    bins = found.columns["gap"]
    ece = absolute_sum_of_normal(
        result.value[bins], result.covariance[bins, bins], level, random_state
    )
    headline = {name: one for name in HEADLINE if (one := of(name)[0]) is not None}
    return Metrics(
        headline={**headline, "ece": estimate(*ece, "ece")},
        of_class={name: of(name) for name in OF_CLASS},
        gaps=tuple(one for one in of("gap") if one is not None),
    )
