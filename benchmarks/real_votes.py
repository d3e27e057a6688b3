"""Votes and gold of the real sets, for the benchmarks: crowds and labelling functions."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from partlabel import Candidates, Evidence, LabelSpace, Votes

DATA = Path(os.environ.get("PARTLABEL_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class RealSet:
    """Votes about items with at least one vote, and the gold labels that are known."""

    kind: str
    name: str
    votes: Votes
    gold: Candidates

    @property
    def known(self) -> np.ndarray:
        """(n_gold,) Positions of the items with gold."""
        return np.flatnonzero(self.gold.exact)


def real_sets() -> list[RealSet]:
    """Every set that is there: rules (all splits with gold together), then crowds."""
    rules = [rule_set(folder) for folder in sorted((DATA / "rules").glob("*"))]
    return rules + [crowd_set(folder) for folder in sorted((DATA / "crowd").glob("*"))]


def crowd_set(folder: Path) -> RealSet:
    """A long table; where a worker speaks twice about an item, the last vote counts."""
    table, gold = pl.read_csv(folder / "votes.csv"), pl.read_csv(folder / "gold.csv")
    labels = LabelSpace.infer(pl.concat([table["label"], gold["label"]]))
    votes = Votes.from_table(table, labels=labels, repeated="last")
    known = Candidates.from_labels(gold["label"], labels, items=gold["item"])
    aligned = Evidence(votes=votes, gold=known, items=votes.item_ids, unmatched="drop").gold
    return RealSet("crowd", folder.name, votes, aligned)


def rule_set(folder: Path) -> RealSet:
    """A wide table; items on which no rule fires are left out, as no model can tell them apart."""
    parts = [pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))]
    frame = pl.concat(part for part in parts if part["label"].null_count() < len(part))
    columns = [name for name in frame.columns if name.startswith("lf_")]
    labels = LabelSpace.infer(pl.concat([frame["label"], *(frame[name] for name in columns)]))
    votes = Votes.from_columns(frame, columns, labels=labels)
    covered = np.flatnonzero(votes.votes_per_item > 0)
    gold = Candidates.from_labels(frame["label"], labels)
    return RealSet("rules", folder.name, votes.select(covered), gold.select(covered))
