"""posterior: what a known channel and a class prior make of the evidence."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from partlabel.channels import Channels, Confusion, log_likelihood_chunks
from partlabel.evidence import Evidence


def posterior(
    evidence: Evidence, confusion: Confusion, class_prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_items, n_classes) Beliefs by Bayes' rule; sources err independently given the class.

    Parameters
    ----------
    evidence : Evidence
    confusion : Confusion
        The channel of its votes.
    class_prior : (n_classes,) or (n_items, n_classes) float
        Shares of the classes before any vote: of all items, or of each.
    """
    with np.errstate(divide="ignore"):  # a class that is ruled out
        before = np.atleast_2d(np.log(class_prior))
    probs = np.empty((len(evidence), before.shape[1]))
    for rows, likelihood in log_likelihood_chunks(evidence, Channels(votes=confusion)):
        own = before if len(before) == 1 else before[rows]
        probs[rows] = softmax(likelihood + own, axis=1)
    return probs
