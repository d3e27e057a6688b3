r"""AutoPartialLabelClassifier: EM whose M-step trains many models, chosen by held-out evidence.

============================  ==========  ===============================================
symbol                        code        shape
============================  ==========  ===============================================
:math:`p_m(y | x_i)`          probs       (n_rows, n_classes), by models that did not see i
:math:`p(o_i | y)`            likelihood  (n_rows, n_classes)
:math:`b_i(y)`                beliefs     (n_rows, n_classes)
============================  ==========  ===============================================

E-step: :math:`b_i(y) \propto \bar p(y | x_i) \, p(o_i | y)`, with :math:`\bar p` the mean of the
members' predictions, each at its best temperature, at its best temperature; the channel of the
candidate sets is learnt along. M-step: each member is trained on the beliefs of all folds but one,
and predicts the rows of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate.sources import Sources
from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence
from partlabel.learn.judging import (
    agreement,
    best_sharpness,
    forward_selected,
    log_explained,
    sharpened,
)
from partlabel.learn.members import default_members
from partlabel.learn.set_channel import SetChannel, learn_set_channel
from partlabel.learn.soft import check_learns_softly, fit_softly, probabilities
from partlabel.learn.training import folds, posterior, smoothed

ALL_FOR = 2  # rounds that train all members; the first beliefs are no ground to keep few on
SCREENED = 4_000  # rows to train on in these at the most


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A member in a round: trained without each fold in turn, and what it says of that.

    Attributes
    ----------
    fitted : list of estimators, one per fold
    sharpness : float
        At which the evidence is likeliest.
    probs : (n_rows, n_classes)
        At that sharpness.
    """

    fitted: list[Any]
    sharpness: float
    probs: NDArray[np.float64]

    def judged(self, likelihood: NDArray[np.float64]) -> dict[str, float]:
        """How well it knows of evidence that it has not seen."""
        return {
            "sharpness": self.sharpness,
            "log_likelihood": log_explained(self.probs, likelihood),
            "approximated_accuracy": agreement(self.probs, likelihood),
        }


