r"""GoldPlan: how many more gold rows an interval of a given width takes.

The variance of an estimate from :math:`n` gold rows among :math:`N` items is

.. math:: \sigma_r^2 \Big(\frac1n - \frac1N\Big) + \frac{\sigma_\psi^2}{N},

with :math:`\sigma_r` what one gold row leaves open where beliefs help, and :math:`\sigma_\psi` the
spread among items; both are estimated from the gold that is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import t as student

from partlabel.errors import InputError
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.powered.influence_functions import HEADLINE, influences
from partlabel.evaluate.powered.joint_beliefs import as_asked
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.powered_metrics import refuse_too_little_gold
from partlabel.evaluate.powered.prediction_powered import powered
from partlabel.labels import LabelSpace


@dataclass(frozen=True, slots=True, eq=False)
class GoldPlan:
    """What more gold rows would buy.

    Attributes
    ----------
    n_items, n_gold : int
    row_variance : mapping of metric name to float
        What one gold row leaves open of the metric.
    item_variance : mapping of metric name to float
        What one item leaves open where all have gold.
    row_freedom : mapping of metric name to float
        Degrees of freedom that one gold row brings: below 1 where mistakes are rare.
    level : float
    """

    n_items: int
    n_gold: int
    row_variance: Mapping[str, float]
    item_variance: Mapping[str, float]
    row_freedom: Mapping[str, float]
    level: float

    def half_width(self, metric: str, n_gold: int) -> float:
        """Give the half-width to expect of the metric's interval with so many gold rows."""
        if metric not in self.row_variance:
            known = ", ".join(self.row_variance)
            raise InputError(f"`metric` must be one of {known}; got {metric!r}.")
        if not 2 <= n_gold <= self.n_items:
            raise InputError(
                f"`n_gold` must lie in [2, {self.n_items}]; got {n_gold}. There are no more items."
            )
        left = self.row_variance[metric] * (1.0 / n_gold - 1.0 / self.n_items)
        error = np.sqrt(left + self.item_variance[metric] / self.n_items)
        freedom = np.clip(self.row_freedom[metric] * n_gold, 1.0, n_gold - 1)
        return float(student.ppf((1.0 + self.level) / 2.0, freedom) * error)

    def more(self, metric: str, half_width: float) -> int | None:
        """Give how many more gold rows the half-width takes; None if all items wouldn't do."""
        if half_width <= 0:
            raise InputError(f"`half_width` must be above 0; got {half_width}. 0.02 is usual.")
        if self.half_width(metric, self.n_items) > half_width:
            return None
        low, high = 2, self.n_items
        while low < high:
            middle = (low + high) // 2
            enough = self.half_width(metric, middle) <= half_width
            low, high = (low, middle) if enough else (middle + 1, high)
        return max(0, low - self.n_gold)

    def next_rows(self, n: int = 100) -> pl.DataFrame:
        """Give a table, one row per metric: metric, half_width now, and with `n` more rows."""
        later = min(self.n_gold + n, self.n_items)
        rows = [
            {
                "metric": name,
                "half_width": self.half_width(name, self.n_gold),
                f"with_{later - self.n_gold}_more": self.half_width(name, later),
            }
            for name in self.row_variance
        ]
        return pl.DataFrame(rows)


def plan_gold(
    predicted: Any,
    gold: Any,
    *,
    beliefs: Any = None,
    joint: bool | None = None,
    labels: LabelSpace | None = None,
    level: float = 0.95,
) -> GoldPlan:
    """Plan how much gold to label, from the gold that is there.

    Right for gold drawn at random, and as good as the spread that the present gold shows: plan from
    50 rows or more, and again as gold comes in.

    Parameters
    ----------
    predicted, gold, beliefs, joint, labels, level
        As in `evaluate`; without beliefs, for intervals from gold alone.

    Returns
    -------
    GoldPlan

    Raises
    ------
    InputError
        If fewer than two items have gold, and as `evaluate` refuses.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> gold = (["ham"] * 4 + ["spam"]) * 10 + [None] * 950
    >>> plan = plan_gold(np.tile([0.9, 0.1], (1000, 1)), gold, labels=labels)
    >>> plan.more("accuracy", 0.05)
    203
    """
    check_level(level)
    population = Population.match(predicted, gold, beliefs=beliefs, labels=labels)
    refuse_too_little_gold(population)
    population = as_asked(population, joint)
    found = influences(population)
    result = powered(population, found)
    at = {name: found.columns[name].start for name in HEADLINE}
    return GoldPlan(
        n_items=len(population),
        n_gold=population.n_gold,
        row_variance={name: float(result.row_variance[j]) for name, j in at.items()},
        item_variance={name: float(result.item_variance[j]) for name, j in at.items()},
        row_freedom={name: float(result.freedom[j]) / population.n_gold for name, j in at.items()},
        level=level,
    )
