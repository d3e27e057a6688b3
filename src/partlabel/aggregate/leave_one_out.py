r"""leave_one_out: what is believed about an item if one of its votes is left unheard.

============================================  ========  =========================================
symbol                                        code      shape
============================================  ========  =========================================
:math:`b_i(y)`                                whole     (n_votes, n_classes) the vote's item
:math:`p(s | y)`                              table     (n_symbols, n_classes)
:math:`b_{i,-j}(y) \propto b_i(y) / p(s | y)` rest      (n_votes, n_classes) without the vote
============================================  ========  =========================================

Where beliefs are Bayes' rule over independent votes, one division does it. For every other label
model the item is believed anew from its remaining votes. The channel stays as it was learnt.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.dawid_skene import DawidSkene
from partlabel.aggregate.kernels import TINY
from partlabel.aggregate.mace import MACE
from partlabel.aggregate.prior import Prior
from partlabel.aggregate.settings import votes_of
from partlabel.aggregate.triplets import Triplets
from partlabel.channels import Confusion
from partlabel.evidence import Evidence

ENTRIES_AT_ONCE = 4_194_304  # of remaining votes, or of beliefs: 32 MB


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """Some votes, each left unheard in its turn.

    Attributes
    ----------
    item : (n_votes,) int64
        Position among all items.
    symbol : (n_votes,) int32
        What was said, in the vocabulary of the evidence.
    alone : (n_votes,) bool
        Whether no other vote is about the item.
    whole, rest : (n_votes, n_classes) float
        The belief about the vote's item with the vote, and without it.
    """

    item: NDArray[np.int64]
    symbol: NDArray[np.int32]
    alone: NDArray[np.bool_]
    whole: NDArray[np.float64]
    rest: NDArray[np.float64]


def leave_one_out(
    model: Aggregator, evidence: Evidence, beliefs: NDArray[np.float64], prior: Prior = None
) -> Iterator[LeftOut]:
    """Leave out each vote in its turn, as many at once as fit into memory.

    Parameters
    ----------
    model : Aggregator
        Fitted; nothing is learnt anew.
    evidence : Evidence
        With votes.
    beliefs : (n_items, n_classes)
        Those of the model about the evidence.
    prior : (n_items, n_classes), default None
        As in `Aggregator.aggregate`.
    """
    votes = votes_of(evidence)
    spoken = votes.votes_per_item
    cost = np.cumsum(spoken * np.maximum(spoken, beliefs.shape[1]))
    start = 0
    while start < len(evidence):
        spent = cost[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(cost, spent + ENTRIES_AT_ONCE, side="right")))
        rows = slice(start, stop)
        item = np.repeat(np.arange(start, min(stop, len(evidence))), spoken[rows])
        symbol = votes.symbol[votes.indptr[start] : votes.indptr[min(stop, len(evidence))]]
        rest = without_each(model, evidence, item, symbol, beliefs, prior)
        yield LeftOut(item, symbol, spoken[item] == 1, beliefs[item], rest)
        start = stop


@singledispatch
def without_each(
    model: Aggregator,
    evidence: Evidence,
    item: NDArray[np.int64],
    symbol: NDArray[np.int32],
    beliefs: NDArray[np.float64],
    prior: Prior,
) -> NDArray[np.float64]:
    """(n_votes, n_classes) Beliefs without each vote, from the votes that remain.

    `item` and `symbol` are all votes about some items, in order.
    """
    del beliefs  # which other forms of it divide
    rows = evidence.select(item)
    votes = votes_of(rows)
    own = votes.symbol != np.repeat(symbol, votes.votes_per_item)  # an item has each word once
    kept = replace(
        votes,
        indptr=votes.indptr - np.arange(len(votes.indptr)),
        symbol=votes.symbol[own],
        item_ids=None,
    )
    rest = Evidence(
        votes=kept,
        candidates=rows.candidates and replace(rows.candidates, item_ids=None),
        gold=rows.gold and replace(rows.gold, item_ids=None),
    )
    found = model.aggregate(rest, None if prior is None else prior[item])
    return np.asarray(found.probs, dtype=np.float64)


@without_each.register(MACE)
@without_each.register(Triplets)
def _by_division(
    model: MACE | Triplets,
    evidence: Evidence,
    item: NDArray[np.int64],
    symbol: NDArray[np.int32],
    beliefs: NDArray[np.float64],
    prior: Prior,
) -> NDArray[np.float64]:
    del prior  # it is in the beliefs
    return divided(beliefs[item], likelihood(model.confusion_, evidence, symbol))


@without_each.register
def _of_dawid_skene(
    model: DawidSkene,
    evidence: Evidence,
    item: NDArray[np.int64],
    symbol: NDArray[np.int32],
    beliefs: NDArray[np.float64],
    prior: Prior,
) -> NDArray[np.float64]:
    # "vb" believes by the expected logs, subtypes are summed over, and silence is heard, too
    if model.inference == "vb" or model.subtypes > 1 or model.confusion_.speaks is not None:
        anew = without_each.dispatch(Aggregator)
        return np.asarray(anew(model, evidence, item, symbol, beliefs, prior))
    return divided(beliefs[item], likelihood(model.confusion_, evidence, symbol))


def likelihood(
    confusion: Confusion, evidence: Evidence, symbol: NDArray[np.int32]
) -> NDArray[np.float64]:
    """(n_votes, n_classes) p(word | class) of words in the vocabulary of the evidence."""
    own = votes_of(evidence).vocabulary
    if own.same_as(confusion.vocabulary):
        return np.asarray(confusion.probs[symbol])
    used, place = np.unique(symbol, return_inverse=True)
    return np.asarray(confusion.probs[own.symbols_in(confusion.vocabulary, used)][place])


def divided(whole: NDArray[np.float64], said: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_votes, n_classes) Beliefs without the votes whose likelihoods are given."""
    rest = whole / np.maximum(said, TINY)
    rest /= rest.sum(axis=1, keepdims=True)
    return rest
