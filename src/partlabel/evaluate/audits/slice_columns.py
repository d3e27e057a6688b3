"""Columns that slices are told by: numbers of features, groups and votes, each with its words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evaluate.powered.population import codes_and_names
from partlabel.evidence import Votes
from partlabel.tables import as_frame

MOST_VALUES = 20
"""A column of names with more values than this tells slices by its most frequent ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A number of each item, and how to say that it is high or low.

    Attributes
    ----------
    values : (n_items,) float
    high, low : str
        With ``{}`` where the threshold is named; it is not where the number is 0 or 1.
    """

    values: NDArray[np.float64]
    high: str
    low: str

    def said(self, threshold: float, above: bool) -> str:
        """Say that the number lies above a threshold, or doesn't."""
        return (self.high if above else self.low).format(f"{threshold:.4g}")

    @classmethod
    def of_mask(cls, mask: Any, high: str, low: str) -> "Column":
        """Tell the items of a mask from the others."""
        return cls(np.asarray(mask, dtype=np.float64), _plain(high), _plain(low))


def slice_columns(
    n_items: int, features: Any = None, groups: Any = None, votes: Votes | None = None
) -> list[Column]:
    """Give the columns of features, groups and votes; constant ones are left out.

    Raises
    ------
    InputError
        If a part isn't about as many items.
    TypeError
        If a feature holds neither numbers, nor truth values, nor names.
    """
    columns: list[Column] = []
    if features is not None:
        frame = as_frame(features, "features")
        _refuse_other_length("features", len(frame), n_items)
        columns += [one for series in frame for one in _of_feature(series)]
    if groups is not None:
        which, names = codes_and_names(groups, n_items, "groups")
        columns += _of_names(which, names, "group")
    if votes is not None:
        _refuse_other_length("votes", len(votes), n_items)
        columns += _of_votes(votes)
    return [one for one in columns if np.ptp(one.values) > 0]


def _of_feature(series: pl.Series) -> Iterator[Column]:
    name = series.name
    missing = series.is_null() | (series.is_nan() if series.dtype.is_float() else False)
    yield Column.of_mask(missing.fill_null(value=True), f"{name} is missing", f"{name} is there")
    if series.dtype == pl.Boolean:
        yield Column.of_mask(series.fill_null(value=False), name, f"not {name}")
    elif series.dtype.is_numeric():
        known = series.cast(pl.Float64).fill_nan(None)
        middle = known.median()
        values = known.fill_null(0.0 if middle is None else float(str(middle))).to_numpy()
        shown = _plain(name)
        yield Column(values, f"{shown} > {{}}", f"{shown} <= {{}}")
    elif series.dtype in (pl.String, pl.Categorical, pl.Enum):
        which, names = codes_and_names(series.cast(pl.String), len(series), name)
        yield from _of_names(which, names, name)
    else:
        raise TypeError(
            f"`features` must hold numbers, truth values or names; column {name!r} holds "
            f"{series.dtype}. Leave it out, or turn it into one of these."
        )


def _of_names(which: NDArray[np.intp], names: list[Any], what: str) -> list[Column]:
    frequent = np.argsort(-np.bincount(which), kind="stable")[:MOST_VALUES]
    return [
        Column.of_mask(which == g, f"{what} is {names[g]}", f"{what} is not {names[g]}")
        for g in frequent.tolist()
        if names[g] is not None
    ]


def _of_votes(votes: Votes) -> list[Column]:
    item, source, vocabulary = votes.item, votes.source, votes.vocabulary
    members = vocabulary.members()
    columns = [Column(votes.votes_per_item.astype(np.float64), "> {} votes", "<= {} votes")]
    said = np.zeros((len(votes), members.shape[1]), dtype=np.int64)
    np.add.at(said, item, members[votes.symbol])
    torn = (votes.votes_per_item > 0) & (said.max(axis=1) < votes.votes_per_item)
    columns.append(Column.of_mask(torn, "sources disagree", "no sources disagree"))
    for j, name in enumerate(votes.sources):
        spoke = np.zeros(len(votes), dtype=bool)
        spoke[item[source == j]] = True
        columns.append(Column.of_mask(spoke, f"{name} speaks", f"{name} is silent"))
        for k, one in enumerate(votes.labels.classes):
            for_class = np.zeros(len(votes), dtype=bool)
            for_class[item[(source == j) & members[votes.symbol, k]]] = True
            columns.append(
                Column.of_mask(for_class, f"{name} says {one}", f"{name} doesn't say {one}")
            )
    return columns


def _plain(words: str) -> str:
    return words.replace("{", "{{").replace("}", "}}")


def _refuse_other_length(name: str, n_rows: int, n_items: int) -> None:
    if n_rows != n_items:
        raise InputError(
            f"`{name}` must be about the same {n_items} items; got {n_rows}. "
            "Give them in the order of `predicted`."
        )
