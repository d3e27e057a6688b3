"""The sections of the audits: missing labels, groups, slices, and rules that are copied.

Each is a pure function of what an audit found. It gives None where there was no audit.
"""

import re
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from partlabel.evaluate import GroupAudit, Missingness, RuleCopying, RuleCopyingAudit, Slices
from partlabel.evidence import Votes
from partlabel.report.section import Section
from partlabel.report.summary import Sentence
from partlabel.report.wording import listed

SHOWN = 100
EXAMPLES = 6
TELLING = 0.05
ESTIMATORS = {
    "naive": "labelled items are taken as a random sample",
    "ipw": "each labelled item counts for as many as were as unlikely to be labelled",
    "aipw": "the same, and a model of the class; right if one of the two is",
    "em": "a model of the class, and labelling that depends on the class",
    "audited": "items drawn at random for an audit; right whatever the models are worth",
}
TRIGGER = re.compile("⟦(.*?)⟧", re.DOTALL)


def missingness(found: Missingness | None, needs: str | None = None) -> Section | None:
    """Whether labelled items are like the others, and each class's share by each estimator."""
    title = "Whether labelled items are like the others"
    if found is None:
        return _needed("missingness", title, needs)
    shares = found.to_polars().filter(pl.col("metric") == "prevalence")
    data = {
        "sentence": found.sentence,
        "relations": found.relations.to_dicts(),
        "best": found.best,
        "shares": shares.to_dicts(),
        "estimators": [(name, ESTIMATORS[name]) for name in found.estimates],
        "effective": found.weights.effective_size,
        "n_labelled": found.n_labelled,
        "clipped": found.weights.clipped,
    }
    return Section("missingness", title, data)


def groups(found: GroupAudit | None, needs: str | None = None) -> Section | None:
    """Which groups get labels, and for which the model is worse."""
    title = "Whether anyone is served worse"
    if found is None:
        return _needed("groups", title, needs)
    accuracy = found.metrics.filter(pl.col("metric") == "accuracy").sort("value", nulls_last=True)
    data = {
        "sentence": found.sentence,
        "alpha": found.alpha,
        "rows": accuracy.head(SHOWN).to_dicts(),
        "found": found.found.head(SHOWN).to_dicts(),
        "classes": found.classes.head(SHOWN).to_dicts(),
        "assumption": found.classes["assumption"][0],
        "verdict": found.classes["verdict"][0],
        "has_votes": "coverage" in found.classes.columns,
    }
    return Section("groups", title, data)


def slices(found: Slices | None, needs: str | None = None) -> Section | None:
    """Where the model errs more than elsewhere."""
    title = "Where the model errs more"
    if found is None:
        return _needed("slices", title, needs)
    rows = found.to_polars().head(SHOWN).to_dicts() if len(found.slices) > 1 else []
    return Section("slices", title, {"sentence": found.sentence, "rows": rows})


def rule_copying(
    found: RuleCopyingAudit | None, votes: Votes | None = None, needs: str | None = None
) -> Section | None:
    """Whether the model copies its rules, with the triggers marked in examples."""
    title = "Whether the model copies its rules"
    if found is None:
        return _needed("rule-copying", title, needs)
    rules = set(found.rules["rule"])
    data = {
        "found": found,
        "evidence": found.evidence.to_dicts(),
        "rules": found.rules.head(SHOWN).to_dicts(),
        "others": listed([] if votes is None else [s for s in votes.sources if s not in rules]),
        "examples": [_example(row) for row in found.examples.head(EXAMPLES).to_dicts()],
        "gold_rows": listed(found.gold_rows.tolist(), most=len(found.gold_rows)),
    }
    return Section("rule-copying", title, data)


def _needed(id_: str, title: str, needs: str | None) -> Section | None:
    """A section that says what an audit needs; None where nobody asked for it."""
    return None if needs is None else Section(id_, title, missing=needs)


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
