from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from partlabel.evidence import Votes
from partlabel.labels import LabelSpace
from partlabel.report.conflicts import contradictions, disagreement, most_contested

LABELS = LabelSpace(["cat", "dog", "car"], parents={"cat": "animal", "dog": "animal"})
CLASSES = {"cat": {"cat"}, "dog": {"dog"}, "car": {"car"}, "animal": {"cat", "dog"}}

tables = st.integers(2, 4).flatmap(
    lambda n_sources: st.lists(
        st.lists(st.sampled_from([None, *CLASSES]), min_size=n_sources, max_size=n_sources),
        min_size=1,
        max_size=6,
    )
)


def votes_of(table: list[list[str | None]]) -> Votes:
    columns = {f"s{j}": list(said) for j, said in enumerate(zip(*table, strict=True))}
    return Votes.from_columns(columns, labels=LABELS)


def clash(a: str | None, b: str | None) -> bool:
    return a is not None and b is not None and not CLASSES[a] & CLASSES[b]


@given(tables)
def test_contradictions_are_the_pairs_of_votes_without_a_common_class(
    table: list[list[str | None]],
) -> None:
    expected = [sum(clash(a, b) for a, b in combinations(row, 2)) for row in table]
    assert contradictions(votes_of(table)).tolist() == expected


@given(tables, st.data())
def test_disagreement_counts_shared_and_contradicted_items_of_each_pair(
    table: list[list[str | None]], data: st.DataObject
) -> None:
    n = len(table[0])
    some = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n, unique=True))
    found = disagreement(votes_of(table), np.array(sorted(some)))
    for i, a in enumerate(sorted(some)):
        for j, b in enumerate(sorted(some)):
            both = [row for row in table if row[a] is not None and row[b] is not None]
            assert found.both[i, j] == len(both)
            assert found.against[i, j] == sum(clash(row[a], row[b]) for row in both)


def test_share_is_unknown_on_the_diagonal_and_for_pairs_that_never_meet() -> None:
    votes = votes_of([["cat", "dog", None], ["cat", "cat", None], [None, None, "car"]])
    share = disagreement(votes, np.arange(3)).share()
    nan = np.nan
    expected: NDArray[np.float64] = np.array([[nan, 0.5, nan], [0.5, nan, nan], [nan, nan, nan]])
    np.testing.assert_array_equal(share, expected)


def test_most_contested_items_come_first_each_with_other_votes() -> None:
    votes = votes_of(
        [["cat", "car", None], ["cat", "dog", "car"], ["cat", "dog", "car"], ["cat", "cat", "cat"]]
    )
    assert most_contested(votes, contradictions(votes), 5) == [1, 0]
    assert most_contested(votes, contradictions(votes), 1) == [1]
