"""`partlabel evaluate`: numbers of a run, each with what it rests on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from partlabel.cli.runs import read_run
from partlabel.cli.unseen import new_rows

N = 1600
TEXT = ("--item", "id", "--text", "text", "--objective", "expected")
VOTES = ("--sources", "lf_*")


@pytest.fixture(scope="module")
def many() -> pl.DataFrame:
    """More rows than the comments have, so that some without gold are kept aside."""
    chance = np.random.default_rng(0)
    spam = chance.random(N) < 0.5
    words = {True: ["subscribe", "channel", "free"], False: ["song", "voice", "love"]}
    other = ["the", "you", "this", "is"]

    def vote(accuracy: float) -> list[str | None]:
        right = chance.random(N) < accuracy
        said = np.where(right == spam, "spam", "ham")
        return [str(s) if chance.random() < 0.7 else None for s in said]

    return pl.DataFrame(
        {
            "id": [f"c{row}" for row in range(N)],
            "text": [" ".join(chance.choice(words[bool(s)] + other, 5)) for s in spam],
            "device": chance.choice(["phone", "desk"], N),
            "lf_a": vote(0.85),
            "lf_b": vote(0.8),
            "lf_c": vote(0.75),
            "truth": ["spam" if s else "ham" for s in spam],
        }
    ).with_columns(
        gold=pl.when(pl.int_range(N) < 100).then("truth"),
        maybe=pl.when(pl.int_range(N) % 2 == 0).then("truth").otherwise(pl.lit("ham|spam")),
    )


@pytest.fixture
def fitted(partlabel: Callable, many: pl.DataFrame, tmp_path: Path) -> Callable[..., Path]:
    many.write_parquet(tmp_path / "many.parquet")

    def fit(*more: str) -> Path:
        ran = partlabel("fit", tmp_path / "many.parquet", *TEXT, *more, "-o", tmp_path / "run")
        assert ran.code == 0, ran.err
        return tmp_path / "run"

    return fit


def aside(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "checks.parquet").filter(pl.col("what") == "model")


def test_gold_and_beliefs_measure_together_on_rows_that_trained_nothing(
    partlabel: Callable, fitted: Callable, many: pl.DataFrame
) -> None:
    folder = fitted(*VOTES, "--gold", "gold")
    kept = aside(folder)
    assert (len(kept), kept["gold"].count()) == (50 + 150, 50)
    ran = partlabel("evaluate", folder, "--json")
    assert ran.code == 0, ran.err
    found = pl.DataFrame(ran.json["model"]["metrics"])
    assert set(found["basis"]) == {"gold+model"}
    assert ran.json["model"]["n_items"] == 200
    assert set(ran.json) == {"model", "label model"}
    truth = kept.join(many, left_on="item", right_on="id", maintain_order="left")["truth"]
    right = np.where(kept["p_spam"] > 0.5, "spam", "ham") == truth.to_numpy()
    accuracy = found.row(by_predicate=pl.col("metric") == "accuracy", named=True)
    assert accuracy["low"] <= right.mean() <= accuracy["high"]


def test_rows_kept_aside_train_nothing(
    partlabel: Callable, fitted: Callable, many: pl.DataFrame, tmp_path: Path
) -> None:
    """Their votes may be turned around: model and reliability stay as they are."""
    folder = fitted(*VOTES)
    model, kept = (folder / "model.skops").read_bytes(), aside(folder)["item"].to_list()
    assert len(kept) == 160
    turned = pl.col("lf_a").replace({"ham": "spam", "spam": "ham"})
    changed = many.with_columns(
        lf_a=pl.when(pl.col("id").is_in(kept)).then(turned).otherwise("lf_a")
    )
    changed.write_parquet(tmp_path / "many.parquet")
    partlabel("fit", tmp_path / "many.parquet", *TEXT, *VOTES, "-o", tmp_path / "again")
    assert (tmp_path / "again" / "model.skops").read_bytes() == model


def test_without_gold_every_number_names_its_assumption(
    partlabel: Callable, fitted: Callable
) -> None:
    folder = fitted(*VOTES)
    ran = partlabel("evaluate", folder)
    assert "assumption (unverified)" in ran.out
    assert "Right only if beliefs are right, and the model errs apart from the votes." in ran.out
    found = partlabel("evaluate", folder, "--json").json
    assert set(found) == {"model", "model, by the votes alone"}
    for one in found.values():
        told = {(row["basis"], row["verdict"]) for row in one["metrics"]}
        assert told == {("assumption", "unverified")}
    assert "the truth may lie between the two. Only gold can tell" in ran.out
    assert "unverified" in (folder / "report.html").read_text()


def test_groups_are_told_apart_on_whatever_basis_there_is(
    partlabel: Callable, fitted: Callable
) -> None:
    ran = partlabel("evaluate", fitted(*VOTES), "--groups", "device", "--json")
    rows = ran.json["model"]["by_group"]
    assert {row["group"] for row in rows} == {"phone", "desk"}
    assert {(row["basis"], row["verdict"]) for row in rows} == {("assumption", "unverified")}


def test_covering_rates_come_by_group_too(partlabel: Callable, fitted: Callable) -> None:
    ran = partlabel("evaluate", fitted("--candidates", "maybe"), "--groups", "device")
    assert "Corrected accuracy by group" in ran.out


def test_gold_of_fit_is_asked_about_the_assumption_where_new_rows_have_none(
    partlabel: Callable, fitted: Callable, many: pl.DataFrame, tmp_path: Path
) -> None:
    folder = fitted(*VOTES, "--gold", "gold")
    new = many.tail(300).with_columns(id="n" + pl.col("id")).drop("gold")
    new.write_csv(tmp_path / "new.csv")
    ran = partlabel("evaluate", folder, "--data", tmp_path / "new.csv")
    assert "assumption (unverified)" in ran.out
    assert "On 50 gold rows of `fit`, gold contradicts the same assumption: accuracy 0." in ran.out
    evaluated = partlabel("evaluate", folder, "--json").json["model"]["metrics"][0]
    by_gold = f"{evaluated['value']:.3f} [{evaluated['low']:.3f}, {evaluated['high']:.3f}] by gold"
    assert by_gold in ran.out


def test_candidates_alone_give_covering_rates(partlabel: Callable, fitted: Callable) -> None:
    rows = partlabel("evaluate", fitted("--candidates", "maybe"), "--json").json["model"]
    assert {row["metric"] for row in rows["metrics"]} == {
        *("covering_rate", "approximated_accuracy", "corrected_accuracy"),
    }


def test_more_gold_comes_in_a_file_and_only_rows_kept_aside_count(
    partlabel: Callable, fitted: Callable, many: pl.DataFrame, tmp_path: Path
) -> None:
    folder = fitted(*VOTES)
    kept = aside(folder)["item"].to_list()
    chosen = [*kept[:80], *[name for name in many["id"] if name not in kept][:7]]
    gold = many.filter(pl.col("id").is_in(chosen)).select("id", label="truth")  # as in `fit`
    gold.write_csv(tmp_path / "gold.csv")
    table = tmp_path / "numbers.csv"
    ran = partlabel(
        *("evaluate", folder, "--gold", tmp_path / "gold.csv", "--groups", "device", "-o", table)
    )
    assert ran.code == 0, ran.err
    assert "160 rows that trained nothing; 80 of them with gold. 7 labels of --gold ('" in ran.err
    assert "are left out: the model was trained on these rows" in ran.err
    assert "Accuracy by group" in ran.out
    numbers = pl.read_csv(table)
    assert set(numbers["basis"]) == {"gold+model"}
    assert set(numbers["group"].drop_nulls()) == {"phone", "desk"}
    assert set(numbers["class"].drop_nulls()) == {"ham", "spam"}


def test_little_gold_is_measured_alone(partlabel: Callable, data: Path, tmp_path: Path) -> None:
    partlabel("fit", data, *TEXT, *VOTES, "--gold", "gold", "-o", tmp_path / "run")
    ran = partlabel("evaluate", tmp_path / "run", "--json")
    assert {row["basis"] for row in ran.json["model"]["metrics"]} == {"gold"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\nc1,ham\n", "The gold file must have a column 'item' or 'id'; "),
        ("id,truth\nc1,ham\n", "The gold file must have a column 'label' or 'gold'; "),
        ("item,label\nc1,ham\nc1,spam\n", "must name an item once; 'c1' is there twice."),
        ("item,label\nc1,hamm\n", "got 'hamm' for item 'c1' (1 of 1 labels). Did you mean 'ham'?"),
        ("item,label\n1,ham\n2,ham\n", "items that are there; got 1, 2, and none of these 2 is."),
        ("item,label\nc1,\n", "must hold a label; "),
        ("item,label\nc1,ham|spam\n", "must name one class an item; "),
        ("", "must hold a table; it is empty."),
    ],
)
def test_gold_files_are_checked(
    partlabel: Callable, data: Path, tmp_path: Path, text: str, message: str
) -> None:
    partlabel("fit", data, *TEXT, *VOTES, "--gold", "gold", "-o", tmp_path / "run")
    (tmp_path / "gold.csv").write_text(text)
    ran = partlabel("evaluate", tmp_path / "run", "--gold", tmp_path / "gold.csv")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_gold_about_nothing_but_trained_rows_is_refused(
    partlabel: Callable, fitted: Callable, many: pl.DataFrame, tmp_path: Path
) -> None:
    folder = fitted(*VOTES)
    trained = many.filter(~pl.col("id").is_in(aside(folder)["item"].implode()))
    trained.head(50).select(item="id", label="truth").write_csv(tmp_path / "gold.csv")
    ran = partlabel("evaluate", folder, "--gold", tmp_path / "gold.csv")
    assert (ran.code, ran.out) == (2, "")
    assert "50 labels of --gold ('c0', 'c1', 'c3' and 47 more) are left out" in ran.err


def test_cross_fitting_measures_on_all_gold_with_models_that_did_not_see_it(
    partlabel: Callable, fitted: Callable, tmp_path: Path
) -> None:
    folder = fitted(*VOTES, "--gold", "gold")
    ran = partlabel("evaluate", folder, "--cross-fit", "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["model"]["n_gold"], ran.json["model"]["n_items"]) == (100, N)
    (tmp_path / "many.parquet").unlink()
    ran = partlabel("evaluate", folder, "--cross-fit")
    assert "--cross-fit needs the table that the run was fitted on" in ran.err


def test_cross_fitted_predictions_do_not_know_the_labels_of_their_own_rows(
    partlabel: Callable, tmp_path: Path
) -> None:
    """Labels that are drawn by chance are learnt by heart, but can't be predicted."""
    chance = np.random.default_rng(1)
    table = pl.DataFrame(chance.normal(size=(300, 200)), schema=[f"x{j}" for j in range(200)])
    table = table.with_columns(said=pl.Series(chance.choice(["a", "b"], 300)))
    table.write_parquet(tmp_path / "chance.parquet")
    ran = partlabel(
        *("fit", tmp_path / "chance.parquet", "--numeric", "x*", "--label", "said", "--json"),
        *("-o", tmp_path / "run", "--objective", "expected"),
    )
    assert ran.code == 0, ran.err
    assert ran.json["cross_fitted"] == 300
    assert ran.json["metrics"]["model"]["covering_rate"]["value"] < 0.6


