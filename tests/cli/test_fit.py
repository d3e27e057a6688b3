import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from partlabel.beliefs import Beliefs
from partlabel.cli.runs import read_run

TOML = """
classes = ["ham", "spam"]

[columns]
item = "id"
text = "text"
numeric = ["length"]
categorical = "device"
sources = ["lf_*"]
candidates = "maybe"
gold = "gold"

[[rules]]
name = "asks"
label = "spam"
column = "text"
keywords = ["subscribe", "click"]

[[rules]]
name = "sings"
label = "ham"
column = "text"
regex = "song|voice"

[[rules]]
name = "short"
label = ["ham"]
column = "length"
below = 9

[model]
objective = "expected"
"""

BASIC = ("--text", "text", "--sources", "lf_*", "--objective", "expected")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "partlabel.toml"
    path.write_text(TOML)
    return path


def prints(folder: Path) -> dict[str, str]:
    """A fingerprint of each file, of run.json without its time."""
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    facts = json.loads((folder / "run.json").read_text())
    del facts["time"]
    return found | {"run.json": json.dumps(facts)}


def test_fit_writes_a_whole_run(
    partlabel: Callable, data: Path, config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    ran = partlabel("fit", data, "--config", config, "-o", run)
    assert ran.code == 0, ran.err
    assert {p.name for p in run.iterdir()} == {
        *("model.skops", "run.json", "report.html", "beliefs.parquet", "reliability.parquet"),
        *("evidence.parquet", "items.parquet", "checks.parquet"),
    }
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]  # nothing half-written
    beliefs = pl.read_parquet(run / "beliefs.parquet")
    assert beliefs["item"].to_list() == [f"c{row}" for row in range(120)]
    sources = pl.read_parquet(run / "reliability.parquet")["source"].to_list()
    assert sources == ["lf_good", "lf_fair", "lf_liar", "asks", "sings", "short"]


