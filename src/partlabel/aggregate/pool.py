r"""Pool: sources of few votes are taken to be like the others, as far as the others are alike.

===============================  ==========  ==================================================
symbol                           code        shape
===============================  ==========  ==================================================
:math:`\kappa`                   strength    pseudo-votes with which a source is like the pool
:math:`\phi_c`                   shares      (n_cells,) the pooled channel, at each source's cells
:math:`a_c`                      behind      (n_cells,) pseudo-votes behind the pooled channel
:math:`n_{jc}`                   counts      (n_cells,) expected counts of source j
===============================  ==========  ==================================================

Each source's channel comes from a Dirichlet distribution around the pooled one,
:math:`\theta_j \sim \mathrm{Dir}(\kappa \phi)`. The pooled channel is found by empirical Bayes: it
climbs the marginal likelihood of the expected counts, with a prior,

.. math:: \sum_j \log \frac{B(\kappa \phi + n_j)}{B(\kappa \phi)} + \sum_c a_c \log \phi_c

by Minka's steps (Estimating a Dirichlet distribution, 2000, eq. 55 for a known precision):

.. math:: \phi_c \propto a_c
          + \sum_j \kappa \phi_c [\psi(n_{jc} + \kappa \phi_c) - \psi(\kappa \phi_c)]

A source speaks in the pool with about :math:`\kappa \log(1 + n_j / \kappa)` votes, so that the
busiest don't decide what the others are like, and one without votes doesn't speak. With variational
Bayes these steps climb the same lower bound as all others. With "em" and "loo", which take
:math:`\theta_j` at one point, the iteration has no single objective: it ends where nothing moves.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from partlabel.channels import Tying
from partlabel.evidence import Vocabulary

INNER_STEPS = 3
LEAST = 1e-100  # of a pseudo-vote: 1 / LEAST ** 2 is still a float


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """What the sources with the same words share.

    Attributes
    ----------
    tying : Tying
    vocabulary : Vocabulary
    twin : (n_cells,) int64
        For each cell, the same cell of the first source that has the same words.
    behind : (n_cells,) float
    strength : float
    """

    tying: Tying
    vocabulary: Vocabulary
    twin: NDArray[np.int64]
    behind: NDArray[np.float64]
    strength: float

    @classmethod
    def of(
        cls, tying: Tying, vocabulary: Vocabulary, behind: NDArray[np.float64], strength: float
    ) -> "Pool":
        """Pool the sources of a vocabulary; `behind` are the pseudo-votes of a lone source."""
        first = vocabulary.first
        like = _first_with_the_same_words(vocabulary)[vocabulary.source]
        same = first[like] + np.arange(len(vocabulary)) - first[vocabulary.source]
        twin = np.arange(len(tying.group))
        twin[tying.cell.ravel()] = tying.cell[same].ravel()
        return cls(tying, vocabulary, twin, behind, strength)

    def updated(
        self, counts: NDArray[np.float64], pseudo_votes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n_cells,) Pseudo-votes of each source, from its counts and the pseudo-votes before.

        Further cells, which aren't pooled, keep theirs.
        """
        n_cells = len(self.twin)
        counts, others = counts[:n_cells], pseudo_votes[n_cells:]
        pseudo_votes = pseudo_votes[:n_cells]
        for _ in range(INNER_STEPS):
            heard = pseudo_votes * (digamma(counts + pseudo_votes) - digamma(pseudo_votes))
            pooled = np.bincount(self.twin, weights=heard, minlength=len(heard))[self.twin]
            pseudo_votes = self._around(pooled + self.behind)
        return np.concatenate([pseudo_votes, others])

    def scaled(self, mass: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_cells,) Pseudo-votes in proportion to masses; `others` where cells aren't pooled."""
        n_cells = len(self.twin)
        return np.concatenate([self._around(mass[:n_cells]), others[n_cells:]])

    def log_density(self, pseudo_votes: NDArray[np.float64]) -> float:
        """Log of the prior's density at the pooled channels, up to a constant (nats)."""
        once = self.twin == np.arange(len(self.twin))
        log_shares = np.log(pseudo_votes[: len(once)] / self.strength)
        return float(self.behind[once] @ log_shares[once])

    def accuracy(self, pseudo_votes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_sources,) How often a source without votes is taken to be right."""
        table = self.tying.table(self.tying.normalised(pseudo_votes[: len(self.twin)]))
        members = self.vocabulary.members()
        right = table * members.repeat(table.shape[1] // members.shape[1], axis=1)
        by_source = np.add.reduceat(right, self.vocabulary.first[:-1], axis=0)
        return np.asarray(by_source.mean(axis=1))

    def _around(self, mass: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.maximum(self.strength * self.tying.normalised(mass), LEAST)


def _first_with_the_same_words(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """(n_sources,) For each source, the first one that has the same words."""
    first = vocabulary.first
    words = np.column_stack([vocabulary.meaning, vocabulary.level])
    place: dict[bytes, int] = {}
    return np.array(
        [
            place.setdefault(words[begin:end].tobytes(), j)
            for j, (begin, end) in enumerate(pairwise(first))
        ],
        dtype=np.int64,
    )