def test_another_table_is_measured_with_what_its_columns_tell(
    partlabel: Callable, fitted: Callable, many: pl.DataFrame, tmp_path: Path
) -> None:
    folder = fitted(*VOTES, "--gold", "gold")
    new = many.with_columns(id="n" + pl.col("id")).drop("gold", "maybe")
    new.head(400).write_parquet(tmp_path / "new.parquet")
    new.head(60).select(item="id", label="truth").write_csv(tmp_path / "gold.csv")
    data = ("evaluate", folder, "--data", tmp_path / "new.parquet")
    gold = ("--gold", tmp_path / "gold.csv")
    ran = partlabel(*data, *gold, "--groups", "device", "--json")
    assert ran.code == 0, ran.err
    found = ran.json["model"]
    assert (found["n_gold"], found["n_items"]) == (60, 400)
    assert {row["basis"] for row in found["metrics"]} == {"gold+model"}
    assert {row["group"] for row in found["by_group"]} == {"phone", "desk"}
    said = partlabel(*data).out
    assert "assumption (unverified)" in said
    new.head(400).drop("lf_a", "lf_b", "lf_c").write_parquet(tmp_path / "new.parquet")
    ran = partlabel(*data)
    assert (ran.code, "nothing is. Label some of them" in ran.err) == (2, True)
    assert {row["basis"] for row in partlabel(*data, *gold, "--json").json["model"]["metrics"]} == {
        "gold"
    }


