import numpy as np
import pytest

from partlabel.aggregate import (
    DawidSkene,
    LabelModel,
    MajorityVote,
    identifiability,
    sources_report,
)
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])
MAJORITY = MajorityVote()


def judged(said: np.ndarray, gold: np.ndarray | None = None, copies: list = ()) -> list[dict]:
    votes = Votes.from_matrix(said, LABELS)
    known = None if gold is None else Candidates.from_labels(gold, LABELS, missing=-1)
    evidence = Evidence(votes=votes, gold=known)
    beliefs = MAJORITY.fit_aggregate(evidence).probs
    return identifiability(evidence, beliefs, copies=copies).to_dicts()


def agreeing(n_items: int, n_sources: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (n_items, 1))
    return np.where(rng.random((n_items, n_sources)) < 0.9, truth, 1 - truth)


def slow_effective(evidence: Evidence, beliefs: np.ndarray) -> np.ndarray:
    """(n_sources,) The definition, vote by vote."""
    votes, hard = evidence.votes, evidence.hard_sets()
    vocabulary, k = votes.vocabulary, beliefs.shape[1]
    balance = beliefs.sum(axis=0) / beliefs.sum()
    found = np.zeros(votes.n_sources)

    def says(symbol: int) -> np.ndarray:
        counts = sum(
            beliefs[i]
            for i in range(votes.n_items)
            if symbol in votes.symbol[votes.indptr[i] : votes.indptr[i + 1]]
        )
        own = vocabulary.source == vocabulary.source[symbol]
        members = vocabulary.members()
        right = members[own].sum(axis=0)
        typical = np.where(members[symbol], 0.7 / right, 0.3 / (own.sum() - right))
        return counts / balance + 2.0 * typical

    for i in range(votes.n_items):
        said = votes.symbol[votes.indptr[i] : votes.indptr[i + 1]]
        for mine in said:
            others = hard.table[hard.which[i]].astype(float)
            for symbol in said:
                if symbol != mine:
                    others = others * says(symbol) / says(symbol).max()
            others /= others.sum()
            entropy = -sum(p * np.log(p) for p in others if p > 0)
            found[vocabulary.source[mine]] += 1.0 - entropy / np.log(k)
    return found


def test_effective_votes_are_what_the_definition_gives(planted) -> None:
    votes, truth = planted([0.9, 0.7, 0.6, 0.4], n_items=40, coverage=0.6)
    known = np.where(np.arange(40) < 8, truth, -1)
    gold = Candidates.from_labels(known, votes.labels, missing=-1)
    evidence = Evidence(votes=votes, gold=gold)
    beliefs = DawidSkene().fit_aggregate(evidence).probs
    found = identifiability(evidence, beliefs)["effective_votes"]
    np.testing.assert_allclose(found, slow_effective(evidence, beliefs), rtol=1e-9)


def test_three_sources_that_overlap_settle_it() -> None:
    rows = judged(agreeing(60, 3))
    assert [row["identifiable"] for row in rows] == ["yes"] * 3
    assert rows[0]["reason"] == "2 other sources speak about its items."
    assert 10 < rows[0]["effective_votes"] < 60


def test_a_source_that_says_nothing() -> None:
    said = np.column_stack([agreeing(60, 3), np.full(60, -1)])
    assert judged(said)[3] == {
        "source": "source_3",
        "effective_votes": 0.0,
        "identifiable": "no",
        "reason": "It says nothing.",
    }


def test_a_source_about_whose_items_nobody_else_speaks() -> None:
    said = np.full((100, 4), -1)
    said[:60, :3], said[60:, 3] = agreeing(60, 3), 1
    row = judged(said)[3]
    assert (row["effective_votes"], row["identifiable"]) == (0.0, "no")
    assert row["reason"] == "No other source speaks about its items."


@pytest.mark.parametrize("shape", ["pair", "chain"])
def test_without_a_triangle_nobody_can_tell(shape: str) -> None:
    said = np.full((100, 3), -1)
    said[:50, :2] = agreeing(50, 2)
    if shape == "chain":
        said[50:, 1:] = agreeing(50, 2)
    for row in judged(said)[:2]:
        assert row["identifiable"] == "no"
        assert row["reason"].startswith("No two other sources overlap with it and with each other,")


def test_pairs_on_different_items_make_a_triangle() -> None:
    said = np.full((300, 3), -1)
    for place, pair in enumerate([[0, 1], [1, 2], [0, 2]]):
        said[100 * place : 100 * (place + 1), pair] = agreeing(100, 2, seed=place)
    assert {row["identifiable"] for row in judged(said)} == {"yes"}


