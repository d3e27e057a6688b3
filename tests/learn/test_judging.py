"""Judging predictions by evidence: sums over classes, temperatures, and which to average."""

from itertools import permutations

import numpy as np
import pytest

from partlabel.learn.judging import (
    agreement,
    best_sharpness,
    forward_selected,
    log_explained,
    sharpened,
)


def test_judgements_are_the_sums_over_the_classes() -> None:
    rng = np.random.default_rng(0)
    probs, likelihood = rng.dirichlet(np.ones(3), size=4), rng.random((4, 3))
    log, right = 0.0, 0.0
    for p, seen in zip(probs, likelihood, strict=True):
        both = [p[k] * seen[k] for k in range(3)]
        log += np.log(sum(both)) / 4
        right += both[int(np.argmax(p))] / sum(both) / 4
    assert log_explained(probs, likelihood) == pytest.approx(log)
    assert agreement(probs, likelihood) == pytest.approx(right)


def test_with_exact_labels_the_accuracy_is_the_accuracy() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), size=50)
    truth = np.arange(50) % 3
    plain = (probs.argmax(axis=1) == truth).mean()
    assert agreement(probs, np.eye(3)[truth]) == pytest.approx(plain)


def test_predictions_that_were_blunted_are_sharpened_back() -> None:
    probs = np.random.default_rng(0).dirichlet(np.full(3, 0.5), size=4000)
    drawn = np.random.default_rng(1).random((4000, 1)) > probs.cumsum(axis=1)
    likelihood = np.eye(3)[drawn.sum(axis=1).clip(max=2)]
    assert best_sharpness(sharpened(probs, 0.5), likelihood) == pytest.approx(2.0, rel=0.15)


def test_each_prediction_added_is_the_best_to_add() -> None:
    rng = np.random.default_rng(0)
    likelihood = (rng.random((30, 4)) < 0.5) + 1e-9
    probs = {name: rng.dirichlet(np.ones(4), size=30) for name in "abcde"}
    found = forward_selected(probs, likelihood, 3)

    def explained(names: tuple[str, ...]) -> float:
        return log_explained(np.mean([probs[name] for name in names], axis=0), likelihood)

    for n in range(3):
        best = max(
            (order for order in permutations("abcde", n + 1) if order[:n] == tuple(found[:n])),
            key=explained,
        )
        assert found[: n + 1] == list(best)
    assert sorted(forward_selected(probs, likelihood, 9)) == list("abcde")
