"""Many groups: few false findings, and shrinkage that is right on average."""

import numpy as np
import pytest

from partlabel.evaluate.audits.false_discovery import benjamini_hochberg, shrunk


def test_corrected_p_values_are_those_of_the_step_up_procedure() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(30) ** 3
    corrected = benjamini_hochberg(p)
    for alpha in (0.01, 0.05, 0.2, 0.5):
        passing = [k for k in range(1, 31) if np.sort(p)[k - 1] <= alpha * k / 30]
        rejected = p <= np.sort(p)[max(passing) - 1] if passing else np.zeros(30, dtype=bool)
        assert ((corrected <= alpha) == rejected).all()


def test_a_test_without_data_takes_no_part() -> None:
    assert benjamini_hochberg(np.array([0.01, np.nan]))[0] == 0.01
    assert np.isnan(benjamini_hochberg(np.array([0.01, np.nan]))[1])


def test_shrunk_values_are_nearer_to_the_truth() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0.8, 0.05, size=(200, 12))
    error = rng.choice([0.02, 0.1], size=truth.shape)
    seen = truth + error * rng.normal(size=truth.shape)
    drawn = [shrunk(v, e) for v, e in zip(seen, error, strict=True)]
    value, reach = np.stack([one[0] for one in drawn]), np.stack([one[1] for one in drawn])
    assert ((value - truth) ** 2).mean() < 0.6 * ((seen - truth) ** 2).mean()
    assert 0.86 < (np.abs(value - truth) < 1.96 * reach).mean() < 0.97


def test_groups_that_differ_by_chance_get_one_value() -> None:
    value, _ = shrunk(np.array([0.80, 0.81, 0.79]), np.array([0.1, 0.1, 0.1]))
    assert value == pytest.approx([0.8] * 3)


def test_a_group_of_which_nothing_is_known_gets_the_mean() -> None:
    value, error = shrunk(np.array([0.9, 0.5, np.nan]), np.array([0.01, 0.01, np.nan]))
    assert value[2] == pytest.approx(0.7, abs=1e-3)
    assert error[2] > 0.2


def test_one_group_stays_as_it_is() -> None:
    value, error = shrunk(np.array([0.9, np.nan]), np.array([0.1, np.nan]))
    assert (value[0], error[0]) == (0.9, 0.1)
