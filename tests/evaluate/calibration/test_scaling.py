"""VectorScaling, and the loss that all scalings share."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from partlabel.channels import Channels
from partlabel.evaluate import TemperatureScaling, VectorScaling
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.calibration.scaling import marginal_loss, scaled, scores

from .conftest import World


def fuzzy(world: World) -> Observed:
    return Observed.match(world.predicted(2.0), world.blind_sets(), world.labels, Channels())


def test_loss_is_the_log_of_the_mass_within_the_set() -> None:
    world = World.drawn(50)
    sets = world.blind_sets()
    seen = Observed.match(world.predicted(1.0), sets, world.labels, Channels())
    held = [float(p[m].sum()) for p, m in zip(world.probs, sets.mask(), strict=True) if not m.all()]
    assert marginal_loss(seen, seen.probs) == pytest.approx(-np.mean(np.log(held)))


def test_scores_are_the_slopes_of_the_log_likelihood() -> None:
    seen = fuzzy(World.drawn(30, n_classes=3))
    at = np.array([0.7, 1.1, 0.9, 0.2, -0.3, 0.1])

    def total(x: np.ndarray) -> float:
        return -marginal_loss(seen, scaled(seen.probs, x.reshape(2, 3))) * len(seen)

    probs = scaled(seen.probs, at.reshape(2, 3))
    slopes = scores(seen, probs, seen.posterior(probs)).sum(axis=0)
    assert slopes == pytest.approx(approx_fprime(at, total, 1e-6), abs=1e-3)


def test_no_neighbour_does_better() -> None:
    world = World.drawn(300, n_classes=3)
    seen = fuzzy(world)
    fitted = VectorScaling(precision=1e-6).fit(
        world.predicted(2.0), world.blind_sets(), channels=Channels()
    )
    again = VectorScaling(precision=1e-6)
    again._fit(seen)
    best = marginal_loss(seen, again._apply(seen.probs))
    for _ in range(20):
        near = np.stack([again.slope_, again.offset_]) + world.rng.normal(scale=0.05, size=(2, 3))
        assert best <= marginal_loss(seen, scaled(seen.probs, near)) + 1e-9
    assert fitted.slope_.shape == (3,)


def test_each_class_has_its_slope_and_offset() -> None:
    predicted = World.drawn(20_000, n_classes=3).probs
    true = np.array([[0.5, 0.7, 0.4], [0.5, -0.5, 0.0]])
    below = np.cumsum(scaled(predicted, true), axis=1) < np.random.default_rng(1).random(
        (20_000, 1)
    )
    labels = World.drawn(1, n_classes=3).labels
    fitted = VectorScaling().fit(predicted, below.sum(axis=1), labels=labels)
    assert fitted.slope_ == pytest.approx(true[0], abs=0.06)
    assert fitted.offset_ - fitted.offset_[2] == pytest.approx(true[1], abs=0.1)


def test_class_without_evidence_stays_as_it_is() -> None:
    probs = np.tile([0.5, 0.3, 0.2], (40, 1))
    labels = World.drawn(1, n_classes=3).labels
    fitted = VectorScaling(precision=100.0).fit(probs, [0] * 10 + [1] * 30, labels=labels)
    sure = VectorScaling(precision=1e-3).fit(probs, [0] * 10 + [1] * 30, labels=labels)
    assert fitted.transform(probs).probs[0, 2] > 0.1
    assert sure.transform(probs).probs[0] == pytest.approx([0.25, 0.75, 0.0], abs=0.01)


def test_it_finds_the_temperature_where_that_is_all() -> None:
    world = World.drawn(20_000, n_classes=3)
    predicted = world.predicted(2.5)
    vector = VectorScaling().fit(predicted, world.codes, labels=world.labels)
    one = TemperatureScaling().fit(predicted, world.codes, labels=world.labels)
    assert vector.slope_.mean() == pytest.approx(1 / one.temperature_, rel=0.05)
    assert np.ptp(vector.offset_) < 0.1
