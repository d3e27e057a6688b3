"""Observations: the evidence as rows for the kernels, equal rows held once with a count."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from partlabel.aggregate.kernels import TINY, Pass
from partlabel.aggregate.prior import Prior, possible
from partlabel.compiled import in_blocks, read_only
from partlabel.evidence import Evidence
from partlabel.evidence.readers import indptr_of

SAMPLE = 20_000
PARTS = 8  # that are collapsed side by side before the whole is
EFFORT = 64  # to look a row up, in additions
PAYS_BELOW = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """What EM passes over: rows of votes, with a weight and the possible classes for each.

    Attributes
    ----------
    indptr : (n_rows + 1,) int64
    symbol : (n_votes,) int32
        Words said, row by row, as in `Votes`.
    weight : (n_rows,) float64
        How many items the row stands for.
    which : (n_rows,) int32
        The row's set of possible classes.
    sets : (n_sets, n_classes) float
        Distinct sets, from candidates and gold: 1 is possible, 0 isn't. With a prior of its own
        for each item they are soft: the prior against an even one, where possible.
    """

    indptr: NDArray[np.int64]
    symbol: NDArray[np.int32]
    weight: NDArray[np.float64]
    which: NDArray[np.int32]
    sets: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        *,
        prior: Prior = None,
        collapse: bool | None = None,
    ) -> "Observations":
        """Take the evidence as rows.

        Parameters
        ----------
        prior : (n_items, n_classes) float, default None
            Of each item's own, checked.
        collapse : bool, default None
            Whether items with the same votes and the same set share a row. None decides on a
            sample: ten rules leave few distinct rows, a thousand workers leave all.
        """
        votes, (sets, which) = evidence.votes, possible(evidence, prior)
        if votes is None:
            empty = np.zeros(len(evidence) + 1, dtype=np.int64)
            return cls.distinct(empty, np.zeros(0, dtype=np.int32), which, sets)
        if collapse is None:
            n = min(SAMPLE, len(evidence))
            sample = cls.distinct(votes.indptr[: n + 1], votes.symbol, which[:n], sets)
            collapse = len(sample.weight) < PAYS_BELOW * n
        if collapse:
            return cls.distinct(votes.indptr, votes.symbol, which, sets)
        return cls(votes.indptr, votes.symbol, np.ones(len(evidence)), which, sets)

    @classmethod
    def distinct(
        cls,
        indptr: NDArray[np.int64],
        symbol: NDArray[np.int32],
        which: NDArray[np.int32],
        sets: NDArray[np.float64],
        weight: NDArray[np.float64] | None = None,
    ) -> "Observations":
        """Hold equal rows once, with their weights added up; each weighs 1 where none is given."""
        weight = np.ones(len(which)) if weight is None else weight
        rows = read_only(indptr, symbol, weight, which)
        parts = in_blocks(
            lambda _, begin, end: _distinct_rows(begin, end, *rows),
            len(which),
            most=max(1, min(PARTS, len(which) // SAMPLE)),
            effort=EFFORT * len(which),
        )
        counts, words, weight, which = map(np.concatenate, zip(*parts, strict=True))
        if len(parts) > 1:
            rows = read_only(indptr_of(counts), words, weight, which)
            counts, words, weight, which = _distinct_rows(0, len(counts), *rows)
        return cls(indptr_of(counts), words, weight, which, sets)

    def passed(
        self,
        kernel: Callable[..., Pass],
        class_prior: NDArray[np.float64],
        table: NDArray[np.float64],
    ) -> Pass:
        """What one pass over the rows gathers: `expected_counts` or `peer_counts` of kernels.

        `class_prior` is (n_states,) and `table` (n_symbols, n_states), each class having as many
        states, one after the other.
        """
        start = self.sets.repeat(len(class_prior) // self.sets.shape[1], axis=1) * class_prior
        rows = (self.indptr, self.symbol, self.weight, self.which)
        return kernel(*rows, start, np.maximum(table, TINY))

    @property
    def n_items(self) -> float:
        """How many items the rows stand for."""
        return float(self.weight.sum())


@njit(nogil=True, cache=True)
def _distinct_rows(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
    """Hold equal rows once: votes in each, their words, weights added up, and sets.

    An open hash table. Words are compared with copies that lie side by side, so that the table
    stays in the processor's cache.
    """
    size, n_groups, first, n_words = 1024, 0, indptr[begin], 0
    slot = np.full(size, -1, dtype=np.int64)
    group = np.empty((size // 2 + 1, 2), dtype=np.int64)  # hash, and where the words begin
    sets, items = np.empty(size // 2, dtype=np.int32), np.empty(size // 2)
    words = np.empty(max(size, indptr[end] - first), dtype=np.int32)
    for i in range(begin, end):
        h, n = _hash(indptr, symbol, which, i), indptr[i + 1] - indptr[i]
        place = h & (size - 1)
        while slot[place] >= 0:
            g = slot[place]
            at = group[g, 1]
            same = group[g, 0] == h and sets[g] == which[i] and group[g + 1, 1] - at == n
            for v in range(n if same else 0):
                same = same and words[at + v] == symbol[indptr[i] + v]
            if same:
                break
            place = (place + 1) & (size - 1)
        if slot[place] >= 0:
            items[slot[place]] += weight[i]
            continue
        slot[place], sets[n_groups], items[n_groups] = n_groups, which[i], weight[i]
        group[n_groups, 0], group[n_groups, 1] = h, n_words
        for v in range(n):
            words[n_words + v] = symbol[indptr[i] + v]
        n_words += n
        n_groups += 1
        group[n_groups, 1] = n_words
        if n_groups == len(sets):  # half full: twice the room
            size *= 2
            slot = np.full(size, -1, dtype=np.int64)
            group = np.concatenate((group, np.empty_like(group[1:])))
            sets = np.concatenate((sets, np.empty_like(sets)))
            items = np.concatenate((items, np.empty_like(items)))
            for g in range(n_groups):
                place = group[g, 0] & (size - 1)
                while slot[place] >= 0:
                    place = (place + 1) & (size - 1)
                slot[place] = g
    bounds = group[: n_groups + 1, 1]
    counts = bounds[1:] - bounds[:-1]
    return counts, words[:n_words].copy(), items[:n_groups].copy(), sets[:n_groups].copy()


@njit(nogil=True, cache=True)
def _hash(
    indptr: NDArray[np.int64], symbol: NDArray[np.int32], which: NDArray[np.int32], i: int
) -> int:
    h = np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(which[i])
    for v in range(indptr[i], indptr[i + 1]):
        h = (h ^ np.uint64(symbol[v])) * np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(29)
    return int(np.int64(h >> np.uint64(2)))
