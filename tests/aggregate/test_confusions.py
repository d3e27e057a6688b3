import numpy as np
import polars as pl
import pytest
from scipy.stats import beta

from partlabel.aggregate import (
    MACE,
    Aggregator,
    DawidSkene,
    LabelModel,
    MajorityVote,
    confusion_table,
    identifiability,
)
from partlabel.aggregate.confusions import SHARED_MISTAKES, known_counts
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])
MODELS = [DawidSkene(), DawidSkene(inference="loo"), MACE(), MajorityVote(), LabelModel()]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_its_rows_add_up(planted, model: Aggregator) -> None:
    votes, truth = planted([0.9, 0.8, 0.6, 0.4], n_items=300, coverage=0.7)
    known = Candidates.from_labels(
        np.where(np.arange(300) < 90, truth, -1), votes.labels, missing=-1
    )
    evidence = Evidence(votes=votes, gold=known)
    table = confusion_table(model.fit(evidence), evidence)
    assert len(table) == 4 * 3 * 3
    numbers = pl.selectors.numeric()
    by_class = table.group_by("source", "class").agg(numbers.sum())
    np.testing.assert_allclose(by_class["probability"], 1.0)
    by_word = table.group_by("source", "word").agg(numbers.sum())
    np.testing.assert_allclose(by_word["share"], 1.0)
    by_source = table.group_by("source", maintain_order=True).agg(numbers.sum())
    spoken = np.bincount(votes.source)
    np.testing.assert_allclose(by_source["expected_votes"], spoken)
    beliefs = model.aggregate(evidence).probs
    copies = getattr(model, "copies_", ())
    others = identifiability(evidence, beliefs, copies=copies)["effective_votes"]
    np.testing.assert_allclose(by_source["effective_votes"], others)
    on_gold = np.bincount(votes.source[votes.item < 90], minlength=4)
    assert by_source["gold_votes"].to_list() == on_gold.tolist()
    inside = (table["low"] <= table["probability"]) & (table["probability"] <= table["high"])
    assert inside.all()


def test_probabilities_are_those_of_the_model(planted) -> None:
    votes, _ = planted([0.9, 0.8, 0.7])
    model = DawidSkene().fit(votes)
    table = confusion_table(model, votes).filter(source="source_1", word="b")
    assert table["class"].to_list() == ["a", "b", "c"]
    np.testing.assert_allclose(table["probability"], model.confusion_.matrix("source_1")[:, 1])


def test_with_known_labels_the_interval_is_that_of_the_counts() -> None:
    truth = np.repeat([0, 1], [40, 20])
    said = truth.copy()
    said[:10] = 1
    votes = Votes.from_matrix(said[:, None], LABELS, sources=["a"])
    evidence = Evidence(votes=votes, gold=Candidates.from_labels(truth, LABELS))
    table = confusion_table(DawidSkene(accuracy=0.75, strength=1e-6).fit(evidence), evidence)
    row = table.row(by_predicate=(pl.col("class") == "ham") & (pl.col("word") == "ham"), named=True)
    n = (40 + 2) / SHARED_MISTAKES
    expected = beta.ppf([0.025, 0.975], 0.75 * n, 0.25 * n)
    assert row["probability"] == pytest.approx(0.75)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))
    assert (row["expected_votes"], row["gold_votes"], row["share"]) == (30.0, 30, 1.0)
    assert row["effective_votes"] == pytest.approx(30.0)


