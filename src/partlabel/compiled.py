"""compiled: how passes over rows are called that numba compiles.

A pass is compiled for one block of rows and releases the interpreter's lock (`nogil=True`), so that
threads can take the blocks: loops that numba spreads over threads by itself take several times as
long to compile. A function is compiled again for each new form of its arguments, hence one form for
all arrays that it only reads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numba import config
from numpy.typing import NDArray

Sum = TypeVar("Sum")

FEWEST_ROWS = 256  # of a block: below, the calls cost more than the rows
WORTH_A_THREAD = 262_144  # additions or products: about as long as it takes to start one


def in_blocks(
    work: Callable[[int, int, int], Sum], n_rows: int, *, most: int, effort: int
) -> list[Sum]:
    """Cut rows into blocks, work on each, and give what comes back, in order.

    The blocks depend on the rows alone, so that sums over them don't depend on the threads.

    Parameters
    ----------
    work : (block, begin, end) -> what it gives
        For the rows ``begin:end``; it may write what belongs to its block, or to these rows.
    n_rows : int
    most : int
        Blocks at the most.
    effort : int
        Additions or products over all rows, roughly.
    """
    n_blocks = max(1, min(most, n_rows // FEWEST_ROWS))
    bounds = [n_rows * block // n_blocks for block in range(n_blocks + 1)]
    n_threads = max(1, min(_threads(), n_blocks, effort // WORTH_A_THREAD))

    def some(thread: int) -> list[Sum]:
        own = range(n_blocks * thread // n_threads, n_blocks * (thread + 1) // n_threads)
        return [work(block, bounds[block], bounds[block + 1]) for block in own]

    if n_threads == 1:
        return some(0)
    with ThreadPoolExecutor(n_threads) as threads:
        return [one for found in threads.map(some, range(n_threads)) for one in found]


def read_only(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """The same arrays in the form in which passes take what they only read."""
    return tuple(_read_only(array) for array in arrays)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _threads() -> int:
    """How many threads the user's machine and `NUMBA_NUM_THREADS` allow."""
    return int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # set when numba loads
