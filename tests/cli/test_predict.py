import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from partlabel.cli.model_file import read_model, write_model
from partlabel.errors import InputError


@pytest.fixture
def run(partlabel: Callable, data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    ran = partlabel(
        *("fit", data, "--item", "id", "--text", "text", "--numeric", "length"),
        *("--categorical", "device", "--sources", "lf_*", "--objective", "expected"),
        *("-o", folder),
    )
    assert ran.code == 0, ran.err
    return folder


def test_predict_needs_the_columns_and_nothing_else(
    partlabel: Callable, run: Path, comments: pl.DataFrame, tmp_path: Path
) -> None:
    new, said = tmp_path / "new.csv", tmp_path / "said.jsonl"
    comments.select("device", "text", "length", "id").write_csv(new)
    ran = partlabel("predict", run, new, "-o", said)
    assert ran.code == 0, ran.err
    found = pl.read_ndjson(said)
    assert found["item"].to_list() == comments["id"].to_list()
    assert (found["label"] == comments["truth"]).mean() > 0.9


def test_predictions_are_those_of_the_model_in_the_file(
    partlabel: Callable, run: Path, data: Path, comments: pl.DataFrame, tmp_path: Path
) -> None:
    said = tmp_path / "said.parquet"
    partlabel("predict", run, data, "-o", said)
    model = read_model(run / "model.skops")  # a scikit-learn pipeline of its own
    probs = model.predict_proba(comments.select("text", "length", "device"))
    found = pl.read_parquet(said).select("p_ham", "p_spam").to_numpy()
    np.testing.assert_allclose(found, probs)


def test_unknown_categories_and_gaps_are_no_obstacle(
    partlabel: Callable, run: Path, tmp_path: Path
) -> None:
    new, said = tmp_path / "new.jsonl", tmp_path / "said.csv"
    pl.DataFrame(
        {
            "id": ["a", "b"],
            "text": [None, "unheard of"],
            "length": [None, 3.0],
            "device": ["watch", None],
        }
    ).write_ndjson(new)
    assert partlabel("predict", run, new, "-o", said).code == 0
    assert pl.read_csv(said)["p_spam"].is_between(0, 1).all()


def test_another_scikit_learn_is_refused(
    partlabel: Callable, run: Path, data: Path, tmp_path: Path
) -> None:
    facts = json.loads((run / "run.json").read_text())
    facts["versions"]["scikit-learn"] = "0.18.1"
    (run / "run.json").write_text(json.dumps(facts))
    ran = partlabel("predict", run, data, "-o", tmp_path / "said.csv")
    assert ran.code == 2
    assert "was written with scikit-learn 0.18.1, but" in ran.err
    assert not (tmp_path / "said.csv").exists()


def test_a_model_file_with_other_types_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    write_model(LogisticRegression(), path)
    assert isinstance(read_model(path), LogisticRegression)
    write_model(Path("/etc"), path)
    with pytest.raises(InputError, match=r"types of scikit-learn only; it has pathlib\.PosixPath"):
        read_model(path)


def test_what_is_no_model_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_text("no zip")
    with pytest.raises(InputError, match="must be a model written by `fit`; File is not a zip"):
        read_model(path)


def test_report_is_the_same_page_again(partlabel: Callable, run: Path, tmp_path: Path) -> None:
    page = (run / "report.html").read_bytes()
    assert partlabel("report", run).code == 0
    assert (run / "report.html").read_bytes() == page
    assert partlabel("report", run, "-o", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").read_bytes() == page
    assert b"data.parquet" in page
