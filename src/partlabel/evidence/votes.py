"""Votes: what each source said about each item."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from partlabel.errors import InputError, rows_named
from partlabel.evidence import readers
from partlabel.evidence.vocabulary import Vocabulary
from partlabel.labels import LabelSpace
from partlabel.tables import as_series


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What each source said about each item, one entry per vote.

    A source that said nothing about an item has no entry: there is no abstain code inside.

    Attributes
    ----------
    indptr : (n_items + 1,) int64
        Votes of item ``i`` are the entries ``indptr[i]:indptr[i + 1]``.
    symbol : (n_votes,) int32
        What was said, as a position in the sources' joined vocabularies; ascending within an item.
    vocabulary : Vocabulary
        The words of each source.
    labels : LabelSpace
    item_ids : (n_items,) or None
        What the user calls the items; None means positions.

    Examples
    --------
    >>> votes = Votes.from_matrix([[0, -1], [1, 1]], LabelSpace(["ham", "spam"]), abstain=-1)
    >>> votes.n_votes, votes.sources
    (3, ('source_0', 'source_1'))
    """

    indptr: NDArray[np.int64]
    symbol: NDArray[np.int32]
    vocabulary: Vocabulary
    labels: LabelSpace
    item_ids: NDArray[Any] | None = None

    @classmethod
    def from_matrix(
        cls,
        matrix: ArrayLike,
        labels: LabelSpace,
        *,
        abstain: int | None = -1,
        sources: Sequence[str] | None = None,
        items: Any = None,
    ) -> "Votes":
        """Read a dense matrix of class codes, as labelling-function libraries give it.

        Parameters
        ----------
        matrix : (n_items, n_sources) int
            Class codes in [0, n_classes), or `abstain`.
        labels : LabelSpace
        abstain : int or None, default -1
            The code of "said nothing"; NaN always is. None where no code is.
        sources : sequence of str, default None
            Names of the columns; ``source_0``, ... where None.
        items : (n_items,) ids, default None

        Raises
        ------
        InputError
            If the matrix is empty or not two-dimensional, a code is no whole number or out of
            range, or names or ids don't fit it.
        """
        parts = readers.from_matrix(matrix, labels, abstain=abstain, sources=sources, items=items)
        return cls(*parts)

    @classmethod
    def from_table(
        cls,
        table: Any,
        *,
        item: str = "item",
        source: str = "source",
        label: str = "label",
        labels: LabelSpace | None = None,
        n_items: int | None = None,
        repeated: Literal["refuse", "first", "last"] = "refuse",
    ) -> "Votes":
        """Read a long table with one row per vote, as crowd-sourcing platforms give it.

        The sources are sorted by name, so that the order of the rows doesn't matter to a model.

        Parameters
        ----------
        table : polars, pandas or Arrow table, or mapping of columns
        item, source, label : str
            Names of its columns. A label is a class, a coarse name, a list of them, or null for
            "said nothing".
        labels : LabelSpace, default None
            None infers the classes from the labels.
        n_items : int, default None
            When given, items are positions in [0, n_items), so that items without a vote keep their
            place. None takes the items as ids, in the order in which they appear.
        repeated : {"refuse", "first", "last"}, default "refuse"
            What to do where a source speaks twice about an item: refuse the table, or keep the
            first or the last of its votes.

        Raises
        ------
        InputError
            If a column is missing, the table is empty, an item or a source is null, a label is
            unknown, a position is out of range, or a source speaks twice about an item.
        """
        return cls(
            *readers.from_table(
                table,
                item=item,
                source=source,
                label=label,
                labels=labels,
                n_items=n_items,
                repeated=repeated,
            )
        )

    @classmethod
    def from_columns(
        cls,
        table: Any,
        columns: Sequence[str] | None = None,
        *,
        labels: LabelSpace | None = None,
        item: str | None = None,
    ) -> "Votes":
        """Read a wide table with one column per source.

        Parameters
        ----------
        table : polars, pandas or Arrow table, or mapping of columns
            Values are class names, coarse names, lists of them, or null for "said nothing".
        columns : sequence of str, default None
            The sources; None takes all columns but `item`.
        labels : LabelSpace, default None
            None infers the classes from all columns together.
        item : str, default None
            The column of item ids; positions where None.

        Raises
        ------
        InputError
            If a column is missing, the table is empty, or a value is no class.
        """
        return cls(*readers.from_columns(table, columns, labels=labels, item=item))

    @classmethod
    def from_probabilities(
        cls,
        probs: ArrayLike,
        labels: LabelSpace,
        *,
        source: str = "model",
        bins: int = 5,
        like: "Votes | None" = None,
        items: Any = None,
    ) -> "Votes":
        """Read a source that gives class probabilities, such as an LLM or an upstream model.

        Its word is (most likely class, confidence bin), so that what its confidence is worth is
        learnt, not believed. Classes that tie for the first place are said as a set.

        Parameters
        ----------
        probs : (n_items, n_classes) float
            Distributions; a row of NaN says nothing.
        labels : LabelSpace
        source : str, default "model"
        bins : int, default 5
            Bins of confidence, at quantiles of these rows. More bins follow the confidence more
            closely and need more votes each.
        like : Votes, default None
            Votes whose bins for this source are used instead, so that new rows are read alike.
        items : (n_items,) ids, default None

        Raises
        ------
        InputError
            If the shape is wrong, there is no row, a row is no distribution, or `like` has no such
            source or another label space.
        """
        if like is not None and like.labels != labels:
            raise InputError(
                f"`like` must have the label space {labels.classes}; it has {like.labels.classes}. "
                "Build both with one LabelSpace."
            )
        vocabulary = None if like is None else like.vocabulary
        return cls(
            *readers.from_probabilities(
                probs, labels, source=source, bins=bins, like=vocabulary, items=items
            )
        )

    @classmethod
    def joined(cls, parts: Sequence["Votes"]) -> "Votes":
        """Put the votes of different sources about the same items side by side.

        Parameters
        ----------
        parts : sequence of Votes
            With the same labels, and the same items in the same order.

        Raises
        ------
        InputError
            If there is none, they differ in labels or items, or two sources have one name.
        """
        if not parts:
            raise InputError("`parts` must hold at least one Votes; got none. Pass some.")
        one = parts[0]
        for place, part in enumerate(parts):
            if part.labels != one.labels:
                raise InputError(
                    f"`parts` must share one label space; part {place} has another one than part "
                    "0. Build all parts with one LabelSpace."
                )
            if part.n_items != one.n_items or not _same_ids(part.item_ids, one.item_ids):
                raise InputError(
                    "`parts` must be about the same items in the same order; "
                    f"part {place} is not. Align them first: `Votes.select` takes positions."
                )
        starts = np.cumsum([0, *(len(part.vocabulary) for part in parts[:-1])])
        item = np.concatenate([part.item for part in parts])
        symbol = np.concatenate([p.symbol + start for p, start in zip(parts, starts, strict=True)])
        vocabulary = Vocabulary.joined([part.vocabulary for part in parts])
        order = pl.Series(item * len(vocabulary) + symbol).arg_sort().to_numpy()
        return cls(
            indptr=readers.indptr_of(np.bincount(item, minlength=one.n_items)),
            symbol=symbol[order].astype(np.int32),
            vocabulary=vocabulary,
            labels=one.labels,
            item_ids=next((part.item_ids for part in parts if part.item_ids is not None), None),
        )

    def __len__(self) -> int:
        return self.n_items

    def __repr__(self) -> str:
        return (
            f"Votes({self.n_votes} votes of {self.n_sources} sources on {self.n_items} items, "
            f"{len(self.labels)} classes)"
        )

    @property
    def n_items(self) -> int:
        """How many items there are, with or without a vote."""
        return len(self.indptr) - 1

    @property
    def n_votes(self) -> int:
        """How many votes there are."""
        return len(self.symbol)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources."""
        return self.vocabulary.sources

    @property
    def n_sources(self) -> int:
        """How many sources there are, with or without a vote."""
        return len(self.vocabulary.sources)

    @property
    def votes_per_item(self) -> NDArray[np.int64]:
        """(n_items,) How many sources spoke about each item."""
        return np.diff(self.indptr)

    @property
    def item(self) -> NDArray[np.int64]:
        """(n_votes,) The item of each vote."""
        return np.repeat(np.arange(self.n_items), self.votes_per_item)

    @property
    def source(self) -> NDArray[np.int32]:
        """(n_votes,) The source of each vote."""
        return np.asarray(self.vocabulary.source[self.symbol])

    def select(self, rows: Any) -> "Votes":
        """Give some items, with all sources: a mask, a slice, or positions (-1 for no votes).

        Raises
        ------
        InputError
            If a mask is not as long as there are items, or a position is out of range.
        """
        rows = self._positions(rows)
        there = rows >= 0
        counts = np.zeros(len(rows), dtype=np.int64)
        counts[there] = self.votes_per_item[rows[there]]
        indptr = readers.indptr_of(counts)
        within = np.arange(indptr[-1]) - np.repeat(indptr[:-1], counts)
        symbol = self.symbol[np.repeat(self.indptr[:-1][rows[there]], counts[there]) + within]
        ids = None if self.item_ids is None or not there.all() else self.item_ids[rows]
        return replace(self, indptr=indptr, symbol=symbol, item_ids=ids)

    def to_polars(self) -> pl.DataFrame:
        """Give a long table: item, source, label (the name, or "a|b" for a set), level."""
        vocabulary, classes = self.vocabulary, self.labels.classes
        words = ["|".join(str(classes[k]) for k in np.flatnonzero(s)) for s in vocabulary.sets]
        ids = as_series(np.arange(self.n_items) if self.item_ids is None else self.item_ids)
        return pl.DataFrame(
            {
                "item": ids.gather(self.item),
                "source": pl.Series(vocabulary.sources, dtype=pl.String).gather(self.source),
                "label": pl.Series(words).gather(vocabulary.meaning[self.symbol]),
                "level": vocabulary.level[self.symbol],
            }
        )

    def in_vocabulary(self, vocabulary: Vocabulary) -> "Votes":
        """Give these votes in another vocabulary, so that a model fitted with it can read them.

        Raises
        ------
        InputError
            If the number of classes or the confidence bins of a source differ, or a source or a
            word isn't in `vocabulary`.
        """
        if vocabulary.sets.shape[1] != len(self.labels):
            raise InputError(
                f"`votes` must be about the {vocabulary.sets.shape[1]} classes of `fit`; they are "
                f"about {len(self.labels)}. Read the votes with that LabelSpace."
            )
        own = self.vocabulary
        if own.same_as(vocabulary):
            return self
        used = np.unique(self.symbol)
        known = own.symbols_in(vocabulary, used)
        if (known < 0).any():
            word = used[int(known.argmin())]
            said = [self.labels.classes[k] for k in np.flatnonzero(own.sets[own.meaning[word]])]
            raise InputError(
                "`votes` must use words that were known in `fit`; source "
                f"{own.sources[own.source[word]]!r} says {said} (level {own.level[word]}). "
                "Read the new rows with `like=`, or fit again."
            )
        symbol = known[np.searchsorted(used, self.symbol)]
        order = pl.Series(self.item * len(vocabulary) + symbol).arg_sort().to_numpy()
        return replace(self, symbol=symbol[order], vocabulary=vocabulary)

    def _positions(self, rows: Any) -> NDArray[np.int64]:
        if isinstance(rows, slice):
            return np.arange(self.n_items)[rows]
        rows = np.asarray(rows)
        if rows.dtype == bool:
            if len(rows) != self.n_items:
                raise InputError(
                    f"`rows` must be a mask of the {self.n_items} items, or positions; got a mask "
                    f"of {len(rows)}. Give one value per item."
                )
            return np.asarray(np.flatnonzero(rows))
        outside = (rows < -1) | (rows >= self.n_items)
        if outside.any():
            raise InputError(
                f"`rows` must lie in [-1, {self.n_items}); got {rows[int(outside.argmax())]} at "
                f"{rows_named(outside)}. -1 stands for an item without a vote."
            )
        return np.asarray(rows.astype(np.int64))


def _same_ids(one: NDArray[Any] | None, two: NDArray[Any] | None) -> bool:
    return one is None or two is None or np.array_equal(one, two)
