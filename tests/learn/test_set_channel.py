"""The channel of candidate sets: what is learnt of how they come about."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from partlabel.learn.set_channel import LEAST, PRIOR, SetChannel, estimated, learn_set_channel

SETS = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 1, 0], [1, 1, 1]], dtype=bool)
MASS = np.array([[3.0, 1.0, 0.0], [0.0, 2.5, 0.5], [4.0, 0, 0], [0, 2.0, 0], [0, 0, 0]])


def naive(weight: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares, and log p(set | class), by loops over all that is summed."""
    shares = np.ones((3, 3))
    for y in range(3):
        for k in range(3):
            if k == y:
                continue
            mine = sum(MASS[s, y] for s in range(5) if SETS[s, k])
            other = sum(MASS[s, z] for s in range(5) for z in range(3) if z != k and SETS[s, k])
            rest = sum(MASS[s, z] for s in range(5) for z in range(3) if z != k)
            share = (mine + PRIOR * other / rest) / (MASS[:, y].sum() + PRIOR)
            shares[y, k] = min(max(share, LEAST), 1 - LEAST)
    log = np.zeros((5, 3))
    for y in range(3):
        drawn = {}
        for s in range(4):
            if SETS[s, y]:
                chance = [
                    shares[y, k] if SETS[s, k] else 1 - shares[y, k] for k in range(3) if k != y
                ]
                drawn[s] = MASS[s].sum() * np.prod(chance) ** weight
        for s, odds in drawn.items():
            log[s, y] = np.log(odds / sum(drawn.values()) / MASS[s].sum())
    return shares, log


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_it_is_estimated_as_the_sums_say(weight: float) -> None:
    channel = estimated(SETS, MASS, weight)
    shares, log = naive(weight)
    assert channel.shares == pytest.approx(shares)
    assert channel.log_likelihood == pytest.approx(log)


def test_the_sets_of_a_class_add_up_to_one() -> None:
    rows = MASS.sum(axis=1)
    chances = np.where(SETS, np.exp(estimated(SETS, MASS, 0.75).log_likelihood), 0.0)
    assert rows[:4] @ chances[:4] == pytest.approx(1.0)


def test_without_shares_each_set_of_a_class_is_as_likely() -> None:
    log = estimated(SETS, MASS, 0.0).log_likelihood
    assert np.exp(log[0]) == pytest.approx([1 / 8, 1 / 9, 1.0])


def test_sets_that_hold_all_classes_say_nothing() -> None:
    assert estimated(SETS, MASS, 1.0).log_likelihood[4] == pytest.approx(0.0)


def narrowed(accompanied: bool) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[Any]]:
    """Sets, calibrated predictions, classes; 1 comes with 0 nearly always, or either alike."""
    rng = np.random.default_rng(0)
    probs = 0.99 * rng.dirichlet([0.2, 0.6, 0.2], size=3000) + 0.01 / 3
    truth = (rng.random((3000, 1)) > probs.cumsum(axis=1)).sum(axis=1).clip(max=2)
    mask = np.eye(3, dtype=bool)[truth]
    if accompanied:
        mask[(truth == 0) & (rng.random(3000) < 0.9), 1] = True
        mask[(truth == 1) & (rng.random(3000) < 0.3), 0] = True
    else:
        mask |= rng.random((3000, 3)) < 0.3
    return mask, probs, truth


def learnt(
    mask: NDArray[np.bool_], probs: NDArray[np.float64]
) -> tuple[SetChannel, NDArray[np.float64]]:
    sets, which = np.unique(mask, axis=0, return_inverse=True)
    with np.errstate(divide="ignore"):
        log_likelihood = np.log(mask.astype(float))
    channel = learn_set_channel(sets, which.ravel(), probs, log_likelihood)
    beliefs = probs * mask * np.exp(channel.log_likelihood[which.ravel()])
    return channel, beliefs / beliefs.sum(axis=1, keepdims=True)


def explained(beliefs: NDArray[np.float64], truth: NDArray[Any]) -> float:
    return float(np.log(beliefs[np.arange(len(truth)), truth]).mean())


def test_it_finds_which_candidates_come_with_which_class() -> None:
    mask, probs, truth = narrowed(accompanied=True)
    channel, beliefs = learnt(mask, probs)
    assert channel.weight > 0
    assert channel.shares[0, 1] == pytest.approx(0.9, abs=0.05)
    assert channel.shares[1, 0] == pytest.approx(0.3, abs=0.05)
    plain = probs * mask / (probs * mask).sum(axis=1, keepdims=True)
    assert explained(beliefs, truth) > explained(plain, truth) + 0.02


def test_where_wrong_candidates_are_drawn_alike_it_says_little() -> None:
    mask, probs, truth = narrowed(accompanied=False)
    _, beliefs = learnt(mask, probs)
    plain = probs * mask / (probs * mask).sum(axis=1, keepdims=True)
    assert explained(beliefs, truth) > explained(plain, truth) - 0.02
