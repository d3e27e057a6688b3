r"""Expected metrics: how good a model is if beliefs are right, without gold.

The mean of a metric under beliefs from votes alone is biased even where these are right: what the
model says of an item tells of its label too, so that :math:`p(y \mid votes)` isn't
:math:`p(y \mid votes, score)`. Accuracy comes out too low. `joint_beliefs` takes the model as one
more source, which mends that where it errs apart from the votes.
"""

from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.special import ndtri

from partlabel.evaluate.estimate import Basis, Estimate
from partlabel.evaluate.evaluation import Evaluation
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.powered.contradiction import Audit, audit_of
from partlabel.evaluate.powered.influence_functions import HEADLINE, influences
from partlabel.evaluate.powered.joint_beliefs import joint_beliefs
from partlabel.evaluate.powered.population import Population
from partlabel.labels import LabelSpace

ASSUMED = "beliefs are right, and the model errs apart from the votes"
ASSUMED_ALONE = "beliefs are right, also given what the model predicts"
MOST = {"log_loss": np.inf, "brier": 2.0}  # all others are shares


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
            min(value + spread, max(MOST.get(verdict_on, 1.0), value)),
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
