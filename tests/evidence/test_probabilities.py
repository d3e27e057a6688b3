import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from partlabel.errors import InputError
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])

# shares of small whole numbers, so that ties are common
ONE_MORE = np.array([0, 0, 1])
tables = (
    hnp.arrays(np.int64, st.tuples(st.integers(1, 12), st.just(3)), elements=st.integers(0, 3))
    .map(lambda raw: raw + ONE_MORE)
    .map(lambda raw: raw / raw.sum(axis=1, keepdims=True))
)


def words(votes: Votes) -> list[tuple[list[bool], int] | None]:
    """Each item's one word: the classes and the level."""
    members, level = votes.vocabulary.members(), votes.vocabulary.level
    assert votes.n_sources == 1
    spoken = iter(votes.symbol)
    return [
        (members[(symbol := next(spoken))].tolist(), int(level[symbol])) if n else None
        for n in votes.votes_per_item
    ]


@given(tables, st.integers(1, 6))
def test_a_word_is_the_likeliest_classes_and_a_bin(probs: np.ndarray, bins: int) -> None:
    votes = Votes.from_probabilities(probs, LABELS, bins=bins)
    edges = votes.vocabulary.bins["model"]
    assert len(edges) < bins
    for row, (members, level) in zip(probs, words(votes), strict=True):
        assert members == [bool(p >= row.max() - 1e-12) for p in row]
        assert level == sum(edge <= row.max() for edge in edges)
    assert votes.vocabulary.level.max() == len(edges)


@given(tables, st.integers(1, 6))
def test_every_bin_has_a_row(probs: np.ndarray, bins: int) -> None:
    votes = Votes.from_probabilities(probs, LABELS, bins=bins)
    assert {level for _, level in words(votes)} == set(range(votes.vocabulary.level.max() + 1))


@given(tables, st.data())
def test_new_rows_are_read_like_the_first(probs: np.ndarray, data: st.DataObject) -> None:
    votes = Votes.from_probabilities(probs, LABELS)
    rows = data.draw(st.lists(st.integers(0, len(probs) - 1), min_size=1))
    again = Votes.from_probabilities(probs[rows], LABELS, like=votes)
    assert again.vocabulary.same_as(votes.vocabulary)
    np.testing.assert_array_equal(again.symbol, votes.symbol[rows])


def test_bins_have_equally_many_rows() -> None:
    confidence = np.random.default_rng(0).permutation(np.linspace(0.5, 1, 1000))
    probs = np.column_stack([confidence, 1 - confidence, np.zeros(1000)])
    votes = Votes.from_probabilities(probs, LABELS, bins=4)
    level = np.array([level for _, level in words(votes)])
    assert np.bincount(level).tolist() == [250] * 4
    assert confidence[level == 3].min() > confidence[level == 2].max()


def test_a_row_of_nan_says_nothing() -> None:
    votes = Votes.from_probabilities([[np.nan] * 3, [0.8, 0.1, 0.1]], LABELS, items=["x", "y"])
    assert words(votes) == [None, ([True, False, False], 0)]
    assert votes.item_ids.tolist() == ["x", "y"]
    assert Votes.from_probabilities([[np.nan] * 3], LABELS).n_votes == 0


def test_a_tie_that_was_never_seen_is_read_as_its_first_class() -> None:
    seen = Votes.from_probabilities([[0.5, 0.5, 0], [0.8, 0.1, 0.1]], LABELS, bins=1)
    new = Votes.from_probabilities([[0, 0.5, 0.5], [0.5, 0.5, 0]], LABELS, like=seen)
    assert words(new) == [([False, True, False], 0), ([True, True, False], 0)]


def test_one_of_several_sources_can_be_read_alike() -> None:
    rules = Votes.from_columns({"rule": [["b", "c"], "a"]}, labels=LABELS)
    probs = [[0.5, 0.5, 0], [0.9, 0.1, 0]]
    model = Votes.from_probabilities(probs, LABELS, source="llm", bins=2)
    joined = Votes.joined([rules, model])
    more = pd.DataFrame([[0, 0.5, 0.5], [0.95, 0.05, 0]])
    new = Votes.from_probabilities(more, LABELS, source="llm", like=joined)
    # the rule may say {b, c}, but the model never did
    assert words(new) == [([False, True, False], 0), ([True, False, False], 1)]
    assert new.in_vocabulary(joined.vocabulary).to_polars()["level"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Votes.from_probabilities([[0.5, 0.5]], LABELS),
            "`probs` must have the shape (n_items, 3) with at least one row; got (1, 2).",
        ),
        (lambda: Votes.from_probabilities(np.empty((0, 3)), LABELS), "one row; got (0, 3)"),
        (
            lambda: Votes.from_probabilities([[1, 0, 0], [0.5, 0.2, 0]], LABELS, items=["x", "y"]),
            (
                "`probs` must be distributions that add up to 1, or NaN throughout; got "
                "[0.5, 0.2, 0.0] at row y (1 of 2 rows). Normalise the rows first."
            ),
        ),
        (lambda: Votes.from_probabilities([[np.nan, 1, 0]], LABELS), "got [nan, 1.0, 0.0]"),
        (lambda: Votes.from_probabilities([[1.2, -0.2, 0]], LABELS), "got [1.2, -0.2, 0.0]"),
        (
            lambda: Votes.from_probabilities(np.eye(3), LABELS, bins=0),
            "`bins` must be at least 1; got 0.",
        ),
        (
            lambda: Votes.from_probabilities(
                np.eye(3), LABELS, like=Votes.from_matrix([[0]], LABELS)
            ),
            "`like` must hold votes of the source 'model' with confidence bins; it has none.",
        ),
        (
            lambda: Votes.from_probabilities(
                np.eye(3), LABELS, like=Votes.from_probabilities(np.eye(2), LabelSpace([0, 1]))
            ),
            "`like` must have the label space ('a', 'b', 'c'); it has (0, 1).",
        ),
        (
            lambda: Votes.from_probabilities(np.eye(3), LABELS, items=[1, 1, 2]),
            "`items` must all differ; id 1 stands at rows 0, 1 (2 of 3 rows).",
        ),
    ],
)
def test_refusals_name_the_value_and_the_remedy(build: object, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert message in str(refusal.value)
