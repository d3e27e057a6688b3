from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from partlabel.errors import InputError
from partlabel.evidence import Candidates
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["cat", "dog", "car"], {"cat": "animal", "dog": "animal"})
NAMES = np.array(LABELS.classes)

masks = hnp.arrays(bool, st.tuples(st.integers(1, 8), st.just(3))).map(
    lambda mask: mask | ~mask.any(axis=1, keepdims=True)
)


@given(masks)
def test_the_mask_comes_back(mask: np.ndarray) -> None:
    candidates = Candidates.from_mask(mask, LABELS)
    np.testing.assert_array_equal(candidates.mask(), mask)
    np.testing.assert_array_equal(candidates.sizes, mask.sum(axis=1))
    np.testing.assert_array_equal(candidates.exact, mask.sum(axis=1) == 1)
    np.testing.assert_array_equal(candidates.unknown, mask.all(axis=1))
    together = candidates.exact.astype(int) + candidates.partial + candidates.unknown
    assert (together == 1).all()
    codes = candidates.codes()
    assert codes.dtype == np.int32
    assert all(mask[i, codes[i]] for i in range(len(mask)))
    assert len(candidates) == len(mask)


@given(masks)
def test_each_distinct_set_is_held_once(mask: np.ndarray) -> None:
    sets = Candidates.from_mask(mask, LABELS).sets
    assert len(sets.table) == len({row.tobytes() for row in mask})
    assert set(sets.which) == set(range(len(sets.table)))


@given(masks, st.randoms(use_true_random=False))
def test_lists_say_the_same_as_the_mask(mask: np.ndarray, random: object) -> None:
    lists = [NAMES[row].tolist() for row in mask]
    for names in lists:
        random.shuffle(names)
    expected = Candidates.from_mask(mask, LABELS)
    for values in (
        lists,
        [set(names) for names in lists],
        [tuple(names) for names in lists],
        [names if len(names) > 1 else names[0] for names in lists],
        [None if len(names) == 3 else names for names in lists],
        pl.Series(lists),
        pd.Series(lists),
        pa.array(lists),
    ):
        found = Candidates.from_lists(values, LABELS)
        np.testing.assert_array_equal(found.mask(), mask)
        assert len(found.sets.table) == len(expected.sets.table)


@given(masks)
def test_excluding_the_others_leaves_the_candidates(mask: np.ndarray) -> None:
    excluded = [NAMES[~row].tolist() or None for row in mask]
    np.testing.assert_array_equal(Candidates.excluding(excluded, LABELS).mask(), mask)


def test_a_coarse_name_stands_for_its_classes() -> None:
    candidates = Candidates.from_lists(["animal", ["cat", "dog"], None, "car"], LABELS)
    assert candidates.sizes.tolist() == [2, 2, 3, 1]
    assert candidates.sets.which[0] == candidates.sets.which[1]
    assert Candidates.excluding(["animal", "cat"], LABELS).mask().tolist() == [
        [False, False, True],
        [False, True, True],
    ]


def test_a_coarse_name_of_one_class_is_that_class() -> None:
    labels = LabelSpace(["cat", "car"], {"cat": "animal"})
    candidates = Candidates.from_labels(["cat", "animal"], labels)
    assert len(candidates.sets.table) == 1
    assert candidates.exact.all()


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (["dog", None, "car"], None),
        (["dog", "?", "car"], "?"),
        (["dog", -1, "car"], -1),
        (["dog", float("nan"), "car"], -1),
        ([1, -1, 2], -1),
        (np.array([1, -1, 2], dtype=np.int8), np.int64(-1)),
        (np.array([1, 255, 2], dtype=np.uint8), 255),
        (np.array([1.0, np.nan, 2.0]), None),
        (pd.Series([1, None, 2], dtype="Int64"), None),
        (pd.Series(["dog", None, "car"], dtype="category", index=[2, 1, 0]), None),
        (pl.Series(["dog", "", "car"]), ""),
    ],
)
def test_gaps_are_read_as_knowing_nothing(values: object, missing: object) -> None:
    candidates = Candidates.from_labels(values, LABELS, missing=missing)
    assert candidates.exact.tolist() == [True, False, True]
    assert candidates.unknown.tolist() == [False, True, False]
    assert candidates.codes()[candidates.exact].tolist() == [1, 2]


