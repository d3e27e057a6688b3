from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

from partlabel.aggregate import (
    GLAD,
    MACE,
    Aggregator,
    DawidSkene,
    LabelModel,
    MajorityVote,
    Triplets,
    WeightedVote,
    influence,
)
from partlabel.aggregate.dropped_sources import leading, paired_change
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])
MODELS = [
    DawidSkene(),
    DawidSkene(inference="vb", class_prior="learnt"),
    DawidSkene(inference="loo", tying="class"),
    DawidSkene(subtypes=2, pool=5.0),
    DawidSkene(abstention="observed"),
    MACE(class_prior="learnt"),
    Triplets(),
    GLAD(),
    WeightedVote(),
    MajorityVote(),
    LabelModel(),
]


def without(votes: Votes, name: str) -> Votes:
    """The votes of all other sources, in the same vocabulary."""
    kept = votes.source != votes.sources.index(name)
    n = np.bincount(votes.item[kept], minlength=votes.n_items)
    return replace(votes, indptr=np.concatenate([[0], np.cumsum(n)]), symbol=votes.symbol[kept])


def by_dropping(
    model: Aggregator, evidence: Evidence, prior: np.ndarray | None = None
) -> list[tuple[float, ...]]:
    """Each source is dropped in its turn, and every item believed anew: slow and plain."""
    blind, truth = evidence.without("gold"), evidence.gold.codes()
    votes, found = blind.votes, []
    whole = model.aggregate(blind, prior).probs
    judged = [i for i in range(len(truth)) if truth[i] >= 0 and votes.votes_per_item[i]]
    for j, name in enumerate(votes.sources):
        left = Evidence(votes=without(votes, name), candidates=blind.candidates)
        rest, spoken = model.aggregate(left, prior).probs, left.votes.votes_per_item
        own = [i for i in range(len(whole)) if j in votes.source[votes.item == i]]
        led = [[set(np.flatnonzero(row >= row.max() - 1e-9)) for row in b] for b in (whole, rest)]
        gained = [
            (truth[i] in led[1][i]) / len(led[1][i]) - (truth[i] in led[0][i]) / len(led[0][i])
            for i in judged
        ]
        found.append(
            (
                len(own),
                sum(spoken[i] == 0 for i in own),
                sum(spoken[i] > 0 and led[0][i] != led[1][i] for i in own),
                sum(0.5 * np.abs(whole[i] - rest[i]).sum() for i in own) / max(len(own), 1),
                sum(gained) / len(judged),
            )
        )
    return found


def observed(planted, n_items: int = 60, **settings: object) -> Evidence:
    votes, truth = planted([0.9, 0.8, 0.7, 0.6, 0.3], n_items=n_items, coverage=0.5, **settings)
    rng = np.random.default_rng(1)
    known = np.where(rng.random(n_items) < 0.5, truth, -1)
    gold = Candidates.from_labels(np.where(known >= 0, known, -1), votes.labels, missing=-1)
    mask = rng.random((n_items, len(votes.labels))) < 0.7
    mask[np.arange(n_items), truth] = True
    return Evidence(votes=votes, candidates=Candidates.from_mask(mask, votes.labels), gold=gold)


COLUMNS = ["votes", "left_alone", "changed", "change", "accuracy_change"]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_it_is_what_dropping_the_source_would_give(planted, model: Aggregator) -> None:
    evidence = observed(planted)
    model.fit(evidence)
    found = influence(model, evidence).select(COLUMNS).to_numpy()
    np.testing.assert_allclose(found, by_dropping(model, evidence), atol=1e-8)


@pytest.mark.parametrize("model", [DawidSkene(), MajorityVote()], ids=str)
def test_items_may_have_a_prior_of_their_own(planted, model: Aggregator) -> None:
    evidence = replace(observed(planted), candidates=None)
    prior = np.random.default_rng(0).dirichlet(np.ones(3), len(evidence))
    model.fit(evidence, prior)
    found = influence(model, evidence, prior).select(COLUMNS).to_numpy()
    np.testing.assert_allclose(found, by_dropping(model, evidence, prior), atol=1e-8)


@pytest.mark.parametrize("at_once", [1, 40])
@pytest.mark.parametrize("model", [DawidSkene(), MajorityVote()], ids=str)
def test_how_much_is_done_at_once_changes_nothing(
    planted, model: Aggregator, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = observed(planted)
    whole = influence(model.fit(evidence), evidence)
    monkeypatch.setattr("partlabel.aggregate.leave_one_out.ENTRIES_AT_ONCE", at_once)
    for name in whole.columns[1:]:
        np.testing.assert_allclose(influence(model, evidence)[name], whole[name], atol=1e-12)


def test_sets_and_confidence_are_left_out_as_they_were_said() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.6, 0.4]])
    votes = Votes.joined(
        [
            Votes.from_probabilities(probs, LABELS, bins=2),
            Votes.from_matrix([[0, 0], [1, 1], [0, 1], [1, -1]], LABELS, sources=["a", "b"]),
        ]
    )
    evidence = Evidence(votes=votes, gold=Candidates.from_labels([0, 1, 0, 0], LABELS))
    model = DawidSkene().fit(votes)
    found = influence(model, evidence).select(COLUMNS).to_numpy()
    np.testing.assert_allclose(found, by_dropping(model, evidence), atol=1e-9)


