r"""Scaling: softmax of log probabilities with a slope and an offset for each class, and its fit.

======================  ==================  ====================================================
symbol                  code                shape, meaning
======================  ==================  ====================================================
:math:`z_{ik}`          ``logs``            (n, n_classes) log probabilities
:math:`w_k, c_k`        ``parameters``      (2, n_classes) slopes and offsets
:math:`q_{ik}`          ``scaled``          :math:`\mathrm{softmax}(w \odot z_i + c)_k`
:math:`r_{ik}`          ``posterior``       belief given :math:`q` and the evidence
======================  ==================  ====================================================

.. math:: \min_{w, c} \; -\sum_i \log \sum_k q_{ik}\, p(o_i \mid k)
          + \tfrac{\lambda}{2} \big(\lVert w - 1 \rVert^2 + \lVert c \rVert^2\big)

with the gradient :math:`\sum_i (q_{ik} - r_{ik}) z_{ik}` in :math:`w_k` and
:math:`\sum_i (q_{ik} - r_{ik})` in :math:`c_k`.

C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017,
section 4.2.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.metrics import FLOOR, Floats

PRECISION = 1.0


def logs(probs: Floats) -> NDArray[np.float64]:
    """(n, n_classes) Log probabilities; 0 counts as 1e-15, so that it can rise."""
    return np.log(np.maximum(probs, FLOOR, dtype=np.float64))


def scaled(probs: Floats, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n_classes) What the slopes and offsets (2, n_classes) make of probabilities."""
    slope, offset = parameters
    return np.asarray(np.exp(log_softmax(logs(probs) * slope + offset, axis=1)))


def marginal_loss(observed: Observed, probs: NDArray[np.float64]) -> float:
    """Mean of -log p(observed), in nats, if `probs` are right; up to a constant."""
    evident = np.einsum("ik,ik->i", np.maximum(probs, FLOOR), observed.likelihood)
    return float(-np.log(evident).mean())


def fitted_scaling(observed: Observed, precision: float = PRECISION) -> NDArray[np.float64]:
    """(2, n_classes) The slopes and offsets of least marginal loss.

    Parameters
    ----------
    observed : Observed
    precision : float, default 1.0
        Of the Gaussian prior that changes nothing, so that a class of which nothing is observed
        stays as it is.
    """
    n, n_classes = observed.probs.shape
    at_rest: NDArray[np.float64] = np.concatenate([np.ones(n_classes), np.zeros(n_classes)])

    def cost(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        probs = scaled(observed.probs, x.reshape(2, n_classes))
        away = precision * (x - at_rest) / n
        gradient = scores(observed, probs, observed.posterior(probs)).mean(axis=0)
        loss = marginal_loss(observed, probs) + 0.5 * float(away @ (x - at_rest))
        return loss, away - gradient

    found = minimize(
        cost, at_rest, jac=True, method="L-BFGS-B", options={"gtol": 1e-7, "ftol": 1e-13}
    )
    return np.asarray(found.x.reshape(2, n_classes))


def scores(
    observed: Observed, probs: NDArray[np.float64], posterior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 2 n_classes) Slope of each row's log-likelihood in the slopes and the offsets."""
    residual = posterior - probs
    return np.hstack([residual * logs(observed.probs), residual])
