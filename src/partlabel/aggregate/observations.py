"""Observations: the evidence as rows for the kernels, equal rows held once with a count."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from partlabel.aggregate.kernels import TINY, Pass
from partlabel.aggregate.prior import Prior, possible
from partlabel.evidence import Evidence

SAMPLE = 20_000
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
            first, _ = _distinct_rows(votes.indptr[: n + 1], votes.symbol, which[:n], np.ones(n))
            collapse = len(first) < PAYS_BELOW * n
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
        first, weight = _distinct_rows(indptr, symbol, which, weight)
        counts = np.diff(indptr)[first]
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], counts)
        return cls(
            indptr=bounds,
            symbol=symbol[np.repeat(indptr[:-1][first], counts) + within],
            weight=weight,
            which=which[first],
            sets=sets,
        )

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


@njit(cache=True)
def _distinct_rows(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    which: NDArray[np.int32],
    weight: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the first of each group of equal rows, and their weight (an open hash table)."""
    size, n_groups = 1024, 0
    slot = np.full(size, -1, dtype=np.int64)
    first, items = np.empty(size // 2, dtype=np.int64), np.empty(size // 2)
    for i in range(len(indptr) - 1):
        place = _hash(indptr, symbol, which, i) & (size - 1)
        while slot[place] >= 0 and not _same(indptr, symbol, which, first[slot[place]], i):
            place = (place + 1) & (size - 1)
        if slot[place] >= 0:
            items[slot[place]] += weight[i]
            continue
        slot[place], first[n_groups], items[n_groups] = n_groups, i, weight[i]
        n_groups += 1
        if n_groups == len(first):  # half full: twice the room
            size *= 2
            slot = np.full(size, -1, dtype=np.int64)
            first = np.concatenate((first, np.empty_like(first)))
            items = np.concatenate((items, np.empty_like(items)))
            for group in range(n_groups):
                place = _hash(indptr, symbol, which, first[group]) & (size - 1)
                while slot[place] >= 0:
                    place = (place + 1) & (size - 1)
                slot[place] = group
    return first[:n_groups].copy(), items[:n_groups].copy()


@njit(cache=True)
def _hash(
    indptr: NDArray[np.int64], symbol: NDArray[np.int32], which: NDArray[np.int32], i: int
) -> int:
    h = np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(which[i])
    for v in range(indptr[i], indptr[i + 1]):
        h = (h ^ np.uint64(symbol[v])) * np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(29)
    return int(np.int64(h >> np.uint64(2)))


@njit(cache=True)
def _same(
    indptr: NDArray[np.int64], symbol: NDArray[np.int32], which: NDArray[np.int32], i: int, j: int
) -> bool:
    n = indptr[i + 1] - indptr[i]
    if which[i] != which[j] or n != indptr[j + 1] - indptr[j]:
        return False
    for v in range(n):  # noqa: SIM110 - numba compiles no generator
        if symbol[indptr[i] + v] != symbol[indptr[j] + v]:
            return False
    return True
