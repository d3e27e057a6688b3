"""The reference page and the tutorial say what the commands do, and nothing else."""

import re
import shlex
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from partlabel.cli.app import app
from partlabel.cli.settings import Columns, ModelText, RuleText, parse_settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands


def section(command: str) -> str:
    return re.split(r"\n## ", PAGE.split(f"\n## partlabel {command}\n", 1)[1], maxsplit=1)[0]


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(re.findall(r"^## partlabel (\w+)$", PAGE, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_options_of_the_page_are_those_of_the_command(command: str) -> None:
    documented = set()
    for row in re.findall(r"^\| (`-.*?) \|", section(command), re.MULTILINE):
        documented |= set(re.findall(r"(?<![\w-])--?[a-z-]+", row))
    options = {name for one in COMMANDS[command].params for name in one.opts if name[0] == "-"}
    assert documented == options - {"-h", "--help"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_page_show_the_same_examples(command: str) -> None:
    shown = re.findall(r"^\$ (partlabel .*)$", section(command), re.MULTILINE)
    helped = re.findall(r"^\s+(partlabel .*)$", COMMANDS[command].help, re.MULTILINE)
    assert shown == helped


def test_the_example_of_settings_holds_every_key() -> None:
    content = tomllib.loads(re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1])
    parse_settings(content, "the page")
    assert set(content) == {"classes", "abstain", "columns", "model", "rules"}
    assert set(content["columns"]) == {one.name for one in fields(Columns)}
    assert set(content["model"]) == {one.name for one in fields(ModelText)}
    assert {key for rule in content["rules"] for key in rule} == {f.name for f in fields(RuleText)}
    for kind in (Columns, ModelText, RuleText):
        for one in fields(kind):
            assert re.search(rf"`(\w+)?\.{one.name}`", PAGE), one.name


@pytest.mark.slow
def test_commands_of_the_tutorial_run_and_say_what_it_shows(
    partlabel: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    said = ""
    for line in "\n".join(re.findall(r"```console\n(.*?)```", page, re.DOTALL)).splitlines():
        if line.startswith("$ cd "):
            monkeypatch.chdir(line.removeprefix("$ cd "))
        elif line.startswith("$ "):
            ran = partlabel(*shlex.split(line)[2:])
            assert ran.code == 0, ran.err
            said = ran.out
        elif line != "...":
            assert line in said
