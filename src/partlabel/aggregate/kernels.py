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

The rows are cut into blocks whose sums are added in order, see `partlabel.compiled`.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from partlabel.compiled import in_blocks, read_only

TINY = 1e-30
SMALLEST = np.finfo(np.float64).tiny
VOTES_BETWEEN = 8  # TINY ** 8 is still a normal float64
ENTRIES_AT_ONCE = 4_194_304  # of all blocks' count tables: 32 MB
MOST_BLOCKS = 32
# Sums may be reordered; NaN and infinity keep their meaning.
RELAXED = {"reassoc", "contract", "nsz"}
# In the loops over classes nothing is read by an index that a store might have changed
# (`s = symbol[v]` before the loop): otherwise it is read again for each class, at twice the time.

Pass: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], float]


def blocks(n_symbols: int, n_classes: int) -> int:
    """How many blocks to cut the rows into at the most: fewer where the count tables are large."""
    return max(1, min(MOST_BLOCKS, ENTRIES_AT_ONCE // max(n_symbols * n_classes, 1)))


def expected_counts(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
) -> Pass:
    """Give the expected counts, the expected class totals and the log-likelihood (nats)."""
    return _gathered(_expected, indptr, symbol, weight, which, start, table)


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
    return _gathered(_by_peers, indptr, symbol, weight, which, start, table, np.log(table))


def beliefs_of(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n_rows, n_classes) The belief of each row; NaN where no class is possible."""
    beliefs = np.empty((len(which), table.shape[1]))
    rows = read_only(indptr, symbol, which, start, table)
    in_blocks(
        lambda _, begin, end: _beliefs(begin, end, *(*rows, beliefs)),
        len(which),
        most=MOST_BLOCKS,
        effort=(len(which) + len(symbol)) * table.shape[1],
    )
    return beliefs


def counts_under(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    beliefs: NDArray[np.float64],
    n_symbols: int,
) -> NDArray[np.float64]:
    """(n_symbols, n_classes) Expected counts of each word under beliefs (n_items, n_classes)."""
    n_rows, n_classes = beliefs.shape
    counts = np.zeros((blocks(n_symbols, n_classes), n_symbols, n_classes))
    rows = read_only(indptr, symbol, beliefs)
    in_blocks(
        lambda block, begin, end: _under(begin, end, *(*rows, counts[block])),
        n_rows,
        most=len(counts),
        effort=len(symbol) * n_classes,
    )
    return np.asarray(counts.sum(axis=0))


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
    most = blocks(n_sources, 1)
    overlap, conflict = np.zeros((most, n_sources)), np.zeros((most, n_sources))
    rows = read_only(indptr, symbol, weight, source, members.astype(np.float64))
    in_blocks(
        lambda block, begin, end: _beside(begin, end, *(*rows, overlap[block], conflict[block])),
        len(weight),
        most=most,
        effort=2 * len(symbol) * members.shape[1],
    )
    return overlap.sum(axis=0), conflict.sum(axis=0)


def _gathered(
    kernel: Callable[..., float],
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    *tables: NDArray[np.float64],
) -> Pass:
    """What a kernel adds up over all rows."""
    n_symbols, n_classes = tables[0].shape
    counts = np.zeros((blocks(n_symbols, n_classes), n_symbols, n_classes))
    totals = np.zeros((len(counts), n_classes))
    rows = read_only(indptr, symbol, weight, which, start, *tables)
    objective = in_blocks(
        lambda block, begin, end: kernel(begin, end, *rows, counts[block], totals[block]),
        len(which),
        most=len(counts),
        effort=2 * len(symbol) * n_classes,
    )
    return counts.sum(axis=0), totals.sum(axis=0), float(np.sum(objective))


@njit(nogil=True, cache=True, fastmath=RELAXED, error_model="numpy")
def _expected(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
    counts: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> float:
    n_classes, objective = table.shape[1], 0.0
    belief = np.empty(n_classes)
    for i in range(begin, end):
        objective += weight[i] * _believe(i, indptr, symbol, which, start, table, belief)
        w = weight[i]
        for k in range(n_classes):
            belief[k] *= w
            totals[k] += belief[k]
        for v in range(indptr[i], indptr[i + 1]):
            s = symbol[v]
            for k in range(n_classes):
                counts[s, k] += belief[k]
    return objective


@njit(nogil=True, cache=True, fastmath=RELAXED, error_model="numpy")
def _by_peers(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
    log_table: NDArray[np.float64],
    counts: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> float:
    n_classes, objective = table.shape[1], 0.0
    belief, logs, others = np.empty(n_classes), np.empty(n_classes), np.empty(n_classes)
    even = np.log(n_classes)
    for i in range(begin, end):
        objective += weight[i] * _believe(i, indptr, symbol, which, start, table, belief)
        w = weight[i]
        for k in range(n_classes):
            totals[k] += w * belief[k]
            logs[k] = np.log(max(belief[k], SMALLEST))
        for v in range(indptr[i], indptr[i + 1]):
            s = symbol[v]
            for k in range(n_classes):
                others[k] = belief[k] / table[s, k]
            log_norm, minus_entropy = _rescale(others), 0.0
            for k in range(n_classes):  # by logarithms at hand: one new one for each vote
                minus_entropy += others[k] * (logs[k] - log_table[s, k] - log_norm)
            known = w * max(0.0, 1.0 + minus_entropy / even)
            for k in range(n_classes):
                counts[s, k] += known * others[k]
    return objective


@njit(nogil=True, cache=True, fastmath=RELAXED, error_model="numpy")
def _beliefs(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
    beliefs: NDArray[np.float64],
) -> None:
    for i in range(begin, end):
        _believe(i, indptr, symbol, which, start, table, beliefs[i])


@njit(cache=True, fastmath=RELAXED, inline="always")
def _believe(
    i: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    table: NDArray[np.float64],
    belief: NDArray[np.float64],
) -> float:
    """Write a row's belief into `belief`; give the row's log-likelihood."""
    found, begin, possible = 0.0, indptr[i], which[i]
    for k in range(len(belief)):
        belief[k] = start[possible, k]
    for v in range(begin, indptr[i + 1]):
        s = symbol[v]
        for k in range(len(belief)):
            belief[k] *= table[s, k]
        if (v - begin) % VOTES_BETWEEN == VOTES_BETWEEN - 1:
            found += _rescale(belief)
    return found + _rescale(belief)


@njit(cache=True, fastmath=RELAXED, inline="always")
def _rescale(belief: NDArray[np.float64]) -> float:
    """Let the beliefs add up to one; give the log of what they added up to."""
    norm = 0.0
    for k in range(len(belief)):
        norm += belief[k]
    for k in range(len(belief)):
        belief[k] /= norm  # no reciprocal: what alone is possible has a belief of exactly 1
    return float(np.log(norm))


@njit(nogil=True, cache=True, fastmath=RELAXED, error_model="numpy")
def _under(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    beliefs: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:
    for i in range(begin, end):
        for v in range(indptr[i], indptr[i + 1]):
            s = symbol[v]
            for k in range(beliefs.shape[1]):
                counts[s, k] += beliefs[i, k]


@njit(nogil=True, cache=True, fastmath=RELAXED)
def _beside(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    source: NDArray[np.int32],
    members: NDArray[np.float64],
    overlap: NDArray[np.float64],
    conflict: NDArray[np.float64],
) -> None:
    n_classes = members.shape[1]
    naming = np.empty(n_classes)
    for i in range(begin, end):
        first, last = indptr[i], indptr[i + 1]
        if last - first < 2:
            continue
        for k in range(n_classes):
            naming[k] = 0.0
        for v in range(first, last):
            s = symbol[v]
            for k in range(n_classes):
                naming[k] += members[s, k]
        for v in range(first, last):
            s = symbol[v]
            overlap[source[s]] += weight[i]
            # a vote that holds none of the classes of s is in none of their counts
            most = 0.0
            for k in range(n_classes):
                most += members[s, k] * naming[k]
            if most < last - first or _contradicted(first, last, symbol, members, s):
                conflict[source[s]] += weight[i]


@njit(nogil=True, cache=True, fastmath=RELAXED)
def _contradicted(
    first: int, last: int, symbol: NDArray[np.int32], members: NDArray[np.float64], s: int
) -> bool:
    for v in range(first, last):
        shared, other = 0.0, symbol[v]
        for k in range(members.shape[1]):
            shared += members[s, k] * members[other, k]
        if shared == 0.0:
            return True
    return False