def test_what_is_known_is_the_curvature_of_the_likelihood() -> None:
    """Poisson counts per word and class: log sum_y b(y) exp(d(y)) over items, less the rates."""
    rng = np.random.default_rng(0)
    beliefs = rng.dirichlet(np.ones(3), 50)
    votes = Votes.from_matrix(np.zeros((50, 1), dtype=int), LabelSpace(list("abc")))
    pseudo = np.full((3, 3), 0.5)

    def objective(d: np.ndarray) -> float:
        rates = (beliefs.sum(axis=0) + pseudo[0]) @ np.exp(d)
        return float(np.log(beliefs @ np.exp(d)).sum() + pseudo[0] @ d - rates)

    h, curvature = 1e-4, np.empty((3, 3))
    for j, one in enumerate(np.eye(3) * h):
        for k, two in enumerate(np.eye(3) * h):
            cross = [objective(a * one + b * two) for a in (1, -1) for b in (1, -1)]
            curvature[j, k] = -(cross[0] - cross[1] - cross[2] + cross[3]) / (4 * h * h)
    known = known_counts(votes, beliefs, pseudo)
    np.testing.assert_allclose(known[0], 1.0 / np.diag(np.linalg.inv(curvature)), rtol=1e-4)
    np.testing.assert_allclose(known[1:], pseudo[1:])


def test_votes_on_items_of_unknown_label_say_nothing_about_either_class() -> None:
    votes = Votes.from_matrix(np.zeros((1000, 1), dtype=int), LABELS)
    pseudo = np.full((2, 2), 0.5)
    sure = known_counts(votes, np.repeat(np.eye(2), 500, axis=0), pseudo)
    split = known_counts(votes, np.full((1000, 2), 0.5), pseudo)
    np.testing.assert_allclose(sure[0], 500.5)
    assert (split[0] < 1.0 + 1e-9).all()


def test_a_lonely_source_has_wide_intervals_and_a_watched_one_narrow_ones(planted) -> None:
    votes, _ = planted([0.9, 0.8, 0.8, 0.8], n_classes=2, n_items=1000)
    matrix = votes.vocabulary.meaning[votes.symbol].reshape(1000, 4)
    matrix[:500, 0] = -1
    matrix[500:, 1:] = -1
    votes = Votes.from_matrix(matrix, LABELS)
    table = confusion_table(DawidSkene().fit(votes), votes).with_columns(
        width=pl.col("high") - pl.col("low")
    )
    width = dict(table.group_by("source").agg(pl.col("width").mean()).iter_rows())
    assert width["source_0"] > 3 * width["source_1"]
    assert table.filter(source="source_0")["effective_votes"].sum() == pytest.approx(0.0)


@pytest.mark.slow
def test_intervals_hold_the_planted_confusion_nearly_always(planted) -> None:
    accuracies, held = [0.9, 0.8, 0.7, 0.6, 0.5], []
    for seed in range(20):
        votes, _ = planted(accuracies, n_items=300, coverage=0.6, seed=seed)
        table = confusion_table(DawidSkene(strength=2.0).fit(votes), votes)
        right = pl.col("class") == pl.col("word")
        planted_there = pl.col("source").replace_strict(
            list(votes.sources), accuracies, return_dtype=pl.Float64
        )
        meant = pl.when(right).then(planted_there).otherwise((1 - planted_there) / 2)
        held += table.select((pl.col("low") <= meant) & (meant <= pl.col("high")))["low"].to_list()
    assert np.mean(held) > 0.95


def test_words_are_named_with_their_sets_and_levels() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.6, 0.4]])
    votes = Votes.from_probabilities(probs, LABELS, bins=2)
    table = confusion_table(DawidSkene().fit(votes), votes)
    assert set(table["word"]) == {"ham", "spam", "ham|spam"}
    assert set(table["level"]) == {0, 1}
    never = table.filter(pl.col("expected_votes").sum().over("word", "level") == 0)
    assert never["share"].is_null().all()


def test_a_prior_of_each_item_is_heard() -> None:
    votes = Votes.from_matrix([[0], [0], [1]], LABELS)
    prior = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
    model = DawidSkene().fit(votes, prior)
    without, heard = confusion_table(model, votes), confusion_table(model, votes, prior)
    assert heard["effective_votes"].sum() > without["effective_votes"].sum() == 0.0


def test_refusals() -> None:
    votes = Votes.from_matrix([[0]], LABELS)
    with pytest.raises(InputError, match="`evidence` must hold votes"):
        confusion_table(DawidSkene().fit(votes), Candidates.from_labels([0], LABELS))
