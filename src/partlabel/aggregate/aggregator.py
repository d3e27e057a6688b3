"""What every label model shares: it reads evidence, remembers what it learnt, and gives beliefs."""

from abc import abstractmethod
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from partlabel.beliefs import Beliefs
from partlabel.channels import Confusion
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence
from partlabel.labels import LabelSpace


class Aggregator(BaseEstimator):
    """Evidence in, beliefs and reliabilities out.

    A label model derives from this and says how it learns (`_learn`) and what it believes
    (`_believe`).
    """

    labels_: LabelSpace
    reliability_: pl.DataFrame

    def fit(self, evidence: Evidence | Votes | Candidates) -> Self:
        """Learn how reliable each source is.

        Parameters
        ----------
        evidence : Evidence, Votes or Candidates

        Raises
        ------
        InputError
            If a setting is out of range, or the evidence has no item.
        """
        taken = as_evidence(evidence)
        if len(taken) == 0:
            raise InputError("`evidence` must be about at least one item; it is about none.")
        self.labels_ = taken.labels
        self._learn(taken)
        return self

    def aggregate(self, evidence: Evidence | Votes | Candidates) -> Beliefs:
        """Give the belief about the label of each item.

        Parameters
        ----------
        evidence : Evidence, Votes or Candidates
            Of the sources that were there in `fit`; the items may be others.

        Returns
        -------
        Beliefs of (n_items, n_classes)

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        InputError
            If the label space differs, or a source or word wasn't there in `fit`.
        """
        check_is_fitted(self, "labels_")
        taken = as_evidence(evidence)
        if taken.labels != self.labels_:
            raise InputError(
                f"`evidence` must have the label space of `fit`; it has {taken.labels.classes} "
                f"instead of {self.labels_.classes}."
            )
        return Beliefs(self._believe(taken), self.labels_, taken.item_ids)

    def fit_aggregate(self, evidence: Evidence | Votes | Candidates) -> Beliefs:
        """Learn from the evidence and give the beliefs about the same items."""
        return self.fit(evidence).aggregate(evidence)

    def confusion_given(self, evidence: Evidence, beliefs: NDArray[np.float64]) -> Confusion | None:
        """Give the channel of the votes that beliefs from elsewhere speak for.

        It is the M-step of a joint training, whose beliefs a classifier shares in.

        Parameters
        ----------
        evidence : Evidence
        beliefs : (n_items, n_classes)

        Returns
        -------
        Confusion, or None for a model without a channel of each source.
        """
        return None

    @abstractmethod
    def _learn(self, evidence: Evidence) -> None: ...

    @abstractmethod
    def _believe(self, evidence: Evidence) -> NDArray[np.float64]: ...

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "labels_")
