"""Sources: what a label model makes of votes on the way to training: beliefs, or their channel."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.label_model import LabelModel
from partlabel.aggregate.majority import MajorityVote
from partlabel.aggregate.reliability import reliability_table, spread_of
from partlabel.channels import Channels, Confusion, log_likelihood, log_likelihood_chunks
from partlabel.errors import InputError
from partlabel.evidence import Evidence

TRAINED_ON_THEM = 2.0  # times the spread of two opinions, which share the sources' mistakes


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """How the votes come about; gold and candidates need nothing learnt.

    Attributes
    ----------
    label_model : Aggregator or None
        Fitted on the votes; None where there are none.
    confusion : Confusion or None
        The channel of the votes; None where the label model has none, so that its beliefs stand
        in for the likelihood.
    """

    label_model: Aggregator | None
    confusion: Confusion | None

    @classmethod
    def learnt(cls, label_model: Any, evidence: Evidence) -> "Sources":
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
        beliefs = fitted.fit(evidence).aggregate(evidence).probs
        return cls(fitted, fitted.confusion_given(evidence, np.asarray(beliefs, dtype=np.float64)))

    def given(self, evidence: Evidence, beliefs: NDArray[np.float64]) -> "Sources":
        """The channel of the votes that these beliefs (n_rows, n_classes) speak for."""
        if self.label_model is None or self.confusion is None:
            return self
        return replace(self, confusion=self.label_model.confusion_given(evidence, beliefs))

    def log_likelihood(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n_rows, n_classes) log p(evidence | class), up to a constant per row."""
        if self.label_model is None or self.confusion is not None:
            return log_likelihood(evidence, Channels(votes=self.confusion))
        with np.errstate(divide="ignore"):
            return np.log(np.asarray(self.label_model.aggregate(evidence).probs, np.float64))

    def spoken(self, evidence: Evidence) -> NDArray[np.bool_]:
        """(n_rows,) Whether the evidence prefers some class to another.

        Raises
        ------
        InputError
            If it does nowhere, or rules out every class of a row.
        """
        if self.label_model is not None and self.confusion is None:
            return informative(self.log_likelihood(evidence))
        parts = log_likelihood_chunks(evidence, Channels(votes=self.confusion))
        return informative(*(part for _, part in parts))

    def beliefs(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n_rows, n_classes) The label model's beliefs; without votes, all candidates alike."""
        if self.label_model is None:
            return averaged(evidence)
        return np.asarray(self.label_model.aggregate(evidence).probs, dtype=np.float64)

    def reliability(self, evidence: Evidence, beliefs: NDArray[np.float64]) -> pl.DataFrame | None:
        """Say what each source is worth by beliefs that a model of the features shares in.

        The model has trained on what the sources said, and so takes their side: the intervals are
        widened by how far the label model, which has no features, disagrees.

        Returns
        -------
        polars.DataFrame as of `reliability_table`, or None without votes.
        """
        if self.label_model is None:
            return None
        opinions = (self.beliefs(evidence), beliefs)
        spread = TRAINED_ON_THEM * spread_of(evidence, opinions)
        return reliability_table(evidence, beliefs, spread=spread)


def averaged(evidence: Evidence) -> NDArray[np.float64]:
    """(n_rows, n_classes) All candidates alike; votes count by their share."""
    return np.asarray(MajorityVote().fit_aggregate(evidence).probs, dtype=np.float64)


def informative(*parts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n_rows,) Whether log-likelihoods, in one piece or several, prefer some class to another.

    Raises
    ------
    InputError
        If they do nowhere.
    """
    told = [np.ptp(np.exp(part - part.max(axis=1, keepdims=True)), axis=1) > 0 for part in parts]
    spoken = np.concatenate(told)
    if not spoken.any():
        raise InputError(
            "`evidence` must say something about the class of some row; it says nothing about all "
            f"{len(spoken)} rows. Add labels, candidate sets or votes."
        )
    return spoken
