"""Habits: what votes alone show of their sources: when they speak, and what they favour."""

import numpy as np

from partlabel.aggregate.agreement import words_said
from partlabel.aggregate.majority import split_evenly
from partlabel.evidence import Votes

ENOUGH_VOTES = 5
BY_CHANCE = 0.05  # that all votes of a source are the same


def speaks_selectively(votes: Votes) -> bool:
    """Tell whether silence is an answer: whether most sources only ever say one word.

    So do labelling rules, which keep silent about the other classes. Crowd workers say every class,
    and their silence means that they weren't asked. A source counts if it has at least five votes,
    too many to be all the same by chance, given how often each word is said. Where no source has so
    many votes, it is asked of those with at least two whether all of them only say one word, and
    not all the same.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> rules = [[0, -1], [-1, 1]] * 10
    >>> speaks_selectively(Votes.from_matrix(rules, LabelSpace(["ham", "spam"])))
    True
    """
    # copies count once: equal sources have equal sums of numbers that stand for the items
    number = np.random.default_rng(0).random(len(votes))[votes.item]
    mark = np.bincount(votes.source, weights=number, minlength=votes.n_sources)
    said = np.unique(np.column_stack([words_said(votes), mark]), axis=0)[:, :-1]
    n = said.sum(axis=1)
    share = said.sum(axis=0) / max(n.sum(), 1.0)
    all_the_same = (share ** n[:, None]).sum(axis=1)
    telling = (n >= ENOUGH_VOTES) & ((all_the_same < BY_CHANCE) | (share.max() == 1))
    if not telling.any():
        few = said[n >= 2] > 0
        return bool((few.sum(axis=1) == 1).all() and few.any(axis=0).sum() > 1)
    one_word = (said[telling] > 0).sum(axis=1) == 1
    return 2 * int(one_word.sum()) > len(one_word)


def differing_favours(votes: Votes) -> float:
    r"""Give how much sources differ in the classes that they favour: 0 not at all, about 1 wholly.

    A source that says "spam" more often than the others do about the same items favours it. Its
    excess is :math:`\delta_j(y)`, the mean over its votes of its own word minus the share of the
    class in the others' words. Given is the spread of these excesses beside that of the words,

    .. math:: \sum_y \sum_j n_j \hat\delta_j(y)^2 / \sum_j n_j \Big/ \sum_y p_y (1 - p_y),

    with the unbiased estimate of the square (of pairs of its votes), so that few votes don't look
    like a habit. Where it is small, an accuracy per source says what a confusion table would.

    Returns
    -------
    float; NaN where no two sources speak about the same items.
    """
    item, source = votes.item, votes.source
    beside = votes.votes_per_item[item] - 1
    n = np.bincount(source[beside > 0], minlength=votes.n_sources).astype(np.float64)
    pairs = n * (n - 1.0)
    if not pairs.any():
        return float("nan")
    spread = words = 0.0
    for says in split_evenly(votes.vocabulary).T:
        own = says[votes.symbol]
        others = np.bincount(item, weights=own, minlength=votes.n_items)[item] - own
        excess = np.where(beside > 0, own - others / np.maximum(beside, 1), 0.0)
        total = np.bincount(source, weights=excess, minlength=votes.n_sources)
        square = np.bincount(source, weights=excess**2, minlength=votes.n_sources)
        spread += float((n * (total**2 - square) / np.maximum(pairs, 1.0)).sum())
        words += float(own.var())
    if words == 0.0:
        return float("nan")
    return max(spread / float(n[n > 1].sum()) / words, 0.0)
