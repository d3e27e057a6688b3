r"""TemperatureScaling: make probabilities as sure as they are right, with one number.

======================  ==================  ================================================
symbol                  code                meaning
======================  ==================  ================================================
:math:`z_{ik}`          ``logs``            (n, n_classes) log probabilities
:math:`T`               ``temperature``     above 1 flattens, below 1 sharpens
:math:`q_{ik}`          ``at_temperature(...)``        :math:`\mathrm{softmax}(z_i / T)_k`
:math:`p(o_i \mid k)`   ``likelihood``      of what was observed; gold is one-hot
======================  ==================  ================================================

The temperature minimises the marginal loss
:math:`-\frac1n \sum_i \log \sum_k q_{ik}\, p(o_i \mid k)`. With gold it has one
minimum, as it is convex in :math:`1 / T`; with partial evidence it may have more, so that the
search begins at the best of a grid.

C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017,
eq. 9.
"""

import warnings
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from partlabel.errors import InputError
from partlabel.evaluate.calibration.calibrator import Calibrator
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.calibration.scaling import logs, marginal_loss
from partlabel.evaluate.metrics import Floats

GRID = 15
"""Temperatures that are tried before the search begins."""


class TemperatureStatus(Enum):
    """How the search for a temperature ended; the value is the sentence for the user."""

    FOUND = "The temperature with the lowest loss was found."
    LOWEST = (
        "The lowest temperature allowed is the best: every item may be predicted rightly. "
        "Fit on more items, or lower `bounds`."
    )
    HIGHEST = (
        "The highest temperature allowed is the best: the predictions may say nothing of the "
        "labels. Check that their items match, or raise `bounds`."
    )


class TemperatureScaling(Calibrator):
    """Calibrates predictions by one temperature, fitted on gold or on partial evidence.

    The ranking of the classes, and with it accuracy, stays. Right where the predictions are too
    sure, or not sure enough, all over alike. A few dozen gold items are enough.

    Parameters
    ----------
    bounds : (float, float), default (0.01, 100.0)
        Lowest and highest temperature to look at. Ending at one of them is a `ConvergenceWarning`.

    Attributes
    ----------
    temperature_ : float
        Above 1 where the predictions were too sure.
    status_ : TemperatureStatus
    labels_, n_items_, n_gold_, basis_
        As in `Calibrator`.

    Raises
    ------
    InputError
        In `fit`, if `bounds` aren't two rising positive numbers, and as `Calibrator.fit` refuses.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = [[0.99, 0.01]] * 10
    >>> scaling = TemperatureScaling().fit(probs, ["ham"] * 8 + ["spam"] * 2, labels=labels)
    >>> scaling.transform(probs).confidence[0].round(3)
    np.float64(0.8)
    """

    def __init__(self, *, bounds: tuple[float, float] = (0.01, 100.0)) -> None:
        self.bounds = bounds

    def _check(self) -> None:
        low, high = self.bounds
        if not 0 < low < high < np.inf:
            raise InputError(
                f"`bounds` must be two positive numbers, the lower one first; got {self.bounds}."
            )

    def _fit(self, observed: Observed) -> None:
        low, high = self.bounds
        self.temperature_ = best_temperature(observed, low, high)
        self.status_ = _status(self.temperature_, low, high)
        if self.status_ is not TemperatureStatus.FOUND:
            warnings.warn(self.status_.value, ConvergenceWarning, stacklevel=3)

    def _apply(self, probs: Floats) -> NDArray[np.float64]:
        return at_temperature(logs(probs), self.temperature_)


def at_temperature(z: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """(n, n_classes) Probabilities from their logs, flattened or sharpened."""
    return np.asarray(softmax(z / temperature, axis=1))


def best_temperature(observed: Observed, low: float, high: float) -> float:
    """Give the temperature of least marginal loss; one of the bounds where none within is."""
    z = logs(observed.probs)

    def loss(temperature: float) -> float:
        return marginal_loss(observed, at_temperature(z, temperature))

    grid = np.linspace(np.log(low), np.log(high), GRID)
    best = int(np.argmin([loss(float(np.exp(place))) for place in grid]))
    found = minimize_scalar(
        lambda log_temperature: loss(np.exp(log_temperature)),
        bounds=(grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]),
        method="bounded",
        options={"xatol": 1e-7},
    )
    # The search nears a bound without reaching it, and may stop anywhere where the loss is flat.
    # Of equals the first: 1 where no temperature makes a difference, then a bound.
    return min((min(max(1.0, low), high), low, high, float(np.exp(found.x))), key=loss)


def _status(temperature: float, low: float, high: float) -> TemperatureStatus:
    ends = {low: TemperatureStatus.LOWEST, high: TemperatureStatus.HIGHEST}
    return ends.get(temperature, TemperatureStatus.FOUND)
