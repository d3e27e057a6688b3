r"""confusions: what each source says about items of each class, and how sure that is.

==========================================  ============  =====================================
symbol                                      code          shape
==========================================  ============  =====================================
:math:`p(s | y)`                            probs         (n_symbols, n_classes)
:math:`n_{sy} = \sum_i b_i(y) [s \in o_i]`  counts        (n_symbols, n_classes) expected votes
:math:`J_s`                                 information   (n_classes, n_classes) of one word
:math:`m_{sy} = 1 / [J_s^{-1}]_{yy}`        known         (n_symbols, n_classes)
==========================================  ============  =====================================

If all labels were known, the information about :math:`\log p(s | \cdot)` would be the diagonal of
the :math:`n_{sy}`. What is missing is the variance of the labels (Louis, Finding the observed
information matrix when using the EM algorithm, Journal of the Royal Statistical Society B 1982,
eq. 3.2'), and what is left

.. math:: J_s = \sum_{i: s \in o_i} \left( \mathrm{diag}(b_i) - [\mathrm{diag}(b_i) - b_i b_i^T]
          \right) = \sum_{i: s \in o_i} b_i b_i^T

so that votes on items that could be of either class don't tell these classes apart. The beta
interval of p(s | y) has the mean of the channel, and the variance of a share of independent counts
whose relative variances are :math:`1 / m_{sy}` (delta method).
"""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.dawid_skene import confusion_under
from partlabel.aggregate.identifiable import copies_of, effective_counts
from partlabel.aggregate.kernels import TINY, counts_under
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.prior import checked
from partlabel.aggregate.reliability import credible
from partlabel.aggregate.settings import votes_of
from partlabel.channels import Confusion
from partlabel.evidence import Candidates, Evidence, Vocabulary, Votes, as_evidence

# Heuristic: sources err together on hard items, which no count of theirs shows. So widened, the 95%
# intervals hold 89% (LabelModel) or 85% (DawidSkene) on eleven crowds: `benchmarks/influence.py`.
SHARED_MISTAKES = 3.0
PSEUDO_VOTES = 2.0  # behind the interval of each source and class, as in `reliability_table`


def confusion_table(
    model: Aggregator,
    evidence: Evidence | Votes | Candidates,
    prior: ArrayLike | None = None,
) -> pl.DataFrame:
    """Give what each source says about items of each class, with 95% intervals.

    Use it to see which classes a source confuses, and what a vote of it is worth. The intervals are
    wide where the votes are few, and where the items' labels are uncertain themselves. They are
    right for crowds; a rule that only ever says one class says it of every class, so that for it
    `share` is the column to read.

    Parameters
    ----------
    model : label model
        Fitted. Where it has no channel of its own (`LabelModel`, `MajorityVote`), the probabilities
        are those that its beliefs speak for.
    evidence : Evidence, Votes or Candidates
        With votes of the sources that were there in `fit`.
    prior : (n_items, n_classes) float, default None
        As in `Aggregator.aggregate`.

    Returns
    -------
    polars.DataFrame
        One row for each source, true class, and word of the source: source; class; word ("a|b"
        for a set); level (confidence bin); probability of the word for items of this class about
        which the source speaks, with low and high; share (of its votes with this word, how many are
        about this class: what the vote is worth); expected_votes; effective_votes (each vote
        weighted by how much the other sources know about its item, see `identifiability`);
        gold_votes (with this word, on gold items of this class).

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
    >>> table = confusion_table(DawidSkene().fit(votes), votes)
    >>> table.filter(source="source_2", word="spam").select("class", "low", "high").height
    2
    """
    taken = as_evidence(evidence)
    votes = votes_of(taken)
    beliefs = np.asarray(model.aggregate(taken, prior).probs, dtype=np.float64)
    confusion = _channel(model, votes, beliefs)
    votes = votes.in_vocabulary(confusion.vocabulary)
    counts = counts_under(votes.indptr, votes.symbol, beliefs, len(votes.vocabulary))
    known = known_counts(votes, beliefs, PSEUDO_VOTES * confusion.probs)
    low, high = intervals(votes.vocabulary, confusion.probs, counts, known)
    rows = Observations.of(replace(taken, votes=votes), prior=checked(prior, taken))
    effective = effective_counts(
        rows, votes.vocabulary, counts, beliefs.sum(axis=0), copies_of(model)
    )
    n_symbols, n_classes = counts.shape
    vocabulary, classes = votes.vocabulary, votes.labels.classes
    said = counts.sum(axis=1, keepdims=True)
    words = ["|".join(str(classes[k]) for k in np.flatnonzero(s)) for s in vocabulary.sets]
    symbol = np.repeat(np.arange(n_symbols), n_classes)
    return pl.DataFrame(
        {
            "source": pl.Series(vocabulary.sources, dtype=pl.String)[vocabulary.source[symbol]],
            "class": votes.labels.decode(pl.Series(np.tile(np.arange(n_classes), n_symbols))),
            "word": pl.Series(words)[vocabulary.meaning[symbol]],
            "level": vocabulary.level[symbol],
            "probability": confusion.probs.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "share": np.where(said > 0, counts / np.where(said > 0, said, 1.0), np.nan).ravel(),
            "expected_votes": counts.ravel(),
            "effective_votes": effective.ravel(),
            "gold_votes": _on_gold(taken, votes).ravel(),
        },
        nan_to_null=True,
    )


