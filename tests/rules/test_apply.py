"""Applying rules: batches and files change nothing, and errors name the rule and the row."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partlabel.errors import InputError
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace
from partlabel.rules import (
    Rule,
    apply_rules,
    batch_rule,
    keywords,
    lookup,
    predictions,
    row_rule,
    rule,
    threshold,
)

LABELS = LabelSpace(["a", "b", "c"], parents={"a": "ab", "b": "ab"})
SETS = ["a", ["b", "c"], None, "c", ["a", "c"], "ab"]


def same(one: Votes, other: Votes) -> bool:
    return (
        np.array_equal(one.indptr, other.indptr)
        and np.array_equal(one.symbol, other.symbol)
        and one.vocabulary.same_as(other.vocabulary)
        and (one.item_ids is None) == (other.item_ids is None)
        and (one.item_ids is None or np.array_equal(one.item_ids, other.item_ids))
    )


def table(n_rows: int = 200, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    words = np.array(["win", "song", "x", "FREE", "window"])
    p = rng.random(n_rows)
    return pl.DataFrame(
        {
            "id": [f"t{i}" for i in range(n_rows)],
            "text": [" ".join(rng.choice(words, 3)) for _ in range(n_rows)],
            "n": rng.integers(6, size=n_rows),
            "pa": p,
            "pb": 1 - p,
        }
    )


def all_kinds() -> list[Rule]:
    return [
        predictions({"a": "pa", "b": "pb"}, name="model", bins=3),
        keywords("a", ["win", "free"], "text", name="win"),
        threshold("b", "n", above=3),
        row_rule(lambda row: SETS[row["n"]], reads=["n"], name="row"),
        keywords("ab", ["song"], "text", name="song"),
        batch_rule(lambda batch: [SETS[-n] for n in batch["n"]], reads=["n"], name="batch"),
        lookup("n", {1: "c", 2: ["c", "b"]}),
    ]


def expected(frame: pl.DataFrame) -> list[dict[str, frozenset[str]]]:
    """For each row, what each source says: written out by hand."""

    def as_set(label: Any) -> frozenset[str]:
        names = [label] if isinstance(label, str) else label
        return frozenset(name for one in names for name in (one if one == "ab" else [one]))

    rows = []
    for row in frame.iter_rows(named=True):
        words, n = row["text"].split(), row["n"]
        said: dict[str, Any] = {
            "model": "a" if row["pa"] > row["pb"] else "b",
            "win": "a" if {"win", "FREE"} & set(words) else None,
            "n > 3": "b" if n > 3 else None,
            "row": SETS[n],
            "song": "ab" if "song" in words else None,
            "batch": SETS[-n],
            "lookup of n": {1: "c", 2: ["c", "b"]}.get(n),
        }
        rows.append({name: as_set(label) for name, label in said.items() if label is not None})
    return rows


def heard(votes: Votes) -> list[dict[str, frozenset[str]]]:
    rows: list[dict[str, frozenset[str]]] = [{} for _ in range(len(votes))]
    members = votes.vocabulary.members()[votes.symbol]
    for item, source, mask in zip(votes.item, votes.source, members, strict=True):
        names = frozenset(np.array(LABELS.classes)[mask].tolist())
        rows[item][votes.sources[source]] = names
    return rows


def test_votes_are_what_a_loop_over_the_rows_finds() -> None:
    assert heard(apply_rules(all_kinds(), table(), LABELS)) == expected(table())


def test_symbols_ascend_within_an_item() -> None:
    votes = apply_rules(all_kinds(), table(), LABELS)
    inside = np.diff(votes.item) == 0
    assert (np.diff(votes.symbol)[inside] > 0).all()


def test_sources_are_the_rules_with_the_models_last() -> None:
    names = [one.name for one in all_kinds()]
    assert list(apply_rules(all_kinds(), table(), LABELS).sources) == [*names[1:], names[0]]


@settings(max_examples=20)
@given(st.integers(1, 70), st.integers(0, 3))
def test_batches_change_nothing(batch_size: int, seed: int) -> None:
    frame = table(60, seed)
    whole = apply_rules(all_kinds(), frame, LABELS, item="id")
    assert same(apply_rules(all_kinds(), frame, LABELS, item="id", batch_size=batch_size), whole)


@pytest.mark.parametrize("batch_size", [7, 64, 1000])
def test_lazy_parquet_gives_what_the_frame_gives(tmp_path: Path, batch_size: int) -> None:
    table().write_parquet(tmp_path / "table.parquet", row_group_size=50)
    lazy = pl.scan_parquet(tmp_path / "table.parquet")
    votes = apply_rules(all_kinds(), lazy, LABELS, item="id", batch_size=batch_size)
    assert same(votes, apply_rules(all_kinds(), table(), LABELS, item="id"))


def test_lazy_query_keeps_the_order_of_its_rows() -> None:
    query = table().lazy().filter(pl.col("n") > 1).with_columns(n=5 - pl.col("n"))
    votes = apply_rules(all_kinds(), query, LABELS, batch_size=10)
    assert heard(votes) == expected(query.collect())


def test_only_columns_that_are_read_are_loaded() -> None:
    def never(_: pl.Series) -> pl.Series:
        raise AssertionError

    query = table().lazy().with_columns(pl.col("text").map_batches(never, return_dtype=pl.String))
    assert apply_rules([threshold("b", "n", above=3)], query, LABELS).n_votes > 0


def test_pandas_and_arrow_tables_give_the_same() -> None:
    whole = apply_rules(all_kinds(), table(), LABELS)
    assert same(apply_rules(all_kinds(), table().to_pandas(), LABELS), whole)
    assert same(apply_rules(all_kinds(), table().to_arrow(), LABELS), whole)
    assert same(apply_rules(all_kinds(), pd.DataFrame(table().to_dict()), LABELS), whole)


@pytest.mark.parametrize("lazy", [False, True])
def test_progress_is_told_after_each_batch(lazy: bool) -> None:
    told: list[tuple[int, int]] = []
    frame = table(25)
    apply_rules(
        [threshold("b", "n", above=3)],
        frame.lazy() if lazy else frame,
        LABELS,
        batch_size=10,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(10, 25), (20, 25), (25, 25)]


def test_labels_are_inferred_from_what_the_rules_may_say() -> None:
    rules = [rule(["c", "b"], pl.col("n") > 1), lookup("n", {1: "a"})]
    assert apply_rules(rules, table()).labels == LabelSpace(["a", "b", "c"])


def test_new_rows_are_read_like_the_old() -> None:
    old = apply_rules(all_kinds(), table(), LABELS)
    few = table(seed=1).head(20)
    new = apply_rules(all_kinds(), few, like=old)
    assert new.vocabulary.same_as(old.vocabulary)
    assert heard(new) == expected(few)
    rows = apply_rules(all_kinds(), table().head(20), like=old)
    assert np.array_equal(rows.symbol, old.select(np.arange(20)).symbol)


def test_rules_that_never_speak_give_no_vote() -> None:
    votes = apply_rules([threshold("b", "n", above=99)], table(5), LABELS)
    assert (votes.n_items, votes.n_votes, votes.n_sources) == (5, 0, 1)


def test_order_of_the_rules_only_reorders_the_sources() -> None:
    there = apply_rules(all_kinds(), table(), LABELS)
    back = apply_rules(all_kinds()[::-1], table(), LABELS)
    assert heard(there) == heard(back)


def ratio(n: int) -> bool:
    return next(iter([1 / (n - 42)])) > 0


FRAME = pl.DataFrame({"n": range(100), "m": [1, 0, *range(98)], "s": ["7"] * 99 + ["x"]})


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (
            rule("a", pl.col("s").str.to_integer() > 3, name="number"),
            r"Rule 'number' must not raise; at row 99 it does: \w+Error: .*parsing failed",
        ),
        (
            rule("a", pl.col("s") > 3, name="kind"),
            r"Rule 'kind' must not raise; at any row it does: \w+Error: cannot compare string",
        ),
        (
            rule(
                "a",
                pl.col("n").map_elements(ratio, return_dtype=pl.Boolean),
                name="ratio",
            ),
            "Rule 'ratio' must not raise; at row 42 it does: ZeroDivisionError: division by zero",
        ),
        (
            row_rule(lambda row: "a" if ratio(row["n"]) else "b", name="ratio"),
            "Rule 'ratio' must not raise; at row 42 it does: ZeroDivisionError: division by zero",
        ),
        (
            batch_rule(lambda batch: ["a"] * len(batch["s"].cast(int)), name="cast"),
            "Rule 'cast' must not raise; at rows 90 to 99 it does: InvalidOperationError",
        ),
        (
            batch_rule(lambda batch: ["a"], name="short"),  # noqa: ARG005 - wrong whatever it gets
            "Rule 'short' must give a label or null for each row of a batch; got 1 values for rows",
        ),
        (
            batch_rule(lambda batch: "a", name="one"),  # noqa: ARG005 - the same
            "Rule 'one' must give a label or null for each row of a batch; got 'a' for rows 0 to 9",
        ),
        (
            row_rule(lambda row: "z" if row["n"] == 57 else None, name="odd"),
            r"Rule 'odd': `label` must be one of 'a', 'b', .*; got 'z'\. .* It says so at row 57",
        ),
        (
            row_rule(lambda row: ["a"] if row["n"] < 30 else [], name="empty"),
            "Rule 'empty' must leave at least one class possible; .* It says so at row 30",
        ),
        (rule("z", pl.col("n") > 3, name="odd"), "Rule 'odd': `label` must be one of .* got 'z'"),
        (rule([], pl.col("n") > 3, name="none"), "Rule 'none' must leave at least one class poss"),
        (rule("a", pl.col("n") + 3, name="sum"), "`condition` must be true or false; that of rule"),
        (
            rule("a", pl.col("n") > pl.col("n").mean(), name="mean"),
            "`condition` must be about a row by itself; that of rule 'mean' gives another answer",
        ),
        (
            rule("a", pl.col("missing") > 3, name="lost"),
            "Rule 'lost' must name columns of the table; got 'missing', but its columns are 'n'",
        ),
        (
            predictions({"a": "n", "b": "m"}, name="model"),
            r"Rule 'model': `probs` must be distributions .* at rows? 2, 3, 4",
        ),
        (predictions({"z": "n"}, name="model"), "Rule 'model': `label` must be one of"),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_refusal_names_the_rule_and_the_row(one: Rule, message: str, lazy: bool) -> None:
    frame = FRAME.lazy() if lazy else FRAME
    others = [threshold("b", "n", above=3), keywords("c", ["x"], "s")]
    with pytest.raises(InputError, match=message):
        apply_rules([*others, one], frame, LABELS, batch_size=10)


def test_search_of_what_is_no_text_names_the_rule() -> None:
    rules = [keywords("a", ["x"], "s"), keywords("a", ["x"], "n"), keywords("b", ["y"], "n")]
    with pytest.raises(InputError, match=r"Rule 'n has x' must not raise; at any row it does"):
        apply_rules(rules, FRAME, LABELS)


def test_error_of_a_function_is_kept_as_the_cause() -> None:
    with pytest.raises(InputError) as error:
        apply_rules([row_rule(lambda row: row["nothing"], name="r")], FRAME, LABELS)
    assert isinstance(error.value.__cause__, KeyError)


N = threshold("b", "n", above=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rules": []}, "`rules` must hold at least one rule; got none"),
        ({"rules": [N, N]}, "`rules` must have different names; got 'n > 3' at positions 0 and 1"),
        ({"frame": FRAME.clear()}, "`frame` must have at least one row; got none"),
        ({"frame": FRAME.lazy().head(0)}, "`frame` must have at least one row; got none"),
        ({"batch_size": 0}, "`batch_size` must be at least 1; got 0"),
        ({"item": "id"}, "`item` must name columns of the table; got 'id'"),
        ({"item": "s"}, "`s` must all differ"),
        ({"labels": None}, "`labels` must be given where the rules name fewer than two classes"),
        (
            {"labels": None, "rules": [row_rule(str, name="r")]},
            "`labels` must be given, as rule 'r' doesn't tell what it may say",
        ),
    ],
)
def test_call_is_refused(arguments: dict[str, Any], message: str) -> None:
    call = {"rules": [N], "frame": FRAME, "labels": LABELS, **arguments}
    with pytest.raises(InputError, match=message):
        apply_rules(**call)


def test_function_that_is_no_rule_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`rules` must hold rules; got function at position 1"):
        apply_rules([N, lambda row: None], FRAME, LABELS)  # noqa: ARG005 - never called
