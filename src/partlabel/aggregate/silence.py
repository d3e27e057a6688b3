r"""Silence: whether a source speaks at all, as an observation of the label.

==================================  ==========  ===========================================
symbol                              code        shape
==================================  ==========  ===========================================
:math:`\rho_j(y)`                   speaks      (n_sources, n_states) p(source j speaks | y)
:math:`c_j`                         coverage    (n_sources,) share of the items it speaks about
==================================  ==========  ===========================================

.. math:: p(o_i | y) = \prod_j (1 - \rho_j(y)) \cdot
          \prod_{s \in o_i} p(s | y) \frac{\rho_{j(s)}(y)}{1 - \rho_{j(s)}(y)}

The first product is the same for all items, so that a pass costs what it costs without it. Each
:math:`\rho_j(y)` has a Beta prior around the source's coverage: without evidence to the contrary,
silence says nothing. (A likelihood ratio over fired and silent rules alike is that of Bach, He,
Ratner & Ré, Learning the structure of generative models without labeled data, ICML 2017, section 2,
with "abstain" as an outcome.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partlabel.evidence import Votes


@dataclass(frozen=True, slots=True, eq=False)
class Silence:
    """Parameters of speaking: two cells for each source and state, to speak and not to.

    Attributes
    ----------
    source : (n_symbols,) int32
        The source of each word.
    first : (n_sources + 1,) int64
        Where the words of each source begin.
    n_states : int
    """

    source: NDArray[np.int32]
    first: NDArray[np.int64]
    n_states: int

    @classmethod
    def of(cls, votes: Votes, n_states: int) -> "Silence":
        """Parameters for the sources of some votes."""
        return cls(votes.vocabulary.source, votes.vocabulary.first, n_states)

    def pseudo_items(self, votes: Votes, strength: float) -> NDArray[np.float64]:
        """(n_cells,) Items behind each parameter: the source's coverage in every state."""
        spoke = np.bincount(votes.source, minlength=votes.n_sources) + 0.5
        coverage = np.repeat(spoke / (votes.n_items + 1.0), self.n_states)
        return strength * np.concatenate([coverage, 1.0 - coverage])

    @property
    def group(self) -> NDArray[np.int64]:
        """(n_cells,) To speak and not to speak add up to one."""
        return np.tile(np.arange((len(self.first) - 1) * self.n_states), 2)

    def gather(
        self, counts: NDArray[np.float64], totals: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n_cells,) Expected items of each state about which a source spoke, and did not."""
        spoke = np.add.reduceat(counts, self.first[:-1], axis=0)
        return np.concatenate([spoke.ravel(), np.maximum(totals - spoke, 0.0).ravel()])

    def read(
        self, log_theta: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n_symbols, n_states) odds of speaking, for each word; (n_states,) log p(all silent)."""
        speaks, silent = log_theta.reshape(2, -1, self.n_states)
        return np.exp(speaks - silent)[self.source], silent.sum(axis=0)

    def speaks(self, mass: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_sources, n_states) p(the source speaks | state), from masses of the cells."""
        speaks, silent = mass.reshape(2, -1, self.n_states)
        return np.asarray(speaks / (speaks + silent))