def test_copies_are_one_witness() -> None:
    said = agreeing(200, 2)[:, [0, 0, 0, 1]]
    copies = [("source_0", "source_1", "source_2")]
    assert [row["identifiable"] for row in judged(said, copies=copies)] == ["no"] * 4
    assert [row["identifiable"] for row in judged(said)] == ["yes"] * 4
    said = agreeing(200, 4)[:, [0, 0, 1, 2, 3, 3]]
    twice = [("source_0", "source_1"), ("source_4", "source_5")]
    one = judged(said[:, [0, 2, 3, 4]])
    two = judged(said, copies=twice)
    assert [row["identifiable"] for row in two] == ["yes"] * 6
    assert two[0]["effective_votes"] == two[1]["effective_votes"]
    close = pytest.approx([row["effective_votes"] for row in one], rel=0.1)
    assert [two[j]["effective_votes"] for j in (0, 2, 3, 4)] == close


def test_a_class_that_nobody_else_says_can_only_be_contradicted() -> None:
    said = agreeing(200, 4)
    said[:, :3] = np.where(said[:, :3] == 1, 1, -1)
    said[:, 3] = np.where(said[:, 3] == 0, 0, -1)
    row = judged(said)[3]
    assert row["identifiable"] == "weak"
    assert row["reason"].startswith("No other source ever says what most of its votes say,")


def test_few_votes_are_weak_and_so_are_many_beside_few_others() -> None:
    said = agreeing(300, 4)
    said[6:, 3] = -1
    row = judged(said)[3]
    assert (row["identifiable"], row["reason"]) == ("weak", "It has fewer than 10 votes.")
    said = agreeing(300, 4)
    said[5:150, :3] = -1
    said[150:, 3] = -1
    row = judged(said)[3]
    assert (row["identifiable"], row["reason"]) == ("weak", "Others know little about its items.")


def test_verified_labels_settle_it_for_a_source_that_is_alone() -> None:
    said = np.column_stack([agreeing(60, 1)])
    gold = np.where(np.arange(60) < 30, said[:, 0], -1)
    (row,) = judged(said, gold)
    assert (row["identifiable"], row["effective_votes"]) == ("yes", pytest.approx(30.0))
    assert row["reason"] == "30 of its votes lie on verified labels."
    gold[3:] = -1
    (row,) = judged(said, gold)
    assert row["identifiable"] == "weak"
    assert row["reason"].endswith(" Only 3 of its votes lie on verified labels.")


def test_names_and_orders_change_nothing(planted) -> None:
    votes, _ = planted([0.9, 0.7, 0.6, 0.4], n_items=100, coverage=0.6)
    matrix = np.full((100, 4), -1)
    matrix[votes.item, votes.source] = votes.vocabulary.meaning[votes.symbol]
    order, renamed = np.array([2, 0, 3, 1]), np.array([1, 2, 0])
    other = np.where(matrix >= 0, renamed[matrix], -1)[::-1][:, order]
    one = sources_report(DawidSkene().fit(votes), votes)
    moved = Votes.from_matrix(other, votes.labels)
    two = sources_report(DawidSkene().fit(moved), moved)
    np.testing.assert_allclose(two["effective_votes"], one["effective_votes"].to_numpy()[order])
    assert two["identifiable"].to_list() == one["identifiable"].gather(order).to_list()


def test_many_sources_are_judged_by_a_sparse_table(
    planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    votes, _ = planted([0.7] * 12, n_items=60, coverage=0.1)
    beliefs = MAJORITY.fit_aggregate(votes).probs
    dense = identifiability(Evidence(votes=votes), beliefs)
    monkeypatch.setattr("partlabel.aggregate.identifiable.DENSE_BELOW", 0)
    assert identifiability(Evidence(votes=votes), beliefs).equals(dense)


def test_the_report_holds_reliability_and_identifiability(planted) -> None:
    votes, _ = planted([0.9, 0.8, 0.7, 0.6])
    model = LabelModel().fit(votes)
    report = sources_report(model, votes)
    added = ["effective_votes", "identifiable", "reason"]
    assert report.columns == [*model.reliability_.columns, *added]
    assert report["source"].to_list() == list(votes.sources)
    assert report["identifiable"].to_list() == ["yes"] * 4


def test_refusals() -> None:
    only = Evidence(gold=Candidates.from_labels([0], LABELS))
    with pytest.raises(InputError, match="`evidence` must hold votes"):
        identifiability(only, np.array([[1.0, 0.0]]))
