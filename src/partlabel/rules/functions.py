"""Rules that are Python functions, of a row or of a batch; and look-ups in a dictionary."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

import polars as pl

from partlabel.errors import InputError
from partlabel.rules.rule import Function, Rule, spoken


@overload
def row_rule(function: Callable[[dict[str, Any]], Any]) -> Rule: ...
@overload
def row_rule(
    function: None = None,
    *,
    reads: Iterable[str] | None = None,
    says: Iterable[Any] | None = None,
    name: str | None = None,
) -> Callable[[Callable[[dict[str, Any]], Any]], Rule]: ...
def row_rule(
    function: Callable[[dict[str, Any]], Any] | None = None,
    *,
    reads: Iterable[str] | None = None,
    says: Iterable[Any] | None = None,
    name: str | None = None,
) -> Any:
    """Turn a Python function of one row into a rule; a decorator, with or without arguments.

    For what polars can't express. It is called once per row, which is by far the slowest kind.

    Parameters
    ----------
    function : callable, dict of column to value -> label
        Gives a class name, a coarse name, a collection of them, or None to say nothing.
    reads : iterable of str, default None
        The columns that the function is given; None gives it all columns of the table.
    says : iterable of labels, default None
        What it may say; needed only where the label space isn't given to `apply_rules`.
    name : str, default None
        None takes the function's name.

    Returns
    -------
    Rule, or a decorator that gives one

    Examples
    --------
    >>> @row_rule(reads=["text"], says=["ham"])
    ... def short(row):
    ...     return "ham" if len(row["text"].split()) < 5 else None
    >>> short.name
    'short'
    """
    return _rule_of(function, reads, says, name, per_row=True)


@overload
def batch_rule(function: Callable[[pl.DataFrame], Any]) -> Rule: ...
@overload
def batch_rule(
    function: None = None,
    *,
    reads: Iterable[str] | None = None,
    says: Iterable[Any] | None = None,
    name: str | None = None,
) -> Callable[[Callable[[pl.DataFrame], Any]], Rule]: ...
def batch_rule(
    function: Callable[[pl.DataFrame], Any] | None = None,
    *,
    reads: Iterable[str] | None = None,
    says: Iterable[Any] | None = None,
    name: str | None = None,
) -> Any:
    """Turn a Python function of a batch of rows into a rule; a decorator as well.

    For what is costly to call once per row. What it says about a row must not depend on the other
    rows of the batch.

    Parameters
    ----------
    function : callable, polars DataFrame -> (n_rows,) labels
        Gives a Series, array or list: for each row a class name, a coarse name, a list of them, or
        null.
    reads, says, name
        As in `row_rule`.

    Returns
    -------
    Rule, or a decorator that gives one

    Examples
    --------
    >>> @batch_rule(reads=["text"], says=["ham"])
    ... def short(batch):
    ...     return ["ham" if len(text) < 20 else None for text in batch["text"]]
    >>> short.reads
    ('text',)
    """
    return _rule_of(function, reads, says, name, per_row=False)


def lookup(column: str, mapping: Mapping[Any, Any], *, name: str | None = None) -> Rule:
    """Make a rule that looks the value of a column up in a dictionary.

    Parameters
    ----------
    column : str
    mapping : mapping of value to label
        A label is a class name, a coarse name or a collection of them. Other values say nothing.
    name : str, default None
        None gives ``"lookup of column"``.

    Returns
    -------
    Rule

    Raises
    ------
    InputError
        If `mapping` is empty.

    Examples
    --------
    >>> lookup("domain", {"example.com": "ham", "win.example": "spam"}).says
    ('ham', 'spam')
    """
    if not mapping:
        raise InputError("`mapping` must hold at least one value; got none.")
    labels = [spoken(label) for label in mapping.values()]
    says = tuple(dict.fromkeys(labels))
    place = {value: says.index(label) for value, label in zip(mapping, labels, strict=True)}
    nested = any(isinstance(label, tuple) for label in says)
    words = pl.Series(
        [list(label) if isinstance(label, tuple) else [label] for label in says] if nested else says
    )

    def found(batch: pl.DataFrame) -> pl.Series:
        return words.gather(
            batch[column].replace_strict(place, default=None, return_dtype=pl.UInt32)
        )

    return Function(
        name=f"lookup of {column}" if name is None else name,
        reads=(column,),
        says=says,
        function=found,
        per_row=False,
    )


def _rule_of(function: Any, reads: Any, says: Any, name: str | None, *, per_row: bool) -> Any:
    def made(function: Callable[[Any], Any]) -> Rule:
        return Function(
            name=getattr(function, "__name__", type(function).__name__) if name is None else name,
            reads=None if reads is None else tuple(dict.fromkeys(reads)),
            says=None if says is None else tuple(spoken(label) for label in says),
            function=function,
            per_row=per_row,
        )

    return made if function is None else made(function)
