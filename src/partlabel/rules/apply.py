"""Applying rules to a table, batch by batch, so that the table may be larger than memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from partlabel.errors import InputError
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace
from partlabel.rules.ballot import Ballot
from partlabel.rules.rule import Rule
from partlabel.tables import as_frame


def apply_rules(
    rules: Sequence[Rule],
    frame: Any,
    labels: LabelSpace | None = None,
    *,
    item: str | None = None,
    like: Votes | None = None,
    batch_size: int = 131_072,
    progress: Callable[[int, int], None] | None = None,
) -> Votes:
    """Give what each rule says about each row of a table.

    A lazy frame, such as ``pl.scan_parquet(...)``, is read in batches and only in the columns that
    the rules read, so that memory holds a few batches, the votes, and the probabilities of models.

    Parameters
    ----------
    rules : sequence of Rule
        The sources of the votes, in this order; those that give probabilities come last.
    frame : polars DataFrame or LazyFrame, pandas or Arrow table, or mapping of columns
        One row per item.
    labels : LabelSpace, default None
        None takes it from `like`, or infers the classes from what the rules may say.
    item : str, default None
        The column of item ids; positions where None.
    like : Votes, default None
        Votes of the same rules on other rows. Their vocabulary and confidence bins are used, so
        that a model that was fitted to them can read the new votes.
    batch_size : int, default 131_072
        Rows at a time. More rows keep more cores busy and take more memory; the votes stay the
        same.
    progress : callable, default None
        Called after each batch with the rows done and the rows in total.

    Returns
    -------
    Votes

    Raises
    ------
    InputError
        If there is no rule or no row, two rules have one name, a column is missing, a rule raises
        or says what is no class, a condition isn't about a row by itself, or ids aren't unique.

    Examples
    --------
    >>> from partlabel.rules import keywords, rule
    >>> short = rule("ham", pl.col("text").str.len_chars() < 8, name="short")
    >>> rules = [keywords("spam", ["free"], "text"), short]
    >>> apply_rules(rules, {"text": ["Free money!", "so nice", "I agree with you"]})
    Votes(2 votes of 2 sources on 3 items, 2 classes)
    """
    _check(rules, batch_size)
    if labels is None:
        labels = like.labels if like is not None else _inferred(rules)
    table = frame if isinstance(frame, pl.LazyFrame) else as_frame(frame, "frame")
    columns = _columns(rules, table.collect_schema().names(), item)
    n_rows = 0 if progress is None else table.lazy().select(pl.len()).collect().item()
    ballot = Ballot(rules, labels)
    for batch in _batches(table.select(columns), batch_size):
        ballot.ask(batch, None if item is None else batch[item])
        if progress is not None:
            progress(ballot.n_items, n_rows)
    if ballot.n_items == 0:
        raise InputError(
            "`frame` must have at least one row; got none. Check that the input isn't empty."
        )
    votes = ballot.votes(item, like)
    return votes if like is None else votes.in_vocabulary(like.vocabulary)


def _check(rules: Sequence[Rule], batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"`batch_size` must be at least 1; got {batch_size}.")
    if not rules:
        raise InputError("`rules` must hold at least one rule; got none.")
    seen: dict[str, int] = {}
    for place, rule in enumerate(rules):
        if not isinstance(rule, Rule):
            raise TypeError(
                f"`rules` must hold rules; got {type(rule).__name__} at position {place}. "
                "Turn a function into a rule with `row_rule` or `batch_rule`."
            )
        if rule.name in seen:
            raise InputError(
                f"`rules` must have different names; got {rule.name!r} at positions "
                f"{seen[rule.name]} and {place}. Pass `name` to one of them."
            )
        seen[rule.name] = place


def _inferred(rules: Sequence[Rule]) -> LabelSpace:
    names: dict[Any, None] = {}
    for rule in rules:
        if rule.says is None:
            raise InputError(
                f"`labels` must be given, as rule {rule.name!r} doesn't tell what it may say. "
                "Pass a LabelSpace, or `says` to the rule."
            )
        for label in rule.says:
            names.update(dict.fromkeys(label if isinstance(label, tuple) else (label,)))
    if len(names) < 2:
        raise InputError(
            "`labels` must be given where the rules name fewer than two classes; they name "
            f"{list(names)!r}. Pass a LabelSpace with all classes."
        )
    return LabelSpace.infer(list(names))


def _columns(rules: Sequence[Rule], there: list[str], item: str | None) -> list[str]:
    """The columns to load; refuses those that aren't there, in the name of who wants them."""
    wanted = {} if item is None else {item: "`item`"}
    for rule in rules:
        wanted |= dict.fromkeys(rule.reads or (), f"Rule {rule.name!r}")
    for name, who in wanted.items():
        if name not in there:
            shown = ", ".join(map(repr, there[:12])) + (", ..." if len(there) > 12 else "")
            raise InputError(
                f"{who} must name columns of the table; got {name!r}, but its columns are {shown}."
            )
    everything = any(rule.reads is None for rule in rules)
    return [name for name in there if everything or name in wanted]


def _batches(table: pl.DataFrame | pl.LazyFrame, batch_size: int) -> Iterator[pl.DataFrame]:
    batches: Iterable[pl.DataFrame] = (
        table.iter_slices(batch_size)
        if isinstance(table, pl.DataFrame)
        else table.collect_batches(chunk_size=batch_size)
    )
    return (batch for batch in batches if len(batch))
