"""dropped_sources: what each source changes in what a label model believes; nothing is refitted."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.leave_one_out import leave_one_out
from partlabel.aggregate.prior import checked
from partlabel.aggregate.settings import votes_of
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence

TIE = 1e-9
LEVEL = 0.95


def influence(
    model: Aggregator,
    evidence: Evidence | Votes | Candidates,
    prior: ArrayLike | None = None,
) -> pl.DataFrame:
    r"""Say what would change without each source, without fitting again.

    Use it to decide which source to drop, to repair, or to get more votes from. The votes of one
    source at a time go unheard, and what was learnt about the others stays,

    .. math:: b_{i,-j}(y) \propto b_i(y) / p(o_{ij} | y),

    for label models of that form, in one pass over the votes; other models believe each item anew
    from its remaining votes (where silence is heard, from the source's silence). A refit could also
    change what is learnt about the others, which matters where a source speaks about most items.
    Gold judges here and takes no part as evidence.

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
        One row per source: source; votes; left_alone (items that would have no vote); changed (of
        the others, items that would be decided otherwise, or no longer: a tie); change (mean total
        variation between the beliefs with and without it, over the items that it speaks about).
        Where there is gold, about the gold items that have votes: accuracy_change (accuracy without
        the source minus accuracy with it: above 0, it does harm) with accuracy_change_low and
        accuracy_change_high (95%, paired; with many sources, some exclude 0 by chance); null where
        there is none.

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
    >>> said = [[0, 0, 1], [1, 1, 0], [0, 0, 0], [-1, 1, -1]]
    >>> votes = Votes.from_matrix(said, LabelSpace(["ham", "spam"]))
    >>> found = influence(DawidSkene().fit(votes), votes)
    >>> found.select("source", "left_alone", "changed").rows()
    [('source_0', 0, 0), ('source_1', 1, 0), ('source_2', 0, 0)]

    References
    ----------
    R. D. Cook, Detection of influential observation in linear regression, Technometrics 1977 (case
    deletion). A. Agresti and Y. Min, Simple improved confidence intervals for comparing matched
    proportions, Statistics in Medicine 2005 (the interval).
    """
    taken = as_evidence(evidence)
    votes = votes_of(taken)
    blind, before = taken.without("gold"), checked(prior, taken)
    truth = np.full(len(taken), -1) if taken.gold is None else taken.gold.codes().astype(np.int64)
    beliefs = np.asarray(model.aggregate(blind, before).probs, dtype=np.float64)
    sums = np.zeros((votes.n_sources, 6))
    for part in leave_one_out(model, blind, beliefs, before):
        source = votes.vocabulary.source[part.symbol]
        with_it, without = leading(part.whole), leading(part.rest)
        better = hits(without, truth[part.item]) - hits(with_it, truth[part.item])
        gathered = (
            np.ones(len(source)),
            part.alone,
            ~part.alone & (with_it != without).any(axis=1),
            np.abs(part.whole - part.rest).sum(axis=1) / 2.0,
            np.maximum(better, 0.0),
            np.maximum(-better, 0.0),
        )
        sums += np.stack([np.bincount(source, x, votes.n_sources) for x in gathered], axis=1)
    n_gold = int(((truth >= 0) & (votes.votes_per_item > 0)).sum())
    return _frame(votes, sums, n_gold)


def leading(beliefs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, n_classes) The class that leads, or all that tie."""
    return np.asarray(beliefs >= beliefs.max(axis=1, keepdims=True) - TIE)


def hits(led: NDArray[np.bool_], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) Whether the leader is true, ties at their expected value; 0 where truth isn't known."""
    right = led[np.arange(len(led)), np.maximum(truth, 0)] / led.sum(axis=1)
    return np.asarray(np.where(truth >= 0, right, 0.0))


def paired_change(
    better: NDArray[np.float64], worse: NDArray[np.float64], n: int, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval for a change of accuracy on the same n items (Agresti & Min 2005, section 2).

    Half a pair is added to each cell of the table of pairs, so that no change at all on few items
    isn't taken for certainty.
    """
    b, c, n_more = better + 0.5, worse + 0.5, n + 2.0
    change = (b - c) / n_more
    half = ndtri((1.0 + level) / 2.0) * np.sqrt((b + c) / n_more - change**2) / np.sqrt(n_more)
    return np.maximum(change - half, -1.0), np.minimum(change + half, 1.0)


def _frame(votes: Votes, sums: NDArray[np.float64], n_gold: int) -> pl.DataFrame:
    n, alone, changed, moved, better, worse = sums.T
    low, high = paired_change(better, worse, n_gold)
    columns: dict[str, Any] = {
        "source": pl.Series(votes.sources, dtype=pl.String),
        "votes": n.astype(np.int64),
        "left_alone": alone.astype(np.int64),
        "changed": changed.astype(np.int64),
        "change": moved / np.maximum(n, 1.0),
        "accuracy_change": (better - worse) / max(n_gold, 1),
        "accuracy_change_low": low,
        "accuracy_change_high": high,
    }
    frame = pl.DataFrame(columns)
    if n_gold:
        return frame
    return frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in frame.columns[5:])
