"""IsotonicCalibration: the likeliest rising curve."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from partlabel.channels import Channels, log_likelihood
from partlabel.evaluate import IsotonicCalibration
from partlabel.evidence import Evidence

from .conftest import World


def test_gold_gives_what_scikit_learn_gives() -> None:
    world = World.drawn(400, n_classes=3)
    predicted, other = world.predicted(2.5), World.drawn(100, n_classes=3, seed=1).predicted(2.5)
    expected = np.column_stack(
        [
            IsotonicRegression(out_of_bounds="clip")
            .fit(predicted[:, k], world.codes == k)
            .predict(other[:, k])
            for k in range(3)
        ]
    )
    expected /= expected.sum(axis=1, keepdims=True)
    fitted = IsotonicCalibration().fit(predicted, world.codes, labels=world.labels)
    assert fitted.transform(other).probs == pytest.approx(expected)


def test_no_rising_curve_of_two_classes_is_likelier() -> None:
    """Against a general optimiser over the steps of the curve."""
    world = World.drawn(60, n_classes=2)
    score = np.round(world.probs[:, 1], 1)
    predicted = np.column_stack([1 - score, score])
    votes, channels = world.votes([0.7, 0.8])
    evidence = np.exp(log_likelihood(Evidence(votes=votes), channels))
    distinct, which = np.unique(score, return_inverse=True)

    def loss(steps: np.ndarray) -> float:
        curve = np.cumsum(steps)[which]
        return float(-np.log((1 - curve) * evidence[:, 0] + curve * evidence[:, 1]).sum())

    start = np.full(len(distinct), 0.5 / len(distinct))
    best = minimize(
        loss,
        start,
        bounds=[(0, 1)] * len(distinct),
        constraints={"type": "ineq", "fun": lambda steps: 1 - 1e-9 - steps.sum()},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-10},
    )
    fitted = IsotonicCalibration(tol=1e-8, max_iter=20_000).fit(
        predicted, votes, channels=channels, labels=world.labels
    )
    curve = fitted.curves_[1][1]
    assert loss(np.diff(curve, prepend=0.0)) == pytest.approx(best.fun, abs=1e-3)
    assert (np.diff(curve) >= 0).all()


def test_curve_of_any_shape_is_found_through_noise() -> None:
    world = World.drawn(20_000, n_classes=2)
    bent = world.probs**3
    predicted = bent / bent.sum(axis=1, keepdims=True)
    votes, channels = world.votes([0.75, 0.8])
    fitted = IsotonicCalibration().fit(predicted, votes, channels=channels)
    assert np.abs(fitted.transform(predicted).probs - world.probs).mean() < 0.02


def test_row_on_which_all_curves_are_zero_is_uniform() -> None:
    labels = World.drawn(1, n_classes=3).labels
    probs = [[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]]
    fitted = IsotonicCalibration().fit(probs, [0, 1, 2], labels=labels)
    assert fitted.transform([[0.2, 0.2, 0.6]]).probs[0].tolist() == [0, 0, 1]
    fitted.curves_ = [np.array([[0.0, 1.0], [0.0, 0.0]])] * 3
    assert fitted.transform(probs[:1]).probs[0] == pytest.approx(np.full(3, 1 / 3))


def test_sets_are_used() -> None:
    world = World.drawn(3000, n_classes=3)
    predicted = world.predicted(2.5)
    fitted = IsotonicCalibration().fit(predicted, world.blind_sets(), channels=Channels())
    assert fitted.n_gold_ < fitted.n_items_ < 3000
    assert fitted.basis_ == "assumption"
