"""Classifiers that take beliefs learn what others learn from rows repeated by class."""

from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from partlabel import Candidates, Evidence, PartialLabelClassifier
from partlabel.learn import SoftLogisticRegression
from partlabel.learn.soft import takes_beliefs

from .conftest import LABELS, Blobs, blobs, votes_on


def soft(**settings: Any) -> SoftLogisticRegression:
    return SoftLogisticRegression(tol=1e-8, **settings)


def repeating(**settings: Any) -> LogisticRegression:
    return LogisticRegression(tol=1e-8, max_iter=5_000, **settings)


@pytest.mark.parametrize("objective", ["em", "expected", "hard", "pseudo", "average"])
@pytest.mark.parametrize("out_of_fold", [True, False])
def test_it_is_trained_as_on_repeated_rows(
    narrowed: Blobs, objective: Any, out_of_fold: bool
) -> None:
    evidence = Evidence(
        votes=votes_on(narrowed.truth, [0.9, 0.7, 0.6]), candidates=narrowed.candidates
    )
    weight = np.random.default_rng(0).uniform(0.0, 2.0, 150)
    settings = {"objective": objective, "out_of_fold": out_of_fold}
    ours, theirs = (
        PartialLabelClassifier(model, **settings).fit(narrowed.X, evidence, weight)
        for model in (soft(class_weight={"red": 2.0}), repeating(class_weight={"red": 2.0}))
    )
    assert ours.n_iter_ == theirs.n_iter_
    assert np.allclose(ours.predict_proba(narrowed.X), theirs.predict_proba(narrowed.X), atol=1e-4)


def test_a_pipeline_passes_beliefs_to_its_last_step_and_scales_each_row_once() -> None:
    data = blobs(120, extra=0.4)
    inside = make_pipeline(StandardScaler(), soft())
    around = make_pipeline(
        StandardScaler(), PartialLabelClassifier(soft(), objective="average")
    ).fit(data.X, Evidence(candidates=data.candidates))
    assert takes_beliefs(inside)
    clf = PartialLabelClassifier(inside, objective="average")
    clf.fit(data.X, data.candidates)
    spoken = ~data.mask.all(axis=1)
    assert np.allclose(clf.estimator_[0].mean_, data.X[spoken].mean(axis=0))
    assert np.array_equal(clf.predict(data.X), around.predict(data.X))


def test_a_pipeline_with_steps_that_want_labels_repeats_rows(narrowed: Blobs) -> None:
    picky = make_pipeline(SelectKBest(k=1), soft())
    assert not takes_beliefs(picky)
    assert not takes_beliefs(Pipeline([("inner", picky)]))
    assert not takes_beliefs(LogisticRegression())
    clf = PartialLabelClassifier(picky, objective="average").fit(narrowed.X, narrowed.candidates)
    assert clf.estimator_[-1].coef_.shape == (3, 1)


def test_texts_are_learnt_from_beliefs() -> None:
    data = blobs(60, extra=0.5, spread=1.0)
    texts = [f"{name} w{row}" for row, name in enumerate(data.names)]
    clf = PartialLabelClassifier(make_pipeline(CountVectorizer(), SoftLogisticRegression()))
    assert clf.fit(texts, data.candidates).score(texts, data.names) == 1.0


@pytest.mark.parametrize("objective", ["em", "average", "hard"])
def test_classes_that_no_row_may_have_are_left_out(narrowed: Blobs, objective: Any) -> None:
    mask = narrowed.mask.copy()
    mask[:, 1] = False
    kept = mask.any(axis=1)
    cands = Candidates.from_mask(mask[kept], LABELS)
    clf = PartialLabelClassifier(objective=objective).fit(narrowed.X[kept], cands)
    assert clf.estimator_.classes_.tolist() == ["red", "blue"]
    assert (clf.predict_proba(narrowed.X)[:, 1] == 0).all()
