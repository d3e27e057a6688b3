"""A prior of its own for each item: what its features say before any vote is heard."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partlabel.aggregate.kernels import TINY
from partlabel.errors import InputError, rows_named
from partlabel.evidence import Evidence

Prior: TypeAlias = NDArray[np.float64] | None  # (n_items, n_classes), checked

OFF = 1e-4  # how far a row may be from adding up to one, so that float32 tables pass


def checked(prior: ArrayLike | None, evidence: Evidence) -> Prior:
    """(n_items, n_classes) The prior as the label models take it; None where none is given.

    No positive share is left below `TINY`: the votes can still win against it.

    Raises
    ------
    InputError
        If it isn't one distribution per item, or rules out what gold and candidates leave.
    """
    if prior is None:
        return None
    shares = np.asarray(prior)
    if shares.dtype.kind not in "biuf":
        raise TypeError(
            f"`prior` must be an array of numbers; got {type(prior).__name__} of {shares.dtype}. "
            "Pass a classifier's `predict_proba`, or `beliefs.probs`."
        )
    wanted = (len(evidence), len(evidence.labels))
    if shares.shape != wanted:
        raise InputError(
            f"`prior` must have the shape (n_items, n_classes) = {wanted}; got {shares.shape}. "
            "Give a row for each item, and a column for each class in the order of the labels."
        )
    shares = shares.astype(np.float64)
    total = shares.sum(axis=1, keepdims=True)
    fits = (np.abs(total[:, 0] - 1.0) <= OFF) & np.all(shares >= 0.0, axis=1)
    _refuse(
        ~fits, shares, evidence, "be distributions that add up to 1", "Normalise the rows first."
    )
    hard = evidence.hard_sets()
    left = ((shares > 0.0) & hard.table[hard.which]).sum(axis=1)
    _refuse(
        left == 0, shares, evidence, "leave one of the classes that gold and candidates leave",
        "Correct one of them, or give each class a little.",
    )  # fmt: skip
    return np.asarray(np.where(shares > 0.0, np.maximum(shares / total, TINY), 0.0))


def possible(evidence: Evidence, prior: Prior) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Weigh the classes that gold and candidates leave by the prior, against an even one.

    Returns
    -------
    table : (n_rows, n_classes) float
        The distinct rows of weights; 0 is impossible, and without a prior the rest is 1.
    which : (n_items,) int32
        The row of each item.
    """
    hard = evidence.hard_sets()
    if prior is None:
        return hard.table.astype(np.float64), hard.which
    table = hard.table[hard.which] * prior * prior.shape[1]
    return table, np.arange(len(prior), dtype=np.int32)


def _refuse(
    bad: NDArray[np.bool_], shares: NDArray[Any], evidence: Evidence, rule: str, remedy: str
) -> None:
    if bad.any():
        shown = shares[int(np.flatnonzero(bad)[0])].tolist()
        raise InputError(
            f"`prior` must {rule}; got {shown} at {rows_named(bad, evidence.item_ids)}. {remedy}"
        )
