"""Beliefs: a distribution over the classes for each item."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import entr

from partlabel.errors import InputError, rows_named
from partlabel.files import replacing
from partlabel.labels import LabelSpace
from partlabel.tables import as_frame, as_series, column

PROBABILITY_PREFIX = "p_"


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """What is believed about the label of each item.

    Attributes
    ----------
    probs : (n_items, n_classes) float
        The probability that item ``i`` is of class ``k``. Rows add up to 1 (to 1e-4, so that
        float32 tables pass).
    labels : LabelSpace
    item_ids : (n_items,) or None
        What the user calls the items; None means positions.

    Raises
    ------
    InputError
        If the shape is wrong, a value is negative or NaN, a row doesn't add up to 1, or the ids
        don't fit the rows.

    Examples
    --------
    >>> beliefs = Beliefs(np.array([[0.9, 0.1], [0.5, 0.5]]), LabelSpace(["ham", "spam"]))
    >>> beliefs.decide(threshold=0.8).to_list()
    ['ham', None]
    """

    probs: NDArray[np.floating[Any]]
    labels: LabelSpace
    item_ids: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        probs = np.asarray(self.probs)
        if probs.dtype.kind != "f":
            probs = probs.astype(np.float64)
        object.__setattr__(self, "probs", probs)
        if probs.ndim != 2 or probs.shape[1] != len(self.labels):
            raise InputError(
                f"`probs` must have the shape (n_items, {len(self.labels)}); got {probs.shape}. "
                "Give one column for each class."
            )
        if self.item_ids is not None:
            ids = np.asarray(self.item_ids)
            object.__setattr__(self, "item_ids", ids)
            if len(ids) != len(probs):
                raise InputError(
                    f"`item_ids` must have one entry for each of the {len(probs)} items; "
                    f"got {len(ids)}. Give each row its id, or none."
                )
        # an einsum, as a sum along few classes takes four times as long
        off = ~(np.abs(np.einsum("ij->i", probs) - 1.0) <= 1e-4)
        if probs.min(initial=0.0) < 0:
            off |= (probs < 0).any(axis=1)
        if off.any():
            row = int(np.flatnonzero(off)[0])
            raise InputError(
                f"`probs` must be distributions that add up to 1; got {probs[row].tolist()} at "
                f"{rows_named(off, self.item_ids)}. Normalise the rows first."
            )

    def __len__(self) -> int:
        return len(self.probs)

    def __repr__(self) -> str:
        return f"Beliefs({len(self)} items, {len(self.labels)} classes)"

    @property
    def confidence(self) -> NDArray[np.floating[Any]]:
        """(n_items,) The probability of each item's most likely class."""
        return np.asarray(self.probs.max(axis=1))

    def entropy(self) -> NDArray[np.floating[Any]]:
        """(n_items,) Uncertainty of each label in nats; log(n_classes) is knowing nothing."""
        return np.asarray(entr(self.probs).sum(axis=1))

    def decide(self, threshold: float = 0.0) -> pl.Series:
        """Name each item's most likely class, or null where that isn't sure enough.

        Of classes that tie, the first in the order of the labels is named.

        Parameters
        ----------
        threshold : float in [0, 1], default 0.0
            Decide only where the most likely class has at least this probability. Higher gives
            fewer but surer labels.

        Returns
        -------
        (n_items,) polars Series of class names, null where it abstains.

        Raises
        ------
        InputError
            If `threshold` is outside [0, 1].
        """
        if not 0.0 <= threshold <= 1.0:
            raise InputError(
                f"`threshold` must lie in [0, 1]; got {threshold}. It is a probability."
            )
        likely = pl.Series(self.probs.argmax(axis=1))
        return self.labels.decode(likely.set(pl.Series(self.confidence < threshold), None))

    def select(self, rows: Any) -> "Beliefs":
        """Give the beliefs of some items: a mask, positions or a slice."""
        ids = None if self.item_ids is None else self.item_ids[rows]
        return Beliefs(self.probs[rows], self.labels, ids)

    def to_polars(self) -> pl.DataFrame:
        """Give a table: item, label, confidence, entropy (nats), and a ``p_<class>`` per class.

        Raises
        ------
        InputError
            If two classes are written alike, as 1 and "1" are.
        """
        written = [str(name) for name in self.labels.classes]
        if len(set(written)) < len(written):
            alike = next(name for name in written if written.count(name) > 1)
            raise InputError(
                f"`labels` must name classes that are written differently in a table; two are "
                f"written {alike!r}. Rename one of them."
            )
        items = np.arange(len(self)) if self.item_ids is None else self.item_ids
        columns: dict[str, Any] = {
            "item": as_series(items),
            "label": self.decide(),
            "confidence": self.confidence,
            "entropy": self.entropy(),
        }
        for name, probs in zip(self.labels.classes, self.probs.T, strict=True):
            columns[f"{PROBABILITY_PREFIX}{name}"] = np.ascontiguousarray(probs)
        return pl.DataFrame(columns)

    @classmethod
    def from_polars(cls, table: Any, labels: LabelSpace | None = None) -> "Beliefs":
        """Read a table with a ``p_<class>`` column for each class, as `to_polars` writes it.

        Parameters
        ----------
        table : polars, pandas or Arrow table
        labels : LabelSpace, default None
            Whose columns to read, in this order. None takes the ``p_`` columns as they come, with
            strings as classes.

        Raises
        ------
        InputError
            If a class has no column, a probability is null, or the rows are no distributions.
        TypeError
            If a column of probabilities holds no numbers.
        """
        frame = as_frame(table)
        if labels is None:
            labels = LabelSpace(_classes_in(frame))
        names = [f"{PROBABILITY_PREFIX}{name}" for name in labels.classes]
        columns = [column(frame, name, "labels") for name in names]
        for one in columns:
            if not one.dtype.is_numeric():
                raise TypeError(f"Column {one.name!r} must hold probabilities; got {one.dtype}.")
        probs = np.column_stack([one.to_numpy() for one in columns])
        ids = frame["item"].to_numpy() if "item" in frame.columns else None
        return cls(probs, labels, ids)

    def write_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the table of `to_polars`; a file is replaced only once the new one is whole."""
        with replacing(path) as fresh:
            self.to_polars().write_parquet(fresh)

    @classmethod
    def read_parquet(
        cls, path: str | os.PathLike[str], labels: LabelSpace | None = None
    ) -> "Beliefs":
        """Read what `write_parquet` wrote. Raises as `from_polars` does."""
        return cls.from_polars(pl.read_parquet(Path(path)), labels)


def _classes_in(frame: pl.DataFrame) -> tuple[str, ...]:
    named = tuple(
        name.removeprefix(PROBABILITY_PREFIX)
        for name in frame.columns
        if name.startswith(PROBABILITY_PREFIX)
    )
    if len(named) < 2:
        raise InputError(
            f"`table` must have a column '{PROBABILITY_PREFIX}<class>' for each class; got "
            f"{len(named)} of them among {frame.columns}. Rename the columns of probabilities."
        )
    return named