def known_counts(
    votes: Votes, beliefs: NDArray[np.float64], pseudo_votes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_symbols, n_classes) How many votes with known labels would say as much: m above.

    `pseudo_votes` (n_symbols, n_classes) count as votes with known labels.
    """
    order = np.argsort(votes.symbol, kind="stable")
    item, ends = (
        votes.item[order],
        np.cumsum(np.bincount(votes.symbol, minlength=len(pseudo_votes))),
    )
    known = np.maximum(pseudo_votes, TINY)
    for symbol in np.unique(votes.symbol):
        begin = ends[symbol - 1] if symbol else 0
        about = beliefs[item[begin : ends[symbol]]]
        information = about.T @ about + np.diag(known[symbol])
        known[symbol] = 1.0 / np.linalg.inv(information).diagonal()
    return known


def intervals(
    vocabulary: Vocabulary,
    probs: NDArray[np.float64],
    counts: NDArray[np.float64],
    known: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""(n_symbols, n_classes) twice: the ends of the beta intervals.

    With :math:`u = (n + a) / m` how many votes it takes for one with a known label, a share p of n
    votes has the variance :math:`p (1 - p) / n \cdot [(1 - p) u + p u']`, where u' is the mean over
    the other words; and three times that for the mistakes that sources share.
    """
    first = vocabulary.first[:-1]
    mass = counts + PSEUDO_VOTES * probs
    per_known = mass / known
    of_all = np.add.reduceat(probs * per_known, first, axis=0)[vocabulary.source]
    of_others = (of_all - probs * per_known) / np.maximum(1.0 - probs, TINY)
    price = SHARED_MISTAKES * np.maximum((1.0 - probs) * per_known + probs * of_others, 1.0)
    n = np.add.reduceat(mass, first, axis=0)[vocabulary.source] / price
    p = np.clip(probs, TINY, 1.0 - 1e-12)
    return credible(p * n, (1.0 - p) * n)


def _channel(model: Aggregator, votes: Votes, beliefs: NDArray[np.float64]) -> Confusion:
    learnt = getattr(model, "confusion_", None)
    if isinstance(learnt, Confusion):
        return learnt
    return confusion_under(votes, beliefs, strength=PSEUDO_VOTES)


def _on_gold(evidence: Evidence, votes: Votes) -> NDArray[np.int64]:
    """(n_symbols, n_classes) Votes with each word on gold items of each class."""
    n_classes = len(votes.labels)
    if evidence.gold is None:
        return np.zeros((len(votes.vocabulary), n_classes), dtype=np.int64)
    known = np.flatnonzero(evidence.gold.exact)
    checked_votes = votes.select(known)
    truth = np.repeat(evidence.gold.codes()[known], checked_votes.votes_per_item)
    cell = checked_votes.symbol.astype(np.int64) * n_classes + truth
    n_cells = len(votes.vocabulary) * n_classes
    return np.bincount(cell, minlength=n_cells).reshape(-1, n_classes)
