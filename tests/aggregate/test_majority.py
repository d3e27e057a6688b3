import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from partlabel.aggregate import MajorityVote
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])


@given(st.integers(0, 10_000))
def test_shares_are_counted_votes(seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(-1, 3, (8, 4))
    found = MajorityVote().fit_aggregate(Votes.from_matrix(matrix, LABELS)).probs
    for row, belief in zip(matrix.tolist(), found, strict=True):
        spoken = [word for word in row if word >= 0]
        expected = [spoken.count(k) / len(spoken) for k in range(3)] if spoken else [1 / 3] * 3
        np.testing.assert_allclose(belief, expected)


def test_a_vote_for_a_set_is_split_evenly() -> None:
    votes = Votes.from_columns({"x": [["a", "b"]], "y": ["a"]}, labels=LABELS)
    np.testing.assert_allclose(MajorityVote().fit_aggregate(votes).probs, [[0.75, 0.25, 0.0]])


def test_classes_that_are_ruled_out_are_struck() -> None:
    votes = Votes.from_matrix([[0, 0, 1], [0, 0, 0], [0, 1, 2]], LABELS)
    evidence = Evidence(
        votes=votes,
        candidates=Candidates.from_lists([["b", "c"], ["b", "c"], None], LABELS),
        gold=Candidates.from_labels([None, None, "c"], LABELS),
    )
    expected = [[0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]
    np.testing.assert_allclose(MajorityVote().fit_aggregate(evidence).probs, expected)


def test_candidates_alone_share_evenly() -> None:
    sets = Candidates.from_lists([["b", "c"], None], LABELS)
    expected = [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]
    model = MajorityVote().fit(sets)
    np.testing.assert_allclose(model.aggregate(sets).probs, expected)
    assert len(model.reliability_) == 0
