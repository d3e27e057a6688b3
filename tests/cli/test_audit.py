"""`partlabel audit`: each part says what it found, or what it needs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

N = 900
TOML = """
[columns]
item = "id"
text = ["text"]
sources = ["lf_*"]
gold = "gold"

[model]
objective = "expected"

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
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spam is labelled more often, and rules see only half of the words that tell the classes."""
    chance = np.random.default_rng(0)
    spam = chance.random(N) < 0.4
    words = {True: ["subscribe", "click", "free", "money"], False: ["song", "voice", "love", "sad"]}
    fill = ["the", "you", "this", "is", "a", "<b>"]
    seen = chance.random(N) < np.where(spam, 0.6, 0.2)
    truth = np.where(spam, "spam", "ham")
    right = chance.random(N) < 0.8
    folder = tmp_path_factory.mktemp("audit")
    pl.DataFrame(
        {
            "id": [f"c{row}" for row in range(N)],
            "text": [" ".join(chance.choice(words[bool(s)] + fill, 6)) for s in spam],
            "device": chance.choice(["phone", "desk"], N),
            "lf_a": [str(t) if r else None for t, r in zip(truth, right, strict=True)],
            "gold": [str(t) if s else None for t, s in zip(truth, seen, strict=True)],
        }
    ).write_parquet(folder / "data.parquet")
    (folder / "partlabel.toml").write_text(TOML)
    return folder


@pytest.fixture
def run(partlabel: Callable, project: Path) -> Path:
    folder = project / "run"
    if not folder.exists():
        ran = partlabel(
            *("fit", project / "data.parquet", "--config", project / "partlabel.toml"),
            *("-o", folder),
        )
        assert ran.code == 0, ran.err
    return folder


def test_each_part_says_what_it_found(partlabel: Callable, run: Path, tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    ran = partlabel("audit", run, "--groups", "device", "-o", page)
    assert ran.code == 0, ran.err
    assert "Are labelled rows like the others?" in ran.out
    assert "is labelled, which is related to" not in ran.out
    assert "items are labelled, which is related to features" in ran.out
    assert "phone" in ran.out
    assert "Does the model copy the rules?" in ran.out
    assert "⟦" in ran.out
    html = page.read_text(encoding="utf-8")
    for section in ("missingness", "groups", "slices", "rule-copying"):
        assert f'<section id="{section}"' in html
    assert "<mark>" in html
    assert (
        "<b>"
        not in html.split('<section id="rule-copying"')[1]
        .split("<article>")[1]
        .split('<p class="belief">')[0]
    )  # what texts hold stays text


def test_json_holds_all_tables(partlabel: Callable, run: Path) -> None:
    found = partlabel("audit", run, "--groups", "device", "--json").json
    assert set(found) == {"missingness", "groups", "slices", "rule_copying"}
    assert {"relations", "estimates", "class_propensity"} <= set(found["missingness"])
    assert {row["group"] for row in found["groups"]["metrics"]} == {"phone", "desk"}
    assert found["rule_copying"]["verdict"] in ("copies", "partly", "generalises", "cant_tell")


def test_each_part_says_what_it_needs(partlabel: Callable, project: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    partlabel("fit", project / "data.parquet", "--text", "text", "--sources", "lf_*", "-o", bare)
    ran = partlabel("audit", bare)
    assert ran.code == 0, ran.err
    assert "It needs gold labels of some rows: name their column when fitting." in ran.out
    assert "It needs a column of groups: --groups NAME." in ran.out
    assert "It needs [[rules]] in the settings of `fit`" in ran.out
    found = partlabel("audit", bare, "--json").json
    assert all(set(one) == {"needs"} for one in found.values())
    partlabel("audit", bare, "-o", tmp_path / "needs.html")
    page = (tmp_path / "needs.html").read_text(encoding="utf-8")
    assert "It needs [[rules]] in the settings of <code>fit</code>" in page


def test_the_page_must_be_html(partlabel: Callable, run: Path) -> None:
    ran = partlabel("audit", run, "-o", "audit.csv")
    assert (ran.code, ran.out) == (2, "")
    assert "`--output` must end in .html, as it is a page; got 'audit.csv'." in ran.err
