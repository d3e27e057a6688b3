"""The sections of the audits: missing labels, groups, slices, and rules that are copied.

Each is a pure function of what an audit found. It gives None where there was no audit.
"""

import re
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from partlabel.evaluate import GroupAudit, Missingness, RuleCopying, RuleCopyingAudit, Slices
from partlabel.report.section import Section
from partlabel.report.summary import Sentence
from partlabel.report.wording import listed

SHOWN = 100
EXAMPLES = 6
TELLING = 0.05
TRIGGER = re.compile("⟦(.*?)⟧", re.DOTALL)


def missingness(found: Missingness | None) -> Section | None:
    """Whether labelled items are like the others, and each class's share by each estimator."""
    if found is None:
        return None
    relations = found.relations
    data = {
        "sentence": found.sentence,
        "relations": relations.to_dicts(),
        "propensity": found.class_propensity().to_dicts(),
        "best": found.best,
        "shares": found.to_polars().filter(pl.col("metric") == "prevalence").to_dicts(),
        "effective": found.weights.effective_size,
        "n_labelled": found.n_labelled,
        "clipped": found.weights.clipped,
    }
    return Section("missingness", "Whether labelled items are like the others", data)


def groups(found: GroupAudit | None) -> Section | None:
    """Which groups get labels, and for which the model is worse."""
    if found is None:
        return None
    accuracy = found.metrics.filter(pl.col("metric") == "accuracy").sort("value", nulls_last=True)
    data = {
        "sentence": found.sentence,
        "alpha": found.alpha,
        "rows": accuracy.head(SHOWN).to_dicts(),
        "found": found.found.head(SHOWN).to_dicts(),
        "classes": found.classes.head(SHOWN).to_dicts(),
        "has_votes": "coverage" in found.classes.columns,
    }
    return Section("groups", "Whether anyone is served worse", data)


def slices(found: Slices | None) -> Section | None:
    """Where the model errs more than elsewhere."""
    if found is None:
        return None
    data = {"sentence": found.sentence, "rows": found.to_polars().head(SHOWN).to_dicts()}
    return Section("slices", "Where the model errs more", data)


def rule_copying(found: RuleCopyingAudit | None) -> Section | None:
    """Whether the model copies its rules, with the triggers marked in examples."""
    if found is None:
        return None
    data = {
        "found": found,
        "evidence": found.evidence.to_dicts(),
        "rules": found.rules.head(SHOWN).to_dicts(),
        "examples": [_example(row) for row in found.examples.head(EXAMPLES).to_dicts()],
        "gold_rows": listed(found.gold_rows.tolist(), most=20),
    }
    return Section("rule-copying", "Whether the model copies its rules", data)


def sentences(
    missing: Missingness | None,
    of_groups: GroupAudit | None,
    of_slices: Slices | None,
    copying: RuleCopyingAudit | None,
) -> list[Sentence]:
    """What the audits found that is worth knowing first."""
    said = []
    if missing is not None and (missing.relations["p_value"] < TELLING).any():
        said.append(Sentence(missing.sentence, "warning"))
    if of_groups is not None and len(of_groups.found):
        said.append(Sentence(of_groups.sentence, "warning"))
    if of_slices is not None and of_slices.found:
        said.append(Sentence(of_slices.sentence, "warning"))
    if copying is not None:
        tones = {RuleCopying.GENERALISES: "good", RuleCopying.CANT_TELL: "fact"}
        said.append(Sentence(copying.verdict.value, tones.get(copying.verdict, "warning")))
    return said


def _example(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its triggers marked; what the user's text holds stays text."""
    text = row.get("text")
    return {**row, "rules": listed(row["rules"]), "text": None if text is None else _marked(text)}


def _marked(text: str) -> Markup:
    return Markup(TRIGGER.sub(r"<mark>\1</mark>", str(escape(text))))
