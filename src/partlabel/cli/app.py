"""The commands and their options. Nothing heavy is imported before a command runs."""

# ruff: noqa: PLC0415, D301
# Numpy, polars and scikit-learn wait until a command needs them, so that `partlabel --help` answers
# at once. In a docstring, \b keeps the lines of an example apart.

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from partlabel.cli.evidence import VoteOptions

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class WhichModel(StrEnum):
    """How to weigh the sources."""

    LABEL_MODEL = "label-model"
    DAWID_SKENE = "dawid-skene"
    MAJORITY = "majority"


class Repeats(StrEnum):
    """What to do with a second vote of one source about one item."""

    REFUSE = "refuse"
    FIRST = "first"
    LAST = "last"


class Estimator(StrEnum):
    """What to train."""

    LOGISTIC = "logistic"
    EXTRA_TREES = "extra-trees"


class Objective(StrEnum):
    """How to train; the names are those of `PartialLabelClassifier`."""

    AUTO = "auto"
    EM = "em"
    EXPECTED = "expected"
    HARD = "hard"
    PSEUDO = "pseudo"
    AVERAGE = "average"


VotesFile = Annotated[
    Path, typer.Argument(metavar="VOTES", help="A table: .parquet, .csv or .jsonl.")
]
ItemColumn = Annotated[
    str | None, typer.Option("--item", metavar="NAME", help="Column of item ids.")
]
SourceColumn = Annotated[
    str, typer.Option("--source", metavar="NAME", help="Column that says who speaks.")
]
LabelColumn = Annotated[
    str, typer.Option("--label", metavar="NAME", help="Column of what is said.")
]
SourceColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--sources",
        metavar="PATTERN",
        help="Where each source has a column of its own: these columns, such as 'lf_*'. "
        "May be repeated.",
    ),
]
GoldVotes = Annotated[
    str | None,
    typer.Option(
        "--gold",
        metavar="NAME",
        help="Verified labels: a file with the columns item and label; with --sources also a "
        "column.",
    ),
]
Classes = Annotated[
    str | None,
    typer.Option(
        "--classes", metavar="A,B,...", help="All classes; else those that the labels show."
    ),
]
Abstain = Annotated[
    list[str] | None,
    typer.Option(
        "--abstain",
        metavar="VALUE",
        help="What means 'said nothing', beside an empty field, such as -1. May be repeated.",
    ),
]
WhichLabelModel = Annotated[WhichModel, typer.Option("--model", help="How to weigh the sources.")]
OutputFile = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help="Where to write: .parquet, .csv, .jsonl."),
]
Repeated = Annotated[
    Repeats,
    typer.Option("--repeated", help="What to do where a source speaks twice about an item."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write the result to stdout as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        import partlabel

        typer.echo(f"partlabel {partlabel.__version__}")
        raise typer.Exit


@app.callback()
def partlabel_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Learn from labels that are only partly known.

    \b
    Examples:
      partlabel demo          the built-in example, start to end
      partlabel fit --help    the options of a command, with examples
    """


@app.command("sources")
def sources_command(
    votes: VotesFile,
    item: ItemColumn = None,
    source: SourceColumn = "source",
    label: LabelColumn = "label",
    sources: SourceColumns = None,
    gold: GoldVotes = None,
    classes: Classes = None,
    abstain: Abstain = None,
    repeated: Repeated = Repeats.REFUSE,
    model: WhichLabelModel = WhichModel.LABEL_MODEL,
    dropped: Annotated[
        bool, typer.Option("--influence", help="Show what dropping each source would change.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Show all sources, not only the 20 busiest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which sources of labels to trust, and why.

    Reads one row per vote (columns item, source, label), or one column per source (--sources).

    \b
    Examples:
      partlabel sources votes.csv --item task --source worker --label answer
      partlabel sources rules.parquet --sources 'lf_*' --gold label --influence
    """
    from partlabel.cli import sources as commands

    options = _vote_options(item, source, label, sources, gold, classes, abstain, repeated)
    commands.sources(votes, options, model=model, dropped=dropped, every=every, as_json=as_json)


@app.command("aggregate")
def aggregate_command(
    votes: VotesFile,
    output: OutputFile,
    item: ItemColumn = None,
    source: SourceColumn = "source",
    label: LabelColumn = "label",
    sources: SourceColumns = None,
    gold: GoldVotes = None,
    classes: Classes = None,
    abstain: Abstain = None,
    repeated: Repeated = Repeats.REFUSE,
    model: WhichLabelModel = WhichModel.LABEL_MODEL,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="For more votes than memory holds: a long table in Parquet, part by part.",
        ),
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Turn votes into one belief per item: its label, and how sure that is.

    Reads what `sources` reads. Gold labels, where given, take part as evidence.

    \b
    Examples:
      partlabel aggregate votes.csv -o beliefs.parquet
      partlabel aggregate rules.parquet --sources 'lf_*' --item id -o beliefs.csv
      partlabel aggregate votes/ --stream --model dawid-skene -o beliefs.parquet
    """
    from partlabel.cli import sources as commands

    options = _vote_options(item, source, label, sources, gold, classes, abstain, repeated)
    command = commands.stream if stream else commands.aggregate
    command(votes, options, output=output, model=model, force=force, as_json=as_json)


Run = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `fit` wrote.")]


def _columns(option: str, what: str) -> Any:
    help_text = f"{what} A name, or a pattern such as 'x_*'. May be repeated."
    return typer.Option(option, metavar="NAME", help=help_text)


@app.command("fit")
def fit_command(
    context: typer.Context,
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="One row per item: .parquet, .csv or .jsonl.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="The run: a new folder.")
    ],
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings in TOML; options win over them."),
    ] = None,
    item: ItemColumn = None,
    text: Annotated[list[str] | None, _columns("--text", "Columns of texts to learn from.")] = None,
    numeric: Annotated[
        list[str] | None, _columns("--numeric", "Columns of numbers to learn from.")
    ] = None,
    categorical: Annotated[
        list[str] | None, _columns("--categorical", "Columns of categories to learn from.")
    ] = None,
    sources: Annotated[
        list[str] | None, _columns("--sources", "Columns of what each source says.")
    ] = None,
    candidates: Annotated[
        str | None,
        typer.Option(
            "--candidates", metavar="NAME", help="Column of the classes still possible, as a|b."
        ),
    ] = None,
    gold: Annotated[
        str | None, typer.Option("--gold", metavar="NAME", help="Column of verified labels.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label", metavar="NAME", help="Column of labels to believe, but not to measure with."
        ),
    ] = None,
    classes: Classes = None,
    abstain: Abstain = None,
    estimator: Annotated[
        Estimator | None, typer.Option("--estimator", help="What to train.  [default: logistic]")
    ] = None,
    objective: Annotated[
        Objective | None, typer.Option("--objective", help="How to train.  [default: auto]")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="Draws all that is drawn.  [default: 0]"),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on a table whose labels are only partly known.

    Writes a folder with the model, what is believed about each row, what each source is worth, and
    a report. With 20 gold rows or more, half of them are kept out of training to measure it.

    \b
    Examples:
      partlabel fit data.parquet --config partlabel.toml -o run/
      partlabel fit data.csv --text body --sources 'lf_*' --gold label -o run/
    """
    from partlabel.cli import fit as command

    given = {
        "item": item,
        "text": text,
        "numeric": numeric,
        "categorical": categorical,
        "sources": sources,
        "candidates": candidates,
        "gold": gold,
        "label": label,
        "classes": _split(classes),
        "abstain": abstain,
        "estimator": estimator,
        "objective": objective,
        "seed": seed,
    }
    command.fit(
        data,
        output,
        config=config,
        given=given,
        command=context.obj,
        force=force,
        as_json=as_json,
    )


@app.command("predict")
def predict_command(
    run: Run,
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="New rows: .parquet, .csv or .jsonl.")
    ],
    output: OutputFile,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Predict the classes of new rows with the model of a run.

    \b
    Example:
      partlabel predict run/ new.parquet -o predictions.parquet
    """
    from partlabel.cli import predict as command

    command.predict(run, data, output=output, force=force, as_json=as_json)


GoldFile = Annotated[
    Path | None,
    typer.Option("--gold", metavar="FILE", help="More labels: a table of item and label."),
]
Groups = Annotated[
    str | None,
    typer.Option("--groups", metavar="NAME", help="A column of the table: look at each value."),
]


@app.command("evaluate")
def evaluate_command(
    run: Run,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FILE", help="Other rows, with the columns of `fit`'s table."
        ),
    ] = None,
    gold: GoldFile = None,
    groups: Groups = None,
    cross_fit: Annotated[
        bool,
        typer.Option(
            "--cross-fit",
            help="Use all rows of `fit`: predict each by a model that is trained without it.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write all numbers as a table."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say how good a run's model is, and what each number rests on.

    Looks at rows that the model wasn't trained on: those that `fit` kept out of training, those of
    another table (--data), or all rows, each predicted by a model that is trained without it
    (--cross-fit). Gold and what is believed of the other rows give the narrowest intervals; without
    gold, each number names its assumption.

    \b
    Examples:
      partlabel evaluate run/
      partlabel evaluate run/ --data new.parquet --gold new_gold.csv
      partlabel evaluate run/ --gold gold.parquet --groups device -o metrics.csv
    """
    from partlabel.cli import evaluate as command

    command.evaluate(
        run,
        data=data,
        gold=gold,
        groups=groups,
        cross_fit=cross_fit,
        output=output,
        force=force,
        as_json=as_json,
    )


@app.command("audit")
def audit_command(
    run: Run,
    gold: GoldFile = None,
    groups: Groups = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the report with what is found."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for what the numbers of a run hide.

    Whether labelled rows are like the others, whether a group is served worse, where the model errs
    more, and whether it learnt more than to copy its rules. What can't be looked at says what it
    needs.

    \b
    Examples:
      partlabel audit run/
      partlabel audit run/ --gold gold.parquet --groups device -o audit.html
    """
    from partlabel.cli import audit as command

    command.audit(run, gold=gold, group=groups, output=output, as_json=as_json)


@app.command("report")
def report_command(
    run: Run,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write; else into the run."),
    ] = None,
) -> None:
    """Write the report of a run anew, from what the run folder holds.

    \b
    Example:
      partlabel report run/ -o report.html
    """
    from partlabel.cli import report as command

    command.report(run, output)


@app.command("demo")
def demo_command(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write.")
    ] = Path("partlabel-demo"),
    as_json: AsJson = False,
) -> None:
    """Run the whole flow on built-in data: sources, model, report.

    \b
    Example:
      partlabel demo
    """
    from partlabel.cli import demo as command

    command.demo(output, as_json=as_json)


def _vote_options(
    item: str | None,
    source: str,
    label: str,
    sources: list[str] | None,
    gold: str | None,
    classes: str | None,
    abstain: list[str] | None,
    repeated: Repeats,
) -> "VoteOptions":
    from partlabel.cli.evidence import VoteOptions

    return VoteOptions(
        item=item,
        source=source,
        label=label,
        sources=tuple(sources or ()),
        gold=gold,
        classes=_split(classes),
        abstain=tuple(abstain or ()),
        repeated=repeated.value,
    )


def _split(listed: str | None) -> tuple[str, ...]:
    return () if listed is None else tuple(name.strip() for name in listed.split(","))
