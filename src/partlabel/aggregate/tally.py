"""Tally: what a pass over evidence adds up about its sources; tallies of batches can be added."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate.kernels import counts_under, overlaps_and_conflicts
from partlabel.aggregate.observations import Observations
from partlabel.evidence import Evidence, Vocabulary, Votes


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Expected counts of what each source says, by class, and what is seen beside them.

    Attributes
    ----------
    vocabulary : Vocabulary
    counts : (n_symbols, n_classes) float
        Expected number of votes with this word about items of this class.
    totals : (n_classes,) float
        Expected number of items of each class.
    overlap, conflict : (n_sources,) float
        Votes beside which, or against which, another source speaks.
    gold_votes, gold_right : (n_sources,) float
        Votes about items with gold, and those of them that hold the gold label.
    """

    vocabulary: Vocabulary
    counts: NDArray[np.float64]
    totals: NDArray[np.float64]
    overlap: NDArray[np.float64]
    conflict: NDArray[np.float64]
    gold_votes: NDArray[np.float64]
    gold_right: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        votes: Votes,
        rows: Observations,
        counts: NDArray[np.float64],
        totals: NDArray[np.float64],
    ) -> "Tally":
        """Add up evidence, whose `votes` are also given as `rows`, with its expected counts."""
        overlap, conflict = _beside(rows, votes)
        gold_votes, gold_right = _on_gold(evidence, votes)
        return cls(votes.vocabulary, counts, totals, overlap, conflict, gold_votes, gold_right)

    @classmethod
    def under(cls, evidence: Evidence, votes: Votes, beliefs: NDArray[np.float64]) -> "Tally":
        """Add up evidence under beliefs (n_items, n_classes)."""
        counts = counts_under(votes.indptr, votes.symbol, beliefs, len(votes.vocabulary))
        return cls.of(evidence, votes, Observations.of(evidence), counts, beliefs.sum(axis=0))

    def __add__(self, other: "Tally") -> "Tally":
        vocabulary = self.vocabulary.union(other.vocabulary)
        one, two = self.in_vocabulary(vocabulary), other.in_vocabulary(vocabulary)
        return Tally(
            vocabulary,
            one.counts + two.counts,
            one.totals + two.totals,
            one.overlap + two.overlap,
            one.conflict + two.conflict,
            one.gold_votes + two.gold_votes,
            one.gold_right + two.gold_right,
        )

    def __mul__(self, weight: float) -> "Tally":
        return Tally(
            self.vocabulary,
            self.counts * weight,
            self.totals * weight,
            self.overlap * weight,
            self.conflict * weight,
            self.gold_votes * weight,
            self.gold_right * weight,
        )

    def in_vocabulary(self, vocabulary: Vocabulary) -> "Tally":
        """Give the same tally in a vocabulary that has all its words, and maybe more."""
        if self.vocabulary.same_as(vocabulary):
            return self
        place = {name: j for j, name in enumerate(vocabulary.sources)}
        own = np.array([place[name] for name in self.vocabulary.sources], dtype=np.int64)
        symbols = self.vocabulary.symbols_in(vocabulary, np.arange(len(self.vocabulary)))

        def of_sources(values: NDArray[np.float64]) -> NDArray[np.float64]:
            wider = np.zeros(len(vocabulary.sources))
            wider[own] = values
            return wider

        counts = np.zeros((len(vocabulary), self.counts.shape[1]))
        counts[symbols] = self.counts
        return replace(
            self,
            vocabulary=vocabulary,
            counts=counts,
            overlap=of_sources(self.overlap),
            conflict=of_sources(self.conflict),
            gold_votes=of_sources(self.gold_votes),
            gold_right=of_sources(self.gold_right),
        )


def _beside(rows: Observations, votes: Votes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    vocabulary = votes.vocabulary
    overlap, conflict = overlaps_and_conflicts(
        rows.indptr,
        rows.symbol,
        rows.weight,
        vocabulary.source,
        vocabulary.members(),
        votes.n_sources,
    )
    return overlap, conflict


def _on_gold(evidence: Evidence, votes: Votes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each source, its votes on items with gold, and how many of them hold the gold label."""
    if evidence.gold is None:
        return np.zeros(votes.n_sources), np.zeros(votes.n_sources)
    known = np.flatnonzero(evidence.gold.exact)
    checked = votes.select(known)
    truth = np.repeat(evidence.gold.codes()[known], checked.votes_per_item)
    vocabulary = votes.vocabulary
    right = vocabulary.sets[vocabulary.meaning[checked.symbol], truth]
    n = np.bincount(checked.source, minlength=votes.n_sources).astype(np.float64)
    n_right = np.bincount(checked.source, weights=right, minlength=votes.n_sources)
    return n, n_right.astype(np.float64)
