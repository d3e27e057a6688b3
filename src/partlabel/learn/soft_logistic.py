r"""SoftLogisticRegression: multinomial logistic regression on beliefs, each row standing once.

==================  ======  ===============================  ==================================
symbol              code    shape                            meaning
==================  ======  ===============================  ==================================
:math:`w_i b_i(k)`  said    (n_rows, n_classes)              weight of class k for row i
:math:`z_i`         logits  (n_rows, n_outputs)              :math:`W x_i + c`
:math:`(W, c)`      flat    (n_outputs * (n_features + 1),)  row by row, the intercept last
==================  ======  ===============================  ==================================

The cost is :math:`-\sum_{ik} w_i b_i(k) \log \mathrm{softmax}(z_i)_k / \sum_{ik} w_i b_i(k)
+ \frac{\lambda}{2} \|W\|^2`, and its gradient in :math:`z_i` is :math:`w_i (|b_i|\,
\mathrm{softmax}(z_i) - b_i)`: D. Böhning, Multinomial logistic regression algorithm, AISM 1992,
equation 2.4. Of two classes the first has the logit 0, so that there is one output.
"""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils.validation import check_consistent_length, validate_data

from partlabel.aggregate import Outcome
from partlabel.beliefs import Beliefs
from partlabel.errors import InputError, rows_named
from partlabel.learn.soft import row_weights
from partlabel.learn.targets import coded, names_of


def cost_and_gradient(
    flat: NDArray[np.float64],
    X: Any,
    said: NDArray[np.float64],
    penalty: float,
    fit_intercept: bool = True,
) -> tuple[float, NDArray[np.float64]]:
    """The cost and its gradient; products with `X` have its precision, all else float64.

    `said` adds up to 1.
    """
    n_outputs = 1 if said.shape[1] == 2 else said.shape[1]
    weights = flat.reshape(n_outputs, -1)
    coef, intercept = weights[:, :-1], weights[:, -1]
    logits = np.asarray(X @ coef.T.astype(X.dtype), dtype=np.float64)
    if n_outputs == 1:
        logits = np.column_stack([np.zeros(len(logits)), logits])
        logits[:, 1] += intercept
    else:
        logits += intercept
    cost, residual = _softmax_cost(logits, said)
    residual = residual[:, -n_outputs:]
    gradient = np.zeros_like(weights)
    gradient[:, :-1] = (X.T @ residual.astype(X.dtype)).T + penalty * coef
    if fit_intercept:
        gradient[:, -1] = residual.sum(axis=0)
    return cost + 0.5 * penalty * float(np.vdot(coef, coef)), gradient.ravel()


