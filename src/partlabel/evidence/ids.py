"""Item ids: read, put together, and found again in another order."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError, rows_named
from partlabel.tables import as_series, distinct


def read_ids(items: Any, n_items: int, what: str = "items") -> NDArray[Any] | None:
    """Take the ids of a part's items, one for each of its rows; None where it has none.

    Raises
    ------
    InputError
        If there are more or fewer ids than rows, an id is null, or an id stands twice.
    """
    if items is None:
        return None
    ids = np.asarray(items)
    if ids.shape != (n_items,):
        raise InputError(
            f"`{what}` must have one id for each of the {n_items} rows; got {ids.size}. "
            "Give each row its id, or none."
        )
    refuse_repeats(ids, what)
    return ids


def refuse_repeats(ids: NDArray[Any], what: str) -> None:
    """Refuse ids that are null or stand twice."""
    series = as_series(ids)
    if series.null_count():
        bad = series.is_null().to_numpy()
        raise InputError(
            f"`{what}` must not hold nulls; it does at {rows_named(bad)}. Name the item."
        )
    which, first = distinct(series)
    if len(first) < len(ids):
        twice = np.bincount(which)[which] > 1
        raise InputError(
            f"`{what}` must all differ; id {series[int(twice.argmax())]!r} stands at "
            f"{rows_named(twice)}. Give each item one row."
        )


def union(ids_of: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Give every id once, in the order in which they first appear, part after part."""
    for name, ids in ids_of.items():
        refuse_repeats(ids, f"{name}.item_ids")
    together = _concatenated(ids_of)
    _, first = distinct(together)
    return together.gather(first).to_numpy()


def rows_of(wanted: NDArray[Any], ids: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Find each wanted id's row among the ids of a part, or -1."""
    refuse_repeats(ids, f"{name}.item_ids")
    which, first = distinct(_concatenated({"items": wanted, name: ids}))
    row = np.full(len(first), -1, dtype=np.int64)
    row[which[len(wanted) :]] = np.arange(len(ids))
    return row[which[: len(wanted)]]


def _concatenated(ids_of: Mapping[str, NDArray[Any]]) -> pl.Series:
    series = {name: as_series(ids).alias("id") for name, ids in ids_of.items()}
    kinds = {"number" if one.dtype.is_numeric() else str(one.dtype) for one in series.values()}
    if len(kinds) > 1:
        shown = ", ".join(f"{name} {one.dtype}" for name, one in series.items())
        raise InputError(
            f"Item ids must be of one kind to be matched; got {shown}. Convert them to one."
        )
    if kinds == {"number"}:
        frames = [one.to_frame() for one in series.values()]
        together = pl.concat(frames, how="vertical_relaxed").to_series()
        # signed and unsigned ids meet in 128 bits, which numpy doesn't have
        return together.shrink_dtype() if together.dtype == pl.Int128 else together
    return pl.concat(list(series.values()))
