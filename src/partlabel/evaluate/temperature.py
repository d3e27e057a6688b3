r"""TemperatureScaling: make probabilities as sure as they are right, with one number.

==================  ====================  ================================================
symbol              code                  meaning
==================  ====================  ================================================
:math:`z_{ik}`      ``logits``            (n, n_classes) log probabilities
:math:`T`           ``temperature``       above 1 flattens, below 1 sharpens
:math:`q_{ik}`      ``scaled(...)``       :math:`\mathrm{softmax}(z_i / T)_k`
==================  ====================  ================================================

The temperature minimises the log loss :math:`-\frac1n \sum_i \log q_{i y_i}`, which has one
minimum: it is convex in :math:`1 / T`.

C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017,
eq. 9.
"""

import warnings
from enum import Enum
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.metrics import FLOOR, Codes, Floats
from partlabel.evaluate.scored import Scored, as_beliefs
from partlabel.labels import LabelSpace


class TemperatureStatus(Enum):
    """How the search for a temperature ended; the value is the sentence for the user."""

    FOUND = "The temperature with the lowest log loss was found."
    LOWEST = (
        "The lowest temperature allowed is the best: every gold item may be predicted rightly. "
        "Fit on more gold items, or lower `bounds`."
    )
    HIGHEST = (
        "The highest temperature allowed is the best: the predictions may say nothing about gold. "
        "Check that their items match, or raise `bounds`."
    )


class TemperatureScaling(BaseEstimator):
    """Calibrates predictions by one temperature, fitted on gold.

    The ranking of the classes, and with it accuracy, stays. Right where the predictions are too
    sure, or not sure enough, all over alike. Fit it on gold items that neither train nor evaluate
    the model.

    Parameters
    ----------
    bounds : (float, float), default (0.01, 100.0)
        Lowest and highest temperature to look at. Ending at one of them is a `ConvergenceWarning`.

    Attributes
    ----------
    temperature_ : float
        Above 1 where the predictions were too sure.
    labels_ : LabelSpace
    n_gold_ : int
        Gold items that it was fitted on.
    status_ : TemperatureStatus

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = [[0.99, 0.01]] * 10
    >>> scaling = TemperatureScaling().fit(probs, ["ham"] * 8 + ["spam"] * 2, labels=labels)
    >>> scaling.transform(probs).confidence[0].round(3)
    np.float64(0.8)
    """

    def __init__(self, *, bounds: tuple[float, float] = (0.01, 100.0)) -> None:
        self.bounds = bounds

    def fit(
        self, predicted: Any, gold: Any, *, labels: LabelSpace | None = None
    ) -> "TemperatureScaling":
        """Find the temperature with the lowest log loss on gold.

        Parameters
        ----------
        predicted, gold, labels
            As in `evaluate`.

        Raises
        ------
        InputError
            If `bounds` aren't two rising positive numbers, and as `evaluate` refuses.
        """
        low, high = self.bounds
        if not 0 < low < high < np.inf:
            raise InputError(
                f"`bounds` must be two positive numbers, the lower one first; got {self.bounds}."
            )
        scored = Scored.match(predicted, gold, labels)
        self.temperature_ = _best_temperature(scored.probs, scored.codes, low, high)
        self.labels_ = scored.labels
        self.n_gold_ = len(scored)
        self.status_ = _status(self.temperature_, low, high)
        if self.status_ is not TemperatureStatus.FOUND:
            warnings.warn(self.status_.value, ConvergenceWarning, stacklevel=2)
        return self

    def transform(self, predicted: Any) -> Beliefs:
        """Give the beliefs at the fitted temperature.

        Parameters
        ----------
        predicted : Beliefs, or (n_items, n_classes) probabilities
            With the classes of `fit`.

        Raises
        ------
        InputError
            If the classes differ, or a row is no distribution.
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self)
        beliefs = as_beliefs(predicted, self.labels_)
        probs = np.exp(_log_scaled(beliefs.probs, self.temperature_)).astype(beliefs.probs.dtype)
        return Beliefs(probs, beliefs.labels, beliefs.item_ids)


def _log_scaled(probs: Floats, temperature: float) -> Floats:
    """(n, n_classes) Log probabilities at a temperature; 0 counts as 1e-15, so that it can rise."""
    logits = np.log(np.maximum(probs, FLOOR, dtype=np.float64))
    return np.asarray(log_softmax(logits / temperature, axis=1))


def _log_loss(probs: Floats, codes: Codes, temperature: float) -> float:
    return float(-_log_scaled(probs, temperature)[np.arange(len(codes)), codes].mean())


def _best_temperature(probs: Floats, codes: Codes, low: float, high: float) -> float:
    def loss(temperature: float) -> float:
        return _log_loss(probs, codes, temperature)

    found = minimize_scalar(
        lambda log_temperature: loss(np.exp(log_temperature)),
        bounds=(np.log(low), np.log(high)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    # The search nears a bound without reaching it, and may stop anywhere where the loss is flat.
    # Of equals the first: 1 where no temperature makes a difference, then a bound.
    return min((min(max(1.0, low), high), low, high, float(np.exp(found.x))), key=loss)


def _status(temperature: float, low: float, high: float) -> TemperatureStatus:
    ends = {low: TemperatureStatus.LOWEST, high: TemperatureStatus.HIGHEST}
    return ends.get(temperature, TemperatureStatus.FOUND)