def _softmax_cost(
    logits: NDArray[np.float64], said: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The cost without the penalty, and its gradient in the logits; overwrites the logits."""
    mass = said.sum(axis=1)
    logits -= logits.max(axis=1, keepdims=True)
    fits = float(np.vdot(said, logits))
    probs = np.exp(logits, out=logits)
    total = probs.sum(axis=1)
    probs *= (mass / total)[:, None]
    return float(mass @ np.log(total)) - fits, probs - said


class SoftLogisticRegression(LinearClassifierMixin, BaseEstimator):
    r"""Fit a multinomial logistic regression to beliefs about the labels.

    For linear models on labels that are only partly known: a row stands once, where other
    classifiers need it once for each class that it may have. On plain labels it is scikit-learn's
    `LogisticRegression` with its L2 penalty. It minimises

    .. math:: C \sum_i w_i \sum_k -b_i(k) \log p(k | x_i) + \tfrac{1}{2} \|W\|^2

    by L-BFGS; the intercepts aren't penalised. Right where the log odds of the classes are linear
    in the features; scale these first, as the penalty treats all alike.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the penalty. Higher follows the beliefs more closely, and takes longer;
        infinity doesn't penalise.
    fit_intercept : bool, default True
    class_weight : dict, "balanced" or None, default None
        What each class counts for, by name (1 where it isn't named). "balanced" lets all classes
        count alike in total.
    max_iter : int, default 1000
        Iterations of L-BFGS at the most.
    tol : float, default 1e-4
        Stop when no entry of the gradient (in nats per row) is larger. Lower is more exact.
    warm_start : bool, default False
        Begin at the last fit where that had the same classes and features.

    Attributes
    ----------
    classes_ : (n_classes,) class names
    coef_ : (n_classes, n_features) float, or (1, n_features) of two classes
        In the precision of `X`.
    intercept_ : (n_classes,) float, or (1,)
    n_iter_ : int
        Iterations that it took.
    status_ : Outcome
        How it ended.
    n_features_in_, feature_names_in_ : as in scikit-learn

    Notes
    -----
    An iteration costs two products of `X` with an (n_features, n_classes) table. `X` may be dense
    or sparse (CSR, CSC), float32 or float64.

    Examples
    --------
    >>> X = [[0.0], [1.0], [2.0]]
    >>> beliefs = [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    >>> SoftLogisticRegression().fit(X, beliefs, classes=["no", "yes"]).predict([[0.4], [1.6]])
    array(['no', 'yes'], dtype='<U3')
    """

    soft_targets = True

    classes_: NDArray[Any]
    coef_: NDArray[np.floating[Any]]
    intercept_: NDArray[np.floating[Any]]
    n_iter_: int
    status_: Outcome

    def __init__(
        self,
        *,
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: Any = None,
        max_iter: int = 1_000,
        tol: float = 1e-4,
        warm_start: bool = False,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, classes: Any = None) -> Self:
        """Fit the model to beliefs, or to plain labels.

        Parameters
        ----------
        X : (n_rows, n_features) array or sparse matrix
        y : Beliefs, (n_rows, n_classes) table of beliefs, or (n_rows,) labels
            What each class counts for in each row. Rows need not add up to 1: one that adds up to
            0, or a label that is None or NaN, takes no part.
        sample_weight : (n_rows,) float, default None
            What each row counts for, times what `y` says. None is 1.
        classes : (n_classes,) class names, default None
            What the columns of a table are called; None calls them 0, 1, ... Labels and `Beliefs`
            bring their names.

        Raises
        ------
        InputError
            If a setting is out of range, beliefs or weights are negative or not finite, fewer than
            two classes have any, or names don't fit the columns.
        ValueError
            If `X`, `y` and `sample_weight` have different lengths, or as scikit-learn says it.
        """
        self._check_settings()
        table, names = _beliefs(y, classes)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32])
        check_consistent_length(X, table)
        said = table * row_weights(sample_weight, len(table))[:, None]
        _refuse_one_class(said, names)
        said *= self._class_weights(said.sum(axis=0), names)
        total = said.sum()
        start = self._start(X.shape[1], names)
        found = minimize(
            cost_and_gradient,
            start.ravel(),
            args=(X, said / total, 1.0 / (self.C * total), self.fit_intercept),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": self.max_iter,
                "maxfun": 20 * self.max_iter,
                "maxls": 50,
                "gtol": self.tol,
                "ftol": 4 * np.finfo(X.dtype).eps,
            },
        )
        weights = found.x.reshape(start.shape).astype(X.dtype)
        self.classes_, self.n_iter_ = names, max(int(found.nit), 1)
        self.coef_, self.intercept_ = weights[:, :-1].copy(), weights[:, -1].copy()
        # a line search that finds nothing better (status 2) is as far as the precision goes
        self.status_ = Outcome.MAX_ITER if found.status == 1 else Outcome.CONVERGED
        if self.status_ is Outcome.MAX_ITER:
            warnings.warn(
                f"SoftLogisticRegression: {self.status_.value}", ConvergenceWarning, stacklevel=2
            )
        return self

    def predict_log_proba(self, X: Any) -> NDArray[np.floating[Any]]:
        """(n_rows, n_classes) Give the log-probability of each class; see `predict_proba`."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            logits = np.column_stack([np.zeros_like(logits), logits])
        return np.asarray(log_softmax(logits, axis=1))

    def predict_proba(self, X: Any) -> NDArray[np.floating[Any]]:
        """Give the probability of each class.

        Returns
        -------
        (n_rows, n_classes) float, columns as in `classes_`.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        """
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _start(self, n_features: int, names: NDArray[Any]) -> NDArray[np.float64]:
        n_outputs = 1 if len(names) == 2 else len(names)
        start = np.zeros((n_outputs, n_features + 1))
        same = hasattr(self, "coef_") and np.array_equal(self.classes_, names)
        if self.warm_start and same and self.coef_.shape[1] == n_features:
            start[:, :-1] = self.coef_
            start[:, -1] = self.intercept_ if self.fit_intercept else 0.0
        return start

    def _class_weights(self, mass: NDArray[np.float64], names: NDArray[Any]) -> NDArray[np.float64]:
        """(n_classes,) What each class counts for; `mass` is what it has of the rows."""
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            even = mass.sum() / len(mass)
            return np.asarray(even / np.where(mass > 0, mass, even))
        given = {} if self.class_weight is None else self.class_weight
        if not isinstance(given, dict):
            raise InputError(
                f"`class_weight` must be 'balanced', a dict or None; got {given!r}. "
                "Pass a weight for each class name."
            )
        unknown = set(given) - set(names.tolist())
        if unknown:
            raise InputError(
                f"`class_weight` must name classes; got {min(map(repr, unknown))}, but they "
                f"are {names.tolist()}. Correct the name."
            )
        return np.array([given.get(name, 1.0) for name in names.tolist()], dtype=np.float64)

    def _check_settings(self) -> None:
        if not self.C > 0:
            raise InputError(f"`C` must be above 0; got {self.C}. Lower penalises more.")
        for name, least in (("max_iter", 1), ("tol", 0)):
            if not getattr(self, name) >= least:
                raise InputError(f"`{name}` must be at least {least}; got {getattr(self, name)}.")


def _beliefs(y: Any, classes: Any) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """What `fit` was given as beliefs (n_rows, n_classes), and the names of the classes."""
    if isinstance(y, Beliefs):
        return y.probs.astype(np.float64), names_of(y.labels)
    table = np.asarray(y)
    if table.ndim != 2 or table.shape[1] == 1:
        if classes is not None:
            raise InputError(
                "`classes` must be left out where `y` holds plain labels, which bring their names; "
                f"got {list(classes)!r}."
            )
        codes, found = coded(y, None)
        return np.asarray(codes[:, None] == np.arange(len(found)), dtype=np.float64), found
    table = table.astype(np.float64)
    off = ~(np.isfinite(table) & (table >= 0)).all(axis=1)
    if off.any():
        row = int(off.argmax())
        raise InputError(
            f"`y` must hold beliefs that are finite and not negative; got {table[row].tolist()} "
            f"at {rows_named(off, None)}. Pass probabilities."
        )
    named = np.arange(table.shape[1]) if classes is None else np.asarray(classes)
    if named.shape != (table.shape[1],) or len(set(named.tolist())) < len(named):
        raise InputError(
            f"`classes` must name the {table.shape[1]} columns of `y` differently; "
            f"got {named.tolist()}. Give one name for each."
        )
    return table, named


def _refuse_one_class(said: NDArray[np.float64], names: NDArray[Any]) -> None:
    met = names[(said > 0).any(axis=0)].tolist()
    if len(met) < 2:
        raise InputError(
            f"`y` must hold at least two classes; got {len(met)} class(es) with any weight: "
            f"{met} in {len(said)} rows. Add rows of others."
        )
