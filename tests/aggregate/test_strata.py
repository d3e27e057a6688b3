"""StratifiedDawidSkene: sources that are right here and wrong there."""

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

from partlabel.aggregate import DawidSkene, StratifiedDawidSkene
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])


def planted(
    accuracy: dict[str, list[float]], n_items: int = 3000, seed: int = 0
) -> tuple[Votes, np.ndarray, np.ndarray]:
    """Votes, truth and strata; a source has an accuracy of its own in each stratum."""
    rng = np.random.default_rng(seed)
    strata = rng.choice(list(accuracy), n_items)
    truth = rng.integers(0, 3, n_items)
    right = np.array([accuracy[name] for name in strata])
    wrong = rng.random(right.shape) > right
    said = (truth[:, None] + wrong * rng.integers(1, 3, wrong.shape)) % 3
    said[rng.random(said.shape) < 0.2] = -1
    return Votes.from_matrix(said, LABELS), truth, strata


UNEVEN = {"north": [0.95, 0.15, 0.7, 0.7, 0.7], "south": [0.15, 0.95, 0.7, 0.7, 0.7]}
EVEN = {"north": [0.85, 0.75, 0.65, 0.6], "south": [0.85, 0.75, 0.65, 0.6]}


def log_loss(probs: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(np.maximum(probs[np.arange(len(truth)), truth], 1e-12)).mean())


def hits(probs: np.ndarray, truth: np.ndarray) -> float:
    return float((probs.argmax(axis=1) == truth).mean())


def test_a_source_that_is_right_in_one_region_and_wrong_in_another() -> None:
    votes, truth, strata = planted(UNEVEN)
    model = StratifiedDawidSkene()
    probs = model.fit_aggregate(votes, strata=strata).probs
    flat = DawidSkene().fit_aggregate(votes).probs
    assert hits(probs, truth) > hits(flat, truth) + 0.08
    assert log_loss(probs, truth) < log_loss(flat, truth) - 0.2
    found = {(row["stratum"], row["source"]): row["accuracy"] for row in
             model.strata_reliability_.iter_rows(named=True)}  # fmt: skip
    for name, accuracies in UNEVEN.items():
        for j, accuracy in enumerate(accuracies):
            assert found[name, f"source_{j}"] == pytest.approx(accuracy, abs=0.06)
    overall = dict(model.reliability_.select("source", "accuracy").iter_rows())
    assert overall["source_0"] == pytest.approx(0.55, abs=0.05)
    assert model.reliability_.columns == model.strata_reliability_.columns[1:]


@pytest.mark.parametrize("seed", range(3))
def test_little_is_lost_where_sources_are_alike_everywhere(seed: int) -> None:
    votes, truth, _ = planted(EVEN, seed=seed)
    strata = np.random.default_rng(seed).integers(0, 10, len(truth))
    probs = StratifiedDawidSkene().fit_aggregate(votes, strata=strata).probs
    flat = DawidSkene().fit_aggregate(votes).probs
    assert hits(probs, truth) > hits(flat, truth) - 0.01
    assert log_loss(probs, truth) < log_loss(flat, truth) + 0.02


def test_much_strength_is_one_channel_for_all() -> None:
    votes, _, strata = planted(EVEN)
    base = DawidSkene(tol=1e-12, max_iter=1000).fit(votes)
    model = StratifiedDawidSkene(strength=1e9, base=clone(base)).fit(votes, strata=strata)
    found = model.aggregate(votes, strata=strata).probs
    np.testing.assert_allclose(found, base.aggregate(votes).probs, atol=1e-5)


def test_one_stratum_with_gold_is_counts_and_pseudo_votes() -> None:
    """By hand: every label is known, so that the tables are shares."""
    votes, truth, strata = planted(UNEVEN, n_items=300)
    gold = Candidates.from_labels(truth, LABELS)
    model = StratifiedDawidSkene(strength=5.0).fit(Evidence(votes=votes, gold=gold), strata=strata)
    average = model.base_.confusion_.probs
    for g, name in enumerate(model.strata_):
        mass = 5.0 * average
        for symbol, item in zip(votes.symbol, votes.item, strict=True):
            if strata[item] == name:
                mass[symbol, truth[item]] += 1
        total = mass.reshape(5, 3, 3).sum(axis=1)[votes.vocabulary.source]
        found = model._divided_confusion.probs[g * 15 : (g + 1) * 15]
        np.testing.assert_allclose(found, mass / total, atol=1e-6)


def test_the_objective_never_falls() -> None:
    votes, _, strata = planted(UNEVEN, n_items=500)
    path = np.array(StratifiedDawidSkene().fit(votes, strata=strata).objective_path_)
    assert (np.diff(path) >= -1e-9 * np.abs(path[:-1])).all()


