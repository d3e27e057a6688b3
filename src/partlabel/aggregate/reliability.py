"""reliability_table: what each source is worth, with intervals and a plain verdict."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import beta

from partlabel.aggregate.kernels import counts_under
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.tally import Tally
from partlabel.evidence import Evidence, Votes

LEVEL = 0.95
ENOUGH_GOLD = 30
TRUSTED_ABOVE = 0.4  # "moderate" agreement beyond chance (Landis & Koch, Biometrics 1977)
NARROW = 0.1
FEWEST_PSEUDO_VOTES = 2.0


class Verdict(Enum):
    """What to do with a source; the value is the sentence for the user."""

    TRUST = "trust"
    CARE = "use with care"
    HARMFUL = "worse than chance"
    NOTHING = "says nothing"


def reliability_table(
    evidence: Evidence,
    beliefs: NDArray[np.float64] | None = None,
    *,
    rows: Observations | None = None,
    counts: NDArray[np.float64] | None = None,
    totals: NDArray[np.float64] | None = None,
    prior_accuracy: float | NDArray[np.float64] = 0.5,
    prior_strength: float = 2.0,
    spread: NDArray[np.float64] | None = None,
) -> pl.DataFrame:
    """Give one row per source: how much it says, how often it is contradicted, how often right.

    Parameters
    ----------
    evidence : Evidence
    beliefs : (n_items, n_classes), default None
        What the label is believed to be. Not needed where `counts` and `totals` are given.
    rows : Observations, default None
        The same evidence as rows, where it is at hand.
    counts : (n_symbols, n_classes), default None
        Expected number of votes with this word about items of this class.
    totals : (n_classes,), default None
        Expected number of items of each class.
    prior_accuracy : float or (n_sources,)
    prior_strength : float
        Pseudo-votes behind the credible interval, the model's own prior.
    spread : (n_sources,), default None
        Variance of the sources' accuracies between models that could all be right. It widens the
        interval, which otherwise takes the beliefs for granted.

    Returns
    -------
    polars.DataFrame
        source; votes; coverage (share of items it speaks about); overlap, conflict (share of its
        votes beside which, or against which, another source speaks); accuracy with accuracy_low
        and accuracy_high (a 95% credible interval: beta posterior of the expected counts, given
        the beliefs); chance (accuracy of a source that says the same words without looking);
        gold_votes, gold_accuracy, gold_low, gold_high (Clopper-Pearson, where there is gold);
        verdict.
    """
    votes = evidence.votes
    if votes is None:
        return _frame({})
    if counts is None or totals is None:
        if beliefs is None:
            raise TypeError("`reliability_table` needs `beliefs`, or `counts` and `totals`.")
        counts = counts_under(votes.indptr, votes.symbol, beliefs, len(votes.vocabulary))
        totals = beliefs.sum(axis=0)
    tally = Tally.of(evidence, votes, rows or Observations.of(evidence)).counting(counts, totals)
    return table_of(
        tally, prior_accuracy=prior_accuracy, prior_strength=prior_strength, spread=spread
    )


def table_of(
    tally: Tally,
    *,
    prior_accuracy: float | NDArray[np.float64] = 0.5,
    prior_strength: float = 2.0,
    spread: NDArray[np.float64] | None = None,
) -> pl.DataFrame:
    """Read the table of `reliability_table` off what was added up."""
    vocabulary, counts, totals = tally.vocabulary, tally.counts, tally.totals
    source, members, n = vocabulary.source, vocabulary.members(), len(vocabulary.sources)
    n_items = max(totals.sum(), np.finfo(float).tiny)
    said = counts.sum(axis=1)
    n_votes = np.bincount(source, weights=said, minlength=n).round()
    right = np.bincount(source, weights=(counts * members).sum(axis=1), minlength=n)
    luck = np.bincount(source, weights=said * (members @ (totals / n_items)), minlength=n)
    a = prior_accuracy * prior_strength + right
    b = (1.0 - prior_accuracy) * prior_strength + np.maximum(n_votes - right, 0.0)
    if spread is not None:
        a, b = _widened(a, b, spread)
    low, high = credible(a, b)
    spoke = np.maximum(n_votes, 1)
    gold_votes, gold_right = tally.gold_votes, tally.gold_right
    gold_low, gold_high = clopper_pearson(gold_right, gold_votes)
    columns = {
        "source": list(vocabulary.sources),
        "votes": n_votes.astype(np.int64),
        "coverage": np.minimum(n_votes / n_items, 1.0),
        "overlap": tally.overlap / spoke,
        "conflict": tally.conflict / spoke,
        "accuracy": a / (a + b),
        "accuracy_low": low,
        "accuracy_high": high,
        "chance": luck / spoke,
        "gold_votes": gold_votes.round().astype(np.int64),
        "gold_accuracy": np.where(
            gold_votes > 0, gold_right / np.maximum(gold_votes, np.finfo(float).tiny), np.nan
        ),
        "gold_low": gold_low,
        "gold_high": gold_high,
    }
    return _frame(columns)


def credible(
    a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the ends of 95% credible intervals of shares with Beta(a, b) posteriors.

    Equal tails, except where the density rises up to an end, 0 or 1: there the interval reaches it.
    Equal tails would leave out the very value that is most likely.
    """
    to_one, to_zero = (b <= 1.0) & (b < a), (a <= 1.0) & (a < b)
    outside = 1.0 - LEVEL
    low = beta.ppf(np.where(to_one, outside, outside / 2), a, b)
    high = beta.ppf(np.where(to_zero, 1.0 - outside, 1.0 - outside / 2), a, b)
    return np.where(to_zero, 0.0, low), np.where(to_one, 1.0, high)


