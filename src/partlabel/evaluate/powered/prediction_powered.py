r"""Prediction-powered estimates: a little gold, and beliefs about everything else.

.. math::
    \hat\theta = \theta_0 + \sum_{i \in gold} a_i z_i, \qquad
    z_i = \psi(x_i, y_i) - \lambda (\psi(x_i, b_i) - \bar\psi_{s(i)})

======================  =========================  ==============================================
symbol                  code                       meaning
======================  =========================  ==============================================
:math:`\theta_0`        ``influences.pilot``       first guess, around which metrics are linear
:math:`\psi(x, y)`      ``of_gold``                influence of a row by its gold class
:math:`\psi(x, b)`      ``of_beliefs``             the same by what is believed about it
:math:`\bar\psi_s`      ``mean_of_beliefs``        its mean over all items of stratum s
:math:`a_i`             ``population.weight``      share of the items that a gold row speaks for
:math:`\lambda`         ``power``                  how far beliefs are relied on
======================  =========================  ==============================================

The estimate is right whatever the beliefs are worth, as what they get wrong on gold is taken back
out: beliefs only decide how narrow the interval is. The power minimises the variance, so that bad
beliefs cost next to nothing: it is the slope of :math:`\psi(x, y)` on :math:`\psi(x, b)` over gold.
Each stratum has its own, drawn towards the common one where its gold is little.

A. N. Angelopoulos, J. C. Duchi, T. Zrnic, "PPI++: efficient prediction-powered inference", 2023,
arXiv 2311.01453, eq. 3 and 6. Strata: A. Fisch et al., "Stratified prediction-powered inference for
hybrid language model evaluation", NeurIPS 2024, arXiv 2406.04291. Gold with known probabilities:
T. Zrnic, E. J. Candes, "Active statistical inference", ICML 2024, arXiv 2403.03208.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.influence_functions import Influences
from partlabel.evaluate.powered.population import Population, group_totals

FEW_GOLD = 300
"""Below as many gold rows the power is fitted on other rows than those it is used on."""

FOLDS = 5

COMMON_ROWS = 30.0
"""A stratum's own power counts half where it has as many gold rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Powered:
    """Estimates of all metrics, and how far they may be off.

    Attributes
    ----------
    value : (n_metrics,) float
    error : (n_metrics,) float
        Standard errors.
    freedom : (n_metrics,) float
        Degrees of freedom of the errors: few where a few rows make up most of one.
    alone, freedom_alone : (n_metrics,) float
        Standard errors of gold alone, and the degrees of freedom that it had if it were normal: no
        interval is wider than by these. Infinite where another power was given.
    covariance : (n_metrics, n_metrics) float
    row_variance : (n_metrics,) float
        What one gold row leaves open; the error falls with the root of the gold rows.
    item_variance : (n_metrics,) float
        The same for one item; with all items labelled this alone is left.
    """

    value: Floats
    error: Floats
    freedom: Floats
    alone: Floats
    freedom_alone: Floats
    covariance: Floats
    row_variance: Floats
    item_variance: Floats

    def reach(self, level: float) -> Floats:
        """(n_metrics,) How far an interval goes to either side, by Student's t."""
        end = (1.0 + level) / 2.0
        both = student.ppf(end, self.freedom) * self.error
        return np.minimum(both, student.ppf(end, self.freedom_alone) * self.alone)

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Ends of the intervals."""
        return self.value - self.reach(level), self.value + self.reach(level)


def powered(population: Population, influences: Influences, power: float | None = None) -> Powered:
    """Estimate every metric from gold, with beliefs as far as they help.

    Parameters
    ----------
    population : Population
        With gold.
    influences : Influences
    power : float, default None
        None finds what is best for each metric; 0 uses gold alone; 1 trusts beliefs fully, but for
        what gold says against them.
    """
    design = Design.of(population)
    relied = influences.of_gold
    if population.beliefs is not None:
        used = best_power(design, influences) if power is None else power
        relied = relied - used * (
            influences.of_beliefs - influences.mean_of_beliefs[design.stratum]
        )
        if power is None:  # a power fitted to few rows may do harm
            both, without = design.variance(relied), design.variance(influences.of_gold)
            gaps = influences.columns.get("gap", slice(0, 0))
            both[gaps], without[gaps] = both[gaps].sum(), without[gaps].sum()
            relied = np.where(both > without, influences.of_gold, relied)
    kept = design.kept(relied)
    gold = influences.of_gold - population.weight @ influences.of_gold
    item_variance = population.weight @ gold**2
    covariance = kept.T @ kept + (population.weight[:, None] * gold).T @ gold / len(population)
    alone = np.full(len(item_variance), np.inf)
    if power is None or power == 0:
        alone = np.sqrt(design.variance(gold) + item_variance / len(population))
    row_variance = design.n_effective * np.einsum("im,im->m", kept, kept)
    return Powered(
        value=influences.pilot + population.weight @ relied,
        error=np.sqrt(np.diagonal(covariance)),
        freedom=design.freedom(kept),
        alone=alone,
        freedom_alone=design.freedom(design.kept(gold), normal=True),
        covariance=covariance,
        row_variance=row_variance / max(1.0 - population.n_gold / len(population), 1e-9),
        item_variance=item_variance,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """How gold was drawn, as far as variances need it.

    Attributes
    ----------
    weight : (n_gold,) float
        The share of the items that a row speaks for.
    stratum : (n_gold,) intp
    n_strata : int
    spread : (n_gold,) float
        Weight of a row's squared residual in the variance of a weighted mean. It is 0 for a row
        that was sure to be drawn.
    """

    weight: Floats
    stratum: NDArray[np.intp]
    n_strata: int
    spread: Floats

    @classmethod
    def of(cls, population: Population) -> "Design":
        """Take gold as a random sample of each stratum, or by the weights of its rows."""
        stratum, a = population.stratum_of_gold, population.weight
        size = np.bincount(stratum, minlength=population.n_strata)
        lost = (size / np.maximum(size - 1, 1))[stratum]
        spread = np.maximum(a * (a - 1.0 / len(population)), 0.0) * lost
        return cls(a, stratum, population.n_strata, spread)

    @property
    def n_effective(self) -> float:
        """As many rows of equal weight say as much."""
        return float(1.0 / (self.weight @ self.weight))

    def freedom(self, kept: Floats, normal: bool = False) -> Floats:
        r"""(n_metrics,) Degrees of freedom of variances that are sums of squares over rows.

        :math:`2 V^2 / \mathrm{Var}(V)`, where the variance of a stratum's sum of squares is that of
        normal rows, and, unless `normal`, no smaller than its fourth moment says. Where mistakes
        are rare, or few rows speak for many, a few rows make up most of the sum, and it tells
        little.

        F. E. Satterthwaite, "An approximate distribution of estimates of variance components",
        Biometrics Bulletin 1946; with kurtosis: B. O'Neill, "Some useful moment results in sampling
        problems", The American Statistician 2014.
        """
        rows = np.stack([np.ones_like(self.weight), self.weight, self.weight**2], axis=1)
        count, sums, squares = group_totals(self.stratum, self.n_strata, rows).T[:, :, None]
        size = np.maximum(sums**2 / np.maximum(squares, 1e-300) - 1.0, 1.0)
        part = group_totals(self.stratum, self.n_strata, kept**2)
        spread = 2.0 * part**2 / size
        if not normal:
            fourth = group_totals(self.stratum, self.n_strata, kept**4)
            spread = np.maximum(spread, fourth - part**2 / np.maximum(count, 1.0))
        total, spread = part.sum(axis=0), spread.sum(axis=0)
        most = np.full_like(total, self.n_effective - 1.0)
        found = np.divide(2.0 * total**2, spread, out=most, where=spread > 0)
        return np.asarray(np.maximum(found, 1.0))

    def kept(self, values: Floats) -> Floats:
        """(n_gold, ...) What each row adds to the error of a weighted mean."""
        return np.asarray(self.centred(values) * np.sqrt(self.spread)[:, None])

    def variance(self, values: Floats) -> Floats:
        """(...) Variance of the weighted mean of values (n_gold, ...)."""
        return np.asarray((self.kept(values) ** 2).sum(axis=0))

    def centred(self, values: Floats) -> Floats:
        """(n_gold, ...) Values less the mean of their stratum."""
        total = np.bincount(self.stratum, self.weight, self.n_strata)
        weighted = group_totals(self.stratum, self.n_strata, self.weight[:, None] * values)
        return np.asarray(values - (weighted / np.maximum(total, 1e-300)[:, None])[self.stratum])


def best_power(design: Design, influences: Influences) -> Floats:
    """(n_gold, n_metrics) The power with the least variance, for each row.

    With little gold, a row's power is found without its fold, so that it can't follow chance.
    """
    n = len(design.weight)
    n_folds = FOLDS if n < FEW_GOLD else 1
    place = _rank_within(design.stratum)
    cell = design.stratum * n_folds + place % n_folds
    gold, believed = design.centred(influences.of_gold), design.centred(influences.of_beliefs)
    spread = design.spread[:, None]
    shape = (design.n_strata, n_folds, -1)
    cells = design.n_strata * n_folds
    both = group_totals(cell, cells, spread * gold * believed).reshape(shape)
    own = group_totals(cell, cells, spread * believed**2).reshape(shape)
    count = np.bincount(cell, minlength=cells).reshape(*shape[:2], 1)
    gaps = influences.columns.get("gap", slice(0, 0))  # a bin has too few rows for its own
    for sums in (both, own):
        sums[..., gaps] = sums[..., gaps].sum(axis=-1, keepdims=True)
    if n_folds > 1:
        both, own, count = (x.sum(axis=1, keepdims=True) - x for x in (both, own, count))
    own_share = count / (count + COMMON_ROWS) if design.n_strata > 1 else 1.0
    together = _slope(both.sum(axis=0), own.sum(axis=0))
    alone = _slope(both, own)
    if design.n_strata > 1:  # where beliefs of a stratum are all but alike, its slope is chance
        alone = np.clip(alone, 0.0, np.maximum(together, 1.0))
    power = own_share * alone + (1.0 - own_share) * together
    return np.asarray(power[design.stratum, place % n_folds])


def _slope(both: Floats, own: Floats) -> Floats:
    return np.divide(both, own, out=np.zeros_like(both), where=own > 0)


def _rank_within(group: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n,) How many earlier rows the row's group has."""
    order = np.argsort(group, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(group))[:-1]])
    rank = np.empty(len(group), dtype=np.intp)
    rank[order] = np.arange(len(group)) - start[group[order]]
    return rank
