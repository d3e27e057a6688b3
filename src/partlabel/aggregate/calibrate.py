r"""GoldCalibration: let a few gold labels correct the beliefs of a label model.

Vector scaling (Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2) with a
weight of evidence for each word :math:`s` that a source says, kept near to doing nothing by
Gaussian priors, so that ten gold labels may speak and can't shout:

.. math:: q_i(y) \propto b_i(y)^a \exp\Big(c_y + \sum_{s \in o_i} t_s [y \in s]\Big), \quad
          \max \sum_{i \in gold} \log q_i(y_i) - \tfrac{\lambda}{2} ((a - 1)^2 + |c|^2 + |t|^2)

Gold corrects what agreement among sources tells least about: the sharpness of the beliefs, the
class balance, and which sources are trusted too much or too little. A word that no gold label
touches keeps its weight; what it is worth is still learnt from all items.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax

from partlabel.channels import add_votes
from partlabel.evidence import Votes

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
    trust : (n_symbols,) float
        Added, for each vote with the word, to the log of the belief in the word's classes, in nats.
    """

    slope: float
    offset: NDArray[np.float64]
    trust: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        probs: NDArray[np.float64],
        codes: NDArray[np.int32],
        votes: Votes,
        *,
        precision: float = 4.0,
    ) -> "GoldCalibration":
        """Learn the correction.

        Parameters
        ----------
        probs : (n_gold, n_classes) beliefs that were formed without these gold labels
        codes : (n_gold,) their classes
        votes : Votes about the same items
        precision : float, default 4.0
            Of the priors, in gold labels: higher trusts the beliefs more and gold less.
        """
        log_p, n_classes = _logs(probs), probs.shape[1]
        truth = np.eye(n_classes)[codes]
        named = votes.vocabulary.members()
        said = csr_array(
            (np.ones(len(votes.symbol)), votes.symbol, votes.indptr), shape=(len(probs), len(named))
        )

        def cost(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            slope, offset, trust = x[0], x[1 : n_classes + 1], x[n_classes + 1 :]
            log_q = log_softmax(slope * log_p + offset + said @ (trust[:, None] * named), axis=1)
            residual = np.exp(log_q) - truth
            away = x - at_rest
            blame = ((said.T @ residual) * named).sum(axis=1)
            gradient = np.concatenate([[(residual * log_p).sum()], residual.sum(axis=0), blame])
            value = -(log_q * truth).sum() + 0.5 * precision * (away @ away)
            return float(value), gradient + precision * away

        at_rest = np.zeros(1 + n_classes + len(named))
        at_rest[0] = 1.0
        best = minimize(cost, at_rest, jac=True, method="L-BFGS-B").x
        return cls(float(best[0]), best[1 : n_classes + 1], best[n_classes + 1 :])

    def apply(self, probs: NDArray[np.float64], votes: Votes) -> NDArray[np.float64]:
        """(n_items, n_classes) The corrected beliefs, given what was said about the items."""
        z = self.slope * _logs(probs) + self.offset
        add_votes(votes.indptr, votes.symbol, self.trust[:, None] * votes.vocabulary.members(), z)
        return np.asarray(softmax(z, axis=1))


def _logs(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(np.clip(probs, FLOOR, 1.0)))
