"""Scored: the predictions whose gold label is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.metrics import Codes, Floats
from partlabel.evidence import Candidates, ClassSets, Evidence
from partlabel.evidence.ids import refuse_repeats, rows_of
from partlabel.labels import LabelSpace
from partlabel.tables import as_series


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Predicted probabilities beside gold classes, for the items that have both.

    Attributes
    ----------
    probs : (n_gold, n_classes) float
    codes : (n_gold,) int32
    labels : LabelSpace
    n_skipped : int
        Predicted items without a gold class: nothing known, or several classes left.
    n_unmatched : int
        Items with a gold class, but without a prediction.
    """

    probs: Floats
    codes: Codes
    labels: LabelSpace
    n_skipped: int
    n_unmatched: int

    @classmethod
    def match(cls, predicted: Any, gold: Any, labels: LabelSpace | None = None) -> "Scored":
        """Match by position, or by item ids where both have them and they differ.

        Raises
        ------
        InputError
            If the classes differ, the lengths differ, no item has gold, or as `Beliefs` and
            `Candidates` refuse.
        TypeError
            If there are no `labels`, or `gold` is no list of classes.
        """
        if labels is None and isinstance(gold, Candidates) and not isinstance(predicted, Beliefs):
            labels = gold.labels
        beliefs = as_beliefs(predicted, labels)
        known = as_gold(gold, beliefs.labels)
        rows = rows_beside(known, beliefs, "gold")
        exact = (rows >= 0) & known.exact[rows]
        n_gold = int(exact.sum())
        if n_gold == 0:
            raise InputError(
                "`gold` must name the class of at least one predicted item; got none for "
                f"{len(beliefs)} items. Label some of them, or check that the item ids match."
            )
        return cls(
            probs=beliefs.probs[exact],
            codes=known.codes()[rows[exact]],
            labels=beliefs.labels,
            n_skipped=len(beliefs) - n_gold,
            n_unmatched=int(known.exact.sum()) - n_gold,
        )

    def __len__(self) -> int:
        return len(self.codes)


def as_beliefs(predicted: Any, labels: LabelSpace | None) -> Beliefs:
    """Take probabilities of shape (n_items, n_classes) as beliefs."""
    if not isinstance(predicted, Beliefs):
        if labels is None:
            raise TypeError(
                "`labels` must be given where `predicted` is an array; got None. "
                "Pass the LabelSpace that says which class a column is, or Beliefs."
            )
        return Beliefs(np.asarray(predicted), labels)
    if labels is not None and predicted.labels != labels:
        raise InputError(
            f"`predicted` must have the classes {labels.classes}; got {predicted.labels.classes}. "
            "Build both with one LabelSpace."
        )
    return predicted


def as_gold(gold: Any, labels: LabelSpace) -> Candidates:
    """Take class names with nulls as gold, and refuse gold of other classes."""
    if isinstance(gold, Candidates):
        if gold.labels != labels:
            raise InputError(
                f"`gold` must have the classes of `predicted`, {labels.classes}; "
                f"got {gold.labels.classes}. Build both with one LabelSpace."
            )
        return gold
    refusal = TypeError(
        f"`gold` must be Candidates, or class names with nulls; got {type(gold).__name__}. "
        "Pass `evidence.gold` where it is part of Evidence."
    )
    if isinstance(gold, Evidence):  # scikit-learn may index it as an array of codes
        raise refusal
    try:
        names = as_series(gold)
    except TypeError:
        raise refusal from None
    return Candidates(ClassSets.from_values(names, labels, "gold"), labels)


def rows_beside(
    known: Candidates | Evidence | Beliefs, beliefs: Beliefs, name: str
) -> NDArray[np.int64]:
    """(n_items,) The row of what is known, called `name`, for each predicted item, or -1."""
    ids, wanted = known.item_ids, beliefs.item_ids
    if ids is None or wanted is None or np.array_equal(ids, wanted):
        if len(known) != len(beliefs):
            raise InputError(
                f"`{name}` must have one row for each of the {len(beliefs)} predicted items; "
                f"got {len(known)}. Give null where nothing is known, or give both item ids."
            )
        return np.arange(len(known))
    refuse_repeats(wanted, "predicted.item_ids")
    return rows_of(wanted, ids, name)
