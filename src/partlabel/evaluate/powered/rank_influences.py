"""Influences on ROC AUC and average precision, class by class."""

import numpy as np

from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.influence_values import (
    Influences,
    classes_there,
    joined,
    labels_of_gold,
)
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.ranking import Ranks, auc, average_precision


def rank_influences(population: Population, guess: Floats) -> Influences:
    """Influences on ROC AUC and average precision: of each class against the others, and mean.

    Around the first guess (n_items, n_classes) of how much of each class an item holds.

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
        mass = guess[:, j]
        present[j] = mass.sum(dtype=np.float64) < n
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
