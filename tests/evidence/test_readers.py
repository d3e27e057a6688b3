import tracemalloc
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
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
TREE = LabelSpace(["a", "b", "c"], {"a": "ab", "b": "ab"})

matrices = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.integers(-1, 2)
)
words = st.one_of(
    st.sampled_from(["a", "b", "c", "ab", None]),
    st.lists(st.sampled_from(["a", "b", "c", "ab"]), min_size=1, max_size=3),
)
long_tables = st.dictionaries(
    st.tuples(st.integers(0, 4), st.sampled_from("stu")), words, min_size=1, max_size=12
)


def said(votes: Votes) -> dict:
    """Who said which classes about which item, as ``{(item, source): names}``."""
    names = votes.to_polars().rows()
    return {(item, source): frozenset(label.split("|")) for item, source, label, _ in names}


def meaning(word: object, labels: LabelSpace) -> frozenset:
    """The classes that a word stands for, by hand."""
    below = {name: {name} for name in labels.classes}
    for child, parent in labels.parents.items():
        below.setdefault(parent, set()).add(child)
    names = word if isinstance(word, list) else [word]
    return frozenset().union(*(below[name] for name in names))


def long_table(votes: dict) -> dict:
    return {
        "item": [item for item, _ in votes],
        "source": [source for _, source in votes],
        "label": list(votes.values()),
    }


@given(matrices)
def test_three_readers_give_the_same_votes(matrix: np.ndarray) -> None:
    n_items, n_sources = matrix.shape
    sources = [f"s{j}" for j in range(n_sources)]
    names = np.array(["a", "b", "c", None], dtype=object)[matrix]
    dense = Votes.from_matrix(matrix, LABELS, sources=sources)
    wide = Votes.from_columns(dict(zip(sources, names.T, strict=True)), labels=LABELS)
    table = {
        "item": np.repeat(np.arange(n_items), n_sources),
        "source": np.tile(sources, n_items),
        "label": names.ravel(),
    }
    for other in (
        wide,
        Votes.from_table(table, labels=LABELS),
        Votes.from_table(table, labels=LABELS, n_items=n_items),
    ):
        np.testing.assert_array_equal(other.indptr, dense.indptr)
        np.testing.assert_array_equal(other.symbol, dense.symbol)
        assert other.vocabulary.same_as(dense.vocabulary)


@pytest.mark.parametrize(
    "matrix",
    [
        [[0, -1], [2, 1]],
        np.array([[0, -1], [2, 1]], dtype=np.int8),
        np.array([[0, np.nan], [2, 1]]),
        np.array([[0, np.nan], [2, 1]], dtype=np.float32),
        pl.DataFrame({"s": [0, None], "t": [2, 1]}).transpose(),
        pl.DataFrame({"s": [0, 2], "t": [None, 1]}),
        pd.DataFrame({"s": [0, 2], "t": [-1, 1]}),
        pd.DataFrame({"s": [0, 2], "t": pd.array([None, 1], dtype="Int64")}),
        pa.table({"s": [0, 2], "t": [-1, 1]}),
    ],
    ids=lambda matrix: f"{type(matrix).__module__}.{type(matrix).__name__}",
)
def test_matrices_of_every_library_are_read_alike(matrix: object) -> None:
    votes = Votes.from_matrix(matrix, LABELS)
    assert votes.indptr.tolist() == [0, 1, 3]
    assert votes.symbol.tolist() == [0, 2, 4]


def test_columns_name_the_sources() -> None:
    for table in (pd.DataFrame({"s": [0], "t": [1]}), pa.table({"s": [0], "t": [1]})):
        assert Votes.from_matrix(table, LABELS).sources == ("s", "t")
        assert Votes.from_matrix(table, LABELS, sources=["x", "y"]).sources == ("x", "y")


def test_any_code_may_stand_for_saying_nothing() -> None:
    assert Votes.from_matrix(np.array([[0, 255]], np.uint8), LABELS, abstain=255).n_votes == 1
    assert Votes.from_matrix(np.array([[0, 2]], np.uint8), LABELS).n_votes == 2
    assert Votes.from_matrix([[0, 1]], LABELS, abstain=0).symbol.tolist() == [4]
    assert Votes.from_matrix([[0, 1]], LABELS, abstain=None).n_votes == 2


