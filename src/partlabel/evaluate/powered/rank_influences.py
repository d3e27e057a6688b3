"""Influences on ROC AUC and average precision, class by class."""

import numpy as np
from numpy.typing import NDArray

from partlabel.evaluate.metrics import ECE_ROWS_PER_BIN, Floats
from partlabel.evaluate.powered.influence_values import (
    Influences,
    classes_there,
    joined,
    labels_of_gold,
)
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.ranking import Ranks, auc, average_precision

RANK_BINS = 20
"""The guess of how a class depends on its score has at most as many steps."""


def rank_influences(population: Population, trust: float) -> Influences:
    """Influences on ROC AUC and average precision: of each class against the others, and mean.

    Both classes of two have the same AUC, so that the mean is that of either.
    """
    k, n, n_gold = len(population.labels), len(population), population.n_gold
    gold, believed = labels_of_gold(population)
    pilot, at_gold, at_beliefs = np.full((2, k), np.nan), *np.zeros((2, 2, n_gold, k))
    slopes = np.zeros((2, n_gold, k))
    mean, variance = np.zeros((2, population.n_strata, k)), np.zeros((2, k))
    total = np.zeros((2, n))
    present = classes_there(population)
    for j in np.flatnonzero(present).tolist():
        score = population.probs[:, j]
        order = np.argsort(score)
        mass = pilot_mass(population, gold[:, j], j, trust, order)
        present[j] = mass.sum() < n
        if not present[j]:
            continue
        ranks = Ranks.of(score, mass, order)
        for m, metric in enumerate((auc, average_precision)):
            pilot[m, j], constant, slope = metric(ranks)
            rows = population.rows
            slopes[m, :, j] = slope[rows]
            at_gold[m, :, j] = constant[rows] + gold[:, j] * slope[rows]
            if population.beliefs is None:
                continue
            at_beliefs[m, :, j] = constant[rows] + believed[:, j] * slope[rows]
            of_all = constant + population.beliefs[:, j] * slope
            mean[m, :, j] = population.stratum_sums(of_all)
            variance[m, j] = of_all.var()
            total[m] += of_all
    mean /= population.stratum_sizes()[:, None]
    share = present / max(int(present.sum()), 1)
    # classes exclude each other, so that for their mean it is the slope of the class that varies
    parts = slopes * share
    of_mean = np.einsum("ik,mik->mi", believed, parts**2)
    of_mean -= np.einsum("ik,mik->mi", believed, parts) ** 2
    doubt = slopes**2 * believed * (1.0 - believed)
    names = ("auc", "average_precision")
    unknown = 0.0 if present.any() else np.nan  # with one class, nothing is ranked
    return joined(
        [
            part
            for m, name in enumerate(names)
            for part in (
                Influences(
                    {name: slice(0, 1)},
                    np.where(present, pilot[m], 0.0)[None] @ share + unknown,
                    at_gold[m] @ share[:, None],
                    at_beliefs[m] @ share[:, None],
                    np.maximum(of_mean[m], 0.0)[:, None],
                    mean[m] @ share[:, None],
                    (total[m] / max(int(present.sum()), 1)).var(keepdims=True),
                ),
                Influences(
                    {f"class_{name}": slice(0, k)},
                    pilot[m],
                    at_gold[m],
                    at_beliefs[m],
                    doubt[m],
                    mean[m],
                    variance[m],
                ),
            )
        ]
    )


def pilot_mass(
    population: Population, gold: Floats, j: int, trust: float, order: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(n_items,) The first guess of how much of class `j` each item holds.

    Beliefs, with what they get wrong on gold spread over the items with about the same score: only
    how the class depends on the score matters here, and a single gold row at the top would else
    decide. Where that takes away more than half of what gold counts of the class, or of the others,
    the mean of gold and beliefs instead, which is never negative.

    Parameters
    ----------
    population : Population
    gold : (n_gold,) float
        1 where the gold class is `j`.
    j : int
    trust : float in [0, 1]
    order : (n_items,) intp
        The items by their score.
    """
    n, rows, n_gold = len(population), population.rows, population.n_gold
    believed = np.zeros(n) if population.beliefs is None else population.beliefs[:, j]
    if n_gold == 0:
        return np.asarray(believed, dtype=np.float64)
    bins = max(1, min(RANK_BINS, n_gold // ECE_ROWS_PER_BIN))
    in_bin = np.empty(n, dtype=np.intp)
    in_bin[order] = np.arange(n) * bins // n
    size = np.bincount(in_bin, minlength=bins)

    def spread(values: Floats) -> Floats:
        total = n * np.bincount(in_bin[rows], population.weight * values, bins)
        return np.asarray((total / np.maximum(size, 1))[in_bin])

    mass = trust * believed + spread(gold - trust * believed[rows])
    counted = float(population.weight @ gold) * n
    if not 0.0 < counted / 2 <= mass.sum() <= n - (n - counted) / 2 < n:
        mass = (believed + spread(gold)) / 2
    return np.asarray(mass)
