"""What is shown: tables on stdout, messages and progress on stderr, JSON for machines."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import polars as pl
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from partlabel.evaluate import Basis, Estimate, Evaluation, Verdict

Steps = Callable[[str], AbstractContextManager[None]]

TWO_WAYS = (
    "A model that learnt from votes errs partly as they do, so that the truth may lie between the "
    "two. Only gold can tell: label some tens of rows, drawn at random, and pass them as --gold."
)
ACCURACIES = ("accuracy", "corrected_accuracy")
SHOWN = 20
LEGEND = (
    "covers: share of the items that it speaks about. disputed: share of its votes that another "
    "source contradicts. accuracy: estimated from everything that is known, with a 95% interval."
)
TOLD = (
    " told: whether the votes can tell how good it is, and as how many votes on items with known "
    "labels they count."
)
DROPPED = (
    "left alone: items that would have no vote. changed: other items that would be decided "
    "otherwise. shift: how far the belief about its items would move, on average, of 1."
)
ON_GOLD = (
    " on gold: how accuracy there would change, in percentage points with a 95% interval; above 0, "
    "the source does harm."
)
NAMED = 5
STYLES = {
    "trust": "green",
    "use with care": "yellow",
    "worse than chance": "red",
    "says nothing": "dim",
}


KINDS = {
    "gold": "a verified (gold) label",
    "exact": "one candidate is left",
    "partial": "several candidates are left",
    "voted": "only votes of sources",
    "nothing": "nothing",
}
BASES = {Basis.GOLD: None, Basis.GOLD_AND_MODEL: "green", Basis.ASSUMPTION: "yellow"}
METRICS = {"accuracy": "accuracy", "log_loss": "log loss", "ece": "calibration error"}


@contextmanager
def steps(total: int) -> Iterator[Steps]:
    """Give a function that names each step; a bar on a terminal, silence in a pipe.

    Parameters
    ----------
    total : int
        How many steps there will be.
    """
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)

        @contextmanager
        def step(what: str) -> Iterator[None]:
            bar.update(task, description=what)
            yield
            bar.advance(task)

        yield step


def say(message: str) -> None:
    """Say one thing to the user, beside the data."""
    typer.echo(message, err=True)


def tell(message: str) -> None:
    """Give a sentence that belongs to the result."""
    _out().print(message, markup=False, highlight=False, soft_wrap=not _out().is_terminal)


def heading(title: str) -> None:
    """Begin a part of the result."""
    _out().print(f"\n{title}", style="bold", markup=False, highlight=False)


def command(line: str) -> None:
    """Show a command to copy: in one line, however narrow the terminal."""
    _out().print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def write_json(content: dict[str, Any]) -> None:
    """Write a result for machines; what isn't a number (NaN) becomes null."""
    typer.echo(json.dumps(_plain(content), indent=2, ensure_ascii=False))


def reliability(found: pl.DataFrame, *, every: bool = False, others: str) -> None:
    """Show how reliable each source is, the best first; the busiest ones where there are many."""
    busiest = found.sort("votes", descending=True, maintain_order=True)
    shown = busiest if every else busiest.head(SHOWN)
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("source", overflow="fold")
    checked = found["gold_votes"].sum() > 0
    judged = "identifiable" in found.columns
    names = ["votes", "covers", "disputed", "accuracy"]
    names += (["on gold"] if checked else []) + (["told"] if judged else [])
    for name in names:
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("verdict", no_wrap=True)
    for row in shown.sort("accuracy", descending=True, maintain_order=True).iter_rows(named=True):
        grid.add_row(
            Text(row["source"]),  # not a str, in which rich would read [red] as a colour
            f"{row['votes']:,}",
            _percent(row["coverage"]),
            _percent(row["conflict"]),
            f"{_percent(row['accuracy'])} [{_range(row)}]",
            *([_on_gold(row)] if checked else []),
            *([_told(row)] if judged else []),
            row["verdict"],
            style=STYLES.get(row["verdict"]),
        )
    _out().print(grid)
    tell(LEGEND + (TOLD if judged else ""))
    if len(shown) < len(found):
        tell(f"The {SHOWN} sources with the most votes, of {len(found):,}; {others}.")
    if judged:
        _tell_why_not(busiest)


