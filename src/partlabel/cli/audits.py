"""The audits of a run: missing labels, groups, rules that are copied; or what each needs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from sklearn.pipeline import Pipeline

from partlabel.cli import runs
from partlabel.cli.features import Features
from partlabel.cli.fitting import rule_of
from partlabel.cli.model_file import read_model
from partlabel.cli.quality import GONE, LABEL_MODEL, MODEL, Aside, Unseen, ids_of, table_of
from partlabel.cli.runs import Run
from partlabel.errors import InputError
from partlabel.evaluate import (
    GroupAudit,
    Missingness,
    RuleCopyingAudit,
    Slices,
    audit_rule_copying,
    error_slices,
    group_audit,
    joint_beliefs,
    missingness,
)

FEW_ASIDE = 300
"""With fewer rows that trained nothing, copying is looked for on all rows."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be there for an audit, in a sentence."""

    sentence: str

    def to_dict(self) -> dict[str, str]:
        """Give it for JSON."""
        return {"needs": self.sentence}


@dataclass(frozen=True, slots=True, eq=False)
class Audits:
    """What the audits of a run found, or need."""

    missingness: Missingness | Needs
    groups: GroupAudit | Needs
    slices: Slices | Needs
    rule_copying: RuleCopyingAudit | Needs


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A run with all that its audits look at.

    Attributes
    ----------
    run : Run
    aside : Aside or None
    gold : table of item and label, or None
        More labels, of items drawn at random.
    frame : (n_items, ...) table that was fitted on, or None where it is gone
    model : Pipeline
    of_group : (n_items,) names, or None
    """

    run: Run
    aside: Aside | None
    gold: pl.DataFrame | None
    frame: pl.DataFrame | None
    model: Pipeline
    of_group: pl.Series | None

    @classmethod
    def of(
        cls, folder: Path, run: Run, gold: pl.DataFrame | None, of_group: pl.Series | None
    ) -> "Subject":
        """Read the model, and the table if it is still there."""
        model = read_model(folder / runs.MODEL)
        return cls(run, Aside.of(run, gold), gold, table_of(run), model, of_group)

    @property
    def features(self) -> Features:
        """The columns that the model reads."""
        return Features(**{k: tuple(v) for k, v in self.run.facts["features"].items()})

    @property
    def seed(self) -> int:
        """What draws all that is drawn."""
        return self.run.settings.model.seed


def missing_labels(subject: Subject) -> Missingness | Needs:
    """Ask whether the rows with gold are like the others."""
    run = subject.run
    if run.evidence.gold is None or not run.evidence.gold.exact.any():
        return Needs("It needs gold labels of some rows: name their column when fitting.")
    if subject.frame is None:
        return Needs(f"It needs {GONE}.")
    drawn = None
    if subject.gold is not None:
        ids = ids_of(run.evidence).to_frame()
        drawn = ids.join(subject.gold, on="item", how="left", maintain_order="left")["label"]
    X = subject.model[:-1].transform(subject.features.table(subject.frame))
    return missingness(
        X,
        run.evidence.gold,
        groups=subject.of_group,
        votes=run.evidence.votes,
        audit=drawn,
        random_state=subject.seed,
    )


def groups(subject: Subject) -> GroupAudit | Needs:
    """Ask whom sources and model serve badly."""
    aside, of_group = subject.aside, subject.of_group
    if of_group is None:
        return Needs("It needs a column of groups: --groups NAME.")
    if aside is None or not aside.n_gold:
        return Needs("It needs gold for rows that were kept out of training: see `evaluate`.")
    votes = aside.said.get(LABEL_MODEL)
    model = aside.said[MODEL]
    return group_audit(
        model,
        aside.gold,
        groups=of_group.gather(aside.rows),
        beliefs=None if votes is None else joint_beliefs(model, votes),
        votes=subject.run.evidence.select(aside.rows),
    )


def slices(subject: Subject) -> Slices | Needs:
    """Ask where the model errs more, by columns but texts, groups and votes."""
    aside, features = subject.aside, subject.features
    if aside is None or not aside.n_gold:
        return Needs("It needs gold for rows that were kept out of training: see `evaluate`.")
    told = [*features.numeric, *features.categorical]
    kept = subject.run.evidence.select(aside.rows)
    votes, model = aside.said.get(LABEL_MODEL), aside.said[MODEL]
    return error_slices(
        model,
        aside.gold,
        features=None
        if subject.frame is None or not told
        else features.table(subject.frame).select(told)[aside.rows],
        groups=None if subject.of_group is None else subject.of_group.gather(aside.rows),
        votes=kept.votes,
        beliefs=None if votes is None else joint_beliefs(model, votes),
        random_state=subject.seed,
    )


def rule_copying(subject: Subject) -> RuleCopyingAudit | Needs:
    """Ask whether the model learnt the concept, or only copies the rules."""
    settings = subject.run.settings
    if not settings.rules:
        return Needs(
            "It needs [[rules]] in the settings of `fit`: columns of votes don't say what a rule "
            "looks at."
        )
    if subject.frame is None:
        return Needs(f"It needs {GONE}.")
    aside = subject.aside
    kept = aside is not None and aside.unseen is Unseen.KEPT
    held_out = kept and aside is not None and len(aside.rows) >= FEW_ASIDE
    frame = subject.frame[aside.rows] if aside is not None and held_out else subject.frame
    return audit_rule_copying(
        subject.model,
        frame,
        [rule_of(one) for one in settings.rules],
        features=subject.features.table,
        labels=subject.run.evidence.labels,
        item=settings.columns.item,
        held_out=held_out,
        random_state=subject.seed,
    )


def tried(audit: Callable[[Subject], Any], subject: Subject) -> Any:
    """An audit, or the reason why it refuses."""
    try:
        return audit(subject)
    except InputError as reason:
        return Needs(str(reason))
