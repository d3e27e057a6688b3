"""PartialLabelClassifier: any scikit-learn classifier, on labels that are only partly known."""

import warnings
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from partlabel.aggregate import Aggregator, Outcome
from partlabel.aggregate.sources import Sources, informative
from partlabel.beliefs import Beliefs
from partlabel.channels.likelihood import approximated_accuracy
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence
from partlabel.learn.choose import Way, choose, ways
from partlabel.learn.objectives import OBJECTIVES, Settings
from partlabel.learn.soft import check_learns_softly, probabilities, row_weights
from partlabel.learn.soft_logistic import SoftLogisticRegression
from partlabel.learn.targets import coded, read_targets
from partlabel.learn.training import Data, Trained, posterior, smoothed

FEWEST = 10  # rows to choose an objective on


class PartialLabelClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Train any scikit-learn classifier on labels that are only partly known.

    A row may have an exact label, candidates, votes of sources, or nothing. Training gives each
    row's classes weights that add up to one; how they are found is the objective:

    - "em": the classifier is the prior and the evidence the likelihood, and the votes' channels are
      learnt along. Strong where the model is simple for the data, such as a linear one.
    - "average": all candidates alike (votes: their shares), trained once. Strong for forests and
      nearest neighbours, whose own predictions say little about the rows they were trained on.
    - "expected": the label model's beliefs, trained once.
    - "hard": the label model's surest classes, trained once; with candidates alone, the exact
      labels.
    - "pseudo": the surest classes of model and evidence together, decided anew in each round. The
      only one that trains on rows about which nothing is known.
    - "auto": "average", "em" (out of fold and in sample) or, given votes, "expected": whichever
      has the highest marginal likelihood of held-out evidence. Costs a few times the others
      together; name one to save that.

    Parameters
    ----------
    estimator : classifier, default SoftLogisticRegression()
        With `predict_proba`, and `sample_weight` in `fit`. Where it says `soft_targets = True`, as
        `SoftLogisticRegression` does, its `fit` gets the beliefs themselves.
    objective : {"auto", "em", "expected", "hard", "pseudo", "average"}, default "auto"
    label_model : label model, default None
        What makes beliefs of votes; None takes `LabelModel()`. Not used where there are no votes.
    out_of_fold : bool, default True
        In "em" and "pseudo", predict each row by a model that didn't train on it, so that the model
        can't confirm what it has memorised. False trains one model instead of `n_folds` in each
        round, and climbs the marginal likelihood; it suits models that can't memorise. "auto" tries
        both. `beliefs_` are found in the same way.
    n_folds : int, default 5
        More folds train on more rows each, and cost as much more.
    max_iter : int, default 100
        Rounds of "em" and "pseudo" at the most.
    tol : float, default 5e-4
        Stop "em" when a round moves the beliefs by less (mean total variation, a share); out of
        fold also when the marginal likelihood falls.
    threshold : float or (first, last), default 0.8
        How much belief "hard" and "pseudo" train on. "pseudo" goes from first to last over its
        first ten rounds; "hard" takes the last.
    missing : value, default -1
        Among plain labels, what stands for "no label"; None, NaN and other nulls always do. Pass
        None where -1 is a class.
    random_state : int, RandomState or None, default 0
        Deals rows into folds.

    Attributes
    ----------
    classes_ : (n_classes,) class names
    estimator_ : the trained classifier
    label_model_ : the fitted label model, or None without votes
    beliefs_ : Beliefs
        About the rows trained on: the model and the evidence together.
    reliability_ : polars.DataFrame or None
        One row per source of votes, judged by `beliefs_`: see `reliability_table`. The intervals
        are widened by how far the label model, without features, disagrees.
    objective_ : str
        The objective that was used.
    out_of_fold_ : bool
        Whether it predicted rows out of fold.
    choice_ : str
        Why this objective.
    objective_path_ : list of float
        Weighted marginal log-likelihood of the evidence at each round, in nats; in sample, it
        doesn't fall where the classifier maximises its weighted likelihood without a penalty.
    n_iter_ : int
        Rounds trained.
    status_ : Outcome
        How training ended.
    evidence_summary_ : dict
        How many rows have gold, exact, partial, voted and no labels. Those with nothing get beliefs
        and predictions; what they would add to the marginal likelihood is zero, so that only
        "pseudo" trains on them.
    n_features_in_, feature_names_in_ : as in scikit-learn, where `X` has them

    Examples
    --------
    >>> from partlabel import Candidates, LabelSpace
    >>> X = np.array([[0.0], [0.2], [0.4], [2.0], [2.2], [2.4]])
    >>> seen = [["a"], ["a", "c"], ["a", "b"], ["b"], ["b", "c"], None]
    >>> cands = Candidates.from_lists(seen, LabelSpace(["a", "b", "c"]))
    >>> clf = PartialLabelClassifier(objective="em", out_of_fold=False).fit(X, cands)
    >>> clf.predict([[0.1], [2.3]]).tolist()
    ['a', 'b']

    References
    ----------
    R. Jin and Z. Ghahramani, Learning with multiple labels, NIPS 2002 (EM over candidates).
    V. C. Raykar et al., Learning from crowds, JMLR 2010 (EM over votes).
    T. Cour, B. Sapp and B. Taskar, Learning from partial labels, JMLR 2011 (averaging).
    D.-H. Lee, Pseudo-label, ICML workshop 2013.
    """

    classes_: NDArray[Any]
    estimator_: Any
    label_model_: Aggregator | None
    beliefs_: Beliefs
    reliability_: pl.DataFrame | None
    objective_: str
    out_of_fold_: bool
    choice_: str
    objective_path_: list[float]
    n_iter_: int
    status_: Outcome
    evidence_summary_: dict[str, int]

    def __init__(
        self,
        estimator: Any = None,
        *,
        objective: Literal["auto", "em", "expected", "hard", "pseudo", "average"] = "auto",
        label_model: Aggregator | None = None,
        out_of_fold: bool = True,
        n_folds: int = 5,
        max_iter: int = 100,
        tol: float = 5e-4,
        threshold: float | tuple[float, float] = 0.8,
        missing: Any = -1,
        random_state: Any = 0,
    ) -> None:
        self.estimator = estimator
        self.objective = objective
        self.label_model = label_model
        self.out_of_fold = out_of_fold
        self.n_folds = n_folds
        self.max_iter = max_iter
        self.tol = tol
        self.threshold = threshold
        self.missing = missing
        self.random_state = random_state

    def fit(
        self, X: Any, y: Evidence | Votes | Candidates | Any, sample_weight: Any = None
    ) -> Self:
        """Train on rows and what is known of their labels.

        Parameters
        ----------
        X : (n_rows, n_features) array, sparse matrix, table, or whatever `estimator` takes
        y : Evidence, Votes, Candidates, or (n_rows,) labels with gaps (see `missing`)
            What is known of the rows' labels.
        sample_weight : (n_rows,) float, default None
            What each row counts for in training and in the choice of the objective, times the
            class weights of `estimator`; None is 1. Rows of 0 are left out, of the label model too,
            and still get their `beliefs_`. How reliable sources are is judged by all other rows
            alike.

        Raises
        ------
        TypeError
            If `estimator` has no `predict_proba` or takes no `sample_weight`.
        InputError
            If a setting is out of range, the evidence says nothing, or weights are negative, not
            finite, or zero for all rows about which something is known.
        ValueError
            If X and the evidence have different lengths, or as `estimator` raises.
        """
        settings = self._settings()
        check_learns_softly(self._learner())
        taken, self.classes_ = read_targets(y, self.missing)
        (X,) = indexable(X)
        validate_data(self, X, skip_check_array=True)
        check_consistent_length(X, taken)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        weight = row_weights(sample_weight, len(taken))
        data = Data(X, taken, weight, self._inner_classes(), self._learner(), self.label_model)
        counted = np.flatnonzero(weight)
        heard = taken if len(counted) == len(taken) else taken.select(counted)
        likelihood = Sources.learnt(self.label_model, heard).log_likelihood(heard)
        spoken = counted[informative(likelihood)]
        way, self.choice_ = self._way(data.select(spoken), settings, seed)
        rows = counted if way.objective == "pseudo" else spoken
        n_folds = min(self.n_folds, len(rows)) if way.out_of_fold else None
        trained = OBJECTIVES[way.objective](data.select(rows).task(n_folds, seed), settings)
        self._remember(way, data, rows, trained)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Give the probability of each class.

        Returns
        -------
        (n_rows, n_classes) float, columns as in `classes_`.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self, "estimator_")
        return probabilities(self.estimator_, X, self._inner_classes())

    def predict(self, X: Any) -> NDArray[Any]:
        """(n_rows,) Give the name of the likeliest class. Raises as `predict_proba` does."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def score(self, X: Any, y: Any) -> float:
        """Give the accuracy, approximated where labels are only partly known.

        A row counts as right by the belief in the predicted class, given the model and the row's
        evidence; with an exact label that is plain accuracy. Rows about which nothing is known are
        left out. It flatters a model that is too sure of itself: compare settings with it, and
        report accuracy on gold.

        Parameters
        ----------
        X : features
        y : Evidence, Votes, Candidates, or labels with gaps

        Returns
        -------
        float in [0, 1]

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        InputError
            If the label space differs from that of `fit`, or nothing is known of any row.

        References
        ----------
        W. Wang et al., Realistic evaluation of deep partial-label learning algorithms, ICLR 2025
        (approximated accuracy).
        """
        probs = self.predict_proba(X)
        if not isinstance(y, Evidence | Votes | Candidates):
            codes, names = coded(y, self.missing)
            known = codes >= 0
            if not known.any():
                raise InputError(f"`y` must hold a label; got none in {len(codes)} rows.")
            return float(np.mean(self.classes_[probs.argmax(axis=1)][known] == names[codes[known]]))
        evidence = as_evidence(y)
        if evidence.labels != self.beliefs_.labels:
            raise InputError(
                f"`y` must have the label space of `fit`; it has {evidence.labels.classes} instead "
                f"of {self.beliefs_.labels.classes}."
            )
        check_consistent_length(probs, evidence)
        likelihood = self._sources.log_likelihood(evidence)
        spoken = informative(likelihood)
        return approximated_accuracy(smoothed(probs[spoken]), likelihood[spoken])

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self._learner())
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.non_deterministic = inner.non_deterministic
        return tags

    def _learner(self) -> Any:
        return SoftLogisticRegression() if self.estimator is None else self.estimator

    def _inner_classes(self) -> NDArray[Any]:
        """What the estimator calls the classes: their names, or codes where names don't compare."""
        mixed = self.classes_.dtype.kind == "O" and len({type(c) for c in self.classes_}) > 1
        return np.arange(len(self.classes_)) if mixed else self.classes_

    def _way(self, data: Data, settings: Settings, seed: int) -> tuple[Way, str]:
        if self.objective != "auto":
            return Way(self.objective, self.out_of_fold), f"'{self.objective}', as you asked."
        if (data.evidence.hard_sets().sizes == 1).all():
            way = Way("expected", False)
            return way, f"{way}, because every label is exact: there is nothing to choose."
        if len(data) < FEWEST:
            way = Way("expected", self.out_of_fold)
            return way, f"{way}, because {len(data)} rows are too few to hold some out."
        tried = ways(data.evidence)
        return choose(tried, data, settings, n_folds=self.n_folds, seed=seed)

    def _remember(self, way: Way, data: Data, rows: NDArray[np.int64], trained: Trained) -> None:
        if trained.outcome is Outcome.MAX_ITER:
            warnings.warn(
                f"PartialLabelClassifier: {trained.outcome.value}", ConvergenceWarning, stacklevel=3
            )
        evidence = data.evidence
        self.estimator_, self._sources = trained.estimator, trained.sources
        self.objective_, self.out_of_fold_ = way.objective, way.out_of_fold
        self.objective_path_, self.status_ = trained.path, trained.outcome
        self.n_iter_ = len(trained.path)
        self.label_model_ = trained.sources.label_model
        self.evidence_summary_ = evidence.counts()
        probs = np.empty((len(data), len(self.classes_)))
        probs[rows] = trained.beliefs
        rest = np.setdiff1d(np.arange(len(data)), rows)
        if len(rest):
            probs[rest] = self._believed(data.select(rest))
        self.beliefs_ = Beliefs(probs, evidence.labels, evidence.item_ids)
        self.reliability_ = self._sources.reliability(evidence, probs)

    def _believed(self, data: Data) -> NDArray[np.float64]:
        """Beliefs about rows that took no part: the model alone where the evidence says nothing."""
        probs = probabilities(self.estimator_, data.X, data.classes)
        likelihood = self._sources.log_likelihood(data.evidence)
        spoken = (likelihood != likelihood[:, :1]).any(axis=1)
        probs[spoken], _ = posterior(smoothed(probs[spoken]), likelihood[spoken])
        return probs

    def _settings(self) -> Settings:
        names = ("auto", *OBJECTIVES)
        if self.objective not in names:
            raise InputError(
                f"`objective` must be one of {', '.join(map(repr, names))}; got {self.objective!r}."
            )
        for name, least in (("n_folds", 2), ("max_iter", 1), ("tol", 0)):
            if not getattr(self, name) >= least:
                raise InputError(f"`{name}` must be at least {least}; got {getattr(self, name)}.")
        first, last = np.broadcast_to(np.asarray(self.threshold, dtype=float), (2,)).tolist()
        if not (0.0 <= first <= 1.0 and 0.0 <= last <= 1.0):
            raise InputError(f"`threshold` must lie in [0, 1]; got {self.threshold}.")
        return Settings(self.max_iter, self.tol, (first, last))