def test_a_matrix_longer_than_one_block_is_read_whole() -> None:
    matrix = np.random.default_rng(0).integers(-1, 3, size=(3000, 700), dtype=np.int8)
    votes = Votes.from_matrix(matrix, LABELS)
    codes = matrix + 3 * np.arange(700)
    np.testing.assert_array_equal(votes.symbol, codes[matrix >= 0])
    np.testing.assert_array_equal(np.diff(votes.indptr), (matrix >= 0).sum(axis=1))


def test_reading_a_matrix_holds_no_copy_of_it() -> None:
    matrix = np.random.default_rng(0).integers(-1, 3, size=(300_000, 10))
    tracemalloc.start()
    votes = Votes.from_matrix(matrix, LABELS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    held = votes.symbol.nbytes + votes.indptr.nbytes
    assert peak < held + 0.5 * matrix.nbytes


@given(long_tables)
def test_a_long_table_is_read_as_it_says(votes: dict) -> None:
    read = Votes.from_table(long_table(votes), labels=TREE)
    spoken = {key: meaning(word, TREE) for key, word in votes.items() if word is not None}
    assert said(read) == spoken
    assert read.item_ids.tolist() == list(dict.fromkeys(item for item, _ in votes))
    placed = Votes.from_table(long_table(votes), labels=TREE, n_items=5)
    assert said(placed) == spoken
    assert placed.n_items == 5
    assert placed.item_ids is None


@given(long_tables, st.randoms(use_true_random=False))
def test_shuffling_the_rows_changes_only_the_order_of_the_ids(votes: dict, random: object) -> None:
    shuffled = list(votes.items())
    random.shuffle(shuffled)
    one = Votes.from_table(long_table(votes), labels=TREE)
    two = Votes.from_table(long_table(dict(shuffled)), labels=TREE)
    assert two.vocabulary.same_as(one.vocabulary)
    place = [two.item_ids.tolist().index(item) for item in one.item_ids]
    again = two.select(place)
    np.testing.assert_array_equal(again.item_ids, one.item_ids)
    np.testing.assert_array_equal(again.indptr, one.indptr)
    np.testing.assert_array_equal(again.symbol, one.symbol)


@given(long_tables)
def test_every_source_has_its_own_larger_words(votes: dict) -> None:
    read = Votes.from_table(long_table(votes), labels=TREE)
    vocabulary = read.vocabulary
    members = vocabulary.members()
    assert len({row.tobytes() for row in vocabulary.sets}) == len(vocabulary.sets)
    for j, source in enumerate(read.sources):
        own = members[vocabulary.first[j] : vocabulary.first[j + 1]]
        np.testing.assert_array_equal(own[:3], np.eye(3, dtype=bool))
        larger = {
            meaning(word, TREE)
            for (_, who), word in votes.items()
            if who == source and word is not None and len(meaning(word, TREE)) > 1
        }
        found = [frozenset(np.array(["a", "b", "c"])[row]) for row in own[3:]]
        assert set(found) == larger
        assert len(found) == len(larger)


@pytest.mark.parametrize(
    "table",
    [
        {"item": ["x", "y"], "source": [2, 1], "label": ["b", "a"]},
        pl.LazyFrame({"item": ["x", "y"], "source": [2, 1], "label": ["b", "a"]}).with_columns(
            pl.all().exclude("source").cast(pl.Categorical)
        ),
        pd.DataFrame({"item": ["x", "y"], "source": [2, 1], "label": pd.Categorical(["b", "a"])}),
        pa.table({"item": ["x", "y"], "source": [2, 1], "label": ["b", "a"]}),
    ],
    ids=lambda table: type(table).__module__,
)
def test_long_tables_of_every_library_are_read_alike(table: object) -> None:
    votes = Votes.from_table(table)
    assert votes.labels.classes == ("a", "b")
    assert votes.sources == ("1", "2")
    assert votes.item_ids.tolist() == ["x", "y"]
    assert votes.symbol.tolist() == [3, 0]


def test_codes_stand_for_classes_that_are_no_numbers() -> None:
    table = {"item": [0, 1, 1], "source": ["s", "s", "t"], "label": [2.0, None, 0]}
    assert said(Votes.from_table(table, labels=LABELS)) == {(0, "s"): {"c"}, (1, "t"): {"a"}}


def test_an_item_about_which_nothing_was_said_keeps_its_place() -> None:
    table = {"item": ["x", "y"], "source": ["s", "s"], "label": [None, "a"]}
    votes = Votes.from_table(table, labels=LABELS)
    assert votes.votes_per_item.tolist() == [0, 1]
    wide = Votes.from_columns({"s": [None, "a"], "t": [None, None]}, labels=LABELS)
    assert wide.votes_per_item.tolist() == [0, 1]
    assert wide.sources == ("s", "t")


def test_saying_nothing_beside_a_vote_is_no_second_vote() -> None:
    for label in (["a", None], [None, "a"]):
        table = {"item": [0, 0], "source": ["s", "s"], "label": label}
        assert Votes.from_table(table, labels=LABELS).n_votes == 1


def test_columns_infer_one_label_space_together() -> None:
    table = {"id": ["x", "y"], "s": ["b", None], "t": [["a", "c"], "a"]}
    votes = Votes.from_columns(table, item="id")
    assert votes.labels.classes == ("a", "b", "c")
    assert votes.item_ids.tolist() == ["x", "y"]
    assert said(votes) == {("x", "s"): {"b"}, ("x", "t"): {"a", "c"}, ("y", "t"): {"a"}}
    assert Votes.from_columns(table, ["s"], labels=LABELS).sources == ("s",)


def test_a_real_crowd_is_read_as_its_file_says(shared_data: Path) -> None:
    table = pl.read_csv(shared_data / "crowd" / "bluebird" / "votes.csv")
    votes = Votes.from_table(table)
    assert (votes.n_items, votes.n_sources, votes.n_votes) == (108, 39, 4212)
    key = ["item", "source"]
    back = votes.to_polars().select(
        "item", pl.col("source").cast(pl.Int64), pl.col("label").cast(pl.Int64)
    )
    assert back.sort(key).equals(table.sort(key))


def table_of(**columns: list) -> dict:
    return {"item": [0, 1], "source": ["s", "s"], "label": ["a", "b"]} | columns


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Votes.from_matrix([[0, 3]], LABELS, sources=["s", "t"]),
            (
                "`matrix` must hold class codes in [0, 3) or abstain=-1; got 3 at row 0, column 1 "
                "('t'). Correct the code, or pass the right `abstain`."
            ),
        ),
        (lambda: Votes.from_matrix([[0], [-1]], LABELS, abstain=9), "abstain=9; got -1 at row 1"),
        (lambda: Votes.from_matrix([[0.5]], LABELS), "got 0.5 at row 0, column 0 ('source_0')"),
        (lambda: Votes.from_matrix([[np.inf]], LABELS), "got inf at row 0"),
        (
            lambda: Votes.from_matrix(np.empty((0, 2), int), LABELS),
            "`matrix` must have at least one row and one column; got the shape (0, 2).",
        ),
        (lambda: Votes.from_matrix([0, 1], LABELS), "one column; got the shape (2,)"),
        (
            lambda: Votes.from_matrix([[0, 1]], LABELS, sources=["s"]),
            "`sources` must name each of the 2 columns; got 1 names.",
        ),
        (
            lambda: Votes.from_matrix([[0, 1]], LABELS, sources=["s", "s"]),
            "`sources` must all differ; got 's' at positions 0 and 1.",
        ),
        (
            lambda: Votes.from_matrix([[0], [1]], LABELS, items=["x"]),
            "`items` must have one id for each of the 2 rows; got 1.",
        ),
        (
            lambda: Votes.from_matrix([[0], [1]], LABELS, items=["x", "x"]),
            "`items` must all differ; id 'x' stands at rows 0, 1 (2 of 2 rows).",
        ),
        (
            lambda: Votes.from_matrix([[0], [1]], LABELS, items=["x", None]),
            "`items` must not hold nulls; it does at row 1 (1 of 2 rows).",
        ),
        (
            lambda: Votes.from_table({"item": [], "source": [], "label": []}),
            "`table` must have at least one vote; got no row.",
        ),
        (
            lambda: Votes.from_table(table_of(), source="worker"),
            "`source` must name a column of the table; got 'worker'",
        ),
        (
            lambda: Votes.from_table(table_of(item=[0, None])),
            "Column 'item' must not hold nulls; it does at row 1 (1 of 2 rows).",
        ),
        (lambda: Votes.from_table(table_of(source=[None, "s"])), "Column 'source' must not hold"),
        (lambda: Votes.from_table(table_of(item=[0.5, float("nan")])), "must not hold nulls"),
        (
            lambda: Votes.from_table(table_of(), labels=LabelSpace(["a", "x"])),
            (
                "`label` must be one of 'a', 'x'; got 'b'. Correct the value, or add the class to "
                "`classes`. It stands at row 1 (1 of 2 rows)."
            ),
        ),
        (
            lambda: Votes.from_table(table_of(label=[0, 3]), labels=LABELS),
            "`label` must be codes in [0, 3); got 3 at row 1 (1 of 2 rows).",
        ),
        (
            lambda: Votes.from_table(table_of(label=["a", []]), labels=LABELS),
            "`label` must name at least one class; got an empty collection.",
        ),
        (lambda: Votes.from_table(table_of(label=["a", "a"])), "at least two classes; got ['a']"),
        (
            lambda: Votes.from_table(table_of(item=[0, 2]), n_items=2),
            "Column 'item' must lie in [0, 2); got 2 at row 1 (1 of 2 rows).",
        ),
        (lambda: Votes.from_table(table_of(item=[-1, 0]), n_items=2), "got -1 at row 0"),
        (
            lambda: Votes.from_table(table_of(item=["x", "x"])),
            (
                "`table` must hold one vote per item and source; item 'x' and source 's' stand "
                "twice, the second time at row 1 (1 of 2 rows). Keep one of them, or "
                "pass repeated='last'."
            ),
        ),
        (
            lambda: Votes.from_columns({"id": [1, 2]}, item="id"),
            "`table` must have at least one row and one source column; got 2 rows, 0 columns.",
        ),
        (
            lambda: Votes.from_columns({"s": ["a", "b"]}, ["t"]),
            "`columns` must name a column of the table; got 't'",
        ),
        (
            lambda: Votes.from_columns({"s": ["a", "x"]}, labels=LABELS),
            "`s` must be one of 'a', 'b', 'c'; got 'x'.",
        ),
        (
            lambda: Votes.from_columns({"s": ["a", "b"], "id": [1, 1]}, item="id"),
            "`id` must all differ; id 1 stands at rows 0, 1",
        ),
    ],
)
def test_refusals_name_the_value_and_the_remedy(build: object, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Votes.from_matrix({1, 2}, LABELS), "must be a matrix of class codes; got set"),
        (
            lambda: Votes.from_matrix([["a", "b"]], LABELS),
            (
                "`matrix` must hold integer class codes; got <U1. For class names use "
                "`Votes.from_columns`."
            ),
        ),
        (
            lambda: Votes.from_table(table_of(), item="source", n_items=3),
            "Column 'source' must hold positions when `n_items` is given; got String.",
        ),
        (
            lambda: Votes.from_table(table_of(item=[0, "x"])),
            "Column 'item' must hold values of one kind; got Object.",
        ),
    ],
)
def test_values_of_a_wrong_kind_are_type_errors(build: object, message: str) -> None:
    with pytest.raises(TypeError) as refusal:
        build()
    assert message in str(refusal.value)


