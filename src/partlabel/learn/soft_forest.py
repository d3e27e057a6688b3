"""SoftForest: extremely randomised trees on beliefs, each row standing once."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.utils.validation import check_is_fitted

from partlabel.learn.soft import row_weights

FLOOR = 1e-3  # no class is ruled out because no tree has met it nearby
MEMORY = 2**25  # entries in the tables of all leaves together, at the most


class SoftForest(ClassifierMixin, BaseEstimator):
    """Trees whose leaves hold mean beliefs; for `PartialLabelClassifier` and ensembles.

    Parameters
    ----------
    n_trees : int, default 100
        More vary less, and take as much longer.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    classes_ : (n_classes,) class names
    forest_ : ExtraTreesRegressor

    References
    ----------
    P. Geurts et al., Extremely randomized trees, Machine Learning 2006.
    """

    soft_targets = True

    classes_: NDArray[Any]
    forest_: ExtraTreesRegressor

    def __init__(self, *, n_trees: int = 100, random_state: Any = 0) -> None:
        self.n_trees = n_trees
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, classes: Any = None) -> Self:
        """Train on beliefs `y` (n_rows, n_classes), whose columns `classes` names."""
        beliefs = np.asarray(y, dtype=np.float64)
        self.classes_ = np.arange(beliefs.shape[1]) if classes is None else np.asarray(classes)
        # a tree has up to two nodes for each row, with an entry for each class
        smallest = -(-2 * beliefs.size * self.n_trees // MEMORY)
        self.forest_ = ExtraTreesRegressor(
            self.n_trees,
            max_features="sqrt",
            min_samples_leaf=max(1, smallest),
            random_state=self.random_state,
        ).fit(np.asarray(X), beliefs, row_weights(sample_weight, len(beliefs)))
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n_rows, n_classes) Give the probability of each class.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self, "forest_")
        said = self.forest_.predict(np.asarray(X)).reshape(-1, len(self.classes_))
        said = np.maximum(said, FLOOR)
        return np.asarray(said / said.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> NDArray[Any]:
        """(n_rows,) Give the name of the likeliest class. Raises as `predict_proba` does."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])
