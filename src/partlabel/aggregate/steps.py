r"""The steps of EM for confusion tables: MAP, variational Bayes, and judged by the others.

=======================================  =============  ===========================================
symbol                                   code           shape
=======================================  =============  ===========================================
:math:`\pi_y`                            class_prior    (n_classes,)
:math:`p(s | y)`                         table          (n_symbols, n_classes)
:math:`\alpha_c`                         pseudo_votes   (n_cells,) of the Dirichlet priors
:math:`\sum_i b_i(y) [s \in o_i]`        counts         (n_symbols, n_classes)
=======================================  =============  ===========================================

"em" (Dawid & Skene, Applied Statistics 1979, eqs. 2.3-2.5, with Dirichlet priors) climbs

.. math:: \sum_i \log \sum_{y \in S_i} \pi_y \prod_{s \in o_i} p(s | y)
          + \sum_c \alpha_c \log \theta_c

"vb" (Kim & Ghahramani, Bayesian classifier combination, AISTATS 2012; the mean-field bound of Beal,
2003) keeps a Dirichlet posterior for each simplex and climbs the evidence lower bound, with
:math:`\exp E \log \theta` in place of :math:`\theta`.

"loo" is for sources that overlap little. In EM a source that speaks alone is judged by beliefs that
are its own echo, and comes out right. Here each source is judged by the belief *without its own
vote*, and each of its votes counts by how much that belief knows,
:math:`1 - H(b_{-j}) / \log K`. It is a fixed-point iteration without an objective.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from partlabel.aggregate.kernels import Pass, expected_counts, peer_counts
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.shards import Shards
from partlabel.channels import Tying

Inference = Literal["em", "vb", "loo"]
INFERENCES: tuple[Inference, ...] = ("em", "vb", "loo")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Where the iteration stands.

    Attributes
    ----------
    table : (n_symbols, n_classes) float
        What the E-step takes for p(word | class); with "vb" its columns add up to less than one.
    class_prior : (n_classes,) float
    bonus : float
        What the priors add to the log-likelihood: their log density, or minus the divergence from
        them, in nats.
    mean : (n_symbols, n_classes) float
        p(word | class) itself.
    """

    table: NDArray[np.float64]
    class_prior: NDArray[np.float64]
    bonus: float
    mean: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is iterated: rows, which parameters there are, and their pseudo-votes."""

    rows: Observations | Shards
    tying: Tying
    pseudo_votes: NDArray[np.float64]
    pseudo_items: NDArray[np.float64] | None  # None: the class prior is given
    inference: Inference = "em"

    def e_step(self, at: Parameters) -> Pass:
        """Expected counts, class totals and log-likelihood at some parameters."""
        return self.rows.passed(expected_counts, at.class_prior, at.table)

    def gathered(self, at: Parameters) -> Pass:
        """As `e_step`, with the counts that the M-step takes."""
        kernel = peer_counts if self.inference == "loo" else expected_counts
        return self.rows.passed(kernel, at.class_prior, at.table)

    def step(self, at: Parameters) -> tuple[Parameters, float]:
        """One step, and the objective where it started."""
        counts, totals, objective = self.gathered(at)
        return self.m_step(counts, totals, at), objective + at.bonus

    def m_step(
        self, counts: NDArray[np.float64], totals: NDArray[np.float64], at: Parameters
    ) -> Parameters:
        """The parameters that the expected counts and the pseudo-votes speak for."""
        votes = self.tying.gather(counts) + self.pseudo_votes
        items = None if self.pseudo_items is None else totals + self.pseudo_items
        return self.parameters(votes, at.class_prior if items is None else items)

    def parameters(self, votes: NDArray[np.float64], items: NDArray[np.float64]) -> Parameters:
        """Parameters from masses: votes for each cell, and items for each class."""
        theta, prior = self.tying.normalised(votes), items / items.sum()
        mean = self.tying.table(theta)
        if self.inference == "vb":
            return self._variational(votes, items, mean)
        bonus = self.pseudo_votes @ np.log(np.maximum(theta, np.finfo(float).tiny))
        if self.pseudo_items is not None:
            bonus += self.pseudo_items @ np.log(prior)
        return Parameters(mean, prior, float(bonus), mean)

    def _variational(
        self, votes: NDArray[np.float64], items: NDArray[np.float64], mean: NDArray[np.float64]
    ) -> Parameters:
        """Expected logs under the posterior, and minus its divergence from the prior."""
        group = self.tying.group
        log_theta = digamma(votes) - digamma(np.bincount(group, weights=votes))[group]
        bonus = -_divergence(votes, self.pseudo_votes, log_theta, group)
        prior = items / items.sum()
        if self.pseudo_items is not None:
            log_prior = digamma(items) - digamma(items.sum())
            one = np.zeros(len(items), dtype=np.int64)
            bonus -= _divergence(items, self.pseudo_items, log_prior, one)
            prior = np.exp(log_prior)
        return Parameters(self.tying.table(np.exp(log_theta)), prior, bonus, mean)


def far(one: Parameters, two: Parameters) -> float:
    """How far two states are apart: the largest change of a probability."""
    moved = np.abs(one.table - two.table).max()
    return float(max(moved, np.abs(one.class_prior - two.class_prior).max()))


def _divergence(
    mass: NDArray[np.float64],
    prior: NDArray[np.float64],
    log_theta: NDArray[np.float64],
    group: NDArray[np.int64],
) -> float:
    """Kullback-Leibler divergence of Dirichlet posteriors from their priors, added up (nats)."""
    total, before = np.bincount(group, weights=mass), np.bincount(group, weights=prior)
    constants = (gammaln(total) - gammaln(before)).sum() - (gammaln(mass) - gammaln(prior)).sum()
    return float(constants + (mass - prior) @ log_theta)
