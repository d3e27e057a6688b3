"""SoftForest: trees on beliefs."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from partlabel import PartialLabelClassifier
from partlabel.learn import soft_forest
from partlabel.learn.soft_forest import SoftForest

from .conftest import Blobs, blobs


def test_rows_alike_get_their_mean_belief() -> None:
    X, beliefs = np.zeros((4, 1)), np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    forest = SoftForest(n_trees=3).fit(X, beliefs, classes=["a", "b"])
    assert forest.predict_proba([[0.0]])[0] == pytest.approx([0.625, 0.375])
    assert forest.predict([[0.0]]).tolist() == ["a"]
    weighted = SoftForest(n_trees=3).fit(X, beliefs, [0, 1, 0, 0])
    assert weighted.predict_proba([[0.0]])[0, 1] > 0.99


def test_it_learns_from_candidates(narrowed: Blobs) -> None:
    clf = PartialLabelClassifier(SoftForest(n_trees=30), objective="em", n_folds=2)
    fresh = blobs(300, extra=0.0, seed=1)
    score = (clf.fit(narrowed.X, narrowed.candidates).predict(fresh.X) == fresh.names).mean()
    assert score > 0.8


def test_leaves_grow_where_tables_would_not_fit(
    narrowed: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, beliefs = narrowed.X, np.eye(3)[narrowed.truth]
    monkeypatch.setattr(soft_forest, "MEMORY", 500)
    small = SoftForest(n_trees=5).fit(X, beliefs).forest_
    assert sum(3 * tree.tree_.node_count for tree in small.estimators_) <= 500


def test_reading_before_fit_is_refused() -> None:
    with pytest.raises(NotFittedError):
        SoftForest().predict([[0.0]])
