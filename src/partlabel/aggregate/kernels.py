r"""The E-step and the counts of the M-step in one pass over the votes, compiled.

==================================  ========  ==========================================
symbol                              code      shape
==================================  ========  ==========================================
:math:`p(s | y)`                    table     (n_symbols, n_classes)
:math:`p(y) 1[y \in S]`             start     (n_sets, n_classes)
:math:`\sum_i b_i(y) [s \in o_i]`   counts    (n_symbols, n_classes) expected counts
:math:`\sum_i b_i(y)`               totals    (n_classes,)
==================================  ========  ==========================================

Probabilities are multiplied and brought back to one after every few votes, with the scale kept as
a logarithm: the sums are those of log space without its exponentials. No entry of `table` is below
`TINY`, so that nothing vanishes in between.

The rows are cut into a fixed number of blocks whose sums are added in order, so that the result
doesn't depend on how many threads there are.
"""

from typing import TypeAlias

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

TINY = 1e-30
VOTES_BETWEEN = 8  # TINY ** 8 is still a normal float64
ENTRIES_AT_ONCE = 4_194_304  # of all blocks' count tables: 32 MB
MOST_BLOCKS = 32
# Sums may be reordered; NaN and infinity keep their meaning.
RELAXED = {"reassoc", "contract", "arcp", "nsz"}


def blocks(n_symbols: int, n_classes: int) -> int:
    """How many blocks to cut the rows into: fewer where the count tables are large."""
    return max(1, min(MOST_BLOCKS, ENTRIES_AT_ONCE // (n_symbols * n_classes)))


Pass: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], float]


def expected_counts(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
) -> Pass:
    """Give the expected counts, the expected class totals and the log-likelihood (nats)."""
    n_blocks = blocks(*table.shape)
    return _added(_expected(indptr, symbol, weight, which, start, table, n_blocks))


def peer_counts(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
) -> Pass:
    """As `expected_counts`, but each vote is counted by the belief of the others.

    The belief without the vote itself is weighted by what it knows: 1 - entropy / log(n_classes).
    """
    n_blocks = blocks(*table.shape)
    return _added(_by_peers(indptr, symbol, weight, which, start, table, n_blocks))


def counts_under(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    beliefs: NDArray[np.float64],
    n_symbols: int,
) -> NDArray[np.float64]:
    """(n_symbols, n_classes) Expected counts of each word under beliefs (n_items, n_classes)."""
    n_blocks = blocks(n_symbols, beliefs.shape[1])
    return np.asarray(_under(indptr, symbol, beliefs, n_symbols, n_blocks).sum(axis=0))


def _added(blockwise: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]) -> Pass:
    """The blocks' sums, added in order (in numpy: compiled, an axis sum takes seconds to build)."""
    counts, totals, objective = blockwise
    return counts.sum(axis=0), totals.sum(axis=0), float(objective.sum())


