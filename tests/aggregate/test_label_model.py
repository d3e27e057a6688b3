"""LabelModel: what it decides, that it holds on real sets, and the traps that it avoids."""

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

from partlabel.aggregate import DawidSkene, LabelModel, MajorityVote
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

BINARY = LabelSpace(["no", "yes"])


def crowd(seed: int = 0, n_items: int = 600) -> tuple[Votes, np.ndarray]:
    """Twelve workers of different skill, five of them asked about each item."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n_items)
    skill = np.linspace(0.4, 0.95, 12)
    wrong = rng.random((n_items, 12)) > skill
    said = (truth[:, None] + wrong * rng.integers(1, 3, (n_items, 12))) % 3
    said[rng.random((n_items, 12)).argsort(axis=1) >= 5] = -1
    return Votes.from_matrix(said, LabelSpace(["a", "b", "c"])), truth


def rules(seed: int = 0, n_items: int = 3000) -> tuple[Votes, np.ndarray]:
    """Six rules that each only say one class."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n_items) < 0.4).astype(int)
    says = np.array([1, 1, 1, 0, 0, 0])
    rate = np.where(says == truth[:, None], 0.4, [0.05, 0.1, 0.2, 0.05, 0.1, 0.2])
    fires = rng.random((n_items, 6)) < rate
    return Votes.from_matrix(np.where(fires, says, -1), BINARY), truth


def accuracy(probs: np.ndarray, truth: np.ndarray) -> float:
    top = probs >= probs.max(axis=1, keepdims=True) - 1e-9
    return float((top[np.arange(len(truth)), truth] / top.sum(axis=1)).mean())


def test_tells_crowds_from_rules_and_says_so() -> None:
    one, two = LabelModel().fit(crowd()[0]), LabelModel().fit(rules()[0])
    assert (one.kind_, two.kind_) == ("crowd", "rules")
    assert "Most sources say several classes" in one.choice_
    assert "Most sources only ever say one class" in two.choice_


def test_beats_the_majority_on_a_crowd() -> None:
    votes, truth = crowd()
    mine = accuracy(LabelModel().fit_aggregate(votes).probs, truth)
    assert mine > accuracy(MajorityVote().fit_aggregate(votes).probs, truth) + 0.02


def test_does_not_collapse_on_rules() -> None:
    votes, truth = rules()
    fired = votes.votes_per_item > 0
    probs = LabelModel().fit_aggregate(votes).probs
    assert accuracy(probs[fired], truth[fired]) > 0.8
    assert 0.2 < probs[fired].argmax(axis=1).mean() < 0.8


def copied(seed: int) -> tuple[Votes, np.ndarray]:
    """Five sources of 75%, and three near-copies of one of 58%."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 3000)
    good = np.where(rng.random((3000, 5)) < 0.75, truth[:, None], 1 - truth[:, None])
    poor = np.where(rng.random(3000) < 0.58, truth, 1 - truth)
    copies = np.where(rng.random((3000, 3)) < 0.97, poor[:, None], 1 - poor[:, None])
    return Votes.from_matrix(np.column_stack([good, copies]), BINARY), truth


@pytest.mark.parametrize("seed", range(3))
def test_copies_of_a_poor_source_do_not_outvote_the_good_ones(seed: int) -> None:
    votes, truth = copied(seed)
    model = LabelModel().fit(votes)
    assert model.copies_ == [("source_5", "source_6", "source_7")]
    assert "count as one" in model.choice_
    mine = accuracy(model.aggregate(votes).probs, truth)
    told_nothing = accuracy(LabelModel(merge_copies=False).fit_aggregate(votes).probs, truth)
    assert mine > 0.85
    assert mine > told_nothing


def test_five_copies_of_a_source_count_about_once() -> None:
    votes, truth = crowd()
    matrix = np.full((votes.n_items, 12), -1)
    matrix[votes.item, votes.source] = votes.vocabulary.meaning[votes.symbol]
    before = LabelModel().fit_aggregate(votes).probs
    more = Votes.from_matrix(np.column_stack([matrix, *[matrix[:, 0]] * 5]), votes.labels)
    after = LabelModel().fit_aggregate(more).probs
    assert abs(accuracy(before, truth) - accuracy(after, truth)) < 0.005


def test_gold_corrects_the_class_balance_of_rules() -> None:
    """Spam rules fire on a third of the ham: without gold half of the items look like spam."""
    rng = np.random.default_rng(0)
    truth = (rng.random(4000) < 0.08).astype(int)
    says = np.array([1, 1, 0, 0])
    rate = np.where(says == truth[:, None], 0.5, 0.3)
    votes = Votes.from_matrix(np.where(rng.random((4000, 4)) < rate, says, -1), BINARY)
    known = np.where(np.arange(4000) < 100, truth, -1)
    gold = Candidates.from_labels(known, BINARY, missing=-1)
    free = LabelModel().fit_aggregate(votes).probs[100:]
    model = LabelModel().fit(Evidence(votes=votes, gold=gold))
    told = model.aggregate(Evidence(votes=votes, gold=gold)).probs
    assert (told[np.arange(100), truth[:100]] == 1).all()
    assert accuracy(told[100:], truth[100:]) > accuracy(free, truth[100:]) + 0.1
    assert model.calibration_ is not None
    assert model.calibration_.offset[0] > model.calibration_.offset[1]
    assert "100 gold labels corrected" in model.choice_


def test_says_when_the_majority_does_better_on_gold() -> None:
    """Workers who all share one blind spot that only gold shows."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 800)
    poor = np.where(rng.random((800, 3)) < 0.55, truth[:, None], 1 - truth[:, None])
    lying = np.where(rng.random((800, 4)) < 0.9, poor[:, :1], 1 - poor[:, :1])
    votes = Votes.from_matrix(np.column_stack([poor, lying]), BINARY)
    gold = Candidates.from_labels(truth, BINARY)
    model = LabelModel(merge_copies=False).fit(Evidence(votes=votes, gold=gold))
    ours, majority = (
        accuracy(blind.fit_aggregate(votes).probs, truth)
        for blind in (LabelModel(merge_copies=False), MajorityVote())
    )
    assert ("Majority vote does better" in model.choice_) == (majority > ours)


