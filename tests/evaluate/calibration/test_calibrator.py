"""Calibrators: what all of them promise, whatever they are fitted to."""

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from partlabel.aggregate import DawidSkene
from partlabel.beliefs import Beliefs
from partlabel.channels import Channels, log_likelihood
from partlabel.errors import InputError
from partlabel.evaluate import (
    Calibrator,
    IsotonicCalibration,
    TemperatureScaling,
    VectorScaling,
    VennAbers,
)
from partlabel.evidence import Candidates, Evidence
from partlabel.labels import LabelSpace

from .conftest import World

CALIBRATORS = [TemperatureScaling, VectorScaling, IsotonicCalibration, VennAbers]
every = pytest.mark.parametrize("calibrator", CALIBRATORS)


def observed(world: World, kind: str) -> tuple[Any, Channels | None]:
    """Evidence of one kind, and the channels to read it through."""
    if kind == "gold":
        return world.codes, None
    if kind == "candidate sets":
        return world.blind_sets(), Channels()
    return world.votes([0.6, 0.65, 0.7, 0.75, 0.8] if kind == "votes" else [0.8])


KINDS = ["gold", "candidate sets", "votes", "noisy labels"]


@pytest.mark.parametrize("kind", KINDS)
def test_true_temperature_is_found_whatever_was_observed(kind: str) -> None:
    world = World.drawn(20_000, n_classes=10)
    evidence, channels = observed(world, kind)
    fitted = TemperatureScaling().fit(
        world.predicted(2.5), evidence, labels=world.labels, channels=channels
    )
    assert fitted.temperature_ == pytest.approx(2.5, rel=0.02)
    assert fitted.basis_ == ("gold" if kind == "gold" else "assumption")


def test_channel_may_be_learnt_from_the_votes_themselves() -> None:
    world = World.drawn(20_000)
    votes, _ = world.votes([0.6, 0.65, 0.7, 0.75, 0.8])
    channels = Channels(votes=DawidSkene().fit(votes).confusion_)
    fitted = TemperatureScaling().fit(world.predicted(2.5), votes, channels=channels)
    assert fitted.temperature_ == pytest.approx(2.5, rel=0.03)


def test_cross_entropy_to_soft_labels_would_flatten() -> None:
    """The reason why it isn't offered: five votes say 2.5 through their channel, and 3.2 so."""
    world = World.drawn(20_000, n_classes=3)
    votes, channels = world.votes([0.7] * 5)
    logits = 2.5 * world.logits
    soft = softmax(log_likelihood(Evidence(votes=votes), channels), axis=1)

    def cross_entropy(temperature: float) -> float:
        return float(-(soft * log_softmax(logits / temperature, axis=1)).sum(axis=1).mean())

    flattened = minimize_scalar(cross_entropy, bounds=(1, 10), method="bounded").x
    fitted = TemperatureScaling().fit(world.predicted(2.5), votes, channels=channels)
    assert flattened > 3.0
    assert fitted.temperature_ == pytest.approx(2.5, rel=0.03)


@every
@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_come_nearer_to_the_true_ones(
    calibrator: type[Calibrator], kind: str
) -> None:
    world = World.drawn(5000)
    evidence, channels = observed(world, kind)
    predicted = world.predicted(2.5)
    fitted = calibrator().fit(predicted, evidence, labels=world.labels, channels=channels)
    after = fitted.transform(predicted).probs
    before = np.abs(predicted - world.probs).mean()
    assert np.abs(after - world.probs).mean() < 0.5 * before


@every
def test_gold_through_a_channel_is_gold(calibrator: type[Calibrator]) -> None:
    world = World.drawn(300)
    predicted = world.predicted(2.5)
    gold = Candidates.from_labels(world.codes, world.labels)
    plain = calibrator().fit(predicted, gold)
    for evidence in (gold, Evidence(gold=gold), world.labels.decode(world.codes)):
        same = calibrator().fit(predicted, evidence, labels=world.labels, channels=Channels())
        assert same.basis_ == "gold"
        assert same.transform(predicted).probs == pytest.approx(plain.transform(predicted).probs)


@every
def test_items_of_which_nothing_is_known_change_nothing(calibrator: type[Calibrator]) -> None:
    world = World.drawn(300)
    predicted, mask = world.predicted(2.5), world.blind_sets().mask()
    mask[200:] = True
    channels = Channels()
    told = mask.sum(axis=1) < 5
    all_rows = calibrator().fit(
        predicted, Candidates.from_mask(mask, world.labels), channels=channels
    )
    some = Candidates.from_mask(mask[told], world.labels)
    some_rows = calibrator().fit(predicted[told], some, channels=channels)
    assert (all_rows.n_items_, all_rows.n_gold_) == (told.sum(), (mask.sum(axis=1) == 1).sum())
    assert all_rows.transform(predicted).probs == pytest.approx(
        some_rows.transform(predicted).probs
    )


@every
def test_renaming_classes_renames_beliefs(calibrator: type[Calibrator]) -> None:
    world = World.drawn(400, n_classes=3)
    order = np.array([2, 0, 1])
    predicted, sets = world.predicted(2.5), world.blind_sets().mask()
    moved = Candidates.from_mask(sets[:, order], world.labels)
    one = calibrator().fit(predicted, Candidates.from_mask(sets, world.labels), channels=Channels())
    two = calibrator().fit(predicted[:, order], moved, channels=Channels())
    expected = one.transform(predicted).probs[:, order]
    # where a curve nears 0, how much a row is worth hangs on rounding errors
    assert two.transform(predicted[:, order]).probs == pytest.approx(expected, abs=5e-4)


