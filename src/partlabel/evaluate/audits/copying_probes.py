"""The probes of rule-copying: each asks in its own way what a model knows besides the rules.

Hiding triggers, planting them and the model's importances look at the model as it is. Training
anew, on rows without triggers or without one rule's votes, says what there is to learn at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from partlabel.aggregate import Aggregator
from partlabel.evaluate.audits.audited_model import AuditedModel
from partlabel.evaluate.audits.rule_inputs import Donor, RuleInputs
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.measured import Measured, mean_over, skill, spread
from partlabel.evidence import Votes

FOLDS = 5
FEWEST_ALONE = 10
"""A rule is left out only if it speaks alone about so many rows."""


class Finding(NamedTuple):
    """What a probe found, and what it would find without triggers playing a part."""

    probe: str
    value: Measured
    control: float
    n: int


class Alone(NamedTuple):
    """What a model that was trained without a rule says where only this rule speaks."""

    rule: str
    agrees: NDArray[np.bool_]  # (n_alone,)
    by_chance: float  # how often it says these classes where no rule speaks


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, rows, and what the rules and the label model say of them.

    Attributes
    ----------
    model : AuditedModel
    inputs : RuleInputs
    votes : Votes
    label_model : Aggregator
        Fitted.
    rng : numpy.random.Generator
    """

    model: AuditedModel
    inputs: RuleInputs
    votes: Votes
    label_model: Aggregator
    rng: np.random.Generator

    @cached_property
    def beliefs(self) -> Floats:
        """(n, n_classes) What the label model believes."""
        return self.label_model.aggregate(self.votes).probs

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """(n,) What the label model decides."""
        return np.asarray(self.beliefs.argmax(axis=1))

    @cached_property
    def fired(self) -> NDArray[np.bool_]:
        """(n,) Whether any rule speaks."""
        return self.votes.votes_per_item > 0

    @cached_property
    def decided(self) -> NDArray[np.bool_]:
        """(n,) Whether rules speak, and leave one class ahead."""
        return self.fired & has_leader(self.beliefs)

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """(n,) Whether the row is decided by nothing but rules whose triggers are known."""
        traced = np.array([name in self.inputs.traced for name in self.votes.sources], dtype=bool)
        hidden = np.ones(self.votes.n_items, dtype=bool)
        hidden[self.votes.item[~traced[self.votes.source]]] = False
        return self.decided & hidden

    @cached_property
    def plain(self) -> Floats:
        """(n, n_classes) Predictions for the rows as they are."""
        return self.model.probs(self.inputs.frame)

    @cached_property
    def hidden_frame(self) -> pl.DataFrame:
        """The rows without triggers."""
        return self.inputs.hidden()

    @cached_property
    def hidden(self) -> Floats:
        """(n, n_classes) Predictions without triggers."""
        return self.model.probs(self.hidden_frame)

    @cached_property
    def ordinary_hidden(self) -> Floats:
        """(n, n_classes) Predictions without as much that is ordinary."""
        return self.model.probs(self.inputs.ordinary_hidden(self.rng))


def has_leader(beliefs: Floats) -> NDArray[np.bool_]:
    """(n,) Whether one class is believed in more than every other."""
    top = np.partition(beliefs, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0] > 1e-9)


def fidelity(subject: Subject) -> Finding:
    """Agreement with the label model where rules decide; beside it, where all abstain."""
    agrees = (subject.plain.argmax(axis=1) == subject.codes).astype(np.float64)
    silent = mean_over(agrees, ~subject.fired)
    return Finding(
        "fidelity", mean_over(agrees, subject.decided), silent.value, int(subject.decided.sum())
    )


def opinion(subject: Subject) -> Finding:
    """How much predictions differ among rows where all abstain; beside it, where rules speak."""
    silent = ~subject.fired
    spoken = spread(subject.plain, subject.fired)
    return Finding("opinion", spread(subject.plain, silent), spoken.value, int(silent.sum()))


def skills(subject: Subject) -> tuple[Measured, Measured, Measured]:
    """Skill at the label model's decisions: without triggers, without ordinary words, with all."""
    rows, codes = subject.scored, subject.codes[subject.scored]
    views = (subject.hidden, subject.ordinary_hidden, subject.plain)
    hidden, ordinary, plain = (skill(probs[rows], codes) for probs in views)
    return hidden, ordinary, plain


def importance(subject: Subject) -> Finding:
    """How far a prediction moves when triggers are hidden; beside it, as much that is ordinary."""
    moved = np.abs(subject.hidden - subject.plain).sum(axis=1) / 2.0
    ordinary = np.abs(subject.ordinary_hidden - subject.plain).sum(axis=1) / 2.0
    control = mean_over(ordinary, subject.scored)
    return Finding(
        "importance", mean_over(moved, subject.scored), control.value, int(subject.scored.sum())
    )


def planting(subject: Subject) -> Finding | None:
    """How often another class's trigger, put into a row without triggers, flips the prediction.

    Beside it: how often as many ordinary words from the same row do. None where no other class has
    a known trigger.
    """
    classes, donors = _donated(subject)
    rows = classes >= 0
    if not rows.any():
        return None
    planted = subject.model.probs(subject.inputs.planted(donors))
    ordinary = subject.model.probs(subject.inputs.ordinary_planted(donors, subject.rng))
    flipped = (planted.argmax(axis=1) == classes).astype(np.float64)
    control = float((ordinary.argmax(axis=1) == classes)[rows].mean())
    return Finding("planting", mean_over(flipped, rows), control, int(rows.sum()))


