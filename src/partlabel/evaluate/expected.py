r"""Expected metrics: how good a model is if beliefs are right, without gold.

The mean of a metric under beliefs from votes alone is biased even where these are right: what the
model says of an item tells of its label too, so that :math:`p(y \mid votes)` isn't
:math:`p(y \mid votes, score)`. Accuracy comes out too low. `joint_beliefs` takes the model as one
more source, whose words are its most likely class with how sure it is,

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

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.estimate import Basis, Estimate
from partlabel.evaluate.evaluation import Evaluation
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.metrics import Floats, confidence_bins
from partlabel.evaluate.powered.contradiction import Audit, audit_of
from partlabel.evaluate.powered.influence_functions import HEADLINE, influences
from partlabel.evaluate.powered.population import Population
from partlabel.labels import LabelSpace

ASSUMED = "beliefs are right, and the model errs apart from the votes"
ASSUMED_ALONE = "beliefs are right, also given what the model predicts"


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
    assert population.beliefs is not None
    score = scores(population.probs, bins)
    joint = _em(np.asarray(population.beliefs, dtype=np.float64), score, max_iter, tol)
    ids = predicted.item_ids if isinstance(predicted, Beliefs) else None
    return Beliefs(joint, population.labels, ids)


def scores(probs: Floats, bins: int) -> NDArray[np.intp]:
    """(n_items,) The most likely class with its bin of confidence, as one number."""
    return np.asarray(probs.argmax(axis=1) * bins + confidence_bins(probs.max(axis=1), bins))


def _em(beliefs: Floats, score: NDArray[np.intp], max_iter: int, tol: float) -> Floats:
    n_scores = int(score.max()) + 1
    joint = beliefs
    for _ in range(max_iter):
        counts = np.stack([np.bincount(score, column, n_scores) for column in joint.T])
        channel = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
        weighed = beliefs * channel.T[score]
        total = weighed.sum(axis=1, keepdims=True)
        fresh = np.divide(weighed, total, out=beliefs.copy(), where=total > 0)
        moved = float(np.abs(fresh - joint).mean())
        joint = fresh
        if moved < tol:
            break
    return joint


def expected_metrics(
    predicted: Any,
    beliefs: Any,
    *,
    gold: Any = None,
    joint: bool = True,
    labels: LabelSpace | None = None,
    level: float = 0.95,
) -> Evaluation:
    """Say how good a model is if beliefs about the labels are right.

    For when there is no gold. Every number names its assumption, and whether gold, where there is
    any, contradicts it. The intervals tell of chance in the items alone, not of wrong beliefs.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
    beliefs : Beliefs, or (n_items, n_classes) probabilities
        From votes, without the model.
    gold : Candidates, or class names with nulls, default None
        Used for the audit only; `evaluate` makes better use of it.
    joint : bool, default True
        Take what the model says as evidence of the label too (`joint_beliefs`). False trusts the
        beliefs as they are: right where they already know the model's score.
    labels : LabelSpace, default None
    level : float in (0, 1), default 0.95

    Returns
    -------
    Evaluation
        Of basis "assumption", with an empty confusion where there is no gold.

    Raises
    ------
    InputError
        If items or classes don't fit, or `level` is outside (0, 1).

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = np.array([[0.8, 0.2], [0.3, 0.7]])
    >>> print(expected_metrics(probs, probs, joint=False, labels=labels)["accuracy"])
    0.750 [0.681, 0.819] (unverified, if beliefs are right, also given what the model predicts)
    """
    check_level(level)
    if joint:
        beliefs = joint_beliefs(predicted, beliefs, labels=labels)
        labels = beliefs.labels
    checked = Population.match(predicted, gold, beliefs=beliefs, labels=labels)
    audit = audit_of(checked, influences(checked))
    population = Population.match(predicted, None, beliefs=beliefs, labels=labels)
    estimates = _estimates(population, audit, ASSUMED if joint else ASSUMED_ALONE, level)
    k = len(population.labels)
    cell = checked.codes.astype(np.int64) * k + checked.probs[checked.rows].argmax(axis=1)
    return Evaluation(
        estimates=MappingProxyType(estimates),
        confusion=np.bincount(cell, minlength=k * k).reshape(k, k),
        labels=population.labels,
        n_gold=checked.n_gold,
        n_skipped=len(checked) - checked.n_gold,
        n_unmatched=checked.n_unmatched,
        level=level,
        audit=audit,
    )


def _estimates(
    population: Population, audit: Audit, assumption: str, level: float
) -> dict[str, Estimate]:
    found, n = influences(population), len(population)
    variance = np.maximum(found.variance_of_beliefs, 0.0)  # rounding may leave less
    reach = float(ndtri((1.0 + level) / 2.0)) * np.sqrt(variance / n)

    def estimate(value: float, spread: float, verdict_on: str) -> Estimate:
        return Estimate(
            value,
            max(value - spread, 0.0),
            value + spread,
            n,
            level,
            Basis.ASSUMPTION,
            "influence",
            assumption,
            audit.of(verdict_on),
        )

    places = {name: found.columns[name].start for name in HEADLINE}
    estimates = {
        name: estimate(float(found.pilot[at]), float(reach[at]), name)
        for name, at in places.items()
    }
    bins = found.columns["gap"]
    ece = float(np.abs(found.pilot[bins]).sum())
    return {**estimates, "ece": estimate(ece, float(reach[places["accuracy"]]), "accuracy")}
