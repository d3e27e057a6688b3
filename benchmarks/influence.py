"""What dropping a source would change: `influence` against real refits, on real sets.

Spearman correlations, over the sources (the busiest 60 where there are more), of how many items
that keep a vote are decided otherwise, of how far the beliefs about the source's items move, and
of the change of accuracy on gold. The second table asks how often the 95% intervals of
`confusion_table` hold what gold shows, for the right words of sources with at least ten votes on
gold items of the class and two words.

    python benchmarks/influence.py
"""

import argparse
import time
import warnings
from dataclasses import replace

import numpy as np
import polars as pl
from real_votes import RealSet, real_sets
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from partlabel import MACE, DawidSkene, Evidence, LabelModel, Votes
from partlabel.aggregate import Aggregator, confusion_table, influence
from partlabel.aggregate.dropped_sources import hits, leading

SETS = ("youtube", "trec", "web", "CF")
BUSIEST = 60


def without(votes: Votes, source: int) -> Votes:
    kept = votes.source != source
    n = np.bincount(votes.item[kept], minlength=votes.n_items)
    return replace(votes, indptr=np.concatenate([[0], np.cumsum(n)]), symbol=votes.symbol[kept])


def refitted(model: Aggregator, data: RealSet, busy: list[int]) -> np.ndarray:
    """(n_busy, 3) Items decided otherwise, how far beliefs moved, and the change of accuracy."""
    whole, truth = model.aggregate(data.votes).probs, data.gold.codes().astype(np.int64)
    found = []
    for source in busy:
        rest = without(data.votes, source)
        probs = clone(model).fit_aggregate(rest).probs
        own = np.unique(data.votes.item[data.votes.source == source])
        other = (leading(whole) != leading(probs)).any(axis=1) & (rest.votes_per_item > 0)
        moved = np.abs(whole - probs)[own].sum(axis=1).mean() / 2
        gained = hits(leading(probs), truth) - hits(leading(whole), truth)
        found.append((other.sum(), moved, gained.sum()))
    return np.array(found)


def compare(data: RealSet, model: Aggregator) -> dict[str, object]:
    model.fit(data.votes)
    start = time.perf_counter()
    fast = influence(model, Evidence(votes=data.votes, gold=data.gold))
    seconds = time.perf_counter() - start
    busy = np.argsort(-fast["votes"].to_numpy(), kind="stable")[:BUSIEST].tolist()
    start = time.perf_counter()
    slow = refitted(model, data, busy)
    columns = ["changed", "change", "accuracy_change"]
    ranks = [
        spearmanr(fast[name].to_numpy()[busy], slow[:, k]).statistic
        for k, name in enumerate(columns)
    ]
    return {
        "set": data.name,
        "model": type(model).__name__,
        **dict(zip(columns, ranks, strict=True)),
        "mean changed": fast["changed"].to_numpy()[busy].mean(),
        "after refits": slow[:, 0].mean(),
        "seconds": seconds,
        "refits, seconds": time.perf_counter() - start,
    }


def covered(data: RealSet, model: Aggregator) -> pl.DataFrame:
    """Of each interval that gold can check, whether it holds what gold shows, and its width."""
    table = confusion_table(model.fit(data.votes), data.votes)
    gold = confusion_table(model, Evidence(votes=data.votes, gold=data.gold))["gold_votes"]
    said = pl.col("expected_votes").sum().over("source", "word") > 0.5
    known = table.with_columns(gold=gold).with_columns(
        n=pl.col("gold").sum().over("source", "class"), words=said.sum().over("source", "class")
    )
    right = pl.col("word") == pl.col("class").cast(pl.String)
    checked = known.filter(right & (pl.col("n") >= 10) & (pl.col("words") > 1))
    share = pl.col("gold") / pl.col("n")
    return checked.select(
        pl.lit(type(model).__name__).alias("model"),
        holds=(pl.col("low") <= share) & (share <= pl.col("high")),
        width=pl.col("high") - pl.col("low"),
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    pl.Config(tbl_rows=50, tbl_cols=20, tbl_width_chars=200, float_precision=2)
    data = real_sets()
    rows = [
        compare(one, model)
        for one in data
        if one.name in SETS
        for model in (LabelModel(), DawidSkene(), MACE())
    ]
    print(pl.DataFrame(rows))
    crowds = [one for one in data if one.kind == "crowd"]
    found = [
        covered(one, model) for one in crowds for model in (LabelModel(), DawidSkene(), MACE())
    ]
    by_model = pl.concat(found).group_by("model", maintain_order=True)
    print(by_model.agg(pl.len().alias("intervals"), pl.col("holds").mean(), pl.col("width").mean()))


if __name__ == "__main__":
    main()
