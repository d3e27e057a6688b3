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
    class_prior : (n_classes,) float
        Positive shares.
    """
    probs = np.empty((len(evidence), len(class_prior)))
    for rows, likelihood in log_likelihood_chunks(evidence, Channels(votes=confusion)):
        probs[rows] = softmax(likelihood + np.log(class_prior), axis=1)
    return probs
