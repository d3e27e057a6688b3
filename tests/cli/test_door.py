import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import partlabel as package
from partlabel.cli import door

COMMANDS = ("demo", "sources", "aggregate", "fit", "predict", "report")
HEAVY = ("numpy", "polars", "sklearn", "scipy", "numba", "plotly", "jinja2", "skops")


def test_no_arguments_show_the_help(partlabel: Callable) -> None:
    bare, asked = partlabel(), partlabel("--help")
    assert (bare.code, asked.code) == (0, 0)
    assert bare.out == asked.out
    for command in COMMANDS:
        assert f"\n  {command} " in asked.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(partlabel: Callable, command: str) -> None:
    ran = partlabel(command, "--help")
    assert ran.code == 0
    assert f"    partlabel {command}" in ran.out.split("Example", 1)[1]


def test_version(partlabel: Callable) -> None:
    ran = partlabel("--version")
    assert (ran.code, ran.out) == (0, f"partlabel {package.__version__}\n")


def test_help_waits_for_nothing_heavy() -> None:
    code = (
        "import sys; from partlabel.cli import main; main(['--help']); "
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("Usage: partlabel")
    assert ran.stderr.strip() == "[]"


def test_python_dash_m_is_the_command_and_gives_its_exit_code(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "partlabel", "sources", "gone.csv"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert ran.returncode == 2
    said = "partlabel: cannot read 'gone.csv': there is no such file. Correct the path.\n"
    assert (ran.stdout, ran.stderr) == ("", said)


def test_our_own_fault_is_code_1_and_a_traceback_only_when_asked(
    partlabel: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("item,source,label\n1,a,x\n1,b,y\n")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a\nbug")

    monkeypatch.setattr("partlabel.cli.sources.read_evidence", broken)
    ran = partlabel("sources", path)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert "this is a fault of partlabel, not of yours (RuntimeError: a bug)" in ran.err
    assert "Traceback" in partlabel("sources", path, "--debug").err
    monkeypatch.setenv("PARTLABEL_DEBUG", "1")
    assert "Traceback" in partlabel("sources", path).err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_file_that_may_not_be_written_is_refused(partlabel: Callable, tmp_path: Path) -> None:
    votes, closed = tmp_path / "votes.csv", tmp_path / "closed"
    votes.write_text("item,source,label\n1,a,x\n1,b,y\n")
    closed.mkdir(mode=0o500)
    ran = partlabel("aggregate", votes, "-o", closed / "beliefs.csv")
    assert ran.code == 2
    assert "Permission denied" in ran.err


def test_a_parent_that_is_a_file_is_refused(partlabel: Callable, tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text("item,source,label\n1,a,x\n1,b,y\n")
    ran = partlabel("aggregate", votes, "-o", votes / "beliefs.csv")
    assert ran.code == 2
    assert "cannot use" in ran.err
    assert "votes.csv" in ran.err


def test_an_interrupt_says_that_nothing_was_written(
    partlabel: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("partlabel.cli.demo.breast_cancer", stopped)
    ran = partlabel("demo", "-o", tmp_path / "demo")
    assert (ran.code, ran.err) == (130, "partlabel: stopped; nothing was written.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    rows = "".join(f"{i},{'abc'[j]},{'xy'[i % 2]}\n" for i in range(20) for j in range(3))
    votes.write_text("item,source,label\n" + rows)
    command = f"{sys.executable} -m partlabel sources {votes} | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    door._say_warning("raise\n`max_iter`", UserWarning, "file.py", 1)
    assert capsys.readouterr().err == "partlabel: warning: raise `max_iter`\n"
