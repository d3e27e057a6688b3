"""Every refusal of the command line: one line on stderr, exit code 2, and nothing written."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

TEXT = ("--text", "text")
WIDE = ("--sources", "lf_*")


@pytest.fixture
def folder(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with data.parquet and files that are wrong in some way."""
    assert data.parent == tmp_path
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("item,source,label\n")
    (tmp_path / "broken.parquet").write_text("not Parquet")
    (tmp_path / "broken.jsonl").write_text('{"a": \n')
    (tmp_path / "votes.xlsx").write_text("")
    (tmp_path / "votes.csv").write_text("item,source,label\n1,a,x\n1,b,y\n2,a,y\n")
    (tmp_path / "twice.csv").write_text("item,source,label\n1,a,x\n1,a,y\n")
    (tmp_path / "one.csv").write_text("item,source,label\n1,a,x\n2,a,x\n")
    (tmp_path / "codes.csv").write_text("item,source,label\n1,a,0\n1,b,1\n2,a,-1\n")
    (tmp_path / "gold.csv").write_text("task,truth\n1,x\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    (tmp_path / "tables.toml").write_text("[columns]\ntxt = 'text'\n")
    (tmp_path / "broken.toml").write_text("[columns\n")
    (tmp_path / "kinds.toml").write_text("[model]\nseed = 'one'\n")
    rule = (
        "classes = ['ham', 'spam']\n[columns]\ntext = 'text'\n"
        "[[rules]]\nname = 'r'\nlabel = 'spam'\n"
    )
    (tmp_path / "noway.toml").write_text(rule + "column = 'text'\n")
    (tmp_path / "twoways.toml").write_text(rule + "column = 'text'\nkeywords = 'a'\nregex = 'b'\n")
    (tmp_path / "nocolumn.toml").write_text(rule + "keywords = 'a'\n")
    (tmp_path / "where.toml").write_text(rule + "column = 'texts'\nkeywords = 'a'\n")
    (tmp_path / "regex.toml").write_text(rule + "column = 'text'\nregex = '('\n")
    (tmp_path / "class.toml").write_text(
        rule.replace("['ham', 'spam']", "['ham', 'eggs']") + "column = 'text'\nkeywords = 'a'\n"
    )
    (tmp_path / "table.toml").write_text("[columns]\ntext = 'text'\n[rules]\nname = 'r'\n")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "message"),
    [
        # the command line itself
        ("sourcse votes.csv", "No such command 'sourcse'"),
        ("sources votes.csv --goldd x", "No such option: --goldd"),
        ("aggregate votes.csv", "Missing option '--output'"),
        ("sources votes.csv --model best", "Invalid value for '--model'"),
        # files
        ("sources nowhere.csv", "cannot read 'nowhere.csv': there is no such file"),
        ("sources full/.csv", "'full/.csv' must end in one of .parquet, .csv, .jsonl, .ndjson"),
        ("sources votes.xlsx", "'votes.xlsx' must end in one of .parquet, .csv, .jsonl, .ndjson"),
        ("sources empty.csv", "'empty.csv' must hold a table; it is empty"),
        ("sources header.csv", "'header.csv' must hold at least one row; it has none"),
        ("sources broken.parquet", "'broken.parquet' must be a Parquet file; it can't be read"),
        ("sources broken.jsonl", "'broken.jsonl' must be a JSON Lines file; it can't be read"),
        ("aggregate votes.csv -o out.txt", "'out.txt' must end in one of"),
        ("aggregate votes.csv -o votes.csv", "`--output` must not exist yet; 'votes.csv' does"),
        ("fit data.parquet -o full", "`--output` must be a new or empty folder; 'full' isn't"),
        ("fit data.parquet -o full --force", "--force replaces old runs only; 'full' holds no run"),
        ("fit data.parquet -o votes.csv", "`--output` must name a folder; 'votes.csv' is a file"),
        ("fit data.parquet -o . --force", "must not be the folder that you are in; '.' is"),
        ("fit data.parquet -o .. --force", "must not be the folder that you are in; '..' is"),
        ("demo -o full", "must be a new folder, or hold an earlier demo; 'full' is something"),
        # columns and labels
        ("sources votes.csv --label lable", "got 'lable'. Did you mean 'label'?"),
        ("sources data.parquet", "name these columns with --sources 'PATTERN'"),
        ("sources data.parquet --sources lg_*", "'lg_*' matches none. Known are 'id',"),
        ("sources data.parquet --sources lf_* --gold glod", "`--gold` must name a column of the"),
        ("sources votes.csv --gold label", "`--gold` must name a file with the columns item"),
        ("sources votes.csv --gold gold.csv", "must have a column 'item'; 'gold.csv' has 'task'"),
        ("sources data.parquet --sources lf_* --gold votes.csv", "`--item` must name the items"),
        ("sources votes.csv --classes x,z", "must be one of 'x', 'z'; got 'y'"),
        ("sources votes.csv --classes x", "`classes` must name at least two classes"),
        ("sources one.csv", "The labels must show at least two classes; they show ['x']"),
        ("sources codes.csv", "`--classes` must be given; the labels hold '-1'"),
        ("sources twice.csv", "item 1 and source 'a' stand twice"),
        # settings
        ("fit data.parquet -o run --config no.toml", "cannot read 'no.toml'"),
        ("fit data.parquet -o run --config broken.toml", "'broken.toml' must be TOML; it isn't"),
        ("fit data.parquet -o run --config tables.toml", "unknown key 'txt'. Did you mean 'text'?"),
        ("fit data.parquet -o run --config kinds.toml", "`seed` must be a whole number"),
        ("fit data.parquet -o run --config table.toml", "`rules` must be written as [[rules]]"),
        ("fit data.parquet -o run --config noway.toml", "Rule 'r' must look at its column in one"),
        ("fit data.parquet -o run --config twoways.toml", "got 2 of these in rule 1 of twoways"),
        ("fit data.parquet -o run --config nocolumn.toml", "`column` must be given in rule 1 of"),
        ("fit data.parquet -o run --config where.toml", "got 'texts'. Did you mean 'text'?"),
        ("fit data.parquet -o run --config regex.toml", "`pattern` must be a regular expression"),
        ("fit data.parquet -o run --config class.toml", "'spam'"),
        ("fit data.parquet -o run --seed -1 --text text --gold gold", "`seed` must lie in [0,"),
        ("fit data.parquet -o run --gold gold", "must be told what to learn from"),
        ("fit data.parquet -o run --text text", "must be told what is known about the labels"),
        # the table against the settings
        (
            "fit data.parquet -o run --text txt --gold gold",
            "'txt' matches none. Did you mean 'text'?",
        ),
        ("fit data.parquet -o run --text text --gold golden", "'golden'. Did you mean 'gold'?"),
        ("fit data.parquet -o run --text text --numeric te* --gold gold", "must be of one kind"),
        ("fit data.parquet -o run --numeric text --gold gold", "Column 'text' must hold numbers"),
        ("fit data.parquet -o run --text text --gold gold --item device", "`--item` must differ"),
        ("fit data.parquet -o run --text text --gold gold --item maybe", "must name every row"),
        # runs
        ("predict full data.parquet -o p.csv", "'full' must be a folder written by `fit`"),
        ("predict gone data.parquet -o p.csv", "there is no such folder"),
        ("report full -o votes.csv", "`--output` must end in .html, as it is a page; got 'votes."),
        ("report full", "'full' must be a folder written by `fit`; it holds no run.json"),
    ],
)
def test_refused_in_one_line(partlabel: Callable, folder: Path, line: str, message: str) -> None:
    before = sorted(p.relative_to(folder) for p in folder.rglob("*"))
    ran = partlabel(*line.split())
    said = ran.err.strip().splitlines()
    assert (ran.code, ran.out, len(said)) == (2, "", 1), ran.err
    assert said[0].startswith("partlabel: ")
    assert message in said[0]
    assert sorted(p.relative_to(folder) for p in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit(float("inf")).alias("length"), "Column 'length' must hold finite numbers"),
        (pl.lit("eggs").alias("gold"), "must be one of 'ham', 'spam'; got 'eggs'"),
        (pl.lit("!").alias("text"), "A text column must hold words"),
        (pl.col("gold").alias("id"), "`--item` must name every row"),
    ],
)
def test_refused_values_of_a_table(
    partlabel: Callable, folder: Path, comments: pl.DataFrame, change: pl.Expr, message: str
) -> None:
    comments.with_columns(change).write_parquet("data.parquet")
    ran = partlabel(
        *("fit", "data.parquet", "--item", "id", "--text", "text", "--numeric", "length"),
        *("--sources", "lf_*", "--gold", "gold", "--classes", "ham,spam", "-o", "run"),
    )
    assert ran.code == 2
    assert message in ran.err
    assert not (folder / "run").exists()


@pytest.mark.usefixtures("folder")
def test_missing_columns_are_named(partlabel: Callable, comments: pl.DataFrame) -> None:
    partlabel(
        *("fit", "data.parquet", "--text", "text", "--numeric", "length", "--gold", "gold"),
        *("-o", "run"),
    )
    comments.select("text").write_csv("new.csv")
    ran = partlabel("predict", "run", "new.csv", "-o", "said.csv")
    assert ran.code == 2
    assert "it lacks 'length' (1 of 2)" in ran.err


def test_a_damaged_run_is_refused(partlabel: Callable, folder: Path) -> None:
    partlabel("fit", "data.parquet", "--text", "text", "--gold", "gold", "-o", "run")
    (folder / "run" / "beliefs.parquet").unlink()
    assert "must be there and whole; it isn't" in partlabel("report", "run").err
    (folder / "run" / "run.json").write_text("{}")
    assert "must be written by `fit`; it isn't" in partlabel("report", "run").err
    (folder / "run" / "run.json").write_text("{")
    assert "must be JSON; it is damaged" in partlabel("report", "run").err
