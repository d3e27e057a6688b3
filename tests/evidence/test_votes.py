import numpy as np
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
    np.int8, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.integers(-1, 2)
)


def as_matrix(votes: Votes) -> np.ndarray:
    """The matrix that was read, vote by vote."""
    matrix = np.full((votes.n_items, votes.n_sources), -1)
    for i in range(votes.n_items):
        for symbol in votes.symbol[votes.indptr[i] : votes.indptr[i + 1]]:
            j = votes.vocabulary.source[symbol]
            assert matrix[i, j] == -1
            matrix[i, j] = np.flatnonzero(votes.vocabulary.members()[symbol])[0]
    return matrix


@given(matrices)
def test_votes_hold_what_the_matrix_says(matrix: np.ndarray) -> None:
    votes = Votes.from_matrix(matrix, LABELS)
    np.testing.assert_array_equal(as_matrix(votes), matrix)
    assert len(votes) == votes.n_items == len(matrix)
    assert votes.n_votes == (matrix >= 0).sum()
    np.testing.assert_array_equal(votes.votes_per_item, (matrix >= 0).sum(axis=1))
    np.testing.assert_array_equal(votes.item, np.nonzero(matrix >= 0)[0])
    np.testing.assert_array_equal(votes.source, np.nonzero(matrix >= 0)[1])
    for start, end in zip(votes.indptr[:-1], votes.indptr[1:], strict=True):
        assert (np.diff(votes.symbol[start:end]) > 0).all()


@given(matrices, st.data())
def test_select_takes_rows_of_the_matrix(matrix: np.ndarray, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(-1, len(matrix) - 1), max_size=8))
    votes = Votes.from_matrix(matrix, LABELS)
    with_nobody = np.vstack([matrix, np.full((1, matrix.shape[1]), -1)])
    np.testing.assert_array_equal(as_matrix(votes.select(rows)), with_nobody[rows])
    mask = np.arange(len(matrix)) % 2 == 0
    np.testing.assert_array_equal(as_matrix(votes.select(mask)), matrix[mask])
    np.testing.assert_array_equal(as_matrix(votes.select(slice(1, 3))), matrix[1:3])


def test_select_keeps_ids_with_their_votes() -> None:
    votes = Votes.from_matrix([[0], [1], [2]], LABELS, items=["x", "y", "z"])
    assert votes.select([2, 0]).item_ids.tolist() == ["z", "x"]
    assert votes.select([2, -1]).item_ids is None
    assert votes.select([]).n_items == 0


@given(matrices, st.data())
def test_joined_puts_sources_side_by_side(matrix: np.ndarray, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, matrix.shape[1]))
    names = [f"s{j}" for j in range(matrix.shape[1])]
    parts = [
        Votes.from_matrix(matrix[:, part], LABELS, sources=names[part])
        for part in (slice(cut), slice(cut, None))
        if names[part]
    ]
    joined, whole = Votes.joined(parts), Votes.from_matrix(matrix, LABELS, sources=names)
    np.testing.assert_array_equal(joined.symbol, whole.symbol)
    np.testing.assert_array_equal(joined.indptr, whole.indptr)
    assert joined.vocabulary.same_as(whole.vocabulary)


def test_joined_sources_share_one_table_of_sets() -> None:
    columns = {"one": ["ab", "a", None], "two": ["c", "ab", "ab"]}
    parts = [Votes.from_columns({name: said}, labels=TREE) for name, said in columns.items()]
    joined, whole = Votes.joined(parts), Votes.from_columns(columns, labels=TREE)
    assert joined.vocabulary.same_as(whole.vocabulary)
    assert joined.vocabulary.sets.astype(int).tolist() == [*np.eye(3).tolist(), [1, 1, 0]]
    assert joined.to_polars().equals(whole.to_polars())


def test_the_long_table_names_everything() -> None:
    table = {"item": ["x", "x", "y"], "source": ["s", "t", "s"], "label": ["ab", "c", "a"]}
    shown = Votes.from_table(table, labels=TREE).to_polars()
    assert shown.to_dict(as_series=False) == {
        "item": ["x", "x", "y"],
        "source": ["s", "t", "s"],
        "label": ["a|b", "c", "a"],
        "level": [0, 0, 0],
    }


