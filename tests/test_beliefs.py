from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam", "eggs"])

tables = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=st.floats(0, 1)
).map(lambda raw: (raw + 1e-9) / (raw + 1e-9).sum(axis=1, keepdims=True))


@given(tables)
def test_entropy_is_scipys(probs: np.ndarray) -> None:
    expected = scipy.stats.entropy(probs, axis=1)
    np.testing.assert_allclose(Beliefs(probs, LABELS).entropy(), expected, atol=1e-12)


def test_entropy_runs_from_certain_to_knowing_nothing() -> None:
    entropy = Beliefs(np.array([[0, 1, 0], [1 / 3, 1 / 3, 1 / 3]]), LABELS).entropy()
    np.testing.assert_allclose(entropy, [0, np.log(3)])
    assert not np.signbit(entropy).any()


@given(tables, st.floats(0, 1))
def test_decide_names_the_likeliest_class_where_it_is_sure(
    probs: np.ndarray, threshold: float
) -> None:
    decided = Beliefs(probs, LABELS).decide(threshold).to_list()
    for row, name in zip(probs.tolist(), decided, strict=True):
        expected = LABELS.classes[row.index(max(row))] if max(row) >= threshold else None
        assert name == expected


@given(tables)
def test_a_higher_threshold_only_takes_decisions_back(probs: np.ndarray) -> None:
    beliefs = Beliefs(probs, LABELS)
    low, high = beliefs.decide(0.4).to_list(), beliefs.decide(0.7).to_list()
    assert all(b in (None, a) for a, b in zip(low, high, strict=True))


def test_classes_that_tie_are_decided_by_their_order() -> None:
    assert Beliefs(np.array([[0.2, 0.4, 0.4]]), LABELS).decide().to_list() == ["spam"]


def test_no_item_is_fine() -> None:
    beliefs = Beliefs(np.empty((0, 3)), LABELS)
    assert len(beliefs) == 0
    assert beliefs.decide().to_list() == []
    assert beliefs.to_polars().height == 0


@pytest.mark.parametrize("classes", [["ham", "spam"], [0, 1], [True, False], ["ham", 1]])
def test_decisions_are_of_the_kind_of_the_classes(classes: list) -> None:
    beliefs = Beliefs(np.array([[0.3, 0.7], [0.6, 0.4]]), LabelSpace(classes))
    assert beliefs.decide(0.65).to_list() == [classes[1], None]


def test_float32_and_integers_are_taken() -> None:
    assert Beliefs(np.full((2, 3), 1 / 3, dtype=np.float32), LABELS).probs.dtype == np.float32
    assert Beliefs(np.eye(3, dtype=int), LABELS).probs.dtype == np.float64


@pytest.mark.parametrize("rows", [[2, 0], slice(None, None, 2), np.array([True, False, True])])
def test_select_keeps_ids_with_their_rows(rows: object) -> None:
    beliefs = Beliefs(np.eye(3), LABELS, np.array(["a", "b", "c"]))
    chosen = beliefs.select(rows)
    for row, name in zip(chosen.probs, chosen.item_ids, strict=True):
        assert row.argmax() == "abc".index(name)
    assert len(chosen) == 2


@pytest.mark.parametrize(
    "ids", [["x", "y"], [7, 3], np.array(["x", "y"], dtype=object), pd.Series([7, 3], index=[1, 0])]
)
def test_a_table_brings_beliefs_back(ids: object, tmp_path: Path) -> None:
    probs = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    beliefs = Beliefs(probs, LABELS, ids)
    table = beliefs.to_polars()
    assert table.columns == [
        "item", "label", "confidence", "entropy", "p_ham", "p_spam", "p_eggs",
    ]  # fmt: skip
    assert table["item"].to_list() == list(ids)
    assert table["label"].to_list() == ["eggs", "ham"]
    beliefs.write_parquet(tmp_path / "beliefs.parquet")
    for back in (
        Beliefs.from_polars(table),
        Beliefs.from_polars(pd.DataFrame(table.to_dict(as_series=False)), LABELS),
        Beliefs.from_polars(table.to_arrow(), LABELS),
        Beliefs.read_parquet(str(tmp_path / "beliefs.parquet")),
    ):
        np.testing.assert_array_equal(back.probs, probs)
        assert back.item_ids.tolist() == list(ids)
        assert back.labels == LABELS


def test_without_ids_the_positions_are_written() -> None:
    beliefs = Beliefs(np.array([[0.5, 0.5]]), LabelSpace([10, 20]))
    assert beliefs.to_polars()["item"].to_list() == [0]
    back = Beliefs.from_polars(beliefs.to_polars(), beliefs.labels)
    assert back.labels.classes == (10, 20)
    assert Beliefs.from_polars(beliefs.to_polars().drop("item")).item_ids is None


def test_classes_that_are_written_alike_have_no_table() -> None:
    beliefs = Beliefs(np.eye(2), LabelSpace([1, "1"]))
    with pytest.raises(InputError, match="two are written '1'"):
        beliefs.to_polars()


def test_labels_choose_the_order_of_the_columns() -> None:
    table = {"p_spam": [0.9], "p_ham": [0.1]}
    back = Beliefs.from_polars(table, LabelSpace(["ham", "spam"]))
    assert back.probs.tolist() == [[0.1, 0.9]]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Beliefs(np.ones(3) / 3, LABELS), "shape (n_items, 3); got (3,). Give one column"),
        (lambda: Beliefs(np.ones((2, 2)) / 2, LABELS), "shape (n_items, 3); got (2, 2)"),
        (
            lambda: Beliefs(np.eye(3), LABELS, ["a"]),
            "`item_ids` must have one entry for each of the 3 items; got 1.",
        ),
        (
            lambda: Beliefs(np.array([[1, 0, 0], [0.5, 0.4, 0]]), LABELS, ["a", "b"]),
            "`probs` must be distributions that add up to 1; got [0.5, 0.4, 0.0] at row b (1 of 2",
        ),
        (lambda: Beliefs(np.array([[1.5, -0.5, 0]]), LABELS), "got [1.5, -0.5, 0.0] at row 0"),
        (lambda: Beliefs(np.array([[np.nan, 1, 0]]), LABELS), "got [nan, 1.0, 0.0] at row 0"),
        (
            lambda: Beliefs(np.eye(3), LABELS).decide(1.2),
            "`threshold` must lie in [0, 1]; got 1.2. It is a probability.",
        ),
        (lambda: Beliefs(np.eye(3), LABELS).decide(float("nan")), "got nan. It is a probability"),
        (
            lambda: Beliefs.from_polars({"p_ham": [1.0]}, LABELS),
            "`labels` must name a column of the table; got 'p_spam', but its columns are 'p_ham'.",
        ),
        (
            lambda: Beliefs.from_polars({"item": [1], "ham": [1.0]}),
            (
                "`table` must have a column 'p_<class>' for each class; got 0 of them among "
                "['item', 'ham']."
            ),
        ),
        (
            lambda: Beliefs.from_polars({"p_a": [0.5, None], "p_b": [0.5, 0.5]}),
            "got [nan, 0.5] at row 1 (1 of 2 rows)",
        ),
    ],
)
def test_refusals_name_the_value_and_the_remedy(build: object, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert message in str(refusal.value)


def test_a_column_of_strings_is_no_column_of_probabilities() -> None:
    with pytest.raises(TypeError, match="Column 'p_a' must hold probabilities; got String"):
        Beliefs.from_polars(pl.DataFrame({"p_a": ["1"], "p_b": ["0"]}))
