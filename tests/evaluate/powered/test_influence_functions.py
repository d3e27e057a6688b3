"""Influence functions are the derivatives of scikit-learn's metrics along a point mass."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as oracle

from partlabel.evaluate.powered.influence_functions import (
    HEADLINE,
    OF_CLASS,
    Influences,
    influences,
)
from partlabel.evaluate.powered.population import Population
from partlabel.labels import LabelSpace

N, K = 60, 3
LABELS = LabelSpace(["ant", "bee", "cow"])
STEP = 1e-6


def world(ties: bool = False, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The model's probabilities and beliefs; with ties, scores are few."""
    rng = np.random.default_rng(seed)
    probs, beliefs = rng.dirichlet(np.ones(K), N), rng.dirichlet(np.ones(K), N)
    if ties:
        probs = np.round(probs * 5) + 0.2 + 0.01 * np.arange(K)
        probs /= probs.sum(axis=1, keepdims=True)
    return probs, beliefs


def of_beliefs(probs: np.ndarray, beliefs: np.ndarray) -> Influences:
    return influences(Population.match(probs, None, beliefs=beliefs, labels=LABELS))


def binary(function: Callable[..., float], k: int) -> Callable[..., float]:
    return lambda p, y, w: function(y == k, p[:, k], sample_weight=w)


def shares(function: Callable[..., float], **options: object) -> Callable[..., float]:
    return lambda p, y, w: function(
        y, p.argmax(1), sample_weight=w, labels=range(K), zero_division=0, **options
    )


def mean_of(parts: list[Callable[..., float]]) -> Callable[..., float]:
    return lambda p, y, w: float(np.mean([part(p, y, w) for part in parts]))


AUC = [binary(oracle.roc_auc_score, k) for k in range(K)]
AP = [binary(oracle.average_precision_score, k) for k in range(K)]
ORACLES: dict[tuple[str, int], Callable[..., float]] = {
    ("accuracy", 0): lambda p, y, w: oracle.accuracy_score(y, p.argmax(1), sample_weight=w),
    ("balanced_accuracy", 0): shares(oracle.recall_score, average="macro"),
    ("macro_precision", 0): shares(oracle.precision_score, average="macro"),
    ("macro_f1", 0): shares(oracle.f1_score, average="macro"),
    ("log_loss", 0): lambda p, y, w: oracle.log_loss(y, p, sample_weight=w, labels=range(K)),
    ("brier", 0): lambda p, y, w: np.average(((p - np.eye(K)[y]) ** 2).sum(1), weights=w),
    ("auc", 0): mean_of(AUC),
    ("average_precision", 0): mean_of(AP),
    **{
        (name, k): shares(function, average=None)
        for name, function in {
            "class_precision": oracle.precision_score,
            "class_recall": oracle.recall_score,
            "class_f1": oracle.f1_score,
        }.items()
        for k in range(K)
    },
    **{("prevalence", k): lambda _, y, w, k=k: np.average(y == k, weights=w) for k in range(K)},
    **{("class_auc", k): AUC[k] for k in range(K)},
    **{("class_average_precision", k): AP[k] for k in range(K)},
}


def value(name: str, k: int, probs: np.ndarray, beliefs: np.ndarray, row: np.ndarray) -> float:
    """The oracle where each item is each class with its belief, times the weight of its row."""
    found = ORACLES[name, k](
        np.repeat(probs, K, axis=0), np.tile(np.arange(K), N), (beliefs * row[:, None]).ravel()
    )
    return float(np.atleast_1d(found)[k if np.ndim(found) else 0])


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize(("name", "k"), ORACLES)
def test_pilot_and_influence_agree_with_scikit_learn(name: str, k: int, ties: bool) -> None:
    probs, beliefs = world(ties)
    plain = value(name, k, probs, beliefs, np.ones(N))
    found = of_beliefs(probs, beliefs)
    place = found.columns[name].start + k
    assert found.pilot[place] == pytest.approx(plain)
    for item in (0, 17, 41):
        rows = np.full(N, (1.0 - STEP) / N)
        rows[item] += STEP
        moved = value(name, k, probs, beliefs, rows * N)
        assert of_row(probs, beliefs, item)[place] == pytest.approx(
            (moved - plain) / STEP, abs=2e-4
        )


def of_row(probs: np.ndarray, beliefs: np.ndarray, item: int) -> np.ndarray:
    """Influence of the belief about one item: the mean of a stratum that holds it alone."""
    whole = Population.match(probs, None, beliefs=beliefs, labels=LABELS)
    apart = replace(whole, stratum=(np.arange(N) == item).astype(int))
    return influences(apart).mean_of_beliefs[1]


def test_every_metric_has_an_oracle() -> None:
    assert {name for name, _ in ORACLES} == {*HEADLINE, *OF_CLASS}


def test_influences_are_0_on_average() -> None:
    found = of_beliefs(*world())
    assert found.mean_of_beliefs == pytest.approx(0.0, abs=1e-12)


def test_gold_is_a_belief_that_is_sure() -> None:
    """Influence by gold is influence by beliefs that put everything on the gold class."""
    probs, _ = world(seed=1)
    codes = np.random.default_rng(2).integers(K, size=N)
    gold = LABELS.decode(codes)
    found = influences(Population.match(probs, gold, beliefs=np.eye(K)[codes], labels=LABELS))
    assert found.of_gold == pytest.approx(found.of_beliefs)


def test_gaps_add_up_to_accuracy_less_confidence() -> None:
    probs, beliefs = world()
    found = of_beliefs(probs, beliefs)
    gap = found.pilot[found.columns["gap"]].sum()
    assert gap == pytest.approx(found.pilot[0] - probs.max(axis=1).mean())