@given(matrices)
def test_the_long_table_reads_back(matrix: np.ndarray) -> None:
    votes = Votes.from_matrix(matrix, LABELS)
    table = votes.to_polars()
    if votes.n_votes == 0:
        return
    back = Votes.from_table(table, labels=LABELS, n_items=votes.n_items)
    heard = [j for j in range(votes.n_sources) if (matrix[:, j] >= 0).any()]
    np.testing.assert_array_equal(as_matrix(back), matrix[:, heard])


def test_a_vote_keeps_its_meaning_in_another_vocabulary() -> None:
    said = {"s": ["a", ["a", "b"], None], "t": ["ab", "c", ["b", "c"]]}
    fitted = Votes.from_columns(said, labels=TREE)
    new = Votes.from_columns({"t": [["c", "b"], None, "c"], "s": [None, "b", "ab"]}, labels=TREE)
    read = new.in_vocabulary(fitted.vocabulary)
    assert read.vocabulary is fitted.vocabulary
    key = ["item", "source"]
    assert read.to_polars().sort(key).equals(new.to_polars().sort(key))
    assert fitted.in_vocabulary(fitted.vocabulary) is fitted
    for start, end in zip(read.indptr[:-1], read.indptr[1:], strict=True):
        assert (np.diff(read.symbol[start:end]) > 0).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Votes.joined([]), "`parts` must hold at least one Votes; got none."),
        (
            lambda: Votes.joined(
                [Votes.from_matrix([[0]], LABELS), Votes.from_matrix([[0]], TREE, sources=["x"])]
            ),
            "`parts` must share one label space; part 1 has another one than part 0.",
        ),
        (
            lambda: Votes.joined(
                [
                    Votes.from_matrix([[0]], LABELS, items=["x"]),
                    Votes.from_matrix([[0]], LABELS, items=["y"]),
                ]
            ),
            "`parts` must be about the same items in the same order; part 1 is not.",
        ),
        (
            lambda: Votes.joined([Votes.from_matrix([[0]], LABELS)] * 2),
            "`sources` must all differ; got 'source_0' at positions 0 and 1. Rename one of them.",
        ),
        (
            lambda: Votes.from_matrix([[0], [1]], LABELS).select(np.array([True])),
            "`rows` must be a mask of the 2 items, or positions; got a mask of 1.",
        ),
        (
            lambda: Votes.from_matrix([[0], [1]], LABELS).select([0, 2]),
            "`rows` must lie in [-1, 2); got 2 at row 1 (1 of 2 rows).",
        ),
        (
            lambda: Votes.from_matrix([[0]], LABELS, sources=["new"]).in_vocabulary(
                Votes.from_matrix([[0]], LABELS).vocabulary
            ),
            "`votes` must be of sources that were there in `fit`; got 'new' (1 of 1 sources).",
        ),
        (
            lambda: Votes.from_columns({"s": ["ab"]}, labels=TREE).in_vocabulary(
                Votes.from_columns({"s": ["a"]}, labels=TREE).vocabulary
            ),
            "`votes` must use words that were known in `fit`; source 's' says ['a', 'b']",
        ),
        (
            lambda: Votes.from_matrix([[0]], LabelSpace([0, 1])).in_vocabulary(
                Votes.from_matrix([[0]], LABELS).vocabulary
            ),
            "`votes` must be about the 3 classes of `fit`; they are about 2.",
        ),
        (
            lambda: Votes.from_probabilities([[0.6, 0.2, 0.2]] * 2, LABELS).in_vocabulary(
                Votes.from_probabilities([[0.6, 0.2, 0.2], [0.9, 0.1, 0]], LABELS).vocabulary
            ),
            "must be read with the confidence bins of `fit`; those of source 'model' differ.",
        ),
    ],
)
def test_refusals_name_the_value_and_the_remedy(build: object, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert message in str(refusal.value)
