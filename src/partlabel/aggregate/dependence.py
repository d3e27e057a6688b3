"""Dependence: find sources that copy each other, group them, and let each group speak as one."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binom, false_discovery_control

from partlabel.aggregate.agreement import TINY, agreement, information_given, words_said
from partlabel.aggregate.habits import speaks_selectively
from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evidence import ClassSets, Vocabulary, Votes
from partlabel.evidence.readers import indptr_of

Ints = NDArray[np.int64]

PASSES = 2


def dependent_pairs(
    votes: Votes,
    *,
    beliefs: Beliefs | None = None,
    level: float = 0.05,
    effect: float = 0.5,
    min_items: int = 30,
) -> pl.DataFrame:
    r"""Find pairs of sources that agree beyond what the label explains, from the votes alone.

    Use it before a label model: copies of a poor source outvote good ones, and EM takes them for
    the truth. Workers are compared on the items about which both spoke; rules
    (`speaks_selectively`) on all items, with silence as a word of its own. What the label explains
    of a pair's agreement is foretold by third parties, see `partlabel.aggregate.agreement`. A pair
    is dependent where it agrees more than that, by much,

    .. math:: u = (\kappa - \hat\kappa) / (1 - \hat\kappa) \ge \text{effect},

    and hardly ever by chance: a binomial test against the upper 95% limit of what is explained,
    with the false discovery rate held over all pairs that have enough items. Items that are harder
    than others also make good sources agree, hence `effect`. Copies of a source that says nearly
    always the same aren't found: they agree by chance alone. They tell little to a label model that
    learns confusions, but sway `MajorityVote`.

    Parameters
    ----------
    votes : Votes
    beliefs : Beliefs, default None
        About the same items; adds the column `residual`, and changes nothing else.
    level : float in (0, 1), default 0.05
        False discovery rate.
    effect : float in [0, 1], default 0.5
        Least unexplained share of a dependent pair. Lower finds weaker ties, and more of those that
        come from hard items.
    min_items : int, default 30
        Least number of items about which both sources (rules: one of the two) spoke.

    Returns
    -------
    polars.DataFrame
        One row for each pair with enough items and an agreement of at least `effect`, below which
        no pair can be dependent; the dependent ones first, then by strength. source_a, source_b;
        items; agreement (Cohen's kappa); explained, what the label explains of it; unexplained,
        the share of the rest on which they agree; p_value; dependent. With `beliefs` also residual:
        the mutual information of their words given the label, in nats per item.

    Raises
    ------
    InputError
        If a setting is out of range, or `beliefs` are about other classes or another number of
        items.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(0, 2, (500, 1))
    >>> said = np.where(rng.random((500, 5)) < 0.8, truth, 1 - truth)[:, [0, 1, 2, 3, 4, 4]]
    >>> pairs = dependent_pairs(Votes.from_matrix(said, LabelSpace(["ham", "spam"])))
    >>> pairs.filter("dependent").select("source_a", "source_b").rows()
    [('source_4', 'source_5')]

    References
    ----------
    P. Varma et al., Learning dependency structures for weak supervision models, ICML 2019.
    Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, Journal of the Royal
    Statistical Society B 1995.
    """
    _check(votes, beliefs, level, effect, min_items)
    silence = speaks_selectively(votes)
    kept = np.flatnonzero(words_said(votes).sum(axis=1) >= (1 if silence else min_items))
    between = agreement(votes, kept, silence=silence)
    comparable, kappa = between.comparable(min_items), between.kappa
    a, b = np.nonzero(np.triu(comparable & (kappa >= effect)))
    others = np.ones(int(np.triu(comparable).sum()) - len(a))  # can't be dependent, so p = 1
    linked = np.zeros_like(comparable)
    for _ in range(PASSES):  # what is found to be dependent is no third party any more
        explained, upper = between.explained(a, b, min_items, linked)
        unexplained = np.maximum(kappa[a, b] - explained, 0.0) / np.maximum(1.0 - explained, TINY)
        chance = np.minimum(between.luck[a, b] + upper * (1.0 - between.luck[a, b]), 1.0)
        p_value = binom.sf(between.equal[a, b] - 1, between.compared[a, b], chance)
        adjusted = false_discovery_control(np.concatenate([p_value, others]))[: len(a)]
        dependent = (adjusted <= level) & (unexplained >= effect)
        linked[a, b] = linked[b, a] = dependent
    pairs = pl.DataFrame(
        {
            "source_a": pl.Series(votes.sources, dtype=pl.String).gather(kept[a]),
            "source_b": pl.Series(votes.sources, dtype=pl.String).gather(kept[b]),
            "items": between.items[a, b].astype(np.int64),
            "agreement": kappa[a, b],
            "explained": explained,
            "unexplained": unexplained,
            "p_value": p_value,
            "dependent": dependent,
        }
    )
    if beliefs is not None:
        probs = np.asarray(beliefs.probs, dtype=np.float64)
        residual = information_given(votes, probs, kept[a], kept[b], silence=silence)
        pairs = pairs.with_columns(residual=residual)
    by = ["dependent", "unexplained", "p_value", "source_a", "source_b"]
    return pairs.sort(by, descending=[True, True, False, False, False])


def dependent_groups(pairs: pl.DataFrame, sources: Sequence[str]) -> list[tuple[str, ...]]:
    """Put sources that depend on each other into groups, so that each can count about once.

    Pair after pair in the order given, two groups become one where more than half of the pairs
    across them are dependent: a chain of pairs doesn't swallow everything.

    Parameters
    ----------
    pairs : polars.DataFrame
        As `dependent_pairs` gives it.
    sources : sequence of str
        All sources, in the order in which members and groups are wanted.

    Returns
    -------
    list of tuples of two or more names; no source is in two groups.

    Raises
    ------
    InputError
        If a column is missing, or a dependent pair names an unknown source.

    Examples
    --------
    >>> pairs = pl.DataFrame({"source_a": ["a"], "source_b": ["c"], "dependent": [True]})
    >>> dependent_groups(pairs, ["a", "b", "c"])
    [('a', 'c')]
    """
    missing = [name for name in ("source_a", "source_b", "dependent") if name not in pairs.columns]
    if missing:
        raise InputError(
            f"`pairs` must have the column {missing[0]!r}; its columns are {pairs.columns}. "
            "Pass what `dependent_pairs` gives."
        )
    place = {name: j for j, name in enumerate(sources)}
    found = pairs.filter("dependent").select("source_a", "source_b").rows()
    unknown = sorted({name for pair in found for name in pair} - place.keys())
    if unknown:
        raise InputError(
            f"`pairs` must be about `sources`; got {unknown[0]!r} ({len(unknown)} unknown). "
            "Pass the sources of the same votes."
        )
    linked = {frozenset(pair) for pair in found}
    group = {name: [name] for pair in found for name in pair}
    for one, two in found:
        mine, theirs = group[one], group[two]
        if mine is theirs:
            continue
        across = sum(frozenset(pair) in linked for pair in product(mine, theirs))
        if 2 * across > len(mine) * len(theirs):
            mine.extend(theirs)
            group.update(dict.fromkeys(theirs, mine))
    whole = {id(names): names for names in group.values() if len(names) > 1}.values()
    ordered = [tuple(sorted(names, key=place.__getitem__)) for names in whole]
    return sorted(ordered, key=lambda names: place[names[0]])


def merge_groups(votes: Votes, groups: Sequence[Sequence[str]]) -> Votes:
    """Let each group of sources speak as one, so that copies count about once.

    On an item the group says the class that most of its members say, a set being split evenly over
    its classes as in `MajorityVote`. Classes that tie are said as a set if that is a word of some
    member; otherwise a group in doubt is silent. So the words of a group don't depend on the items,
    and a model fitted on merged votes reads other votes that are merged alike.

    Parameters
    ----------
    votes : Votes
    groups : sequence of groups of two or more source names
        As `dependent_groups` gives them. A group is named by its members, "a + b + c" in the order
        of the sources.

    Returns
    -------
    Votes about the same items: of the other sources, as they are, and then of the groups. A group
    states no confidence, even if its members do.

    Raises
    ------
    InputError
        If a group has fewer than two members, a member is unknown or stands twice, or a group is
        called like another source.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> said = [[0, 0, 1], [1, 1, 0], [0, 1, -1]]
    >>> votes = Votes.from_matrix(said, LabelSpace(["ham", "spam"]), sources=["a", "b", "c"])
    >>> merged = merge_groups(votes, [("a", "b")])
    >>> merged.sources, merged.votes_per_item
    (('c', 'a + b'), array([2, 2, 0]))
    """
    if not groups:
        return votes
    group = _group_of_source(votes.sources, groups)
    return Votes.joined([_of_others(votes, group < 0), _of_groups(votes, group)])


def _group_of_source(sources: Sequence[str], groups: Sequence[Sequence[str]]) -> Ints:
    """(n_sources,) The group of each source, or -1."""
    place = {name: j for j, name in enumerate(sources)}
    group = np.full(len(sources), -1, dtype=np.int64)
    for g, names in enumerate(groups):
        if isinstance(names, str) or len(names) < 2:
            raise InputError(
                f"`groups` must hold groups of two or more sources; got {names!r} at position {g}. "
                "Leave out what stays as it is."
            )
        for name in names:
            if name not in place:
                raise InputError(
                    f"`groups` must name sources of `votes`; got {name!r} at position {g}. "
                    "Pass groups that were found in votes of these sources."
                )
            if group[place[name]] >= 0:
                raise InputError(
                    f"`groups` must not share sources; got {name!r} at positions "
                    f"{group[place[name]]} and {g}. Join these groups, or choose one."
                )
            group[place[name]] = g
    return group


def _of_others(votes: Votes, stays: NDArray[np.bool_]) -> Votes:
    vocabulary = votes.vocabulary
    word_stays = stays[vocabulary.source]
    sources = tuple(np.array(votes.sources, dtype=object)[stays])
    kept = word_stays[votes.symbol]
    return replace(
        votes,
        indptr=indptr_of(np.bincount(votes.item[kept], minlength=len(votes))),
        symbol=(np.cumsum(word_stays) - 1)[votes.symbol[kept]].astype(np.int32),
        vocabulary=Vocabulary(
            sources=sources,
            source=(np.cumsum(stays) - 1)[vocabulary.source[word_stays]].astype(np.int32),
            meaning=vocabulary.meaning[word_stays],
            sets=vocabulary.sets,
            level=vocabulary.level[word_stays],
            bins={name: edges for name, edges in vocabulary.bins.items() if name in sources},
        ),
    )


def _of_groups(votes: Votes, group: Ints) -> Votes:
    vocabulary, n_groups = _words_of_groups(votes, group), int(group.max()) + 1
    of_vote = group[votes.source]
    inside = of_vote >= 0
    spoken, which = np.unique(votes.item[inside] * n_groups + of_vote[inside], return_inverse=True)
    members = votes.vocabulary.members()
    part = (members / members.sum(axis=1, keepdims=True))[votes.symbol[inside]]
    tally = np.column_stack([np.bincount(which, weights=one) for one in part.T])
    most = ClassSets.from_mask(tally >= tally.max(axis=1, keepdims=True) - TINY)
    same = (most.table[:, None] == vocabulary.sets).all(axis=2)
    meaning = np.where(same.any(axis=1), same.argmax(axis=1), len(vocabulary.sets))[most.which]
    symbol_of = np.full((n_groups, len(vocabulary.sets) + 1), -1)
    symbol_of[vocabulary.source, vocabulary.meaning] = np.arange(len(vocabulary))
    symbol = symbol_of[spoken % n_groups, meaning]
    sure = symbol >= 0
    return replace(
        votes,
        indptr=indptr_of(np.bincount(spoken[sure] // n_groups, minlength=len(votes))),
        symbol=symbol[sure].astype(np.int32),
        vocabulary=vocabulary,
    )


def _words_of_groups(votes: Votes, group: Ints) -> Vocabulary:
    """Single classes, and the sets that some member may say."""
    vocabulary, n_classes = votes.vocabulary, len(votes.labels)
    by = group[vocabulary.source]
    larger = (by >= 0) & (vocabulary.meaning >= n_classes)
    said = np.column_stack([by[larger], vocabulary.meaning[larger] - n_classes])
    names = [
        " + ".join(name for name, own in zip(votes.sources, group, strict=True) if own == g)
        for g in range(int(group.max()) + 1)
    ]
    sets = vocabulary.sets[n_classes:]
    return Vocabulary.of_sets(names, votes.labels, sets, np.unique(said, axis=0).astype(np.int64))


def _check(
    votes: Votes, beliefs: Beliefs | None, level: float, effect: float, min_items: int
) -> None:
    if not 0.0 < level < 1.0:
        raise InputError(f"`level` must lie in (0, 1); got {level}. It is a false discovery rate.")
    if not 0.0 <= effect <= 1.0:
        raise InputError(f"`effect` must lie in [0, 1]; got {effect}. It is a share.")
    if min_items < 2:
        raise InputError(f"`min_items` must be at least 2; got {min_items}. Chance needs more.")
    if beliefs is not None and (beliefs.labels != votes.labels or len(beliefs) != len(votes)):
        raise InputError(
            f"`beliefs` must be about the {len(votes)} items of `votes` and its label space; got "
            f"{len(beliefs)} items of {beliefs.labels.classes}. Aggregate the same votes."
        )
