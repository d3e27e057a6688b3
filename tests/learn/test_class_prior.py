import numpy as np
import pytest

from partlabel import InputError
from partlabel.learn.class_prior import class_prior, mark_propensity


def scores(rng: np.random.Generator, prior: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Positives around 2, negatives around -2 and never in the top bin."""
    positive = rng.normal(2, 1, n)
    mixed = np.where(rng.random(n) < prior, rng.normal(2, 1, n), rng.normal(-2, 1, n))
    return positive, mixed


@pytest.mark.parametrize("prior", [0.1, 0.5, 0.9])
def test_it_finds_the_share_of_a_mixture(prior: float) -> None:
    found = class_prior(*scores(np.random.default_rng(0), prior, 20_000))
    assert found == pytest.approx(prior, abs=0.03)


def test_it_is_the_lowest_bound_of_all_thresholds() -> None:
    positive, mixed = scores(np.random.default_rng(1), 0.4, 200)
    slack = np.sqrt(np.log(40) / 2) * 2 / np.sqrt(200)
    rated = []
    for bar in np.concatenate([positive, mixed]):
        above, mixed_above = np.mean(positive >= bar), np.mean(mixed >= bar)
        if above > 0:
            rated.append(((mixed_above + 1.01 * slack) / above, mixed_above / above))
    assert class_prior(positive, mixed) == pytest.approx(min(rated)[1])


def test_only_the_order_of_scores_matters() -> None:
    positive, mixed = scores(np.random.default_rng(2), 0.3, 500)
    assert class_prior(np.exp(positive), np.exp(mixed)) == class_prior(positive, mixed)


def test_without_negatives_everything_is_positive() -> None:
    same = np.random.default_rng(3).normal(size=1000)
    assert class_prior(same, same) == 1.0


def test_the_propensity_of_one_sample() -> None:
    # 200 positives of which 50 are marked: 150 of the 950 unmarked
    assert mark_propensity(50, 950, 150 / 950) == pytest.approx(0.25)
    assert mark_propensity(50, 950, 0.0) == 1.0


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"`positive_scores` must be one score .* \(0,\)"):
        class_prior([], [1.0])
    with pytest.raises(InputError, match=r"`unlabelled_scores` must be finite; got nan at row 1"):
        class_prior([1.0], [0.0, np.nan])
    with pytest.raises(InputError, match="`n_marked` must be at least 1"):
        mark_propensity(0, 10, 0.5)
    with pytest.raises(InputError, match=r"`prior` must lie in \[0, 1\]; got 2"):
        mark_propensity(1, 10, 2)
