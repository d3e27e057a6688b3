"""`partlabel demo`: the whole flow on built-in data, with the files of a real project."""

import tomllib
from importlib.resources import files
from pathlib import Path

from partlabel.cli import fit as fitting
from partlabel.cli import runs, show
from partlabel.cli.settings import parse_settings
from partlabel.datasets import breast_cancer
from partlabel.errors import InputError
from partlabel.files import replacing

DATA, NEW, CONFIG, RUN = "data.parquet", "new.parquet", "partlabel.toml", "run"
COMMAND = f"partlabel fit {DATA} --config {CONFIG} -o {RUN}"
ABOUT = (
    "{n:,} tumours are described by {k} measurements each. The laboratory has verified {gold} of "
    "them; for {noted} others a first reader has noted which diagnoses are possible. {rules} rules "
    "of thumb vote. From this, partlabel learns what each tumour is, which rules to trust, and a "
    "model."
)
NEXT = (
    "\nThe folder {folder} holds what you would bring to a project of your own (the data, and the "
    "rules in {config}) and what you get. Change a rule, or predict other tumours:\n"
)


def demo(folder: Path, *, as_json: bool) -> None:
    """Write the example into a folder, fit it there, and show what comes out."""
    text = files("partlabel.cli").joinpath("demo.toml").read_text(encoding="utf-8")
    _check_free(folder, text)
    known, new = breast_cancer()
    settings = parse_settings(tomllib.loads(text), CONFIG)
    if not as_json:
        show.tell(
            ABOUT.format(
                n=len(known),
                k=known.width - 3,
                gold=known["gold"].count(),
                noted=known["candidates"].count(),
                rules=len(settings.rules),
            )
        )
    with replacing(folder) as fresh:
        (fresh / RUN).mkdir(parents=True)
        known.write_parquet(fresh / DATA)
        new.write_parquet(fresh / NEW)
        (fresh / CONFIG).write_text(text, encoding="utf-8")
        run = fitting.write_run(
            fresh / DATA,
            fresh / RUN,
            settings,
            command=COMMAND,
            named=Path(DATA),
        )
    if as_json:
        show.write_json({**run.facts, "output": str(folder)})
        return
    fitting.show_run(run)
    show.tell(NEXT.format(folder=folder, config=CONFIG))
    show.command(f"cd {folder}")
    show.command(f"{COMMAND} --force")
    show.command(f"partlabel predict {RUN} {NEW} -o predictions.csv")
    show.tell(f"\nReport: {folder / RUN / runs.PAGE}")


def _check_free(folder: Path, text: str) -> None:
    """Refuse a folder that holds anything but an earlier demo, as it was."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    config, facts = folder / CONFIG, folder / RUN / runs.FACTS
    if not (config.is_file() and facts.is_file()):
        raise InputError(
            f"`--output` must be a new folder, or hold an earlier demo; {str(folder)!r} is "
            "something else. Name another one with -o."
        )
    own = sorted({one.name for one in folder.iterdir()} - {DATA, NEW, CONFIG, RUN})
    if own:
        raise InputError(
            f"`--output` must hold nothing but an earlier demo; {str(folder)!r} also holds "
            f"{own[0]!r}, which would be lost. Move it, or name another folder with -o."
        )
    if config.read_text(encoding="utf-8") != text:
        raise InputError(
            f"`--output` must not hold a demo that you have changed; {str(config)!r} is. "
            "Fit it with `partlabel fit`, or name another folder with -o."
        )