def test_fit_tells_what_it_found(
    partlabel: Callable, data: Path, config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    out = partlabel("fit", data, "--config", config, "-o", run).out
    assert "a verified (gold) label" in out
    assert "worse than chance: lf_liar." in out
    assert "Ignored columns, which nothing names: truth, noise." in out
    assert "Measured on 20 of the 40 gold rows, drawn at random and kept out of training" in out
    assert out.rstrip().endswith(f"Report: {run / 'report.html'}")


def test_run_json_says_where_the_run_came_from(
    partlabel: Callable, data: Path, config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    printed = partlabel("fit", data, "--config", config, "-o", run, "--seed", 3, "--json").json
    facts = json.loads((run / "run.json").read_text())
    assert printed == facts | {"output": str(run)}
    assert facts["data"]["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert facts["settings"]["model"] == {
        "estimator": "logistic",
        "objective": "expected",
        "seed": 3,
    }
    assert facts["held_out"] == {"n": 20, "of": 40}
    assert facts["metrics"]["model"]["accuracy"]["n"] == 20
    assert set(facts["versions"]) >= {"partlabel", "python", "scikit-learn", "skops"}
    assert facts["command"] == f"partlabel fit {data} --config {config} -o {run} --seed 3"


@pytest.mark.parametrize(
    "estimator", ["logistic", pytest.param("extra-trees", marks=pytest.mark.slow)]
)
def test_the_same_command_gives_the_same_bytes(
    partlabel: Callable, data: Path, config: Path, tmp_path: Path, estimator: str
) -> None:
    run = tmp_path / "run"
    command = ("fit", data, "--config", config, "--estimator", estimator, "-o", run)
    partlabel(*command)
    first = prints(run)
    partlabel(*command, "--force")
    assert prints(run) == first


def test_options_say_the_same_as_toml(partlabel: Callable, data: Path, tmp_path: Path) -> None:
    config = tmp_path / "some.toml"
    config.write_text(
        '[columns]\ntext = ["text"]\nsources = ["lf_*"]\ngold = "gold"\n'
        '[model]\nobjective = "expected"\n'
    )
    partlabel("fit", data, "--config", config, "-o", tmp_path / "toml")
    partlabel("fit", data, *BASIC, "--gold", "gold", "-o", tmp_path / "options")
    one, two = prints(tmp_path / "toml"), prints(tmp_path / "options")
    for name in ("model.skops", "beliefs.parquet", "reliability.parquet", "checks.parquet"):
        assert one[name] == two[name]


def test_options_win_over_toml(
    partlabel: Callable, data: Path, config: Path, tmp_path: Path
) -> None:
    ran = partlabel(
        *("fit", data, "--config", config, "-o", tmp_path / "run", "--json"),
        *("--objective", "hard", "--sources", "lf_good"),
    )
    assert ran.json["objective"] == "hard"
    assert ran.json["settings"]["columns"]["sources"] == ["lf_good"]
    assert ran.json["settings"]["columns"]["candidates"] == "maybe"  # kept


def test_held_out_gold_neither_trains_nor_votes(
    partlabel: Callable, comments: pl.DataFrame, config: Path, tmp_path: Path
) -> None:
    """Turning the held-out labels around changes what is measured, and nothing that is learnt."""
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    comments.write_parquet(first)
    partlabel("fit", first, "--config", config, "-o", tmp_path / "a")
    held = pl.read_parquet(tmp_path / "a" / "checks.parquet")["item"].unique()
    assert len(held) == 20
    turned = pl.when(pl.col("id").is_in(held.to_list())).then(
        pl.col("gold").replace({"ham": "spam", "spam": "ham"})
    )
    # their candidates go, as they would contradict the turned labels
    maybe = pl.when(~pl.col("id").is_in(held.to_list())).then("maybe")
    kept = comments.with_columns(maybe=maybe)
    kept.write_parquet(first)
    kept.with_columns(gold=turned.otherwise("gold")).write_parquet(second)
    for path, name in ((first, "b"), (second, "c")):
        partlabel("fit", path, "--config", config, "-o", tmp_path / name)
    b, c = prints(tmp_path / "b"), prints(tmp_path / "c")
    assert b["model.skops"] == c["model.skops"]
    assert b["reliability.parquet"] == c["reliability.parquet"]
    assert b["checks.parquet"] != c["checks.parquet"]


def test_few_gold_rows_are_all_used(
    partlabel: Callable, comments: pl.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "few.parquet"
    few = pl.when(pl.int_range(pl.len()) < 57).then("gold")  # 19 of them
    comments.with_columns(gold=few).write_parquet(path)
    ran = partlabel("fit", path, *BASIC, "--gold", "gold", "-o", tmp_path / "run")
    assert "Measured on 120 rows, each predicted by a model that was trained without it" in ran.out
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (facts["held_out"], facts["cross_fitted"]) == ({"n": 0, "of": 19}, 120)
    accuracy = facts["metrics"]["model"]["accuracy"]
    assert (accuracy["n"], accuracy["basis"]) == (19, "gold")


def test_a_table_too_small_to_leave_rows_out_is_not_measured(
    partlabel: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "one.parquet"
    pl.DataFrame({"x": [0.0, 1.0, 2.0], "gold": ["a", None, None]}).write_parquet(path)
    told = ("--numeric", "x", "--gold", "gold", "--classes", "a,b")
    ran = partlabel("fit", path, *told, "-o", tmp_path / "run")
    assert ran.code == 0, ran.err
    assert "Not measured: too little is known" in ran.out
    ran = partlabel("evaluate", tmp_path / "run")
    assert (ran.code, ran.out) == (2, "")
    assert "Label 20 rows or more and fit again, or measure it on a table" in ran.err


def test_beliefs_keep_gold_and_candidates(
    partlabel: Callable, data: Path, config: Path, comments: pl.DataFrame, tmp_path: Path
) -> None:
    partlabel("fit", data, "--config", config, "-o", tmp_path / "run")
    beliefs = Beliefs.read_parquet(tmp_path / "run" / "beliefs.parquet")
    said = comments["gold"].fill_null(comments["maybe"])
    known = said.is_not_null().to_numpy()
    assert beliefs.select(known).decide().to_list() == said.drop_nulls().to_list()
    assert beliefs.confidence[known] == pytest.approx(1.0)


def test_a_run_can_be_read_back(
    partlabel: Callable, data: Path, config: Path, comments: pl.DataFrame, tmp_path: Path
) -> None:
    partlabel("fit", data, "--config", config, "-o", tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert run.evidence.counts() == run.facts["evidence"]
    votes = run.evidence.votes
    assert votes is not None
    said = votes.to_polars().filter(pl.col("source") == "lf_good")
    there = comments.with_row_index("row").filter(pl.col("lf_good").is_not_null())
    assert said["label"].to_list() == there["lf_good"].to_list()
    assert said["item"].to_list() == there["row"].to_list()
    assert run.evidence.item_ids is not None
    assert run.evidence.item_ids.tolist() == comments["id"].to_list()


def test_labels_train_but_do_not_measure(partlabel: Callable, data: Path, tmp_path: Path) -> None:
    ran = partlabel(
        *("fit", data, "--text", "text", "--label", "gold", "-o", tmp_path / "run", "--json")
    )
    assert ran.json["evidence"]["exact"] == 40
    assert ran.json["held_out"] == {"n": 0, "of": 0}
    assert not (tmp_path / "run" / "reliability.parquet").exists()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_candidates_come_as_text_or_lists(partlabel: Callable, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data.{ending}"
    frame = pl.DataFrame({"x": np.arange(12.0), "may_be": ["a|b", "b|c", "c", None] * 3})
    if ending == "csv":
        frame.write_csv(path)
    else:
        frame.with_columns(pl.col("may_be").str.split("|")).write_ndjson(path)
    ran = partlabel(
        *("fit", path, "--numeric", "x", "--candidates", "may_be", "-o", tmp_path / "run"),
        *("--objective", "average", "--json"),
    )
    assert ran.json["classes"] == ["a", "b", "c"]
    assert ran.json["evidence"] == {"gold": 0, "exact": 3, "partial": 6, "voted": 0, "nothing": 3}


def test_force_replaces_a_run_and_nothing_else(
    partlabel: Callable, data: Path, tmp_path: Path
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    assert partlabel("fit", data, *BASIC, "-o", run).code == 0
    assert partlabel("fit", data, *BASIC, "-o", run).code == 2
    assert partlabel("fit", data, *BASIC, "-o", run, "--force").code == 0
    other.mkdir()
    (other / "thesis.tex").write_text("precious")
    assert partlabel("fit", data, *BASIC, "-o", other, "--force").code == 2
    assert (other / "thesis.tex").read_text() == "precious"


def test_a_failure_leaves_the_old_run_and_no_rubble(
    partlabel: Callable, data: Path, comments: pl.DataFrame, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    partlabel("fit", data, *BASIC, "-o", run)
    before, files = prints(run), sorted(p.name for p in tmp_path.iterdir())
    comments.with_columns(text=pl.lit("a")).write_parquet(data)  # no word of two letters
    ran = partlabel("fit", data, *BASIC, "-o", run, "--force")
    assert ran.code == 2
    assert prints(run) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == files


def test_rules_from_a_file_go_through_fit_on_real_text(
    partlabel: Callable, shared_data: Path, tmp_path: Path
) -> None:
    """YouTube comments, with rules written here: far better than the 0.52 of always saying ham."""
    source = shared_data / "rules" / "youtube"
    config = tmp_path / "partlabel.toml"
    config.write_text(
        """
        classes = ["HAM", "SPAM"]
        [columns]
        text = "text"
        [model]
        objective = "expected"
        [[rules]]
        name = "asks for clicks"
        label = "SPAM"
        column = "text"
        keywords = ["check out", "subscribe", "my channel", "click", "please"]
        [[rules]]
        name = "link"
        label = "SPAM"
        column = "text"
        regex = "https?://|www\\\\.|\\\\.com"
        [[rules]]
        name = "about the song"
        label = "HAM"
        column = "text"
        keywords = ["song", "love", "music", "voice", "katy", "shakira", "eminem"]
        [[rules]]
        name = "looks back"
        label = "HAM"
        column = "text"
        keywords = ["views", "billion", "years", "2014", "2015"]
        """
    )
    run, said = tmp_path / "run", tmp_path / "said.parquet"
    ran = partlabel("fit", source / "train.parquet", "--config", config, "-o", run)
    assert ran.code == 0, ran.err
    assert "Ignored columns, which nothing names: lf_0," in ran.out
    assert partlabel("predict", run, source / "test.parquet", "-o", said).code == 0
    truth = pl.read_parquet(source / "test.parquet")["label"]
    assert (pl.read_parquet(said)["label"] == truth).mean() > 0.75
