import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from partlabel.datasets import breast_cancer


@pytest.mark.slow
def test_demo_runs_the_whole_flow_and_ends_with_the_report(
    partlabel: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = partlabel("demo")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    assert ran.out.rstrip().endswith("Report: partlabel-demo/run/report.html")
    for part in ("What is known about the labels", "Which sources to trust", "How good it is"):
        assert f"\n{part}\n" in ran.out
    assert "1 is worse than chance: asymmetric." in ran.out
    # what it says to do next works, and the model is good on tumours that it never saw
    monkeypatch.chdir("partlabel-demo")
    said = [line.strip() for line in ran.out.splitlines() if line.startswith("  partlabel ")]
    before = Path("run/model.skops").read_bytes()
    for line in said:
        assert partlabel(*line.split()[1:]).code == 0
    assert Path("run/model.skops").read_bytes() == before
    found = pl.read_csv("predictions.csv").join(pl.read_parquet("new.parquet"), on="item")
    assert (found["label"] == found["diagnosis"]).mean() > 0.9


@pytest.mark.slow
def test_demo_replaces_itself_but_not_what_was_changed(partlabel: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    first = partlabel("demo", "-o", folder, "--json").json
    second = partlabel("demo", "-o", folder, "--json").json
    assert {**first, "time": None} == {**second, "time": None}
    assert json.loads((folder / "run" / "run.json").read_text())["time"] == second["time"]
    (folder / "mine.csv").write_text("precious")
    ran = partlabel("demo", "-o", folder)
    assert ran.code == 2
    assert "also holds 'mine.csv', which would be lost" in ran.err
    (folder / "mine.csv").unlink()
    with (folder / "partlabel.toml").open("a") as file:
        file.write("# my own rule\n")
    ran = partlabel("demo", "-o", folder)
    assert ran.code == 2
    assert "must not hold a demo that you have changed" in ran.err
    assert (folder / "partlabel.toml").read_text().endswith("# my own rule\n")


def test_data_has_gold_candidates_and_rows_with_nothing() -> None:
    known, new = breast_cancer(n_gold=10, n_candidates=7, n_new=50, random_state=3)
    assert (len(known), len(new)) == (519, 50)
    assert known["gold"].count() == 10
    assert sorted(known["candidates"].list.len().drop_nulls()) == [1, 1, 1, 2, 2, 2, 2]
    assert not (known["gold"].is_not_null() & known["candidates"].is_not_null()).any()
    assert not set(known["item"]) & set(new["item"])
    assert known.equals(breast_cancer(n_gold=10, n_candidates=7, n_new=50, random_state=3)[0])


def test_candidates_hold_the_truth() -> None:
    known, _ = breast_cancer(n_candidates=400, n_gold=0)
    everything, _ = breast_cancer(n_candidates=0, n_gold=469)
    both = pl.DataFrame({"may_be": known["candidates"], "is": everything["gold"]}).drop_nulls()
    assert len(both) == 400
    assert both.select(pl.col("may_be").list.contains(pl.col("is"))).to_series().all()
