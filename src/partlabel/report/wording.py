"""Numbers, names and texts as a person would write them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

MISSING = "–"


def count(n: float) -> str:
    """Give a whole number with separators: 12,345."""
    return f"{round(n):,}"


def share(part: float, whole: float = 1.0) -> str:
    """Give a percentage that is 0% or 100% only where it is exactly so.

    Examples
    --------
    >>> share(1, 3), share(1, 1000), share(999, 1000), share(0, 10)
    ('33%', '<1%', '>99%', '0%')
    """
    if not whole or not _known(part):
        return MISSING
    percent = 100.0 * part / whole
    if 0 < percent < 1:
        return "<1%"
    if 99 < percent < 100:
        return ">99%"
    return f"{percent:.0f}%"


def of(part: int, whole: int, one: str, many: str | None = None) -> str:
    """Give a count out of another with its share: 12 of 48 items (25%)."""
    return f"{count(part)} of {plural(whole, one, many)} ({share(part, whole)})"


def decimal(value: float | None) -> str:
    """Give a number with two decimals, or a dash where it isn't known."""
    return f"{value:,.2f}" if value is not None and _known(value) else MISSING


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """Give a number with its interval, where there is one: 0.83 [0.80, 0.86]."""
    if value is None or not _known(value):
        return MISSING
    if low is None or not _known(low):
        return decimal(value)
    return f"{decimal(value)} [{decimal(low)}, {decimal(high)}]"


def plural(n: int, one: str, many: str | None = None) -> str:
    """Give a count with its noun: 1 source, 3 sources."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def listed(names: Iterable[Any], most: int = 5) -> str:
    """Give names in a row, and how many are left unsaid.

    Examples
    --------
    >>> listed(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    every = [str(name) for name in names]
    if len(every) > most + 1:
        return f"{', '.join(every[:most])} and {count(len(every) - most)} more"
    return ", ".join(every)


def shortened(text: Any, most: int = 240) -> str:
    """Give a text on one line, cut after `most` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def named(code: Sequence[bool], classes: Sequence[Any]) -> str:
    """Give the classes of a set: "cat or dog"."""
    return " or ".join(str(name) for name, there in zip(classes, code, strict=True) if there)


def _known(value: float) -> bool:
    return not math.isnan(value)
