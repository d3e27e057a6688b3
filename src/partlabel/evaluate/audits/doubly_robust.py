r"""Doubly robust estimates: all metrics where labelled items aren't a random sample.

.. math::
    \hat\theta = \frac{1}{N} \Big[ \sum_{R_i=1} \psi(x_i, y_i) + \sum_{R_i=0} \psi(x_i, b_i)
                 + N_0 \sum_{R_i=1} \tilde v_i \, (\psi(x_i, y_i) - \psi(x_i, b_i)) \Big]

======================  ===================  ====================================================
symbol                  code                 meaning
======================  ===================  ====================================================
:math:`\psi`            ``influences``       influence of a label on each metric
:math:`b_i`             ``beliefs()``        p(y | x, unlabelled), by the model of the class
:math:`\tilde v_i`      ``extra()``          share of the unlabelled that a labelled item stands for
:math:`N_0`                                  how many items are unlabelled
======================  ===================  ====================================================

For prevalence and other means this is augmented inverse propensity weighting: right if the odds
of being labelled are, and also if the model of the class is. Both lean on the *tilt*, the part of
the odds that the class decides: no estimate without an audit survives a wrong one. An audit, a
random sample of the unlabelled, takes the place of :math:`\tilde v`, and needs neither model.

The errors are those of a jackknife over parts of the items, which finds the tilt anew each time and
takes the two models as given.

J. M. Robins, A. Rotnitzky, L. P. Zhao, "Estimation of regression coefficients when some regressors
are not always observed", JASA 1994. W. Miao, E. J. Tchetgen Tchetgen, Biometrika 2016 (the tilt).
B. Efron, C. Stein, "The jackknife estimate of variance", Annals of Statistics 1981.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from partlabel.evaluate.audits.class_selection import (
    seen_shares,
    shares_by_em,
    shares_by_moments,
    tilt_of,
    tilted,
)
from partlabel.evaluate.metrics import Codes, Floats
from partlabel.evaluate.powered.influence_functions import Influences, influences
from partlabel.evaluate.powered.population import LARGEST_WEIGHT, Population
from partlabel.evaluate.powered.prediction_powered import Powered, powered
from partlabel.labels import LabelSpace

PARTS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Incomplete:
    """Items of which some are labelled, and what models say of them.

    Attributes
    ----------
    predicted : (n_items, n_classes) float
        Of the model whose metrics are wanted.
    outcome : (n_items, n_classes) float
        p(y | x, labelled).
    codes : (n_items,) int
        Below 0 where an item isn't labelled.
    odds : (n_items,) float
        Of being unlabelled, but for the tilt.
    by_class : bool
        Whether there is a tilt: labelling depends on the class itself.
    audit : (n_items,) int
        Codes of the unlabelled items that were drawn for an audit, else below 0.
    audit_weight : (n_items,) float
        One by the probability of being drawn; up to a factor.
    labels : LabelSpace
    """

    predicted: Floats
    outcome: Floats
    codes: Codes
    odds: Floats
    by_class: bool
    audit: Codes
    audit_weight: Floats
    labels: LabelSpace

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(n_items,) Whether an item is labelled."""
        return np.asarray(self.codes >= 0)

    def select(self, mask: NDArray[np.bool_]) -> "Incomplete":
        """Give the items of a mask."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        cut = {k: v[mask] for k, v in values.items() if isinstance(v, np.ndarray)}
        return Incomplete(**{**values, **cut})

    def tilt(self) -> Floats:
        """(n_classes,) How many times as large a class is without label as with one."""
        if not self.by_class:
            return np.ones(len(self.labels))
        seen = seen_shares(self.codes, len(self.labels))
        return tilt_of(seen, shares_by_moments(self.outcome, self.codes))

    def beliefs(self) -> Floats:
        """(n_items, n_classes) p(y | x, unlabelled)."""
        return tilted(self.outcome, self.tilt())

    def extra(self) -> Floats:
        """(n_labelled,) Unlabelled items that a labelled one stands for, itself left out."""
        here = self.labelled
        odds = self.odds[here] * self.tilt()[self.codes[here]]
        scale = float((~here).sum()) / odds.sum()
        most = LARGEST_WEIGHT * len(self) / float(here.sum())
        odds = np.minimum(odds * scale, most)
        return np.asarray(odds / odds.sum() * float((~here).sum()))

    def naive(self) -> Population:
        """Take labelled items as a random sample."""
        n_labelled = int(self.labelled.sum())
        return self._population(np.full(n_labelled, 1.0 / n_labelled), None)

    def weighted(self) -> Population:
        """Weigh labelled items by their inverse propensity."""
        return self._population((1.0 + self.extra()) / len(self), None)

    def doubly_robust(self) -> Population:
        """Weigh them, with beliefs about the others."""
        return self._population((1.0 + self.extra()) / len(self), self.beliefs())

    def audited(self) -> Population:
        """Let the audit speak for the unlabelled, with beliefs about them."""
        n, here, drawn = len(self), self.labelled, self.audit >= 0
        weight = np.where(here, 1.0 / n, 0.0)
        share = self.audit_weight[drawn]
        weight[drawn] = share / share.sum() * float((~here).sum()) / n
        known = np.eye(len(self.labels))[self.codes]
        rows = np.flatnonzero(here | drawn)
        return replace(
            self.naive(),
            beliefs=np.where(here[:, None], known, self.beliefs()),
            rows=rows,
            codes=np.where(here, self.codes, self.audit)[rows].astype(np.int32),
            weight=weight[rows],
            stratum=np.where(here, 0, 1),
        )

    def _population(self, weight: Floats, beliefs: Floats | None) -> Population:
        return Population(
            probs=self.predicted,
            beliefs=beliefs,
            rows=np.flatnonzero(self.labelled),
            codes=self.codes[self.labelled].astype(np.int32),
            weight=weight,
            stratum=None,
            labels=self.labels,
        )


def jackknifed(
    items: Incomplete,
    design: Callable[[Incomplete], Population],
    *,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[Influences, Powered]:
    """Estimate all metrics, with errors that know that the tilt is estimated.

    Parameters
    ----------
    items : Incomplete
    design : function
        How labelled items stand for all: ``Incomplete.weighted``, say.
    random_state : int, Generator or None
    """
    n_bins_for = int(items.labelled.sum())

    def values(some: Incomplete) -> tuple[Influences, Powered]:
        population = design(some)
        found = influences(population, n_bins_for)
        return found, powered(population, found, 1.0)

    found, whole = values(items)
    parts = [values(items.select(kept))[1].value for kept in leaving_out(items.codes, random_state)]
    covariance = jackknife_covariance(np.stack(parts))
    error = np.sqrt(np.diagonal(covariance))
    return found, replace(
        whole, covariance=covariance, error=error, freedom=np.full_like(error, PARTS - 1.0)
    )


def em_prevalence(
    items: Incomplete, random_state: int | np.random.Generator | None = 0
) -> tuple[Floats, Floats]:
    """(n_classes,) Prevalence by EM, and its standard error."""

    def prevalence(some: Incomplete) -> Floats:
        share = some.labelled.mean()
        seen = seen_shares(some.codes, len(some.labels))
        return np.asarray(share * seen + (1.0 - share) * shares_by_em(some.outcome, some.codes))

    masks = leaving_out(items.codes, random_state)
    covariance = jackknife_covariance(np.stack([prevalence(items.select(m)) for m in masks]))
    return prevalence(items), np.sqrt(np.diagonal(covariance))


def leaving_out(
    codes: Codes, random_state: int | np.random.Generator | None
) -> list[NDArray[np.bool_]]:
    """(n_items,) masks, each of which leaves out another part of every class."""
    n, rng = len(codes), np.random.default_rng(random_state)
    part = np.empty(n, dtype=np.intp)
    part[np.lexsort((rng.random(n), codes))] = np.arange(n) % PARTS
    return [part != one for one in range(PARTS)]


def jackknife_covariance(parts: Floats) -> Floats:
    """(n, n) Covariance of estimates (n_parts, n), each of which leaves out one part."""
    gap = parts - parts.mean(axis=0)
    return np.asarray((len(parts) - 1) / len(parts) * gap.T @ gap)
