"""The first guess follows beliefs as far as gold bears them out."""

import numpy as np
import pytest
from scipy.special import log_softmax

from partlabel.evaluate.powered.first_guess import first_guess, fitted
from partlabel.evaluate.powered.population import Population
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ant", "bee", "cow"])


def world(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A model that is unsure, right beliefs that don't know it, and the classes."""
    rng = np.random.default_rng(seed)
    beliefs = rng.dirichlet(np.full(3, 0.5), n)
    codes = (beliefs.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 2)
    return rng.dirichlet(np.ones(3), n), beliefs, codes


def population(
    probs: np.ndarray, beliefs: np.ndarray | None, codes: np.ndarray, n_gold: int
) -> Population:
    gold = np.full(len(codes), None)
    gold[:n_gold] = np.array(LABELS.classes)[codes[:n_gold]]
    return Population.match(probs, gold if n_gold else None, beliefs=beliefs, labels=LABELS)


def test_without_gold_it_is_what_is_believed() -> None:
    probs, beliefs, codes = world()
    assert (first_guess(population(probs, beliefs, codes, 0)) == beliefs).all()


def test_much_gold_finds_whom_to_trust() -> None:
    """Beliefs are right, the model says nothing; then the other way round."""
    probs, beliefs, codes = world()
    slopes, offset = fitted(population(probs, beliefs, codes, 4000))
    assert slopes == pytest.approx([1.0, 0.0], abs=0.1)
    assert offset == pytest.approx(np.zeros(3), abs=0.15)
    slopes, _ = fitted(population(beliefs, probs, codes, 4000))
    assert slopes == pytest.approx([0.0, 1.0], abs=0.1)


def test_it_is_the_likeliest_of_its_neighbours() -> None:
    probs, beliefs, codes = world()
    found = population(probs, beliefs, codes, 60)
    best = np.concatenate(fitted(found))

    def posterior(at: np.ndarray) -> float:
        total = -0.5 * ((at[0] - 1) ** 2 + at[1] ** 2 + 0.1 * (at[2:] ** 2).sum())
        for b, p, y in zip(beliefs[:60], probs[:60], codes[:60], strict=True):
            logs = [np.log(np.maximum(one, 1e-4)) for one in (b, p)]
            total += log_softmax(at[0] * logs[0] + at[1] * logs[1] + at[2:])[y]
        return float(total)

    for j in range(5):
        for step in (-0.05, 0.05):
            assert posterior(best + step * np.eye(5)[j]) < posterior(best) + 1e-5


def test_order_of_classes_changes_nothing() -> None:
    probs, beliefs, codes = world(500)
    order = [2, 0, 1]
    moved = LabelSpace([LABELS.classes[k] for k in order])
    gold = np.array(LABELS.classes)[codes]
    one = first_guess(Population.match(probs, gold, beliefs=beliefs, labels=LABELS))
    two = first_guess(
        Population.match(probs[:, order], gold, beliefs=beliefs[:, order], labels=moved)
    )
    assert two == pytest.approx(one[:, order], abs=1e-3)


def test_it_counts_classes_as_gold_does_where_nothing_tells_of_them() -> None:
    _, _, codes = world(600)
    flat = np.full((600, 3), 1 / 3)
    guess = first_guess(population(flat, None, codes, 600))
    assert guess.sum(axis=1) == pytest.approx(np.ones(600), abs=1e-5)
    assert guess.mean(axis=0) == pytest.approx(np.bincount(codes) / 600, abs=1e-3)
