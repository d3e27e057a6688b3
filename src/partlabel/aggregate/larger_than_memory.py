"""aggregate_parquet: beliefs from more votes than memory holds.

1. The distinct pairs of source and label, few, give the vocabulary and each vote's symbol.
2. One pass writes the votes into parts on disk by the hash of their item, so that all votes about
   an item lie in one part, and each part is a random sample of the items.
3. Part by part, items with the same votes become one row with a count; EM runs on these rows.
4. Part by part, the beliefs are formed and written.
"""

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars import selectors as cs

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.dawid_skene import DawidSkene
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Vocabulary, Votes
from partlabel.evidence.ids import rows_of
from partlabel.evidence.readers import indptr_of
from partlabel.evidence.sets import ClassSets
from partlabel.files import replacing
from partlabel.labels import LabelSpace

Repeated = Literal["refuse", "first", "last"]


def aggregate_parquet(
    votes: str | Path,
    output: str | Path,
    labels: LabelSpace | None = None,
    *,
    model: Aggregator | None = None,
    item: str = "item",
    source: str = "source",
    label: str = "label",
    gold: Candidates | None = None,
    repeated: Repeated = "refuse",
    votes_at_once: int = 5_000_000,
    spoken: Callable[[pl.Series], pl.Series] | None = None,
) -> Aggregator:
    """Aggregate votes in Parquet files into beliefs in a Parquet file, a part at a time.

    Gives what `Votes.from_table` and `fit_aggregate` give, for votes that don't fit into memory.
    `DawidSkene` learns from all votes exactly; other models learn from the first part, which is a
    random sample of the items, and then believe about all of them.

    Parameters
    ----------
    votes : path
        A Parquet file with one row per vote, or a folder of such files.
    output : path
        The beliefs, as `Beliefs.write_parquet` writes them, in no particular order of the items. A
        file is replaced once the new one is whole. Its folder also takes temporary files, of about
        the size of the votes.
    labels : LabelSpace, default None
        None infers the classes from the labels.
    model : Aggregator, default None
        What weighs the sources; None is `DawidSkene()`.
    item, source, label : str
        Names of the columns.
    gold : Candidates, default None
        Verified labels, with item ids; those of other items are left out.
    repeated : {"refuse", "first", "last"}, default "refuse"
        What to do where a source speaks twice about an item.
    votes_at_once : int, default 5_000_000
        Votes in a part: lower takes less memory, higher less time. A model other than `DawidSkene`
        learns from so many votes.
    spoken : Series -> Series, default None
        Turns the distinct values of `label` into labels; null says nothing.

    Returns
    -------
    Aggregator
        The fitted model, with `reliability_`.

    Raises
    ------
    InputError
        If a column is missing, there is no vote, an item or a source is null, a label is unknown, a
        source speaks twice about an item, or a setting is out of range.

    Examples
    --------
    >>> from partlabel.beliefs import Beliefs
    >>> folder = Path(tempfile.mkdtemp())
    >>> pl.DataFrame(
    ...     {"item": [1, 1, 2], "source": ["x", "y", "x"], "label": ["ham", "ham", "spam"]}
    ... ).write_parquet(folder / "votes.parquet")
    >>> model = aggregate_parquet(folder / "votes.parquet", folder / "beliefs.parquet")
    >>> Beliefs.read_parquet(folder / "beliefs.parquet").decide().sort().to_list()
    ['ham', 'spam']
    """
    if votes_at_once < 1:
        raise InputError(f"`votes_at_once` must be at least 1; got {votes_at_once}. Raise it.")
    if repeated not in ("refuse", "first", "last"):
        raise InputError(f"`repeated` must be 'refuse', 'first' or 'last'; got {repeated!r}.")
    if gold is not None and gold.item_ids is None:
        raise InputError("`gold` must have item ids, to be matched with the votes; it has none.")
    model = DawidSkene() if model is None else model
    table = _scanned(Path(votes), item, source, label)
    words, vocabulary, labels = _words(table, labels, spoken, label)
    with replacing(output) as fresh, tempfile.TemporaryDirectory(dir=fresh.parent) as folder:
        scratch = Path(folder)
        n_parts = math.ceil(words["n"].sum() / votes_at_once)
        folders = _divided(table, words, n_parts, scratch / "votes", ordered=repeated != "refuse")
        parts = _Parts(folders, vocabulary, labels, gold, repeated)
        model.fit_parts(parts, scratch=scratch)
        written = scratch / "beliefs"
        written.mkdir()
        for n, evidence in enumerate(parts):
            beliefs = model.aggregate(evidence)
            beliefs.to_polars().write_parquet(written / f"{n:06}.parquet")
        pl.scan_parquet(written / "*.parquet").sink_parquet(fresh, engine="streaming")
    return model


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts on disk as evidence, read anew each time that one goes through them."""

    folders: list[Path]
    vocabulary: Vocabulary
    labels: LabelSpace
    gold: Candidates | None
    repeated: Repeated

    def __iter__(self) -> Iterator[Evidence]:
        for folder in self.folders:
            said = pl.read_parquet(folder / "*.parquet", hive_partitioning=False)
            votes = self._votes(said)
            assert votes.item_ids is not None
            yield Evidence(votes=votes, gold=_about(self.gold, votes.item_ids))

    def _votes(self, said: pl.DataFrame) -> Votes:
        """The votes of whole items, sorted by item; a negative symbol only says that it exists."""
        if self.repeated != "refuse":
            spoken = said.filter(pl.col("symbol") >= 0).sort("row")
            speaker = pl.Series("speaker", self.vocabulary.source).gather(spoken["symbol"])
            once = spoken.with_columns(speaker).unique(
                ["item", "speaker"], keep=self.repeated, maintain_order=True
            )
            said = pl.concat([once.select("item", "symbol"), said.filter(symbol=-1).drop("row")])
        said = said.sort("item", "symbol")
        which = said["item"].rle_id().cast(pl.Int64).to_numpy()
        symbol, n_items = said["symbol"].to_numpy(), int(which[-1]) + 1
        spoke = symbol >= 0
        ids = said["item"].filter(pl.Series(np.diff(which, prepend=-1) > 0)).to_numpy()
        votes = Votes(
            indptr=indptr_of(np.bincount(which[spoke], minlength=n_items)),
            symbol=symbol[spoke],
            vocabulary=self.vocabulary,
            labels=self.labels,
            item_ids=ids,
        )
        _refuse_twice(votes)
        return votes


def _scanned(path: Path, item: str, source: str, label: str) -> pl.LazyFrame:
    """The three columns, under names of our own."""
    if not path.exists():
        raise InputError(f"cannot read {str(path)!r}: there is no such file. Correct the path.")
    table = pl.scan_parquet(path / "**/*.parquet" if path.is_dir() else path)
    known = table.collect_schema().names()
    for role, name in (("item", item), ("source", source), ("label", label)):
        if name not in known:
            raise InputError(
                f"`{role}` must name a column of the table; got {name!r}, but its columns are "
                f"{', '.join(map(repr, known[:12]))}. Pass one of these."
            )
    named = table.select(item=item, source=source, label=label)
    return named.with_columns(cs.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))


def _words(
    table: pl.LazyFrame,
    labels: LabelSpace | None,
    spoken: Callable[[pl.Series], pl.Series] | None,
    label: str,
) -> tuple[pl.DataFrame, Vocabulary, LabelSpace]:
    """The distinct pairs of source and label with their number and symbol (-1: says nothing)."""
    nameless = pl.col("item").null_count().alias("nameless")
    words = table.group_by("source", "label").agg(nameless, n=pl.len()).collect(engine="streaming")
    n_votes = int(words["n"].sum())
    if n_votes == 0:
        raise InputError(
            "`votes` must have at least one vote; got no row. Check that the input isn't empty."
        )
    bad = {
        "item": int(words["nameless"].sum()),
        "source": int(words.filter(pl.col("source").is_null())["n"].sum()),
    }
    for role, n in bad.items():
        if n:
            raise InputError(
                f"`{role}` must not hold nulls; it does in {n} of {n_votes} rows. "
                "Drop these rows, or name the item and the source of each vote."
            )
    words = words.sort("source", "label")
    said = words["label"] if spoken is None else spoken(words["label"])
    columns = {"item": range(len(words)), "source": words["source"], label: said}
    votes = Votes.from_table(columns, label=label, labels=labels, n_items=len(words))
    symbol = np.full(len(words), -1, dtype=np.int32)
    symbol[votes.item] = votes.symbol
    return words.with_columns(symbol=symbol), votes.vocabulary, votes.labels


def _divided(
    table: pl.LazyFrame, words: pl.DataFrame, n_parts: int, folder: Path, *, ordered: bool
) -> list[Path]:
    """Write the votes as symbols, the items of each part into a folder of its own."""
    known = words.lazy().select("source", "label", "symbol")
    rows = table.with_row_index("row") if ordered else table
    coded = rows.join(known, on=["source", "label"], how="left", nulls_equal=True).select(
        "item", "symbol", *(["row"] if ordered else []), part=pl.col("item").hash(seed=0) % n_parts
    )
    by_part = pl.PartitionBy(folder, key="part", include_key=False)
    coded.sink_parquet(by_part, compression="lz4", mkdir=True, engine="streaming")
    return sorted(folder.iterdir())


def _about(gold: Candidates | None, ids: NDArray[Any]) -> Candidates | None:
    """What gold says about some items, by position."""
    if gold is None or gold.item_ids is None:
        return None
    rows = rows_of(ids, gold.item_ids, "gold")
    if (rows < 0).all():
        return None
    table = np.vstack([gold.sets.table, np.ones((1, len(gold.labels)), dtype=bool)])
    which = np.where(rows >= 0, gold.sets.which[rows], len(gold.sets.table)).astype(np.int32)
    return Candidates(ClassSets(table, which), gold.labels)


def _refuse_twice(votes: Votes) -> None:
    item, speaker = votes.item, votes.source
    again = (np.diff(item) == 0) & (np.diff(speaker) == 0)
    if again.any():
        at = int(again.argmax())
        assert votes.item_ids is not None
        raise InputError(
            f"`votes` must hold one vote per item and source; item "
            f"{votes.item_ids[item[at]]!r} and source {votes.sources[speaker[at]]!r} stand twice. "
            "Keep one of them, or pass repeated='last'."
        )
