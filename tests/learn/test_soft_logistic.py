"""Logistic regression on beliefs is scikit-learn's on labels, and on rows repeated by class."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import approx_fprime
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from partlabel import Beliefs, InputError, LabelSpace
from partlabel.aggregate import Outcome
from partlabel.learn import SoftLogisticRegression
from partlabel.learn.soft_logistic import cost_and_gradient


@parametrize_with_checks([SoftLogisticRegression()])
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def rows(n_classes: int, seed: int = 0, n: int = 120) -> tuple[NDArray[Any], NDArray[Any]]:
    """Features, and beliefs that follow them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    logits = X @ rng.normal(size=(4, n_classes)) + rng.normal(size=n_classes)
    beliefs = np.array([rng.dirichlet(np.exp(row) + 0.05) for row in logits])
    return X, beliefs


def exactly(**settings: Any) -> SoftLogisticRegression:
    return SoftLogisticRegression(tol=1e-9, **settings)


def scikit_learns(**settings: Any) -> LogisticRegression:
    return LogisticRegression(tol=1e-9, max_iter=10_000, **settings)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_on_plain_labels_it_is_scikit_learns(n_classes: int, C: float, fit_intercept: bool) -> None:
    X, beliefs = rows(n_classes)
    y = beliefs.argmax(axis=1)
    settings = {"C": C, "fit_intercept": fit_intercept}
    theirs = scikit_learns(**settings).fit(X, y)
    for taught in (y, np.eye(n_classes)[y]):
        ours = exactly(**settings).fit(X, taught)
        assert ours.coef_.shape == theirs.coef_.shape
        assert np.allclose(ours.coef_, theirs.coef_, atol=1e-4)
        assert np.allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
        assert np.array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_beliefs_count_as_rows_repeated_by_class(n_classes: int) -> None:
    X, beliefs = rows(n_classes)
    weight = np.random.default_rng(1).uniform(0, 3, len(X))
    theirs = scikit_learns().fit(
        np.repeat(X, n_classes, axis=0),
        np.tile(np.arange(n_classes), len(X)),
        sample_weight=(beliefs * weight[:, None]).ravel(),
    )
    ours = exactly().fit(X, beliefs, weight)
    assert np.allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    assert np.allclose(ours.coef_, theirs.coef_, atol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_gradient_is_that_of_finite_differences(n_classes: int, fit_intercept: bool) -> None:
    X, beliefs = rows(n_classes, n=15)
    n_outputs = 1 if n_classes == 2 else n_classes
    at = np.random.default_rng(2).normal(size=(n_outputs, 5))
    at[:, -1] *= fit_intercept
    given = X, beliefs / beliefs.sum(), 0.3, fit_intercept
    _, gradient = cost_and_gradient(at.ravel(), *given)
    slope = approx_fprime(at.ravel(), lambda flat: cost_and_gradient(flat, *given)[0], 1e-7)
    slope = slope.reshape(at.shape)
    slope[:, -1] *= fit_intercept  # it is held where it is
    assert np.allclose(gradient, slope.ravel(), atol=1e-6)


def test_the_cost_of_extreme_logits_is_finite() -> None:
    X, said = np.array([[1e4], [-1e4]]), np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])
    flat = np.array([[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]).ravel()
    cost, gradient = cost_and_gradient(flat, X, said, 0.0)
    assert cost == pytest.approx(0.5 * 0.0 + 0.5 * 1e4)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, np.asfortranarray])
def test_every_kind_of_features_gives_the_same_model(kind: Any) -> None:
    X, beliefs = rows(3)
    X[np.abs(X) < 0.5] = 0.0
    dense, other = exactly().fit(X, beliefs), exactly().fit(kind(X), beliefs)
    assert np.allclose(dense.coef_, other.coef_, atol=1e-6)
    assert np.allclose(other.predict_proba(kind(X)), dense.predict_proba(X), atol=1e-6)


def test_single_precision_stays_and_comes_close() -> None:
    X, beliefs = rows(3)
    single = SoftLogisticRegression().fit(X.astype(np.float32), beliefs)
    assert single.coef_.dtype == single.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert np.allclose(
        single.predict_proba(X), exactly().fit(X, beliefs).predict_proba(X), atol=0.01
    )


def test_a_weight_of_two_is_the_row_twice_and_zero_is_none() -> None:
    X, beliefs = rows(3)
    weight = np.random.default_rng(3).integers(0, 3, len(X))
    twice = np.repeat(np.arange(len(X)), weight)
    weighted, repeated = exactly().fit(X, beliefs, weight), exactly().fit(X[twice], beliefs[twice])
    assert np.allclose(weighted.coef_, repeated.coef_, atol=1e-6)


