"""partial_fit: batches, sources that change, and the laws that tie it to one fit."""

import numpy as np
import polars as pl
import pytest

from partlabel.aggregate import DawidSkene
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
QUICK = {"tol": 1e-10, "max_iter": 1000}
HONEST = [0.85, 0.75, 0.7, 0.6]


def batch(
    accuracies: list[float], seed: int, n_items: int = 1000, names: list[str] | None = None
) -> tuple[Votes, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n_items)
    wrong = rng.random((n_items, len(accuracies))) > accuracies
    said = (truth[:, None] + wrong * rng.integers(1, 3, wrong.shape)) % 3
    said[rng.random(said.shape) < 0.2] = -1
    return Votes.from_matrix(said, LABELS, sources=names), truth


def whole(parts: list[Votes]) -> Votes:
    """The votes about all items at once."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    tables = [
        part.to_polars().with_columns(pl.col("item") + start, pl.col("label").str.split("|"))
        for part, start in zip(parts, starts, strict=False)
    ]
    return Votes.from_table(pl.concat(tables), labels=LABELS, n_items=int(starts[-1]))


def accuracy_of(model: DawidSkene, source: str) -> float:
    return float(model.reliability_.filter(source=source)["accuracy"].item())


@pytest.mark.parametrize("inference", ["em", "vb", "loo"])
def test_one_batch_is_one_fit(inference: str) -> None:
    votes, _ = batch(HONEST, 0)
    one = DawidSkene(inference=inference, **QUICK).fit(votes)
    two = DawidSkene(inference=inference, **QUICK).partial_fit(votes)
    np.testing.assert_allclose(two.confusion_.probs, one.confusion_.probs, atol=1e-9)
    assert two.reliability_.equals(one.reliability_)


@pytest.mark.parametrize("inference", ["em", "vb", "loo"])
@pytest.mark.parametrize("class_prior", ["uniform", "learnt"])
def test_two_halves_give_about_what_one_fit_gives(inference: str, class_prior: str) -> None:
    halves = [batch(HONEST, seed, n_items=4000)[0] for seed in (1, 2)]
    settings = {"inference": inference, "class_prior": class_prior, **QUICK}
    one = DawidSkene(**settings).fit(whole(halves))
    two = DawidSkene(**settings)
    for half in halves:
        two.partial_fit(half)
    np.testing.assert_allclose(two.confusion_.probs, one.confusion_.probs, atol=0.02)
    np.testing.assert_allclose(two.class_prior_, one.class_prior_, atol=0.02)
    for name in ("votes", "coverage", "overlap", "conflict"):
        np.testing.assert_allclose(two.reliability_[name], one.reliability_[name], atol=1e-9)
    np.testing.assert_allclose(
        two.reliability_["accuracy"], one.reliability_["accuracy"], atol=0.01
    )
    new, _ = batch(HONEST, 3)
    np.testing.assert_allclose(two.aggregate(new).probs, one.aggregate(new).probs, atol=0.1)


def test_with_gold_everywhere_halves_add_up_exactly() -> None:
    """Nothing is left to be believed, so that the counts are plain counts."""
    votes, truth = batch(HONEST, 4)
    gold = Candidates.from_labels(truth, LABELS)
    evidence = Evidence(votes=votes, gold=gold)
    model = DawidSkene(**QUICK)
    for rows in (slice(0, 300), slice(300, 1000)):
        model.partial_fit(evidence.select(rows))
    expected = DawidSkene(**QUICK).fit(evidence)
    np.testing.assert_allclose(model.confusion_.probs, expected.confusion_.probs, atol=1e-12)
    for name in ("gold_votes", "gold_accuracy", "gold_low", "gold_high", "accuracy_low"):
        np.testing.assert_allclose(model.reliability_[name], expected.reliability_[name])


def test_forgetting_weighs_batches_as_a_geometric_series() -> None:
    """By hand: with gold, the table is made of counts at 0.25, 0.5 and 1."""
    model, mass = DawidSkene(strength=1e-9, **QUICK), np.zeros((12, 3))
    for weight, seed in ((0.25, 5), (0.5, 6), (1.0, 7)):
        votes, truth = batch(HONEST, seed, n_items=200)
        gold = Candidates.from_labels(truth, LABELS)
        model.partial_fit(Evidence(votes=votes, gold=gold), forget=0.5)
        np.add.at(mass, (votes.symbol, truth[votes.item]), weight)
    expected = mass / mass.reshape(4, 3, 3).sum(axis=1)[votes.vocabulary.source]
    np.testing.assert_allclose(model.confusion_.probs, expected, atol=1e-6)


def test_a_source_that_gets_worse_is_followed_only_by_who_forgets() -> None:
    followed, kept = DawidSkene(**QUICK), DawidSkene(**QUICK)
    for night in range(12):
        votes, _ = batch([0.9 if night < 8 else 0.4, 0.75, 0.75, 0.75], 10 + night, n_items=400)
        followed.partial_fit(votes, forget=0.5)
        kept.partial_fit(votes)
    assert accuracy_of(followed, "source_0") == pytest.approx(0.4, abs=0.1)
    assert accuracy_of(kept, "source_0") > 0.65
    assert followed.reliability_["votes"][0] < kept.reliability_["votes"][0] / 4


def test_a_source_that_is_new_in_the_third_batch_is_learnt() -> None:
    model = DawidSkene(**QUICK)
    for seed in (30, 31):
        model.partial_fit(batch(HONEST, seed, names=["ann", "bob", "cat", "dan"])[0])
    for seed in (32, 33):  # bob has left, a liar has come, and the columns are in another order
        votes, truth = batch([0.1, 0.6, 0.85, 0.7], seed, names=["liar", "dan", "ann", "cat"])
        model.partial_fit(votes)
    assert model.confusion_.vocabulary.sources == ("ann", "bob", "cat", "dan", "liar")
    found = dict(model.reliability_.select("source", "accuracy").iter_rows())
    assert found == pytest.approx(
        {"ann": 0.85, "bob": 0.75, "cat": 0.7, "dan": 0.6, "liar": 0.1}, abs=0.06
    )
    assert model.reliability_.filter(source="liar")["verdict"].item() == "worse than chance"
    assert (model.aggregate(votes).probs.argmax(axis=1) == truth).mean() > 0.8


def test_words_that_are_new_in_a_batch_join_the_others() -> None:
    def said(seed: int, *, sets: bool) -> Votes:
        votes, truth = batch([0.9, 0.8, 0.8], seed, names=["x", "y", "z"])
        names = [LABELS.classes[k] for k in truth]
        coarse = [["a", "b"] if sets and name != "c" else name for name in names]
        return Votes.joined([votes, Votes.from_columns({"coarse": coarse}, labels=LABELS)])

    parts = [said(40, sets=False), said(41, sets=True), said(42, sets=False)]
    model = DawidSkene(**QUICK)
    for part in parts:
        model.partial_fit(part)
    expected = DawidSkene(**QUICK).fit(whole([p.select(slice(None)) for p in parts]))
    for name in ("coarse", "x"):
        np.testing.assert_allclose(
            model.confusion_.matrix(name), expected.confusion_.matrix(name), atol=0.03
        )
    for part in parts:
        model.aggregate(part)


@pytest.mark.parametrize("inference", ["em", "vb"])
def test_order_of_items_within_a_batch_changes_nothing(inference: str) -> None:
    first, (second, _) = batch(HONEST, 50)[0], batch(HONEST, 51)
    order = np.random.default_rng(0).permutation(len(second))
    models = [DawidSkene(inference=inference, **QUICK).partial_fit(first) for _ in range(2)]
    for model, votes in zip(models, (second, second.select(order)), strict=True):
        model.partial_fit(votes)
    one, two = (model.confusion_.probs for model in models)
    np.testing.assert_allclose(two, one, atol=1e-6)


def test_goes_on_from_a_fit() -> None:
    first, second = batch(HONEST, 60)[0], batch(HONEST, 61)[0]
    one = DawidSkene(**QUICK).fit(first).partial_fit(second)
    two = DawidSkene(**QUICK).partial_fit(first).partial_fit(second)
    np.testing.assert_array_equal(one.confusion_.probs, two.confusion_.probs)
    refitted = two.fit(second)  # forgets all
    np.testing.assert_array_equal(
        refitted.confusion_.probs, DawidSkene(**QUICK).fit(second).confusion_.probs
    )


def test_confidence_bins_stay_those_of_the_first_batch() -> None:
    rng = np.random.default_rng(0)
    probs = [rng.dirichlet([1, 1, 1], 300) for _ in range(2)]
    first = Votes.from_probabilities(probs[0], LABELS)
    model = DawidSkene().partial_fit(first)
    model.partial_fit(Votes.from_probabilities(probs[1], LABELS, like=first))
    with pytest.raises(InputError, match="must be read with the confidence bins of `fit`"):
        model.partial_fit(Votes.from_probabilities(probs[1], LABELS))


def test_refusals() -> None:
    votes, _ = batch(HONEST, 70, n_items=20)
    model = DawidSkene().partial_fit(votes)
    other = Votes.from_matrix([[0]], LabelSpace(["a", "b"]))
    with pytest.raises(InputError, match="`evidence` must have the label space of `fit`"):
        model.partial_fit(other)
    for wrong in (0.0, 1.1, float("nan")):
        with pytest.raises(InputError, match=r"`forget` must lie in \(0, 1\]; got"):
            DawidSkene().partial_fit(votes, forget=wrong)
    for setting in ({"pool": 5.0}, {"subtypes": 2}, {"abstention": "observed"}):
        with pytest.raises(InputError, match=f"`{next(iter(setting))}` must be left out for"):
            DawidSkene(**setting).partial_fit(votes)
    with pytest.raises(InputError, match="`evidence` must hold votes for a label model"):
        model.partial_fit(Candidates.from_labels(["a"], LABELS))
