"""The report of a run, made from its folder alone."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from partlabel.cli.audits import Audits, Needs
from partlabel.cli.quality import Aside
from partlabel.cli.runs import Run, read_run
from partlabel.evaluate import Evaluation, ReliabilityDiagram
from partlabel.report import Report

NAMES = {
    "model": "the model on unseen rows",
    "label model": "the label model",
    "model, by the votes alone": "the model by the votes alone",
}


def write_page(folder: Path, path: Path, audits: Audits | None = None) -> None:
    """Write the page of a run, with what its audits found."""
    run = read_run(folder)
    facts = run.facts
    Report(
        title=f"What is known about {Path(facts['data']['path']).name}",
        evidence=run.evidence,
        beliefs=run.beliefs,
        reliability=run.reliability,
        evaluations={NAMES[what]: found for what, found in evaluations(run).items()},
        diagrams={NAMES[what]: found for what, found in _diagrams(run).items()},
        items=run.items,
        **_found(audits),
        needs=_needs(audits),
        ignored=[
            ("columns", len(facts["unused"]), f"nothing names them: {_some(facts['unused'])}")
        ],
        choice=facts["choice"],
        commands=[facts["command"]],
        facts=_reproduction(run),
    ).write(path)


def _found(audits: Audits | None) -> dict[str, Any]:
    return {name: one for name, one in _parts(audits).items() if not isinstance(one, Needs)}


def _needs(audits: Audits | None) -> dict[str, str]:
    return {name: one.sentence for name, one in _parts(audits).items() if isinstance(one, Needs)}


def _parts(audits: Audits | None) -> dict[str, Any]:
    """What each audit found, or needs."""
    return {} if audits is None else {f.name: getattr(audits, f.name) for f in fields(audits)}


def evaluations(run: Run) -> dict[str, Evaluation]:
    """How good the model and the label model are on rows that trained nothing."""
    aside = Aside.of(run)
    return {} if aside is None else aside.evaluations()


def _diagrams(run: Run) -> dict[str, ReliabilityDiagram]:
    aside = Aside.of(run)
    return {} if aside is None else aside.diagrams()


def _reproduction(run: Run) -> dict[str, str]:
    facts = run.facts
    data = facts["data"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return {
        "Data": f"{data['path']}: {data['rows']:,} rows, {data['columns']} columns",
        "SHA-256 of the data": data["sha256"],
        "Versions": versions,
        "Seed": str(facts["settings"]["model"]["seed"]),
        "Held out": _held_out(facts),
    }


def _held_out(facts: dict[str, Any]) -> str:
    """Which rows measured the model."""
    if facts.get("cross_fitted"):
        return "a fifth of the rows at a time: other models, trained without them, were measured"
    n, others = facts["held_out"]["n"], facts.get("others_held_out", 0)
    gold = f"{n:,} of {facts['held_out']['of']:,} gold rows" if n else ""
    rest = f"{others:,} rows without gold" if others else ""
    kept = " and ".join(filter(None, [gold, rest]))
    return f"{kept}, drawn with the seed" if kept else "none"


def _some(names: list[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
