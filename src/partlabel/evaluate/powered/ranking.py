r"""ROC AUC and average precision of one class, and how much each row moves them.

The label of row ``i`` enters by its mass :math:`m_i`: 1 where it is of the class, 0 where not, and
a belief or a corrected belief (which may leave [0, 1]) where that isn't known.

==============================  ============  =====================================================
symbol                          code          meaning
==============================  ============  =====================================================
:math:`s_i`                     ``score``     (n,) the higher, the surer that it is of the class
:math:`m_i`                     ``mass``      (n,) of the class
:math:`\pi`                     ``positive``  mean of the mass
:math:`F_1, F_0`                ``below_*``   share of the class (of the others) that scores lower;
                                              of ties, half
:math:`S(s)`                    ``reach``     share of rows that score :math:`s` or more
:math:`\Pi(s)`                  ``purity``    precision among these
==============================  ============  =====================================================

A row's influence on a value :math:`\theta` is affine in its label: for label :math:`t`,
:math:`\psi_i(t)` = ``constant[i]`` + :math:`t` ``slope[i]``, where

.. math::
    \psi^{AUC}(t) &= \tfrac{t}{\pi} (F_0 - \theta) + \tfrac{1 - t}{1 - \pi} (1 - F_1 - \theta) \\
    \psi^{AP}(t) &= \tfrac{1}{\pi} \Big[ t (\Pi + A - \theta) - B \Big], \quad
    A(s) = \int_{s' \le s} \frac{dM(s')}{S(s')}, \quad B(s) = \int_{s' \le s} \Pi \, dA

and :math:`M` is the mass by score. Their mean over the rows is 0.

E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more correlated
receiver operating characteristic curves", Biometrics 1988 (AUC). The second follows by taking the
derivative of :math:`\int \Pi \, dM / \pi` along a point mass.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from partlabel.evaluate.metrics import Floats


class Linearised(NamedTuple):
    """A value, and the influence of each row on it: ``constant + label * slope``."""

    value: float
    constant: Floats
    slope: Floats


class Ranks(NamedTuple):
    """Rows in the order of their score; rows that tie are one step."""

    order: NDArray[np.intp]
    start: NDArray[np.intp]
    size: NDArray[np.intp]
    mass: Floats

    @classmethod
    def of(cls, score: Floats, mass: Floats, order: NDArray[np.intp] | None = None) -> "Ranks":
        """Sort the rows by score, if no order is given, and add up the mass of each step."""
        order = np.argsort(score) if order is None else order
        ranked = score[order]
        start = np.concatenate([[0], np.flatnonzero(ranked[1:] != ranked[:-1]) + 1])
        size = np.diff(np.append(start, len(score)))
        return cls(order, start, size, np.add.reduceat(mass[order], start, dtype=np.float64))

    def spread(self, by_step: Floats) -> Floats:
        """(n,) The value of each row's step."""
        rows = np.empty(len(self.order))
        rows[self.order] = np.repeat(by_step, self.size)
        return rows


def auc(ranks: Ranks) -> Linearised:
    """Chance that a row of the class scores higher than one of another class; a tie counts half."""
    n, total = len(ranks.order), float(ranks.mass.sum())
    positive = total / n
    lower_or_half = np.cumsum(ranks.mass) - ranks.mass / 2
    below_class = lower_or_half / total
    below_others = (ranks.start + ranks.size / 2 - lower_or_half) / (n - total)
    value = float(ranks.mass @ below_others) / total
    constant = (1.0 - below_class - value) / (1.0 - positive)
    slope = (below_others - value) / positive - constant
    return Linearised(value, ranks.spread(constant), ranks.spread(slope))


def average_precision(ranks: Ranks) -> Linearised:
    """Mean precision at the scores of the rows of the class."""
    n, total = len(ranks.order), float(ranks.mass.sum())
    positive = total / n
    reach = (n - ranks.start) / n
    purity = (total - np.cumsum(ranks.mass) + ranks.mass) / n / reach
    value = float(ranks.mass @ purity) / total
    step = ranks.mass / n / reach
    slope = (purity + np.cumsum(step) - value) / positive
    constant = -np.cumsum(step * purity) / positive
    return Linearised(value, ranks.spread(constant), ranks.spread(slope))