class AutoPartialLabelClassifier(ClassifierMixin, BaseEstimator):
    """Choose how to scale, what to train and how to penalise; let the best teach each other.

    The recipe to begin with for features that are vectors, and candidate sets (or any evidence):
    linear and radial models and a forest, in several scalings. Each round, all are trained on the
    beliefs about the rows, and the beliefs follow from the evidence and from what models that did
    not see the row say on average, each at the temperature that finds the evidence likeliest. After
    the second round a few members remain: one by one, those whose mean explains held-out evidence
    best. No clean label is needed. A prediction is the mean over
    members and folds.

    How sets come about is learnt along: which wrong candidates come with which class.

    It is right where models that err differently outvote wrong candidates. That fails where a wrong
    class comes with the right one so regularly that no feature tells them apart.

    Parameters
    ----------
    members : mapping of name to classifier, default None
        Each as `PartialLabelClassifier` takes it; None takes `default_members()`. Scale inside of
        them (in a pipeline), so that the scaling is fitted on training rows alone.
    n_kept : int, default 5
        How many members remain from the second round on. More cost as much more.
    n_rounds : int, default 8
        At the most. More sharpen the beliefs, the wrong ones too.
    tol : float, default 5e-3
        From the third round on, stop when the marginal log-likelihood of the evidence rises by less
        (nats per row).
    n_folds : int, default 5
        Models per member; more of them train on more rows each.
    learn_sets : bool, default True
        Whether to learn which wrong candidates come with which class (`SetChannel`). False takes a
        set as equally likely given any of its classes, which is right where wrong candidates are
        drawn without regard to the class.
    label_model : label model, default None
        What makes a likelihood of votes; None takes `LabelModel()`. Not used without votes.
    n_jobs : int, default None
        How many models to train at once, as in scikit-learn.
    random_state : int, RandomState or None, default 0
        Deals the folds, and seeds members anew in each fold.

    Attributes
    ----------
    classes_ : (n_classes,) class names
    choice_ : polars.DataFrame
        One row per member: the `rounds` it took part in; of its last, `sharpness`, mean
        `log_likelihood` of held-out evidence in nats, `approximated_accuracy`; and whether it was
        `kept`.
    members_ : dict of name to the list of its fitted estimators, one per fold
    sharpness_ : dict of name to float
        Of the kept members' predictions: above 1 where they are less sure than they might be.
    joint_sharpness_ : float
        Of their mean.
    approximated_accuracy_ : float
        Of all together, held out: to compare with other settings on the same rows. It flatters
        whatever is too sure of itself; report accuracy on gold.
    set_channel_ : SetChannel or None
        How candidate sets come about, where that was learnt.
    objective_path_ : list of float
        Mean marginal log-likelihood of the evidence at each round, given models that have not seen
        it, in nats; up to a constant.
    beliefs_ : Beliefs
        About the rows of `fit`: held-out prediction (of rows with nothing known, the prediction)
        and evidence together.

    Examples
    --------
    >>> from partlabel import LabelSpace
    >>> from partlabel.learn import SoftLogisticRegression
    >>> X = np.array([[0.0], [0.2], [2.0], [2.2]] * 10)
    >>> seen = [["a"], ["a", "c"], ["b"], ["b", "c"]] * 10
    >>> auto = AutoPartialLabelClassifier({"linear": SoftLogisticRegression()}, n_folds=2)
    >>> auto = auto.fit(X, Candidates.from_lists(seen, LabelSpace(["a", "b", "c"])))
    >>> auto.predict([[0.1], [2.1]]).tolist()
    ['a', 'b']

    References
    ----------
    R. Jin and Z. Ghahramani, Learning with multiple labels, NIPS 2002 (EM over candidates).
    R. Caruana et al., Ensemble selection from libraries of models, ICML 2004.
    """

    classes_: NDArray[Any]
    choice_: pl.DataFrame
    members_: dict[str, list[Any]]
    sharpness_: dict[str, float]
    joint_sharpness_: float
    approximated_accuracy_: float
    set_channel_: SetChannel | None
    objective_path_: list[float]
    beliefs_: Beliefs

    def __init__(
        self,
        members: Mapping[str, Any] | None = None,
        *,
        n_kept: int = 5,
        n_rounds: int = 8,
        tol: float = 5e-3,
        n_folds: int = 5,
        learn_sets: bool = True,
        label_model: Any = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.members = members
        self.n_kept = n_kept
        self.n_rounds = n_rounds
        self.tol = tol
        self.n_folds = n_folds
        self.learn_sets = learn_sets
        self.label_model = label_model
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Evidence | Votes | Candidates) -> Self:
        """Choose and train.

        Parameters
        ----------
        X : (n_rows, n_features) array
        y : Evidence, Votes or Candidates

        Raises
        ------
        TypeError
            If a member can't be trained on beliefs.
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
        names = evidence.labels.classes
        mixed = len({type(name) for name in names}) > 1
        self.classes_ = np.array(names, dtype=object if mixed else None)
        log_likelihood = sources.log_likelihood(evidence)
        held_out, log_likelihood[told] = self._climb(
            X[told], evidence.select(told), log_likelihood[told]
        )
        prior = self.predict_proba(X)
        prior[told] = held_out
        joint, _ = posterior(smoothed(prior), log_likelihood)
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
        X, codes = np.asarray(X), np.arange(len(self.classes_))
        said = np.mean(
            [
                sharpened(probabilities(one, X, codes), self.sharpness_[name])
                for name, fitted in self.members_.items()
                for one in fitted
            ],
            axis=0,
        )
        return sharpened(said, self.joint_sharpness_)

    def predict(self, X: Any) -> NDArray[Any]:
        """(n_rows,) Give the name of the likeliest class. Raises as `predict_proba` does."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def _climb(
        self, X: NDArray[Any], evidence: Evidence, log_likelihood: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """All rounds: what the last says of rows held out, and the likelihood of their evidence."""
        chance = check_random_state(self.random_state)
        total, likelihood = log_likelihood, _relative(log_likelihood)
        beliefs = likelihood / likelihood.sum(axis=1, keepdims=True)
        fold = folds(beliefs, self.n_folds, chance.randint(np.iinfo(np.int32).max))
        seed = chance.randint(np.iinfo(np.int32).max - self.n_folds)
        members = default_members() if self.members is None else dict(self.members)
        self.objective_path_, self.set_channel_, judged = [], None, {}
        for n in range(self.n_rounds):
            last = n + 1 == self.n_rounds
            most = SCREENED if n < ALL_FOR and not last else len(X)
            trials = self._round(members, X, beliefs, fold, likelihood, seed, most)
            judged.update(
                {m: {"rounds": n + 1, **trial.judged(likelihood)} for m, trial in trials.items()}
            )
            said = {name: trial.probs for name, trial in trials.items()}
            n_kept = self.n_kept if n + 1 >= ALL_FOR or last else len(members)
            kept = forward_selected(said, likelihood, n_kept)
            members = {name: members[name] for name in kept}
            mean = np.asarray(np.mean([said[name] for name in kept], axis=0))
            self.joint_sharpness_ = best_sharpness(mean, likelihood)
            mean = sharpened(mean, self.joint_sharpness_)
            if self.learn_sets and evidence.candidates is not None:
                sets = evidence.candidates.sets
                channel = learn_set_channel(sets.table, sets.which, smoothed(mean), log_likelihood)
                total = log_likelihood + channel.log_likelihood[sets.which]
                likelihood, self.set_channel_ = _relative(total), channel
            beliefs, explained = posterior(smoothed(mean), total)
            self.objective_path_.append(float(explained.mean()))
            if n > 1 and self.objective_path_[-1] < self.objective_path_[-2] + self.tol:
                break
        self.members_ = {name: trials[name].fitted for name in kept}
        self.sharpness_ = {name: trials[name].sharpness for name in kept}
        self.choice_ = pl.DataFrame(
            [{"member": name, **row, "kept": name in kept} for name, row in judged.items()]
        )
        self.approximated_accuracy_ = agreement(mean, likelihood)
        return mean, total

    def _round(
        self,
        members: Mapping[str, Any],
        X: NDArray[Any],
        beliefs: NDArray[np.float64],
        fold: NDArray[np.int64],
        likelihood: NDArray[np.float64],
        seed: int,
        most: int,
    ) -> dict[str, Trial]:
        """Train members on all folds but one in turn, and hear what they say of that."""
        heard = Parallel(n_jobs=self.n_jobs)(
            delayed(_trained)(member, X, beliefs, fold == k, seed + k, most)
            for member in members.values()
            for k in range(self.n_folds)
        )
        trials = {}
        for m, name in enumerate(members):
            of_member = heard[m * self.n_folds : (m + 1) * self.n_folds]
            probs = np.empty_like(beliefs)
            for k, (_, said) in enumerate(of_member):
                probs[fold == k] = said
            sharpness = best_sharpness(probs, likelihood)
            fitted = [one for one, _ in of_member]
            trials[name] = Trial(fitted, sharpness, sharpened(probs, sharpness))
        return trials

    def _read(self, X: Any, y: Any) -> tuple[NDArray[Any], Evidence]:
        X, evidence = np.asarray(X), as_evidence(y)
        if len(X) != len(evidence):
            raise InputError(
                f"`X` and `y` must be about the same rows; they have {len(X)} and {len(evidence)}. "
                "Give each row its evidence, or none."
            )
        for name in ("n_kept", "n_rounds"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
        if self.members is not None and len(self.members) == 0:
            raise InputError("`members` must name at least one classifier; it names none.")
        for member in ({} if self.members is None else self.members).values():
            check_learns_softly(member)
        return X, evidence


def _trained(
    member: Any,
    X: NDArray[Any],
    beliefs: NDArray[np.float64],
    held: NDArray[np.bool_],
    seed: int,
    most: int,
) -> tuple[Any, NDArray[np.float64]]:
    """A member trained on the rows that aren't held, and what it says of those that are."""
    fresh, codes = clone(member), np.arange(beliefs.shape[1])
    seeds = [name for name in fresh.get_params() if name.split("__")[-1] == "random_state"]
    fresh.set_params(**dict.fromkeys(seeds, seed))
    rows = np.flatnonzero(~held)
    if len(rows) > most:
        rows = np.random.default_rng(seed).choice(rows, most, replace=False)
    fitted = fit_softly(fresh, X[rows], beliefs[rows], codes, np.ones(len(rows)))
    return fitted, probabilities(fitted, X[held], codes)


def _relative(log_likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_rows, n_classes) Likelihoods, of which the highest of each row is 1."""
    return np.asarray(np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True)))
