"""The door: runs a command line and turns whatever happens into an exit code and one line.

0 is done, 2 is refused input with one line that says what to do, 1 is our own fault.
"""

import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import TextIO

import typer

from partlabel.cli.app import app

DONE, FAULT, REFUSED, STOPPED = 0, 1, 2, 130
NO_RESULT = ("--force", "--json", "--debug")  # a run says what it came from without these
UsageError = typer.BadParameter.__base__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``partlabel`` with these arguments, or those of the process; give the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or bool(os.environ.get("PARTLABEL_DEBUG"))
    command = typer.main.get_command(app)
    with warnings.catch_warnings():
        warnings.showwarning = _say_warning
        try:
            ended = command.main(
                args=[one for one in given if one != "--debug"] or ["--help"],
                obj=shlex.join(["partlabel", *(one for one in given if one not in NO_RESULT)]),
                prog_name="partlabel",
                standalone_mode=False,
            )
            sys.stdout.flush()
        except (BrokenPipeError, SystemExit):
            # whoever read us, such as `head`, has seen enough; typer and rich exit by themselves
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE
        except (KeyboardInterrupt, typer.Abort):
            ended = STOPPED
        except Exception as problem:  # noqa: BLE001 - the outermost place: every error becomes one line
            if debug:
                traceback.print_exc()
            return _say(*_verdict(problem))
    if ended == STOPPED:  # typer turns an interrupt into this code
        return _say("stopped; nothing was written.", STOPPED)
    return ended if isinstance(ended, int) else DONE


def _verdict(problem: Exception) -> tuple[str, int]:
    """What to say about an error, and with which code to end."""
    # typer brings its own click, and leaves this class without a type
    if isinstance(problem, UsageError):  # type: ignore[arg-type]
        context = getattr(problem, "ctx", None)
        where = context.command_path if context is not None else "partlabel"
        said = problem.format_message().rstrip(".")  # type: ignore[attr-defined]
        return f"{said}. See `{where} --help`.", REFUSED
    if isinstance(problem, ValueError) and _is_refusal(problem):
        return str(problem), REFUSED
    if isinstance(problem, OSError):
        place = f" {problem.filename!r}" if problem.filename is not None else ""
        return f"cannot use{place}: {problem.strerror or problem}.", REFUSED
    said = f"{type(problem).__name__}: {problem}"
    return f"this is a fault of partlabel, not of yours ({said}). Add --debug for details.", FAULT


def _is_refusal(problem: ValueError) -> bool:
    from partlabel.errors import InputError  # noqa: PLC0415 - numpy, which --help must not wait for

    return isinstance(problem, InputError)


def _say(message: str, code: int) -> int:
    typer.echo(f"partlabel: {' '.join(message.split())}", err=True)
    return code


def _say_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001 - the signature is Python's
    filename: str,  # noqa: ARG001 - as above
    lineno: int,  # noqa: ARG001 - as above
    file: TextIO | None = None,  # noqa: ARG001 - as above
    line: str | None = None,  # noqa: ARG001 - as above
) -> None:
    _say(f"warning: {message}", DONE)
