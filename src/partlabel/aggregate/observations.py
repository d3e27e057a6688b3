"""Observations: the evidence as rows for the kernels, equal rows held once with a count."""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from partlabel.evidence import Evidence

SAMPLE = 20_000
PAYS_BELOW = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """What EM passes over: rows of votes, with a weight and a set of possible classes for each.

    Attributes
    ----------
    indptr : (n_rows + 1,) int64
    symbol : (n_votes,) int32
        Words said, row by row, as in `Votes`.
    weight : (n_rows,) float64
        How many items the row stands for.
    which : (n_rows,) int32
        The row's set of possible classes.
    sets : (n_sets, n_classes) bool
        Distinct sets, from candidates and gold.
    """

    indptr: NDArray[np.int64]
    symbol: NDArray[np.int32]
    weight: NDArray[np.float64]
    which: NDArray[np.int32]
    sets: NDArray[np.bool_]

    @classmethod
    def of(cls, evidence: Evidence, *, collapse: bool | None = None) -> "Observations":
        """Take the evidence as rows.

        Parameters
        ----------
        collapse : bool, default None
            Whether items with the same votes and the same set share a row. None decides on a
            sample: ten rules leave few distinct rows, a thousand workers leave all.
        """
        votes, hard = evidence.votes, evidence.hard_sets()
        if votes is None:
            empty = np.zeros(len(evidence) + 1, dtype=np.int64)
            return cls._distinct(empty, np.zeros(0, dtype=np.int32), hard.which, hard.table)
        if collapse is None:
            head = slice(0, min(SAMPLE, len(evidence)))
            keys = _hash_rows(votes.indptr[: head.stop + 1], votes.symbol, hard.which[head])
            collapse = len(np.unique(keys)) < PAYS_BELOW * len(keys)
        if collapse:
            return cls._distinct(votes.indptr, votes.symbol, hard.which, hard.table)
        return cls(votes.indptr, votes.symbol, np.ones(len(evidence)), hard.which, hard.table)

    @classmethod
    def _distinct(
        cls,
        indptr: NDArray[np.int64],
        symbol: NDArray[np.int32],
        which: NDArray[np.int32],
        sets: NDArray[np.bool_],
    ) -> "Observations":
        keys = _hash_rows(indptr, symbol, which)
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        if not _all_equal(indptr, symbol, which, first[inverse]):  # two rows share a 64-bit hash
            return cls(indptr, symbol, np.ones(len(which)), which, sets)
        counts = np.diff(indptr)[first]
        rows = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        within = np.arange(rows[-1]) - np.repeat(rows[:-1], counts)
        weight = np.bincount(inverse, minlength=len(first)).astype(np.float64)
        return cls(
            rows, symbol[np.repeat(indptr[:-1][first], counts) + within], weight, which[first], sets
        )

    @property
    def n_items(self) -> float:
        """How many items the rows stand for."""
        return float(self.weight.sum())


@njit(parallel=True, cache=True)
def _hash_rows(
    indptr: NDArray[np.int64], symbol: NDArray[np.int32], which: NDArray[np.int32]
) -> NDArray[np.uint64]:
    keys = np.empty(len(indptr) - 1, dtype=np.uint64)
    for i in prange(len(indptr) - 1):
        h = np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(which[i])
        for v in range(indptr[i], indptr[i + 1]):
            h = (h ^ np.uint64(symbol[v])) * np.uint64(0xBF58476D1CE4E5B9)
            h ^= h >> np.uint64(29)
        h *= np.uint64(0x94D049BB133111EB)
        keys[i] = h ^ (h >> np.uint64(31))
    return keys


@njit(parallel=True, cache=True)
def _all_equal(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    which: NDArray[np.int32],
    twin: NDArray[np.int64],
) -> bool:
    differing = 0
    for i in prange(len(which)):
        j, n = twin[i], indptr[i + 1] - indptr[i]
        same = which[i] == which[j] and n == indptr[j + 1] - indptr[j]
        if same:
            for v in range(n):
                same = same and symbol[indptr[i] + v] == symbol[indptr[j] + v]
        if not same:
            differing += 1
    return differing == 0
