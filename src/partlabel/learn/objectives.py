r"""The objectives: ways from evidence to targets that a classifier is trained on.

=============================  ==========  =====================
symbol                         code        shape
=============================  ==========  =====================
:math:`p_\theta(y | x_i)`      probs       (n_rows, n_classes)
:math:`\log p(o_i | y)`        likelihood  (n_rows, n_classes)
:math:`b_i(y)`                 beliefs     (n_rows, n_classes)
=============================  ==========  =====================

EM climbs :math:`\sum_i \log \sum_y p_\theta(y | x_i) p(o_i | y)` (Jin & Ghahramani, Learning with
multiple labels, NIPS 2002, eqs. 3-5, for candidate sets; Raykar et al., Learning from crowds, JMLR
2010, eqs. 8-10, for votes) where the predictions come from the model that was trained; out of fold
it is a fixed-point iteration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate import Outcome, run_em
from partlabel.errors import InputError
from partlabel.learn.sources import Sources, averaged
from partlabel.learn.training import Task, Trained, posterior


@dataclass(frozen=True, slots=True)
class Settings:
    """What the objectives are told: see `PartialLabelClassifier`."""

    max_iter: int
    tol: float
    threshold: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Round:
    beliefs: NDArray[np.float64]
    sources: Sources
    learners: tuple[Any, ...]


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
    targets, learners = (
        _decided(task.sources.beliefs(task.data.evidence), settings.threshold[0]),
        task.learners(),
    )
    path, outcome = [], Outcome.MAX_ITER
    for threshold in np.linspace(*settings.threshold, settings.max_iter):
        probs, learners = task.predictions(targets, learners)
        beliefs, marginal = posterior(probs, likelihood)
        before, targets = targets, _decided(beliefs, threshold)
        path.append(float(marginal.sum()))
        if np.array_equal(before, targets) and threshold == settings.threshold[1]:
            outcome = Outcome.CONVERGED
            break
    estimator = task.fit(targets)
    return Trained(estimator, task.sources, beliefs, path, outcome)


def em(task: Task, settings: Settings) -> Trained:
    """The classifier is the prior and the evidence the likelihood; both are learnt in turn."""

    def step(at: _Round) -> tuple[_Round, float]:
        probs, learners = task.predictions(at.beliefs, at.learners)
        beliefs, marginal = posterior(probs, at.sources.log_likelihood(task.data.evidence))
        return _Round(
            beliefs, at.sources.given(task.data.evidence, beliefs), learners
        ), marginal.sum()

    start = _Round(task.sources.beliefs(task.data.evidence), task.sources, task.learners())
    n_rows = len(task.data.evidence)
    run = run_em(step, [start], max_iter=settings.max_iter, tol=settings.tol, scale=n_rows)
    end = run.state
    estimator = task.fit(end.beliefs)
    return Trained(estimator, end.sources, end.beliefs, run.path, run.outcome)


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
    return Trained(estimator, task.sources, beliefs, [float(marginal.sum())], Outcome.ONCE)


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
