"""What the tests of the command line share: a way to run it, and a small table."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from partlabel.cli import main


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def partlabel(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command line in this process."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def comments() -> pl.DataFrame:
    """Comments by two kinds of people, with two honest rules, a liar, candidates and some gold."""
    chance = np.random.default_rng(0)
    n = 120
    spam = chance.random(n) < 0.5
    words = {
        True: ["subscribe", "channel", "free", "click", "money"],
        False: ["song", "voice", "love", "video", "nice"],
    }
    rows = np.arange(n)

    def vote(accuracy: float, coverage: float) -> list[str | None]:
        right = chance.random(n) < accuracy
        says = np.where(right == spam, "spam", "ham")
        return [str(s) if chance.random() < coverage else None for s in says]

    return pl.DataFrame(
        {
            "id": [f"c{row}" for row in rows],
            "text": [" ".join(chance.choice(words[bool(s)], 4)) for s in spam],
            "length": chance.normal(10 + 4 * spam, 2.0, n).round(2),
            "device": [("phone", "desk")[int(chance.random() < 0.3 + 0.4 * s)] for s in spam],
            "lf_good": vote(0.9, 0.8),
            "lf_fair": vote(0.8, 0.7),
            "lf_liar": vote(0.1, 0.6),
            "maybe": [None if row % 6 else ("spam" if spam[row] else "ham") for row in rows],
            "gold": [("spam" if spam[row] else "ham") if row % 3 == 0 else None for row in rows],
            "truth": ["spam" if s else "ham" for s in spam],
            "noise": chance.random(n),
        }
    )


@pytest.fixture
def data(comments: pl.DataFrame, tmp_path: Path) -> Path:
    """The comments as a Parquet file."""
    path = tmp_path / "data.parquet"
    comments.write_parquet(path)
    return path
