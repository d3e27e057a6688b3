"""Readers: the tables in which votes arrive, checked at the door and turned into symbols."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from partlabel.errors import InputError, rows_named
from partlabel.evidence.ids import read_ids
from partlabel.evidence.sets import ClassSets
from partlabel.evidence.vocabulary import Vocabulary
from partlabel.labels import LabelSpace
from partlabel.tables import as_frame, as_series, column, distinct

CELLS_AT_ONCE = 1 << 18  # of a matrix, so that its masks stay small beside it
TIED = 1e-12


class Parts(NamedTuple):
    """The fields of `Votes`, as a reader found them."""

    indptr: NDArray[np.int64]
    symbol: NDArray[np.int32]
    vocabulary: Vocabulary
    labels: LabelSpace
    item_ids: NDArray[Any] | None


def indptr_of(counts: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row pointers of rows with so many entries."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def from_matrix(
    matrix: ArrayLike,
    labels: LabelSpace,
    *,
    abstain: int | None,
    sources: Sequence[str] | None,
    items: Any,
) -> Parts:
    """See `Votes.from_matrix`."""
    table, names = _matrix(matrix, sources)
    n_items, n_sources = table.shape
    ids = read_ids(items, n_items)
    vocabulary = Vocabulary.of_classes(names, labels)
    n_rows = max(1, CELLS_AT_ONCE // n_sources)
    blocks = [slice(start, start + n_rows) for start in range(0, n_items, n_rows)]
    counts = np.empty(n_items, dtype=np.int64)
    for rows in blocks:
        said = _said(table[rows], abstain)
        _check_codes(table[rows], said, len(labels), abstain, rows.start, names)
        counts[rows] = said.sum(axis=1)
    indptr = indptr_of(counts)
    # counted first and filled then, so that no second copy of the symbols is held
    symbol = np.empty(indptr[-1], dtype=np.int32)
    first = np.arange(n_sources, dtype=np.int32) * len(labels)
    for rows in blocks:
        said = _said(table[rows], abstain)
        code = np.where(said, table[rows], 0).astype(np.int32)
        symbol[indptr[rows.start] : indptr[min(rows.stop, n_items)]] = (code + first)[said]
    return Parts(indptr, symbol, vocabulary, labels, ids)


def from_table(
    table: Any,
    *,
    item: str,
    source: str,
    label: str,
    labels: LabelSpace | None,
    n_items: int | None,
    repeated: str,
) -> Parts:
    """See `Votes.from_table`."""
    frame = _without_repeats(as_frame(table), item, source, label, repeated)
    items, speakers, said = (
        as_series(column(frame, name, role))
        for name, role in ((item, "item"), (source, "source"), (label, "label"))
    )
    if len(frame) == 0:
        raise InputError(
            "`table` must have at least one vote; got no row. Check that the input isn't empty."
        )
    for values, name in ((items, item), (speakers, source)):
        _check_named(values, name)
    if labels is None:
        labels = LabelSpace.infer(said)
    item_code, ids = _item_codes(items, item, n_items)
    n_found = len(ids) if n_items is None else n_items
    source_code, names = _source_codes(speakers)
    sets, spoke = ClassSets.from_values(said, labels, label), ~said.is_null().to_numpy()
    vocabulary, word = _words(sets, spoke, source_code, names, labels)
    item_code, word = item_code[spoke], word[spoke]
    key = pl.Series(item_code * len(vocabulary) + word)
    order = key.arg_sort().to_numpy()
    symbol, at = word[order], item_code[order]
    if ((np.diff(at) == 0) & (np.diff(vocabulary.source[symbol]) == 0)).any():
        _refuse_twice(items, speakers, spoke)
    indptr = indptr_of(np.bincount(item_code, minlength=n_found))
    return Parts(indptr, symbol, vocabulary, labels, None if n_items is not None else ids)


def from_columns(
    table: Any, columns: Sequence[str] | None, *, labels: LabelSpace | None, item: str | None
) -> Parts:
    """See `Votes.from_columns`."""
    frame = as_frame(table)
    if columns is None:
        columns = [name for name in frame.columns if name != item]
    said = [as_series(column(frame, name, "columns")) for name in columns]
    if len(frame) == 0 or not said:
        raise InputError(
            "`table` must have at least one row and one source column; got "
            f"{len(frame)} rows, {len(said)} columns. Check that the input isn't empty."
        )
    ids = None if item is None else read_ids(column(frame, item, "item"), len(frame), item)
    if labels is None:
        labels = LabelSpace.infer(
            [v for values in said for v in values.gather(distinct(values)[1])]
        )
    spoke = np.column_stack([~values.is_null().to_numpy() for values in said])
    own = [
        _words(ClassSets.from_values(values, labels, name), here, None, [name], labels)
        for name, values, here in zip(columns, said, spoke.T, strict=True)
    ]
    starts = np.cumsum([0, *(len(vocabulary) for vocabulary, _ in own[:-1])], dtype=np.int32)
    words = [word + start for (_, word), start in zip(own, starts, strict=True)]
    symbol = np.column_stack(words)[spoke]
    vocabulary = Vocabulary.joined([vocabulary for vocabulary, _ in own])
    return Parts(indptr_of(spoke.sum(axis=1)), symbol, vocabulary, labels, ids)


def from_probabilities(
    probs: ArrayLike,
    labels: LabelSpace,
    *,
    source: str,
    bins: int,
    like: Vocabulary | None,
    items: Any,
) -> Parts:
    """See `Votes.from_probabilities`."""
    table = np.asarray(probs, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(labels) or len(table) == 0:
        raise InputError(
            f"`probs` must have the shape (n_items, {len(labels)}) with at least one row; got "
            f"{table.shape}. Give one column for each class."
        )
    if bins < 1:
        raise InputError(
            f"`bins` must be at least 1; got {bins}. One bin tells no confidences apart."
        )
    ids = read_ids(items, len(table))
    spoke = np.asarray(~np.isnan(table).all(axis=1))
    off = spoke & ~((np.abs(table.sum(axis=1) - 1.0) <= 1e-3) & (table.min(axis=1) >= 0))
    if off.any():
        row = int(off.argmax())
        raise InputError(
            f"`probs` must be distributions that add up to 1, or NaN throughout; got "
            f"{table[row].tolist()} at {rows_named(off, ids)}. Normalise the rows first."
        )
    table = table if spoke.all() else table[spoke]
    confidence = table.max(axis=1)
    said = ClassSets.from_mask(table >= confidence[:, None] - TIED)
    if like is None:
        larger = said.table[said.table.sum(axis=1) > 1]
        edges = _edges(confidence, bins)
        vocabulary = Vocabulary.of_words(source, labels, sets=larger, edges=edges)
    else:
        vocabulary = like.alone(source)
    level = np.searchsorted(vocabulary.bins[source], confidence, side="right")
    return Parts(indptr_of(spoke), _symbols(vocabulary, said, level), vocabulary, labels, ids)


def _matrix(matrix: Any, sources: Sequence[str] | None) -> tuple[NDArray[Any], list[str]]:
    if hasattr(matrix, "columns"):
        frame = as_frame(matrix, "matrix")
        table, columns = frame.to_numpy(), frame.columns
    elif isinstance(matrix, list | tuple) or hasattr(matrix, "__array__"):
        table, columns = np.asarray(matrix), None
    else:
        raise TypeError(
            f"`matrix` must be a matrix of class codes; got {type(matrix).__name__}. "
            "Convert it to a dense array."
        )
    if table.ndim != 2 or 0 in table.shape:
        raise InputError(
            f"`matrix` must have at least one row and one column; got the shape {table.shape}. "
            "Give one row per item and one column per source."
        )
    if table.dtype.kind not in "iuf":
        raise TypeError(
            f"`matrix` must hold integer class codes; got {table.dtype}. "
            "For class names use `Votes.from_columns`."
        )
    n_sources = table.shape[1]
    named = columns if sources is None else sources
    names = [f"source_{j}" for j in range(n_sources)] if named is None else [str(n) for n in named]
    if len(names) != n_sources:
        raise InputError(
            f"`sources` must name each of the {n_sources} columns; got {len(names)} names. "
            "Give one name per column, or none."
        )
    return table, names


def _said(block: NDArray[Any], abstain: int | None) -> NDArray[np.bool_]:
    said = np.ones(block.shape, dtype=bool) if abstain is None else block != abstain
    return said & ~np.isnan(block) if block.dtype.kind == "f" else said


def _check_codes(
    block: NDArray[Any],
    said: NDArray[np.bool_],
    n_classes: int,
    abstain: int | None,
    start: int,
    names: list[str],
) -> None:
    bad = said & ((block < 0) | (block >= n_classes))
    if block.dtype.kind == "f":
        bad |= said & (block != np.floor(block))
    if bad.any():
        row, j = (int(place) for place in np.argwhere(bad)[0])
        raise InputError(
            f"`matrix` must hold class codes in [0, {n_classes}) or abstain={abstain}; got "
            f"{block[row, j]} at row {start + row}, column {j} ({names[j]!r}). "
            "Correct the code, or pass the right `abstain`."
        )


def _check_named(values: pl.Series, name: str) -> None:
    if values.dtype == pl.Object or values.dtype.is_nested():
        raise TypeError(
            f"Column {name!r} must hold values of one kind; got {values.dtype}. "
            "Convert them to strings or integers."
        )
    if values.null_count():
        raise InputError(
            f"Column {name!r} must not hold nulls; it does at "
            f"{rows_named(values.is_null().to_numpy())}. "
            "Drop these rows, or name the item and the source of each vote."
        )


def _item_codes(
    items: pl.Series, name: str, n_items: int | None
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The position of each row's item, and the ids in the order of the positions."""
    if n_items is None:
        which, first = distinct(items)
        return which, items.gather(first).to_numpy()
    if not items.dtype.is_integer():
        raise TypeError(
            f"Column {name!r} must hold positions when `n_items` is given; got {items.dtype}. "
            "Leave `n_items` out to take items as ids."
        )
    bad = ~items.is_between(0, n_items - 1).to_numpy()
    if bad.any():
        raise InputError(
            f"Column {name!r} must lie in [0, {n_items}); got {items[int(bad.argmax())]} at "
            f"{rows_named(bad)}. Raise `n_items`, or leave it out to take items as ids."
        )
    return items.cast(pl.Int64).to_numpy(), np.empty(0, dtype=np.int64)


