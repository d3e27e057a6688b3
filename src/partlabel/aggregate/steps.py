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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from partlabel.aggregate.kernels import Pass, expected_counts, peer_counts
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.pool import Pool
from partlabel.aggregate.shards import Shards
from partlabel.aggregate.silence import Silence
from partlabel.channels import Tying

Inference = Literal["em", "vb", "loo"]
INFERENCES: tuple[Inference, ...] = ("em", "vb", "loo")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Where the iteration stands; a state is a class, or a subtype of one.

    Attributes
    ----------
    table : (n_symbols, n_states) float
        What a vote brings to the E-step: p(word | state), with "vb" adding up to less than one; and
        where silence is observed, times the odds of speaking.
    class_prior : (n_states,) float
    bonus : float
        What the priors add to the log-likelihood: their log density, or minus the divergence from
        them, in nats.
    mean : (n_symbols, n_states) float
        p(word | state) itself.
    votes : (n_cells,) float
        The masses behind them: votes for each cell ...
    items : (n_states,) float
        ... and items of each state.
    pseudo_votes : (n_cells,) float
        Those among the votes; they move with a pool.
    silence : (n_states,) float
        Log-likelihood of an item about which nobody speaks.
    """

    table: NDArray[np.float64]
    class_prior: NDArray[np.float64]
    bonus: float
    mean: NDArray[np.float64]
    votes: NDArray[np.float64]
    items: NDArray[np.float64]
    pseudo_votes: NDArray[np.float64]
    silence: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is iterated: rows, which parameters there are, and their pseudo-votes."""

    rows: Observations | Shards
    tying: Tying
    pseudo_votes: NDArray[np.float64]
    pseudo_items: NDArray[np.float64] | None  # None: the class prior is given
    start: NDArray[np.float64]  # (n_classes,) the class prior that is given, or at which to start
    inference: Inference = "em"
    pool: Pool | None = None
    silence: Silence | None = None
    within: NDArray[np.int64] | None = None  # (n_states,) classes whose shares stay as at the start

    @property
    def climbs(self) -> bool:
        """Whether there is an objective that every step raises."""
        return self.inference == "vb" or (self.inference == "em" and self.pool is None)

    def e_step(self, at: Parameters, heat: float = 1.0) -> Pass:
        """Expected counts, state totals and log-likelihood at some parameters.

        `heat` is the power to which probabilities are taken: below one, beliefs are less sure. What
        is known of an item itself keeps its sureness.
        """
        return self._passed(expected_counts, at, heat)

    def gathered(self, at: Parameters, heat: float = 1.0) -> Pass:
        """As `e_step`, with the counts that the M-step takes."""
        kernel = peer_counts if self.inference == "loo" else expected_counts
        return self._passed(kernel, at, heat)

    def step(self, at: Parameters) -> tuple[Parameters, float]:
        """One step, and the objective where it started."""
        counts, totals, objective = self.gathered(at)
        return self.m_step(counts, totals, at), objective + at.bonus

    def m_step(
        self, counts: NDArray[np.float64], totals: NDArray[np.float64], at: Parameters
    ) -> Parameters:
        """The parameters that the expected counts and the pseudo-votes speak for."""
        heard = self.tying.gather(counts)
        if self.silence is not None:
            heard = np.concatenate([heard, self.silence.gather(counts, totals)])
        pseudo_votes = at.pseudo_votes
        if self.pool is not None:
            pseudo_votes = self.pool.updated(heard, pseudo_votes)
        items = at.items if self.pseudo_items is None else totals + self.pseudo_items
        return self.parameters(heard + pseudo_votes, items, pseudo_votes)

    def parameters(
        self,
        votes: NDArray[np.float64],
        items: NDArray[np.float64],
        pseudo_votes: NDArray[np.float64] | None = None,
    ) -> Parameters:
        """Parameters from masses: votes for each cell, and items for each state."""
        behind = self.pseudo_votes if pseudo_votes is None else pseudo_votes
        theta, log_theta, bonus = self._shares(votes, behind, self._group)
        prior = self._prior(items)
        if self.pseudo_items is not None:
            one = np.zeros(len(items), dtype=np.int64) if self.within is None else self.within
            shares, log_shares, more = self._shares(items, self.pseudo_items, one)
            prior, bonus = prior * np.exp(log_shares) / shares, bonus + more
        if self.pool is not None:
            bonus += self.pool.log_density(behind)
        n_cells = len(self.tying.group)
        table, silence = self.tying.table(np.exp(log_theta[:n_cells])), np.zeros(len(items))
        if self.silence is not None:
            odds, silence = self.silence.read(log_theta[n_cells:])
            table = table * odds
        mean = self.tying.table(theta[:n_cells])
        return Parameters(table, prior, bonus, mean, votes, items, behind, silence)

    def speaks(self, at: Parameters) -> NDArray[np.float64] | None:
        """(n_sources, n_states) p(the source speaks | state), where silence is observed."""
        if self.silence is None:
            return None
        return self.silence.speaks(at.votes[len(self.tying.group) :])

    def point(self, at: Parameters) -> NDArray[np.float64]:
        """Logarithms of the masses, or of the shares where nothing else matters: for `Leaps`."""
        votes, items, behind = at.votes, at.items, at.pseudo_votes
        if self.inference != "vb":
            votes, items = _normalised(votes, self._group), self._prior(items)
        return np.asarray(np.log(np.concatenate([votes, items, behind])))

    def at(self, point: NDArray[np.float64], near: Parameters) -> Parameters:
        """The parameters with these logarithms; what isn't learnt stays."""
        ends = np.cumsum([len(near.votes), len(near.items)])
        votes, items, behind = np.split(np.exp(point), ends)
        if self.pool is None:
            behind = near.pseudo_votes
        else:
            behind = self.pool.scaled(behind, near.pseudo_votes)
        return self.parameters(votes, near.items if self.pseudo_items is None else items, behind)

    @property
    def _group(self) -> NDArray[np.int64]:
        """(n_cells,) The simplex of each parameter."""
        group = self.tying.group
        if self.silence is None:
            return group
        return np.concatenate([group, group.max() + 1 + self.silence.group])

    def _prior(self, items: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_states,) Shares of the states: masses, within what is given of them."""
        if self.within is None:
            return np.asarray(items / items.sum())
        return np.asarray(self.start[self.within] * _normalised(items, self.within))

    def _shares(
        self, mass: NDArray[np.float64], behind: NDArray[np.float64], group: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Shares of masses, what the E-step takes for their logarithms, and the prior's bonus."""
        shares = _normalised(mass, group)
        if self.inference == "vb":
            logs = digamma(mass) - digamma(np.bincount(group, weights=mass))[group]
            return shares, logs, -_divergence(mass, behind, logs, group)
        logs = np.log(np.maximum(shares, np.finfo(float).tiny))
        return shares, logs, float(behind @ logs)

    def _passed(self, kernel: Callable[..., Pass], at: Parameters, heat: float) -> Pass:
        """One pass; the silence of an item is scaled to one where it is likeliest."""
        most = at.silence.max()
        before = at.class_prior * np.exp(at.silence - most)
        table = at.table if heat == 1.0 else at.table**heat
        counts, totals, found = self.rows.passed(kernel, before**heat, table)
        return counts, totals, found + heat * most * self.rows.n_items


def far(one: Parameters, two: Parameters) -> float:
    """How far two states are apart: the largest change of a probability."""
    moved = np.abs(one.table - two.table).max()
    return float(max(moved, np.abs(one.class_prior - two.class_prior).max()))


def _normalised(mass: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Masses scaled so that each group adds up to one."""
    return np.asarray(mass / np.bincount(group, weights=mass)[group])


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
