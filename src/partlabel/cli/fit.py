"""`partlabel fit`: from a table to a run folder."""

import hashlib
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

import partlabel
from partlabel.cli import fitting, runs, show
from partlabel.cli.fitting import Fitted, Problem
from partlabel.cli.formats import read_table
from partlabel.cli.model_file import write_model
from partlabel.cli.page import evaluations, write_page
from partlabel.cli.quality import Aside
from partlabel.cli.settings import Settings, read_settings
from partlabel.evaluate import Estimate, Evaluation

PACKAGES = ("numpy", "polars", "scikit-learn", "scipy", "skops")
N_STEPS = 6


def fit(
    path: Path,
    output: Path,
    *,
    config: Path | None,
    given: Mapping[str, Any],
    command: str,
    force: bool,
    as_json: bool,
) -> None:
    """Train a model on a table of which little is known, and write a run."""
    runs.check_free(output, force=force)
    settings = read_settings(config, given)
    with runs.new_run(output) as folder:
        run = write_run(path, folder, settings, command=command)
    if as_json:
        show.write_json({**run.facts, "output": str(output)})
    else:
        show_run(run)
        show.tell(f"\nReport: {output / runs.PAGE}")


def write_run(
    path: Path, folder: Path, settings: Settings, *, command: str, named: Path | None = None
) -> runs.Run:
    """Fill a folder with everything about a run.

    Parameters
    ----------
    path : the table
    folder : where to write; it is there, and empty
    settings : Settings
    command : what the user typed
    named : what to call the table, where that isn't `path`
    """
    started = time.monotonic()
    with show.steps(N_STEPS) as step:
        with step("reading the table"):
            frame = read_table(path)
            problem = fitting.set_up(frame, settings)
        fitted = fitting.fit(problem, settings, step)
        with step("writing the run"):
            write_model(fitted.model, folder / runs.MODEL)
            facts = _facts(named or path, path, frame, settings, problem, fitted, command)
            run = runs.Run(
                facts=facts,
                evidence=problem.evidence,
                items=_shown(frame, problem),
                beliefs=fitted.beliefs,
                reliability=fitted.reliability,
                checks=fitted.checks,
            )
            facts["metrics"] = _metrics(evaluations(run))
            facts["time"] = {
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - started, 1),
            }
            runs.write_parts(folder, run)
        with step("writing the report"):
            write_page(folder, folder / runs.PAGE)
    return run


def show_run(run: runs.Run) -> None:
    """Show what came out."""
    facts = run.facts
    show.evidence(facts["evidence"])
    if run.reliability is not None:
        show.heading("Which sources to trust")
        show.reliability(run.reliability, others="reliability.parquet holds them all")
        show.tell(show.verdicts(run.reliability))
    show.heading("How the model was trained")
    show.tell(f"Objective: {facts['choice']} {facts['ended']}")
    if facts["unused"]:
        show.tell(f"Ignored columns, which nothing names: {', '.join(facts['unused'])}.")
    held_out = facts["held_out"]
    found = evaluations(run)
    if held_out["n"]:
        show.evaluations(found, held_out["n"], held_out["of"])
    elif found:
        show.quality(found)
        aside = Aside.of(run)
        assert aside is not None
        show.tell(aside.sentence)
    else:
        show.tell(
            "Not measured: too little is known to train on when some rows are left out. From "
            f"{fitting.ENOUGH_GOLD} gold rows on, half of them measure the model."
        )


def _facts(
    named: Path,
    path: Path,
    frame: pl.DataFrame,
    settings: Settings,
    problem: Problem,
    fitted: Fitted,
    command: str,
) -> dict[str, Any]:
    features, evidence = problem.features, problem.evidence
    counts = evidence.counts()
    return {
        "versions": {
            "partlabel": partlabel.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "command": command,
        "data": {
            "path": str(named),
            "rows": frame.height,
            "columns": frame.width,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
        "settings": settings.to_dict(),
        "classes": list(evidence.labels.classes),
        "features": {
            "text": features.text,
            "numeric": features.numeric,
            "categorical": features.categorical,
        },
        "unused": problem.unused,
        "evidence": counts,
        "held_out": {"n": int(problem.held_out.sum()), "of": counts["gold"]},
        "others_held_out": int(problem.others.sum()),
        "cross_fitted": len(evidence) if fitted.cross_fitted else 0,
        "objective": fitted.objective,
        "out_of_fold": fitted.out_of_fold,
        "choice": fitted.choice,
        "ended": fitted.ended,
    }


def _metrics(found: Mapping[str, Evaluation]) -> dict[str, Any]:
    return {
        what: {
            name: {
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "n": one.n,
                "basis": one.basis.value,
                **({} if one.verdict is None else _rests(one)),
            }
            for name, one in evaluation.estimates.items()
        }
        for what, evaluation in found.items()
    }


def _rests(one: Estimate) -> dict[str, str]:
    """What a number that isn't measured assumes."""
    assert one.verdict is not None
    return {"assumption": one.assumption, "verdict": one.verdict.name.lower()}


def _shown(frame: pl.DataFrame, problem: Problem) -> pl.DataFrame:
    """A few columns by which a person recognises an item: texts first."""
    names = problem.features.names[: runs.SHOWN_COLUMNS]
    return frame.select(names)
