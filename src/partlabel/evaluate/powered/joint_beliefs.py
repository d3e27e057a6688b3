r"""Joint beliefs: what votes say of each label, put together with what a model's prediction says.

The model is taken as one more source, whose words are its most likely class with how sure it is,

.. math:: q_i(y) \propto b_i(y) \, C_{y s_i}, \qquad C_{ys} \propto \sum_i q_i(y) [s_i = s],

=====================  ==============  =======================================================
symbol                 code            meaning
=====================  ==============  =======================================================
:math:`b`              ``beliefs``     (n_items, n_classes) from votes
:math:`s_i`            ``score``       (n_items,) predicted class and its bin of confidence
:math:`C`              ``channel``     (n_classes, n_scores) :math:`p(s \mid y)`
:math:`q`              ``joint``       (n_items, n_classes) belief, given both
=====================  ==============  =======================================================

with :math:`C` found by EM, which climbs :math:`\sum_i \log \sum_y b_i(y) C_{y s_i}`.

A. P. Dawid, A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM
algorithm", Applied Statistics 1979, with all sources but one known.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.metrics import Floats, confidence_bins
from partlabel.evaluate.powered.influence_values import labels_of_gold
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.prediction_powered import Design
from partlabel.labels import LabelSpace

MOST_LEARNT_FROM = 100_000
"""The channel of the score is learnt from at most so many items, spread evenly."""

CHUNK = 100_000
"""How many items are put together at once."""


def joint_beliefs(
    predicted: Any,
    beliefs: Any,
    *,
    labels: LabelSpace | None = None,
    bins: int = 10,
    max_iter: int = 100,
    tol: float = 1e-6,
) -> Beliefs:
    """Put together what votes say of each label, and what a model's prediction says.

    Right where, among items of one class, votes and predictions are independent. A model that was
    trained on features which the votes read breaks this.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
        Of the model. Only which class is most likely, and how sure it is, are read.
    beliefs : Beliefs, or (n_items, n_classes) probabilities
        From votes, without the model.
    labels : LabelSpace, default None
    bins : int, default 10
        Bins of confidence. More tell more of the score, from more items each.
    max_iter : int, default 100
    tol : float, default 1e-6
        Stop when no belief moves more than this on average.

    Returns
    -------
    Beliefs

    Raises
    ------
    InputError
        If `bins` or `max_iter` is below 1, or items or classes don't fit.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> votes = np.array([[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 5 + [[0.5, 0.5]] * 2)
    >>> model = np.array([[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 6 + [[0.9, 0.1]])
    >>> joint_beliefs(model, votes, labels=labels, bins=1).probs[-2:].round()
    array([[0., 1.],
           [1., 0.]])
    """
    for name, least in (("bins", bins), ("max_iter", max_iter)):
        if least < 1:
            raise InputError(f"`{name}` must be at least 1; got {least}. Give a larger number.")
    population = Population.match(predicted, None, beliefs=beliefs, labels=labels)
    joint = with_model(population, bins, max_iter, tol).beliefs
    assert joint is not None
    ids = predicted.item_ids if isinstance(predicted, Beliefs) else None
    return Beliefs(joint, population.labels, ids)


def with_model(
    population: Population, bins: int = 10, max_iter: int = 100, tol: float = 1e-6
) -> Population:
    """Add what the model says to the beliefs, where there are any, as `joint_beliefs` does."""
    beliefs = population.beliefs
    if beliefs is None:
        return population
    score = scores(population.probs, bins)
    some = slice(None, None, -(-len(score) // MOST_LEARNT_FROM))
    channel = _learnt(beliefs[some], score[some], int(score.max()) + 1, max_iter, tol)
    joint = np.empty(beliefs.shape)
    for start in range(0, len(joint), CHUNK):
        rows = slice(start, start + CHUNK)
        joint[rows] = _put_together(beliefs[rows], channel, score[rows])
    return replace(population, beliefs=joint)


def as_asked(population: Population, joint: bool | None) -> Population:
    """Add what the model says to the beliefs, or not; None takes what gold follows more closely."""
    if joint is False or population.beliefs is None:
        return population
    with_both = with_model(population)
    return with_both if joint else closer(with_both, population)


def closer(one: Population, other: Population) -> Population:
    """Take the beliefs that explain more of the variance of gold, one share for each class."""
    return one if _explained(one) >= _explained(other) else other


def _explained(population: Population) -> float:
    design = Design.of(population)
    gold, believed = (design.kept(label) for label in labels_of_gold(population))
    return float((gold * believed).sum() ** 2 / max((believed**2).sum(), 1e-300))


def scores(probs: Floats, bins: int) -> NDArray[np.intp]:
    """(n_items,) The most likely class with its bin of confidence, as one number."""
    return np.asarray(probs.argmax(axis=1) * bins + confidence_bins(probs.max(axis=1), bins))


def _learnt(
    beliefs: Floats, score: NDArray[np.intp], n_scores: int, max_iter: int, tol: float
) -> Floats:
    """(n_classes, n_scores) Chance of each score in a class, by EM."""
    joint = beliefs
    for _ in range(max_iter):
        counts = np.stack([np.bincount(score, column, n_scores) for column in joint.T])
        channel = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
        fresh = _put_together(beliefs, channel, score)
        moved = float(np.abs(fresh - joint).mean())
        joint = fresh
        if moved < tol:
            break
    return np.asarray(channel)


def _put_together(beliefs: Floats, channel: Floats, score: NDArray[np.intp]) -> Floats:
    weighed = beliefs * channel.T[score]
    total = weighed.sum(axis=1, keepdims=True)
    known = np.array(beliefs, dtype=np.float64)
    return np.asarray(np.divide(weighed, total, out=known, where=total > 0))
