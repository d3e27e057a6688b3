"""What a row counts for: 2 is the row twice, 0 is the row left out."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from partlabel import Evidence, InputError, MajorityVote, PartialLabelClassifier
from partlabel.learn import SoftLogisticRegression

from .conftest import LABELS, Blobs, blobs, votes_on

OBJECTIVES = ["em", "expected", "hard", "pseudo", "average"]
WAYS = [("auto", True), *((objective, way) for objective in OBJECTIVES for way in (True, False))]


def evidence_about(data: Blobs) -> Evidence:
    return Evidence(votes=votes_on(data.truth, [0.9, 0.7]), candidates=data.candidates)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    "estimator", [SoftLogisticRegression(tol=1e-8), LogisticRegression(tol=1e-8), GaussianNB()]
)
def test_a_weight_of_two_is_the_row_twice(narrowed: Blobs, objective: Any, estimator: Any) -> None:
    # in sample, as twins in two folds would see each other; votes judged row by row
    clf = PartialLabelClassifier(
        estimator, objective=objective, label_model=MajorityVote(), out_of_fold=False
    )
    evidence = evidence_about(narrowed)
    weight = np.random.default_rng(0).integers(0, 3, 150)
    twice = np.repeat(np.arange(150), weight)
    weighted = clf.fit(narrowed.X, evidence, weight).predict_proba(narrowed.X)
    path = clf.objective_path_
    repeated = clf.fit(narrowed.X[twice], evidence[twice])
    assert np.allclose(weighted, repeated.predict_proba(narrowed.X), atol=1e-5)
    assert np.allclose(path, repeated.objective_path_, atol=1e-3)


@pytest.mark.parametrize(("objective", "out_of_fold"), WAYS)
def test_a_weight_of_zero_leaves_the_row_out_but_still_judges_it(
    narrowed: Blobs, objective: Any, out_of_fold: bool
) -> None:
    evidence, weight = evidence_about(narrowed), np.ones(150)
    weight[:40] = 0.0
    clf = PartialLabelClassifier(objective=objective, out_of_fold=out_of_fold)
    without = clf.fit(narrowed.X[40:], evidence[40:])
    probs, beliefs = without.predict_proba(narrowed.X), without.beliefs_.probs
    choice, reliable = without.choice_, without.label_model_.reliability_
    clf.fit(narrowed.X, evidence, weight)
    assert np.array_equal(clf.predict_proba(narrowed.X), probs)
    assert np.array_equal(clf.beliefs_.probs[40:], beliefs)
    assert clf.choice_ == choice
    assert clf.label_model_.reliability_.equals(reliable)
    assert (clf.beliefs_.probs[:40][~narrowed.mask[:40]] == 0).all()
    named = clf.beliefs_.probs[:40].argmax(1) == narrowed.truth[:40]
    assert named.mean() >= np.mean(probs[:40].argmax(1) == narrowed.truth[:40])


def test_a_row_of_weight_zero_about_which_nothing_is_known_is_predicted() -> None:
    data = blobs(30, extra=0.0)
    y = np.where(np.arange(30) < 2, -1, data.truth)
    clf = PartialLabelClassifier(objective="average").fit(data.X, y, np.arange(30) > 0)
    assert np.array_equal(clf.beliefs_.probs[:2], clf.predict_proba(data.X[:2]))


@pytest.mark.parametrize("objective", ["em", "average"])
def test_the_scale_of_the_weights_is_no_matter_to_trees(narrowed: Blobs, objective: Any) -> None:
    clf = PartialLabelClassifier(ExtraTreesClassifier(5, random_state=0), objective=objective)
    one, ten = (
        clf.fit(narrowed.X, narrowed.candidates, np.full(150, size)).predict_proba(narrowed.X)
        for size in (1.0, 8.0)
    )
    assert np.allclose(one, ten, atol=1e-9)


def test_inverse_propensities_undo_what_was_labelled_too_rarely() -> None:
    data = blobs(6_000, extra=0.0, spread=4.0)
    propensity = np.array([0.9, 0.3, 0.05])[data.truth]
    labelled = np.random.default_rng(0).random(6_000) < propensity
    X, y = data.X[labelled], data.names[labelled]
    clf = PartialLabelClassifier(SoftLogisticRegression())

    def balance() -> np.ndarray:
        shares = clf.predict_proba(data.X).mean(axis=0)
        return shares[[clf.classes_.tolist().index(name) for name in LABELS.classes]]

    clf.fit(X, y, 1.0 / propensity[labelled])
    assert np.allclose(balance(), 1 / 3, atol=0.04)
    clf.fit(X, y)
    assert balance()[2] < 0.2


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0], r"`sample_weight` must be one number for each of the 150 rows; .* \(1,\)"),
        (np.where(np.arange(150) == 7, -1.0, 1.0), "finite and not negative; got -1.0 at row 7"),
        (np.where(np.arange(150) == 7, np.inf, 1.0), "finite and not negative; got inf at row 7"),
        (np.zeros(150), "`sample_weight` must not be zero for all rows; it is for all 150"),
    ],
)
def test_weights_out_of_range_are_refused(narrowed: Blobs, weight: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PartialLabelClassifier().fit(narrowed.X, narrowed.candidates, weight)


def test_weight_must_be_left_on_rows_about_which_something_is_known(narrowed: Blobs) -> None:
    y = np.where(np.arange(150) < 75, narrowed.truth, -1)
    with pytest.raises(InputError, match=r"`evidence` must say something .* all 75 rows"):
        PartialLabelClassifier().fit(narrowed.X, y, np.arange(150) >= 75)
