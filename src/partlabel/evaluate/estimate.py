"""Estimate: a number with its interval, and what it rests on."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Literal

import polars as pl

from partlabel.errors import InputError


class Basis(StrEnum):
    """What a number rests on."""

    GOLD = "gold"
    """Clean labels alone."""

    GOLD_AND_MODEL = "gold+model"
    """Clean labels, with beliefs about the other items. Right whatever the beliefs are worth."""

    ASSUMPTION = "assumption"
    """A model of what wasn't observed, which is named. Right only where it holds."""


class Verdict(Enum):
    """Whether gold bears an assumption out; the value is the sentence for the user."""

    UNVERIFIED = "There is no gold to check the assumption against: unverified."
    UNCONTRADICTED = "Gold doesn't contradict the assumption, as far as so many gold rows can tell."
    CONTRADICTED = "Gold contradicts the assumption: use an estimate that rests on gold."


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and the interval that holds its true value at the given level.

    Attributes
    ----------
    value, low, high : float
    n : int
        Rows that it rests on: gold rows, and items where there is no gold behind it.
    level : float
        Share of such intervals that hold the true value.
    basis : Basis
        What it was measured against: "gold", "gold+model" or "assumption".
    method : {"exact", "bootstrap", "influence"}
        Where the interval comes from. One of the bootstrap is approximate, and can't see mistakes
        that the gold rows don't hold: it has no width where there is none. One of influence
        functions is approximate too; see `partlabel.evaluate.evaluate`.
    assumption : str, default ""
        What must hold for the number to be right. Never empty where the basis is "assumption".
    verdict : Verdict or None
        Whether gold bears the assumption out. Never None where the basis is "assumption".
    note : str, default ""
        What to know before the interval is quoted: that gold holds few rows of a class, say.

    Raises
    ------
    InputError
        If the basis is "assumption", and `assumption` or `verdict` is missing.

    Examples
    --------
    >>> print(Estimate(0.9, 0.85, 0.94, n=200))
    0.900 [0.850, 0.940]
    >>> print(Estimate(0.9, 0.85, 0.94, 200, basis=Basis.ASSUMPTION, method="influence",
    ...                assumption="beliefs are right", verdict=Verdict.UNVERIFIED))
    0.900 [0.850, 0.940] (unverified, if beliefs are right)
    """

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95
    basis: Basis = Basis.GOLD
    method: Literal["exact", "bootstrap", "influence"] = "bootstrap"
    assumption: str = ""
    verdict: Verdict | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.basis is Basis.ASSUMPTION and (not self.assumption or self.verdict is None):
            raise InputError(
                "`assumption` and `verdict` must be given where `basis` is 'assumption'; got "
                f"{self.assumption!r} and {self.verdict}. Name what must hold, and whether gold "
                "bears it out."
            )

    def __str__(self) -> str:
        shown = f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
        if self.verdict is not None:
            shown += f" ({self.verdict.name.lower()}, if {self.assumption})"
        return f"{shown} ({self.note})" if self.note else shown


def table_of(estimates: Iterable[tuple[dict[str, Any], Estimate]]) -> pl.DataFrame:
    """Give a table, one row per estimate: what names it, then its numbers and what it rests on.

    The columns ``assumption`` and ``verdict`` are there where an estimate rests on an assumption,
    ``note`` where one has a note.
    """
    rows = [
        {
            **name,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "n": one.n,
            "level": one.level,
            "basis": one.basis.value,
            "method": one.method,
            "assumption": one.assumption,
            "verdict": None if one.verdict is None else one.verdict.name.lower(),
            "note": one.note,
        }
        for name, one in estimates
    ]
    table = pl.DataFrame(rows, infer_schema_length=None)
    needless = [] if any(row["note"] for row in rows) else ["note"]
    if all(row["verdict"] is None for row in rows):
        needless += ["assumption", "verdict"]
    return table.drop(needless, strict=False)
