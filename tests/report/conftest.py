from typing import Any

import numpy as np
import polars as pl
import pytest

from partlabel.aggregate import MajorityVote
from partlabel.evaluate import evaluate, reliability_diagram
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace
from partlabel.report import Report

NASTY = "<script>alert('x')</script>"


@pytest.fixture(scope="session")
def full() -> dict[str, Any]:
    """Everything that a report can show, with a class, a source and a text that are markup."""
    rng = np.random.default_rng(0)
    labels = LabelSpace([NASTY, "spam", "news"])
    truth = rng.integers(3, size=200)
    right = rng.random((200, 6)) < [0.9, 0.8, 0.8, 0.7, 0.6, 0.1]
    matrix = np.where(right, truth[:, None], (truth[:, None] + rng.integers(1, 3, (200, 6))) % 3)
    matrix[rng.random(matrix.shape) < 0.4] = -1
    matrix[:10] = -1
    sources = ["<b>bold</b>", "2020-01-01", "a" * 80, "rule 4", "rule 5", "liar"]
    votes = Votes.from_matrix(matrix, labels, sources=sources)
    gold = Candidates.from_labels(np.where(np.arange(200) % 2, truth, -1), labels, missing=-1)
    model = MajorityVote().fit(votes)
    beliefs = model.aggregate(votes)
    return {
        "title": "Comments & <i>more</i>",
        "evidence": Evidence(votes=votes, gold=gold),
        "beliefs": beliefs,
        "reliability": model.reliability_,
        "evaluations": {"beliefs": evaluate(beliefs, gold, n_bootstrap=50)},
        "diagrams": {"beliefs": reliability_diagram(beliefs, gold, bins=4)},
        "items": pl.DataFrame({"text": [f"{NASTY} {'word ' * 100}"] * 200, "length": range(200)}),
        "ignored": [("rows without text", 12, "nothing to learn from"), ("columns", 0, "none")],
        "choice": "Votes of several sources.",
        "commands": ["partlabel fit 'a & b.csv' -o run/"],
        "facts": {"seed": "0", "input": "9f" * 40},
    }


@pytest.fixture(scope="session")
def page(full: dict[str, Any]) -> str:
    return Report(**full).html()
