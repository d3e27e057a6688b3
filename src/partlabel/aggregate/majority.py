"""MajorityVote: every source counts the same; the yardstick of all label models."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.reliability import reliability_table
from partlabel.evidence import Evidence


class MajorityVote(Aggregator):
    """Believe in each class by its share of the votes.

    Right where sources are about equally good and err independently; its shares are no calibrated
    probabilities. A vote for a set is split evenly over its classes; classes that gold or
    candidates rule out are struck; where nothing is left, the classes that are possible share
    evenly.

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

    def _learn(self, evidence: Evidence) -> None:
        self.reliability_ = reliability_table(evidence, self._believe(evidence))

    def _believe(self, evidence: Evidence) -> NDArray[np.float64]:
        hard = evidence.hard_sets()
        possible = hard.table.astype(np.float64)[hard.which]
        shares = np.zeros_like(possible)
        if evidence.votes is not None:
            votes = evidence.votes
            members = votes.vocabulary.members()
            _add_shares(
                votes.indptr, votes.symbol, members / members.sum(axis=1, keepdims=True), shares
            )
        shares *= possible
        nothing_left = shares.sum(axis=1) == 0
        shares[nothing_left] = possible[nothing_left]
        shares /= shares.sum(axis=1, keepdims=True)
        return shares


@njit(parallel=True, cache=True)
def _add_shares(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    share: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    for i in prange(len(out)):
        for v in range(indptr[i], indptr[i + 1]):
            for k in range(out.shape[1]):
                out[i, k] += share[symbol[v], k]
