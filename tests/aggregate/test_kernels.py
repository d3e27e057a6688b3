"""The compiled passes against their plain-numpy twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.aggregate.kernels import (
    blocks,
    counts_under,
    expected_counts,
    overlaps_and_conflicts,
)
from partlabel.aggregate.observations import SAMPLE, Observations
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])


def random_evidence(seed: int) -> Evidence:
    rng = np.random.default_rng(seed)
    votes = Votes.from_matrix(rng.integers(-1, 3, (40, 3)), LABELS)
    gold = np.where(rng.random(40) < 0.3, rng.integers(0, 3, 40), -1)
    return Evidence(votes=votes, gold=Candidates.from_labels(gold, LABELS, missing=-1))


def passed_over(rows: Observations, table: np.ndarray) -> tuple:
    return expected_counts(rows.indptr, rows.symbol, rows.weight, rows.which, rows.sets / 3, table)


def in_numpy(evidence: Evidence, table: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    votes, hard = evidence.votes, evidence.hard_sets()
    joint = hard.table[hard.which] / 3.0
    for item, symbol in zip(votes.item, votes.symbol, strict=True):
        joint[item] *= table[symbol]
    beliefs = joint / joint.sum(axis=1, keepdims=True)
    counts = np.zeros_like(table)
    np.add.at(counts, votes.symbol, beliefs[votes.item])
    return counts, beliefs.sum(axis=0), np.log(joint.sum(axis=1)).sum()


@given(st.integers(0, 10_000), st.booleans())
def test_a_pass_is_its_numpy_twin(seed: int, collapse: bool) -> None:
    evidence = random_evidence(seed)
    table = np.random.default_rng(seed).uniform(0.1, 0.9, (9, 3))
    rows = Observations.of(evidence, collapse=collapse)
    assert rows.n_items == 40
    for found, expected in zip(passed_over(rows, table), in_numpy(evidence, table), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_equal_rows_are_held_once() -> None:
    votes = Votes.from_matrix([[0, 1], [0, 1], [1, -1], [0, 1]], LABELS)
    rows = Observations.of(Evidence(votes=votes), collapse=True)
    assert sorted(rows.weight) == [1, 3]


def test_many_rows_are_collapsed_part_by_part_into_those_of_numpy() -> None:
    matrix = np.random.default_rng(0).integers(-1, 3, (3 * SAMPLE, 7))
    votes = Votes.from_matrix(matrix, LABELS)
    rows = Observations.of(Evidence(votes=votes), collapse=True)
    distinct, count = np.unique(matrix, axis=0, return_counts=True)
    expected = Votes.from_matrix(distinct, LABELS)
    wanted = {
        tuple(expected.symbol[expected.indptr[i] : expected.indptr[i + 1]]): count[i]
        for i in range(len(distinct))
    }
    found = {
        tuple(rows.symbol[rows.indptr[i] : rows.indptr[i + 1]]): rows.weight[i]
        for i in range(len(rows.weight))
    }
    assert found == wanted
    assert len(rows.weight) == len(distinct)


def test_rows_that_do_not_repeat_are_left_alone() -> None:
    votes = Votes.from_matrix(np.random.default_rng(0).integers(0, 3, (200, 30)), LABELS)
    rows = Observations.of(Evidence(votes=votes))
    assert rows.symbol is votes.symbol


def test_a_thousand_votes_do_not_vanish() -> None:
    votes = Votes.from_matrix(np.zeros((2, 1000), dtype=int), LABELS)
    rows = Observations.of(Evidence(votes=votes), collapse=False)
    table = np.tile([[1e-29, 1e-30, 1e-30]], (3000, 1))
    _, totals, objective = passed_over(rows, table)
    np.testing.assert_allclose(totals, [2.0, 0.0, 0.0], atol=1e-12)
    assert objective == pytest.approx(2 * (1000 * np.log(1e-29) - np.log(3)))


@given(st.integers(0, 10_000))
def test_counts_under_beliefs(seed: int) -> None:
    votes = random_evidence(seed).votes
    beliefs = np.random.default_rng(seed).dirichlet(np.ones(3), 40)
    expected = np.zeros((9, 3))
    np.add.at(expected, votes.symbol, beliefs[votes.item])
    np.testing.assert_allclose(counts_under(votes.indptr, votes.symbol, beliefs, 9), expected)


@given(st.integers(0, 10_000))
def test_overlaps_and_conflicts_by_looking_at_each_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = [None, ["a"], ["b"], ["a", "b"], ["b", "c"]]
    columns = {f"s{j}": [words[w] for w in rng.integers(0, 5, 12)] for j in range(3)}
    if all(value is None for values in columns.values() for value in values):
        return
    votes = Votes.from_columns(columns, labels=LABELS)
    overlap, conflict = np.zeros(3), np.zeros(3)
    for i in range(12):
        for j, values in enumerate(columns.values()):
            others = [v[i] for k, v in enumerate(columns.values()) if k != j and v[i] is not None]
            if values[i] is not None and others:
                overlap[j] += 1
                conflict[j] += any(set(values[i]).isdisjoint(other) for other in others)
    vocabulary = votes.vocabulary
    found = overlaps_and_conflicts(
        votes.indptr, votes.symbol, np.ones(12), vocabulary.source, vocabulary.members(), 3
    )
    np.testing.assert_array_equal(found[0], overlap)
    np.testing.assert_array_equal(found[1], conflict)


@pytest.mark.parametrize("most", [1, 3, 32])
def test_the_number_of_blocks_changes_nothing(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, table = random_evidence(1), np.random.default_rng(1).uniform(0.1, 0.9, (9, 3))
    monkeypatch.setattr("partlabel.aggregate.kernels.MOST_BLOCKS", most)
    rows = Observations.of(evidence)
    for found, expected in zip(passed_over(rows, table), in_numpy(evidence, table), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_large_tables_are_cut_into_fewer_blocks() -> None:
    assert blocks(30, 3) == 32
    assert blocks(500_000, 50) == 1
