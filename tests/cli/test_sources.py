import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

LONG = pl.DataFrame(
    {
        "item": [item for item in range(30) for _ in range(4)],
        "source": ["ann", "bob", "cat", "liar"] * 30,
        "label": [
            {"liar": "no" if item % 2 else "yes"}.get(who, "yes" if item % 2 else "no")
            for item in range(30)
            for who in ("ann", "bob", "cat", "liar")
        ],
    }
)


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    path = tmp_path / "votes.csv"
    LONG.write_csv(path)
    return path


def test_sources_names_the_liar(partlabel: Callable, votes: Path) -> None:
    ran = partlabel("sources", votes)
    assert ran.code == 0
    assert "4 sources, 120 votes, 30 items." in ran.out
    assert "1 is worse than chance: liar." in ran.out
    assert ran.err == ""  # quiet in a pipe


def test_json_holds_what_the_table_shows(partlabel: Callable, votes: Path) -> None:
    found = partlabel("sources", votes, "--json").json
    assert (found["n_items"], found["n_votes"], found["n_sources"]) == (30, 120, 4)
    verdict = {one["source"]: one["verdict"] for one in found["sources"]}
    assert verdict["liar"] == "worse than chance"
    assert verdict["ann"] == "trust"


def test_it_says_of_which_sources_the_votes_tell_nothing(
    partlabel: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "votes.csv"
    alone = {"item": list(range(30, 45)), "source": ["zoe"] * 15, "label": ["yes"] * 15}
    pl.concat([LONG, pl.DataFrame(alone)]).write_csv(path)
    ran = partlabel("sources", path)
    assert "Not told, or hardly: zoe. No other source speaks about its items." in ran.out
    found = {one["source"]: one for one in partlabel("sources", path, "--json").json["sources"]}
    assert (found["zoe"]["identifiable"], found["ann"]["identifiable"]) == ("no", "yes")
    assert found["zoe"]["effective_votes"] == 0.0


def test_influence_says_what_dropping_a_source_would_change(
    partlabel: Callable, votes: Path, tmp_path: Path
) -> None:
    gold = tmp_path / "gold.csv"
    truth = LONG.filter(source="ann").select("item", "label")
    truth.write_csv(gold)
    one_by_one = ("sources", votes, "--model", "majority", "--influence")
    table = partlabel(*one_by_one, "--gold", gold).out.split("What dropping a source would change")
    assert "on gold" in table[1]
    assert "What dropping" not in partlabel("sources", votes).out
    found = partlabel(*one_by_one, "--json").json["influence"]
    assert [one["source"] for one in found] == ["ann", "bob", "cat", "liar"]
    assert [one["left_alone"] for one in found] == [0] * 4
    assert found[0]["accuracy_change"] is None


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_every_format_gives_the_same_answer(
    partlabel: Callable, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"votes.{ending}"
    {"parquet": LONG.write_parquet, "csv": LONG.write_csv, "jsonl": LONG.write_ndjson}[ending](path)
    found = partlabel("sources", path, "--json").json
    assert [one["votes"] for one in found["sources"]] == [30, 30, 30, 30]


def test_codes_with_nan_for_a_gap_are_read(partlabel: Callable, tmp_path: Path) -> None:
    path = tmp_path / "votes.parquet"
    code = pl.col("label").replace_strict({"no": 0.0, "yes": 1.0})
    gap = pl.when(pl.col("item") == 0).then(float("nan")).otherwise(code)
    LONG.with_columns(label=gap).write_parquet(path)
    found = partlabel("sources", path, "--json").json
    assert found["classes"] == ["0", "1"]
    assert (found["n_items"], found["n_votes"], found["n_without_votes"]) == (30, 116, 1)


def test_columns_may_have_other_names(partlabel: Callable, tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    LONG.rename({"item": "task", "source": "worker", "label": "answer"}).write_csv(path)
    ran = partlabel(
        "sources", path, "--item", "task", "--source", "worker", "--label", "answer", "--json"
    )
    assert ran.json["n_votes"] == 120


def test_long_and_wide_tables_give_the_same_beliefs(
    partlabel: Callable, votes: Path, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.csv"
    LONG.pivot(on="source", index="item", values="label").write_csv(wide)
    partlabel("aggregate", votes, "-o", tmp_path / "long.parquet")
    ran = partlabel(
        *("aggregate", wide, "--item", "item", "-o", tmp_path / "wide.parquet"),
        *("--sources", "ann", "--sources", "[b-z]*"),
    )
    assert ran.code == 0
    long, wide_beliefs = (pl.read_parquet(tmp_path / f"{n}.parquet") for n in ("long", "wide"))
    assert long.equals(wide_beliefs)


def test_codes_and_abstain_as_labelling_functions_have_them(
    partlabel: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "matrix.csv"
    pl.DataFrame({"a": [0, 1, -1, 0], "b": [0, 1, 1, -1], "c": [0, -1, 1, 1]}).write_csv(path)
    found = partlabel("sources", path, "--sources", "*", "--abstain=-1", "--json").json
    assert found["classes"] == ["0", "1"]
    assert found["n_votes"] == 9


def test_gold_counts_only_for_items_with_votes(
    partlabel: Callable, votes: Path, tmp_path: Path
) -> None:
    gold = tmp_path / "gold.csv"
    pl.DataFrame({"item": [0, 1, 99], "label": ["no", "yes", "no"]}).write_csv(gold)
    ran = partlabel("sources", votes, "--gold", gold, "--json")
    assert ran.json["n_gold"] == 2
    assert ran.json["notes"] == ["1 gold label is about an item without votes; it is left out."]
    assert ran.err.strip() == ran.json["notes"][0]


def test_a_gold_column_measures_the_sources(partlabel: Callable, data: Path) -> None:
    ran = partlabel("sources", data, "--sources", "lf_*", "--gold", "gold", "--json")
    found = {one["source"]: one for one in ran.json["sources"]}
    assert ran.json["n_gold"] == 40
    assert found["lf_liar"]["gold_accuracy"] < 0.3
    assert found["lf_good"]["gold_accuracy"] > 0.8


def test_many_sources_are_cut_unless_all_are_wanted(partlabel: Callable, tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    rows = [(i, f"s{j}", "yes" if i % 2 else "no") for i in range(10) for j in range(30)]
    pl.DataFrame(rows, schema=["item", "source", "label"], orient="row").write_csv(path)
    some, every = partlabel("sources", path).out, partlabel("sources", path, "--all").out
    assert "The 20 sources with the most votes, of 30; --all shows them all." in some
    assert sum(line.startswith("s") and line[1].isdigit() for line in every.splitlines()) == 30


def test_names_are_shown_as_they_are(partlabel: Callable, tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    LONG.with_columns(pl.col("source").replace("ann", "[red]ann[/]")).write_csv(path)
    assert "[red]ann[/] " in partlabel("sources", path).out


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_aggregate_keeps_the_items_and_adds_up(
    partlabel: Callable, votes: Path, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / "sub" / f"beliefs.{ending}"
    ran = partlabel("aggregate", votes, "-o", path)
    assert ran.code == 0
    assert ran.out == ""
    assert "Wrote" in ran.err
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}[ending]
    beliefs = read(path)
    assert beliefs["item"].to_list() == list(range(30))
    assert beliefs["label"].to_list() == ["yes" if i % 2 else "no" for i in range(30)]
    assert (beliefs["p_no"] + beliefs["p_yes"]).to_list() == pytest.approx([1.0] * 30)


def test_majority_is_the_plain_share_of_votes(
    partlabel: Callable, votes: Path, tmp_path: Path
) -> None:
    path = tmp_path / "beliefs.parquet"
    partlabel("aggregate", votes, "-o", path, "--model", "majority")
    assert set(pl.read_parquet(path)["confidence"].to_list()) == {0.75}


def test_aggregate_replaces_a_file_only_by_force(
    partlabel: Callable, votes: Path, tmp_path: Path
) -> None:
    path = tmp_path / "beliefs.csv"
    path.write_text("precious")
    assert partlabel("aggregate", votes, "-o", path).code == 2
    assert path.read_text() == "precious"
    assert partlabel("aggregate", votes, "-o", path, "--force").code == 0
    assert path.read_text() != "precious"


def test_aggregate_gives_json_for_machines(
    partlabel: Callable, votes: Path, tmp_path: Path
) -> None:
    ran = partlabel("aggregate", votes, "-o", tmp_path / "b.csv", "--json")
    assert ran.json["labels"] == {"no": 15, "yes": 15}
    assert json.loads(ran.out) == ran.json


@pytest.mark.parametrize("name", ["bluebird", "web"])
def test_a_crowd_goes_through_sources_and_aggregate(
    partlabel: Callable, shared_data: Path, tmp_path: Path, name: str
) -> None:
    votes, gold = (shared_data / "crowd" / name / f"{part}.csv" for part in ("votes", "gold"))
    assert partlabel("sources", votes, "--gold", gold).code == 0
    truth = pl.read_csv(gold).with_columns(pl.col("label").cast(pl.String))
    accuracy = {}
    for model in ("majority", "dawid-skene", "label-model"):
        beliefs = tmp_path / f"{model}.parquet"
        assert partlabel("aggregate", votes, "--model", model, "-o", beliefs).code == 0
        both = pl.read_parquet(beliefs).join(truth, on="item", suffix="_gold")
        accuracy[model] = (both["label"] == both["label_gold"]).mean()
    assert accuracy["dawid-skene"] > accuracy["majority"] > 0.7
    assert accuracy["label-model"] >= accuracy["dawid-skene"]


def test_a_second_vote_is_refused_or_kept_as_the_user_says(
    partlabel: Callable, tmp_path: Path
) -> None:
    table = tmp_path / "votes.csv"
    table.write_text("item,source,label\n1,x,a\n1,x,b\n2,y,a\n")
    assert partlabel("sources", table).code == 2
    ran = partlabel("sources", table, "--repeated", "last", "--json")
    assert (ran.code, ran.json["n_votes"]) == (0, 2)


def test_a_class_that_only_gold_names_is_pointed_out(partlabel: Callable, tmp_path: Path) -> None:
    table, gold = tmp_path / "votes.csv", tmp_path / "gold.csv"
    table.write_text("item,source,label\n1,x,ham\n2,x,spam\n2,y,spam\n1,y,ham\n")
    gold.write_text("item,label\n1,ham\n2,spma\n")
    ran = partlabel("sources", table, "--gold", gold, "--json")
    assert ran.code == 0
    (note,) = ran.json["notes"]
    assert note.startswith("No source ever says 'spma'; 1 gold label does. If it is a typo")
    assert partlabel("sources", table, "--gold", gold, "--classes", "ham,spam").code == 2


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("gold", [False, True])
def test_stream_gives_the_beliefs_that_memory_gives(
    partlabel: Callable, tmp_path: Path, folder: bool, gold: bool
) -> None:
    votes = tmp_path / "votes.parquet"
    code = pl.col("label").replace_strict({"no": 2, "yes": 10})
    table = LONG.with_columns(label=pl.when(pl.col("item") == 0).then(-1).otherwise(code))
    table.write_parquet(votes)
    if folder:
        (tmp_path / "votes").mkdir()
        table[:50].write_parquet(tmp_path / "votes" / "one.parquet")
        table[50:].write_parquet(tmp_path / "votes" / "two.parquet")
    pl.DataFrame({"item": [0, 1, 99], "label": [2, 10, 2]}).write_csv(tmp_path / "gold.csv")
    options = ["--abstain=-1", "--model", "dawid-skene", "--json"]
    options += ["--gold", tmp_path / "gold.csv"] if gold else []
    ran = partlabel("aggregate", votes, "-o", tmp_path / "memory.parquet", *options)
    streamed = partlabel(
        *("aggregate", tmp_path / "votes" if folder else votes, "--stream", *options),
        *("-o", tmp_path / "stream.parquet"),
    )
    assert (ran.code, streamed.code) == (0, 0)
    for name in ("model", "classes", "n_items", "n_sources", "labels"):
        assert streamed.json[name] == ran.json[name]
    one, two = (pl.read_parquet(tmp_path / f"{n}.parquet") for n in ("memory", "stream"))
    assert one["label"].equals(two.sort("item")["label"])
    assert two.sort("item")["p_2"].to_list() == pytest.approx(one["p_2"].to_list(), abs=1e-5)


def test_stream_says_what_it_wrote(partlabel: Callable, tmp_path: Path) -> None:
    LONG.write_parquet(tmp_path / "votes.parquet")
    out = tmp_path / "beliefs.parquet"
    ran = partlabel("aggregate", tmp_path / "votes.parquet", "--stream", "-o", out)
    assert ran.out == ""
    assert "4 sources, 30 items." in ran.err
    assert "no: 15, yes: 15. For 100% of the items" in ran.err


def test_stream_refuses_what_it_cannot_read_in_parts(
    partlabel: Callable, votes: Path, tmp_path: Path
) -> None:
    parquet = tmp_path / "votes.parquet"
    LONG.write_parquet(parquet)
    for arguments, message in (
        ([votes, "-o", "b.parquet"], "`VOTES` must be Parquet with --stream; got"),
        ([parquet, "-o", "b.csv"], "`--output` must be Parquet with --stream; got 'b.csv'"),
        ([parquet, "-o", "b.parquet", "--sources", "x*"], "`--stream` must have one row per vote"),
        ([parquet, "-o", "b.parquet", "--item", "it"], "`--item` must name a column of the table"),
        (["no.parquet", "-o", "b.parquet"], "cannot read 'no.parquet': there is no such file"),
    ):
        ran = partlabel("aggregate", *arguments, "--stream")
        assert ran.code == 2
        assert message in ran.err


def test_a_column_of_texts_is_no_source(partlabel: Callable, tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    rows = "\n".join(f"a text number {i},{i % 2}" for i in range(300))
    path.write_text(f"text,rule\n{rows}\n")
    ran = partlabel("sources", path, "--sources", "*")
    assert ran.code == 2
    assert "'text' holds 300 values in 300 rows, as texts or ids do" in ran.err
