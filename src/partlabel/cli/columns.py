"""Columns by name or pattern, and labels as the command line takes them: as strings."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

import polars as pl

from partlabel.errors import InputError
from partlabel.labels import LabelSpace
from partlabel.tables import as_series

MOST_CLASSES = 100  # of which every other label may be another
OR = "|"
LIKELY_ABSTAIN = ("-1", "", "abstain", "ABSTAIN", "None", "nan")


def nearest(name: str, known: Iterable[str]) -> str:
    """Give the hint ``Did you mean 'label'?``, or what there is to choose from."""
    known = list(known)
    close = get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    more = f" and {len(known) - 12:,} more" if len(known) > 12 else ""
    return f"Known are {', '.join(map(repr, known[:12]))}{more}."


def present(frame: pl.DataFrame, name: str, option: str) -> str:
    """Give the name of a column that is there.

    Raises
    ------
    InputError
        If it isn't.
    """
    if name not in frame.columns:
        raise InputError(
            f"`{option}` must name a column of the table; got {name!r}. "
            f"{nearest(name, frame.columns)}"
        )
    return name


def matching(
    frame: pl.DataFrame, patterns: Sequence[str], option: str, but: Collection[str | None] = ()
) -> tuple[str, ...]:
    """Give the columns that the patterns name, in the order of the table.

    Parameters
    ----------
    frame : table
    patterns : names, or patterns such as ``lf_*``
    option : what the user calls them
    but : columns that are something else already, so that no pattern (but a name) means them

    Raises
    ------
    InputError
        If a pattern names none.
    """
    found = set()
    for pattern in patterns:
        names = {name for name in frame.columns if fnmatchcase(name, pattern) and name not in but}
        names |= {pattern} & set(frame.columns)
        if not names:
            raise InputError(
                f"`{option}` must name columns of the table; {pattern!r} matches none. "
                f"{nearest(pattern, frame.columns)}"
            )
        found |= names
    return tuple(name for name in frame.columns if name in found)


def spoken(column: pl.Series, abstain: Sequence[str] = ()) -> pl.Series:
    """Give labels as strings, or lists of them where some row says several; null says nothing.

    Numbers and booleans become what they are written as, and ``a|b`` becomes two classes.

    Parameters
    ----------
    column : (n_rows,) labels, or lists of them
    abstain : sequence of str
        What stands for "said nothing", beside null.

    Returns
    -------
    (n_rows,) strings, or lists of strings
    """
    if isinstance(column.dtype, pl.List | pl.Array):
        inner = column.explode()
        whole = inner.cast(pl.Int64) if _counts(inner) else inner
        return column.cast(pl.List(whole.dtype)).cast(pl.List(pl.String))
    column = as_series(column)  # NaN becomes null
    words = (column.cast(pl.Int64) if _counts(column) else column).cast(pl.String)
    if abstain:
        words = words.set(words.is_in(list(abstain)).fill_null(value=False), None)
    several = words.str.contains(OR, literal=True).any()
    return words.str.split(OR) if several else words


def classes_of(columns: Iterable[pl.Series], also: Iterable[str] = ()) -> LabelSpace:
    """Read the classes off the labels that there are.

    Raises
    ------
    InputError
        If there are fewer than two, or one of them looks like "said nothing".
    """
    found = set(also)
    for column in columns:
        flat = (column.explode() if column.dtype == pl.List else column).drop_nulls()
        words = set(flat.unique().to_list())
        if len(words) > MOST_CLASSES and 2 * len(words) > len(flat):
            raise InputError(
                f"A column of labels must repeat them; {column.name!r} holds {len(words)} values "
                f"in {len(flat)} rows, as texts or ids do. Name the columns of the sources with "
                "--sources, or all classes with --classes."
            )
        found |= words
    odd = sorted(found & set(LIKELY_ABSTAIN))
    if odd:
        raise InputError(
            f"`--classes` must be given; the labels hold {odd[0]!r}, which may not be a class. "
            f"If it means that nothing was said, add --abstain={odd[0]}."
        )
    if len(found) < 2:
        raise InputError(
            f"The labels must show at least two classes; they show {sorted(found)!r}. "
            "Name all classes with --classes."
        )
    if all(name.removeprefix("-").isdecimal() for name in found):
        return LabelSpace(tuple(str(number) for number in sorted(map(int, found))))
    return LabelSpace(tuple(sorted(found)))


def _counts(column: pl.Series) -> bool:
    """Whether numbers with a point are whole: class codes that gaps have turned into floats."""
    return column.dtype.is_float() and bool((column.drop_nulls() % 1 == 0).all())
