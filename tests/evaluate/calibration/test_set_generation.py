"""set_generation: blind sets pass, sets of classes that look alike don't."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binomtest

from partlabel.channels import Channels
from partlabel.errors import InputError
from partlabel.evaluate import SetGeneration, TemperatureScaling, set_generation
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evidence import Candidates, Evidence

from .conftest import World


def p_values(kind: str, draws: int, n: int) -> np.ndarray:
    found = []
    for seed in range(draws):
        world = World.drawn(n, seed=seed)
        sets = world.blind_sets() if kind == "blind" else world.sets_of_alike()
        found.append(set_generation(world.predicted(2.5), sets).p_value)
    return np.array(found)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_promised() -> None:
    alarms = int((p_values("blind", 200, 500) < 0.05).sum())
    assert binomtest(alarms, 200, 0.05).pvalue > 0.01


def test_blind_sets_rarely_alarm_and_others_do() -> None:
    assert (p_values("blind", 10, 500) < 0.05).sum() <= 3
    assert (p_values("alike", 5, 500) < 0.05).all()


def pairs_drawn(world: World, tilt: float) -> Candidates:
    """Sets of two of four, drawn by the model that the test is about."""
    rows = np.arange(len(world.codes))
    pairs = np.array([np.isin(range(4), pair) for pair in combinations(range(4), 2)])
    logs = np.log(world.probs)
    weight = np.exp(tilt * (logs @ pairs.T - logs[rows, world.codes][:, None]))
    weight *= pairs[:, world.codes].T
    reached = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
    drawn = (reached < world.rng.random((len(rows), 1))).sum(axis=1)
    return Candidates.from_mask(pairs[drawn], world.labels)


@pytest.mark.parametrize(
    ("tilt", "said", "temperature"),
    [(0.2, "more often than by chance. .* too sure", 2.15), (-0.2, "less often .* not sure", 2.8)],
)
def test_tilt_is_estimated_and_said_with_what_follows(
    tilt: float, said: str, temperature: float
) -> None:
    world = World.drawn(5000, n_classes=4, scale=1.5)
    predicted, sets = world.predicted(2.5), pairs_drawn(world, tilt)
    found = set_generation(predicted, sets)
    assert found.tilt == pytest.approx(tilt, abs=0.06)
    assert found.z * tilt > 0
    assert found.n_sets == 5000
    with pytest.warns(UserWarning, match=said):
        fitted = TemperatureScaling().fit(predicted, sets, channels=Channels())
    assert fitted.temperature_ == pytest.approx(temperature, abs=0.15)


def test_nothing_found_is_said_too() -> None:
    assert "drawn blindly" in SetGeneration(0.0, 0.1, 0.9, 10).sentence


def test_gold_sharpens_it() -> None:
    world = World.drawn(600)
    sets = world.sets_of_alike(0.3)
    gold = Candidates.from_labels(world.codes, world.labels)
    alone = set_generation(world.predicted(2.5), sets)
    both = set_generation(world.predicted(2.5), Evidence(candidates=sets, gold=gold))
    assert both.z > alone.z


def test_single_classes_say_nothing() -> None:
    world = World.drawn(50)
    gold = Candidates.from_labels(world.codes, world.labels)
    with pytest.raises(InputError, match="`evidence` must hold a set with several, but not all"):
        set_generation(world.predicted(2.5), gold)
    mixed = Observed.match(world.probs, gold, None, None)
    assert mixed.sets is None
