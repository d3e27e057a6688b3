"""Training: rows, what is known of them, and the one round that every objective is made of."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.utils import _safe_indexing

from partlabel.aggregate import Outcome
from partlabel.aggregate.sources import Sources
from partlabel.evidence import Evidence
from partlabel.learn.soft import fit_softly, probabilities, warmed

LEAST = 1e-3  # share of a uniform guess in predictions: a forest's 0 rules nothing out


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Rows, what is known of them, and what is to be trained on them.

    Attributes
    ----------
    X : features of the rows, of any kind that scikit-learn can index
    evidence : Evidence
    weight : (n_rows,)
        What each row counts for.
    classes : (n_classes,)
        Names to train with.
    estimator : classifier, never fitted itself
    label_model : label model or None, never fitted itself
    """

    X: Any
    evidence: Evidence
    weight: NDArray[np.float64]
    classes: NDArray[Any]
    estimator: Any
    label_model: Any

    def __len__(self) -> int:
        return len(self.evidence)

    def select(self, rows: NDArray[Any]) -> "Data":
        """Some of the rows, given by their positions."""
        return replace(
            self,
            X=_safe_indexing(self.X, rows),
            evidence=self.evidence.select(rows),
            weight=self.weight[rows],
        )

    def task(self, n_folds: int | None, seed: int) -> "Task":
        """Learn the sources and deal the rows into folds (None: in sample)."""
        sources = Sources.learnt(self.label_model, self.evidence)
        if n_folds is None:
            return Task(self, sources, None)
        return Task(self, sources, folds(sources.beliefs(self.evidence), n_folds, seed))


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What an objective works on.

    Attributes
    ----------
    data : Data
    sources : Sources
        Learnt on its evidence.
    fold : (n_rows,) int or None
        A row's prediction comes from a model that didn't see its fold; None: from one that saw all.
    """

    data: Data
    sources: Sources
    fold: NDArray[np.int64] | None

    def fit(self, targets: NDArray[np.float64]) -> Any:
        """A classifier trained on targets (n_rows, n_classes)."""
        data = self.data
        return fit_softly(data.estimator, data.X, targets, data.classes, data.weight)

    def learners(self) -> tuple[Any, ...]:
        """Classifiers to hand to `predictions`, one for each fold."""
        n = 1 if self.fold is None else int(self.fold.max()) + 1
        return tuple(warmed(self.data.estimator) for _ in range(n))

    def predictions(
        self, targets: NDArray[np.float64], learners: tuple[Any, ...]
    ) -> tuple[NDArray[np.float64], tuple[Any, ...]]:
        """Train on targets (n_rows, n_classes); give p(class | features), and what was trained.

        Learners that were trained before go on from where they stand, if they can.
        """
        X, classes, weight = self.data.X, self.data.classes, self.data.weight
        if self.fold is None:
            trained = fit_softly(learners[0], X, targets, classes, weight, resume=True)
            return smoothed(probabilities(trained, X, classes)), (trained,)
        probs, all_trained = np.empty_like(targets), []
        for k, learner in enumerate(learners):
            away, here = np.flatnonzero(self.fold != k), np.flatnonzero(self.fold == k)
            if not targets[away].any():  # all that can be trained on is in this one fold
                probs[here] = 1.0 / len(classes)
                all_trained.append(learner)
                continue
            inputs = _safe_indexing(X, away)
            trained = fit_softly(learner, inputs, targets[away], classes, weight[away], resume=True)
            probs[here] = probabilities(trained, _safe_indexing(X, here), classes)
            all_trained.append(trained)
        return smoothed(probs), tuple(all_trained)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What an objective gives back.

    Attributes
    ----------
    estimator : fitted classifier
    sources : Sources
    beliefs : (n_rows, n_classes)
        About the rows of the task, the model and the evidence together.
    path : list of float
        Weighted marginal log-likelihood of the evidence at each round, in nats.
    outcome : Outcome
    """

    estimator: Any
    sources: Sources
    beliefs: NDArray[np.float64]
    path: list[float]
    outcome: Outcome


def posterior(
    probs: NDArray[np.float64], likelihood: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Beliefs (n_rows, n_classes) of model and evidence together, and log p(evidence) (n_rows,)."""
    joint = np.log(probs) + likelihood
    marginal = logsumexp(joint, axis=1, keepdims=True)
    return np.exp(joint - marginal), marginal[:, 0]


def smoothed(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predictions with a little of a uniform guess, so that none is 0."""
    return np.asarray((1.0 - LEAST) * probs + LEAST / probs.shape[1])


def folds(beliefs: NDArray[np.float64], n_folds: int, seed: int) -> NDArray[np.int64]:
    """(n_rows,) The fold of each row; each fold has its share of each likeliest class."""
    order = np.random.default_rng(seed).permutation(len(beliefs))
    by_class = order[np.argsort(beliefs[order].argmax(axis=1), kind="stable")]
    fold = np.empty(len(beliefs), dtype=np.int64)
    fold[by_class] = np.arange(len(beliefs)) % n_folds
    return fold
