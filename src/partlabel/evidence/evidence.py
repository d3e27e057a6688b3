"""Evidence: everything observed about the same items."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from partlabel.errors import InputError, rows_named
from partlabel.evidence.candidates import Candidates
from partlabel.evidence.ids import refuse_repeats, rows_of, union
from partlabel.evidence.sets import ClassSets
from partlabel.evidence.votes import Votes
from partlabel.labels import LabelSpace

KINDS = ("gold", "exact", "partial", "voted", "nothing")


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Votes, candidate sets and gold labels about the same items; any of them may be left out.

    Parts that carry item ids are matched by id, others by position.

    Parameters
    ----------
    votes : Votes, default None
    candidates : Candidates, default None
        The true class is among these, says the user.
    gold : Candidates, default None
        Verified labels: one class for some items, all classes (nothing known) for the others.
    items : (n_items,) ids, default None
        The items, in the order wanted. None takes every item that some part names, those of
        `votes` first, then of `candidates`, then of `gold`.
    conflicts : {"refuse", "relax"}, default "refuse"
        What to do where gold lies outside the candidates: refuse the input, or trust gold and drop
        these candidate sets.
    unmatched : {"refuse", "drop"}, default "refuse"
        What to do with items of a part that aren't among `items`.

    Attributes
    ----------
    labels : LabelSpace
    item_ids : (n_items,) or None
    n_conflicts : int
        Items whose gold label lies outside their candidates.
    alignment : mapping of part name to counts
        For each part, how many of its items were matched or dropped, and how many items it is
        without.

    Raises
    ------
    InputError
        If there is no part, the parts differ in labels or length, ids repeat, nothing matches,
        `gold` names several classes for an item, an option is unknown, or as `conflicts` and
        `unmatched` say.
    TypeError
        If a part is not of its type.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> votes = Votes.from_matrix([[0, 0], [0, 1], [-1, -1]], labels)
    >>> gold = Candidates.from_labels(["ham", None, None], labels)
    >>> Evidence(votes=votes, gold=gold).counts()
    {'gold': 1, 'exact': 0, 'partial': 0, 'voted': 1, 'nothing': 1}
    """

    votes: Votes | None = None
    candidates: Candidates | None = None
    gold: Candidates | None = None
    items: Any = field(default=None, repr=False)
    conflicts: Literal["refuse", "relax"] = field(default="refuse", repr=False)
    unmatched: Literal["refuse", "drop"] = field(default="refuse", repr=False)
    labels: LabelSpace = field(init=False)
    item_ids: NDArray[Any] | None = field(init=False, repr=False)
    n_conflicts: int = field(init=False)
    alignment: dict[str, dict[str, int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_option("conflicts", self.conflicts, ("refuse", "relax"))
        _check_option("unmatched", self.unmatched, ("refuse", "drop"))
        parts = self._parts()
        _check_kinds(parts)
        object.__setattr__(self, "labels", _shared_labels(parts))
        self._align(parts)
        if self.gold is not None and self.gold.partial.any():
            raise InputError(
                "`gold` must name one class or none for each item; it names several at "
                f"{rows_named(self.gold.partial, self.item_ids)}. Pass these as `candidates`."
            )
        self._settle_conflicts()

    def _parts(self) -> "dict[str, Votes | Candidates]":
        named = {"votes": self.votes, "candidates": self.candidates, "gold": self.gold}
        return {name: part for name, part in named.items() if part is not None}

    def _align(self, parts: "dict[str, Votes | Candidates]") -> None:
        ids_of = {name: p.item_ids for name, p in parts.items() if p.item_ids is not None}
        wanted = None if self.items is None else np.asarray(self.items)
        bare = {name: len(part) for name, part in parts.items() if name not in ids_of}
        alignment = {name: _aligned(len(part)) for name, part in parts.items()}
        if wanted is not None:
            refuse_repeats(wanted, "items")
            _check_lengths({"items": len(wanted)} | bare)
        elif not bare:
            wanted = union(ids_of)
        else:  # one part without ids is enough for all to go by position
            _check_lengths({name: len(part) for name, part in parts.items()})
            wanted, ids_of = next(iter(ids_of.values()), None), {}
        for name, own in ids_of.items():
            assert wanted is not None
            rows = rows_of(wanted, own, name)
            alignment[name] = self._matched(name, rows, own)
            object.__setattr__(self, name, _reordered(parts[name], rows, wanted))
        object.__setattr__(self, "items", None)  # item_ids says it from here on
        object.__setattr__(self, "item_ids", wanted)
        object.__setattr__(self, "alignment", alignment)

    def _matched(self, name: str, rows: NDArray[np.int64], own: NDArray[Any]) -> dict[str, int]:
        dropped = np.ones(len(own), dtype=bool)
        dropped[rows[rows >= 0]] = False
        matched = _aligned(int((rows >= 0).sum()), int(dropped.sum()), int((rows < 0).sum()))
        if matched["dropped"] and (self.unmatched == "refuse" or matched["matched"] == 0):
            raise InputError(
                f"`{name}` must be about the given items; got others at "
                f"{rows_named(dropped, own)}. "
                "Correct the ids, or pass unmatched='drop' where some match."
            )
        return matched

    def _settle_conflicts(self) -> None:
        object.__setattr__(self, "n_conflicts", 0)
        if self.gold is None or self.candidates is None:
            return
        sets, code = self.candidates.sets, self.gold.codes()
        clash = self.gold.exact & ~sets.table[sets.which, code]
        if not clash.any():
            return
        if self.conflicts == "refuse":
            raise InputError(
                "`gold` must lie within `candidates`; it doesn't at "
                f"{rows_named(clash, self.item_ids)}. "
                "Correct them, or pass conflicts='relax' to trust gold there."
            )
        table = np.vstack([sets.table, np.ones((1, len(self.labels)), dtype=bool)])
        which = np.where(clash, len(sets.table), sets.which).astype(np.int32)
        object.__setattr__(
            self, "candidates", replace(self.candidates, sets=ClassSets(table, which))
        )
        object.__setattr__(self, "n_conflicts", int(clash.sum()))

    def __len__(self) -> int:
        return len(next(iter(self._parts().values())))

    @property
    def shape(self) -> tuple[int]:
        """(n_items,) as of an array, so that scikit-learn can cut evidence into folds as a `y`."""
        return (len(self),)

    def __getitem__(self, rows: Any) -> "Evidence":
        """Some items, given as an array's are: by a mask, positions or a slice."""
        chosen = rows[0] if isinstance(rows, tuple) else rows
        return self.select(np.atleast_1d(np.arange(len(self))[chosen]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """(n_items,) Codes of classes known exactly, else -1; scikit-learn balances folds by it."""
        del copy  # always a new array
        sets = self.hard_sets()
        one = sets.table.sum(axis=1) == 1
        return np.where(one, sets.table.argmax(axis=1), -1)[sets.which].astype(dtype or np.int64)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self)

    def hard_sets(self) -> ClassSets:
        """Give what gold and candidates leave possible, together: one set of classes per item."""
        parts = [part.sets for part in (self.candidates, self.gold) if part is not None]
        if not parts:
            return _anything(self.labels, len(self))
        if len(parts) == 1:
            return parts[0]
        one, two = parts
        pair = one.which.astype(np.int64) * len(two.table) + two.which
        keys, which = np.unique(pair, return_inverse=True)
        table = one.table[keys // len(two.table)] & two.table[keys % len(two.table)]
        return ClassSets(table, which.astype(np.int32))

    def kind(self) -> NDArray[np.int8]:
        """(n_items,) The surest thing known about each item, as a position in `KINDS`.

        gold: a verified label; exact: one candidate is left; partial: several, but not all, are
        left; voted: some source spoke; nothing: none of these.
        """
        kind = np.full(len(self), KINDS.index("nothing"), dtype=np.int8)
        if self.votes is not None:
            kind[self.votes.votes_per_item > 0] = KINDS.index("voted")
        if self.candidates is not None:
            kind[self.candidates.partial] = KINDS.index("partial")
            kind[self.candidates.exact] = KINDS.index("exact")
        if self.gold is not None:
            kind[self.gold.exact] = KINDS.index("gold")
        return kind

    def counts(self) -> dict[str, int]:
        """Give how many items there are of each kind; every item counts once, as `kind` says."""
        found = np.bincount(self.kind(), minlength=len(KINDS))
        return {name: int(n) for name, n in zip(KINDS, found, strict=True)}

    def select(self, rows: Any) -> "Evidence":
        """Give some items: a mask, positions or a slice; negative ones count from the end."""
        rows = np.arange(len(self))[rows]  # to `Votes.select`, -1 would be an item without a vote
        bare = {name: replace(part, item_ids=None) for name, part in self._parts().items()}
        parts: dict[str, Any] = {name: part.select(rows) for name, part in bare.items()}
        chosen = Evidence(**parts)
        if self.item_ids is not None:
            object.__setattr__(chosen, "item_ids", self.item_ids[rows])
        return chosen

    def without(self, part: Literal["votes", "candidates", "gold"]) -> "Evidence":
        """Give the same items with one part forgotten, even if nothing is left about them."""
        kept: dict[str, Any] = {
            name: replace(value, item_ids=None)
            for name, value in self._parts().items()
            if name != part
        }
        if not kept:
            kept = {"candidates": Candidates(_anything(self.labels, len(self)), self.labels)}
        rest = Evidence(**kept)
        object.__setattr__(rest, "item_ids", self.item_ids)
        return rest


def as_evidence(evidence: "Evidence | Votes | Candidates") -> Evidence:
    """Take votes or candidates alone as evidence.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if isinstance(evidence, Evidence):
        return evidence
    if isinstance(evidence, Votes):
        return Evidence(votes=evidence)
    if isinstance(evidence, Candidates):
        return Evidence(candidates=evidence)
    raise TypeError(
        f"`evidence` must be Evidence, Votes or Candidates; got {type(evidence).__name__}. "
        "Read it first, with `Votes.from_matrix` or `Candidates.from_labels`, say."
    )


def _check_option(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(
            f"`{name}` must be one of {', '.join(map(repr, known))}; got {value!r}. "
            "Pass one of these."
        )


def _check_kinds(parts: "dict[str, Votes | Candidates]") -> None:
    if not parts:
        raise InputError(
            "`Evidence` must hold votes, candidates or gold; got none of them. Pass at least one."
        )
    for name, part in parts.items():
        kind = Votes if name == "votes" else Candidates
        if not isinstance(part, kind):
            raise TypeError(
                f"`{name}` must be {kind.__name__}; got {type(part).__name__}. "
                f"Read it first, with a constructor of `{kind.__name__}`."
            )


def _shared_labels(parts: "dict[str, Votes | Candidates]") -> LabelSpace:
    first, labels = next((name, part.labels) for name, part in parts.items())
    for name, part in parts.items():
        if part.labels != labels:
            raise InputError(
                f"`{name}` must have the label space of `{first}`; it has {part.labels.classes} "
                f"instead of {labels.classes}. Build all parts with one LabelSpace."
            )
    return labels


def _check_lengths(lengths: dict[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise InputError(
            "Parts without item ids must be about the same items; they have different lengths: "
            f"{shown}. Give each part its item ids, or rows for all items."
        )


def _aligned(matched: int, dropped: int = 0, without: int = 0) -> dict[str, int]:
    return {"matched": matched, "dropped": dropped, "without": without}


def _reordered(
    part: "Votes | Candidates", rows: NDArray[np.int64], ids: NDArray[Any]
) -> "Votes | Candidates":
    if isinstance(part, Votes):
        return replace(part.select(rows), item_ids=ids)
    everything = np.ones((1, len(part.labels)), dtype=bool)
    table = np.vstack([part.sets.table, everything])
    which = np.where(rows >= 0, part.sets.which[rows], len(part.sets.table)).astype(np.int32)
    return Candidates(ClassSets(table, which), part.labels, ids)


def _anything(labels: LabelSpace, n_items: int) -> ClassSets:
    return ClassSets(np.ones((1, len(labels)), dtype=bool), np.zeros(n_items, dtype=np.int32))