def influence(found: pl.DataFrame, *, every: bool = False, others: str) -> None:
    """Show what dropping each source would change: the harmful first, or the influential ones."""
    heading("What dropping a source would change")
    checked = found["accuracy_change"].is_not_null().any()
    most = pl.col("accuracy_change") if checked else pl.col("changed") + pl.col("left_alone")
    ranked = found.sort(most, "change", descending=True, maintain_order=True)
    shown = ranked if every else ranked.head(SHOWN)
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("without", overflow="fold")
    for name in ("votes", "left alone", "changed", "shift", *(["on gold"] if checked else [])):
        grid.add_column(name, justify="right", no_wrap=True)
    for row in shown.iter_rows(named=True):
        grid.add_row(
            Text(row["source"]),
            *(f"{row[name]:,}" for name in ("votes", "left_alone", "changed")),
            f"{row['change']:.2f}",
            *([_gain(row)] if checked else []),
            style="red" if (row["accuracy_change_low"] or 0) > 0 else None,
        )
    _out().print(grid)
    tell(DROPPED + (ON_GOLD if checked else ""))
    if len(shown) < len(found):
        first = "that do most harm" if checked else "that change most"
        tell(f"The {SHOWN} sources {first}, of {len(found):,}; {others}.")


def evidence(counts: Mapping[str, int]) -> None:
    """Show how many rows are known how well."""
    heading("What is known about the labels")
    grid = Table(box=None, pad_edge=False)
    grid.add_column("")
    grid.add_column("rows", justify="right")
    grid.add_column("share", justify="right")
    total = sum(counts.values())
    for kind, words in KINDS.items():
        if counts[kind]:
            grid.add_row(words, f"{counts[kind]:,}", _percent(counts[kind] / total))
    _out().print(grid)


def evaluations(found: Mapping[str, Evaluation], n: int, of: int) -> None:
    """Show how good predictions are on held-out gold, with intervals."""
    heading("How good it is")
    grid = Table(box=None, pad_edge=False)
    for name in ("", *METRICS.values()):
        grid.add_column(name, justify="right" if name else "left")
    for what, evaluation in found.items():
        grid.add_row(what, *(str(evaluation[name]) for name in METRICS))
    _out().print(grid)
    tell(
        f"Measured on {n:,} of the {of:,} gold rows, drawn at random and kept out of training; "
        "with 95% intervals. model: from the columns alone. label model: from the votes alone. "
        "Lower is better for log loss and calibration error."
    )


def quality(found: Mapping[str, Evaluation]) -> None:
    """Show every metric with its interval, what it rests on, and what gold says of that."""
    for what, one in found.items():
        who, _, how = what.partition(", ")
        heading(f"How good the {who} is{f', {how}' if how else ''}")
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("", "value", f"{one.level:.0%} interval"):
            grid.add_column(name, justify="right" if name else "left", no_wrap=True)
        grid.add_column("rests on", no_wrap=True)
        for name, number in one.estimates.items():
            grid.add_row(
                name.replace("_", " "),
                f"{number.value:.3f}",
                f"{number.low:.3f} to {number.high:.3f}",
                basis(number),
                style=BASES[number.basis],
            )
        _out().print(grid)
        tell(_grounds(one))
        if one.of_group:
            _by_group(one)
    if len({next(iter(one.estimates.values())).assumption for one in found.values()} - {""}) > 1:
        tell(TWO_WAYS)


def basis(number: Estimate) -> Text:
    """Say what a number rests on, and for an assumption whether gold bears it out."""
    said = str(number.basis)
    if number.verdict is not None:
        said += f" ({number.verdict.name.lower()})"
    return Text(said)


