"""Votes as a network meets them: tensors of what was observed, and a channel to begin with."""

from dataclasses import replace

import numpy as np

from partlabel.aggregate.dawid_skene import confusion_under
from partlabel.aggregate.kernels import counts_under
from partlabel.aggregate.sources import Sources
from partlabel.evidence import Evidence
from partlabel.train.observed import Observed


def tensors_of(sources: Sources, evidence: Evidence) -> Observed:
    """The evidence as tensors, in the words of the channel."""
    if sources.label_model is None:
        return Observed.of(evidence, votes=False)
    if sources.confusion is None:
        return Observed.of_likelihood(sources.log_likelihood(evidence))
    votes = evidence.votes
    if votes is None:
        return Observed.of(evidence)
    known = votes.in_vocabulary(sources.confusion.vocabulary)
    return Observed.of(replace(evidence, votes=known))


def with_channel(sources: Sources, evidence: Evidence, *, silence: bool) -> Sources:
    """The same with a channel of the votes, also where the label model has none of its own.

    `silence`: with how often each source speaks about each class, too.
    """
    votes = evidence.votes
    assert votes is not None
    probs = sources.beliefs(evidence)
    confusion = sources.confusion or confusion_under(votes, probs)
    if silence and confusion.speaks is None:
        votes = votes.in_vocabulary(confusion.vocabulary)
        counts = counts_under(votes.indptr, votes.symbol, probs, len(votes.vocabulary))
        spoke = np.zeros((votes.n_sources, probs.shape[1]))
        np.add.at(spoke, votes.vocabulary.source, counts)
        confusion = replace(confusion, speaks=(spoke + 1.0) / (probs.sum(axis=0) + 2.0))
    return replace(sources, confusion=confusion)
