"""`partlabel evaluate`: numbers of a run, each with what it rests on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

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
    rows = partlabel("evaluate", folder, "--json").json["model"]["metrics"]
    assert {(row["basis"], row["verdict"]) for row in rows} == {("assumption", "unverified")}
    assert "unverified" in (folder / "report.html").read_text()


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
    gold = many.filter(pl.col("id").is_in(chosen)).select(item="id", label="truth")
    gold.write_csv(tmp_path / "gold.csv")
    table = tmp_path / "numbers.csv"
    ran = partlabel(
        *("evaluate", folder, "--gold", tmp_path / "gold.csv", "--groups", "device", "-o", table)
    )
    assert ran.code == 0, ran.err
    assert "160 rows that trained nothing, 80 of them with gold. 7 labels of --gold" in ran.err
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
        ("id,label\nc1,ham\n", "The gold file must have a column 'item'"),
        ("item,label\nc1,ham\nc1,spam\n", "must name an item once; 'c1' is there twice."),
        ("item,label\nc1,hamm\n", "must hold classes of the run; got 'hamm'. Did you mean 'ham'?"),
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


def test_what_cannot_be_measured_is_refused(
    partlabel: Callable, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert partlabel("evaluate", run).err.startswith("partlabel: ")
    partlabel("fit", data, *TEXT, *VOTES, "-o", run)
    ran = partlabel("evaluate", run)
    assert (ran.code, ran.out) == (2, "")
    assert "must have kept rows out of training to be measured; it has none" in ran.err
    partlabel("fit", data, *TEXT, *VOTES, "--gold", "gold", "-o", run, "--force")
    assert (
        "must come with votes and 30 gold rows"
        in partlabel("evaluate", run, "--groups", "device").err
    )
    assert "Did you mean 'device'?" in partlabel("evaluate", run, "--groups", "devices").err
    data.unlink()
    assert "isn't at" in partlabel("evaluate", run, "--groups", "noise").err