def test_order_of_items_and_sources_is_only_an_order() -> None:
    votes, _ = crowd(n_items=120)
    matrix = np.full((120, 12), -1)
    matrix[votes.item, votes.source] = votes.vocabulary.meaning[votes.symbol]
    rng = np.random.default_rng(0)
    items, sources = rng.permutation(120), rng.permutation(12)
    one = LabelModel().fit_aggregate(votes).probs
    shuffled = Votes.from_matrix(matrix[np.ix_(items, sources)], votes.labels)
    two = LabelModel().fit_aggregate(shuffled).probs
    np.testing.assert_allclose(two, one[items], atol=1e-3)


def test_candidates_narrow_the_beliefs() -> None:
    votes, _ = crowd(n_items=100)
    only_a = Candidates.from_lists([["a"]] + [["a", "b"]] * 99, votes.labels)
    probs = LabelModel().fit_aggregate(Evidence(votes=votes, candidates=only_a)).probs
    np.testing.assert_allclose(probs[0], [1, 0, 0])
    assert (probs[1:, 2] == 0).all()


def test_new_items_are_read_as_the_old_ones() -> None:
    votes, _ = crowd()
    model = LabelModel().fit(votes)
    some = votes.select(np.arange(50))
    np.testing.assert_allclose(
        model.aggregate(some).probs, model.aggregate(votes).probs[:50], atol=1e-9
    )


def test_keeps_scikit_learns_promises() -> None:
    model = LabelModel(gold_precision=2.0)
    assert clone(model).get_params() == model.get_params()


def test_refuses_a_precision_of_zero() -> None:
    with pytest.raises(InputError, match="`gold_precision` must be positive; got 0"):
        LabelModel(gold_precision=0).fit(crowd()[0])


def test_refuses_evidence_without_votes() -> None:
    with pytest.raises(InputError, match="`evidence` must hold votes"):
        LabelModel().fit(Candidates.from_labels(["no"], BINARY))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["youtube", "sms", "rna", "tennis"])
def test_is_never_far_below_the_majority_on_rules(shared_data, name: str) -> None:
    parts = [
        pl.read_parquet(path) for path in sorted((shared_data / "rules" / name).glob("*.parquet"))
    ]
    frame = pl.concat(part for part in parts if part["label"].null_count() < len(part))
    columns = [column for column in frame.columns if column.startswith("lf_")]
    labels = LabelSpace.infer(pl.concat([frame["label"], *(frame[column] for column in columns)]))
    votes = Votes.from_columns(frame, columns, labels=labels)
    rows = np.flatnonzero(votes.votes_per_item > 0)
    votes, truth = votes.select(rows), labels.encode(frame["label"])[rows]
    mine = accuracy(LabelModel().fit_aggregate(votes).probs, truth)
    assert mine > accuracy(MajorityVote().fit_aggregate(votes).probs, truth) - 0.01
    assert mine >= accuracy(DawidSkene().fit_aggregate(votes).probs, truth) - 0.005


def test_confusions_weigh_more_the_more_sources_differ_in_what_they_favour() -> None:
    """Two classes; workers of one accuracy each, or of a bias each."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (2000, 1))
    skilled = np.where(rng.random((2000, 10)) < 0.75, truth, 1 - truth)
    biased = np.where(rng.random((2000, 10)) < 0.5, truth, np.arange(10) % 2)
    weights = [LabelModel().fit(Votes.from_matrix(m, BINARY)).weights_ for m in (skilled, biased)]
    for each in weights:
        assert sum(each.values()) == pytest.approx(1.0)
    assert weights[0]["Dawid-Skene"] < 0.03
    assert weights[1]["Dawid-Skene"] > 0.1


def test_unanimous_votes_are_no_certainty_but_more_of_them_are_surer() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (500, 1))
    said = np.where(rng.random((500, 12)) < 0.9, truth, 1 - truth)
    said[:10] = 1
    said[:5, 3:] = -1
    probs = LabelModel().fit_aggregate(Votes.from_matrix(said, BINARY)).probs[:, 1]
    assert probs[0] < probs[5] < 1.0 - 1e-3


def test_gold_says_how_much_a_source_is_worth_where_agreement_misleads() -> None:
    """Three copycats of a bad idea outvote two good sources; sixty gold labels tell."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 1500)
    idea = np.where(rng.random(1500) < 0.55, truth, 1 - truth)
    bad = np.where(rng.random((3, 1500)) < 0.8, idea, 1 - idea)
    good = np.where(rng.random((2, 1500)) < 0.85, truth, 1 - truth)
    votes = Votes.from_matrix(np.vstack([bad, good]).T, BINARY)
    names = [BINARY.classes[y] if i < 60 else None for i, y in enumerate(truth)]
    gold = Candidates.from_labels(names, BINARY)
    model = LabelModel(merge_copies=False)
    alone = accuracy(model.fit_aggregate(votes).probs[60:], truth[60:])
    told = accuracy(model.fit_aggregate(Evidence(votes=votes, gold=gold)).probs[60:], truth[60:])
    assert told > alone + 0.1
