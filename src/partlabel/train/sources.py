"""Sources: what the label model says of the votes, before a network has seen any features."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from partlabel.aggregate import Aggregator, LabelModel, MajorityVote
from partlabel.aggregate.dawid_skene import confusion_under
from partlabel.aggregate.kernels import counts_under
from partlabel.beliefs import Beliefs
from partlabel.channels import Channels, Confusion, log_likelihood_chunks
from partlabel.errors import InputError
from partlabel.evidence import Evidence
from partlabel.train.observed import Observed


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """What the label model makes of evidence; gold and candidates need none.

    Attributes
    ----------
    label_model : fitted Aggregator, or None without votes
    confusion : Confusion or None
        The channel of the votes; None where the label model has none, so that its beliefs stand in
        for the likelihood.
    """

    label_model: Aggregator | None
    confusion: Confusion | None

    @classmethod
    def learnt(cls, label_model: Any, evidence: Evidence) -> Self:
        """Fit the label model (None: `LabelModel()`), if there are votes.

        Raises
        ------
        TypeError
            If `label_model` is no label model.
        """
        if label_model is not None and not isinstance(label_model, Aggregator):
            raise TypeError(
                f"`label_model` must be a label model; got {type(label_model).__name__}. "
                "Pass one, such as LabelModel(), or None."
            )
        if evidence.votes is None:
            return cls(None, None)
        fitted = LabelModel() if label_model is None else clone(label_model)
        believed = np.asarray(fitted.fit(evidence).aggregate(evidence).probs, dtype=np.float64)
        return cls(fitted, fitted.confusion_given(evidence, believed))

    def beliefs(self, evidence: Evidence) -> Beliefs:
        """The label model's beliefs; without votes, all candidates alike."""
        model = MajorityVote().fit(evidence) if self.label_model is None else self.label_model
        return model.aggregate(evidence)

    def observed(self, evidence: Evidence) -> Observed:
        """The evidence as tensors, in the words of the channel."""
        if self.label_model is None:
            return Observed.of(evidence, votes=False)
        if self.confusion is None:
            with np.errstate(divide="ignore"):
                return Observed.of_likelihood(np.log(self.beliefs(evidence).probs))
        votes = evidence.votes
        if votes is None:
            return Observed.of(evidence)
        known = votes.in_vocabulary(self.confusion.vocabulary)
        return Observed.of(replace(evidence, votes=known))

    def spoken(self, evidence: Evidence) -> NDArray[np.bool_]:
        """(n_rows,) Whether the evidence prefers some class to another.

        Raises
        ------
        InputError
            If it does nowhere, or rules out every class of a row.
        """
        parts = []
        for _, part in log_likelihood_chunks(evidence, Channels(votes=self.confusion)):
            parts.append(np.ptp(np.exp(part - part.max(axis=1, keepdims=True)), axis=1) > 0)
        spoken = np.concatenate(parts)
        if self.label_model is not None and self.confusion is None:
            spoken = np.ptp(self.beliefs(evidence).probs, axis=1) > 0
        if not spoken.any():
            raise InputError(
                "`evidence` must say something about the class of some row; it says nothing about "
                f"all {len(spoken)} rows. Add labels, candidate sets or votes."
            )
        return np.asarray(spoken)

    def with_channel(self, evidence: Evidence, *, silence: bool) -> "Sources":
        """The same with a channel of the votes, also where the label model has none of its own.

        `silence`: with how often each source speaks about each class, too.
        """
        votes = evidence.votes
        assert votes is not None
        probs = np.asarray(self.beliefs(evidence).probs, dtype=np.float64)
        confusion = self.confusion or confusion_under(votes, probs)
        if silence and confusion.speaks is None:
            votes = votes.in_vocabulary(confusion.vocabulary)
            counts = counts_under(votes.indptr, votes.symbol, probs, len(votes.vocabulary))
            spoke = np.zeros((votes.n_sources, probs.shape[1]))
            np.add.at(spoke, votes.vocabulary.source, counts)
            confusion = replace(confusion, speaks=(spoke + 1.0) / (probs.sum(axis=0) + 2.0))
        return replace(self, confusion=confusion)
