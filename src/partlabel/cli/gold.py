"""Gold from a file: labels of items, checked against the items that they are about."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from partlabel.cli.columns import nearest, spoken
from partlabel.cli.formats import read_table
from partlabel.cli.settings import Columns
from partlabel.errors import InputError

NAMED = 3


def read_gold(
    path: Path, items: pl.Series, classes: Sequence[str], fitted: Columns
) -> pl.DataFrame:
    """Read labels of items: a table with the columns item and label, or as the run calls them.

    Parameters
    ----------
    path : the file
    items : (n_items,) what the items are called
    classes : the classes of the run
    fitted : the columns that the run was fitted on

    Returns
    -------
    polars.DataFrame
        item and label, without items that aren't there.

    Raises
    ------
    InputError
        If a column isn't there, an item is named twice, no item is known, or a label is no class.
    """
    table = read_table(path)
    item = _column(table, path, "item", fitted.item)
    label = _column(table, path, "label", fitted.gold)
    gold = table.select(item=item, label=spoken(table[label])).drop_nulls()
    if not len(gold):
        raise InputError(f"The gold file must hold a label; {str(path)!r} has none. Add some.")
    if gold["label"].dtype != pl.String:
        raise InputError(
            f"The gold file must name one class an item; {str(path)!r} names several (a|b), which "
            "are candidates. Leave such labels empty."
        )
    if gold["item"].is_duplicated().any():
        twice = gold.filter(pl.col("item").is_duplicated())["item"][0]
        raise InputError(
            f"The gold file must name an item once; {twice!r} is there twice. Keep one of them."
        )
    unknown = gold.filter(~pl.col("label").is_in(classes))
    if len(unknown):
        raise InputError(
            f"The gold file must hold classes of the run; got {unknown['label'][0]!r} for item "
            f"{unknown['item'][0]!r} ({len(unknown):,} of {len(gold):,} labels). "
            f"{nearest(str(unknown['label'][0]), classes)}"
        )
    return _of_items(gold, items)


def _column(table: pl.DataFrame, path: Path, name: str, as_fitted: str | None) -> str:
    """The column of this name, or of the name that it had in `fit`."""
    for known in (name, as_fitted):
        if known in table.columns:
            return str(known)
    other = "" if as_fitted in (name, None) else f" or {as_fitted!r}"
    raise InputError(
        f"The gold file must have a column {name!r}{other}; {str(path)!r} has "
        f"{', '.join(map(repr, table.columns[:12]))}. Rename its columns."
    )


def some(names: pl.Series) -> str:
    """Give a few names, and how many are left unsaid."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{', '.join(map(repr, names[:NAMED].to_list()))}{more}"


def _of_items(gold: pl.DataFrame, items: pl.Series) -> pl.DataFrame:
    """The labels of items that are there, named in their type; refused where there is none."""
    named = gold.with_columns(pl.col("item").cast(items.dtype, strict=False))
    there = named.filter(pl.col("item").is_in(items.implode()))
    if len(there):
        return there
    raise InputError(
        f"The gold file must name items that are there; got {some(gold['item'])}, and none of "
        f"these {len(gold):,} is. The items are called {some(items)}: write ids as the table has "
        "them, or row numbers from 0 on where --item named no column."
    )
