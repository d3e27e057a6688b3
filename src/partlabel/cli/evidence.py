"""Evidence from the tables that people have: one row per vote, or one column per source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from partlabel.cli.columns import classes_of, matching, nearest, present, spoken
from partlabel.cli.formats import read_table
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace


@dataclass(frozen=True, slots=True)
class VoteOptions:
    """How to read votes: the options that `sources` and `aggregate` share."""

    item: str | None = None
    source: str = "source"
    label: str = "label"
    sources: Sequence[str] = ()
    gold: str | None = None
    classes: Sequence[str] = ()
    abstain: Sequence[str] = ()
    repeated: Literal["refuse", "first", "last"] = "refuse"


@dataclass(frozen=True, slots=True)
class Gold:
    """Verified labels, and the items that they are about (None: row by row)."""

    label: pl.Series
    item: pl.Series | None


def read_evidence(path: Path, options: VoteOptions) -> tuple[Evidence, list[str]]:
    """Read votes, and gold labels where there are some.

    Returns
    -------
    evidence
    notes : what the user should know about what was left out, one sentence each.

    Raises
    ------
    InputError
        If a file can't be read, a column isn't there, or a label is no class.
    """
    frame = read_table(path)
    wide = bool(options.sources)
    if not wide:
        _check_long(frame, options)
    gold = None if options.gold is None else _gold(frame, options, wide=wide)
    if wide:
        columns = matching(frame, options.sources, "--sources", (options.item, options.gold))
        said = frame.select(spoken(frame[name], options.abstain) for name in columns)
    else:
        columns = (options.label,)
        said = frame.select(spoken(frame[options.label], options.abstain))
    labels = space(options.classes, [*said, *([] if gold is None else [gold.label])])
    if wide:
        ids = [] if options.item is None else [frame[present(frame, options.item, "--item")]]
        votes = Votes.from_columns(
            said.with_columns(ids), columns, labels=labels, item=options.item
        )
    else:
        votes = Votes.from_table(
            frame.with_columns(said),
            item=options.item or "item",
            source=options.source,
            label=options.label,
            labels=labels,
            repeated=options.repeated,
        )
    evidence, notes = _with_gold(votes, gold)
    return evidence, [*notes, *([] if options.classes else _only_in_gold(evidence))]


def space_and_gold(path: Path, options: VoteOptions) -> tuple[LabelSpace, Candidates | None]:
    """Read the classes, and the gold labels, of a long table that doesn't fit into memory.

    Raises
    ------
    InputError
        If a column isn't there, the gold file can't be read, or there are too few classes.
    """
    table = pl.scan_parquet(path / "**/*.parquet" if path.is_dir() else path)
    _check_long(table.head(0).collect(), options)
    labels = table.select(options.label).unique().collect(engine="streaming").to_series()
    gold = None if options.gold is None else _gold(pl.DataFrame(), options, wide=False)
    said = [spoken(labels, options.abstain), *([] if gold is None else [gold.label])]
    known = space(options.classes, said)
    if gold is None or gold.item is None:
        return known, None
    return known, Candidates.from_labels(gold.label, known, items=gold.item.to_numpy())


def space(classes: Sequence[str], said: Sequence[pl.Series]) -> LabelSpace:
    """Give the classes that were named, or those that the labels show."""
    return LabelSpace(tuple(classes)) if classes else classes_of(said)


def _check_long(frame: pl.DataFrame, options: VoteOptions) -> None:
    wanted = {
        "--item": options.item or "item",
        "--source": options.source,
        "--label": options.label,
    }
    for option, name in wanted.items():
        if name not in frame.columns:
            raise InputError(
                f"`{option}` must name a column of the table; got {name!r}. "
                f"{nearest(name, frame.columns)} For a table with one column per source, "
                "name these columns with --sources 'PATTERN'."
            )


def _gold(frame: pl.DataFrame, options: VoteOptions, *, wide: bool) -> Gold:
    named = str(options.gold)
    if wide and named in frame.columns:
        return Gold(spoken(frame[named], options.abstain), None)
    if not Path(named).is_file():
        what = "a column of the table, or a file" if wide else "a file"
        raise InputError(
            f"`--gold` must name {what} with the columns item and label; got {named!r}. "
            "Correct the name."
        )
    if wide and options.item is None:
        raise InputError(
            "`--item` must name the items when gold labels come in a file of their own; "
            "it is not given. Name the column of item ids."
        )
    table = read_table(Path(named))
    item = options.item if options.item in table.columns else "item"
    label = options.label if options.label in table.columns else "label"
    for name in (item, label):
        if name not in table.columns:
            raise InputError(
                f"The gold file must have a column {name!r}; {named!r} has "
                f"{', '.join(map(repr, table.columns[:12]))}. Rename its columns."
            )
    known = table.filter(pl.col(label).is_not_null())
    return Gold(spoken(known[label], options.abstain), known[item])


def _only_in_gold(evidence: Evidence) -> list[str]:
    """Name the classes that gold says and no source does: a typo, more often than not."""
    votes, gold = evidence.votes, evidence.gold
    if votes is None or gold is None:
        return []
    words = votes.vocabulary.members()[np.unique(votes.symbol)]
    said = np.asarray(words.any(axis=0)).tolist()
    counts = np.bincount(gold.codes()[gold.exact], minlength=len(evidence.labels))
    return [
        f"No source ever says {name!r}; {n:,} gold label{'s do' if n > 1 else ' does'}. "
        "If it is a typo, correct it; name the classes with --classes to refuse others."
        for name, n, spoken_of in zip(evidence.labels.classes, counts, said, strict=True)
        if n and not spoken_of
    ]


def _with_gold(votes: Votes, gold: Gold | None) -> tuple[Evidence, list[str]]:
    if gold is None:
        return Evidence(votes=votes), []
    labels = Candidates.from_labels(
        gold.label, votes.labels, items=None if gold.item is None else gold.item.to_numpy()
    )
    evidence = Evidence(
        votes=votes,
        gold=labels,
        items=None if gold.item is None else votes.item_ids,
        unmatched="drop",
    )
    lost = evidence.alignment["gold"]["dropped"]
    if not lost:
        return evidence, []
    if lost == 1:
        return evidence, ["1 gold label is about an item without votes; it is left out."]
    return evidence, [f"{lost:,} gold labels are about items without votes; they are left out."]
