import numpy as np
import pytest

from partlabel.aggregate.calibrate import GoldCalibration


def drawn(temperature: float, offset: list[float], n: int = 5000) -> tuple[np.ndarray, np.ndarray]:
    """Beliefs, and labels from the same beliefs sharpened and shifted."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet([1.0, 1.0, 1.0], n)
    true = np.exp(np.log(np.clip(probs, 1e-3, 1)) * temperature + offset)
    true /= true.sum(axis=1, keepdims=True)
    return probs, (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1).astype(np.int32)


def test_recovers_the_sharpness_and_the_balance() -> None:
    probs, codes = drawn(2.0, [0.8, 0.0, -0.8])
    found = GoldCalibration.fit(probs, codes)
    assert found.slope == pytest.approx(2.0, abs=0.15)
    np.testing.assert_allclose(found.offset - found.offset.mean(), [0.8, 0.0, -0.8], atol=0.15)


def test_few_labels_move_beliefs_little_and_none_not_at_all() -> None:
    probs, codes = drawn(1.0, [2.0, 0.0, -2.0])
    none = GoldCalibration.fit(probs[:0], codes[:0])
    assert none.slope == 1.0
    assert (none.offset == 0).all()
    few, many = GoldCalibration.fit(probs[:5], codes[:5]), GoldCalibration.fit(probs, codes)
    assert np.abs(few.offset).max() < np.abs(many.offset).max()


def test_a_higher_precision_stays_nearer_to_the_beliefs() -> None:
    probs, codes = drawn(1.0, [2.0, 0.0, -2.0], n=50)
    loose, tight = (GoldCalibration.fit(probs, codes, precision=p) for p in (0.1, 100.0))
    assert np.abs(tight.offset).max() < np.abs(loose.offset).max()


def test_beats_its_neighbours() -> None:
    """The optimum of log likelihood and priors, written out again."""
    probs, codes = drawn(1.5, [0.5, 0.0, -0.5], n=60)
    found = GoldCalibration.fit(probs, codes)

    def cost(slope: float, offset: np.ndarray) -> float:
        q = GoldCalibration(slope, offset).apply(probs)[np.arange(60), codes]
        return -np.log(q).sum() + 2.0 * ((slope - 1.0) ** 2 + (offset**2).sum())

    best = cost(found.slope, found.offset)
    rng = np.random.default_rng(1)
    for _ in range(30):
        near = rng.normal(0.0, 0.02, 4)
        assert cost(found.slope + near[0], found.offset + near[1:]) >= best - 1e-7


def test_renaming_classes_renames_the_correction() -> None:
    probs, codes = drawn(1.3, [0.5, 0.2, -0.7], n=200)
    order = np.array([2, 0, 1])
    renamed = GoldCalibration.fit(probs[:, order], np.argsort(order)[codes].astype(np.int32))
    found = GoldCalibration.fit(probs, codes)
    np.testing.assert_allclose(renamed.offset, found.offset[order], atol=1e-4)


def test_certain_beliefs_that_are_wrong_stay_finite() -> None:
    found = GoldCalibration.fit(np.eye(3)[[0, 1, 2, 0]], np.array([1, 1, 2, 0], dtype=np.int32))
    assert np.isfinite(found.apply(np.eye(3))).all()
