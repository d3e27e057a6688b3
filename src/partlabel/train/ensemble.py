"""AutoPartialLabelClassifier: choose scaling, model and cost by held-out evidence, and average."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate.sources import Sources
from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence
from partlabel.train.judging import (
    FLOOR,
    agreement,
    best_sharpness,
    log_explained,
    shares,
    sharpened,
)
from partlabel.train.members import default_members

Fold: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(slots=True, eq=False)
class Trial:
    """A member, trained without some folds in turn, and what it said of them.

    Attributes
    ----------
    member : estimator
    probs : (n_rows, n_classes)
        Of the rows held out so far.
    fitted : list of estimators, one per fold
    """

    member: Any
    probs: NDArray[np.float64]
    fitted: list[Any] = field(default_factory=list)

    def train(self, X: NDArray[Any], evidence: Evidence, fold: Fold, seed: int) -> None:
        """Train on the rows of a fold, and predict those that it holds out."""
        rows, kept = fold
        fresh = clone(self.member)
        seeds = [name for name in fresh.get_params() if name.split("__")[-1] == "random_state"]
        fresh.set_params(**dict.fromkeys(seeds, seed))
        self.fitted.append(fresh.fit(X[rows], evidence.select(rows)))
        self.probs[kept] = fresh.predict_proba(X[kept])

    def judged(
        self, rows: NDArray[np.int64], likelihood: NDArray[np.float64]
    ) -> tuple[float, float, float]:
        """Best sharpness for the evidence of some rows; its log-likelihood; and the accuracy."""
        sharpness = best_sharpness(self.probs[rows], likelihood[rows])
        probs = sharpened(self.probs[rows], sharpness)
        accuracy = agreement(probs, likelihood[rows])
        return sharpness, log_explained(probs, likelihood[rows]), accuracy


class AutoPartialLabelClassifier(ClassifierMixin, BaseEstimator):
    """Choose how to scale, what to train and at which cost, and average what does best.

    The recipe to begin with for features that are vectors, and candidate sets (or any evidence):
    linear models, batch-norm networks and a forest, in several scalings. Each is trained without
    one fold of the rows, brought to the temperature at which it finds their evidence likeliest, and
    judged by its approximated accuracy on them: the belief, given prediction and evidence, in the
    predicted class. No clean label is needed. The best few are trained without each of the other
    folds too. A prediction is the mean over all of them.

    It is right where a model that is sure of one class among those possible is seldom wrong. That
    fails where a wrong class comes with the right one so regularly that a model may pick either.

    Parameters
    ----------
    members : mapping of name to estimator, default None
        Each with `fit(X, evidence)` and `predict_proba`; None takes `default_members()`. Scale
        inside of them (in a pipeline), so that the scaling is fitted on training rows alone.
    n_kept : int, default 3
        How many members remain after the first fold. More may add a little, and cost as much more.
    n_folds : int, default 5
        Networks per member; more of them train on more rows each.
    label_model : label model, default None
        What makes a likelihood of votes; None takes `LabelModel()`. Not used without votes.
    random_state : int, RandomState or None, default 0
        Deals the folds, and seeds members anew in each fold.

    Attributes
    ----------
    classes_ : (n_classes,) class names
    choice_ : polars.DataFrame
        One row per member, in the fold held out first: `sharpness`, mean `log_likelihood` of the
        evidence in nats, `approximated_accuracy`; and whether it was `kept`.
    members_ : dict of name to the list of its fitted estimators, one per fold
    sharpness_ : dict of name to float
        Of the kept members' predictions: above 1 where they are less sure than they might be.
    approximated_accuracy_ : float
        Of all together, held out: to compare with other settings on the same rows. It flatters
        whatever is too sure of itself; report accuracy on gold.
    beliefs_ : Beliefs
        About the rows of `fit`: held-out prediction (of rows with nothing known, the prediction)
        and evidence together.

    Examples
    --------
    >>> from partlabel import LabelSpace
    >>> from partlabel.train import TorchPartialLabelClassifier
    >>> X = np.array([[0.0], [0.2], [2.0], [2.2]] * 10)
    >>> seen = [["a"], ["a", "c"], ["b"], ["b", "c"]] * 10
    >>> net = TorchPartialLabelClassifier(early_stopping=None, learning_rate=0.01)
    >>> auto = AutoPartialLabelClassifier({"mlp": net}, n_folds=2)
    >>> auto = auto.fit(X, Candidates.from_lists(seen, LabelSpace(["a", "b", "c"])))
    >>> auto.predict([[0.1], [2.1]]).tolist()
    ['a', 'b']

    References
    ----------
    W. Wang et al., Realistic evaluation of deep partial-label learning algorithms, ICLR 2025
    (choosing without clean labels).
    """

    classes_: NDArray[Any]
    choice_: pl.DataFrame
    members_: dict[str, list[Any]]
    sharpness_: dict[str, float]
    approximated_accuracy_: float
    beliefs_: Beliefs

    def __init__(
        self,
        members: Mapping[str, Any] | None = None,
        *,
        n_kept: int = 3,
        n_folds: int = 5,
        label_model: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.members = members
        self.n_kept = n_kept
        self.n_folds = n_folds
        self.label_model = label_model
        self.random_state = random_state

    def fit(self, X: Any, y: Evidence | Votes | Candidates) -> Self:
        """Choose and train.

        Parameters
        ----------
        X : (n_rows, n_features) array
        y : Evidence, Votes or Candidates

        Raises
        ------
        InputError
            If a setting is out of range, X and the evidence differ in length, fewer rows than
            folds have evidence, or it says nothing.
        """
        X, evidence = self._read(X, y)
        sources = Sources.learnt(self.label_model, evidence)
        told = np.flatnonzero(sources.spoken(evidence))
        if not 2 <= self.n_folds <= len(told):
            raise InputError(
                f"`n_folds` must lie in [2, {len(told)}], the number of rows with evidence; got "
                f"{self.n_folds}."
            )
        log_likelihood = sources.log_likelihood(evidence)
        likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
        held_out = self._choose(X[told], evidence.select(told), likelihood[told])
        prior = self.predict_proba(X)
        prior[told] = held_out
        joint = shares(np.maximum(prior, FLOOR) * likelihood)
        self.beliefs_ = Beliefs(joint, evidence.labels, evidence.item_ids)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n_rows, n_classes) Give the probability of each class; columns as in `classes_`.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self, "members_")
        X = np.asarray(X)
        mixed = [
            self._mixed(
                {name: fitted[k].predict_proba(X) for name, fitted in self.members_.items()}
            )
            for k in range(self.n_folds)
        ]
        return np.asarray(np.mean(mixed, axis=0))

    def predict(self, X: Any) -> NDArray[Any]:
        """(n_rows,) Give the name of the likeliest class. Raises as `predict_proba` does."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def _choose(
        self, X: NDArray[Any], evidence: Evidence, likelihood: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Try all members on the first fold, and the best on the others; what these predict."""
        chance = check_random_state(self.random_state)
        dealt = KFold(self.n_folds, shuffle=True, random_state=chance).split(X)
        first, *others = [(fold, chance.randint(np.iinfo(np.int32).max)) for fold in dealt]
        members = default_members() if self.members is None else dict(self.members)
        trials = {name: Trial(m, np.zeros(likelihood.shape)) for name, m in members.items()}
        for trial in trials.values():
            trial.train(X, evidence, *first)
        judged = np.array([trial.judged(first[0][1], likelihood) for trial in trials.values()])
        best = np.argsort(-judged[:, 2], kind="stable")[: self.n_kept]
        kept = {name: trials[name] for place, name in enumerate(trials) if place in best}
        self.choice_ = pl.DataFrame(
            {
                "member": list(trials),
                "sharpness": judged[:, 0],
                "log_likelihood": judged[:, 1],
                "approximated_accuracy": judged[:, 2],
                "kept": [name in kept for name in trials],
            }
        )
        for fold, seed in others:
            for trial in kept.values():
                trial.train(X, evidence, fold, seed)
        everything = np.arange(len(X))
        self.sharpness_ = {m: trial.judged(everything, likelihood)[0] for m, trial in kept.items()}
        self.members_ = {name: trial.fitted for name, trial in kept.items()}
        self.classes_ = np.asarray(next(iter(kept.values())).fitted[0].classes_)
        held_out = self._mixed({name: trial.probs for name, trial in kept.items()})
        self.approximated_accuracy_ = agreement(held_out, likelihood)
        return held_out

    def _mixed(self, probs: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """(n_rows, n_classes) The mean of what the kept members say, at their temperatures."""
        return np.asarray(np.mean([sharpened(probs[m], s) for m, s in self.sharpness_.items()], 0))

    def _read(self, X: Any, y: Any) -> tuple[NDArray[Any], Evidence]:
        X, evidence = np.asarray(X), as_evidence(y)
        if len(X) != len(evidence):
            raise InputError(
                f"`X` and `y` must be about the same rows; they have {len(X)} and {len(evidence)}. "
                "Give each row its evidence, or none."
            )
        if self.n_kept < 1:
            raise InputError(f"`n_kept` must be at least 1; got {self.n_kept}.")
        if self.members is not None and len(self.members) == 0:
            raise InputError("`members` must name at least one estimator; it names none.")
        return X, evidence
