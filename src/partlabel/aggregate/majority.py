"""MajorityVote: every source counts the same; the yardstick of all label models."""

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.prior import Prior, possible
from partlabel.aggregate.reliability import reliability_table
from partlabel.channels import add_votes
from partlabel.errors import InputError
from partlabel.evidence import Evidence, Vocabulary, Votes


class MajorityVote(Aggregator):
    """Believe in each class by its share of the votes.

    Right where sources are about equally good and err independently; its shares are no calibrated
    probabilities. It learns nothing, so that it reads sources that weren't there in `fit` as well.
    A vote for a set is split evenly over its classes; classes that gold or candidates rule out are
    struck; where nothing is left, the classes that are possible share evenly. With a prior of its
    own for each item, the shares are multiplied by it, and it stays where nothing is left of them.

    Parameters
    ----------
    pseudo_votes : float, default 0.0
        Votes that every class has to begin with, so that three votes out of three are no certainty
        (1.0: Laplace's rule of succession).

    Attributes
    ----------
    labels_ : LabelSpace
    reliability_ : polars.DataFrame
        One row per source; accuracies are measured against the majority, so they flatter it.

    Examples
    --------
    >>> from partlabel.evidence import Votes
    >>> from partlabel.labels import LabelSpace
    >>> votes = Votes.from_matrix([[0, 0, 1], [-1, 1, -1]], LabelSpace(["ham", "spam"]))
    >>> MajorityVote().fit_aggregate(votes).probs.round(2)
    array([[0.67, 0.33],
           [0.  , 1.  ]])
    """

    def __init__(self, *, pseudo_votes: float = 0.0) -> None:
        self.pseudo_votes = pseudo_votes

    def _learn(self, evidence: Evidence, prior: Prior) -> None:
        if not self.pseudo_votes >= 0.0:
            raise InputError(f"`pseudo_votes` must be at least 0; got {self.pseudo_votes}.")
        self.reliability_ = reliability_table(evidence, self._believe(evidence, prior))

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        votes = evidence.votes
        worth = None if votes is None else split_evenly(votes.vocabulary)
        return shares(evidence, votes, worth, prior, pseudo_votes=self.pseudo_votes)


def split_evenly(vocabulary: Vocabulary) -> NDArray[np.float64]:
    """(n_symbols, n_classes) One vote for each word, split over the classes it stands for."""
    members = vocabulary.members()
    return np.asarray(members / members.sum(axis=1, keepdims=True))


def shares(
    evidence: Evidence,
    votes: Votes | None,
    worth: NDArray[np.float64] | None,
    prior: Prior = None,
    *,
    pseudo_votes: float = 0.0,
) -> NDArray[np.float64]:
    """(n_items, n_classes) Shares of the votes, within what gold and candidates leave possible.

    Parameters
    ----------
    votes : Votes or None
        Those of the evidence, in the vocabulary of `worth`.
    worth : (n_symbols, n_classes) float or None
        What each word gives to each class.
    prior : (n_items, n_classes) float or None
        What the shares are multiplied by, and what is believed without them.
    pseudo_votes : float
        What each class has to begin with.
    """
    table, which = possible(evidence, prior)
    before = table[which]
    given = np.full_like(before, pseudo_votes)
    if votes is not None and worth is not None:
        add_votes(votes.indptr, votes.symbol, worth, given)
    given *= before
    total = np.einsum("ij->i", given)
    nothing_left = total == 0
    given[nothing_left] = before[nothing_left]
    total[nothing_left] = before[nothing_left].sum(axis=1)
    given /= total[:, None]
    return given