@every
def test_ids_are_matched(calibrator: type[Calibrator]) -> None:
    world = World.drawn(200)
    ids = np.arange(200) + 1000
    beliefs = Beliefs(world.predicted(2.5), world.labels, ids)
    shuffled = world.rng.permutation(200)[:150]
    sets = world.blind_sets().mask()
    evidence = Candidates.from_mask(sets[shuffled], world.labels, items=ids[shuffled])
    kept = np.sort(shuffled)
    one = calibrator().fit(beliefs, evidence, channels=Channels())
    two = calibrator().fit(
        beliefs.select(kept),
        Candidates.from_mask(sets[kept], world.labels, items=ids[kept]),
        channels=Channels(),
    )
    after = one.transform(beliefs)
    assert after.probs == pytest.approx(two.transform(beliefs).probs)
    assert np.array_equal(after.item_ids, ids)


@every
def test_estimator_keeps_its_promises(calibrator: type[Calibrator]) -> None:
    world = World.drawn(100)
    predicted = world.predicted(2.5).astype(np.float32)
    fresh = clone(calibrator())
    with pytest.raises(NotFittedError):
        fresh.transform(Beliefs(predicted, world.labels))
    assert fresh.fit(predicted, world.codes, labels=world.labels) is fresh
    assert (fresh.labels_, fresh.n_items_, fresh.n_gold_) == (world.labels, 100, 100)
    assert fresh.transform(predicted).probs.dtype == np.float32


def test_beliefs_fitted_to_their_own_votes_come_out_too_sure() -> None:
    """The reason why the docs forbid it: the votes agree with what was made from them."""
    world = World.drawn(5000, n_classes=3, scale=0.01)
    votes, channels = world.votes([0.7] * 5)
    own = softmax(log_likelihood(Evidence(votes=votes), channels), axis=1)
    left_out, others = world.votes([0.7] * 5)
    with pytest.warns(ConvergenceWarning, match="The lowest temperature"):
        twice = TemperatureScaling().fit(own, votes, channels=channels)
    once = TemperatureScaling().fit(own, left_out, channels=others)
    assert twice.temperature_ < 0.1
    assert once.temperature_ == pytest.approx(1.0, abs=0.08)


def test_candidate_sets_of_alike_classes_are_warned_of() -> None:
    world = World.drawn(2000)
    with pytest.warns(UserWarning, match=r"instance-dependent .* likely to be too sure"):
        fitted = TemperatureScaling().fit(
            world.predicted(2.5), world.sets_of_alike(), channels=Channels()
        )
    assert fitted.temperature_ < 2.3  # over-sharpened, as it says


def test_sets_that_may_be_wrong_are_not_tested() -> None:
    world = World.drawn(500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TemperatureScaling().fit(
            world.predicted(2.5), world.sets_of_alike(), channels=Channels(candidate_noise=0.1)
        )


@pytest.mark.parametrize("calibrator", [IsotonicCalibration, VennAbers])
def test_curves_that_still_move_are_said(calibrator: Any) -> None:
    world = World.drawn(200)
    votes, channels = world.votes([0.6])
    with pytest.warns(ConvergenceWarning, match=r"max_iter was reached .* Raise `max_iter`"):
        calibrator(max_iter=2).fit(world.predicted(2.5), votes, channels=channels)


@pytest.mark.parametrize(
    ("calibrator", "message"),
    [
        (VectorScaling(precision=0.0), "`precision` must be positive; got 0.0"),
        (IsotonicCalibration(max_iter=0), "`max_iter` must be positive; got 0"),
        (VennAbers(tol=0.0), "`tol` must be positive; got 0.0"),
    ],
)
def test_settings_are_refused(calibrator: Calibrator, message: str) -> None:
    world = World.drawn(20)
    with pytest.raises(InputError, match=message):
        calibrator.fit(world.predicted(2.5), world.codes, labels=world.labels)


def test_evidence_is_refused() -> None:
    world = World.drawn(20)
    votes, channels = world.votes([0.7])
    predicted, scaling = world.predicted(2.5), TemperatureScaling()
    nothing = r"`evidence` must say something of at least one predicted item; got nothing for 20"
    with pytest.raises(InputError, match=nothing):
        scaling.fit(predicted, votes, channels=Channels())
    with pytest.raises(InputError, match="`evidence` must have one row for each of the 20"):
        scaling.fit(predicted, votes.select(slice(3)), channels=channels)
    others = Beliefs(predicted, LabelSpace(list("abcde")))
    with pytest.raises(InputError, match="`evidence` must have the classes of `predicted`"):
        scaling.fit(others, votes, channels=channels)
    with pytest.raises(TypeError, match=r"`channels` must be Channels; got Confusion\. Pass `Chan"):
        scaling.fit(predicted, votes, channels=channels.votes)
    with pytest.raises(TypeError, match="`gold` must be Candidates, or class names"):
        scaling.fit(predicted, votes, labels=world.labels)
