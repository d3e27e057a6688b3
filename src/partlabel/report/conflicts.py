"""Where sources contradict each other: by pair of sources, and by item.

Two votes about an item contradict each other when no class is in both.

=====================  ===============  =================================================
symbol                 code             shape
=====================  ===============  =================================================
:math:`A`              said             (n_items, n_symbols), 1 where the word was said
:math:`C`              clash            (n_sets, n_sets), 1 where two sets share no class
=====================  ===============  =================================================
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from partlabel.evidence import Votes


@dataclass(frozen=True, slots=True, eq=False)
class Disagreement:
    """How often pairs of sources contradict each other.

    Attributes
    ----------
    sources : (n,) int
        The sources compared.
    both : (n, n) int
        Items about which both speak.
    against : (n, n) int
        Those of them on which they contradict each other.
    """

    sources: NDArray[np.int64]
    both: NDArray[np.int64]
    against: NDArray[np.int64]

    def share(self) -> NDArray[np.float64]:
        """(n, n) Share of contradictions; NaN on the diagonal, and for a pair that never meets."""
        known = (self.both > 0) & ~np.eye(len(self.sources), dtype=bool)
        return np.where(known, self.against / np.maximum(self.both, 1), np.nan)


def disagreement(votes: Votes, sources: NDArray[np.int64]) -> Disagreement:
    """Compare some sources, pair by pair."""
    vocabulary = votes.vocabulary
    of_source = np.full(votes.n_sources, -1)
    of_source[sources] = np.arange(len(sources))
    words = np.flatnonzero(of_source[vocabulary.source] >= 0)
    said = _said(votes)[:, words]
    together = (said.T @ said).toarray()
    clashing = together * _clash(vocabulary.sets)[np.ix_(*[vocabulary.meaning[words]] * 2)]
    owner = np.zeros((len(words), len(sources)), dtype=np.int64)
    owner[np.arange(len(words)), of_source[vocabulary.source[words]]] = 1
    return Disagreement(sources, owner.T @ together @ owner, owner.T @ clashing @ owner)


def contradictions(votes: Votes) -> NDArray[np.int64]:
    """(n_items,) How many pairs of votes about the item contradict each other."""
    vocabulary = votes.vocabulary
    n_words, n_sets = len(vocabulary), len(vocabulary.sets)
    meaning = csr_array(
        (np.ones(n_words, dtype=np.int64), (np.arange(n_words), vocabulary.meaning)),
        shape=(n_words, n_sets),
    )
    naming = _said(votes) @ meaning
    against = csr_array(_clash(vocabulary.sets).astype(np.int64))
    return np.asarray((naming @ against).multiply(naming).sum(axis=1)).ravel() // 2


def most_contested(votes: Votes, contested: NDArray[np.int64], n: int) -> list[int]:
    """Give items with the most contradictions, each with other votes than those before it."""
    seen: set[Any] = set()
    chosen: list[int] = []
    for item in np.argsort(-contested, kind="stable"):
        if len(chosen) == n or contested[item] == 0:
            break
        said = votes.symbol[votes.indptr[item] : votes.indptr[item + 1]].tobytes()
        if said not in seen:
            seen.add(said)
            chosen.append(int(item))
    return chosen


def _said(votes: Votes) -> csr_array:
    shape = (votes.n_items, len(votes.vocabulary))
    return csr_array((np.ones(votes.n_votes, np.int64), votes.symbol, votes.indptr), shape=shape)


def _clash(sets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    members = sets.astype(np.int64)
    return np.asarray(members @ members.T == 0)
