import numpy as np
import pytest

from partlabel.aggregate.calibrate import GoldCalibration
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])


def silent(n: int) -> Votes:
    """One source that says nothing about any of n items."""
    return Votes.from_matrix(np.full((max(n, 1), 1), -1), LABELS).select(np.arange(n))


def fit(probs: np.ndarray, codes: np.ndarray, **settings: float) -> GoldCalibration:
    return GoldCalibration.fit(probs, codes, silent(len(probs)), **settings)


def drawn(temperature: float, offset: list[float], n: int = 5000) -> tuple[np.ndarray, np.ndarray]:
    """Beliefs, and labels from the same beliefs sharpened and shifted."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet([1.0, 1.0, 1.0], n)
    true = np.exp(np.log(np.clip(probs, 1e-3, 1)) * temperature + offset)
    true /= true.sum(axis=1, keepdims=True)
    return probs, (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1).astype(np.int32)


def test_recovers_the_sharpness_and_the_balance() -> None:
    probs, codes = drawn(2.0, [0.8, 0.0, -0.8])
    found = fit(probs, codes)
    assert found.slope == pytest.approx(2.0, abs=0.15)
    np.testing.assert_allclose(found.offset - found.offset.mean(), [0.8, 0.0, -0.8], atol=0.15)


def test_few_labels_move_beliefs_little_and_none_not_at_all() -> None:
    probs, codes = drawn(1.0, [2.0, 0.0, -2.0])
    none = fit(probs[:0], codes[:0])
    assert none.slope == 1.0
    assert (none.offset == 0).all()
    few, many = fit(probs[:5], codes[:5]), fit(probs, codes)
    assert np.abs(few.offset).max() < np.abs(many.offset).max()


def test_a_higher_precision_stays_nearer_to_the_beliefs() -> None:
    probs, codes = drawn(1.0, [2.0, 0.0, -2.0], n=50)
    loose, tight = (fit(probs, codes, precision=p) for p in (0.1, 100.0))
    assert np.abs(tight.offset).max() < np.abs(loose.offset).max()


def test_beats_its_neighbours() -> None:
    """The optimum of log likelihood and priors, written out again."""
    probs, codes = drawn(1.5, [0.5, 0.0, -0.5], n=60)
    found = fit(probs, codes)

    def cost(slope: float, offset: np.ndarray) -> float:
        q = GoldCalibration(slope, offset, np.zeros(3)).apply(probs, silent(60))[
            np.arange(60), codes
        ]
        return -np.log(q).sum() + 2.0 * ((slope - 1.0) ** 2 + (offset**2).sum())

    best = cost(found.slope, found.offset)
    rng = np.random.default_rng(1)
    for _ in range(30):
        near = rng.normal(0.0, 0.02, 4)
        assert cost(found.slope + near[0], found.offset + near[1:]) >= best - 1e-7


def test_renaming_classes_renames_the_correction() -> None:
    probs, codes = drawn(1.3, [0.5, 0.2, -0.7], n=200)
    order = np.array([2, 0, 1])
    renamed = fit(probs[:, order], np.argsort(order)[codes].astype(np.int32))
    found = fit(probs, codes)
    np.testing.assert_allclose(renamed.offset, found.offset[order], atol=1e-4)


def test_certain_beliefs_that_are_wrong_stay_finite() -> None:
    found = fit(np.eye(3)[[0, 1, 2, 0]], np.array([1, 1, 2, 0], dtype=np.int32))
    assert np.isfinite(found.apply(np.eye(3), silent(3))).all()


def test_trusts_a_word_that_gold_contradicts_less_and_leaves_the_others() -> None:
    """Sources x and y are believed alike; gold says that x is wrong half of the time."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 400).astype(np.int32)
    wrong = (codes + rng.integers(1, 3, 400)) % 3
    x = np.where(rng.random(400) < 0.5, codes, wrong)
    y = np.where(rng.random(400) < 0.9, codes, wrong)
    said = np.full((400, 2), -1)
    said[:200, 0], said[200:, 1] = x[:200], y[200:]
    votes = Votes.from_matrix(said, LABELS)
    heard = said.max(axis=1)
    probs = np.where(np.eye(3)[heard] > 0, 0.7, 0.15)
    found = GoldCalibration.fit(probs, codes, votes)
    of_x, of_y = found.trust[:3], found.trust[3:]
    assert (of_x < of_y).all()
    corrected = found.apply(probs, votes)[np.arange(400), heard]
    assert corrected[:200].mean() == pytest.approx(0.5, abs=0.08)
    assert corrected[200:].mean() == pytest.approx(0.9, abs=0.05)


def test_a_word_without_gold_keeps_its_weight() -> None:
    votes = Votes.from_matrix([[0, -1], [1, -1]], LABELS)
    found = GoldCalibration.fit(np.full((2, 3), 1 / 3), np.array([0, 1], dtype=np.int32), votes)
    np.testing.assert_array_equal(found.trust[3:], 0.0)
    assert (found.trust[[0, 1]] > 0).all()


def test_a_word_for_a_set_lends_its_trust_to_each_class_of_the_set() -> None:
    votes = Votes.from_columns({"x": [["a", "b"]] * 20}, labels=LABELS)
    found = GoldCalibration.fit(
        np.full((20, 3), 1 / 3), np.array([0, 1] * 10, dtype=np.int32), votes
    )
    probs = found.apply(np.full((20, 3), 1 / 3), votes)
    np.testing.assert_allclose(probs[:, 0], probs[:, 1], atol=1e-4)
    assert (probs[:, 2] < 0.15).all()
