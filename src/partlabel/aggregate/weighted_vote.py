r"""WeightedVote: sources that agree with the vote count for more.

With :math:`d_i` the classes that lead on item i (one, or several that tie and share), each source's
weight is how often its votes hold the leader,

.. math:: w_j = \frac{1}{n_j} \sum_{i: j \text{ spoke}} \sum_{y \in o_{ij}} d_i(y)

and the leaders are those of the votes weighted so. One round is *Wawa*, going on until the weights
rest is *zero-based skill*: the names are those of the crowd-kit library (Ustalov, Pavlichenko &
Tseitlin, Learning from crowds with Crowd-Kit, Journal of Open Source Software 2024). Where every
vote names one class, a round never lowers :math:`\sum_j n_j w_j^2`, so that the weights do rest.
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.kernels import counts_under
from partlabel.aggregate.majority import shares, split_evenly
from partlabel.aggregate.prior import Prior
from partlabel.aggregate.reliability import reliability_table
from partlabel.aggregate.settings import check_count, votes_of
from partlabel.evidence import Evidence, Vocabulary, Votes

TIE = 1e-9  # shares closer than this lead together


class WeightedVote(Aggregator):
    """Believe in each class by its share of the votes, those of agreeing sources counting for more.

    The simplest model that tells sources apart: right where some are careless and most votes are
    right. Wrong where the majority errs together, or each source agrees with it as often; its
    shares are no calibrated probabilities. A vote for a set is split evenly over its classes.
    Gold is the truth by which weights are judged; classes that gold or candidates rule out are
    struck; where nothing is left, the possible classes share evenly. A prior of each item's own
    multiplies its shares, of which weights are judged, too.

    Parameters
    ----------
    n_rounds : int, default 1
        How often the weights are judged anew by the vote that they weighted, at the most. 1 is
        Wawa: agreement with the plain majority. 20, say, goes on until the weights rest:
        zero-based skill, which trusts the leading sources further.

    Attributes
    ----------
    weight_ : (n_sources,) float in [0, 1]
        How often each source agrees with the vote; 0 for one that said nothing.
    n_rounds_ : int
        Rounds that were made.
    vocabulary_ : Vocabulary
        Whose sources the weights are.
    reliability_ : polars.DataFrame
        One row per source; accuracies are measured against the vote, so they flatter it.
    labels_ : LabelSpace

    Examples
    --------
    >>> from partlabel.evidence import Votes
    >>> from partlabel.labels import LabelSpace
    >>> said = [[0, 0, 0, 1], [1, 1, 1, 0], [0, 0, 1, -1], [0, -1, -1, 1]]
    >>> votes = Votes.from_matrix(said, LabelSpace(["ham", "spam"]))
    >>> model = WeightedVote().fit(votes)
    >>> model.weight_.round(2), model.aggregate(votes).decide()[3]
    (array([0.88, 1.  , 0.67, 0.17]), 'ham')
    """

    weight_: NDArray[np.float64]
    n_rounds_: int
    vocabulary_: Vocabulary

    def __init__(self, *, n_rounds: int = 1) -> None:
        self.n_rounds = n_rounds

    def _learn(self, evidence: Evidence, prior: Prior) -> None:
        check_count(n_rounds=self.n_rounds)
        votes = votes_of(evidence)
        self.vocabulary_ = votes.vocabulary
        self.weight_, self.n_rounds_ = np.ones(votes.n_sources), 0
        moved = 1.0
        while moved > TIE and self.n_rounds_ < self.n_rounds:
            fresh = agreement(votes, leaders(self._believe(evidence, prior)))
            moved = float(np.abs(fresh - self.weight_).max())
            self.weight_, self.n_rounds_ = fresh, self.n_rounds_ + 1
        if moved > TIE and self.n_rounds > 1:
            warnings.warn(
                "WeightedVote: the weights were still moving; raise `n_rounds`, or take 1 for "
                "agreement with the plain majority.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.reliability_ = reliability_table(evidence, self._believe(evidence, prior))

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        if evidence.votes is None:
            return shares(evidence, None, None, prior)
        worth = self.weight_[self.vocabulary_.source][:, None] * split_evenly(self.vocabulary_)
        votes = evidence.votes.in_vocabulary(self.vocabulary_)
        return shares(evidence, votes, worth, prior)


def leaders(beliefs: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_items, n_classes) The leading class of each item; those that tie share."""
    top = beliefs >= beliefs.max(axis=1, keepdims=True) - TIE
    return np.asarray(top / top.sum(axis=1, keepdims=True))


def agreement(votes: Votes, leading: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_sources,) How much of what leads was in each source's votes, on average; 0 without any."""
    members, source = votes.vocabulary.members(), votes.vocabulary.source
    counts = counts_under(votes.indptr, votes.symbol, leading, len(members))
    held = np.bincount(source, weights=(counts * members).sum(axis=1))
    return np.asarray(held / np.maximum(np.bincount(votes.source, minlength=len(held)), 1))