def test_labels_are_inferred_without_the_gap() -> None:
    assert Candidates.from_labels([5, -1, 3], missing=-1).labels.classes == (3, 5)
    assert Candidates.from_labels([True, None, False]).labels.classes == (False, True)
    assert Candidates.from_labels([0, 1, 2], missing=True).exact.all()
    assert Candidates.from_labels(np.array([1, 2], np.uint8), missing=-1).exact.all()


@pytest.mark.parametrize("rows", [[2, 0], slice(None, None, 2), np.array([True, False, True])])
def test_select_keeps_ids_with_their_sets(rows: object) -> None:
    candidates = Candidates.from_labels(["cat", "dog", "car"], LABELS, items=["x", "y", "z"])
    chosen = candidates.select(rows)
    found = dict(zip(chosen.item_ids.tolist(), chosen.codes().tolist(), strict=True))
    assert found == {"x": 0, "z": 2}


def test_real_candidates_hold_the_truth(shared_data: Path) -> None:
    data = np.load(shared_data / "candidates" / "lost" / "data.npz")
    labels = LabelSpace(range(data["candidates"].shape[1]))
    candidates = Candidates.from_mask(data["candidates"], labels)
    assert candidates.mask()[np.arange(len(candidates)), data["y"]].all()
    assert round(candidates.sizes.mean(), 2) == 2.23


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Candidates.from_mask([[1, 0]], LABELS),
            "`mask` must have the shape (n_items, 3); got (1, 2). Give one column for each class.",
        ),
        (
            lambda: Candidates.from_mask([[1, 0, 0], [0, 2, 1]], LABELS),
            "`mask` must hold only 0 and 1; it doesn't at row 1 (1 of 2 rows). Correct them.",
        ),
        (lambda: Candidates.from_mask([[1, np.nan, 0]], LABELS), "it doesn't at row 0"),
        (
            lambda: Candidates.from_mask([[1, 0, 0], [0, 0, 0]], LABELS, items=["x", "y"]),
            "`mask` must leave at least one class possible; none is left at row y (1 of 2 rows).",
        ),
        (
            lambda: Candidates.from_mask(np.empty((0, 3), bool), LABELS),
            "`mask` must have at least one row; got none.",
        ),
        (
            lambda: Candidates.from_lists(["cat", "cow", ["car"], "cow"], LABELS),
            (
                "`candidates` must be one of 'cat', 'dog', 'car', 'animal'; got 'cow'. Correct the "
                "value, or add the class to `classes`. It stands at rows 1, 3 (2 of 4 rows)."
            ),
        ),
        (lambda: Candidates.from_lists([["cat", None]], LABELS), "got None. Correct the value"),
        (
            lambda: Candidates.from_lists([["cat"], []], LABELS),
            (
                "`candidates` must name at least one class; got an empty collection. Give null "
                "where nothing is said, or correct the row. It stands at row 1 (1 of 2 rows)."
            ),
        ),
        (lambda: Candidates.from_lists([], LABELS), "`candidates` must have at least one row"),
        (
            lambda: Candidates.from_labels([0, -1], LABELS),
            (
                "`label` must be codes in [0, 3); got -1 at row 1 (1 of 2 rows). Add the class to "
                "`classes`, or say which value means missing."
            ),
        ),
        (lambda: Candidates.from_labels([0.5], LABELS), "codes in [0, 3); got 0.5 at row 0"),
        (lambda: Candidates.from_labels(["cat", "-1"], LABELS, missing=-1), "got '-1'."),
        (
            lambda: Candidates.excluding([["animal", "car"], "car"], LABELS),
            "`excluded` must leave at least one class possible; none is left at row 0 (1 of 2",
        ),
        (lambda: Candidates.excluding(["cow"], LABELS), "`excluded` must be one of"),
        (
            lambda: Candidates.from_labels(["cat", "dog"], LABELS, items=["x"]),
            "`items` must have one id for each of the 2 rows; got 1. Give each row its id",
        ),
        (
            lambda: Candidates.from_labels(["cat", "dog"], LABELS, items=["x", "x"]),
            "`items` must all differ; id 'x' stands at rows 0, 1 (2 of 2 rows).",
        ),
        (lambda: Candidates.from_labels(np.eye(3), LABELS), "A column must have one dimension"),
    ],
)
def test_refusals_name_the_value_and_the_remedy(build: object, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert message in str(refusal.value)
