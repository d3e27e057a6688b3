"""Left-out sources: whether a model says what sources say that took no part in its training."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from partlabel.evaluate.metrics import Floats
from partlabel.evidence import Evidence

FEWEST_SOURCES = 3  # with one of two left out, nothing checks the other


def agreement(
    told: Callable[[Evidence], Sequence[Floats]],
    n_candidates: int,
    learnt: Evidence,
    unseen: Evidence,
    left_out: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Count the votes of left-out sources on unseen rows with which models agree, and all of them.

    Parameters
    ----------
    told : function of evidence about the learnt rows
        What each candidate, trained on it, says of the unseen rows: (n_unseen, n_classes) each.
    n_candidates : int
    learnt, unseen : Evidence of other rows, with the same sources
    left_out : (n_sources,) bool

    Returns
    -------
    (n_candidates, 2) float
    """
    votes = unseen.votes
    if votes is None or votes.n_sources < FEWEST_SOURCES or not left_out.any():
        return np.zeros((n_candidates, 2))
    spoken = left_out[votes.source]
    item, vocabulary = votes.item[spoken], votes.vocabulary
    said = vocabulary.sets[vocabulary.meaning[votes.symbol[spoken]]]
    each = np.arange(len(item))
    guesses = [probs.argmax(axis=1) for probs in told(without_sources(learnt, left_out))]
    return np.array([[said[each, guess[item]].sum(), len(item)] for guess in guesses], dtype=float)


def without_sources(evidence: Evidence, left_out: NDArray[np.bool_]) -> Evidence:
    """Give the evidence as if these sources had kept silent; items go by position."""
    votes = evidence.votes
    assert votes is not None
    kept = ~left_out[votes.source]
    counts = np.bincount(votes.item[kept], minlength=votes.n_items)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    fewer = replace(votes, indptr=indptr, symbol=votes.symbol[kept], item_ids=None)
    return Evidence(votes=fewer, candidates=evidence.candidates, gold=evidence.gold)
