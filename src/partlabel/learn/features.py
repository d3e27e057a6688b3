r"""Features for candidate sets: scalings, and radial features as wide as rows lie apart.

A radial kernel :math:`\exp(-g \|x - z\|^2 / m)`, with m the median squared distance between rows,
needs no width in the units of the features. Nyström features span it: C. Williams and M. Seeger,
Using the Nyström method to speed up kernel machines, NIPS 2000.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

PAIRED = 300  # rows whose distances give the median
LENGTH = 300.0  # squared, of what is made of a row: of 300 features, an entry is about 1


def row_norm(X: NDArray[Any]) -> NDArray[Any]:
    """(n_rows, n_features) Rows of equal length, such that an entry is about 1."""
    scaled: NDArray[Any] = normalize(X) * np.sqrt(X.shape[1])
    return scaled


class Ranks(TransformerMixin, BaseEstimator):
    """Scale each feature by the share of training rows below it: no outlier is far from others.

    Attributes
    ----------
    sorted_ : (n_rows, n_features) float
    """

    sorted_: NDArray[np.float64]

    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the values of each feature; `y` is not used."""
        self.sorted_ = np.sort(validate_data(self, X, dtype=np.float64), axis=0)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """(n_rows, n_features) Ranks of variance 1: between the roots of 3 below and above 0."""
        check_is_fitted(self, "sorted_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        ranks = np.empty_like(X)
        for j, known in enumerate(self.sorted_.T):
            ranks[:, j] = np.searchsorted(known, X[:, j], "left")
            ranks[:, j] += np.searchsorted(known, X[:, j], "right")
        return np.asarray(np.sqrt(3.0) * (ranks / len(self.sorted_) - 1.0))


class RadialFeatures(TransformerMixin, BaseEstimator):
    """Nyström features of a radial kernel, as wide as rows lie apart.

    Parameters
    ----------
    sharpness : float, default 1.0
        How fast rows become unlike, in the median squared distance. Higher follows finer detail.
    n_components : int, default None
        Rows to compare with, and features. None takes the root of the number of rows times its
        logarithm, which loses little (A. Rudi et al., Less is more: Nyström computational
        regularization, NIPS 2015), but 300 at least, if there are as many, and 500 at most.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    kernel_ : Nystroem
    """

    kernel_: Nystroem

    def __init__(
        self, sharpness: float = 1.0, *, n_components: int | None = None, random_state: Any = 0
    ) -> None:
        self.sharpness = sharpness
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the width, and rows to compare with; `y` is not used."""
        X = validate_data(self, X, dtype=np.float64)
        chance = check_random_state(self.random_state)
        some = X[chance.permutation(len(X))[:PAIRED]]
        apart = pairwise_distances(some, metric="sqeuclidean")
        apart = apart[apart > 0]
        enough = int(np.clip(np.sqrt(len(X)) * np.log(len(X)), 300, 500))
        self.kernel_ = Nystroem(
            gamma=self.sharpness / np.median(apart) if len(apart) else 1.0,
            n_components=min(self.n_components or enough, len(X)),
            random_state=chance.randint(np.iinfo(np.int32).max),
        ).fit(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """(n_rows, n_components) In single precision: models take half the time to fit."""
        check_is_fitted(self, "kernel_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(np.sqrt(LENGTH) * self.kernel_.transform(X), dtype=np.float32)
