r"""Measured: a value with the influence of each row on it, from which its interval follows.

Influences of combined values follow from those of their parts by the chain rule (the delta
method), so that the interval of a ratio of two skills on the same rows knows that they are paired.

=====================  ==============  ============================================================
symbol                 code            meaning
=====================  ==============  ============================================================
:math:`\theta`         ``value``       what is measured
:math:`\psi_i`         ``influence``   (n,) :math:`\hat\theta - \theta \approx \frac1n \sum_i
                                       \psi_i`
:math:`G = 2 A - 1`    ``skill``       Gini's coefficient: 0 is chance, 1 every pair ranked rightly;
                                       over classes, the mean by their shares
:math:`(G_o-G_h)/G`    ``lost``        share of skill that hiding triggers takes beyond what hiding
                                       as many ordinary words takes
=====================  ==============  ============================================================

A. W. van der Vaart, "Asymptotic Statistics", 1998, chapter 20; the influence of :math:`A`, the area
under the ROC curve, is that of `ranking.auc`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.ranking import Ranks, auc


class Measured(NamedTuple):
    """A value, and the influence of each row on it."""

    value: float
    influence: Floats

    @property
    def error(self) -> float:
        """Standard error of the value."""
        n = len(self.influence)
        return float(np.sqrt(self.influence @ self.influence) / n) if n else float("nan")

    def interval(self, level: float) -> tuple[float, float]:
        """The interval that holds the true value in about this share of samples."""
        reach = float(norm.ppf((1.0 + level) / 2.0)) * self.error
        return self.value - reach, self.value + reach


def mean_over(values: Floats, rows: NDArray[np.bool_]) -> Measured:
    """Mean of the values of some rows; NaN where there are none."""
    n = int(rows.sum())
    if n == 0:
        return Measured(float("nan"), np.zeros(len(rows)))
    mean = float(values[rows].mean())
    return Measured(mean, np.where(rows, values - mean, 0.0) * (len(rows) / n))


def skill(probs: Floats, codes: NDArray[np.int64]) -> Measured:
    """How well probabilities rank rows by their class: 0 is chance, 1 is perfect."""
    n = len(codes)
    value, influence = 0.0, np.zeros(n)
    present = [k for k in range(probs.shape[1]) if 0 < (codes == k).sum() < n]
    for k in present:
        mass = (codes == k).astype(np.float64)
        area = auc(Ranks.of(probs[:, k], mass))
        share = float(mass.mean())
        value += share * (2.0 * area.value - 1.0)
        influence += share * 2.0 * (area.constant + mass * area.slope)
    return Measured(value, influence)


def lost(hidden: Measured, control: Measured, plain: Measured) -> Measured:
    """How far `hidden` lies below `control`, as a share of `plain`, which isn't 0; same rows."""
    value = (control.value - hidden.value) / plain.value
    influence = control.influence - hidden.influence - value * plain.influence
    return Measured(value, influence / plain.value)


def spread(probs: Floats, rows: NDArray[np.bool_]) -> Measured:
    """How far predictions for some rows are from their mean: 0 where all are predicted alike.

    In total variation. The influence by way of the mean is left out (heuristic: it is small).
    """
    centre = probs[rows].mean(axis=0) if rows.any() else probs.mean(axis=0)
    return mean_over(np.abs(probs - centre).sum(axis=1) / 2.0, rows)