def _source_codes(speakers: pl.Series) -> tuple[NDArray[np.int64], list[str]]:
    """The position of each row's source, and the names, sorted whatever the order of the rows."""
    which, first = distinct(speakers)
    own = speakers.gather(first)
    order = own.arg_sort().to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[which], [str(own[int(j)]) for j in order]


def _words(
    sets: ClassSets,
    spoke: NDArray[np.bool_],
    source: NDArray[np.int64] | None,
    names: Sequence[str],
    labels: LabelSpace,
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """The vocabulary of some sources, and each row's symbol (of no meaning where nobody spoke).

    `source` is the source of each row; None where there is one only.
    """
    source = np.zeros(len(spoke), dtype=np.int64) if source is None else source
    n_classes = len(labels)
    single = sets.table.argmax(axis=1)[sets.which]
    larger = np.flatnonzero(spoke & (sets.table.sum(axis=1) > 1)[sets.which])
    if len(larger) == 0:
        word = source * n_classes + single
        return Vocabulary.of_classes(names, labels), word.astype(np.int32)
    # renumbered among the larger sets that were said
    said, which = np.unique(sets.which[larger], return_inverse=True)
    key, pair = np.unique(source[larger] * len(said) + which, return_inverse=True)
    pairs = np.column_stack([key // len(said), key % len(said)])
    vocabulary = Vocabulary.of_sets(names, labels, sets.table[said], pairs)
    first = vocabulary.first
    word = first[source] + single
    # words of pair p come after the single classes of its source and all before, and p other pairs
    word[larger] = (source[larger] + 1) * n_classes + pair
    return vocabulary, word.astype(np.int32)


def _refuse_twice(items: pl.Series, speakers: pl.Series, spoke: NDArray[np.bool_]) -> None:
    votes = pl.DataFrame({"item": items, "source": speakers, "row": range(len(items))})
    again = votes.filter(spoke).filter(pl.struct("item", "source").is_first_distinct().not_())
    bad = np.zeros(len(items), dtype=bool)
    bad[again["row"].to_numpy()] = True
    raise InputError(
        f"`table` must hold one vote per item and source; item {again['item'][0]!r} and source "
        f"{again['source'][0]!r} stand twice, the second time at {rows_named(bad)}. "
        "Keep one of them, or pass repeated='last'."
    )


def _without_repeats(
    frame: pl.DataFrame, item: str, source: str, label: str, repeated: str
) -> pl.DataFrame:
    if repeated not in ("refuse", "first", "last"):
        raise InputError(f"`repeated` must be 'refuse', 'first' or 'last'; got {repeated!r}.")
    if repeated == "refuse" or not {item, source, label} <= set(frame.columns):
        return frame
    kept: Literal["first", "last"] = "first" if repeated == "first" else "last"
    said = as_series(frame[label]).is_not_null()  # NaN says nothing either
    once = frame.filter(said).unique([item, source], keep=kept, maintain_order=True)
    return pl.concat([once, frame.filter(~said)])


def _edges(confidence: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Inner edges at quantiles; each is some row's confidence, so that no bin is empty."""
    if len(confidence) == 0:
        return np.empty(0)
    edges = np.unique(np.quantile(confidence, np.arange(1, bins) / bins, method="higher"))
    return np.asarray(edges[edges > confidence.min()])


def _symbols(
    vocabulary: Vocabulary, said: ClassSets, level: NDArray[np.integer[Any]]
) -> NDArray[np.int32]:
    known = np.full((len(vocabulary.sets), int(vocabulary.level.max()) + 1), -1, dtype=np.int32)
    known[vocabulary.meaning, vocabulary.level] = np.arange(len(vocabulary), dtype=np.int32)
    place = {members.tobytes(): row for row, members in enumerate(vocabulary.sets)}
    row = np.array([place.get(members.tobytes(), -1) for members in said.table], dtype=np.int64)
    # a tie never seen before is read as its first class: the words of `like` stay as they are
    new = (row < 0) | (known[row, 0] < 0)
    row[new] = said.table[new].argmax(axis=1)
    return np.asarray(known[row[said.which], level])
