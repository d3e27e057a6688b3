"""`partlabel evaluate`: how good a run's model is, and what each number rests on."""

from pathlib import Path

import polars as pl

from partlabel.cli import show
from partlabel.cli.columns import present
from partlabel.cli.formats import check_free, write_table
from partlabel.cli.gold import read_gold
from partlabel.cli.quality import Aside, Unseen, column_of, ids_of
from partlabel.cli.runs import Run, read_run
from partlabel.cli.unseen import cross_fitted, new_rows
from partlabel.errors import InputError
from partlabel.evaluate import Evaluation

N_STEPS = 3
NOTHING_KEPT = (
    "The run must hold predictions for rows that trained nothing; it has none, as too little is "
    "known to leave some out. Label 20 rows or more and fit again, or measure it on a table with "
    "labels: --data."
)


def evaluate(
    folder: Path,
    *,
    data: Path | None,
    gold: Path | None,
    groups: str | None,
    cross_fit: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure a run on rows that its model wasn't trained on."""
    if output is not None:
        check_free(output, force=force)
    if data is not None and cross_fit:
        raise InputError(
            "--cross-fit is about the table of the run, and --data about another one; got both. "
            "Leave one out."
        )
    with show.steps(N_STEPS) as step:
        with step("reading the run"):
            run = read_run(folder)
        with step("predicting rows that trained nothing"):
            aside, of_group = _aside(folder, run, data, gold, groups, cross_fit)
        with step("measuring"):
            found = measured(aside, of_group)
            kept = Aside.of(run) if aside.unseen is Unseen.NEW and not aside.n_gold else None
            borne_out = "" if kept is None else kept.borne_out()
    if output is not None:
        write_table(tidy(found), output)
    if as_json:
        show.write_json({what: _plain(one) for what, one in found.items()})
        return
    show.quality(found)
    if borne_out:
        show.tell(borne_out)
    show.say(aside.sentence)
    if output is not None:
        show.say(f"Wrote {output}")


def _aside(
    folder: Path,
    run: Run,
    data: Path | None,
    gold: Path | None,
    groups: str | None,
    cross_fit: bool,
) -> tuple[Aside, pl.Series | None]:
    """The rows to measure on, and the group of each."""
    if data is not None:
        aside, table = new_rows(folder, run, data, gold)
        if groups is None:
            return aside, None
        return aside, table[present(table, groups, "--groups")]
    of_group = None if groups is None else column_of(run, groups)
    if cross_fit:
        aside = cross_fitted(run, gold)
    else:
        added = None
        if gold is not None:
            added = read_gold(
                gold, ids_of(run.evidence), run.facts["classes"], run.settings.columns
            )
        kept = Aside.of(run, added)
        if kept is None:
            raise InputError(NOTHING_KEPT)
        aside = kept
        if added is not None and not aside.n_gold:
            raise InputError(f"`--gold` must name rows that trained nothing. {aside.unused}")
    return aside, None if of_group is None else of_group.gather(aside.rows)


def measured(aside: Aside, of_group: pl.Series | None) -> dict[str, Evaluation]:
    """Measure, or say what would have to be there.

    Raises
    ------
    InputError
        If nothing is known of the rows.
    """
    found = aside.evaluations(of_group)
    if not found:
        raise InputError(
            f"Something must be known of the {len(aside.gold):,} rows to measure on; nothing is. "
            "Label some of them, and pass the labels as --gold."
        )
    return found


def tidy(found: dict[str, Evaluation]) -> pl.DataFrame:
    """Give a table, one row per number: of, group, class, metric, and what `to_polars` says."""
    parts = [
        part.select(
            pl.lit(what).alias("of"),
            *(
                (pl.col(name) if name in part.columns else pl.lit(None)).cast(pl.String).alias(name)
                for name in ("group", "class")
            ),
            pl.exclude("group", "class"),
        )
        for what, one in found.items()
        for part in (one.to_polars(), one.by_class(), one.by_group())
        if len(part)
    ]
    return pl.concat(parts, how="diagonal")


def _plain(one: Evaluation) -> dict[str, object]:
    return {
        "n_gold": one.n_gold,
        "n_items": one.n_gold + one.n_skipped,
        "metrics": one.to_polars().to_dicts(),
        "by_class": one.by_class().to_dicts(),
        "by_group": one.by_group().to_dicts(),
        "beliefs": None if one.audit is None else one.audit.verdict.name.lower(),
    }
