"""posterior: what a known channel and a class prior make of the evidence."""

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate.kernels import TINY, beliefs_of
from partlabel.aggregate.prior import possible
from partlabel.channels import Channels, Confusion, log_likelihood
from partlabel.evidence import Evidence, Vocabulary


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

    Raises
    ------
    InputError
        If the evidence rules out every class of an item.
    """
    of_each = class_prior if class_prior.ndim == 2 else None
    sets, which = possible(evidence, of_each)
    share = relative(confusion.log_silence()) * (1.0 if class_prior.ndim == 2 else class_prior)
    table = relative(confusion.log_table())
    probs = believed(evidence, confusion.vocabulary, table, sets * share, which)
    if np.isnan(probs[:, 0]).any():
        log_likelihood(evidence, Channels(votes=confusion))  # which says where
    return probs


def believed(
    evidence: Evidence,
    vocabulary: Vocabulary,
    table: NDArray[np.float64],
    start: NDArray[np.float64],
    which: NDArray[np.int32],
) -> NDArray[np.float64]:
    """(n_items, n_states) Bayes' rule over the states of a channel; NaN where none is possible.

    Parameters
    ----------
    evidence : Evidence
        Its votes.
    vocabulary, table : Vocabulary and (n_symbols, n_states) float
        Likelihood of each word, up to a factor; 0, or at least `TINY`.
    start : (n_sets, n_states) float
        Weights before any vote, and ...
    which : (n_items,) int32
        ... the row of them that holds for each item.
    """
    indptr, symbol = np.zeros(len(evidence) + 1, dtype=np.int64), np.zeros(0, dtype=np.int32)
    if evidence.votes is not None:
        votes = evidence.votes.in_vocabulary(vocabulary)
        indptr, symbol = votes.indptr, votes.symbol
    return beliefs_of(indptr, symbol, which, start, table)


def relative(log_table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Likelihoods against the highest of their row, as products take them: 0, or at least `TINY`.

    What is possible stays possible, as in the E-step.
    """
    top = log_table.max(axis=-1, keepdims=True)
    shares = np.exp(log_table - np.where(np.isneginf(top), 0.0, top))
    return np.asarray(np.where(np.isneginf(log_table), 0.0, np.maximum(shares, TINY)))
