"""The default recipe for candidate sets: what to begin with, whatever the features are."""

from typing import Any

from partlabel.learn.ensemble import AutoPartialLabelClassifier
from partlabel.learn.members import SCALINGS, scaled


def default_recipe(
    estimator: Any = None, *, n_folds: int = 5, n_jobs: int | None = None
) -> AutoPartialLabelClassifier:
    """Give an ensemble that chooses scaling, model and penalty for features and candidate sets.

    How features are scaled matters more for candidate sets than the objective does, and no scaling
    suits all. See `AutoPartialLabelClassifier` for how it chooses and when it is right. It sees no
    clean label.

    Parameters
    ----------
    estimator : classifier, default None
        None takes linear and radial models and a forest. Another is tried in each scaling.
    n_folds : int, default 5
        Folds to choose and to average over.
    n_jobs : int, default None
        How many models to train at once, as in scikit-learn.

    Examples
    --------
    >>> recipe = default_recipe()
    >>> recipe.n_folds, recipe.members is None
    (5, True)
    """
    members = None
    if estimator is not None:
        members = {scaling: scaled(scaling, estimator) for scaling in SCALINGS}
    return AutoPartialLabelClassifier(members, n_folds=n_folds, n_jobs=n_jobs)
