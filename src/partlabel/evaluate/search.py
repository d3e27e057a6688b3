"""PartialLabelSearchCV: choose settings by the best that is known, and say how sure the choice is.

The number of the winner is biased upwards, as it was picked for being high. So some rows take no
part in the search, and measure the winner afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.model_selection import ParameterGrid
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate import Aggregator
from partlabel.aggregate.sources import Sources
from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.best_basis import FEWEST_GOLD, best_evaluation
from partlabel.evaluate.estimate import Basis, table_of
from partlabel.evaluate.evaluation import Evaluation
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.left_out_sources import agreement
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.standings import Standings
from partlabel.evaluate.yardsticks import METRICS, by_candidates, by_gold, by_likelihood
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence

YARDSTICKS = ("auto", "gold", "candidates", "likelihood")


class PartialLabelSearchCV(MetaEstimatorMixin, BaseEstimator):
    """Choose the settings of a classifier on labels that are only partly known.

    Every candidate is trained on all folds but one, and predicts the last. Candidates are then
    compared on the same rows, by the best that is known of these:

    - "gold": a metric, from 30 gold rows on; with votes, beliefs about the other rows make the
      differences surer (basis "gold+model").
    - "candidates": how often the likeliest class is among the candidates, less what chance gives.
      An assumption: wrong classes are candidates by chance.
    - "likelihood": the marginal log-likelihood of votes and sets that the model wasn't trained on.
      An assumption: sources err apart from the features. Beside it stands how often the model
      agrees with sources that were left out of training; where the two disagree, be careful.

    Parameters
    ----------
    estimator : classifier that is fitted to evidence
        Such as `PartialLabelClassifier`; with `fit(X, evidence)` and `predict_proba`.
    param_grid : dict of lists, or a list of such dicts
        As in scikit-learn's `GridSearchCV`.
    by : {"auto", "gold", "candidates", "likelihood"}, default "auto"
        What to compare by. "auto" takes gold where there are 30 rows of it for the search, else
        the likelihood where there are votes, else the candidates.
    metric : str, default "accuracy"
        What to compare by where there is gold; "log_loss" and "brier" count with a minus.
    cv : int, default 5
        Folds. More train on more rows each, and cost as much more.
    audit : float in [0, 1), default 0.25
        Share of the rows that measure the winner, and take no part in choosing or training it.
        More make `audit_` surer, and the choice less sure.
    n_repeats : int, default 1
        Deal the rows into folds so many times, with other seeds (also of the estimator, where it
        has a `random_state`), to see how much the choice rests on them. Costs as many times more.
    label_model : label model, default None
        What makes beliefs of votes; None takes `LabelModel()`.
    level : float in (0, 1), default 0.95
    n_jobs : int or None, default None
        How many candidates are trained at the same time; -1 takes all cores, None one, or what
        joblib's ``parallel_config`` says. The result is the same.
    random_state : int, default 0

    Attributes
    ----------
    best_estimator_ : the winner, trained on all rows but those of the audit
    best_params_ : dict
    best_index_ : int
    basis_ : Basis
    sure_ : bool
        Whether the winner is better than every other candidate by more than chance.
    standings_ : Standings
        The values, and how they vary together.
    results_ : polars.DataFrame
        One row per candidate: its settings, ``value`` with interval and basis, how far it is
        ``behind`` the winner (with an interval that allows for the number of candidates),
        ``chance_best``, how often it would win on rows drawn anew, ``won``, its share of wins over
        the repeats, and by likelihood its ``agreement`` with left-out sources.
    audit_ : Evaluation or None
        The winner on rows that didn't choose it. None if `audit` is 0.

    Raises
    ------
    InputError
        In `fit`, if a setting is out of range, or what `by` needs isn't there.

    Examples
    --------
    >>> from partlabel import Candidates, LabelSpace, PartialLabelClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(loc=3.0 * y)[:, None]
    >>> gold = Evidence(gold=Candidates.from_labels(y, LabelSpace(["a", "b"])))
    >>> search = PartialLabelSearchCV(
    ...     PartialLabelClassifier(), {"objective": ["expected", "average"]}, cv=2
    ... ).fit(X, gold)
    >>> print(search.basis_, search.sure_)
    gold False
    """

    best_estimator_: Any
    best_params_: dict[str, Any]
    best_index_: int
    basis_: Basis
    sure_: bool
    standings_: Standings
    results_: pl.DataFrame
    audit_: Evaluation | None

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]],
        *,
        by: Literal["auto", "gold", "candidates", "likelihood"] = "auto",
        metric: str = "accuracy",
        cv: int = 5,
        audit: float = 0.25,
        n_repeats: int = 1,
        label_model: Aggregator | None = None,
        level: float = 0.95,
        n_jobs: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.by = by
        self.metric = metric
        self.cv = cv
        self.audit = audit
        self.n_repeats = n_repeats
        self.label_model = label_model
        self.level = level
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Evidence | Votes | Candidates) -> Self:
        """Choose, train the winner, and measure it.

        Parameters
        ----------
        X : (n_rows, n_features) array, sparse matrix, table, or whatever the estimator takes
        y : Evidence, Votes or Candidates
        """
        self._check()
        evidence = _without_ids(as_evidence(y))
        away = self._audit_rows(evidence)
        chosen, kept = np.flatnonzero(~away), np.flatnonzero(away)
        rest, known = _safe_indexing(X, chosen), evidence.select(chosen)
        by = self._yardstick(known)
        settings = [dict(one) for one in ParameterGrid(self.param_grid)]
        runs = [self._compared(rest, known, settings, by, seed) for seed in self._seeds()]
        self.standings_ = _mean([standings for standings, _ in runs])
        self.best_index_, self.sure_ = self.standings_.best, self.standings_.sure
        self.best_params_, self.basis_ = settings[self.best_index_], self.standings_.basis
        self.results_ = self._table(settings, runs)
        self.best_estimator_ = self._candidate(self.best_params_, None).fit(rest, known)
        self.audit_ = None
        if len(kept):
            self.audit_ = self._audited(_safe_indexing(X, kept), known, evidence.select(kept))
        return self

    @property
    def sentence_(self) -> str:
        """What came out, for people."""
        check_is_fitted(self, "standings_")
        found, k = self.standings_, len(self.results_)
        told = "is surely better than" if self.sure_ else "isn't surely better than each of"
        said = f"{self.best_params_} is in front by {found.metric.replace('_', ' ')}"
        said += f" ({found.basis}): it {told} the {k - 1} others." if k > 1 else "."
        if found.assumption:
            said += f" Unverified: right only if {found.assumption}."
        if "agreement" in self.results_.columns:
            rival = self.results_["agreement"].arg_max()
            if rival is not None and rival != self.best_index_:
                said += " Sources that were left out agree more with another candidate."
        if self.audit_ is not None:
            name = next(iter(self.audit_.estimates))
            said += f" On rows that didn't choose it: {name} {self.audit_[name]}."
        return said

    def predict(self, X: Any) -> Any:
        """Give the classes that the winner predicts."""
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.predict(X)

    def predict_proba(self, X: Any) -> Any:
        """(n_rows, n_classes) Give the winner's probabilities."""
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.predict_proba(X)

    def _check(self) -> None:
        check_level(self.level)
        for name, value, known in (
            ("by", self.by, YARDSTICKS),
            ("metric", self.metric, METRICS),
        ):
            if value not in known:
                raise InputError(f"`{name}` must be one of {', '.join(known)}; got {value!r}.")
        for name, least in (("cv", 2), ("n_repeats", 1)):
            if getattr(self, name) < least:
                raise InputError(f"`{name}` must be at least {least}; got {getattr(self, name)}.")
        if not 0.0 <= self.audit < 1.0:
            raise InputError(f"`audit` must lie in [0, 1); got {self.audit}. It is a share.")

    def _audit_rows(self, evidence: Evidence) -> NDArray[np.bool_]:
        """(n_rows,) The same share of gold rows and of others, drawn at random."""
        rng = np.random.default_rng([self.random_state, 1])
        away, exact = np.zeros(len(evidence), dtype=bool), _exact(evidence)
        for part in (exact, ~exact):
            rows = rng.permutation(np.flatnonzero(part))
            away[rows[: round(self.audit * len(rows))]] = True
        return away

    def _yardstick(self, known: Evidence) -> str:
        n_gold = int(_exact(known).sum())
        sets = known.candidates is not None and not known.candidates.unknown.all()
        there = {"gold": n_gold >= 2, "candidates": sets, "likelihood": True}
        if self.by != "auto":
            if not there[self.by]:
                raise InputError(
                    f"`by` must name what is there; got {self.by!r}, but no row for the search has "
                    "any. Pass 'auto'."
                )
            return self.by
        if n_gold >= FEWEST_GOLD:
            return "gold"
        return "candidates" if known.votes is None and sets else "likelihood"

    def _seeds(self) -> list[int | None]:
        """The estimator keeps its own seed in the first of the repeats."""
        return [None, *range(1, self.n_repeats)]

    def _candidate(self, settings: Mapping[str, Any], seed: int | None) -> Any:
        model = clone(self.estimator).set_params(**clone(settings, safe=False))
        if seed is not None and "random_state" in model.get_params(deep=False):
            model.set_params(random_state=seed)
        return model

    def _compared(
        self, X: Any, known: Evidence, settings: list[dict[str, Any]], by: str, seed: int | None
    ) -> tuple[Standings, list[float]]:
        """Compare the candidates out of fold, and by agreement with sources that were left out."""
        fold = folds(known, self.cv, self.random_state + (seed or 0))
        shape = (len(known), len(known.labels))
        predicted = [np.zeros(shape) for _ in settings]
        likelihood = np.zeros(shape)
        agreed = np.zeros((len(settings), 2))
        for k in range(self.cv):
            here, away = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
            X_here, X_away = _safe_indexing(X, here), _safe_indexing(X, away)
            learnt, unseen = known.select(away), known.select(here)
            told = partial(self._told, settings, seed, X_away, X_here)
            for probs, found in zip(predicted, told(learnt), strict=True):
                probs[here] = found
            if by == "likelihood":
                likelihood[here] = Sources.learnt(self.label_model, learnt).log_likelihood(unseen)
            if by == "likelihood" and known.votes is not None:
                left_out = np.arange(known.votes.n_sources) % self.cv == k
                agreed += agreement(told, len(settings), learnt, unseen, left_out)
        share = (agreed[:, 0] / np.maximum(agreed[:, 1], 1)).tolist()
        return self._standings(predicted, known, likelihood, by), share

    def _told(
        self,
        settings: Sequence[Mapping[str, Any]],
        seed: int | None,
        X_away: Any,
        X_here: Any,
        learnt: Evidence,
    ) -> Sequence[Floats]:
        """What each candidate, trained on evidence of some rows, says of others."""
        found: list[Floats] = Parallel(n_jobs=self.n_jobs)(
            delayed(_predicted)(self._candidate(one, seed), X_away, learnt, X_here)
            for one in settings
        )
        return found

    def _standings(
        self,
        predicted: Sequence[Floats],
        known: Evidence,
        likelihood: NDArray[np.float64],
        by: str,
    ) -> Standings:
        if by == "likelihood":
            return by_likelihood(predicted, likelihood, known.labels, self.level)
        if by == "candidates":
            assert known.candidates is not None
            return by_candidates(predicted, known.candidates, self.level)
        assert known.gold is not None
        return by_gold(predicted, known.gold, self._believed(known), self.metric, self.level)

    def _believed(self, known: Evidence, about: Evidence | None = None) -> Beliefs | None:
        """What votes say without gold; None where gold is all there is."""
        about = known if about is None else about
        if known.votes is None or _exact(about).all():
            return None
        sources = Sources.learnt(self.label_model, known.without("gold"))
        return Beliefs(sources.beliefs(about.without("gold")), known.labels)

    def _audited(self, X: Any, known: Evidence, kept: Evidence) -> Evaluation:
        probs = Beliefs(np.asarray(self.best_estimator_.predict_proba(X)), kept.labels)
        return best_evaluation(
            probs,
            gold=kept.gold,
            beliefs=self._believed(known, kept),
            candidates=kept.candidates,
            level=self.level,
            random_state=self.random_state,
        )

    def _table(
        self, settings: list[dict[str, Any]], runs: list[tuple[Standings, list[float]]]
    ) -> pl.DataFrame:
        found, behind = self.standings_, self.standings_.behind
        names = list(dict.fromkeys(name for one in settings for name in one))
        shown = [{name: _shown(one.get(name)) for name in names} for one in settings]
        won = np.bincount([one.best for one, _ in runs], minlength=len(settings)) / len(runs)
        table = table_of(zip(shown, found.estimates, strict=True)).with_columns(
            behind=pl.Series([one.value for one in behind]),
            behind_low=pl.Series([one.low for one in behind]),
            behind_high=pl.Series([one.high for one in behind]),
            chance_best=pl.Series(found.chance_best(self.random_state)),
            won=pl.Series(won),
        )
        if any(any(share) for _, share in runs):
            mean = np.mean([share for _, share in runs], axis=0)
            table = table.with_columns(agreement=pl.Series(mean))
        return table


