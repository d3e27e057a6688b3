"""VectorScaling: temperature scaling with a slope and an offset for each class."""

import numpy as np
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evaluate.calibration.calibrator import Calibrator
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.calibration.scaling import PRECISION, fitted_scaling, scaled
from partlabel.evaluate.metrics import Floats


class VectorScaling(Calibrator):
    """Calibrates predictions by a slope and an offset for each class.

    Right where the predictions are too sure of some classes only, or the share of the classes has
    changed since training. The most likely class may change. It takes ten or so gold items a class;
    with fewer, `TemperatureScaling` is safer.

    Parameters
    ----------
    precision : float, default 1.0
        Of a Gaussian prior that changes nothing: higher trusts the predictions more and the
        evidence less. A class of which nothing is observed stays as it is.

    Attributes
    ----------
    slope_ : (n_classes,) float
        Below 1 where the predictions were too sure.
    offset_ : (n_classes,) float
        Added to the log of each class's probability, in nats.
    labels_, n_items_, n_gold_, basis_
        As in `Calibrator`.

    Raises
    ------
    InputError
        In `fit`, if `precision` isn't positive, and as `Calibrator.fit` refuses.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML
    2017, section 4.2.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = [[0.5, 0.5]] * 1000
    >>> scaling = VectorScaling().fit(probs, ["ham"] * 800 + ["spam"] * 200, labels=labels)
    >>> scaling.transform(probs).probs[0].round(2)
    array([0.8, 0.2])
    """

    def __init__(self, *, precision: float = PRECISION) -> None:
        self.precision = precision

    def _check(self) -> None:
        if not 0 < self.precision < np.inf:
            raise InputError(f"`precision` must be positive; got {self.precision}. 1.0 is usual.")

    def _fit(self, observed: Observed) -> None:
        self.slope_, self.offset_ = fitted_scaling(observed, self.precision)

    def _apply(self, probs: Floats) -> NDArray[np.float64]:
        return scaled(probs, np.stack([self.slope_, self.offset_]))
