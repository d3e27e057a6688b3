"""Leaps: the paper's formula, fewer passes to the same place, and none that falls."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.aggregate import DawidSkene, Outcome, run_em
from partlabel.aggregate.squarem import Leaps


class Plain:
    """States that are their own coordinates."""

    def point(self, at: np.ndarray) -> np.ndarray:
        return at

    def at(self, point: np.ndarray, near: np.ndarray) -> np.ndarray:
        return point


def slow_climb(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Towards zero, along one axis quickly and along the other slowly."""
    return x * np.array([0.5, 0.99]), -float((x**2).sum())


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.floats(0.6, 0.95))
def test_a_leap_is_the_papers_formula(start: list[float], rate: float) -> None:
    if max(map(abs, start)) < 0.1:
        return
    rates = [rate, rate / 2, rate / 3]
    x0 = start
    x1 = [c * x for c, x in zip(rates, x0, strict=True)]
    x2 = [c * x for c, x in zip(rates, x1, strict=True)]
    r = [b - a for a, b in zip(x0, x1, strict=True)]
    v = [(c - b) - d for b, c, d in zip(x1, x2, r, strict=True)]
    alpha = -min(4.0, math.hypot(*r) / math.hypot(*v))
    expected = [a - 2 * alpha * d + alpha**2 * e for a, d, e in zip(x0, r, v, strict=True)]
    leaps = Leaps(Plain())
    assert leaps.from_step(np.array(x0), np.array(x1)) is None
    ahead = leaps.from_step(np.array(x1), np.array(x2))
    if alpha >= -1:
        assert ahead is None
    else:
        np.testing.assert_allclose(ahead, expected, rtol=0, atol=1e-9)


def test_slow_climbs_end_in_a_fifth_of_the_passes() -> None:
    settings = {"max_iter": 5000, "tol": 1e-12, "scale": 1.0}
    plain = run_em(slow_climb, [np.ones(2)], **settings)
    leapt = run_em(slow_climb, [np.ones(2)], **settings, chart=Plain())
    assert 5 * len(leapt.path) < len(plain.path)
    assert np.abs(leapt.state).max() <= np.abs(plain.state).max()
    assert leapt.outcome is Outcome.CONVERGED


def wall(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Steps of equal length up to the edge of a cliff, beyond which the objective is far below."""
    return np.minimum(x + 1e-3, 0.0195), float(x[0]) if x[0] <= 0.02 else -1.0


def never(x: np.ndarray) -> tuple[np.ndarray, float]:
    """As `wall`, where nothing but the start's neighbourhood has an objective at all."""
    step, objective = wall(x)
    return step, objective if objective >= 0 else math.nan


@pytest.mark.parametrize("climb", [wall, never])
def test_a_leap_that_falls_is_taken_back(climb: Callable) -> None:
    run = run_em(climb, [np.zeros(1)], max_iter=25, tol=0.0, scale=1.0, chart=Plain())
    assert run.path == sorted(run.path)
    assert run.state[0] <= 0.02
    assert len(run.path) < 25  # what the leaps wasted counts


def test_the_last_state_is_never_a_leap_that_nobody_judged() -> None:
    run = run_em(wall, [np.zeros(1)], max_iter=2, tol=0.0, scale=1.0, chart=Plain())
    assert run.state == pytest.approx(wall(wall(np.zeros(1))[0])[0])


@pytest.mark.parametrize("inference", ["em", "vb"])
@pytest.mark.parametrize("class_prior", ["uniform", "learnt"])
def test_dawid_skene_ends_where_it_does_without(planted, inference: str, class_prior: str) -> None:
    votes, _ = planted([0.6, 0.55, 0.5, 0.5, 0.45], n_items=400, coverage=0.7)
    settings = {"inference": inference, "class_prior": class_prior, "tol": 1e-11}
    plain = DawidSkene(accelerate=False, max_iter=20_000, **settings).fit(votes)
    leapt = DawidSkene(max_iter=20_000, **settings).fit(votes)
    assert 2 * len(leapt.objective_path_) < len(plain.objective_path_)
    assert (np.diff(leapt.objective_path_) >= 0).all()
    np.testing.assert_allclose(leapt.confusion_.probs, plain.confusion_.probs, atol=2e-3)
