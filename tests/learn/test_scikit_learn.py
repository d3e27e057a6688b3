"""PartialLabelClassifier and evidence keep scikit-learn's promises."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from partlabel import Candidates, Evidence, LabelSpace, PartialLabelClassifier

from .conftest import LABELS, Blobs, votes_on


def _failing(estimator: PartialLabelClassifier) -> dict[str, str]:
    if estimator.missing is None:
        return {}
    return {"check_classifiers_classes": "-1 is one of its classes; here it stands for no label"}


@parametrize_with_checks(
    [
        PartialLabelClassifier(missing=None),
        PartialLabelClassifier(objective="em"),
    ],
    expected_failed_checks=_failing,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_evidence_is_cut_as_an_array_is(narrowed: Blobs) -> None:
    evidence = Evidence(votes=votes_on(narrowed.truth, [0.9, 0.7]), candidates=narrowed.candidates)
    rows = np.array([5, 0, 7])
    for part in (evidence[rows], evidence[rows, ...], evidence[[5, 0, 7]]):
        assert part.candidates is not None
        assert np.array_equal(part.candidates.mask(), narrowed.mask[rows])
        assert part.votes is not None
        assert part.votes.n_votes == evidence.votes.votes_per_item[rows].sum()
    assert len(evidence[narrowed.truth == 1]) == (narrowed.truth == 1).sum()
    assert len(evidence[10:20]) == 10
    assert evidence.shape == (150,)


def test_evidence_as_an_array_holds_the_exact_labels() -> None:
    evidence = Evidence(
        candidates=Candidates.from_lists(["blue", ["red", "blue"], None, "red"], LABELS)
    )
    assert np.asarray(evidence).tolist() == [2, -1, -1, 0]


def test_cross_validation_and_grid_search_take_evidence(narrowed: Blobs) -> None:
    evidence = Evidence(candidates=narrowed.candidates)
    clf = PartialLabelClassifier(LogisticRegression(), objective="average")
    scores = cross_val_score(clf, narrowed.X, evidence, cv=4)
    assert scores.shape == (4,)
    assert (scores > 0.6).all()
    grid = {"estimator__C": [1e-4, 1.0], "objective": ["average", "em"]}
    search = GridSearchCV(clf, grid, cv=KFold(3, shuffle=True, random_state=0))
    search.fit(narrowed.X, evidence)
    assert search.best_params_["estimator__C"] == 1.0
    assert search.predict(narrowed.X[:3]).tolist() == narrowed.names[:3].tolist()


def test_it_goes_into_a_pipeline_and_takes_one(narrowed: Blobs) -> None:
    inside = make_pipeline(StandardScaler(), LogisticRegression())
    evidence = Evidence(candidates=narrowed.candidates)
    around = make_pipeline(StandardScaler(), PartialLabelClassifier(objective="average"))
    around.fit(narrowed.X, evidence)
    clf = PartialLabelClassifier(inside, objective="average").fit(narrowed.X, evidence)
    assert np.mean(around.predict(narrowed.X) == clf.predict(narrowed.X)) > 0.95


def test_texts_are_learnt_from_with_a_vectoriser() -> None:
    texts = ["win money", "money now", "see you", "you there", "win you", "hello there"] * 3
    seen = [["spam"], None, ["ham"], ["ham", "spam"], ["spam", "ham"], ["ham"]] * 3
    cands = Candidates.from_lists(seen, LabelSpace(["ham", "spam"]))
    clf = PartialLabelClassifier(make_pipeline(CountVectorizer(), LogisticRegression()))
    clf.fit(texts, cands)
    assert clf.predict(["win money", "hello"]).tolist() == ["spam", "ham"]
    assert not hasattr(clf, "n_features_in_")


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array])
def test_sparse_features_train_as_dense_ones_do(narrowed: Blobs, kind: Any) -> None:
    clf = PartialLabelClassifier(objective="em", out_of_fold=False)
    dense = clf.fit(narrowed.X, narrowed.candidates).predict_proba(narrowed.X)
    thin = clf.fit(kind(narrowed.X), narrowed.candidates).predict_proba(kind(narrowed.X))
    assert np.allclose(dense, thin, atol=1e-3)


def test_tables_give_their_column_names(narrowed: Blobs) -> None:
    table = pd.DataFrame(narrowed.X, columns=["east", "north"])
    clf = PartialLabelClassifier(objective="average").fit(table, narrowed.candidates)
    assert clf.feature_names_in_.tolist() == ["east", "north"]
    assert clf.n_features_in_ == 2


def test_clone_pickle_and_a_second_fit_give_the_same_model(narrowed: Blobs) -> None:
    first = PartialLabelClassifier(ExtraTreesClassifier(5, random_state=0), objective="em")
    first.fit(narrowed.X, narrowed.candidates)
    expected = first.predict_proba(narrowed.X)
    again = clone(first).fit(narrowed.X, narrowed.candidates)
    assert np.array_equal(again.predict_proba(narrowed.X), expected)
    kept = pickle.loads(pickle.dumps(first))
    assert np.array_equal(kept.predict_proba(narrowed.X), expected)
    assert kept.choice_ == first.choice_


def test_the_estimator_given_is_left_alone(narrowed: Blobs) -> None:
    estimator = LogisticRegression()
    PartialLabelClassifier(estimator, objective="em").fit(narrowed.X, narrowed.candidates)
    assert not hasattr(estimator, "coef_")
    assert estimator.warm_start is False


def test_reading_before_fit_is_refused() -> None:
    with pytest.raises(NotFittedError):
        PartialLabelClassifier().predict([[0.0]])
