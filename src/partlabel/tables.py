"""Tables and columns of any library in polars, without importing that library."""

from collections.abc import Hashable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError

COLLECTIONS = (list, tuple, set, frozenset, np.ndarray, pl.Series)


def as_frame(table: Any, what: str = "table") -> pl.DataFrame:
    """Take a polars, pandas or Arrow table, or a mapping of columns, as a polars frame.

    Parameters
    ----------
    table : DataFrame, LazyFrame, Arrow table, or mapping of column name to values
        A lazy frame is collected. Missing values of other libraries become null.
    what : str, default "table"
        What the table is called in an error.

    Raises
    ------
    InputError
        If the columns of a mapping differ in length, or two columns have one name.
    TypeError
        If `table` is none of these.
    """
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if isinstance(table, Mapping):
        return _framed([as_series(values).alias(str(name)) for name, values in table.items()], what)
    if _speaks_arrow(table):
        return pl.DataFrame(table)
    try:
        columns = list(nw.from_native(table, eager_only=True).iter_columns())
    except TypeError:
        raise TypeError(
            f"`{what}` must be a polars, pandas or Arrow table, or a mapping of columns; got "
            f"{type(table).__name__}. Convert it to one of these."
        ) from None
    except nw.exceptions.DuplicateError as reason:
        raise _two_of_one_name(what, reason) from None
    return _framed([as_series(one.to_native()).alias(str(one.name)) for one in columns], what)


def column(frame: pl.DataFrame, name: str, role: str) -> pl.Series:
    """Give one column, or say which columns there are.

    Raises
    ------
    InputError
        If the frame has no column of this name.
    """
    if name not in frame.columns:
        more = ", ..." if len(frame.columns) > 12 else ""
        shown = ", ".join(repr(c) for c in frame.columns[:12]) + more
        raise InputError(
            f"`{role}` must name a column of the table; got {name!r}, but its columns are {shown}. "
            "Pass one of these."
        )
    return frame[name]


def as_series(values: Any) -> pl.Series:
    """Take an array, a Series of any library or a list as a polars Series.

    Missing values and NaN become null, categories their names, and values of mixed kinds objects.

    Raises
    ------
    InputError
        If an array has more than one dimension.
    TypeError
        If `values` is one string.
    """
    if isinstance(values, str):
        raise TypeError(f"A column must be a sequence; got the string {values!r}. Pass a list.")
    series = values if isinstance(values, pl.Series) else _converted(values)
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    return series.fill_nan(None) if series.dtype.is_float() else series


def distinct(values: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the distinct values of a column by their first appearance; nulls are one value.

    Returns
    -------
    which : (n_rows,)
        The number of each row's value.
    first : (n_distinct,)
        The row where each value first stands; ascending.
    """
    if values.dtype == pl.Object:
        number: dict[Hashable, int] = {}
        listed = [number.setdefault(_key(value), len(number)) for value in values]
        which = np.array(listed, dtype=np.int64)
        return which, np.unique(which, return_index=True)[1]
    first = values.arg_unique()
    known = values.gather(first).to_frame("value").with_row_index("which")
    rows = values.to_frame("value").join(
        known, on="value", how="left", nulls_equal=True, maintain_order="left"
    )
    return rows["which"].cast(pl.Int64).to_numpy(), first.cast(pl.Int64).to_numpy()


def is_null(value: Any) -> bool:
    """Whether a value is None, NaN or another library's missing value."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def plain(value: Any) -> Any:
    """Give a numpy scalar as the Python value that it equals, anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _converted(values: Any) -> pl.Series:
    if _speaks_arrow(values):
        return pl.Series(values)
    if not isinstance(values, np.ndarray | list | tuple):
        typed = isinstance(getattr(values, "dtype", None), np.dtype)
        if hasattr(values, "__array__"):
            values = np.asarray(values, dtype=None if typed else object)
        else:
            values = list(values)
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise InputError(
                f"A column must have one dimension; got an array of shape {values.shape}. "
                "Pass one value per row."
            )
        values = values.tolist() if values.dtype == object else values
    series = _strict(values)
    if series.dtype != pl.Object:
        return series
    return _strict([None if is_null(value) else plain(value) for value in values])


def _strict(values: Any) -> pl.Series:
    """A column of one kind, or of objects."""
    try:
        return pl.Series(values, strict=True)
    except (TypeError, AttributeError, pl.exceptions.PolarsError):
        # AttributeError: polars takes a Series beside a string for a list of lists
        return pl.Series(values, dtype=pl.Object)


def _speaks_arrow(values: Any) -> bool:
    # pandas offers Arrow only where pyarrow is installed, so it is read in its own way
    return not hasattr(values, "iloc") and (
        hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__")
    )


def _framed(columns: list[pl.Series], what: str) -> pl.DataFrame:
    lengths = {one.name: len(one) for one in columns}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {n}" for name, n in list(lengths.items())[:12])
        raise InputError(
            f"`{what}` must have columns of one length; got the lengths {shown}. "
            "Give each column a value for each row."
        )
    try:
        return pl.DataFrame(columns)
    except pl.exceptions.DuplicateError as reason:
        raise _two_of_one_name(what, reason) from None


def _two_of_one_name(what: str, reason: Exception) -> InputError:
    return InputError(
        f"`{what}` must have columns with different names; {reason}. Rename or drop one of them."
    )


def _key(value: Any) -> Hashable:
    return frozenset(value) if isinstance(value, COLLECTIONS) else value
