"""`partlabel evaluate`: how good a run's model is, and what each number rests on."""

from pathlib import Path

import polars as pl

from partlabel.cli import show
from partlabel.cli.formats import check_free, write_table
from partlabel.cli.quality import Aside, column_of, read_gold
from partlabel.cli.runs import read_run
from partlabel.errors import InputError
from partlabel.evaluate import Evaluation

N_STEPS = 2


def evaluate(
    folder: Path,
    *,
    gold: Path | None,
    groups: str | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure a run on the rows that it kept out of training."""
    if output is not None:
        check_free(output, force=force)
    with show.steps(N_STEPS) as step:
        with step("reading the run"):
            run = read_run(folder)
            aside = Aside.of(run, None if gold is None else read_gold(gold, run))
            of_group = None if groups is None else column_of(run, groups)
        with step("measuring"):
            found = measured(aside, of_group)
    if output is not None:
        write_table(tidy(found), output)
    if as_json:
        show.write_json({what: _plain(one) for what, one in found.items()})
        return
    assert aside is not None
    show.quality(found)
    show.say(_about(aside))
    if output is not None:
        show.say(f"Wrote {output}")


def measured(aside: Aside | None, of_group: pl.Series | None) -> dict[str, Evaluation]:
    """Measure, or say what would have to be there.

    Raises
    ------
    InputError
        If no row was kept out of training, or nothing is known of those that were.
    """
    if aside is None:
        raise InputError(
            "The run must have kept rows out of training to be measured; it has none. `fit` keeps "
            "some out where it gets 20 gold rows, or 1,000 others."
        )
    found = aside.evaluations(None if of_group is None else of_group.gather(aside.rows))
    if not found:
        raise InputError(
            f"Something must be known of the {len(aside.gold):,} rows that were kept out of "
            "training; nothing is. Label some of the items in checks.parquet, and pass them as "
            "--gold."
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


def _about(aside: Aside) -> str:
    n = len(aside.gold)
    said = f"Measured on {n:,} rows that trained nothing, {aside.n_gold:,} of them with gold."
    if aside.n_unused:
        said += (
            f" {aside.n_unused:,} labels of --gold are about other rows, and are left out: a model "
            "looks better on what it was trained on. Draw rows to label from checks.parquet."
        )
    return said
