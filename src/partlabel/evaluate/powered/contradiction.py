r"""Audit: tests whether gold contradicts the beliefs.

If beliefs are right, a row's influence on a metric is on average the same by its gold class and by
what was believed of it: :math:`E[\psi(x, y) - \psi(x, b)] = 0`. The test statistic is the weighted
mean of the difference over gold rows by its standard error; where nothing differs there is no
contradiction, and where all rows differ alike, certainty. P-values are corrected for
looking at many metrics (Holm).

S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 1979.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import t as student

from partlabel.errors import InputError
from partlabel.evaluate.estimate import Verdict
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.influence_functions import Influences, influences
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.prediction_powered import Design
from partlabel.labels import LabelSpace

UNTESTED = ("gap",)
"""Parts of another metric that would only dilute the tests: bins of the calibration error."""


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """Whether gold contradicts the beliefs, metric by metric and class by class.

    Attributes
    ----------
    verdict : Verdict
        Of all tests together.
    columns : mapping of metric name to slice
        Where a metric stands; those of classes have one entry per class.
    difference : (n_tests,) float
        How much higher a metric is by gold than by beliefs.
    z : (n_tests,) float
        The difference by its standard error.
    p_value : (n_tests,) float
        Corrected for the number of tests; NaN without gold.
    alpha : float
        A test says "contradicted" below this.
    labels : LabelSpace
    """

    verdict: Verdict
    columns: Mapping[str, slice]
    difference: Floats
    z: Floats
    p_value: Floats
    alpha: float
    labels: LabelSpace

    def __repr__(self) -> str:
        return f"Audit({self.verdict.name}: {self.verdict.value})"

    def of(self, metric: str, code: int = 0) -> Verdict:
        """Give the verdict on one metric, and one class where it has several."""
        if metric not in self.columns:
            raise InputError(f"`metric` must be one of {', '.join(self.columns)}; got {metric!r}.")
        return verdict_of(float(self.p_value[self.columns[metric].start + code]), self.alpha)

    def to_polars(self) -> pl.DataFrame:
        """Give a table, one row per test: metric, class, difference, z, p_value, verdict."""
        rows: list[dict[str, Any]] = []
        for name, at in self.columns.items():
            alone = at.stop - at.start == 1
            for code, place in enumerate(range(at.start, at.stop)):
                p = float(self.p_value[place])
                rows.append(
                    {
                        "metric": name,
                        "class": None if alone else str(self.labels.classes[code]),
                        "difference": float(self.difference[place]),
                        "z": float(self.z[place]),
                        "p_value": p,
                        "verdict": verdict_of(p, self.alpha).name.lower(),
                    }
                )
        return pl.DataFrame(rows, schema_overrides={"class": pl.String})


def audit(
    predicted: Any,
    gold: Any,
    *,
    beliefs: Any,
    labels: LabelSpace | None = None,
    strata: Any = None,
    gold_probability: Any = None,
    alpha: float = 0.05,
) -> Audit:
    """Test whether gold contradicts the beliefs about the items, for each metric of a model.

    Few gold rows can't contradict much: "uncontradicted" isn't "right".

    Parameters
    ----------
    predicted, gold, beliefs, labels, strata, gold_probability
        As in `evaluate`; without gold (None) the verdict is "unverified".
    alpha : float in (0, 1), default 0.05
        How often right beliefs may be called contradicted.

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        As `evaluate` refuses.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> beliefs = np.tile([0.9, 0.1], (40, 1))
    >>> audit(beliefs, ["spam", "ham"] * 20, beliefs=beliefs, labels=labels).verdict.name
    'CONTRADICTED'
    """
    check_level(1.0 - alpha)
    population = Population.match(
        predicted,
        gold,
        beliefs=beliefs,
        labels=labels,
        strata=strata,
        gold_probability=gold_probability,
    )
    return audit_of(population, influences(population), alpha)


def audit_of(population: Population, found: Influences, alpha: float = 0.05) -> Audit:
    """Test the beliefs of a population."""
    tested = found.pick([name for name in found.columns if name not in UNTESTED])
    if population.n_gold < 2:
        unknown = np.full(len(tested.pilot), np.nan)
        return Audit(
            Verdict.UNVERIFIED, tested.columns, unknown, unknown, unknown, alpha, population.labels
        )
    design = Design.of(population)
    gap = tested.of_gold - tested.of_beliefs
    difference = population.weight @ gap
    kept = design.kept(gap)
    # if beliefs are right, labels vary about them by as much as they say, which isn't estimated
    doubt, seen = design.spread @ tested.doubt, (kept**2).sum(axis=0)
    error = np.sqrt(np.maximum(seen, doubt))
    freedom = design.freedom(kept)
    freedom = np.where(doubt >= seen, np.maximum(freedom, design.n_effective - 1.0), freedom)
    exact = np.where(np.abs(difference) > 1e-12, np.inf, 0.0) * np.sign(difference)
    exact = np.nan_to_num(exact, nan=0.0, posinf=np.inf, neginf=-np.inf)
    z = np.divide(difference, error, out=exact, where=error > 1e-12)
    p = holm(np.asarray(2.0 * student.sf(np.abs(z), freedom)))
    least = float(np.nanmin(p))
    return Audit(
        verdict_of(least, alpha), tested.columns, difference, z, p, alpha, population.labels
    )


def holm(p_values: Floats) -> Floats:
    """(n_tests,) P-values that hold whatever the number of tests; NaN takes no part.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested])]
    corrected = np.full(len(p), np.nan)
    raised = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return corrected


def verdict_of(p_value: float, alpha: float) -> Verdict:
    """Say what a p-value means; NaN is what no gold could test."""
    if not np.isfinite(p_value):
        return Verdict.UNVERIFIED
    return Verdict.CONTRADICTED if p_value < alpha else Verdict.UNCONTRADICTED
