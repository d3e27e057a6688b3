"""Metrics agree with scikit-learn, and weights mean repeated rows."""

from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given
from hypothesis import strategies as st

from partlabel.evaluate import metrics
from partlabel.evaluate.metrics import Metric

ALL: list[Metric] = [
    metrics.accuracy,
    metrics.balanced_accuracy,
    metrics.macro_f1,
    metrics.log_loss,
    metrics.brier,
    metrics.expected_calibration_error,
]


def drawn(seed: int, n: int = 80, n_classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(n_classes, 0.7), size=n)
    return probs, rng.integers(n_classes - 1, size=n)  # the last class has no gold


def one_hot(codes: np.ndarray, n_classes: int) -> np.ndarray:
    return np.eye(n_classes)[codes]


ORACLES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda p, y: oracle.accuracy_score(y, p.argmax(1)),
    # Its own balanced accuracy warns where a class is predicted that gold doesn't hold.
    "balanced_accuracy": lambda p, y: oracle.recall_score(
        y, p.argmax(1), labels=np.unique(y), average="macro", zero_division=0
    ),
    "macro_f1": lambda p, y: oracle.f1_score(
        y, p.argmax(1), labels=np.unique(y), average="macro", zero_division=0
    ),
    "log_loss": lambda p, y: oracle.log_loss(y, p, labels=range(p.shape[1])),
    "brier": lambda p, y: float(((p - one_hot(y, p.shape[1])) ** 2).sum(1).mean()),
}


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("seed", range(5))
def test_metric_agrees_with_scikit_learn(name: str, seed: int) -> None:
    probs, codes = drawn(seed)
    assert getattr(metrics, name)(probs, codes) == pytest.approx(ORACLES[name](probs, codes))


def test_brier_of_two_classes_is_twice_that_of_scikit_learn() -> None:
    probs, codes = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]), np.array([0, 1, 1])
    assert metrics.brier(probs, codes) == pytest.approx(
        2 * oracle.brier_score_loss(codes, probs[:, 1])
    )


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.__name__)
def test_weights_of_one_give_the_plain_value(metric: Metric) -> None:
    probs, codes = drawn(0)
    assert metric(probs, codes, np.ones(len(codes))) == pytest.approx(metric(probs, codes))


@pytest.mark.parametrize("metric", ALL[:-1], ids=lambda metric: metric.__name__)
def test_whole_weights_are_repeated_rows(metric: Metric) -> None:
    probs, codes = drawn(1)
    weights = np.random.default_rng(2).integers(0, 4, size=(3, len(codes)))
    repeated = [metric(np.repeat(probs, w, axis=0), np.repeat(codes, w)) for w in weights]
    assert metric(probs, codes, weights.astype(float)) == pytest.approx(np.array(repeated))


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.__name__)
def test_order_of_classes_and_rows_changes_nothing(metric: Metric) -> None:
    probs, codes = drawn(3)
    rows, classes = np.random.default_rng(4).permutation(len(codes)), np.array([2, 0, 3, 1])
    moved = metric(probs[rows][:, classes], np.argsort(classes)[codes[rows]])
    assert moved == pytest.approx(metric(probs, codes))


def test_class_that_leaves_a_resample_leaves_the_mean() -> None:
    probs, codes = np.eye(3)[[0, 0, 1]], np.array([0, 1, 1])
    weights = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert metrics.balanced_accuracy(probs, codes, weights).tolist() == [1.0, 0.75]


def test_certain_mistake_costs_the_floor() -> None:
    wrong = metrics.log_loss(np.array([[1.0, 0.0]]), np.array([1]))
    assert wrong == pytest.approx(-np.log(metrics.FLOOR))


def test_calibration_error_agrees_with_a_loop_over_sorted_rows() -> None:
    probs, codes = drawn(5, n=150)
    order = np.argsort(probs.max(axis=1))
    gaps = []
    for rows in np.split(order, 15):
        right = np.mean([probs[i].argmax() == codes[i] for i in rows])
        gaps.append(abs(right - np.mean([probs[i].max() for i in rows])) * len(rows) / 150)
    assert metrics.expected_calibration_error(probs, codes) == pytest.approx(sum(gaps))


def test_calibration_error_of_one_constant_prediction_is_its_gap() -> None:
    probs, codes = np.tile([0.9, 0.1], (100, 1)), np.repeat([0, 1], [70, 30])
    assert metrics.expected_calibration_error(probs, codes) == pytest.approx(0.2)


@given(
    st.lists(st.sampled_from([0.3, 0.5, 0.9, 1.0]) | st.floats(0, 1), min_size=1),
    st.integers(1, 12),
)
def test_bins_follow_confidence_and_ties_stay_together(values: list[float], bins: int) -> None:
    confidence = np.array(values)
    which = metrics.confidence_bins(confidence, bins)
    assert which.min() >= 0
    assert which.max() < bins
    order = np.argsort(confidence)
    assert (np.diff(which[order]) >= 0).all()
    assert all(len(set(which[confidence == value])) == 1 for value in values)


def test_bins_of_different_values_are_equally_full() -> None:
    confidence = np.random.default_rng(0).random(120)
    assert np.bincount(metrics.confidence_bins(confidence, 8)).tolist() == [15] * 8
