r"""Subtypes: states within a class, in which sources err together.

=============================  =============  ====================================================
symbol                         code           shape
=============================  =============  ====================================================
:math:`(k, m)`                 state          class times ``n_subtypes`` plus subtype
:math:`\pi_{km}`               class_prior    (n_states,)
:math:`\theta_j(s | k, m)`     table          (n_symbols, n_states)
=============================  =============  ====================================================

.. math:: p(o_i) = \sum_k \sum_m \pi_{km} \prod_{s \in o_i} \theta_{j(s)}(s | k, m)

Given the subtype sources err independently, and so, given the class alone, they may err together
(Y. Li, B. Rubinstein and T. Cohn, Exploiting worker correlation for label aggregation in
crowdsourcing, ICML 2019, section 4: enhanced Bayesian classifier combination). To the passes over
the votes a state is a class among more of them.

Subtypes that begin alike stay alike, so that they begin with accuracies that are spread around the
prior one: the first is of items on which all sources are better. No chance is in it, nor the order
of the sources.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from partlabel.aggregate.kernels import TINY
from partlabel.aggregate.posterior import believed, relative
from partlabel.aggregate.prior import Prior, possible
from partlabel.aggregate.steps import Parameters, Problem
from partlabel.channels import Channels, Confusion, Tying, log_likelihood
from partlabel.evidence import Evidence, Vocabulary

SPREAD = 2.0  # between the accuracies of the first and the last subtype at the start (log-odds)


def split(tying: Tying, n_subtypes: int) -> Tying:
    """Give each class's parameters to each of its subtypes."""
    subtype = np.arange(n_subtypes)
    n_symbols = len(tying.cell)
    return Tying(
        cell=(tying.cell[:, :, None] * n_subtypes + subtype).reshape(n_symbols, -1),
        share=tying.share.repeat(n_subtypes, axis=1),
        group=(tying.group[:, None] * n_subtypes + subtype).ravel(),
    )


def graded(
    accuracy: float | NDArray[np.float64], n_subtypes: int
) -> list[float | NDArray[np.float64]]:
    """Accuracies at which the subtypes start, the highest first."""
    if n_subtypes == 1:
        return [accuracy]
    away = SPREAD * (0.5 - np.arange(n_subtypes) / (n_subtypes - 1))
    return [expit(logit(accuracy) + more) for more in away]


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What a fitted model believes with.

    Attributes
    ----------
    channel : Confusion
        Of (n_symbols, n_states).
    silence : (n_states,) float
        Log-likelihood of an item about which nobody speaks.
    prior : (n_states,) float
        Shares of the states before any vote.
    n_subtypes : int
    """

    channel: Confusion
    silence: NDArray[np.float64]
    prior: NDArray[np.float64]
    n_subtypes: int

    @classmethod
    def of(cls, at: Parameters, vocabulary: Vocabulary, n_subtypes: int) -> "States":
        """Read them off where EM ended."""
        prior = at.class_prior / at.class_prior.sum()
        return cls(Confusion(vocabulary, at.table), at.silence, prior, n_subtypes)

    def by_class(self, of_states: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., n_classes) The sum over the subtypes of each class."""
        shape = (*of_states.shape[:-1], -1, self.n_subtypes)
        return np.asarray(of_states.reshape(shape).sum(axis=-1))

    def mixed(self, of_states: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., n_classes) The mean over the subtypes of each class, by their shares."""
        return self.by_class(of_states * self.prior) / self.by_class(self.prior)

    def confusion(self, problem: Problem, at: Parameters) -> Confusion:
        """The channel of the votes given the class alone."""
        speaks = problem.speaks(at)
        return Confusion(
            self.channel.vocabulary,
            self.mixed(at.mean),
            None if speaks is None else self.mixed(speaks),
        )

    def beliefs(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        """(n_items, n_classes) Beliefs by Bayes' rule, subtypes added up.

        An item's own `prior` takes the place of the classes' shares; those of the subtypes within
        a class stay.
        """
        share = self.prior * relative(self.silence)
        if prior is not None:
            share = share / self.by_class(self.prior).repeat(self.n_subtypes)
        sets, which = possible(evidence, prior)
        start = sets.repeat(self.n_subtypes, axis=1) * share
        table = np.maximum(self.channel.probs, TINY)
        states = believed(evidence, self.channel.vocabulary, table, start, which)
        if np.isnan(states[:, 0]).any():
            log_likelihood(evidence, Channels())  # which says where
        return self.by_class(states)
