"""evaluate: every metric with its interval, and the tables that tell of them."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate import Basis, Estimate, evaluate, metrics
from partlabel.evidence import Candidates
from partlabel.labels import LabelSpace

NAMES = ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", "ece"]
LABELS = LabelSpace(["ant", "bee", "cow"])


def drawn(n: int = 120) -> tuple[Beliefs, np.ndarray]:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(3), size=n)
    return Beliefs(probs, LABELS), np.array([rng.choice(3, p=row) for row in probs])


def test_values_are_those_of_the_metrics() -> None:
    beliefs, codes = drawn()
    evaluation = evaluate(beliefs, codes, n_bootstrap=50)
    assert set(evaluation.estimates) == {*NAMES, "macro_precision", "auc", "average_precision"}
    functions = {name: getattr(metrics, name) for name in NAMES[:-1]}
    functions["ece"] = metrics.expected_calibration_error
    for name, function in functions.items():
        assert evaluation[name].value == pytest.approx(float(function(beliefs.probs, codes)))


def test_intervals_hold_their_value_and_grow_with_the_level() -> None:
    beliefs, codes = drawn()
    narrow, wide = evaluate(beliefs, codes, level=0.5), evaluate(beliefs, codes, level=0.99)
    for name in NAMES:
        a, b = narrow[name], wide[name]
        assert b.low <= a.low <= a.value <= a.high <= b.high
        assert b.low < b.high
        assert (a.n, a.basis) == (120, "gold")
    assert [narrow[name].method for name in NAMES] == ["exact"] + ["bootstrap"] * 5


def test_perfect_prediction_has_accuracy_one_up_to_one() -> None:
    evaluation = evaluate(np.eye(3)[[0, 1, 2] * 20], ["ant", "bee", "cow"] * 20, labels=LABELS)
    assert evaluation["accuracy"].value == evaluation["accuracy"].high == 1.0
    assert evaluation["accuracy"].low == pytest.approx(0.025 ** (1 / 60))
    assert [evaluation[name].value for name in NAMES[1:]] == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_one_gold_item_is_enough() -> None:
    evaluation = evaluate([[0.6, 0.3, 0.1]], ["bee"], labels=LABELS)
    assert evaluation["accuracy"] == Estimate(0.0, 0.0, 0.975, 1, method="exact")
    assert evaluation["ece"].value == pytest.approx(0.6)


def test_renaming_classes_changes_nothing() -> None:
    beliefs, codes = drawn()
    renamed = Beliefs(beliefs.probs, LabelSpace(["x", "y", "z"]))
    one, two = evaluate(beliefs, LABELS.decode(codes)), evaluate(renamed, codes)
    assert one.to_polars().equals(two.to_polars())
    assert (one.confusion == two.confusion).all()


def test_reordering_classes_changes_nothing() -> None:
    beliefs, codes = drawn()
    names = LABELS.decode(codes)
    moved = Beliefs(beliefs.probs[:, [2, 0, 1]], LabelSpace(["cow", "ant", "bee"]))
    one, two = evaluate(beliefs, names, n_bootstrap=50), evaluate(moved, names, n_bootstrap=50)
    for name in NAMES:
        assert (two[name].low, two[name].high) == pytest.approx((one[name].low, one[name].high))


def test_items_without_gold_change_nothing_but_their_count() -> None:
    beliefs, codes = drawn()
    some = np.arange(120) % 3 == 0
    gold = [name if known else None for name, known in zip(LABELS.decode(codes), some, strict=True)]
    all_rows, gold_rows = evaluate(beliefs, gold), evaluate(beliefs.select(some), codes[some])
    assert all_rows.to_polars().equals(gold_rows.to_polars())
    assert (all_rows.n_gold, all_rows.n_skipped, gold_rows.n_skipped) == (40, 80, 0)


def test_the_seed_decides_the_intervals() -> None:
    beliefs, codes = drawn()
    tables = [evaluate(beliefs, codes, random_state=seed).to_polars() for seed in (0, 0, 1)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_confusion_and_classes_agree_with_scikit_learn() -> None:
    beliefs, codes = drawn()
    evaluation = evaluate(beliefs, codes, n_bootstrap=10)
    guess = beliefs.probs.argmax(axis=1)
    assert (evaluation.confusion == confusion_matrix(codes, guess)).all()
    table = evaluation.per_class()
    precision, recall, f1, support = precision_recall_fscore_support(codes, guess)
    assert table["class"].to_list() == list(LABELS.classes)
    assert table["support"].to_list() == support.tolist()
    assert table["predicted"].to_list() == np.bincount(guess).tolist()
    for name, expected in {"precision": precision, "recall": recall, "f1": f1}.items():
        assert table[name].to_numpy() == pytest.approx(expected)
    for name in ("precision", "recall"):
        inside = pl.col(name).is_between(pl.col(f"{name}_low"), pl.col(f"{name}_high"))
        assert table.select(inside).to_series().all()


def test_classes_of_which_nothing_is_known_are_null() -> None:
    probs = [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1]]
    table = evaluate(probs, ["ant", "bee"], labels=LABELS, n_bootstrap=5).per_class()
    assert table["precision"].to_list() == [0.5, None, None]
    assert table["recall"].to_list() == [1.0, 0.0, None]
    assert table["f1"].to_list() == [pytest.approx(2 / 3), 0.0, None]
    assert table["recall_low"].is_null().to_list() == [False, False, True]
    assert table["precision_high"].is_null().to_list() == [False, True, True]


def test_table_has_one_row_per_metric() -> None:
    beliefs, codes = drawn()
    table = evaluate(beliefs, codes, n_bootstrap=10).to_polars()
    assert set(NAMES) < set(table["metric"])
    assert table["metric"].is_unique().all()
    assert table.columns == ["metric", "value", "low", "high", "n", "level", "basis", "method"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 0.0}, r"`level` must lie in \(0, 1\); got 0.0"),
        ({"level": 95}, r"`level` must lie in \(0, 1\); got 95"),
        ({"level": float("nan")}, r"`level` must lie in \(0, 1\); got nan"),
        ({"n_bootstrap": 0}, "`n_bootstrap` must be at least 1; got 0"),
    ],
)
def test_argument_is_refused(arguments: dict[str, Any], message: str) -> None:
    beliefs, codes = drawn()
    with pytest.raises(InputError, match=message):
        evaluate(beliefs, codes, **arguments)


def test_unknown_metric_is_refused() -> None:
    beliefs, codes = drawn()
    with pytest.raises(InputError, match=r"`metric` must be one of accuracy, .*; got 'f2'"):
        evaluate(beliefs, codes, n_bootstrap=5)["f2"]


def test_gold_alone_gives_ranking_and_classes_as_scikit_learn_does() -> None:
    beliefs, codes = drawn()
    found = evaluate(beliefs, codes)
    hot = np.eye(len(beliefs.labels))[codes]
    auc = roc_auc_score(hot, beliefs.probs, average="macro")
    precision = average_precision_score(hot, beliefs.probs, average="macro")
    assert found["auc"].value == pytest.approx(auc)
    assert found["average_precision"].value == pytest.approx(precision, abs=0.02)  # one-step
    assert {one.basis for one in found.estimates.values()} == {Basis.GOLD}
    rows = {(row["class"], row["metric"]): row["value"] for row in found.by_class().to_dicts()}
    for row in found.per_class().to_dicts():
        assert rows[row["class"], "precision"] == pytest.approx(row["precision"])
        assert rows[row["class"], "recall"] == pytest.approx(row["recall"])
        assert rows[row["class"], "prevalence"] == pytest.approx(row["support"] / len(codes))


def test_groups_by_gold_alone_are_evaluations_of_their_rows() -> None:
    beliefs, codes = drawn()
    group = np.array(["a", "b", "c"])[np.arange(len(codes)) % 3]
    found = evaluate(beliefs, codes, groups=group)
    rows = np.flatnonzero(group == "b")
    alone = evaluate(beliefs.select(rows), codes[rows])
    assert found.of_group["b"].headline == dict(alone.estimates)
    assert set(found.by_group()["group"]) == {"a", "b", "c"}


def test_strata_of_gold_alone_count_by_their_size() -> None:
    """Of hard items, nine tenths are labelled; of the easy ones, one tenth."""
    rng = np.random.default_rng(0)
    hard = np.arange(2000) % 2 == 0
    codes = np.where(rng.random(2000) < np.where(hard, 0.6, 0.95), 0, 1)
    seen = rng.random(2000) < np.where(hard, 0.9, 0.1)
    labels = LabelSpace(["right", "wrong"])
    probs = np.tile([0.8, 0.2], (2000, 1))
    gold = [labels.classes[k] if there else None for k, there in zip(codes, seen, strict=True)]
    plain = evaluate(probs, gold, labels=labels)["accuracy"].value
    found = evaluate(probs, gold, labels=labels, strata=hard)["accuracy"]
    by_hand = np.mean([(codes[seen & part] == 0).mean() for part in (hard, ~hard)])
    assert found.value == pytest.approx(by_hand)
    assert found.low < (codes == 0).mean() < found.high
    assert plain < found.low
    chance = np.where(hard, 0.9, 0.1)
    by_hand = np.average(codes[seen] == 0, weights=1 / chance[seen])
    weighted = evaluate(probs, gold, labels=labels, gold_probability=chance)["accuracy"]
    assert weighted.value == pytest.approx(by_hand)


def test_majority_of_real_crowd_votes(shared_data: Path) -> None:
    """The majority of 39 workers is right on 82 of 108 pictures of two kinds of bird."""
    votes = pl.read_csv(shared_data / "crowd/bluebird/votes.csv")
    gold = pl.read_csv(shared_data / "crowd/bluebird/gold.csv")
    share = votes.group_by("item").agg(pl.col("label").mean()).sort("item")
    probs = np.column_stack([1 - share["label"].to_numpy(), share["label"].to_numpy()])
    labels = LabelSpace([0, 1])
    beliefs = Beliefs(probs, labels, share["item"].to_numpy())
    shuffled = gold.sample(fraction=1.0, shuffle=True, seed=0)
    evaluation = evaluate(
        beliefs, Candidates.from_labels(shuffled["label"], labels, items=shuffled["item"])
    )
    joined = share.join(gold, on="item", suffix="_gold")
    right = ((joined["label"] > 0.5) == (joined["label_gold"] == 1)).sum()
    assert (evaluation.n_gold, right) == (108, 82)
    assert evaluation["accuracy"].value == right / 108
    assert str(evaluation["accuracy"]) == "0.759 [0.667, 0.836]"
    assert evaluation["ece"].low > 0  # vote shares are no probabilities


def test_a_long_bootstrap_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partlabel.evaluate.intervals.CHUNK", 40)
    done: list[int] = []
    probs = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]] * 2
    evaluate(probs, [0, 1, 1, 0], labels=LABELS, n_bootstrap=25, progress=done.append)
    assert done == [10, 20, 25]