def test_class_weights_multiply_the_beliefs() -> None:
    X, beliefs = rows(3)
    named = exactly(class_weight={0: 2.0, 2: 0.5}).fit(X, beliefs)
    by_hand = exactly().fit(X, beliefs * [2.0, 1.0, 0.5])
    assert np.allclose(named.coef_, by_hand.coef_, atol=1e-6)
    y = beliefs.argmax(axis=1)
    balanced = exactly(class_weight="balanced").fit(X, y)
    assert np.allclose(
        balanced.coef_, scikit_learns(class_weight="balanced").fit(X, y).coef_, atol=1e-4
    )


def test_rows_that_say_nothing_take_no_part() -> None:
    X, beliefs = rows(3)
    beliefs[:40] = 0.0
    assert np.allclose(
        exactly().fit(X, beliefs).coef_, exactly().fit(X[40:], beliefs[40:]).coef_, atol=1e-6
    )
    gaps = np.array([None] * 40 + ["a", "b", "c", "a"] * 20, dtype=object)
    fitted = exactly().fit(X, gaps)
    assert np.allclose(fitted.coef_, exactly().fit(X[40:], gaps[40:]).coef_, atol=1e-6)


def test_beliefs_bring_their_names() -> None:
    X, probs = rows(3)
    named = SoftLogisticRegression().fit(X, Beliefs(probs, LabelSpace(["red", "green", "blue"])))
    assert named.classes_.tolist() == ["red", "green", "blue"]
    table = SoftLogisticRegression().fit(X, probs, classes=["red", "green", "blue"])
    assert np.array_equal(named.coef_, table.coef_)
    assert named.predict(X[:1])[0] == named.classes_[named.predict_proba(X[:1]).argmax()]


def test_a_warm_start_is_at_the_end_already() -> None:
    X, beliefs = rows(3)
    model = SoftLogisticRegression(warm_start=True).fit(X, beliefs)
    first = model.n_iter_
    assert model.fit(X, beliefs).n_iter_ == 1 < first
    assert model.fit(X[:, :3], beliefs).coef_.shape == (3, 3)
    assert clone(model).set_params(warm_start=False).fit(X, beliefs).n_iter_ == first


def test_it_says_when_it_stopped_early() -> None:
    X, beliefs = rows(3)
    model = SoftLogisticRegression(max_iter=2)
    with pytest.warns(ConvergenceWarning, match="SoftLogisticRegression: `max_iter` was reached"):
        model.fit(X, beliefs)
    assert model.status_ is Outcome.MAX_ITER
    assert SoftLogisticRegression().fit(X, beliefs).status_ is Outcome.CONVERGED


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"C": 0.0}, "`C` must be above 0; got 0.0"),
        ({"max_iter": 0}, "`max_iter` must be at least 1; got 0"),
        ({"tol": -1.0}, "`tol` must be at least 0; got -1.0"),
        ({"class_weight": "even"}, "`class_weight` must be 'balanced', a dict or None; got 'even'"),
        ({"class_weight": {9: 1.0}}, r"`class_weight` must name classes; got 9, but they are \[0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SoftLogisticRegression(**settings).fit(*rows(3))


@pytest.mark.parametrize(
    ("y", "told", "message"),
    [
        (
            [[0.5, -0.5], [0, 1]],
            {},
            r"finite and not negative; got \[0.5, -0.5\] at row 0 \(1 of 2",
        ),
        ([[0.5, 0.5], [np.nan, 1]], {}, r"finite and not negative; got \[nan, 1.0\] at row 1"),
        ([[1, 0], [1, 0]], {}, r"at least two classes; got 1 class\(es\) with any weight: \[0\]"),
        ([0, 1], {"classes": [0, 1]}, "`classes` must be left out where `y` holds plain labels"),
        ([[1, 0], [0, 1]], {"classes": ["a"]}, r"must name the 2 columns .* got \['a'\]"),
        ([[1, 0], [0, 1]], {"classes": ["a", "a"]}, "must name the 2 columns of `y` differently"),
        ([[1, 0], [0, 1]], {"sample_weight": [1]}, r"one number for each of the 2 rows; .* \(1,\)"),
        ([[1, 0], [0, 1]], {"sample_weight": [1, -1]}, "not negative; got -1.0 at row 1"),
        ([[1, 0], [0, 1]], {"sample_weight": [0, 0]}, "must not be zero for all rows; .* all 2"),
    ],
)
def test_what_says_no_beliefs_is_refused(y: Any, told: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SoftLogisticRegression().fit([[0.0], [1.0]], y, **told)