def _grounds(one: Evaluation) -> str:
    """What must hold for the numbers to be right."""
    first = next(iter(one.estimates.values()))
    if first.basis is Basis.ASSUMPTION:
        assumed = dict.fromkeys(number.assumption for number in one.estimates.values())
        verdict = first.verdict.value if first.verdict is not None else ""
        return f"Right only if {'; and if '.join(assumed)}. {verdict}"
    said = f"Right if the {one.n_gold:,} gold rows are a random sample of all rows."
    if one.audit is not None:
        corrected = " What they get wrong is taken back out."
        contradicted = one.audit.verdict is Verdict.CONTRADICTED
        verb = "contradicts" if contradicted else "doesn't contradict"
        said += f" Gold {verb} the beliefs.{corrected if contradicted else ''}"
    return said


def _by_group(one: Evaluation) -> None:
    """Show accuracy of each group, the worst first."""
    metric = next(name for name in ACCURACIES if name in one.estimates)
    heading(f"{metric.replace('_', ' ').capitalize()} by group")
    of_group = [(name, metrics.headline[metric]) for name, metrics in one.of_group.items()]
    worst = sorted(of_group, key=lambda pair: pair[1].value)
    table(
        {
            "group": [str(name) for name, _ in worst],
            "value": [f"{number.value:.3f}" for _, number in worst],
            "interval": [f"{number.low:.3f} to {number.high:.3f}" for _, number in worst],
            "rows": [f"{number.n:,}" for _, number in worst],
            "rests on": [str(basis(number)) for _, number in worst],
        }
    )


def table(columns: Mapping[str, list[str]], most: int = SHOWN) -> None:
    """Show a plain table, the first column to the left and the others to the right."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, name in enumerate(columns):
        grid.add_column(name, justify="right" if place else "left", overflow="fold")
    rows = list(zip(*columns.values(), strict=True))
    for row in rows[:most]:
        grid.add_row(*map(Text, row))
    _out().print(grid)
    if len(rows) > most:
        tell(f"The first {most} of {len(rows):,}; --json has them all.")


def verdicts(found: pl.DataFrame) -> str:
    """Say in a sentence how many sources there are of each verdict, and name the harmful ones."""
    counts = {verdict: found.filter(pl.col("verdict") == verdict) for verdict in STYLES}
    said = [
        f"trust {len(counts['trust'])}",
        f"use {len(counts['use with care'])} with care",
    ]
    sentence = f"{', '.join(said).capitalize()}."
    silent = len(counts["says nothing"])
    if silent:
        sentence += f" {silent} {'says' if silent == 1 else 'say'} nothing about the label."
    harmful = counts["worse than chance"]["source"].to_list()
    if harmful:
        more = ", ..." if len(harmful) > 5 else ""
        are = "is" if len(harmful) == 1 else "are"
        sentence += f" {len(harmful)} {are} worse than chance: {', '.join(harmful[:5])}{more}."
    return sentence


def _out() -> Console:
    console = Console(soft_wrap=False)
    # in a pipe there is no width to fit: whole lines are what `grep` wants
    return console if console.is_terminal else Console(width=max(console.width, 120))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _range(row: dict[str, Any]) -> str:
    return f"{row['accuracy_low'] * 100:.0f}-{row['accuracy_high'] * 100:.0f}"


def _told(row: dict[str, Any]) -> str:
    told = row["identifiable"]
    return "-" if told is None else f"{told} ({row['effective_votes']:,.0f})"


def _tell_why_not(busiest: pl.DataFrame) -> None:
    """Say for which sources the votes can't tell how good they are, and why."""
    unclear = busiest.filter((pl.col("identifiable") != "yes") & (pl.col("votes") > 0))
    for (reason,), rows in unclear.group_by("reason", maintain_order=True):
        names = rows["source"].to_list()
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        tell(f"Not told, or hardly: {', '.join(names[:NAMED])}{more}. {reason}")


def _gain(row: dict[str, Any]) -> str:
    low, high = row["accuracy_change_low"], row["accuracy_change_high"]
    return f"{row['accuracy_change'] * 100:+.1f} [{low * 100:+.1f}, {high * 100:+.1f}]"


def _on_gold(row: dict[str, Any]) -> str:
    n = row["gold_votes"]
    return f"{round(row['gold_accuracy'] * n):,} of {n:,}" if n else "-"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
