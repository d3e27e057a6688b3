r"""Propensity: how likely an item is to be labelled, and the weights that make up for it.

======================  ===============  ========================================================
symbol                  code             meaning
======================  ===============  ========================================================
:math:`R_i`             ``labelled``     (n_items,) whether the item is labelled
:math:`e(x, y)`         (in ``odds``)    p(labelled | x, y)
:math:`\tau_y`          ``tilt``         share of class y without label, by its share with one
:math:`v_i`             ``odds``         :math:`(1 - e) / e`: unlabelled items that one stands for
:math:`w_i`             ``weight``       :math:`1 + v_i = 1 / e`
======================  ===============  ========================================================

Where labelling depends on features, and on the class by a factor of the odds, then
:math:`v_i = a(x_i) \tau_{y_i}`, and :math:`a(x)` are the odds of a classifier that tells unlabelled
items from labelled ones when these are weighed by :math:`\tau_y`: no model of the class is needed.
Without a tilt that is the usual propensity score.

P. R. Rosenbaum, D. B. Rubin, "The central role of the propensity score in observational studies for
causal effects", Biometrika 1983. W. Miao, E. J. Tchetgen Tchetgen, "On varieties of doubly robust
estimators under missingness not at random with a shadow variable", Biometrika 2016 (the tilt).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing

from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.population import LARGEST_WEIGHT

FOLDS = 5
INNER_FOLDS = 3
ENOUGH = 20  # labelled items, and others, to choose a penalty by
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
OVERLAP_BINS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
RAREST = 1e-6
"""Propensities below count as this, before weights are capped."""


def logistic() -> Pipeline:
    """Give the classifier that is used where none is given; features may be sparse."""
    return make_pipeline(StandardScaler(with_mean=False), LogisticRegression(max_iter=1000))


def of_being_labelled(labelled: NDArray[np.bool_]) -> Pipeline:
    """Give the classifier of being labelled, with the penalty of the best held-out log loss.

    With a fixed one, thousands of features tell few labelled items from the others by chance, and
    the weights are of a few items.
    """
    if min(labelled.sum(), (~labelled).sum()) < ENOUGH:
        return logistic()
    search = GridSearchCV(
        LogisticRegression(max_iter=1000), {"C": STRENGTHS}, scoring="neg_log_loss", cv=INNER_FOLDS
    )
    return make_pipeline(StandardScaler(with_mean=False), search)


def cross_fitted(
    estimator: Any,
    X: Any,
    codes: NDArray[np.integer[Any]],
    n_classes: int,
    *,
    weight: Floats | None = None,
    random_state: Any = 0,
) -> Floats:
    """(n_items, n_classes) Probabilities of each item from a classifier that didn't see it.

    Parameters
    ----------
    estimator : scikit-learn classifier
    X : (n_items, n_features) array, sparse matrix or table
    codes : (n_items,) int
        The class to learn; items below 0 are predicted only.
    n_classes : int
    weight : (n_items,) float, default None
    random_state : int, Generator or None
    """
    n = len(codes)
    rng = np.random.default_rng(random_state)
    fold = np.empty(n, dtype=np.intp)
    fold[np.lexsort((rng.random(n), codes))] = np.arange(n) % FOLDS  # each class in all folds
    probs = np.zeros((n, n_classes))
    for part in range(FOLDS):
        seen = np.flatnonzero((fold != part) & (codes >= 0))
        left = np.flatnonzero(fold == part)
        told = {} if weight is None else _weighing(estimator, weight[seen])
        fitted = clone(estimator).fit(_safe_indexing(X, seen), codes[seen], **told)
        probs[np.ix_(left, fitted.classes_)] = fitted.predict_proba(_safe_indexing(X, left))
    return probs


def _weighing(estimator: Any, weight: Floats) -> dict[str, Floats]:
    last = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
    return {f"{last}sample_weight": weight}


def labelling_odds(
    estimator: Any,
    X: Any,
    labelled: NDArray[np.bool_],
    *,
    tilt: Floats | None = None,
    random_state: Any = 0,
) -> Floats:
    """(n_items,) Unlabelled items for each labelled one like it, but for the tilt of its class.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Takes `sample_weight` where there is a tilt.
    X : (n_items, n_features)
    labelled : (n_items,) bool
    tilt : (n_items,) float, default None
        That of the class of each labelled item; others aren't read.
    random_state : int, Generator or None
    """
    weight = None if tilt is None else np.where(labelled, tilt, 1.0)
    probs = cross_fitted(
        estimator, X, labelled.astype(np.int64), 2, weight=weight, random_state=random_state
    )
    share = np.maximum(probs[:, 1], RAREST)
    return np.asarray((1.0 - share) / share)


@dataclass(frozen=True, slots=True, eq=False)
class InverseWeights:
    """Weights with which the labelled items stand for all items.

    Attributes
    ----------
    sample_weight : (n_items,) float
        For training: 1 on average over labelled items, 0 for the others.
    effective_size : float
        As many rows of equal weight would say as much.
    clipped : float
        Share of labelled items whose weight was capped at ten times the average.
    """

    sample_weight: NDArray[np.float64]
    effective_size: float
    clipped: float

    @classmethod
    def of(cls, odds: Floats, labelled: NDArray[np.bool_]) -> "InverseWeights":
        """Weigh by 1 + odds, scaled so that the labelled stand for as many items as there are."""
        n, n_labelled = len(labelled), int(labelled.sum())
        extra = odds[labelled] / odds[labelled].sum() * (n - n_labelled)
        weight = (1.0 + extra) * (n_labelled / n)
        large = weight > LARGEST_WEIGHT
        weight = np.minimum(weight, LARGEST_WEIGHT)
        values = np.zeros(n)
        values[labelled] = weight / weight.mean()
        size = float(weight.sum() ** 2 / (weight @ weight))
        return cls(values, size, float(large.mean()))


def overlap_table(propensity: Floats, labelled: NDArray[np.bool_]) -> pl.DataFrame:
    """Give a row per range of propensity: low, high, n_labelled, n_unlabelled, share_labelled.

    Unlabelled items in a range without labelled ones are like none that was labelled: what is said
    about them is extrapolated.
    """
    edges = np.asarray(OVERLAP_BINS)
    place = np.clip(np.searchsorted(edges, propensity, side="right") - 1, 0, len(edges) - 2)
    count = [np.bincount(place[mask], minlength=len(edges) - 1) for mask in (labelled, ~labelled)]
    table = pl.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "n_labelled": count[0], "n_unlabelled": count[1]}
    )
    both = pl.col("n_labelled") + pl.col("n_unlabelled")
    return table.filter(both > 0).with_columns(share_labelled=pl.col("n_labelled") / both)


def auc_interval(
    score: Floats, positive: NDArray[np.bool_], level: float
) -> tuple[float, float, float, float]:
    """AUC with its interval, and the p-value of the test that it is at most 1/2.

    References
    ----------
    E. R. DeLong et al., "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 1988.
    """
    one, other = score[positive], score[~positive]
    rank = rankdata(np.concatenate([one, other]))
    above = (rank[: len(one)] - rankdata(one)) / len(other)
    below = 1.0 - (rank[len(one) :] - rankdata(other)) / len(one)
    auc = float(above.mean())
    error = float(np.sqrt(above.var() / len(one) + below.var() / len(other)))
    reach = float(ndtri((1.0 + level) / 2.0)) * error
    p_value = float(ndtr(-(auc - 0.5) / error)) if error > 0 else float(auc <= 0.5)
    return auc, max(auc - reach, 0.0), min(auc + reach, 1.0), p_value
