"""The default recipe for candidate sets: scaling and penalty, chosen without a clean label."""

from typing import Any

from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from partlabel.learn.classifier import PartialLabelClassifier
from partlabel.learn.soft_logistic import SoftLogisticRegression

# The penalty weighs less the longer the rows are: of length 1, or of the root of n_features.
STRENGTHS = {Normalizer: (10.0, 100.0, 1_000.0), StandardScaler: (0.1, 1.0, 10.0)}


def default_recipe(
    estimator: Any = None, *, n_folds: int = 3, n_jobs: int | None = None
) -> GridSearchCV:
    """Give a search over scalings and penalties, for features and candidate sets.

    How features are scaled matters more for candidate sets than the objective does, and no scaling
    suits all. The search scales columns (`StandardScaler`) and rows (`Normalizer`), and takes what
    has the highest approximated accuracy on held-out candidates: the belief in each predicted class
    given the model and the row's candidates. It sees no clean label. Right where features are
    numbers and candidates hold the true class; it compares models of one kind, as it flatters a
    model that is too sure of itself.

    Parameters
    ----------
    estimator : classifier, default None
        None takes `SoftLogisticRegression`, trained by EM in sample, and chooses its penalty too.
        Another is trained as `PartialLabelClassifier` would by itself, on each scaling.
    n_folds : int, default 3
        Folds to compare on.
    n_jobs : int, default None
        As in `GridSearchCV`.

    Returns
    -------
    GridSearchCV of a `Pipeline` with the steps "scale" and "classify"
        Fit it on features and `Evidence`. `best_params_` says what was chosen, `cv_results_` why.

    Examples
    --------
    >>> recipe = default_recipe()
    >>> [type(step).__name__ for step in recipe.estimator]
    ['StandardScaler', 'PartialLabelClassifier']

    References
    ----------
    W. Wang et al., Realistic evaluation of deep partial-label learning algorithms, ICLR 2025
    (approximated accuracy to choose settings).
    """
    if estimator is None:
        learner = PartialLabelClassifier(
            SoftLogisticRegression(), objective="em", out_of_fold=False, max_iter=200, tol=1e-3
        )
        grid: Any = [
            {"scale": [scaler()], "classify__estimator__C": list(strengths)}
            for scaler, strengths in STRENGTHS.items()
        ]
    else:
        learner = PartialLabelClassifier(estimator)
        grid = {"scale": [scaler() for scaler in STRENGTHS]}
    return GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("classify", learner)]),
        grid,
        cv=KFold(n_folds, shuffle=True, random_state=0),
        n_jobs=n_jobs,
    )
