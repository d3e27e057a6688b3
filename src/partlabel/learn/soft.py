"""Train any scikit-learn classifier on beliefs: a row stands once per class, weighted by it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import has_fit_parameter

NEGLIGIBLE = 1e-6  # beliefs below this train nothing, and would only repeat rows


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
    *,
    resume: bool = False,
) -> Any:
    """Give a classifier trained on beliefs; a row's weights add up to one.

    Parameters
    ----------
    estimator : classifier
        Not changed, unless `resume`.
    X : (n_rows, ...) features of any kind that scikit-learn can index
    beliefs : (n_rows, n_classes)
        Rows of zeros take no part.
    classes : (n_classes,)
        Names to train with.
    resume : bool, default False
        Go on from where `estimator` stands, where `warmed` made it so and it has met these classes.
    """
    row, code = np.nonzero(beliefs > NEGLIGIBLE)
    weight, said = beliefs[row, code], classes[code]
    inputs = _safe_indexing(X, row)
    if len(set(code.tolist())) < 2:  # scikit-learn's classifiers refuse a single class
        return DummyClassifier(strategy="prior").fit(inputs, said, sample_weight=weight)
    learner = estimator if resume and _goes_on(estimator, said) else clone(estimator)
    return learner.fit(inputs, said, **{weight_parameter(learner): weight})


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


def weight_parameter(estimator: Any) -> str:
    """What `fit` calls the weights: those of a pipeline go to its last step."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return f"{name}__{weight_parameter(last)}"
    return "sample_weight"


def _last_step(estimator: Any) -> Any:
    return _last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def _goes_on(estimator: Any, said: NDArray[Any]) -> bool:
    return (
        isinstance(estimator, LinearClassifierMixin)
        and hasattr(estimator, "coef_")
        and np.array_equal(estimator.classes_, np.unique(said))
    )
