"""PartialLabelForest: trees on beliefs, found anew by the trees that did not see the row."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate.sources import Sources
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence

FLOOR = 1e-3  # no class is ruled out because no tree has met it nearby


class PartialLabelForest(ClassifierMixin, BaseEstimator):
    r"""Extremely randomised trees on labels that are only partly known.

    Each round trains trees on the beliefs about the rows, and then finds the beliefs anew: what the
    trees that did not train on a row say of it, times its evidence. A forest that judged its own
    training rows would confirm what it has memorised. Trees take features of any scale, and find
    what linear models and small networks miss where there are few features and many rows.

    Parameters
    ----------
    n_trees : int, default 200
        More vary less, and take as much longer.
    n_rounds : int, default 3
        1 trains on all candidates alike.
    label_model : label model, default None
        What makes beliefs of votes; None takes `LabelModel()`.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    classes_ : (n_classes,) class names
    forest_ : ExtraTreesRegressor
        The trees of the last round

    Examples
    --------
    >>> from partlabel import LabelSpace
    >>> X = np.array([[0.0], [0.2], [0.4], [2.0], [2.2], [2.4]])
    >>> seen = [["a"], ["a", "c"], ["a", "b"], ["b"], ["b", "c"], ["b"]]
    >>> cands = Candidates.from_lists(seen, LabelSpace(["a", "b", "c"]))
    >>> PartialLabelForest().fit(X, cands).predict([[0.1], [2.3]]).tolist()
    ['a', 'b']

    References
    ----------
    P. Geurts et al., Extremely randomized trees, Machine Learning 2006.
    R. Jin and Z. Ghahramani, Learning with multiple labels, NIPS 2002 (EM over candidates).
    """

    classes_: NDArray[Any]
    forest_: ExtraTreesRegressor

    def __init__(
        self,
        *,
        n_trees: int = 200,
        n_rounds: int = 3,
        label_model: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.n_trees = n_trees
        self.n_rounds = n_rounds
        self.label_model = label_model
        self.random_state = random_state

    def fit(self, X: Any, y: Evidence | Votes | Candidates) -> Self:
        """Train on rows and what is known of their labels; rows with nothing known are left out.

        Raises
        ------
        InputError
            If a setting is out of range, or the evidence says nothing or rules out every class of
            a row.
        """
        if not min(self.n_trees, self.n_rounds) >= 1:
            raise InputError(
                "`n_trees` and `n_rounds` must be at least 1; got "
                f"{self.n_trees} and {self.n_rounds}."
            )
        evidence = as_evidence(y)
        sources = Sources.learnt(self.label_model, evidence)
        told = np.flatnonzero(sources.spoken(evidence))
        likelihood = np.exp(sources.log_likelihood(evidence.select(told)))
        chance = check_random_state(self.random_state)
        known = np.asarray(X)[told]
        beliefs = _shares(likelihood)
        for left in reversed(range(self.n_rounds)):
            self.forest_ = ExtraTreesRegressor(
                self.n_trees,
                max_features="sqrt",
                bootstrap=True,
                oob_score=_nothing if left else False,
                random_state=chance.randint(np.iinfo(np.int32).max),
            ).fit(known, beliefs)
            if left:
                said = np.asarray(self.forest_.oob_prediction_)
                beliefs = _shares(np.maximum(said, FLOOR) * likelihood)
        names = evidence.labels.classes
        mixed = len({type(name) for name in names}) > 1
        self.classes_ = np.array(names, dtype=object if mixed else None)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n_rows, n_classes) Give the probability of each class.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self, "forest_")
        return _shares(np.maximum(self.forest_.predict(np.asarray(X)), FLOOR))

    def predict(self, X: Any) -> NDArray[Any]:
        """(n_rows,) Give the name of the likeliest class. Raises as `predict_proba` does."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _nothing(_true: Any, _said: Any) -> float:
    """No score is read: it is asked for because predictions out of bag come with it."""
    return 0.0