def test_the_place_of_a_second_vote_is_its_own_row() -> None:
    table = {"item": [7, 5, 7, 7], "source": ["s"] * 4, "label": ["b", "a", "a", None]}
    with pytest.raises(InputError, match=r"item 7 and source 's' stand twice.* at row 2 "):
        Votes.from_table(table, labels=LABELS)


def test_classes_are_inferred_where_one_source_says_sets_and_another_classes() -> None:
    votes = Votes.from_columns({"sets": [["a", "b"], ["b"]], "names": ["b", "c"]})
    assert votes.labels == LABELS
    assert votes.to_polars()["label"].to_list() == ["a|b", "b", "b", "c"]


REPEATS = {"item": [1, 1, 2, 1], "source": ["x", "x", "x", "y"], "label": ["a", "b", "a", None]}


@pytest.mark.parametrize(("repeated", "word"), [("first", "a"), ("last", "b")])
def test_one_of_two_votes_is_kept_where_the_user_says_which(repeated: str, word: str) -> None:
    votes = Votes.from_table(REPEATS, labels=LabelSpace(["a", "b"]), repeated=repeated)
    assert votes.to_polars().sort("item")["label"].to_list() == [word, "a"]
    assert votes.n_sources == 2


@pytest.mark.parametrize("repeated", ["first", "last"])
def test_nan_is_no_vote_to_keep(repeated: str) -> None:
    said = [float("nan"), 1.0] if repeated == "first" else [1.0, float("nan")]
    table = pl.DataFrame({"item": [7, 7], "source": ["s", "s"], "label": said})
    votes = Votes.from_table(table, labels=LabelSpace([0, 1]), repeated=repeated)
    assert votes.symbol.tolist() == [1]


def test_refuses_to_keep_the_middle_vote() -> None:
    with pytest.raises(InputError, match="`repeated` must be 'refuse', 'first' or 'last'"):
        Votes.from_table(REPEATS, repeated="middle")
