"""VennAbers: two isotonic curves, one for each label that a new item may have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from partlabel.evaluate import IsotonicCalibration, VennAbers
from partlabel.evaluate.calibration.venn_abers import if_right
from partlabel.labels import LabelSpace

from .conftest import World

LABELS = LabelSpace(["no", "yes"])


def two(score: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - score, score])


def refitted(score: np.ndarray, codes: np.ndarray, at: float, label: int) -> float:
    """The definition: fit again, with the new item as though it had the label."""
    curve = IsotonicRegression(out_of_bounds="clip").fit(
        np.append(score, at), np.append(codes, label)
    )
    return float(curve.predict([at])[0])


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=1, max_size=25),
    st.integers(0, 16),
)
def test_ends_are_those_of_two_more_fits(rows: list[tuple[int, int]], place: int) -> None:
    score, codes = np.array(rows).T
    score, at = score / 8, place / 16  # on a score, between two, and outside
    fitted = VennAbers().fit(two(score), codes, labels=LABELS)
    low, high = fitted.intervals(two(np.array([at])))
    assert low[0, 1] == pytest.approx(refitted(score, codes, at, 0))
    assert high[0, 1] == pytest.approx(refitted(score, codes, at, 1))
    p = high[0, 1] / (1 - low[0, 1] + high[0, 1])
    assert fitted.transform(two(np.array([at]))).probs[0] == pytest.approx([1 - p, p])


@given(
    st.lists(st.tuples(st.floats(0.01, 2), st.floats(-1, 2)), min_size=1, max_size=15),
)
def test_one_label_more_is_one_regression_more_with_any_weights(
    rows: list[tuple[float, float]],
) -> None:
    weight, mean = np.array(rows).T
    for j, value in enumerate(if_right(weight, weight * mean)):
        score = np.insert(np.arange(len(weight)) * 1.0, j, j - 0.5)
        labels, weights = np.insert(mean, j, 1.0), np.insert(weight, j, 1.0)
        curve = IsotonicRegression().fit(score, labels, sample_weight=weights)
        assert value == pytest.approx(float(curve.predict([j - 0.5])[0]), abs=1e-6)


def test_one_of_the_ends_is_calibrated() -> None:
    """Vovk's law: of the ends, that of the true label is right on average."""
    ends, truth = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        score = rng.random(31)
        codes = (rng.random(31) < score**2).astype(int)
        fitted = VennAbers().fit(two(score[:30]), codes[:30], labels=LABELS)
        low, high = fitted.intervals(two(score[30:]))
        ends.append((high if codes[30] else low)[0, 1])
        truth.append(codes[30])
    assert np.mean(ends) == pytest.approx(np.mean(truth), abs=0.08)


def test_less_evidence_leaves_it_less_sure() -> None:
    world = World.drawn(2000, n_classes=2)
    predicted = world.predicted(2.0)
    votes, channels = world.votes([0.7])
    gold = VennAbers().fit(predicted, world.codes, labels=world.labels)
    few = VennAbers().fit(predicted[:200], world.codes[:200], labels=world.labels)
    noisy = VennAbers().fit(predicted, votes, channels=channels)

    def width(fitted: VennAbers) -> float:
        low, high = fitted.intervals(predicted)
        return float((high - low).mean())

    assert width(gold) < width(noisy)
    assert width(gold) < width(few)


def test_it_lies_about_the_isotonic_curve_also_with_votes() -> None:
    world = World.drawn(3000, n_classes=2)
    predicted = world.predicted(2.0)
    votes, channels = world.votes([0.8, 0.8])
    curve = IsotonicCalibration().fit(predicted, votes, channels=channels).transform(predicted)
    low, high = VennAbers().fit(predicted, votes, channels=channels).intervals(predicted)
    # the curve is normalised, and EM stops a little before it rests
    assert (low <= curve.probs + 0.02).all()
    assert (high >= curve.probs - 0.02).all()


def test_it_never_says_never() -> None:
    world = World.drawn(100)
    predicted = world.predicted(2.5)
    probs = VennAbers().fit(predicted, world.codes, labels=world.labels).transform(predicted).probs
    assert probs.min() > 0
