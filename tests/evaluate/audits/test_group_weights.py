"""Group weights: class and group become independent, by gold where beliefs are wrong."""

import numpy as np
import pytest
from sklearn import metrics

from partlabel.evaluate import group_samples, group_weights
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["no", "yes"])


def world(n: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    group = rng.integers(2, size=n)
    return np.array(["a", "b"])[group], (rng.random(n) < 0.2 + 0.5 * group).astype(int)


def shares(weight: np.ndarray, group: np.ndarray, y: np.ndarray) -> list[float]:
    return [np.average(y[group == g], weights=weight[group == g]) for g in ("a", "b")]


def test_known_classes_are_as_frequent_in_each_group() -> None:
    group, y = world()
    weight = group_weights(np.eye(2)[y], group, labels=LABELS)
    one, other = shares(weight, group, y)
    assert one == pytest.approx(other) == pytest.approx(y.mean())
    assert weight.mean() == pytest.approx(1.0)


def test_gold_corrects_beliefs_that_deny_the_difference() -> None:
    group, y = world()
    beliefs = np.full((len(y), 2), 0.5)
    gold = np.full(len(y), None)
    gold[:2000] = np.array(LABELS.classes)[y[:2000]]
    weight = group_weights(beliefs, group, gold=gold, labels=LABELS)
    one, other = shares(weight[:2000], group[:2000], y[:2000])
    assert one == pytest.approx(other, abs=0.01)


def test_a_rare_cell_is_capped() -> None:
    group = np.array(["a"] * 50 + ["b"] * 50)
    y = np.r_[np.zeros(50, dtype=int), 0, np.ones(49, dtype=int)]
    weight = group_weights(np.eye(2)[y], group, labels=LABELS)
    assert weight.max() / weight.min() <= 10.0 / 0.5


def test_fairlearn_takes_the_samples() -> None:
    fairlearn = pytest.importorskip("fairlearn.metrics", reason="needs it", exc_type=ImportError)
    group, y = world(400)
    gold = np.where(np.arange(400) < 200, np.array(LABELS.classes)[y], None)
    probs = np.full((400, 2), [0.6, 0.4])
    table = group_samples(probs, gold, group, labels=LABELS)
    frame = fairlearn.MetricFrame(
        metrics=metrics.accuracy_score,
        y_true=table["y_true"].to_list(),
        y_pred=table["y_pred"].to_list(),
        sensitive_features=table["sensitive_features"].to_list(),
        sample_params={"sample_weight": table["sample_weight"].to_numpy()},
    )
    for name in ("a", "b"):
        inside = (group == name)[:200]
        assert frame.by_group[name] == pytest.approx((y[:200][inside] == 0).mean())


def test_samples_are_weighted_as_they_were_drawn() -> None:
    gold = ["no", "yes", None, None]
    probs = np.full((4, 2), 0.5)
    table = group_samples(
        probs, gold, ["a"] * 4, gold_probability=[0.25, 0.75, 0.5, 0.5], labels=LABELS
    )
    assert table["sample_weight"].to_list() == pytest.approx([1.5, 0.5])
