"""Blocks of rows: they cover every row once, in order, whatever the threads."""

import threading

import numpy as np
import pytest

from partlabel.compiled import FEWEST_ROWS, WORTH_A_THREAD, in_blocks, read_only


@pytest.mark.parametrize("n_rows", [0, 1, FEWEST_ROWS, 10_007])
@pytest.mark.parametrize("effort", [0, 8 * WORTH_A_THREAD])
def test_blocks_cover_every_row_once_and_come_back_in_order(n_rows: int, effort: int) -> None:
    found = in_blocks(
        lambda block, begin, end: (block, list(range(begin, end))), n_rows, most=7, effort=effort
    )
    assert [block for block, _ in found] == list(range(len(found)))
    assert [row for _, rows in found for row in rows] == list(range(n_rows))
    assert len(found) == max(1, min(7, n_rows // FEWEST_ROWS))


def test_little_work_stays_in_the_thread() -> None:
    names = in_blocks(lambda *_: threading.current_thread().name, 10_000, most=8, effort=1000)
    assert set(names) == {threading.current_thread().name}


def test_what_fails_in_a_thread_is_raised() -> None:
    def fail(block: int, *_: int) -> None:
        raise ValueError(f"in block {block}")

    with pytest.raises(ValueError, match="in block 0"):
        in_blocks(fail, 10_000, most=8, effort=8 * WORTH_A_THREAD)


def test_all_arrays_are_read_in_one_form_and_none_is_copied_for_it() -> None:
    array = np.arange(6.0)
    (view,) = read_only(array)
    assert not view.flags.writeable
    assert array.flags.writeable
    assert np.shares_memory(array, view)
    (turned,) = read_only(np.arange(6.0).reshape(2, 3).T)
    assert turned.flags.c_contiguous
