"""Candidates: for each item, the classes that are still possible."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from partlabel.errors import InputError, rows_named
from partlabel.evidence.ids import read_ids
from partlabel.evidence.sets import ClassSets
from partlabel.labels import LabelSpace
from partlabel.tables import COLLECTIONS, as_series, distinct, is_null


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """For each item, the classes that are still possible.

    One class is a label, all classes are knowing nothing, "not class 3" is all but one, and a
    coarse name is the set of its classes. Right where the true class is always among the
    candidates; where it may not be, give the channel some noise.

    Attributes
    ----------
    sets : ClassSets
        Distinct sets, and which of them each item holds.
    labels : LabelSpace
    item_ids : (n_items,) or None
        What the user calls the items; None means positions.

    Examples
    --------
    >>> labels = LabelSpace(["cat", "dog", "car"])
    >>> Candidates.from_lists([["cat", "dog"], None, "car"], labels).sizes
    array([2, 3, 1])
    """

    sets: ClassSets
    labels: LabelSpace
    item_ids: NDArray[Any] | None = None

    @classmethod
    def from_mask(cls, mask: ArrayLike, labels: LabelSpace, *, items: Any = None) -> "Candidates":
        """Read a table that is 1 where the class is possible.

        Parameters
        ----------
        mask : (n_items, n_classes) bool, or 0 and 1
        labels : LabelSpace
        items : (n_items,) ids, default None

        Raises
        ------
        InputError
            If the shape is wrong, a value is neither 0 nor 1, there is no row, a row has no
            candidate, or the ids don't fit the rows.
        """
        table = np.asarray(mask)
        if table.ndim != 2 or table.shape[1] != len(labels):
            raise InputError(
                f"`mask` must have the shape (n_items, {len(labels)}); got {table.shape}. "
                "Give one column for each class."
            )
        if table.dtype != bool:
            odd = ~np.isin(table, (0, 1)).all(axis=1)
            if odd.any():
                raise InputError(
                    f"`mask` must hold only 0 and 1; it doesn't at {rows_named(odd)}. Correct them."
                )
        return cls._checked(ClassSets.from_mask(table.astype(bool)), labels, items, "mask")

    @classmethod
    def from_lists(cls, values: Any, labels: LabelSpace, *, items: Any = None) -> "Candidates":
        """Read names: for each item a list of classes or coarse names, one name, or null for any.

        Raises
        ------
        InputError
            If a name is unknown, a list is empty, or there is no row.
        """
        return cls._checked(
            ClassSets.from_values(values, labels, "candidates"), labels, items, "candidates"
        )

    @classmethod
    def from_labels(
        cls, y: Any, labels: LabelSpace | None = None, *, missing: Any = None, items: Any = None
    ) -> "Candidates":
        """Read one label per item, with gaps: a label is a set of one, a gap is the set of all.

        Parameters
        ----------
        y : (n_items,) class names or coarse names
            Integers are codes where no class name is a number.
        labels : LabelSpace, default None
            None infers the classes from `y`.
        missing : value, default None
            What stands for "no label", such as -1. Null and NaN always do.
        items : (n_items,) ids, default None

        Raises
        ------
        InputError
            If a label is unknown, or there is no row.
        """
        series = as_series(y)
        if not is_null(missing):
            which, first = distinct(series)
            gap = np.array([_is(series[int(row)], missing) for row in first], dtype=bool)[which]
            series = series.zip_with(pl.Series(~gap), pl.Series([None], dtype=series.dtype))
        if labels is None:
            labels = LabelSpace.infer(series)
        return cls._checked(ClassSets.from_values(series, labels, "label"), labels, items, "label")

    @classmethod
    def excluding(cls, values: Any, labels: LabelSpace, *, items: Any = None) -> "Candidates":
        """Read complementary labels: for each item what it is *not*; null excludes no class.

        Raises
        ------
        InputError
            If a name is unknown, there is no row, or all classes of an item are excluded.
        """
        series = as_series(values)
        named = ClassSets.from_values(series, labels, "excluded")
        nothing = series.is_null().to_numpy()
        table = np.vstack([~named.table, np.ones((1, len(labels)), dtype=bool)])
        which = np.where(nothing, len(named.table), named.which).astype(np.int32)
        return cls._checked(ClassSets(table, which), labels, items, "excluded")

    @classmethod
    def _checked(cls, sets: ClassSets, labels: LabelSpace, items: Any, what: str) -> "Candidates":
        if len(sets.which) == 0:
            raise InputError(
                f"`{what}` must have at least one row; got none. Check that the input isn't empty."
            )
        ids = read_ids(items, len(sets.which))
        empty = sets.sizes == 0
        if empty.any():
            raise InputError(
                f"`{what}` must leave at least one class possible; none is left at "
                f"{rows_named(empty, ids)}. "
                "Give null (or a row of ones) where nothing is known, or correct the row."
            )
        return cls(sets, labels, ids)

    def __len__(self) -> int:
        return len(self.sets.which)

    def __repr__(self) -> str:
        return (
            f"Candidates({len(self)} items, {len(self.labels)} classes; {int(self.exact.sum())} "
            f"exact, {int(self.partial.sum())} partial)"
        )

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(n_items,) How many classes are possible."""
        return self.sets.sizes

    @property
    def exact(self) -> NDArray[np.bool_]:
        """(n_items,) True where one class is left."""
        return np.asarray(self.sizes == 1)

    @property
    def partial(self) -> NDArray[np.bool_]:
        """(n_items,) True where some, but more than one, are left."""
        return np.asarray((self.sizes > 1) & ~self.unknown)

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """(n_items,) True where every class is possible."""
        return np.asarray(self.sizes == len(self.labels))

    def codes(self) -> NDArray[np.int32]:
        """(n_items,) The class code where `exact`; elsewhere of no meaning."""
        first = self.sets.table.argmax(axis=1).astype(np.int32)
        return np.asarray(first[self.sets.which])

    def mask(self) -> NDArray[np.bool_]:
        """(n_items, n_classes) True where the class is possible."""
        return np.asarray(self.sets.table[self.sets.which])

    def select(self, rows: Any) -> "Candidates":
        """Give some items: a mask, positions or a slice."""
        ids = None if self.item_ids is None else self.item_ids[rows]
        return replace(self, sets=self.sets.select(rows), item_ids=ids)


def _is(value: Any, missing: Any) -> bool:
    # a code of a gap is one value, and True is not the number 1 here
    same_kind = isinstance(value, bool | np.bool_) == isinstance(missing, bool | np.bool_)
    return same_kind and not isinstance(value, COLLECTIONS) and bool(value == missing)