def test_an_unknown_stratum_falls_back_to_the_average() -> None:
    votes, _, strata = planted(UNEVEN)
    model = StratifiedDawidSkene().fit(votes, strata=strata)
    some = votes.select(slice(0, 50))
    average = np.ones((50, 3))
    for symbol, item in zip(some.symbol, some.item, strict=True):
        average[item] *= model.confusion_.probs[symbol]
    average /= average.sum(axis=1, keepdims=True)
    for unknown in (["west"] * 50, [None] * 50, None):
        np.testing.assert_allclose(model.aggregate(some, strata=unknown).probs, average, atol=1e-9)
    mixed = model.aggregate(some, strata=["west", *strata[1:50]]).probs
    np.testing.assert_allclose(mixed[0], average[0], atol=1e-9)
    known = model.aggregate(some, strata=strata[:50]).probs
    np.testing.assert_allclose(mixed[1:], known[1:], atol=1e-12)


def test_clusters_of_features_serve_as_strata() -> None:
    votes, truth, strata = planted(UNEVEN)
    rng = np.random.default_rng(1)
    X = np.where(strata == "north", 3.0, -3.0)[:, None] + rng.normal(size=(len(truth), 2))
    model = StratifiedDawidSkene(n_clusters=2).fit(votes, X=X)
    named = StratifiedDawidSkene().fit_aggregate(votes, strata=strata).probs
    found = model.aggregate(votes, X=X).probs
    assert hits(found, truth) == pytest.approx(hits(named, truth), abs=0.01)
    again = clone(model).fit_aggregate(votes, X=X).probs
    np.testing.assert_array_equal(again, found)


def test_renaming_and_reordering_strata_changes_nothing() -> None:
    votes, _, strata = planted(UNEVEN, n_items=400)
    one = StratifiedDawidSkene().fit_aggregate(votes, strata=strata).probs
    order = np.arange(400)[::-1]
    names = pl.Series(strata).replace({"north": "z", "south": "a"})
    two = StratifiedDawidSkene().fit_aggregate(votes.select(order), strata=names.gather(order))
    np.testing.assert_allclose(two.probs[order], one, atol=1e-6)


def test_ids_gold_candidates_and_a_prior_of_each_item_take_part() -> None:
    votes, truth, strata = planted(UNEVEN, n_items=200)
    ids = [f"i{i}" for i in range(200)]
    votes = Votes(votes.indptr, votes.symbol, votes.vocabulary, LABELS, np.array(ids))
    gold = Candidates.from_labels(np.where(np.arange(200) < 50, truth, -1), LABELS, missing=-1,
                                  items=ids)  # fmt: skip
    prior = np.full((200, 3), 1 / 3)
    prior[60] = [0.0, 0.5, 0.5]
    evidence = Evidence(votes=votes, gold=gold)
    beliefs = StratifiedDawidSkene().fit_aggregate(evidence, prior, strata=strata)
    assert list(beliefs.item_ids) == ids
    assert hits(beliefs.probs[:50], truth[:50]) == 1.0
    assert beliefs.probs[60, 0] == 0.0


def test_refusals() -> None:
    votes, _, strata = planted(UNEVEN, n_items=20)
    X = np.zeros((20, 2))
    model = StratifiedDawidSkene()
    for options, message in (
        ({}, "Either `strata` or `X` must be given; got neither"),
        ({"strata": strata, "X": X}, "Either `strata` or `X` must be given; got both"),
        ({"strata": strata[:3]}, "`strata` must have one value for each of the 20 items; got 3"),
        ({"strata": [None, *strata[1:]]}, "`strata` must not hold nulls in `fit`; it does at row"),
        ({"X": X[:3]}, r"`X` must have the shape \(n_items, n_features\) with 20 rows; got \(3, 2"),
    ):
        with pytest.raises(InputError, match=message):
            model.fit(votes, **options)
    with pytest.raises(InputError, match="`strength` must be positive; got 0"):
        StratifiedDawidSkene(strength=0).fit(votes, strata=strata)
    with pytest.raises(InputError, match="`n_clusters` must be at most the number of items, 20"):
        StratifiedDawidSkene(n_clusters=21).fit(votes, X=X)
    with pytest.raises(InputError, match="`X` must not be given; the strata of `fit` were named"):
        model.fit(votes, strata=strata).aggregate(votes, X=X)
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(InputError, match="`strata` must not be given; those of `fit` were"):
        StratifiedDawidSkene(n_clusters=2).fit(votes, X=X).aggregate(votes, strata=strata)
    with pytest.raises(InputError, match="'stranger'"):
        model.aggregate(Votes.from_matrix([[0]], LABELS, sources=["stranger"]), strata=["north"])


def test_takes_what_is_known_of_single_sources() -> None:
    said = np.random.default_rng(0).integers(0, 2, (40, 2))
    votes = Votes.from_matrix(said, LabelSpace(["no", "yes"]), sources=["x", "y"])
    model = StratifiedDawidSkene(base=DawidSkene(accuracy={"y": 0.95}, strength=200.0))
    model.fit(votes, strata=["a", "b"] * 20)
    x, y = model.reliability_["accuracy"]
    assert y > x + 0.1
