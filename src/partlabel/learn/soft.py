"""Train any scikit-learn classifier on beliefs.

A row stands once for each class that it may have, weighted by the belief in it; once in all where
the classifier takes the beliefs themselves (`SoftTargets`).
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import SelectorMixin
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import has_fit_parameter

from partlabel.errors import InputError, rows_named

NEGLIGIBLE = 1e-6  # beliefs below this train nothing, and would only repeat rows


@runtime_checkable
class SoftTargets(Protocol):
    """A classifier that learns from beliefs themselves, and says so by ``soft_targets = True``.

    Its ``fit(X, y, sample_weight, classes=...)`` takes a table (n_rows, n_classes) of beliefs for
    `y`, and the names of its columns.
    """

    soft_targets: bool


def check_learns_softly(estimator: Any) -> None:
    """Refuse an estimator that can't be trained on beliefs, before anything is trained.

    Raises
    ------
    TypeError
        If it is no classifier, gives no probabilities, or takes no weights.
    """
    last = _last_step(estimator)
    name = type(last).__name__
    if not is_classifier(estimator):
        raise TypeError(
            f"`estimator` must be a scikit-learn classifier; got {name}. "
            "Pass one, such as LogisticRegression()."
        )
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"`estimator` must have `predict_proba`; {name} as it is set has none. "
            f"Wrap it: CalibratedClassifierCV({name}(...))."
        )
    if not has_fit_parameter(last, "sample_weight"):
        raise TypeError(
            f"`estimator` must take `sample_weight` in `fit`; {name} doesn't. "
            "Beliefs train it as weights: pass a classifier that takes them, such as "
            "LogisticRegression() or ExtraTreesClassifier()."
        )


def fit_softly(
    estimator: Any,
    X: Any,
    beliefs: NDArray[np.float64],
    classes: NDArray[Any],
    weight: NDArray[np.float64],
    *,
    resume: bool = False,
) -> Any:
    """Give a classifier trained on beliefs; a row counts for its weight in all.

    Parameters
    ----------
    estimator : classifier
        Not changed, unless `resume`.
    X : (n_rows, ...) features of any kind that scikit-learn can index
    beliefs : (n_rows, n_classes)
        Rows of zeros take no part.
    classes : (n_classes,)
        Names to train with.
    weight : (n_rows,)
        What each row counts for.
    resume : bool, default False
        Go on from where `estimator` stands, where `warmed` made it so and it has met these classes.
    """
    taught = beliefs > NEGLIGIBLE
    known = np.flatnonzero(taught.any(axis=0))
    learner = estimator if resume and _goes_on(estimator, classes[known]) else clone(estimator)
    if len(known) > 1 and takes_beliefs(learner):
        rows = np.flatnonzero(taught.any(axis=1))
        inputs = X if len(rows) == len(beliefs) else _safe_indexing(X, rows)
        told = {"sample_weight": weight[rows], "classes": classes[known]}
        return learner.fit(inputs, beliefs[np.ix_(rows, known)], **_for_last_step(learner, told))
    row, code = np.nonzero(taught)
    inputs, said, amount = _safe_indexing(X, row), classes[code], beliefs[row, code] * weight[row]
    if len(known) < 2:  # scikit-learn's classifiers refuse a single class
        return DummyClassifier(strategy="prior").fit(inputs, said, sample_weight=amount)
    return learner.fit(inputs, said, **_for_last_step(learner, {"sample_weight": amount}))


def takes_beliefs(estimator: Any) -> bool:
    """Whether beliefs go in as they are; steps of a pipeline that want labels can't read them."""
    last = _last_step(estimator)
    if not (isinstance(last, SoftTargets) and last.soft_targets):
        return False
    return not any(_wants_labels(step) for step in _steps_before(estimator))


def probabilities(estimator: Any, X: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    """(n_rows, n_classes) What a trained classifier predicts, 0 for classes it hasn't met.

    Columns are as in `classes`; the classifier itself has them sorted.
    """
    known = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    if np.array_equal(estimator.classes_, classes):
        return known
    position = {name: k for k, name in enumerate(classes.tolist())}
    probs = np.zeros((len(known), len(classes)))
    probs[:, [position[name] for name in estimator.classes_.tolist()]] = known
    return probs


def warmed(estimator: Any) -> Any:
    """A copy that goes on from its last fit, where that leads to the same model sooner.

    True of linear models; trees would only add to what they hold, and a pipeline may turn other
    rows into other features.
    """
    copy = clone(estimator)
    if isinstance(copy, LinearClassifierMixin) and "warm_start" in copy.get_params():
        copy.set_params(warm_start=True)
    return copy


def row_weights(sample_weight: Any, n_rows: int) -> NDArray[np.float64]:
    """(n_rows,) What each row counts for; None is 1.

    Raises
    ------
    InputError
        If it isn't one number for each row, finite and not negative, some of them above 0.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape not in ((), (n_rows,)):
        raise InputError(
            f"`sample_weight` must be one number for each of the {n_rows} rows; got the shape "
            f"{weight.shape}. Pass weights of the rows of `X`."
        )
    weight = np.broadcast_to(weight, (n_rows,))
    off = ~(np.isfinite(weight) & (weight >= 0))
    if off.any():
        raise InputError(
            f"`sample_weight` must be finite and not negative; got {weight[off.argmax()]} at "
            f"{rows_named(off)}. Give 0 to leave a row out."
        )
    if not weight.any():
        raise InputError(
            f"`sample_weight` must not be zero for all rows; it is for all {n_rows}. "
            "Give a positive weight to those to train on."
        )
    return weight


def _for_last_step(estimator: Any, told: dict[str, Any]) -> dict[str, Any]:
    """What `fit` calls these arguments: those of a pipeline go to its last step."""
    if not isinstance(estimator, Pipeline):
        return told
    name, last = estimator.steps[-1]
    return {f"{name}__{key}": value for key, value in _for_last_step(last, told).items()}


def _last_step(estimator: Any) -> Any:
    return _last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def _steps_before(estimator: Any) -> list[Any]:
    if not isinstance(estimator, Pipeline):
        return []
    *steps, last = [step for _, step in estimator.steps]
    return [step for step in steps if hasattr(step, "fit")] + _steps_before(last)


def _wants_labels(step: Any) -> bool:
    return (
        isinstance(step, SelectorMixin)  # the tags of some don't tell, as it depends on the score
        or not hasattr(step, "__sklearn_tags__")
        or bool(get_tags(step).target_tags.required)
    )


def _goes_on(estimator: Any, classes: NDArray[Any]) -> bool:
    return (
        isinstance(estimator, LinearClassifierMixin)
        and hasattr(estimator, "coef_")
        and set(estimator.classes_.tolist()) == set(classes.tolist())
    )
