r"""Calibrator: one interface for all that make probabilities mean what they say.

A calibrator :math:`g` turns predicted probabilities :math:`p` into :math:`q = g(p)`, and is fitted
to what was observed by marginal likelihood, whatever that was:

.. math:: \min_g \; -\sum_i \log \sum_k g(p_i)_k \; p(o_i \mid y_i = k)

With gold this is the log loss. Fitting to soft labels (beliefs) by cross-entropy isn't offered: a
belief that five noisy votes leave is less sure than the label is random given x, so that the
calibrated model is told to be as unsure as the votes. It flattens: with five votes, a true
temperature of 2.5 is fitted as about 3.2. Through the channel, votes cost only precision.
"""

import warnings
from abc import ABC, abstractmethod
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from partlabel.beliefs import Beliefs
from partlabel.channels import Channels
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.calibration.set_generation import ALARM, generation_of
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.scored import as_beliefs
from partlabel.labels import LabelSpace

Self = TypeVar("Self", bound="Calibrator")


class Calibrator(BaseEstimator, ABC):
    """What every calibrator does; `TemperatureScaling` and others say how.

    Attributes
    ----------
    labels_ : LabelSpace
    n_items_ : int
        Items that it was fitted on: those of which the evidence says something.
    n_gold_ : int
        Those among them of which one class alone is possible.
    basis_ : {"gold", "assumption"}
        "assumption" where it rests on the channels given, and on the evidence being independent of
        the features once the class is known.
    """

    labels_: LabelSpace
    n_items_: int
    n_gold_: int
    basis_: Literal["gold", "assumption"]

    def fit(
        self: Self,
        predicted: Any,
        evidence: Any,
        *,
        labels: LabelSpace | None = None,
        channels: Channels | None = None,
    ) -> Self:
        """Fit to gold, or to partial evidence through its channels.

        The items should be ones on which the model wasn't trained. The evidence must be no part of
        what the predictions were made from: beliefs that came from votes are calibrated on gold,
        or on sources that were left out, never on the same votes.

        Parameters
        ----------
        predicted : Beliefs, or (n_items, n_classes) probabilities
        evidence : Candidates, or (n_items,) class names with nulls; with `channels` also Evidence
            or Votes. Matched by position, or by item ids where both have them and they differ.
        labels : LabelSpace, default None
            The classes of the columns where `predicted` is an array; None takes those of
            `evidence`.
        channels : Channels, default None
            How the evidence comes about. None takes the items whose class is known, and no others.
            ``Channels()`` takes candidate sets too, ``Channels(votes=model.confusion_)`` votes.

        Raises
        ------
        InputError
            If nothing is known of any item, lengths or classes differ, a class is unknown, a row is
            no distribution, the evidence rules out all classes of an item, or a setting is out of
            range.
        TypeError
            If `predicted` is an array and there are no `labels`, or `evidence` or `channels` are
            of another kind.

        Warns
        -----
        UserWarning
            If the candidate sets look instance-dependent; see `set_generation`.
        """
        self._check()
        observed = Observed.match(predicted, evidence, labels, channels)
        _warn_of_sets(observed)
        self.labels_ = observed.labels
        self.n_items_, self.n_gold_ = len(observed), int(observed.exact.sum())
        self.basis_ = observed.basis
        self._fit(observed)
        return self

    def transform(self, predicted: Any) -> Beliefs:
        """Give the calibrated beliefs.

        Parameters
        ----------
        predicted : Beliefs, or (n_items, n_classes) probabilities
            With the classes of `fit`.

        Raises
        ------
        InputError
            If the classes differ, or a row is no distribution.
        NotFittedError
            If `fit` wasn't called.
        """
        beliefs = self._beliefs(predicted)
        probs = self._apply(beliefs.probs).astype(beliefs.probs.dtype)
        return Beliefs(probs, beliefs.labels, beliefs.item_ids)

    def _beliefs(self, predicted: Any) -> Beliefs:
        check_is_fitted(self)
        return as_beliefs(predicted, self.labels_)

    def _check(self) -> None:
        """Refuse settings out of range."""

    @abstractmethod
    def _fit(self, observed: Observed) -> None: ...

    @abstractmethod
    def _apply(self, probs: Floats) -> NDArray[np.float64]: ...


def normalised(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that add up to 1; uniform where every class has 0, as scikit-learn has it."""
    total = probs.sum(axis=1, keepdims=True)
    uniform = np.full_like(probs, 1.0 / probs.shape[1])
    return np.asarray(np.divide(probs, total, out=uniform, where=total > 0))


def _warn_of_sets(observed: Observed) -> None:
    if observed.sets is None:
        return
    found = generation_of(observed)
    if found.p_value < ALARM:
        warnings.warn(found.sentence, UserWarning, stacklevel=3)
