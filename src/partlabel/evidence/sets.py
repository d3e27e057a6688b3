"""ClassSets: distinct sets of classes, and which of them each row holds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError, rows_named
from partlabel.labels import LabelSpace
from partlabel.tables import COLLECTIONS, as_series, distinct


@dataclass(frozen=True, slots=True, eq=False)
class ClassSets:
    """A class set for each row, each distinct set held once.

    Attributes
    ----------
    table : (n_sets, n_classes) bool
        The distinct sets.
    which : (n_rows,) int32
        Row ``i`` holds the set ``table[which[i]]``.
    """

    table: NDArray[np.bool_]
    which: NDArray[np.int32]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(n_rows,) How many classes each row's set has."""
        return np.asarray(self.table.sum(axis=1)[self.which])

    def select(self, rows: Any) -> "ClassSets":
        """Give the sets of some rows."""
        return ClassSets(self.table, self.which[rows])

    @classmethod
    def from_mask(cls, mask: NDArray[np.bool_]) -> "ClassSets":
        """Find the distinct rows of a mask (n_rows, n_classes), in an order of their own."""
        packed = np.packbits(mask, axis=1)
        keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        return cls(np.ascontiguousarray(mask[first]), which.astype(np.int32))

    @classmethod
    def from_values(cls, values: Any, labels: LabelSpace, what: str) -> "ClassSets":
        """Read names: each value a class, a coarse name, a collection of them, or null for any.

        Integers are codes where no class name is a number.

        Raises
        ------
        InputError
            If a name is unknown, a code is out of range, or a collection is empty.
        """
        series = as_series(values)
        if series.dtype.is_numeric() and not any(
            isinstance(k, int | float) for k in labels.classes
        ):
            return cls._from_codes(series, labels, what)
        which, first = distinct(series)
        table = np.empty((len(first), len(labels)), dtype=bool)
        for place, row in enumerate(first):
            try:
                table[place] = _members(series[int(row)], labels)
            except InputError as reason:
                said = str(reason).replace("`label`", f"`{what}`", 1)
                raise InputError(f"{said} It stands at {rows_named(which == place)}.") from None
        merged = cls.from_mask(table)  # ["a", "b"], ["b", "a"] and a coarse name may be one set
        return cls(merged.table, merged.which[which])

    @classmethod
    def _from_codes(cls, series: pl.Series, labels: LabelSpace, what: str) -> "ClassSets":
        n_classes = len(labels)
        bad = ~(series.is_between(0, n_classes - 1) & (series == series.floor()))
        if bad.any():
            raise InputError(
                f"`{what}` must be codes in [0, {n_classes}); got {series.filter(bad)[0]} at "
                f"{rows_named(bad.fill_null(value=False).to_numpy())}. "
                "Add the class to `classes`, or say which value means missing."
            )
        table = np.vstack([np.eye(n_classes, dtype=bool), np.ones((1, n_classes), dtype=bool)])
        return cls(table, series.cast(pl.Int32).fill_null(n_classes).to_numpy())


def _members(value: Any, labels: LabelSpace) -> NDArray[np.bool_]:
    if value is None:
        return np.ones(len(labels), dtype=bool)
    if isinstance(value, COLLECTIONS) and len(value) == 0:
        raise InputError(
            "`label` must name at least one class; got an empty collection. "
            "Give null where nothing is said, or correct the row."
        )
    return labels.mask(value)