@njit(parallel=True, cache=True, fastmath=RELAXED)
def _expected(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
    n_blocks: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    n_rows, n_classes = len(which), start.shape[1]
    counts = np.zeros((n_blocks, table.shape[0], n_classes))
    totals = np.zeros((n_blocks, n_classes))
    objective = np.zeros(n_blocks)
    for block in prange(n_blocks):
        belief = np.empty(n_classes)
        own, total, climbed = counts[block], totals[block], 0.0
        for i in range(block * n_rows // n_blocks, (block + 1) * n_rows // n_blocks):
            begin, end = indptr[i], indptr[i + 1]
            climbed += weight[i] * _believe(symbol[begin:end], start[which[i]], table, belief)
            for k in range(n_classes):
                belief[k] *= weight[i]
                total[k] += belief[k]
            for v in range(begin, end):
                mine = own[symbol[v]]
                for k in range(n_classes):
                    mine[k] += belief[k]
        objective[block] = climbed
    return counts, totals, objective


@njit(parallel=True, cache=True, fastmath=RELAXED)
def _by_peers(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
    n_blocks: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    n_rows, n_classes = len(which), start.shape[1]
    counts = np.zeros((n_blocks, table.shape[0], n_classes))
    totals = np.zeros((n_blocks, n_classes))
    objective = np.zeros(n_blocks)
    for block in prange(n_blocks):
        belief, others = np.empty(n_classes), np.empty(n_classes)
        own, total, climbed = counts[block], totals[block], 0.0
        for i in range(block * n_rows // n_blocks, (block + 1) * n_rows // n_blocks):
            begin, end = indptr[i], indptr[i + 1]
            climbed += weight[i] * _believe(symbol[begin:end], start[which[i]], table, belief)
            for k in range(n_classes):
                total[k] += weight[i] * belief[k]
            for v in range(begin, end):
                word, mine = table[symbol[v]], own[symbol[v]]
                for k in range(n_classes):
                    others[k] = belief[k] / word[k]
                _rescale(others)
                known = weight[i] * _information(others)
                for k in range(n_classes):
                    mine[k] += known * others[k]
        objective[block] = climbed
    return counts, totals, objective


@njit(cache=True, fastmath=RELAXED, inline="always")
def _information(belief: NDArray[np.float64]) -> float:
    """How much a belief knows: 1 for certainty, 0 for an even split."""
    entropy = 0.0
    for k in range(len(belief)):
        if belief[k] > 0.0:
            entropy -= belief[k] * np.log(belief[k])
    return float(max(0.0, 1.0 - entropy / np.log(len(belief))))


@njit(cache=True, fastmath=RELAXED)
def _believe(
    said: NDArray[np.int32],
    possible: NDArray[np.float64],
    table: NDArray[np.float64],
    belief: NDArray[np.float64],
) -> float:
    """Write a row's belief into `belief`; give the row's log-likelihood."""
    found = 0.0
    for k in range(len(belief)):
        belief[k] = possible[k]
    for v in range(len(said)):
        word = table[said[v]]
        for k in range(len(belief)):
            belief[k] *= word[k]
        if v % VOTES_BETWEEN == VOTES_BETWEEN - 1:
            found += _rescale(belief)
    return found + _rescale(belief)


@njit(cache=True, fastmath=RELAXED, inline="always")
def _rescale(belief: NDArray[np.float64]) -> float:
    """Let the beliefs add up to one; give the log of what they added up to."""
    norm = 0.0
    for k in range(len(belief)):
        norm += belief[k]
    for k in range(len(belief)):
        belief[k] /= norm
    return float(np.log(norm))


@njit(parallel=True, cache=True, fastmath=RELAXED)
def _under(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    beliefs: NDArray[np.float64],
    n_symbols: int,
    n_blocks: int,
) -> NDArray[np.float64]:
    n_rows, n_classes = beliefs.shape
    counts = np.zeros((n_blocks, n_symbols, n_classes))
    for block in prange(n_blocks):
        for i in range(block * n_rows // n_blocks, (block + 1) * n_rows // n_blocks):
            for v in range(indptr[i], indptr[i + 1]):
                for k in range(n_classes):
                    counts[block, symbol[v], k] += beliefs[i, k]
    return counts


@njit(cache=True)
def overlaps_and_conflicts(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    source: NDArray[np.int32],
    members: NDArray[np.bool_],
    n_sources: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each source, how many of its votes stand beside another's, and how many one contradicts.

    Two votes contradict each other when no class is in both.
    """
    n_classes = members.shape[1]
    overlap, conflict = np.zeros(n_sources), np.zeros(n_sources)
    naming = np.zeros(n_classes)
    for i in range(len(indptr) - 1):
        n = indptr[i + 1] - indptr[i]
        if n < 2:
            continue
        naming[:] = 0
        for v in range(indptr[i], indptr[i + 1]):
            for k in range(n_classes):
                naming[k] += members[symbol[v], k]
        for v in range(indptr[i], indptr[i + 1]):
            s = symbol[v]
            overlap[source[s]] += weight[i]
            # a vote that holds none of the classes of s is in none of their counts
            most = 0.0
            for k in range(n_classes):
                if members[s, k]:
                    most += naming[k]
            if most >= n and not _contradicted(indptr[i], indptr[i + 1], symbol, members, s):
                continue
            conflict[source[s]] += weight[i]
    return overlap, conflict


@njit(cache=True)
def _contradicted(
    start: int, end: int, symbol: NDArray[np.int32], members: NDArray[np.bool_], s: int
) -> bool:
    for v in range(start, end):
        shared = False
        for k in range(members.shape[1]):
            shared = shared or (members[s, k] and members[symbol[v], k])
        if not shared:
            return True
    return False
