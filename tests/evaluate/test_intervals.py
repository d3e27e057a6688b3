"""Intervals hold the truth as often as they say."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from partlabel.evaluate import evaluate, intervals, metrics
from partlabel.labels import LabelSpace


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (499, 500)])
def test_exact_interval_agrees_with_scipy(k: int, n: int, level: float) -> None:
    expected = binomtest(k, n).proportion_ci(level, method="exact")
    low, high = intervals.clopper_pearson(k, n, level)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_exact_interval_covers_whatever_the_truth() -> None:
    n, k = 30, np.arange(31)
    low, high = intervals.clopper_pearson(k, np.full(31, n))
    for truth in np.linspace(0.001, 0.999, 200):
        assert binom.pmf(k, n, truth)[(low <= truth) & (truth <= high)].sum() >= 0.95


def test_exact_interval_without_trials_is_everything() -> None:
    assert [float(end) for end in intervals.clopper_pearson(0, 0)] == [0.0, 1.0]


def test_bootstrap_is_the_same_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    def means(seed: int) -> np.ndarray:
        return intervals.bootstrap(
            lambda w: w @ np.arange(50.0) / 50, 50, n_bootstrap=21, random_state=seed
        )

    whole = means(3)
    monkeypatch.setattr(intervals, "CHUNK", 100)
    assert (means(3) == whole).all()
    assert (means(4) != whole).any()


def test_resamples_draw_every_row_as_often() -> None:
    weights = intervals.bootstrap(lambda w: w, 40, n_bootstrap=4000, random_state=0)
    assert (weights.sum(axis=1) == 40).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(40), abs=0.08)
    assert weights.var(axis=0).mean() == pytest.approx(1 - 1 / 40, abs=0.02)


def test_bootstrap_of_a_mean_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(0).exponential(size=2000)
    resampled = intervals.bootstrap(
        lambda w: w @ values / 2000, 2000, n_bootstrap=2000, random_state=0
    )
    low, high = intervals.percentile_interval(resampled, 0.95)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(2000), rel=0.05)


def test_gaps_no_larger_than_their_noise_may_be_nothing() -> None:
    noise = np.random.default_rng(0).normal(scale=0.01, size=(2000, 10))
    low, high = intervals.absolute_sum_interval(noise[0], noise[0] + noise[1:], 0.95)
    assert low == 0.0
    assert high > np.abs(noise[0]).sum()


def test_gaps_far_above_their_noise_are_held_from_both_sides() -> None:
    noise = np.random.default_rng(0).normal(scale=0.001, size=(2000, 10))
    low, high = intervals.absolute_sum_interval(np.full(10, 0.03), 0.03 + noise, 0.95)
    assert 0.28 < low < 0.3 < high < 0.32


@pytest.mark.parametrize("real", [0.0, 0.5, 2.0], ids=["calibrated", "little", "much"])
def test_sum_of_gaps_is_held_whatever_their_size(real: float) -> None:
    """Gaps, by their noise, normal about a mean: 95 % of the intervals hold the sum."""
    rng, held = np.random.default_rng(0), []
    spread = rng.uniform(0.5, 1.5, 15) * 0.01
    for _ in range(400):
        gaps = spread * real * rng.normal(1.0, 1.0, 15)
        seen = gaps + spread * rng.standard_normal(15)
        value, low, high = intervals.absolute_sum_of_normal(seen, spread**2, 0.95, rng, 500)
        assert low <= value <= high
        held.append(low <= np.abs(gaps).sum() <= high)
    assert np.mean(held) >= 0.925


def test_gaps_without_noise_are_what_they_are() -> None:
    found = intervals.absolute_sum_of_normal(np.array([0.1, -0.2]), np.zeros(2), 0.95, 0)
    assert found == pytest.approx((0.3, 0.3, 0.3))


def population(
    n: int, temperature: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows with one Gaussian score per class, and their true posterior at a temperature."""
    prior = np.array([0.5, 0.3, 0.2])
    codes = rng.choice(3, size=n, p=prior)
    scores = rng.normal(size=(n, 3))
    scores[np.arange(n), codes] += 1.2
    probs = np.exp((np.log(prior) + 1.2 * scores) / temperature)
    return probs / probs.sum(axis=1, keepdims=True), codes


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1.0, 0.8, 0.5])
def test_intervals_cover_the_truth_in_a_simulation(temperature: float) -> None:
    rng = np.random.default_rng(0)
    labels = LabelSpace(["a", "b", "c"])
    probs, codes = population(400_000, temperature, rng)
    truth = {
        "accuracy": metrics.accuracy(probs, codes),
        "balanced_accuracy": metrics.balanced_accuracy(probs, codes),
        "macro_f1": metrics.macro_f1(probs, codes),
        "log_loss": metrics.log_loss(probs, codes),
        "brier": metrics.brier(probs, codes),
        "ece": 0.0 if temperature == 1 else metrics.expected_calibration_error(probs, codes),
    }
    n_runs = 200
    covered = dict.fromkeys(truth, 0)
    for _ in range(n_runs):
        probs, codes = population(300, temperature, rng)
        found = evaluate(probs, codes, labels=labels, n_bootstrap=300, random_state=rng)
        for name, value in truth.items():
            covered[name] += found[name].low <= value <= found[name].high
    # 95 %, less three standard errors of 200 runs and what the bootstrap of 300 rows falls short.
    assert min(covered.values()) / n_runs >= 0.89
