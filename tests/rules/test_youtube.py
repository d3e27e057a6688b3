"""Rules that a user would write for YouTube comments find most of the spam, and little else."""

from pathlib import Path

import numpy as np
import polars as pl

from partlabel.labels import LabelSpace
from partlabel.rules import Rule, apply_rules, keywords, regex, row_rule, rule

LABELS = LabelSpace(["HAM", "SPAM"])


def rules() -> list[Rule]:
    @row_rule(reads=["text"], says=["HAM"])
    def short(row: dict[str, str]) -> str | None:
        return "HAM" if len(row["text"].split()) < 5 else None

    words = pl.col("text").str.count_matches(r"\S+")
    return [
        keywords("SPAM", ["check out", "check my", "check this"], "text", name="check"),
        keywords("SPAM", ["subscribe", "sub", "subs", "subscribers"], "text", name="subscribe"),
        keywords("SPAM", ["my channel", "my video", "my music"], "text", name="my own"),
        regex("SPAM", r"(?i)https?://|www\.|\.com\b", "text", name="link"),
        keywords("SPAM", ["please", "plz", "pls"], "text", name="please"),
        keywords("SPAM", ["money", "earn", "free", "win", "gift"], "text", name="money"),
        keywords("SPAM", ["facebook", "twitter", "instagram", "follow"], "text", name="elsewhere"),
        keywords("HAM", ["views", "billion", "million"], "text", name="views"),
        rule("SPAM", words > 40, name="long"),
        short,
    ]


def test_rules_cover_most_comments_and_are_mostly_right(shared_data: Path) -> None:
    path = shared_data / "rules" / "youtube" / "train.parquet"
    votes = apply_rules(rules(), pl.scan_parquet(path), LABELS, batch_size=500)
    gold = LABELS.encode(pl.read_parquet(path)["label"])
    said = votes.vocabulary.meaning[votes.symbol]
    right = said == gold[votes.item]
    for j, name in enumerate(votes.sources):
        own = votes.source == j
        assert own.sum() > 0.03 * len(votes), name
        assert right[own].mean() > 0.6, name
    assert (votes.votes_per_item > 0).mean() > 0.6
    score = np.zeros((len(votes), 2))
    np.add.at(score, (votes.item, said), 1)
    decided = score[:, 0] != score[:, 1]
    assert decided.mean() > 0.6
    assert (score.argmax(axis=1) == gold)[decided].mean() > 0.85


def test_lazy_file_gives_the_same_votes_as_the_frame(shared_data: Path) -> None:
    path = shared_data / "rules" / "youtube" / "train.parquet"
    lazy = apply_rules(rules(), pl.scan_parquet(path), LABELS, batch_size=100)
    eager = apply_rules(rules(), pl.read_parquet(path), LABELS)
    assert np.array_equal(lazy.indptr, eager.indptr)
    assert np.array_equal(lazy.symbol, eager.symbol)
