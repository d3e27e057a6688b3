"""`partlabel report`: the page of a run, written anew."""

from pathlib import Path

from partlabel.cli import runs, show
from partlabel.cli.page import write_page
from partlabel.errors import InputError


def report(folder: Path, output: Path | None) -> None:
    """Write the page of a run from its folder."""
    path = folder / runs.PAGE if output is None else output
    if path.is_dir():
        raise InputError(
            f"`--output` must name a file; {str(path)!r} is a folder. Add a file name."
        )
    if path.suffix != ".html":
        raise InputError(f"`--output` must end in .html, as it is a page; got {str(path)!r}.")
    with show.steps(1) as step, step("writing the report"):
        write_page(folder, path)
    show.say(f"Wrote {path}")