def test_a_copy_changes_little_where_copies_count_as_one(planted) -> None:
    votes, _ = planted([0.7] * 5, n_items=400, n_classes=2)
    said = votes.vocabulary.meaning[votes.symbol].reshape(400, 5)[:, [0, 1, 2, 3, 4, 4]]
    copied = Votes.from_matrix(said, LABELS)
    model = LabelModel().fit(copied)
    assert model.copies_ == [("source_4", "source_5")]
    found = influence(model, copied)
    assert found["changed"].to_list()[4:] == [0, 0]
    assert found["change"].to_list()[4:] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert found["changed"].min() == 0
    assert min(found["changed"].to_list()[:4]) > 10


def test_gold_judges_and_takes_no_part(planted) -> None:
    votes, truth = planted([0.9, 0.6, 0.2], n_classes=2)
    gold = Candidates.from_labels(truth, votes.labels)
    model = DawidSkene(accuracy=0.6).fit(Evidence(votes=votes, gold=gold))
    one = influence(model, votes)
    two = influence(model, Evidence(votes=votes, gold=gold))
    assert one.drop("^accuracy.*$").equals(two.drop("^accuracy.*$"))
    assert one["accuracy_change"].is_null().all()
    assert one["accuracy_change_low"].is_null().all()


def test_a_source_that_does_harm_is_found(planted) -> None:
    votes, truth = planted([0.8, 0.8, 0.8, 0.1], n_classes=2)
    gold = Candidates.from_labels(truth, votes.labels)
    found = influence(MajorityVote().fit(votes), Evidence(votes=votes, gold=gold))
    rows = found.to_dicts()
    assert rows[3]["accuracy_change_low"] > 0
    assert all(row["accuracy_change_high"] < 0.0 for row in rows[:3])


def test_a_source_that_says_nothing_changes_nothing() -> None:
    votes = Votes.from_matrix([[0, -1, 0], [1, -1, 0], [1, -1, 1]], LABELS)
    row = influence(DawidSkene().fit(votes), votes).row(1, named=True)
    assert (row["votes"], row["changed"], row["change"], row["left_alone"]) == (0, 0, 0.0, 0)


def test_the_paired_interval_is_the_worked_one() -> None:
    # b = 10, c = 4, n = 98: (10.5 - 4.5) / 100 and 1.96 * sqrt((0.15 - 0.0036) / 100)
    low, high = paired_change(np.array([10.0]), np.array([4.0]), 98)
    assert (low[0], high[0]) == pytest.approx((0.06 - 0.074992, 0.06 + 0.074992), abs=1e-6)
    low, high = paired_change(np.zeros(1), np.zeros(1), 10)
    assert low[0] < 0 < high[0]


@pytest.mark.slow
def test_the_paired_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for better, worse in [(0.1, 0.05), (0.02, 0.02), (0.3, 0.01)]:
        pairs = rng.multinomial(100, [better, worse, 1 - better - worse], 4000)
        low, high = paired_change(pairs[:, 0] * 1.0, pairs[:, 1] * 1.0, 100)
        assert ((low <= better - worse) & (better - worse <= high)).mean() > 0.93


@pytest.mark.parametrize(
    ("kind", "name", "model", "least"),
    [("rules", "youtube", LabelModel(), 0.8), ("crowd", "web", DawidSkene(), 0.8)],
    ids=["youtube", "web"],
)
@pytest.mark.slow
def test_sources_rank_as_after_refits(
    shared_data, kind: str, name: str, model: Aggregator, least: float
) -> None:
    if kind == "rules":
        table = pl.read_parquet(shared_data / kind / name / "train.parquet")
        columns = [column for column in table.columns if column.startswith("lf_")]
        votes = Votes.from_columns(table, columns, labels=LabelSpace(["HAM", "SPAM"]))
    else:
        table = pl.read_csv(shared_data / kind / name / "votes.csv")
        votes = Votes.from_table(table, labels=LabelSpace.infer(table["label"]), repeated="last")
    fast = influence(model.fit(votes), votes)
    busy = fast.sort("votes", descending=True)["source"].head(30).to_list()
    decided, changed = leading(model.aggregate(votes).probs), []
    for source in busy:
        rest = without(votes, source)
        refitted = type(model)(**model.get_params()).fit_aggregate(rest)
        other = (leading(refitted.probs) != decided).any(axis=1)
        changed.append(int((other & (rest.votes_per_item > 0)).sum()))
    both = pl.DataFrame({"source": busy, "refitted": changed}).join(fast, on="source")
    assert both.select(pl.corr("refitted", "changed", method="spearman")).item() > least


def test_refusals() -> None:
    votes = Votes.from_matrix([[0, 1]], LABELS)
    with pytest.raises(NotFittedError):
        influence(DawidSkene(), votes)
    gold = Candidates.from_labels([0], LABELS)
    with pytest.raises(InputError, match="`evidence` must hold votes"):
        influence(DawidSkene().fit(votes), gold)
    with pytest.raises(InputError, match="`prior` must have the shape"):
        influence(DawidSkene().fit(votes), votes, np.ones(2))
