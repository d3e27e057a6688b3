"""Rule: what a labelling function reads and may say; and rules that are conditions."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rule:
    """A labelling function: a source that says a class, or a set of classes, about some rows.

    Made by `rule`, `keywords`, `regex`, `threshold`, `lookup`, `predictions`, `classifier`,
    `row_rule` and `batch_rule`.

    Attributes
    ----------
    name : str
        The name of the source in the votes.
    reads : tuple of str, or None
        The columns that it reads; None where it may read any.
    says : tuple of labels, or None
        What it may say: class names, coarse names, tuples of them. None where that shows only as it
        speaks.
    patterns : tuple of str
        For rules that search a text: the regular expressions, of which one must occur in the column
        ``reads[0]``. They say where in a text a rule found something.
    """

    name: str
    reads: tuple[str, ...] | None
    says: tuple[Any, ...] | None
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"`name` must be a string; got {self.name!r}.")
        if self.reads is not None and not self.reads:
            raise InputError(
                f"Rule {self.name!r} must read at least one column; it reads none. "
                "Name the columns with `reads`."
            )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Condition(Rule):
    """Says one label wherever a condition holds."""

    condition: pl.Expr


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Function(Rule):
    """Says what a Python function of a row, or of a batch of rows, gives back."""

    function: Callable[[Any], Any]
    per_row: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Probabilities(Rule):
    """Says the class that a model holds most likely, and how sure the model is."""

    function: Callable[[pl.DataFrame], NDArray[np.float64]]
    bins: int


def rule(label: Any, condition: pl.Expr, *, name: str | None = None) -> Rule:
    """Make a rule that says `label` wherever a polars condition holds.

    The first choice for a rule: all conditions are evaluated together, on all cores.

    Parameters
    ----------
    label : class name, coarse name, or a collection of them
        A collection says "one of these".
    condition : polars expression
        Boolean, and about a row by itself: a null says nothing. What compares a row with others (a
        mean, a rank) is a column to compute beforehand.
    name : str, default None
        None takes the condition, written out, as the name.

    Returns
    -------
    Rule

    Raises
    ------
    TypeError
        If `condition` is no polars expression.
    InputError
        If the columns that it reads can't be told from it.

    Examples
    --------
    >>> shouting = rule("spam", pl.col("text").str.contains("!!!", literal=True), name="shouting")
    >>> shouting.reads
    ('text',)
    """
    if not isinstance(condition, pl.Expr):
        raise TypeError(
            f"`condition` must be a polars expression; got {type(condition).__name__}. "
            "Write it with `pl.col`, or turn a function into a rule with `row_rule`."
        )
    reads = tuple(dict.fromkeys(condition.meta.root_names()))
    if condition.meta.has_multiple_outputs() or not reads:
        raise InputError(
            f"`condition` must name the columns that it reads; got {condition}. "
            "Name them one by one, such as in `pl.any_horizontal('a', 'b')`."
        )
    return Condition(
        name=str(condition) if name is None else name,
        reads=reads,
        says=(spoken(label),),
        condition=condition,
    )


def threshold(
    label: Any, column: str, *, above: Any = None, below: Any = None, name: str | None = None
) -> Rule:
    """Make a rule that says `label` where a column is above a value, below one, or in between.

    Nulls and NaN say nothing.

    Parameters
    ----------
    label : class name, coarse name, or a collection of them
    column : str
        A column of numbers, dates or times.
    above, below : number, date or time, default None
        Bounds, in the unit of the column; themselves outside.
    name : str, default None
        None gives a name such as ``"3 < length < 7"``.

    Returns
    -------
    Rule

    Raises
    ------
    InputError
        If there is no bound, or nothing between the two.

    Examples
    --------
    >>> threshold("spam", "links", above=3).name
    'links > 3'
    """
    value = pl.col(column)
    match above, below:
        case None, None:
            raise InputError(
                "`threshold` must have a bound; got neither `above` nor `below`. Pass one of them."
            )
        case _, None:
            holds, shown = value > above, f"{column} > {above}"
        case None, _:
            holds, shown = value < below, f"{column} < {below}"
        case _:
            if not above < below:
                raise InputError(
                    f"`above` must lie below `below`; got above={above!r} and below={below!r}. "
                    "For values outside of a range write two rules."
                )
            holds, shown = (value > above) & (value < below), f"{above} < {column} < {below}"
    if isinstance(above, Real):
        holds &= value.is_not_nan()  # polars holds NaN to be larger than every number
    return rule(label, holds, name=shown if name is None else name)


def spoken(label: Any) -> Any:
    """Keep a label as a rule does: a name, or a tuple of names."""
    return tuple(label) if isinstance(label, list | tuple | set | frozenset) else label
