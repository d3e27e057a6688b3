"""reliability_diagram: accuracy against confidence, bin by bin."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from partlabel.errors import InputError
from partlabel.evaluate import reliability_diagram
from partlabel.labels import LabelSpace

from .conftest import World

LABELS = LabelSpace(["ham", "spam"])


def drawn(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    spam = 0.5 + rng.random(n) / 2  # above one half: the class predicted is always spam
    return np.column_stack([1 - spam, spam]), (rng.random(n) < spam).astype(int)


def test_bins_agree_with_scikit_learn() -> None:
    probs, codes = drawn()
    diagram = reliability_diagram(probs, codes, labels=LABELS, bins=8)
    accuracy, confidence = calibration_curve(codes, probs[:, 1], n_bins=8, strategy="quantile")
    assert diagram.accuracy == pytest.approx(accuracy)
    assert diagram.confidence == pytest.approx(confidence)
    assert diagram.count.tolist() == [50] * 8


def test_intervals_are_exact() -> None:
    probs, codes = drawn()
    table = reliability_diagram(probs, codes, labels=LABELS, bins=4, level=0.9).to_polars()
    assert table.columns == ["count", "confidence", "accuracy", "low", "high"]
    for count, _, accuracy, low, high in table.rows():
        expected = binomtest(round(accuracy * count), count).proportion_ci(0.9, method="exact")
        assert (low, high) == pytest.approx((expected.low, expected.high))


def test_bins_add_up_to_the_whole() -> None:
    probs, codes = drawn()
    diagram = reliability_diagram(probs, codes, labels=LABELS, bins=7)
    assert diagram.count @ diagram.accuracy == pytest.approx((codes == 1).sum())
    assert diagram.count @ diagram.confidence == pytest.approx(probs.max(axis=1).sum())
    assert (np.diff(diagram.confidence) > 0).all()


def test_equal_confidences_share_a_bin() -> None:
    probs = np.repeat([[0.9, 0.1], [0.4, 0.6], [1.0, 0.0]], [5, 2, 30], axis=0)
    diagram = reliability_diagram(probs, np.zeros(37, int), labels=LABELS)
    assert diagram.count.sum() == 37
    assert diagram.count.min() > 0
    assert diagram.confidence[-1] == 1.0
    assert diagram.count[-1] == 30
    assert repr(diagram) == f"ReliabilityDiagram({len(diagram)} bins, 37 gold items)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bins": 0}, "`bins` must be at least 1; got 0"),
        ({"level": 1.0}, r"`level` must lie in \(0, 1\); got 1.0"),
    ],
)
def test_argument_is_refused(arguments: dict[str, Any], message: str) -> None:
    probs, codes = drawn()
    with pytest.raises(InputError, match=message):
        reliability_diagram(probs, codes, labels=LABELS, **arguments)


def test_partial_evidence_gives_what_gold_would_give() -> None:
    world = World.drawn(20_000, n_classes=3)
    votes, channels = world.votes([0.7, 0.75, 0.8])
    predicted = world.predicted(2.5)
    gold = reliability_diagram(predicted, world.codes, labels=world.labels, bins=5)
    voted = reliability_diagram(predicted, votes, bins=5, channels=channels)
    assert (gold.basis, voted.basis) == ("gold", "assumption")
    assert voted.count.tolist() == gold.count.tolist()
    assert voted.accuracy == pytest.approx(gold.accuracy, abs=0.02)
    assert (voted.high - voted.low > gold.high - gold.low).all()
    assert repr(voted) == "ReliabilityDiagram(5 bins, 20000 items, by assumption: unverified)"


def test_intervals_from_votes_hold_the_true_accuracy() -> None:
    covered = []
    for seed in range(40):
        world = World.drawn(400, n_classes=2, seed=seed)
        votes, channels = world.votes([0.75, 0.75])
        diagram = reliability_diagram(world.probs, votes, bins=4, channels=channels)
        # predicted at their true probabilities, a bin's expected accuracy is its confidence
        covered.append((diagram.low <= diagram.confidence) & (diagram.confidence <= diagram.high))
    assert 0.9 <= np.mean(covered) <= 0.99
