"""Report: one HTML page that says what is known, what it is worth, and how to get it again."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate import (
    Evaluation,
    GroupAudit,
    Missingness,
    ReliabilityDiagram,
    RuleCopyingAudit,
    Slices,
)
from partlabel.evidence import Evidence
from partlabel.files import replacing
from partlabel.report import audited, conflicts, observed, predicted, summary, wording
from partlabel.report.section import Section
from partlabel.report.summary import Sentence
from partlabel.tables import as_frame

RELIABILITY_COLUMNS = (
    "source", "votes", "coverage", "conflict", "accuracy", "accuracy_low", "accuracy_high",
    "chance", "gold_votes", "gold_accuracy", "gold_low", "gold_high", "verdict",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """One self-contained HTML page: the evidence, and what sources, beliefs and models are worth.

    The page needs no network and loads nothing. What isn't given is left out, or named in one
    sentence. The same input gives the same page.

    Parameters
    ----------
    title : str
    evidence : Evidence
    beliefs : Beliefs, default None
        About the same items.
    reliability : polars.DataFrame, default None
        What each source is worth, as label models give it in ``reliability_``.
    evaluations : mapping of name to Evaluation, default {}
        How good predictions are on gold, such as ``{"model on held-out gold": ...}``.
    diagrams : mapping of name to ReliabilityDiagram, default {}
    missingness : Missingness, default None
    groups : GroupAudit, default None
    slices : Slices, default None
    rule_copying : RuleCopyingAudit, default None
    needs : mapping of an audit's name to a sentence, default {}
        What an audit would need that wasn't done, such as ``{"groups": "It needs ..."}``.
    items : table of n_items rows, default None
        The user's own table, in the order of the evidence; examples show its columns.
    ignored : sequence of (what, how many, why), default ()
        What was left out before; what the evidence itself dropped is added.
    choice : str, default None
        Why this objective was chosen.
    commands : sequence of str, default ()
        What reproduces the results.
    facts : mapping of str to str, default {}
        Versions, seeds, fingerprints, the date.

    Raises
    ------
    InputError
        If beliefs, items or the reliability table aren't about the items and sources of `evidence`.
    TypeError
        If `evidence` isn't Evidence.

    Examples
    --------
    >>> from partlabel.evidence import Votes
    >>> from partlabel.labels import LabelSpace
    >>> votes = Votes.from_matrix([[0, 0], [0, 1], [-1, -1]], LabelSpace(["ham", "spam"]))
    >>> page = Report("Comments", Evidence(votes=votes)).html()
    >>> "1 of 3 items (33%) has no evidence at all." in page
    True
    """

    title: str
    evidence: Evidence
    beliefs: Beliefs | None = None
    reliability: pl.DataFrame | None = None
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    diagrams: Mapping[str, ReliabilityDiagram] = field(default_factory=dict)
    missingness: Missingness | None = None
    groups: GroupAudit | None = None
    slices: Slices | None = None
    rule_copying: RuleCopyingAudit | None = None
    needs: Mapping[str, str] = field(default_factory=dict)
    items: Any = None
    ignored: Sequence[tuple[str, int, str]] = ()
    choice: str | None = None
    commands: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.evidence, Evidence):
            raise TypeError(
                f"`evidence` must be Evidence; got {type(self.evidence).__name__}. "
                "Wrap votes or candidates: `Evidence(votes=votes)`."
            )
        if self.items is not None:
            object.__setattr__(self, "items", as_frame(self.items, "items"))
        for name, part in (("beliefs", self.beliefs), ("items", self.items)):
            if part is not None and len(part) != len(self.evidence):
                raise InputError(
                    f"`{name}` must be about the {len(self.evidence)} items of `evidence`; "
                    f"got {len(part)} rows. Select the same items in the same order."
                )
        if self.beliefs is not None and self.beliefs.labels != self.evidence.labels:
            raise InputError(
                "`beliefs` must have the label space of `evidence`; it has "
                f"{self.beliefs.labels.classes} instead of {self.evidence.labels.classes}."
            )
        if self.reliability is not None:
            absent = [c for c in RELIABILITY_COLUMNS if c not in self.reliability.columns]
            if absent:
                raise InputError(
                    f"`reliability` must have the columns of `reliability_table`; "
                    f"it lacks {', '.join(absent)}. Pass a label model's `reliability_`."
                )

    def html(self) -> str:
        """Give the page as text."""
        contested = self._contested()
        parts = self._sections(contested)
        charts = [chart for part in parts for chart in part.charts.values()]
        return _environment().get_template("page.html").render(
            title=self.title,
            tiles=summary.tiles(self.evidence),
            sentences=self._sentences(contested),
            sections=parts,
            charts=charts,
            # trusted: plotly's own script, without which the page has no charts
            plotly=Markup(get_plotlyjs()) if charts else "",
        )  # fmt: skip

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page; a file that is there is replaced only once the new one is whole."""
        with replacing(path) as fresh:
            fresh.write_text(self.html(), encoding="utf-8")

    def _contested(self) -> NDArray[np.int64]:
        """(n_items,) Contradicting pairs of votes."""
        votes = self.evidence.votes
        if votes is None:
            return np.zeros(len(self.evidence), dtype=np.int64)
        return conflicts.contradictions(votes)

    def _sentences(self, contested: NDArray[np.int64]) -> list[Sentence]:
        return [
            *summary.about_quality(self.evidence, self.evaluations),
            *audited.sentences(self.missingness, self.groups, self.slices, self.rule_copying),
            *summary.about_beliefs(self.beliefs),
            *summary.about_evidence(self.evidence),
            *summary.about_sources(self.reliability),
            *summary.about_conflicts(self.evidence, int((contested > 0).sum())),
        ]

    def _sections(self, contested: NDArray[np.int64]) -> list[Section]:
        parts = [
            observed.evidence(self.evidence, self.choice),
            observed.sources(self.evidence, self.reliability),
            observed.conflicts(self.evidence, contested, self.beliefs, self.items),
            predicted.beliefs(self.beliefs, self.evidence),
            predicted.quality(self.evaluations),
            predicted.calibration(self.diagrams),
            audited.missingness(self.missingness, self.needs.get("missingness")),
            audited.groups(self.groups, self.needs.get("groups")),
            audited.slices(self.slices, self.needs.get("slices")),
            audited.rule_copying(
                self.rule_copying, self.evidence.votes, self.needs.get("rule_copying")
            ),
            observed.ignored(self.evidence, self.ignored),
            self._reproduce(),
        ]
        return [part for part in parts if part is not None]

    def _reproduce(self) -> Section | None:
        if not self.commands and not self.facts:
            return None
        data = {"commands": self.commands, "facts": self.facts}
        return Section("reproduce", "How to get this again", data)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("partlabel.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=wording.count, share=wording.share, decimal=wording.decimal, plural=wording.plural
    )
    environment.globals["interval"] = _interval
    return environment


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    """A number with its interval, which a narrow screen may break between the two alone."""
    return wording.interval(value, low, high).replace(", ", ",\u00a0")
