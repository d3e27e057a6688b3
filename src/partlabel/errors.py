"""What partlabel says when it refuses: one class, and how a place is named in a message."""

import numpy as np
from numpy.typing import ArrayLike


class InputError(ValueError):
    """Input that partlabel refuses; the message names the place and the remedy.

    A `ValueError` of its own so that a caller (the command line, say) can tell it from a bug.
    """


def rows_named(bad: ArrayLike, names: ArrayLike | None = None) -> str:
    """Name the marked rows for a message: ``row 1 (1 of 2 rows)``.

    Parameters
    ----------
    bad : (n_rows,) bool
        The rows to name; at least one is marked.
    names : (n_rows,), default None
        What the user calls the rows; positions where None.
    """
    marked = np.asarray(bad, dtype=bool)
    rows = np.flatnonzero(marked)
    shown = [str(row) for row in (rows if names is None else np.asarray(names)[rows])[:3]]
    listed = ", ".join(shown) + (", ..." if len(rows) > len(shown) else "")
    noun = "row" if len(rows) == 1 else "rows"
    return f"{noun} {listed} ({len(rows)} of {len(marked)} rows)"
