"""What every label model shares: it reads evidence, remembers what it learnt, and gives beliefs."""

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate.prior import Prior, checked
from partlabel.beliefs import Beliefs
from partlabel.channels import Confusion
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence
from partlabel.labels import LabelSpace


class Aggregator(BaseEstimator):
    """Evidence in, beliefs and reliabilities out.

    A label model derives from this and says how it learns (`_learn`) and what it believes
    (`_believe`).

    What is known of each item besides votes, such as a classifier's opinion on its features, is a
    `prior` of its own: the belief is the prior times what the votes say (for models that give
    shares of votes: times these). It takes the place of the class prior, which is then neither
    used nor learnt.
    """

    labels_: LabelSpace
    reliability_: pl.DataFrame

    def fit(self, evidence: Evidence | Votes | Candidates, prior: ArrayLike | None = None) -> Self:
        """Learn how reliable each source is.

        Parameters
        ----------
        evidence : Evidence, Votes or Candidates
        prior : (n_items, n_classes) float, default None
            How likely each class of each item is before any vote, from another view of it than
            the votes: a classifier's `predict_proba`, say. Rows add up to 1; 0 rules a class out.
            It replaces `class_prior`, which is then neither used nor learnt (`class_prior_` is
            even). None gives every item the class prior.

        Raises
        ------
        InputError
            If a setting is out of range, the evidence has no item, or `prior` isn't one
            distribution per item, or rules out all that gold and candidates leave of one.
        """
        taken = as_evidence(evidence)
        if len(taken) == 0:
            raise InputError("`evidence` must be about at least one item; it is about none.")
        self.labels_ = taken.labels
        self._learn(taken, checked(prior, taken))
        return self

    def fit_parts(self, parts: Iterable[Evidence], *, scratch: Path) -> Self:
        """Learn from evidence that comes in parts, each a random sample of the items.

        Parameters
        ----------
        parts : iterable of Evidence
            With the words of all parts in the vocabulary of each. A model whose counts add up
            learns from all of them; others learn from the first.
        scratch : path
            A folder for temporary files, which the caller removes.
        """
        return self.fit(next(iter(parts)))

    def aggregate(
        self, evidence: Evidence | Votes | Candidates, prior: ArrayLike | None = None
    ) -> Beliefs:
        """Give the belief about the label of each item.

        Parameters
        ----------
        evidence : Evidence, Votes or Candidates
            Of the sources that were there in `fit`; the items may be others.
        prior : (n_items, n_classes) float, default None
            As in `fit`, of these items. None gives every item `class_prior_`.

        Returns
        -------
        Beliefs of (n_items, n_classes)

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        InputError
            If the label space differs, a source or word wasn't there in `fit`, or `prior` is
            refused as in `fit`.
        """
        taken = self._of_the_same_labels(evidence)
        probs = self._believe(taken, checked(prior, taken))
        return Beliefs(probs, self.labels_, taken.item_ids)

    def fit_aggregate(
        self, evidence: Evidence | Votes | Candidates, prior: ArrayLike | None = None
    ) -> Beliefs:
        """Learn from the evidence and give the beliefs about the same items, with their prior."""
        return self.fit(evidence, prior).aggregate(evidence, prior)

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

    def _of_the_same_labels(self, evidence: Evidence | Votes | Candidates) -> Evidence:
        check_is_fitted(self, "labels_")
        taken = as_evidence(evidence)
        if taken.labels != self.labels_:
            raise InputError(
                f"`evidence` must have the label space of `fit`; it has {taken.labels.classes} "
                f"instead of {self.labels_.classes}."
            )
        return taken

    @abstractmethod
    def _learn(self, evidence: Evidence, prior: Prior) -> None: ...

    @abstractmethod
    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]: ...

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "labels_")
