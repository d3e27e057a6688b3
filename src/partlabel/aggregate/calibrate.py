r"""GoldCalibration: let a few gold labels correct the beliefs of a label model.

Vector scaling (Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2), kept
near to doing nothing by Gaussian priors, so that ten gold labels may speak and can't shout:

.. math:: q(y) \propto b(y)^{a} e^{c_y}, \quad
          \max_{a, c} \sum_{i \in gold} \log q_i(y_i) - \tfrac{\lambda}{2} ((a - 1)^2 + \|c\|^2)

Gold corrects the class balance and the sharpness of the beliefs, the two things that agreement
among sources tells least about. What each source is worth is still learnt from all items.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

FLOOR = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class GoldCalibration:
    """A correction of beliefs, learnt on gold.

    Attributes
    ----------
    slope : float
        Above 1 sharpens, below 1 flattens.
    offset : (n_classes,) float
        Added to the log of each class's belief, in nats.
    """

    slope: float
    offset: NDArray[np.float64]

    @classmethod
    def fit(
        cls, probs: NDArray[np.float64], codes: NDArray[np.int32], *, precision: float = 4.0
    ) -> "GoldCalibration":
        """Learn the correction.

        Parameters
        ----------
        probs : (n_gold, n_classes) beliefs that were formed without these gold labels
        codes : (n_gold,) their classes
        precision : float, default 4.0
            Of the priors, in gold labels: higher trusts the beliefs more and gold less.
        """
        log_p = _logs(probs)
        truth = np.eye(probs.shape[1])[codes]

        def cost(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            log_q = log_softmax(x[0] * log_p + x[1:], axis=1)
            residual = np.exp(log_q) - truth
            away = x - at_rest
            gradient = np.concatenate([[(residual * log_p).sum()], residual.sum(axis=0)])
            value = -(log_q * truth).sum() + 0.5 * precision * (away @ away)
            return float(value), gradient + precision * away

        at_rest = np.concatenate([[1.0], np.zeros(probs.shape[1])])
        best = minimize(cost, at_rest, jac=True, method="L-BFGS-B")
        return cls(float(best.x[0]), np.asarray(best.x[1:]))

    def apply(self, probs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_items, n_classes) The corrected beliefs."""
        return np.asarray(softmax(self.slope * _logs(probs) + self.offset, axis=1))


def _logs(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(np.clip(probs, FLOOR, 1.0)))