def learnable(subject: Subject) -> Finding | None:
    """Skill of models that were trained on rows without triggers, at rows left out of training.

    Beside it: that of the audited model on the same rows, which is far above it where the model
    remembers rows that it was trained on. None where there are too few rows of two classes.
    """
    frame, codes = subject.hidden_frame.filter(subject.scored), subject.codes[subject.scored]
    found = _cross_fitted(subject, frame, codes)
    if found is None:
        return None
    anew, rows = found
    return Finding(
        "learnable",
        anew,
        skill(subject.hidden[subject.scored][rows], codes[rows]).value,
        int(rows.sum()),
    )


def strangeness(subject: Subject) -> Finding | None:
    """Skill at telling rows where rules speak from those where all abstain, both without triggers.

    Where it is high, rules speak on rows of another kind, or triggers have companions ("this" in
    "this song") that hiding leaves: what a model knows there needn't hold where all abstain.
    """
    found = _cross_fitted(subject, subject.hidden_frame, subject.fired.astype(np.int64))
    return None if found is None else Finding("strangeness", found[0], 0.0, int(found[1].sum()))


def _cross_fitted(
    subject: Subject, frame: pl.DataFrame, codes: NDArray[np.int64]
) -> tuple[Measured, NDArray[np.bool_]] | None:
    """Skill at some codes of models trained anew, and the rows of classes that are there enough."""
    n_classes = len(subject.model.labels)
    rows = np.bincount(codes, minlength=n_classes)[codes] >= FOLDS
    frame, codes = frame.filter(rows), codes[rows]
    if len(np.unique(codes)) < 2:
        return None
    probs = np.zeros((len(codes), n_classes))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(subject.rng.integers(2**31)))
    for train, test in folds.split(codes, codes):
        probs[test] = subject.model.trained(frame[train], codes[train]).probs(frame[test])
    return skill(probs, codes), rows


def left_out(subject: Subject) -> Iterator[Alone]:
    """Train without one rule's votes at a time, and look where only this rule speaks.

    Rules that speak alone about too few rows are passed over.
    """
    votes, frame = subject.votes, subject.inputs.frame
    single = votes.votes_per_item == 1
    silent = ~subject.fired
    for j, rule in enumerate(votes.sources):
        its_own = np.flatnonzero(single & (_first_source(votes) == j))
        others = without_source(votes, j)
        if len(its_own) < FEWEST_ALONE or others.n_votes == 0:
            continue
        beliefs = clone(subject.label_model).fit_aggregate(others).probs
        rows = np.flatnonzero((others.votes_per_item > 0) & has_leader(beliefs))
        codes = beliefs.argmax(axis=1)
        if len(np.unique(codes[rows])) < 2:
            continue
        model = subject.model.trained(frame[rows], codes[rows])
        said = _members(votes)[votes.symbol[votes.indptr[its_own]]]
        agrees = said[np.arange(len(its_own)), model.probs(frame[its_own]).argmax(axis=1)]
        chance = float("nan")
        if silent.any():
            elsewhere = model.probs(frame.filter(silent)).argmax(axis=1)
            chance = float(said[:, elsewhere].mean())
        yield Alone(rule, agrees, chance)


def without_source(votes: Votes, source: int) -> Votes:
    """The votes of all other sources."""
    keep = votes.source != source
    counts = np.bincount(votes.item[keep], minlength=votes.n_items)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return replace(votes, indptr=indptr, symbol=votes.symbol[keep])


def _members(votes: Votes) -> NDArray[np.bool_]:
    return votes.vocabulary.members()


def _first_source(votes: Votes) -> NDArray[np.int64]:
    """(n_items,) The source of the first vote on each item, -1 where there is none."""
    first = np.full(votes.n_items, -1, dtype=np.int64)
    there = votes.votes_per_item > 0
    first[there] = votes.source[votes.indptr[:-1][there]]
    return first


def _donated(subject: Subject) -> tuple[NDArray[np.int64], list[Donor | None]]:
    """For each row, another class than is predicted without triggers, and who gives its trigger.

    The class is -1, and the donor None, where no trigger of another class is known.
    """
    votes, n_classes = subject.votes, len(subject.model.labels)
    members = _members(votes)[votes.symbol]
    traced = np.array([name in subject.inputs.traced for name in votes.sources], dtype=bool)
    usable = traced[votes.source] & (members.sum(axis=1) == 1)
    giving = [np.flatnonzero(usable & members[:, k]) for k in range(n_classes)]
    chance = subject.rng.random((votes.n_items, n_classes)) * [len(one) > 0 for one in giving]
    chance[np.arange(votes.n_items), subject.hidden.argmax(axis=1)] = 0.0
    classes = np.where(chance.max(axis=1) > 0, chance.argmax(axis=1), -1)
    item, source = votes.item, votes.source
    chosen = (None if k < 0 else int(subject.rng.choice(giving[k])) for k in classes)
    donors = [None if v is None else Donor(int(item[v]), votes.sources[source[v]]) for v in chosen]
    return classes, donors
