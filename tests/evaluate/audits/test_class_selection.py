"""Classes of unlabelled items: EM is the optimum of its likelihood, moments solve the mixture."""

import numpy as np
import pytest

from partlabel.evaluate.audits.class_selection import (
    shares_by_em,
    shares_by_moments,
    tilt_of,
    tilted,
)


def drawn(seed: int, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A calibrated classifier of labelled items, their codes, and all classes."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, p=[0.5, 0.3, 0.2], size=n)
    seen = rng.random(n) < np.array([0.6, 0.3, 0.2])[y]
    mean = np.eye(3) * 2.0
    x = mean[y] + rng.normal(size=(n, 3))
    share = np.bincount(y[seen], minlength=3) / seen.sum()
    joint = share * np.exp(-0.5 * ((x[:, None] - mean) ** 2).sum(axis=2))
    return joint / joint.sum(axis=1, keepdims=True), np.where(seen, y, -1), y


def log_likelihood(outcome: np.ndarray, codes: np.ndarray, unseen: np.ndarray) -> float:
    seen = np.bincount(codes[codes >= 0]) / (codes >= 0).sum()
    return float(np.log(outcome[codes < 0] @ (unseen / seen)).mean())


def test_em_has_the_highest_likelihood() -> None:
    outcome, codes, _ = drawn(0)
    best = shares_by_em(outcome, codes)
    assert best.sum() == pytest.approx(1.0)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 0.01:
        other = np.maximum(best + step, 0.0)
        beside = log_likelihood(outcome, codes, other / other.sum())
        assert beside < log_likelihood(outcome, codes, best)


@pytest.mark.parametrize("shares", [shares_by_em, shares_by_moments])
def test_both_find_the_shares_where_the_classifier_is_right(shares) -> None:
    found, expected = [], []
    for seed in range(5):
        outcome, codes, y = drawn(seed)
        found.append(shares(outcome, codes))
        expected.append(np.bincount(y[codes < 0], minlength=3) / (codes < 0).sum())
    assert np.mean(found, axis=0) == pytest.approx(np.mean(expected, axis=0), abs=0.012)


def test_moments_bear_a_wrong_classifier_and_em_does_not() -> None:
    moments, em, truth = [], [], []
    for seed in range(5):
        outcome, codes, y = drawn(seed)
        wrong = outcome**3 * [4.0, 1.0, 1.0]
        wrong /= wrong.sum(axis=1, keepdims=True)
        moments.append(shares_by_moments(wrong, codes)[0])
        em.append(shares_by_em(wrong, codes)[0])
        truth.append((y[codes < 0] == 0).mean())
    assert np.mean(moments) == pytest.approx(np.mean(truth), abs=0.015)
    assert abs(np.mean(em) - np.mean(truth)) > 0.05


def test_two_classes_by_hand() -> None:
    # of class 0, three in four score (1, 0); of class 1, one in four; unlabelled: half of each
    outcome = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] + [[1.0, 0.0]] + [[0.0, 1.0]] * 3)
    codes = np.repeat([0, 1], 4)
    unlabelled = np.array([[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 3)
    found = shares_by_moments(np.vstack([outcome, unlabelled]), np.r_[codes, [-1] * 8])
    assert found == pytest.approx([0.75, 0.25])  # 0.75 q + 0.25 (1 - q) = 5 / 8


def test_a_class_that_no_label_shows_is_not_believed() -> None:
    outcome, codes, _ = drawn(0, 500)
    codes = np.where(codes == 2, -1, codes)
    for shares in (shares_by_em, shares_by_moments):
        assert shares(outcome, codes)[2] == 0.0


def test_tilting_is_bayes_rule() -> None:
    tilt = tilt_of(np.array([0.8, 0.2]), np.array([0.4, 0.6]))
    assert tilt == pytest.approx([0.5, 3.0])
    assert tilted(np.array([[0.9, 0.1]]), tilt) == pytest.approx(np.array([[0.6, 0.4]]))