def test_rows_that_trained_the_model_are_left_out_of_another_table(
    partlabel: Callable, fitted: Callable, many: pl.DataFrame, tmp_path: Path
) -> None:
    folder = fitted(*VOTES)
    kept = aside(folder)["item"]
    fresh = many.tail(100).with_columns(id="n" + pl.col("id"))
    pl.concat([many.filter(pl.col("id").is_in(kept.implode())), many.head(30), fresh]).unique(
        "id"
    ).write_csv(tmp_path / "mixed.csv")
    ran = partlabel("evaluate", folder, "--data", tmp_path / "mixed.csv", "--json")
    trained = len(many.head(30).filter(~pl.col("id").is_in(kept.implode())))
    assert ran.json["model"]["n_items"] == 260
    ran = partlabel("evaluate", folder, "--data", tmp_path / "mixed.csv")
    assert f"{trained} rows of --data ('c" in ran.err
    many.filter(~pl.col("id").is_in(kept.implode())).write_csv(tmp_path / "old.csv")
    assert (
        "`--data` must hold other rows than those of `fit`"
        in partlabel("evaluate", folder, "--data", tmp_path / "old.csv").err
    )


def test_the_label_model_of_another_table_is_that_of_the_run(
    fitted: Callable, many: pl.DataFrame, tmp_path: Path
) -> None:
    """Asked about the rows kept aside, it says what it said in `fit`."""
    folder = fitted(*VOTES, "--gold", "gold")
    said = pl.read_parquet(folder / "checks.parquet").filter(pl.col("what") == "label model")
    many.filter(pl.col("id").is_in(said["item"].implode())).write_csv(tmp_path / "again.csv")
    found, _ = new_rows(folder, read_run(folder), tmp_path / "again.csv", None)
    np.testing.assert_allclose(found.said["label model"].probs[:, 1], said["p_spam"], atol=1e-9)
    kept = aside(folder)
    np.testing.assert_allclose(found.said["model"].probs[:, 1], kept["p_spam"], atol=1e-9)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("--data", "many.parquet"), "`--data` must hold rows that the run wasn't fitted on"),
        (("--data", "nowhere.csv"), "cannot read 'nowhere.csv': there is no such file."),
        (("--data", "few.csv"), "it lacks 'text' (1 of 1)."),
        (("--data", "odd.csv"), "hamm"),
        (("--data", "silent.csv"), "Something must be known of the 50 rows to measure on; nothing"),
        (("--data", "many.parquet", "--cross-fit"), "got both. Leave one out."),
        (("--data", "new.csv", "--groups", "devices"), "Did you mean 'device'?"),
    ],
)
def test_other_tables_are_checked(
    partlabel: Callable,
    fitted: Callable,
    many: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: tuple[str, ...],
    message: str,
) -> None:
    folder = fitted(*VOTES)
    monkeypatch.chdir(tmp_path)
    new = many.head(50).with_columns(id="n" + pl.col("id"))
    new.write_csv("new.csv")
    new.drop("text").write_csv("few.csv")
    silent = {name: pl.lit(None) for name in ("lf_a", "lf_b", "lf_c")}
    new.drop("gold", "maybe").with_columns(**silent).write_csv("silent.csv")
    new.with_columns(lf_a=pl.lit("hamm")).write_csv("odd.csv")
    ran = partlabel("evaluate", folder, *line)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_what_cannot_be_measured_is_refused(
    partlabel: Callable, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert partlabel("evaluate", run).err.startswith("partlabel: ")
    partlabel("fit", data, *TEXT, *VOTES, "--gold", "gold", "-o", run)
    assert "Did you mean 'device'?" in partlabel("evaluate", run, "--groups", "devices").err
    data.unlink()
    assert "isn't at" in partlabel("evaluate", run, "--groups", "noise").err
