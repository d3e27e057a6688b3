"""Population: predictions and beliefs for all items, gold for some, and how these were drawn."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError, rows_named
from partlabel.evaluate.metrics import Codes, Floats
from partlabel.evaluate.scored import as_beliefs, as_gold, rows_beside
from partlabel.evidence import Candidates
from partlabel.labels import LabelSpace
from partlabel.tables import as_series, distinct

LEAST_GOLD = 5
"""Strata with fewer gold rows are taken together: their spread can't be told."""

LARGEST_WEIGHT = 10.0
"""A gold row speaks for at most this many times as many items as the average one."""


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """All items with a prediction, and the gold rows among them.

    Attributes
    ----------
    probs : (n_items, n_classes) float
        What the model predicts.
    beliefs : (n_items, n_classes) float, or None
        What is believed about the labels without gold.
    rows : (n_gold,) intp
        Positions of the items with gold, rising.
    codes : (n_gold,) int32
    weight : (n_gold,) float
        The share of all items that a gold row speaks for; they add up to 1.
    stratum : (n_items,) intp, or None
        Which stratum an item belongs to; None means one for all. Gold is a random sample of each.
    labels : LabelSpace
    n_unmatched : int
        Items with gold, but without a prediction.
    """

    probs: Floats
    beliefs: Floats | None
    rows: NDArray[np.intp]
    codes: Codes
    weight: Floats
    stratum: NDArray[np.intp] | None
    labels: LabelSpace
    n_unmatched: int = 0

    @classmethod
    def match(
        cls,
        predicted: Any,
        gold: Any,
        *,
        beliefs: Any = None,
        labels: LabelSpace | None = None,
        strata: Any = None,
        gold_probability: Any = None,
    ) -> "Population":
        """Match by position, or by item ids where both sides have them and they differ.

        Raises
        ------
        InputError
            If lengths, classes or ids don't fit, no item has gold, both `strata` and
            `gold_probability` are given, or a probability of a gold row is outside (0, 1].
        """
        if labels is None:
            known = [x.labels for x in (predicted, beliefs, gold) if isinstance(x, _WITH_LABELS)]
            labels = known[0] if known else None
        model = as_beliefs(predicted, labels)
        rows, codes, n_unmatched = _gold_rows(gold, model)
        _refuse_two_designs(strata, gold_probability)
        stratum = None if strata is None else _codes_of(strata, len(model), "strata")
        if gold_probability is None:
            weight = _weights_by_stratum(stratum, rows)
        else:
            weight = _weights_by_probability(gold_probability, rows, len(model))
        return cls(
            probs=model.probs,
            beliefs=None if beliefs is None else _aligned(beliefs, model),
            rows=rows,
            codes=codes,
            weight=weight,
            stratum=None if stratum is None else merged(stratum, rows),
            labels=model.labels,
            n_unmatched=n_unmatched,
        )

    def __len__(self) -> int:
        return len(self.probs)

    @property
    def n_gold(self) -> int:
        """Items with a prediction and gold."""
        return len(self.rows)

    @property
    def n_strata(self) -> int:
        """Strata that gold is a sample of each."""
        return 1 if self.stratum is None else int(self.stratum.max()) + 1

    @property
    def stratum_of_gold(self) -> NDArray[np.intp]:
        """(n_gold,) The stratum of each gold row."""
        none = np.zeros(self.n_gold, dtype=np.intp)
        return none if self.stratum is None else self.stratum[self.rows]

    def stratum_sums(self, values: Floats, rows: slice | NDArray[np.intp] | None = None) -> Floats:
        """(n_strata, ...) Sum of values (n_rows, ...) of the given items, in each stratum."""
        if self.stratum is None:
            return np.asarray(values.sum(axis=0, dtype=np.float64))[None]
        which = self.stratum if rows is None else self.stratum[rows]
        return group_totals(which, self.n_strata, values)

    def stratum_sizes(self) -> NDArray[np.int64]:
        """(n_strata,) Items of each stratum."""
        if self.stratum is None:
            return np.array([len(self)])
        return np.bincount(self.stratum, minlength=self.n_strata)

    def select(self, mask: NDArray[np.bool_]) -> "Population":
        """Give the items of a mask, with the gold among them."""
        inside = mask[self.rows]
        weight = self.weight[inside]
        stratum = None if self.stratum is None else self.stratum[mask]
        rows = (np.cumsum(mask) - 1)[self.rows[inside]]
        return replace(
            self,
            probs=self.probs[mask],
            beliefs=None if self.beliefs is None else self.beliefs[mask],
            rows=rows,
            codes=self.codes[inside],
            weight=weight / weight.sum() if len(weight) else weight,
            stratum=None if stratum is None else merged(stratum, rows),
            n_unmatched=0,
        )


