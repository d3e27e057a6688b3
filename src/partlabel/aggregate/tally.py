"""Tally: what a pass over evidence adds up about its sources; tallies of batches can be added."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate.kernels import overlaps_and_conflicts
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
    heard : (n_symbols, n_classes) float
        The same as an M-step takes them: each vote weighed, where a model weighs votes.
    totals : (n_classes,) float
        Expected number of items of each class.
    overlap, conflict : (n_sources,) float
        Votes beside which, or against which, another source speaks.
    gold_votes, gold_right : (n_sources,) float
        Votes about items with gold, and those of them that hold the gold label.
    """

    vocabulary: Vocabulary
    counts: NDArray[np.float64]
    heard: NDArray[np.float64]
    totals: NDArray[np.float64]
    overlap: NDArray[np.float64]
    conflict: NDArray[np.float64]
    gold_votes: NDArray[np.float64]
    gold_right: NDArray[np.float64]

    @classmethod
    def of(cls, evidence: Evidence, votes: Votes, rows: Observations) -> "Tally":
        """Add up what needs no belief: overlaps, conflicts, votes on gold; the counts are zero.

        `votes` are those of the evidence; `rows` are the same.
        """
        none = np.zeros((len(votes.vocabulary), len(votes.labels)))
        return cls(
            votes.vocabulary, none, none, none[0], *_beside(rows, votes), *_on_gold(evidence, votes)
        )

    def counting(
        self,
        counts: NDArray[np.float64],
        totals: NDArray[np.float64],
        heard: NDArray[np.float64] | None = None,
    ) -> "Tally":
        """Give the same tally with expected counts."""
        return replace(self, counts=counts, totals=totals, heard=counts if heard is None else heard)

    def __add__(self, other: "Tally") -> "Tally":
        vocabulary = self.vocabulary.union(other.vocabulary)
        one, two = self.in_vocabulary(vocabulary), other.in_vocabulary(vocabulary)
        sums = (a + b for a, b in zip(one._arrays(), two._arrays(), strict=True))
        return Tally(vocabulary, *sums)

    def __mul__(self, weight: float) -> "Tally":
        return Tally(self.vocabulary, *(values * weight for values in self._arrays()))

    def in_vocabulary(self, vocabulary: Vocabulary) -> "Tally":
        """Give the same tally in a vocabulary that has all its words, and maybe more."""
        if self.vocabulary.same_as(vocabulary):
            return self
        place = {name: j for j, name in enumerate(vocabulary.sources)}
        source = np.array([place[name] for name in self.vocabulary.sources], dtype=np.int64)
        symbol = self.vocabulary.symbols_in(vocabulary, np.arange(len(self.vocabulary)))
        counts, heard, totals, *of_sources = self._arrays()
        return Tally(
            vocabulary,
            _placed(counts, symbol, len(vocabulary)),
            _placed(heard, symbol, len(vocabulary)),
            totals,
            *(_placed(values, source, len(vocabulary.sources)) for values in of_sources),
        )

    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        seen = (self.overlap, self.conflict, self.gold_votes, self.gold_right)
        return self.counts, self.heard, self.totals, *seen


def _placed(
    values: NDArray[np.float64], rows: NDArray[np.integer[Any]], n_rows: int
) -> NDArray[np.float64]:
    """Put rows into their places in a table of more rows."""
    wider = np.zeros((n_rows, *values.shape[1:]))
    wider[rows] = values
    return wider


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
