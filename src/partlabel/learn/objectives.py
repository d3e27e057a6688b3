r"""The objectives: ways from evidence to targets that a classifier is trained on.

=============================  ==========  =====================
symbol                         code        shape
=============================  ==========  =====================
:math:`p_\theta(y | x_i)`      probs       (n_rows, n_classes)
:math:`\log p(o_i | y)`        likelihood  (n_rows, n_classes)
:math:`b_i(y)`                 beliefs     (n_rows, n_classes)
:math:`w_i`                    weight      (n_rows,)
=============================  ==========  =====================

EM climbs :math:`\sum_i w_i \log \sum_y p_\theta(y | x_i) p(o_i | y)` (Jin & Ghahramani, Learning
with multiple labels, NIPS 2002, for candidate sets; Raykar et al., Learning from crowds, JMLR 2010,
for votes) where the predictions come from the model that was trained; out of fold it is a
fixed-point iteration.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate import Outcome
from partlabel.aggregate.sources import averaged
from partlabel.errors import InputError
from partlabel.learn.training import Task, Trained, posterior

SCHEDULE = 10  # rounds over which the threshold of pseudo-labels goes from first to last


@dataclass(frozen=True, slots=True)
class Settings:
    """What the objectives are told: see `PartialLabelClassifier`."""

    max_iter: int
    tol: float
    threshold: tuple[float, float]


def average(task: Task, _: Settings) -> Trained:
    """All candidates alike, trained once."""
    return _once(task, averaged(task.data.evidence))


def expected(task: Task, _: Settings) -> Trained:
    """The label model's beliefs, trained once."""
    return _once(task, task.sources.beliefs(task.data.evidence))


def hard(task: Task, settings: Settings) -> Trained:
    """The label model's surest classes, trained once; other rows take no part."""
    return _once(task, _decided(task.sources.beliefs(task.data.evidence), settings.threshold[1]))


def pseudo(task: Task, settings: Settings) -> Trained:
    """The surest classes of model and evidence together, decided anew in each round."""
    likelihood = task.sources.log_likelihood(task.data.evidence)
    beliefs, learners = task.sources.beliefs(task.data.evidence), task.learners()
    weight = task.data.weight
    first, last = settings.threshold
    targets, path, outcome = _decided(beliefs, first), [], Outcome.MAX_ITER
    for done in range(1, settings.max_iter + 1):
        probs, learners = task.predictions(targets, learners)
        beliefs, marginal = posterior(probs, likelihood)
        before, threshold = targets, first + (last - first) * min(done / SCHEDULE, 1.0)
        targets = _decided(beliefs, threshold)
        path.append(float(weight @ marginal))
        if np.array_equal(before, targets) and (done >= SCHEDULE or first == last):
            outcome = Outcome.CONVERGED
            break
    return Trained(task.fit(targets), task.sources, beliefs, path, outcome)


def em(task: Task, settings: Settings) -> Trained:
    """The classifier is the prior and the evidence the likelihood; both are learnt in turn.

    In sample it ends when the beliefs come to rest: the likelihood itself may give a little to the
    classifier's penalty. Out of fold it also ends when the likelihood falls, as rows judged by
    models that didn't see them then get worse.
    """
    evidence, sources, learners = task.data.evidence, task.sources, task.learners()
    beliefs, weight = sources.beliefs(evidence), task.data.weight
    path: list[float] = []
    outcome = Outcome.MAX_ITER
    for _ in range(settings.max_iter):
        probs, learners = task.predictions(beliefs, learners)
        before = beliefs
        beliefs, marginal = posterior(probs, sources.log_likelihood(evidence))
        sources = sources.given(evidence, beliefs)
        path.append(float(weight @ marginal))
        moved = 0.5 * np.average(np.abs(beliefs - before).sum(axis=1), weights=weight)
        if moved < settings.tol or (task.fold is not None and path[-1] < max(path[-2:])):
            outcome = Outcome.CONVERGED
            break
    return Trained(task.fit(beliefs), sources, beliefs, path, outcome)


OBJECTIVES: dict[str, Callable[[Task, Settings], Trained]] = {
    "em": em,
    "expected": expected,
    "hard": hard,
    "pseudo": pseudo,
    "average": average,
}


def _once(task: Task, targets: NDArray[np.float64]) -> Trained:
    probs, _ = task.predictions(targets, task.learners())
    beliefs, marginal = posterior(probs, task.sources.log_likelihood(task.data.evidence))
    estimator = task.fit(targets)
    path = [float(task.data.weight @ marginal)]
    return Trained(estimator, task.sources, beliefs, path, Outcome.ONCE)


def _decided(beliefs: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """One class for each row that is sure enough of one, zeros for the others."""
    top = beliefs.max(axis=1, keepdims=True)
    sure = (beliefs == top) & (top >= threshold)
    sure &= sure.sum(axis=1, keepdims=True) == 1  # a tie decides nothing
    if not sure.any():
        raise InputError(
            f"`threshold` must leave some row to train on; no belief reaches {threshold:.3g}. "
            f"Lower it; the surest is {top.max():.3g}."
        )
    return np.asarray(sure, dtype=np.float64)