def _predicted(model: Any, X_away: Any, learnt: Evidence, X_here: Any) -> Floats:
    """What a candidate says of rows that it wasn't trained on."""
    return np.asarray(model.fit(X_away, learnt).predict_proba(X_here))


def _mean(runs: list[Standings]) -> Standings:
    """The mean over repeats; chance in the rows is the same in all, so that it doesn't shrink."""
    return replace(
        runs[0],
        value=np.mean([one.value for one in runs], axis=0),
        covariance=np.mean([one.covariance for one in runs], axis=0),
    )


def _exact(evidence: Evidence) -> NDArray[np.bool_]:
    gold = evidence.gold
    return np.zeros(len(evidence), dtype=bool) if gold is None else gold.exact


def folds(known: Evidence, n_folds: int, seed: int) -> NDArray[np.int64]:
    """(n_rows,) Deal rows into folds; classes that are known are spread over all of them."""
    order = np.random.default_rng(seed).permutation(len(known))
    by_class = order[np.argsort(np.asarray(known)[order], kind="stable")]
    fold = np.empty(len(known), dtype=np.int64)
    fold[by_class] = np.arange(len(known)) % n_folds
    return fold


def _without_ids(evidence: Evidence) -> Evidence:
    """The same evidence by position."""
    parts = {name: getattr(evidence, name) for name in ("votes", "candidates", "gold")}
    return Evidence(**{k: replace(v, item_ids=None) for k, v in parts.items() if v is not None})


def _shown(value: Any) -> Any:
    """A setting as a table can hold it."""
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