_WITH_LABELS = (Beliefs, Candidates)


def group_totals(group: NDArray[np.intp], n_groups: int, values: Floats) -> Floats:
    """(n_groups, ...) Sum of values (n, ...) in each group of rows."""
    ends = np.arange(len(group) + 1)
    member = csr_array((np.ones(len(group)), group, ends), shape=(len(group), n_groups))
    return np.asarray(member.T @ values)


def merged(stratum: NDArray[np.intp], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Take strata with few gold rows together; if they still have few, with the largest one."""
    n_gold = np.bincount(stratum[rows], minlength=int(stratum.max()) + 1)
    few = n_gold < LEAST_GOLD
    target = np.where(few, -1, np.cumsum(~few) - 1)
    if few.any():
        alone = n_gold[few].sum() >= LEAST_GOLD or few.all()
        target[few] = target.max() + 1 if alone else target[int(n_gold.argmax())]
    return np.asarray(target[stratum], dtype=np.intp)


def codes_and_names(values: Any, n_items: int, what: str) -> tuple[NDArray[np.intp], list[Any]]:
    """Number the distinct values, one for each item, in the order of their first appearance."""
    series = as_series(values)
    if len(series) != n_items:
        raise InputError(
            f"`{what}` must have one entry for each of the {n_items} predicted items; "
            f"got {len(series)}. Give them in the order of `predicted`."
        )
    which, first = distinct(series)
    return np.asarray(which, dtype=np.intp), [series[int(row)] for row in first]


def _codes_of(values: Any, n_items: int, what: str) -> NDArray[np.intp]:
    return codes_and_names(values, n_items, what)[0]


def _gold_rows(gold: Any, model: Beliefs) -> tuple[NDArray[np.intp], Codes, int]:
    if gold is None:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int32), 0
    known = as_gold(gold, model.labels)
    place = rows_beside(known, model, "gold")
    rows = np.flatnonzero((place >= 0) & known.exact[place])
    if len(rows) == 0:
        raise InputError(
            "`gold` must name the class of at least one predicted item; got none for "
            f"{len(model)} items. Label some of them, or check that the item ids match."
        )
    return rows, known.codes()[place[rows]], int(known.exact.sum()) - len(rows)


def _aligned(beliefs: Any, model: Beliefs) -> Floats:
    """(n_items, n_classes) The beliefs about each predicted item."""
    known = as_beliefs(beliefs, model.labels)
    place = rows_beside(known, model, "beliefs")
    if (place < 0).any():
        raise InputError(
            "`beliefs` must know every predicted item; they don't know "
            f"{rows_named(place < 0, model.item_ids)}. Leave these items out of `predicted`."
        )
    return known.probs if np.array_equal(place, np.arange(len(known))) else known.probs[place]


def _refuse_two_designs(strata: Any, gold_probability: Any) -> None:
    if strata is not None and gold_probability is not None:
        raise InputError(
            "`strata` and `gold_probability` are two ways to say how gold was drawn; got both. "
            "Give the probabilities where rows of a stratum had different ones, else the strata."
        )


def _weights_by_stratum(stratum: NDArray[np.intp] | None, rows: NDArray[np.intp]) -> Floats:
    if stratum is None:
        return np.full(len(rows), 1.0 / max(len(rows), 1))
    size = np.bincount(stratum)
    n_gold = np.bincount(stratum[rows], minlength=len(size))
    weight = size[stratum[rows]] / n_gold[stratum[rows]]
    return np.asarray(weight / weight.sum())


def _weights_by_probability(
    probability: Any, rows: NDArray[np.intp], n_items: int
) -> NDArray[np.float64]:
    """Weigh by the inverse of the probability, capped so that no row decides alone."""
    p = np.asarray(probability, dtype=np.float64)
    if p.shape != (n_items,):
        raise InputError(
            f"`gold_probability` must have one entry for each of the {n_items} predicted items; "
            f"got the shape {p.shape}. Give them in the order of `predicted`."
        )
    bad = ~((p > 0) & (p <= 1))
    if bad[rows].any():
        raise InputError(
            "`gold_probability` must lie in (0, 1] where an item has gold; it doesn't at "
            f"{rows_named(bad & np.isin(np.arange(n_items), rows))}. "
            "Give the probability with which the item was drawn."
        )
    weight = 1.0 / p[rows]
    weight = np.minimum(weight, LARGEST_WEIGHT * weight.mean())
    return np.asarray(weight / weight.sum())
