r"""First guess: how much of each class each item holds, by beliefs and the model as gold bears out.

Metrics are taken as linear around it, so that it must be near the truth even where beliefs are
wrong, and smooth, as gold is little:

.. math:: g_{ik} \propto \exp(\gamma_k + \alpha \log b_{ik} + \beta \log p_{ik})

================  ===========  ============================================================
symbol            code         meaning
================  ===========  ============================================================
:math:`g`         ``guess``    (n_items, n_classes)
:math:`\alpha`    ``trust``    how far beliefs are borne out; 1 before gold is seen
:math:`\beta`                  what the model's probabilities add to them; 0 before
:math:`\gamma`    ``offset``   (n_classes,) what either says too little of a class; 0 before
================  ===========  ============================================================

It has the greatest likelihood on gold, less what it moved from where it was before. Without
beliefs the model takes their place. What it still gets wrong, gold takes back out to first order.

D. H. Wolpert, "Stacked generalization", Neural Networks 1992: the two are put together as there.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.population import Population

LEAST = 1e-4
"""Smaller probabilities count as this: beliefs that are sure and wrong shouldn't decide alone."""

RIDGE_SLOPE, RIDGE_OFFSET = 1.0, 0.1
"""Precision of the normal priors: of slopes as of one gold row, of offsets next to nothing."""

CHUNK = 1_000_000
"""How many probabilities are held at once."""


def first_guess(population: Population) -> Floats:
    """(n_items, n_classes) Share of each class that each item holds.

    Without gold, what is believed; where all items have gold, and count alike, gold.
    """
    if population.n_gold == 0:
        return population.probs if population.beliefs is None else population.beliefs
    if population.n_gold == len(population) and np.ptp(population.weight) == 0:
        return np.asarray(np.eye(len(population.labels))[population.codes])
    slopes, offset = fitted(population)
    guess = np.empty(population.probs.shape, dtype=np.float32)
    step = max(1, CHUNK // len(offset))
    for start in range(0, len(guess), step):
        rows = slice(start, start + step)
        guess[rows] = softmax(np.tensordot(slopes, _logs(population, rows), 1) + offset, axis=1)
    return guess


def fitted(population: Population) -> tuple[Floats, Floats]:
    """Slopes, of beliefs and of the model, and offset (n_classes,) with the greatest posterior."""
    logs = _logs(population, population.rows)
    gold = np.eye(len(population.labels))[population.codes]
    rows = population.weight / (population.weight @ population.weight)
    start = np.concatenate([np.eye(len(logs))[0], np.zeros(gold.shape[1])])
    ridge = np.where(np.arange(len(start)) < len(logs), RIDGE_SLOPE, RIDGE_OFFSET)

    def loss(at: Floats) -> tuple[float, Floats]:
        scores = np.tensordot(at[: len(logs)], logs, 1) + at[len(logs) :]
        moved = at - start
        value = -rows @ (gold * log_softmax(scores, axis=1)).sum(axis=1)
        residual = rows[:, None] * (softmax(scores, axis=1) - gold)
        slope = np.concatenate([np.tensordot(logs, residual, 2), residual.sum(axis=0)])
        return float(value + ridge @ moved**2 / 2.0), slope + ridge * moved

    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return found[: len(logs)], found[len(logs) :]


def _logs(population: Population, rows: slice | NDArray[np.intp]) -> Floats:
    """(n_sources, n_rows, n_classes) Logarithms of beliefs, where there are any, and the model."""
    known = [population.probs] if population.beliefs is None else [population.beliefs]
    known += [] if population.beliefs is None else [population.probs]
    return np.log(np.maximum(np.stack([one[rows] for one in known]), LEAST))
