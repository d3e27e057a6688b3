"""`partlabel audit`: what the numbers of a run hide."""

from math import isfinite
from pathlib import Path

import polars as pl

from partlabel.cli import show
from partlabel.cli.audits import (
    Audits,
    Needs,
    Subject,
    groups,
    missing_labels,
    rule_copying,
    slices,
    tried,
)
from partlabel.cli.gold import read_gold, some
from partlabel.cli.page import write_page
from partlabel.cli.quality import column_of, ids_of
from partlabel.cli.runs import Run, read_run
from partlabel.errors import InputError
from partlabel.evaluate import GroupAudit, Missingness, RuleCopyingAudit, Slices

N_STEPS = 6
EXAMPLES = 3


def audit(
    folder: Path, *, gold: Path | None, group: str | None, output: Path | None, as_json: bool
) -> None:
    """Audit a run, and write its report with what was found if so wished."""
    if output is not None and output.suffix != ".html":
        raise InputError(f"`--output` must end in .html, as it is a page; got {str(output)!r}.")
    with show.steps(N_STEPS) as step:
        with step("reading the run"):
            run = read_run(folder)
            items, classes = ids_of(run.evidence), run.facts["classes"]
            columns = run.settings.columns
            labels = None if gold is None else read_gold(gold, items, classes, columns)
            of_group = None if group is None else column_of(run, group)
            subject = Subject.of(folder, run, labels, of_group)
        with step("looking at missing labels"):
            missing = tried(missing_labels, subject)
        with step("looking at groups"):
            of_groups = tried(groups, subject)
        with step("looking for slices"):
            of_slices = tried(slices, subject)
        with step("looking for copied rules"):
            copied = tried(rule_copying, subject)
        found = Audits(missing, of_groups, of_slices, copied)
        if output is not None:
            with step("writing the report"):
                write_page(folder, output, found)
    if as_json:
        show.write_json(
            {
                "missingness": found.missingness.to_dict(),
                "groups": found.groups.to_dict(),
                "slices": found.slices.to_dict(),
                "rule_copying": found.rule_copying.to_dict(),
            }
        )
        return
    _show_missingness(found.missingness)
    _show_groups(found.groups)
    _show_slices(found.slices)
    _show_copying(found.rule_copying, run)
    if output is not None:
        show.say(f"Wrote {output}")


def _show_missingness(found: Missingness | Needs) -> None:
    show.heading("Are labelled rows like the others?")
    show.tell(found.sentence)
    if isinstance(found, Needs):
        return
    shares = found.to_polars().filter(
        pl.col("metric") == "prevalence", pl.col("estimator").is_in(["naive", found.best])
    )
    show.table(
        {
            "class": shares["class"].to_list(),
            "by": shares["estimator"].to_list(),
            "share": [_number(v) for v in shares["value"]],
            "interval": _ends(shares, "{:.3f}"),
            "rests on": [
                basis if verdict is None else f"{basis} ({verdict})"
                for basis, verdict in shares.select("basis", "verdict").iter_rows()
            ],
        }
    )
    weights = found.weights
    show.tell(
        f"Weights that make up for it are worth {weights.effective_size:,.0f} rows of "
        f"{found.n_labelled:,}; {weights.clipped:.1%} of them are capped."
    )


def _show_groups(found: GroupAudit | Needs) -> None:
    show.heading("Is anyone served worse?")
    show.tell(found.sentence)
    if isinstance(found, Needs):
        return
    table = found.metrics.filter(pl.col("metric") == "accuracy").sort("value", nulls_last=True)
    show.table(
        {
            "group": [str(name) for name in table["group"]],
            "accuracy": [_number(v) for v in table["value"]],
            "interval": _ends(table, "{:.3f}"),
            "than elsewhere": ["-" if v is None else f"{v:+.3f}" for v in table["difference"]],
            "q": [_number(v) for v in table["q_value"]],
            "gold": [f"{n:,}" for n in table["n"]],
            "rests on": table["basis"].to_list(),
        }
    )


def _show_slices(found: Slices | Needs) -> None:
    show.heading("Where does the model err more?")
    show.tell(found.sentence)
    if isinstance(found, Needs) or len(found.slices) < 2:
        return
    table = found.to_polars()
    show.table(
        {
            "slice": table["slice"].to_list(),
            "items": [f"{n:,}" for n in table["items"]],
            "wrong": [_number(v) for v in table["value"]],
            "interval": _ends(table, "{:.3f}"),
            "elsewhere": [_number(v) for v in table["elsewhere"]],
            "p": [_number(v) for v in table["p_value"]],
            "rests on": table["basis"].to_list(),
        }
    )


def _show_copying(found: RuleCopyingAudit | Needs, run: Run) -> None:
    show.heading("Does the model copy the rules?")
    if isinstance(found, Needs):
        show.tell(found.sentence)
        return
    show.tell(str(found))
    rules, votes = set(found.rules["rule"]), run.evidence.votes
    others = [] if votes is None else [name for name in votes.sources if name not in rules]
    if others:
        show.tell(
            f"Only written rules are looked at; {some(pl.Series(others))} may look at anything, so "
            "that nothing can be said of copying them."
        )
    show.table(
        {
            "probe": found.evidence["probe"].to_list(),
            "value": [_number(v) for v in found.evidence["value"]],
            "interval": _ends(found.evidence, "{:.3f}"),
            "control": [_number(v) for v in found.evidence["control"]],
            "rows": [f"{n:,}" for n in found.evidence["n"]],
        }
    )
    if "text" in found.examples.columns:
        for row in found.examples.head(EXAMPLES).iter_rows(named=True):
            show.tell(
                f"{row['row']}: {row['predicted']} {row['probability']:.2f}, without triggers "
                f"{row['hidden']:.2f}: {row['text']}"
            )


def _number(value: float | None) -> str:
    return f"{value:.3f}" if value is not None and isfinite(value) else "-"


def _ends(table: pl.DataFrame, form: str) -> list[str]:
    return [
        f"{form.format(low)} to {form.format(high)}" if low is not None and isfinite(low) else "-"
        for low, high in table.select("low", "high").iter_rows()
    ]