def shares_right(votes: Votes, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_sources,) Expected share of each source's votes that hold the class; 0 without votes."""
    source, members = votes.vocabulary.source, votes.vocabulary.members()
    right = np.bincount(source, weights=(counts * members).sum(axis=1), minlength=votes.n_sources)
    said = np.bincount(source, weights=counts.sum(axis=1), minlength=votes.n_sources)
    return np.asarray(right / np.maximum(said, 1e-12))


def spread_of(evidence: Evidence, opinions: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(n_sources,) Variance, over opinions about the labels, of the accuracies that they mean.

    Each opinion is a table of beliefs (n_items, n_classes).
    """
    votes = evidence.votes
    assert votes is not None
    n_symbols = len(votes.vocabulary)
    rights = []
    for opinion in opinions:
        counts = counts_under(votes.indptr, votes.symbol, opinion, n_symbols)
        rights.append(shares_right(votes, counts))
    return np.asarray(np.var(rights, axis=0, ddof=1))


def _widened(
    a: NDArray[Any], b: NDArray[Any], extra: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A beta distribution of the same mean whose variance is larger by `extra`."""
    mean = a / (a + b)
    variance = mean * (1.0 - mean) / (a + b + 1.0) + extra
    total = np.maximum(mean * (1.0 - mean) / variance - 1.0, FEWEST_PSEUDO_VOTES)
    return mean * total, (1.0 - mean) * total


def clopper_pearson(
    right: NDArray[np.float64], n: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the exact interval of a share; NaN where ``n`` is 0 (Clopper & Pearson 1934)."""
    tail = (1.0 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(right > 0, beta.ppf(tail, right, n - right + 1), 0.0)
        high = np.where(right < n, beta.ppf(1.0 - tail, right + 1, n - right), 1.0)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def _frame(columns: dict[str, object]) -> pl.DataFrame:
    schema = {
        "source": pl.String,
        "votes": pl.Int64,
        **dict.fromkeys(("coverage", "overlap", "conflict"), pl.Float64),
        **dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high", "chance"), pl.Float64),
        "gold_votes": pl.Int64,
        **dict.fromkeys(("gold_accuracy", "gold_low", "gold_high"), pl.Float64),
    }
    frame = pl.DataFrame(columns, schema=schema, nan_to_null=True)
    return frame.with_columns(verdict=_verdict())


def _verdict() -> pl.Expr:
    """Judge by gold where there is enough of it, else by the credible interval; against chance."""
    checked = pl.col("gold_votes") >= ENOUGH_GOLD
    low = pl.when(checked).then("gold_low").otherwise("accuracy_low")
    high = pl.when(checked).then("gold_high").otherwise("accuracy_high")
    beyond_chance = (low - pl.col("chance")) / (1.0 - pl.col("chance"))
    return (
        pl.when(pl.col("votes") == 0)
        .then(pl.lit(Verdict.NOTHING.value))
        .when(high < pl.col("chance"))
        .then(pl.lit(Verdict.HARMFUL.value))
        .when((low <= pl.col("chance")) & (high - low < NARROW))
        .then(pl.lit(Verdict.NOTHING.value))
        .when(beyond_chance >= TRUSTED_ABOVE)
        .then(pl.lit(Verdict.TRUST.value))
        .otherwise(pl.lit(Verdict.CARE.value))
    )
