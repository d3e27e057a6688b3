r"""Weights that make group and class independent, and a table for fairlearn.

.. math:: w_i = \sum_k b_{ik} \, \frac{P(g_i) P(k)}{P(g_i, k)}

A labelled item has the weight of its cell; one whose class is only believed has the mean weight
under its belief. The shares of the cells are estimated from gold and beliefs together, as labelled
items alone would tell how labels were given out, not how classes are spread.

F. Kamiran, T. Calders, "Data preprocessing techniques for classification without discrimination",
Knowledge and Information Systems 2012, sec. 4.3 (reweighing).
"""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.evaluate.powered.influence_functions import influences
from partlabel.evaluate.powered.population import Population, codes_and_names
from partlabel.evaluate.powered.prediction_powered import powered
from partlabel.labels import LabelSpace

MOST = 10.0
"""No cell weighs more: its share is too small to be told."""


def group_weights(
    beliefs: Any, groups: Any, *, gold: Any = None, labels: LabelSpace | None = None
) -> NDArray[np.float64]:
    """Weigh items so that each class is as frequent in one group as in another.

    Ready as `sample_weight` for `learn` and `train`. A cell weighs at most 10.

    Parameters
    ----------
    beliefs : Beliefs, or (n_items, n_classes) probabilities
    groups : (n_items,) names
    gold : Candidates, or (n_items,) class names with nulls, default None
        Corrects the shares that beliefs have of the classes in each group, where the group has two
        or more gold rows: a random sample of it. None trusts the beliefs.
    labels : LabelSpace, default None

    Returns
    -------
    (n_items,) float, 1 on average

    Raises
    ------
    InputError
        If lengths or classes don't fit.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> sure = np.eye(2)[[0, 0, 0, 1, 0, 1]]
    >>> group_weights(sure, ["a", "a", "a", "a", "b", "b"], labels=labels).round(2)
    array([0.89, 0.89, 0.89, 1.33, 1.33, 0.67])
    """
    population = Population.match(beliefs, gold, beliefs=beliefs, labels=labels)
    assert population.beliefs is not None
    which, names = codes_and_names(groups, len(population), "groups")
    share = np.stack([_shares(population.select(which == g)) for g in range(len(names))])
    size = np.bincount(which) / len(which)
    joint = size[:, None] * share
    wanted = size[:, None] * joint.sum(axis=0)
    cell = np.divide(wanted, joint, out=np.ones_like(joint), where=joint > 0)
    known = np.array(population.beliefs, dtype=np.float64)
    known[population.rows] = np.eye(known.shape[1])[population.codes]
    weight = np.einsum("ik,ik->i", known, np.minimum(cell, MOST)[which])
    return np.asarray(weight / weight.mean())


def _shares(part: Population) -> NDArray[np.float64]:
    """(n_classes,) Prevalence of the classes, by gold and beliefs where there is gold."""
    assert part.beliefs is not None
    if part.n_gold < 2:
        share = part.beliefs.mean(axis=0)
    else:
        found = influences(part).pick(["prevalence"])
        share = np.maximum(powered(part, found).value, 0.0)
    return np.asarray(share / share.sum())


def group_samples(
    predicted: Any,
    gold: Any,
    groups: Any,
    *,
    gold_probability: Any = None,
    labels: LabelSpace | None = None,
) -> pl.DataFrame:
    """Give the gold rows in the form that fairlearn's `MetricFrame` takes.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
    gold : Candidates, or (n_items,) class names with nulls
    groups : (n_items,) names
    gold_probability : (n_items,) float, default None
        As in `evaluate`.
    labels : LabelSpace, default None

    Returns
    -------
    polars.DataFrame
        A row per gold item: ``y_true``, ``y_pred`` (names), ``sensitive_features``, and
        ``sample_weight``, 1 on average.

    Raises
    ------
    InputError
        As `evaluate` refuses.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> group_samples([[0.9, 0.1], [0.2, 0.8]], ["ham", None], ["a", "b"], labels=labels).row(0)
    ('ham', 'ham', 'a', 1.0)
    """
    population = Population.match(predicted, gold, labels=labels, gold_probability=gold_probability)
    which, names = codes_and_names(groups, len(population), "groups")
    rows = population.rows
    return pl.DataFrame(
        {
            "y_true": population.labels.decode(population.codes),
            "y_pred": population.labels.decode(population.probs[rows].argmax(axis=1)),
            "sensitive_features": pl.Series([names[g] for g in which[rows]]),
            "sample_weight": population.weight * population.n_gold,
        }
    )
