import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.errors import InputError
from partlabel.labels import LabelSpace

ANIMALS = LabelSpace(["cat", "dog", "car"], parents={"cat": "animal", "dog": "animal"})

names = st.one_of(
    st.lists(st.text(max_size=3), min_size=2, max_size=6, unique=True),
    st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=6, unique=True),
    st.permutations([True, False]),
)


@given(names, st.data())
def test_decode_undoes_encode(classes: list, data: st.DataObject) -> None:
    labels = LabelSpace(classes)
    values = data.draw(st.lists(st.sampled_from(classes), max_size=8))
    codes = labels.encode(values)
    assert codes.dtype == np.int32
    assert codes.tolist() == [classes.index(value) for value in values]
    assert labels.decode(codes).to_list() == values


@given(names)
def test_infer_finds_the_classes_sorted(classes: list) -> None:
    assert LabelSpace.infer([*classes, None, *classes]).classes == tuple(sorted(classes))


@pytest.mark.parametrize(
    "values",
    [
        np.array(["b", "a", "b"]),
        np.array(["b", "a", "b"], dtype=object),
        pl.Series(["b", "a", "b"]),
        pl.Series(["b", "a", "b"], dtype=pl.Categorical),
        pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "a"])),
        pd.Series(["b", "a", "b"]),
        pd.Series(["b", "a", "b"], index=[7, 5, 5], dtype="category"),
        pd.Categorical(["b", "a", "b"]),
        pd.Index(["b", "a", "b"]),
        pa.array(["b", "a", "b"]),
        pa.array(["b", "a", "b"]).dictionary_encode(),
        pa.chunked_array([["b"], ["a", "b"]]),
        ("b", "a", "b"),
        iter("bab"),
    ],
    ids=lambda values: f"{type(values).__module__}.{type(values).__name__}",
)
def test_columns_of_every_library_encode_alike(values: object) -> None:
    assert LabelSpace(["a", "b"]).encode(values).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "values",
    [
        np.array([300, 1], dtype=np.uint16),
        np.array([300, 1], dtype=np.float32),
        pd.Series([300, 1], dtype="Int64"),
        [np.int64(300), 1.0],
    ],
)
def test_numbers_are_found_whatever_their_type(values: object) -> None:
    assert LabelSpace([1, 300]).encode(values).tolist() == [1, 0]


def test_a_small_integer_column_meets_classes_that_do_not_fit_it() -> None:
    assert LabelSpace([1, 300]).encode(np.array([1, 1], dtype=np.int8)).tolist() == [0, 0]


def test_no_value_gives_no_code() -> None:
    assert LabelSpace(["a", "b"]).encode([]).tolist() == []
    assert LabelSpace(["a", "b"]).decode([]).to_list() == []


def test_a_null_code_stays_null() -> None:
    assert LabelSpace(["a", "b"]).decode([1, None]).to_list() == ["b", None]


def test_classes_of_mixed_kinds_come_back() -> None:
    labels = LabelSpace(["a", 1, 2.5])
    assert labels.decode(labels.encode([2.5, "a", 1])).to_list() == [2.5, "a", 1]
    assert set(LabelSpace.infer(["a", 1, None, 2.5]).classes) == {"a", 1, 2.5}


def test_infer_looks_within_lists_and_leaves_coarse_names_out() -> None:
    parents = {"cat": "animal", "dog": "animal"}
    values = [["cat"], ["dog", "car"], None, "animal", {"car"}]
    assert LabelSpace.infer(values, parents).classes == ("car", "cat", "dog")
    assert LabelSpace.infer(pl.Series([["b"], ["a", "b"], [], None])).classes == ("a", "b")


def test_a_name_stands_for_the_classes_below_it() -> None:
    parents = {"cat": "pet", "dog": "pet", "pet": "animal", "cow": "animal"}
    labels = LabelSpace(["cat", "dog", "cow", "car"], parents)
    assert labels.mask("pet").tolist() == [True, True, False, False]
    assert labels.mask("animal").tolist() == [True, True, True, False]
    assert labels.mask(["cat", "car"]).tolist() == [True, False, False, True]
    assert labels.mask({"pet", "cow"}).tolist() == labels.mask("animal").tolist()
    assert labels.coarse == ("pet", "animal")


def test_a_coarse_name_is_no_class() -> None:
    assert "cat" in ANIMALS
    assert "animal" not in ANIMALS
    assert len(ANIMALS) == 3


def test_equal_label_spaces_are_equal_and_hash_alike() -> None:
    same = LabelSpace(("cat", "dog", "car"), {"cat": "animal", "dog": "animal"})
    assert same == ANIMALS
    assert hash(same) == hash(ANIMALS)
    assert LabelSpace(["cat", "dog", "car"]) != ANIMALS
    assert pickle.loads(pickle.dumps(ANIMALS)) == ANIMALS


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LabelSpace(["ham"]), "`classes` must name at least two classes; got ['ham']."),
        (lambda: LabelSpace.infer([1, None, 1]), "at least two classes; got [1]."),
        (
            lambda: LabelSpace(["a", "b", "a"]),
            "`classes` must all differ; got 'a' at positions 0 and 2. Remove one of them.",
        ),
        (
            lambda: LabelSpace(["a", float("nan")]),
            "`classes` must not hold a null; got nan at position 1. Remove it.",
        ),
        (
            lambda: LabelSpace(["a", "b"], {"a": "b"}),
            "`parents` must lead from classes to coarser names; 'b' is a class and a parent.",
        ),
        (
            lambda: LabelSpace(["a", "b"], {"a": "x", "x": "y", "y": "x"}),
            "`parents` must not go in a circle; it does at 'x'.",
        ),
        (lambda: LabelSpace(["a", "b"], {"c": "x"}), "no class lies below 'c'. Add its classes"),
        (
            lambda: ANIMALS.encode(["cat", "cow", "cow"]),
            (
                "`label` must be one of 'cat', 'dog', 'car', 'animal'; got 'cow' at rows 1, 2 "
                "(2 of 3 rows). Correct the value, or add the class to `classes`."
            ),
        ),
        (lambda: ANIMALS.encode(["animal"]), "got 'animal' at row 0 (1 of 1 rows)"),
        (lambda: ANIMALS.encode(["cat", None], "truth"), "`truth` must be one of"),
        (lambda: ANIMALS.encode([["cat"], "dog"]), "got ['cat'] at row 0"),
        (lambda: LabelSpace([0, 1]).encode([1.0, 0.5]), "got 0.5 at row 1"),
        (lambda: LabelSpace(range(9)).encode([9]), "7, ... (9 names); got 9"),
        (lambda: ANIMALS.mask(["cat", "cow"]), "got 'cow'. Correct the value"),
        (lambda: ANIMALS.mask(None), "got None. Correct the value"),
        (
            lambda: ANIMALS.decode([0, 3]),
            "`codes` must lie in [0, 3); got 3 at row 1 (1 of 2 rows).",
        ),
        (lambda: ANIMALS.decode([-1]), "`codes` must lie in [0, 3); got -1 at row 0"),
    ],
)
def test_refusals_name_the_value_and_the_remedy(build: object, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LabelSpace("ham"), "must be a sequence of names; got the string 'ham'"),
        (lambda: ANIMALS.encode("cat"), "A column must be a sequence; got the string 'cat'"),
        (lambda: ANIMALS.decode([0.5]), "`codes` must be integers; got Float64"),
    ],
)
def test_values_of_a_wrong_kind_are_type_errors(build: object, message: str) -> None:
    with pytest.raises(TypeError) as refusal:
        build()
    assert message in str(refusal.value)
