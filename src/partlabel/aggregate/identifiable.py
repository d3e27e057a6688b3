r"""identifiable: can the votes tell how good a source is, and how many of its votes do.

The accuracy of a source shows only where others speak about the same items. From one other source
alone it can't be told which of the two is wrong where they differ; three sources that err
independently, each two of which overlap, settle it (Anandkumar, Ge, Hsu, Kakade & Telgarsky, Tensor
decompositions for learning latent variable models, JMLR 2014, section 3.3). Sources that copy each
other are one witness.

============================================  ===========  =====================================
symbol                                        code         shape
============================================  ===========  =====================================
:math:`b_{i,-j}(y)`                           others       belief about an item by other sources
:math:`1 - H(b_{i,-j}) / \log K`                           how much these know about the item
:math:`\sum_i (1 - H / \log K) b_{i,-j}(y)`   effective    (n_symbols, n_classes)
============================================  ===========  =====================================
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.kernels import TINY, counts_under, peer_counts
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.reliability import ENOUGH_GOLD
from partlabel.aggregate.settings import votes_of
from partlabel.channels import expected_table
from partlabel.evidence import Candidates, Evidence, Vocabulary, Votes, as_evidence

ENOUGH = 10.0  # effective votes: an accuracy of 0.75 is then known to about +-0.27
TYPICAL = 0.7  # accuracy, and pseudo-votes behind it, of a source of which nothing is known
PSEUDO_VOTES = 2.0
MOST_PAIRS = 50_000_000  # of votes on the same row; of more, evenly spaced rows show who overlaps
DENSE_BELOW = 4096  # sources: a dense table of pairs is quicker, and takes 64 MB


class Identifiable(Enum):
    """Whether the votes tell how good a source is; the value is the word for the user."""

    YES = "yes"
    WEAK = "weak"
    NO = "no"


def sources_report(
    model: Aggregator,
    evidence: Evidence | Votes | Candidates,
    prior: ArrayLike | None = None,
) -> pl.DataFrame:
    """Give all that is known about each source: how reliable it is, and whether that can be told.

    Parameters
    ----------
    model : label model
        Fitted.
    evidence : Evidence, Votes or Candidates
        With votes of the sources that were there in `fit`.
    prior : (n_items, n_classes) float, default None
        As in `Aggregator.aggregate`.

    Returns
    -------
    polars.DataFrame
        The columns of `model.reliability_`, then those of `identifiability`: one row per source.

    Raises
    ------
    NotFittedError
        If `model` isn't fitted.
    InputError
        If there are no votes, or `model` refuses them or `prior`.

    Examples
    --------
    >>> from partlabel.aggregate import DawidSkene
    >>> from partlabel.labels import LabelSpace
    >>> votes = Votes.from_matrix([[0, 0, 1], [1, 1, 0], [0, 0, 0]], LabelSpace(["ham", "spam"]))
    >>> report = sources_report(DawidSkene().fit(votes), votes)
    >>> report.select("source", "accuracy", "identifiable")["identifiable"].to_list()
    ['weak', 'weak', 'weak']
    """
    taken = as_evidence(evidence)
    beliefs = np.asarray(model.aggregate(taken, prior).probs, dtype=np.float64)
    return with_identifiability(model.reliability_, taken, beliefs, copies=copies_of(model))


def identifiability(
    evidence: Evidence, beliefs: NDArray[np.float64], *, copies: Sequence[Sequence[str]] = ()
) -> pl.DataFrame:
    """Say for each source whether the votes can tell how good it is, and why.

    An accuracy that can't be told is the label model's prior and an echo of the source's own votes,
    whatever its interval says: verify some labels by hand there, or add a source that overlaps.

    Parameters
    ----------
    evidence : Evidence
        With votes.
    beliefs : (n_items, n_classes)
        What the label is believed to be.
    copies : sequence of groups of source names, default ()
        Sources that depend on each other, as `dependent_groups` gives them: a group is one witness,
        and none for its own members.

    Returns
    -------
    polars.DataFrame
        One row per source: source; effective_votes (its votes, each weighted by how much the
        others, gold and candidates know about the item: 1 - entropy / log(n_classes)); identifiable
        ("yes", "weak" or "no"); reason, a sentence.

    Raises
    ------
    InputError
        If there are no votes.
    """
    votes = votes_of(evidence)
    rows, vocabulary = Observations.of(evidence), votes.vocabulary
    counts = counts_under(votes.indptr, votes.symbol, beliefs, len(vocabulary))
    effective = effective_counts(rows, vocabulary, counts, beliefs.sum(axis=0), copies)
    n, source = votes.n_sources, vocabulary.source
    group = _groups(vocabulary, copies)
    peers, triples = _overlapping(rows, group[source], n)
    facts = zip(
        np.bincount(votes.source, minlength=n).tolist(),
        _gold_votes(evidence, votes).tolist(),
        np.bincount(source, effective.sum(axis=1), n).tolist(),
        peers[group].tolist(),
        triples[group].tolist(),
        _unshared(votes).tolist(),
        strict=True,
    )
    found = [(worth, *_judged(n, gold, worth, *rest)) for n, gold, worth, *rest in facts]
    return pl.DataFrame(
        {
            "source": pl.Series(votes.sources, dtype=pl.String),
            "effective_votes": [worth for worth, _, _ in found],
            "identifiable": [answer.value for _, answer, _ in found],
            "reason": [reason for _, _, reason in found],
        },
        schema_overrides={"effective_votes": pl.Float64, "identifiable": pl.String},
    )


def with_identifiability(
    reliability: pl.DataFrame,
    evidence: Evidence,
    beliefs: NDArray[np.float64],
    *,
    copies: Sequence[Sequence[str]] = (),
) -> pl.DataFrame:
    """Add the columns of `identifiability` to a table with a row per source."""
    found = identifiability(evidence, beliefs, copies=copies)
    return reliability.join(found, on="source", how="left", maintain_order="left")


def copies_of(model: Aggregator) -> Sequence[Sequence[str]]:
    """The groups of sources that the model takes as one; none where it looks for none."""
    groups: Sequence[Sequence[str]] = getattr(model, "copies_", ())
    return groups


def effective_counts(
    rows: Observations,
    vocabulary: Vocabulary,
    counts: NDArray[np.float64],
    totals: NDArray[np.float64],
    copies: Sequence[Sequence[str]] = (),
) -> NDArray[np.float64]:
    """(n_symbols, n_classes) Votes by class, each weighted by what others know about the item.

    That a source speaks counts as well as what it says: rules that only ever say one class say it
    by speaking at all. Gold and candidates are among the others; the class balance isn't.

    Parameters
    ----------
    rows : Observations
    vocabulary : Vocabulary
    counts : (n_symbols, n_classes)
        Expected votes with each word about items of each class.
    totals : (n_classes,)
        Expected items of each class.
    copies : sequence of groups of source names, default ()
        Sources that depend on each other: a group knows nothing for its own members.
    """
    balance = np.maximum(totals / max(totals.sum(), TINY), TINY)
    lift = counts / balance + PSEUDO_VOTES * expected_table(vocabulary, TYPICAL)
    table = np.maximum(lift / lift.max(axis=1, keepdims=True), TINY)
    effective: NDArray[np.float64] = np.zeros_like(table)
    judged = np.zeros(len(table), dtype=bool)
    for turn in range(max(map(len, copies), default=1)):  # one member speaks for each group
        silent = {name for group in copies for place, name in enumerate(group) if place != turn}
        heard = np.array([name not in silent for name in vocabulary.sources])[vocabulary.source]
        part = _of_words(rows, heard)
        passed = part.indptr, part.symbol, part.weight, part.which, part.sets, table
        found, _, _ = peer_counts(*passed)
        effective[heard & ~judged] = found[heard & ~judged]
        judged |= heard
    return effective


def _judged(
    votes: int, gold: int, worth: float, peers: int, triples: int, unshared: float
) -> tuple[Identifiable, str]:
    """Judge one source: the first of these that applies."""
    some = Identifiable.WEAK if gold else Identifiable.NO
    beside = f" Only {gold:,} of its votes lie on verified labels." if gold else ""
    if not votes:
        return Identifiable.NO, "It says nothing."
    if gold >= ENOUGH_GOLD:
        return Identifiable.YES, f"{gold:,} of its votes lie on verified labels."
    if not peers:
        return some, f"No other source speaks about its items.{beside}"
    if not triples:
        return some, (
            "No two other sources overlap with it and with each other, so that nobody can tell "
            f"who is wrong where they differ.{beside}"
        )
    if unshared > 0.5:
        return Identifiable.WEAK, (
            "No other source ever says what most of its votes say, so that others can contradict, "
            "but not confirm."
        )
    if worth < ENOUGH:
        few = f"It has fewer than {ENOUGH:.0f} votes."
        return Identifiable.WEAK, few if votes < ENOUGH else "Others know little about its items."
    return Identifiable.YES, f"{peers:,} other sources speak about its items."


def _of_words(rows: Observations, heard: NDArray[np.bool_]) -> Observations:
    """The same rows with some of the words (n_symbols,) only."""
    if heard.all():
        return rows
    kept = heard[rows.symbol]
    ends = np.concatenate([[0], np.cumsum(kept)])
    return replace(rows, indptr=ends[rows.indptr], symbol=rows.symbol[kept])


def _groups(vocabulary: Vocabulary, copies: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """(n_sources,) The witness that each source is, or is part of."""
    place = {name: j for j, name in enumerate(vocabulary.sources)}
    group = np.arange(len(place))
    for members in copies:
        own = [place[name] for name in members]
        group[own] = own[0]
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def _overlapping(
    rows: Observations, group: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) each: how many others overlap with each witness, and in how many pairs these overlap.

    `group` is (n_symbols,): the witness behind each word, of n at most.
    """
    length = np.diff(rows.indptr)
    step = max(1, int(np.ceil((length.astype(np.float64) ** 2).sum() / MOST_PAIRS)))
    row, who = np.repeat(np.arange(len(length)), length), group[rows.symbol]
    kept = row % step == 0
    spoke = csr_array((np.ones(kept.sum(), np.float32), (row[kept], who[kept])), (len(length), n))
    shared = spoke.T @ spoke
    shared.setdiag(0.0)
    shared.eliminate_zeros()
    shared.data[:] = 1.0
    links: Any = shared.toarray() if n < DENSE_BELOW else shared
    each = np.ones(n, np.float32)
    triples = ((links @ links) * links) @ each / 2.0
    return (links @ each).astype(np.int64), triples.astype(np.int64)


def _unshared(votes: Votes) -> NDArray[np.float64]:
    """(n_sources,) Share of each source's votes for classes that nobody else ever says."""
    vocabulary, n = votes.vocabulary, votes.n_sources
    said = np.bincount(votes.symbol, minlength=len(vocabulary))
    names = vocabulary.members() & (said > 0)[:, None]
    says = np.zeros((n, names.shape[1]), dtype=bool)
    np.logical_or.at(says, vocabulary.source, names)
    elsewhere = (says.sum(axis=0) - says) > 0
    alone = ~(names & elsewhere[vocabulary.source]).any(axis=1)
    n_votes = np.bincount(votes.source, minlength=n)
    return np.bincount(vocabulary.source, said * alone, n) / np.maximum(n_votes, 1)


def _gold_votes(evidence: Evidence, votes: Votes) -> NDArray[np.int64]:
    """(n_sources,) Votes on items with gold."""
    if evidence.gold is None:
        return np.zeros(votes.n_sources, dtype=np.int64)
    known = votes.select(np.flatnonzero(evidence.gold.exact))
    return np.bincount(known.source, minlength=votes.n_sources)
