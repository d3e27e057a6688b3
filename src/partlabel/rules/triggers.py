"""Triggers: the places in texts where rules found what they look for, and texts without them."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from partlabel.rules.patterns import searched_column
from partlabel.rules.rule import Condition, Rule
from partlabel.tables import as_frame, column

SPANS = {
    "row": pl.Int64,
    "rule": pl.String,
    "column": pl.String,
    "start": pl.Int64,
    "stop": pl.Int64,
    "trigger": pl.String,
}
SEPARATORS = [chr(code) for code in range(0xFDD0, 0xFDF0)]  # Unicode keeps them out of texts


def find_triggers(rules: Sequence[Rule], frame: Any) -> pl.DataFrame:
    """Give what `keywords` and `regex` rules found in each text, and where.

    Rules of other kinds don't search texts and have no triggers.

    Parameters
    ----------
    rules : sequence of Rule
    frame : polars, pandas or Arrow table, or mapping of columns

    Returns
    -------
    polars.DataFrame, one row per match, by rule and then by row
        ``row`` (position), ``rule`` (name), ``column``, ``start`` and ``stop`` (in characters, as
        Python slices), ``trigger`` (what was found).

    Raises
    ------
    InputError
        If a column that a rule searches isn't there.

    Examples
    --------
    >>> from partlabel.rules import keywords
    >>> rules = [keywords("spam", ["free", "win"], "text", name="money")]
    >>> find_triggers(rules, {"text": ["Free money, win!", "nice"]})["trigger"].to_list()
    ['Free', 'win']
    """
    table = as_frame(frame, "frame")
    found = [
        _found(rule.name, pattern, column(table, searched_column(rule), "rules"))
        for rule in rules
        if isinstance(rule, Condition)
        for pattern in rule.patterns
    ]
    return pl.concat([pl.DataFrame(schema=SPANS), *found])


def hide_triggers(rules: Sequence[Rule], frame: Any, *, mask: str = " ") -> pl.DataFrame:
    """Give the table with the triggers of rules hidden in its texts.

    What a model still sees then is what there is to learn besides the rules. To hide them in some
    rows while a model trains, see `partlabel.learn.TriggerDropout`.

    Parameters
    ----------
    rules, frame
        As in `find_triggers`.
    mask : str, default " "
        What stands in the place of a trigger; the mask token of a language model, say.

    Returns
    -------
    polars.DataFrame

    Raises
    ------
    InputError
        If a column that a rule searches isn't there.

    Examples
    --------
    >>> from partlabel.rules import keywords
    >>> rules = [keywords("spam", ["free", "win"], "text", name="money")]
    >>> hide_triggers(rules, {"text": ["Free money", "nice"]}, mask="_")["text"].to_list()
    ['_ money', 'nice']
    """
    table = as_frame(frame, "frame")
    return without_spans(table, find_triggers(rules, table), mask)


def without_spans(table: pl.DataFrame, spans: pl.DataFrame, mask: str = " ") -> pl.DataFrame:
    """Give the table with spans of its texts replaced; those that overlap are replaced as one.

    Parameters
    ----------
    table : polars.DataFrame
    spans : polars.DataFrame
        With ``row``, ``column``, ``start`` and ``stop``, as `find_triggers` gives them.
    mask : str, default " "
    """
    for (name,), own in spans.group_by("column", maintain_order=True):
        texts = table[str(name)].to_list()
        for row, places in merged_spans(own):
            texts[row] = _replaced(texts[row], places, mask)
        table = table.with_columns(pl.Series(str(name), texts, dtype=pl.String))
    return table


def merged_spans(spans: pl.DataFrame) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Each row with the spans of its text, in order; those that overlap or touch are one."""
    by_row = spans.sort("row", "start").group_by("row", maintain_order=True)
    for row, starts, stops in by_row.agg("start", "stop").iter_rows():
        places: list[tuple[int, int]] = []
        for start, stop in zip(starts, stops, strict=True):
            if places and start <= places[-1][1]:
                places[-1] = (places[-1][0], max(stop, places[-1][1]))
            else:
                places.append((start, stop))
        yield row, places


def _replaced(text: str, places: list[tuple[int, int]], mask: str) -> str:
    ends = [0, *(stop for _, stop in places)]
    starts = [*(start for start, _ in places), len(text)]
    return mask.join(text[end:start] for end, start in zip(ends, starts, strict=True))


def _found(name: str, pattern: str, texts: pl.Series) -> pl.DataFrame:
    """Where one pattern occurs: polars puts separators around it, as it gives no positions."""
    text = pl.col("text")
    matching = (
        pl.LazyFrame({"text": texts}).with_row_index("row").filter(text.str.contains(pattern))
    )
    separator = next(
        sign for sign in SEPARATORS if not texts.str.contains(sign, literal=True).any()
    )
    pieces = matching.with_columns(
        text.str.replace_all(pattern, f"{separator}${{0}}{separator}").str.split(separator)
    ).explode("text")
    placed = pieces.with_columns(
        stop=text.str.len_chars().cum_sum().over("row").cast(pl.Int64),
        is_match=pl.int_range(pl.len()).over("row") % 2 == 1,
    )
    return (
        placed.filter("is_match", text != "")
        .select(
            row=pl.col("row").cast(pl.Int64),
            rule=pl.lit(name),
            column=pl.lit(texts.name),
            start=pl.col("stop") - text.str.len_chars().cast(pl.Int64),
            stop="stop",
            trigger=text,
        )
        .collect()
    )
