"""Estimate: a number with its interval, and what it rests on."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and the interval that holds its true value at the given level.

    Attributes
    ----------
    value, low, high : float
    n : int
        Rows that it rests on.
    level : float
        Share of such intervals that hold the true value.
    basis : str
        What it was measured against: "gold".
    method : {"exact", "bootstrap"}
        Where the interval comes from. One of the bootstrap is approximate, and can't see mistakes
        that the gold rows don't hold: it has no width where there is none.

    Examples
    --------
    >>> print(Estimate(0.9, 0.85, 0.94, n=200))
    0.900 [0.850, 0.940]
    """

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95
    basis: str = "gold"
    method: Literal["exact", "bootstrap"] = "bootstrap"

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
