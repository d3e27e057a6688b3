"""What rules say about one batch of rows; where one raises, which rule and which row."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.labels import LabelSpace
from partlabel.rules.patterns import joint_search, searched_column
from partlabel.rules.rule import Condition, Function, Probabilities, Rule

PROBED, BLOCK = 64, 8

Answers = Iterator[tuple[Condition, NDArray[np.bool_]]]


def holding(
    rules: Sequence[Condition], batch: pl.DataFrame, first_row: int
) -> Iterator[tuple[Condition, NDArray[np.int64]]]:
    """Give the rows on which each condition holds.

    Rules that search the same column look only at the rows where any of them finds something, which
    one joint search tells.
    """
    everywhere = np.arange(first_row, first_row + len(batch))
    searching = sorted((rule for rule in rules if rule.patterns), key=searched_column)
    for _, same in groupby(searching, searched_column):
        group = list(same)
        ((_, found),) = _answers([joint_search(group)], batch, everywhere)
        rows = np.flatnonzero(found)
        for rule, holds in _answers(group, batch.filter(found), everywhere[rows]):
            yield rule, rows[holds]
    for rule, holds in _answers([rule for rule in rules if not rule.patterns], batch, everywhere):
        yield rule, np.flatnonzero(holds)


def refuse_what_needs_other_rows(rules: Sequence[Condition], batch: pl.DataFrame) -> None:
    """Refuse conditions that answer otherwise when other rows are missing: batches change them.

    Heuristic: the first rows of the table are asked about once together and once in blocks.
    """
    head = batch.head(PROBED)
    together = dict(_answers(rules, head, np.arange(len(head))))
    for start in range(0, len(head), BLOCK):
        block = head.slice(start, BLOCK)
        for rule, holds in _answers(rules, block, np.arange(start, start + len(block))):
            other = holds != together[rule][start : start + BLOCK]
            if other.any():
                raise InputError(
                    f"`condition` must be about a row by itself; that of rule {rule.name!r} gives "
                    f"another answer at row {start + int(other.argmax())} when other rows are "
                    "missing. Compute what compares rows beforehand, as a column of the table."
                )


def said_by(rule: Function, batch: pl.DataFrame, first_row: int) -> Any:
    """Give what a function says about each row."""
    given = batch if rule.reads is None else batch.select(rule.reads)
    if rule.per_row:
        return [
            _called(rule, row, f"row {first_row + n}")
            for n, row in enumerate(given.iter_rows(named=True))
        ]
    said = _called(rule, given, _span(first_row, batch))
    is_column = hasattr(said, "__len__") and not isinstance(said, str)
    if not is_column or len(said) != len(batch):
        got = f"{len(said)} values" if is_column else repr(said)
        raise InputError(
            f"Rule {rule.name!r} must give a label or null for each row of a batch; got {got} for "
            f"{_span(first_row, batch)}."
        )
    return said


def probabilities_of(
    rule: Probabilities, batch: pl.DataFrame, first_row: int, labels: LabelSpace
) -> NDArray[np.float64]:
    """Give the class probabilities (n_rows, n_classes): zeros for classes the rule doesn't know."""
    given = batch if rule.reads is None else batch.select(rule.reads)
    own = np.asarray(_called(rule, given, _span(first_row, batch)), dtype=np.float64)
    probs = np.zeros((len(batch), len(labels)))
    probs[:, labels.encode(list(rule.says or ()))] = own
    probs[np.isnan(own).all(axis=1)] = np.nan
    return probs


def _answers(rules: Sequence[Condition], batch: pl.DataFrame, rows: NDArray[np.int64]) -> Answers:
    """(n_rows,) of each rule: whether it holds; `rows` are what an error calls the rows."""
    if not rules:
        return
    try:
        answers = _selected(batch, [rule.condition.alias(str(j)) for j, rule in enumerate(rules)])
    except Exception as reason:
        raise _blamed(rules, batch, rows, reason) from reason
    for rule, holds in zip(rules, answers, strict=True):
        if holds.dtype != pl.Boolean:
            raise InputError(
                f"`condition` must be true or false; that of rule {rule.name!r} gives "
                f"{holds.dtype}. Compare its value with something."
            )
        yield rule, holds.fill_null(value=False).to_numpy()


def _selected(batch: pl.DataFrame, conditions: Sequence[pl.Expr]) -> pl.DataFrame:
    return batch.lazy().select(conditions).collect(engine="streaming")


def _blamed(
    rules: Sequence[Condition], batch: pl.DataFrame, rows: NDArray[np.int64], reason: Exception
) -> InputError:
    """The error that names the first rule that raises by itself, and the first row there."""
    for rule in rules:
        own = _raised(rule, batch)
        if own is not None:
            wrong_from_the_start = _raised(rule, batch.clear()) is not None
            where = "any row" if wrong_from_the_start else f"row {rows[_first_bad(rule, batch)]}"
            return _refusal(rule, where, own)
    return InputError(f"`rules` must not raise; together they do: {_shown(reason)}")


def _first_bad(rule: Condition, batch: pl.DataFrame) -> int:
    """The first row with which the rule raises, by halving."""
    fine, bad = 0, len(batch)
    while bad - fine > 1:
        middle = (fine + bad) // 2
        if _raised(rule, batch.head(middle)) is None:
            fine = middle
        else:
            bad = middle
    return bad - 1


def _raised(rule: Condition, batch: pl.DataFrame) -> Exception | None:
    try:
        _selected(batch, [rule.condition])
    except Exception as reason:  # noqa: BLE001 - a condition may call any Python function
        return reason
    return None


def _called(rule: Function | Probabilities, given: Any, where: str) -> Any:
    try:
        return rule.function(given)
    except Exception as reason:
        raise _refusal(rule, where, reason) from reason


def _refusal(rule: Rule, where: str, reason: Exception) -> InputError:
    return InputError(
        f"Rule {rule.name!r} must not raise; at {where} it does: {_shown(reason)}. "
        "Let it say nothing there, or correct the value."
    )


def _shown(reason: Exception) -> str:
    """The error without the query plan that polars adds."""
    said = str(reason).split("\n\nThis error occurred", maxsplit=1)[0].strip().rstrip(".")
    return f"{type(reason).__name__}: {said}"


def _span(first_row: int, batch: pl.DataFrame) -> str:
    return f"rows {first_row} to {first_row + len(batch) - 1}"
