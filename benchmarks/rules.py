"""Keyword rules against a Python loop that calls ten functions per row.

Texts are synthetic: ten random words each, into which every rule's keywords are put at the stated
share of rows. Both sides find the same votes, which is checked. The loop runs in the same process,
on a part of the rows, since its time is proportional to them; the two take turns. `apply_rules`
uses all cores and the loop, as Python does, one.

    python benchmarks/rules.py [--rows 1000000] [--loop-rows 50000] [--repeats 5] [--seed 0]
"""

import argparse
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from partlabel.evidence import Votes
from partlabel.labels import LabelSpace
from partlabel.rules import apply_rules, keywords

LABELS = LabelSpace(["ham", "spam"])
WORDS = {
    "share": ("spam", ["check out", "my channel"]),
    "subscribe": ("spam", ["subscribe", "subs"]),
    "link": ("spam", ["http", "www"]),
    "win": ("spam", ["free", "win", "prize"]),
    "follow": ("spam", ["follow me"]),
    "song": ("ham", ["song", "music"]),
    "praise": ("ham", ["love", "great", "awesome"]),
    "views": ("ham", ["million", "views"]),
    "please": ("spam", ["please", "plz"]),
    "money": ("spam", ["earn", "money", "cash"]),
}


def texts(n_rows: int, coverage: float, rng: np.random.Generator) -> pl.DataFrame:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    filler = np.array(["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(5000)])
    table = filler[rng.integers(len(filler), size=(n_rows, 10))].astype("U16")
    for j, (_, words) in enumerate(WORDS.values()):
        rows = np.flatnonzero(rng.random(n_rows) < coverage)
        table[rows, j] = np.array([w.title() for w in words])[
            rng.integers(len(words), size=len(rows))
        ]
    return pl.DataFrame({"text": [" ".join(row) for row in table]})


def loop_function(
    label: int, words: Sequence[str], whole_words: bool
) -> Callable[[dict[str, Any]], int]:
    """The function that one would write: a compiled expression, or `in` on the lower-cased text."""
    if whole_words:
        search = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE).search
        return lambda row: label if search(row["text"]) else -1

    def function(row: dict[str, Any]) -> int:
        text = row["text"].lower()
        return label if any(word in text for word in words) else -1

    return function


def looped(functions: Sequence[Callable[[dict[str, Any]], int]], frame: pl.DataFrame) -> Votes:
    matrix = [[function(row) for function in functions] for row in frame.iter_rows(named=True)]
    return Votes.from_matrix(np.array(matrix), LABELS, abstain=-1, sources=list(WORDS))


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def shown(times: np.ndarray) -> str:
    return f"{np.median(times):.3f} ({times.min():.3f} to {times.max():.3f})"


def compared(frame: pl.DataFrame, n_loop: int, whole_words: bool, repeats: int) -> str:
    """Time both sides, in microseconds per row."""
    part = frame.head(n_loop)
    rules = [
        keywords(label, words, "text", whole_words=whole_words, name=name)
        for name, (label, words) in WORDS.items()
    ]
    functions = [
        loop_function(LABELS.classes.index(label), words, whole_words)
        for label, words in WORDS.values()
    ]
    ours, theirs = apply_rules(rules, part, LABELS), looped(functions, part)
    assert np.array_equal(ours.indptr, theirs.indptr)
    assert np.array_equal(ours.symbol, theirs.symbol)
    times = np.array(
        [
            (
                seconds(lambda: apply_rules(rules, frame, LABELS)) / len(frame) * 1e6,
                seconds(lambda: looped(functions, part)) / n_loop * 1e6,
            )
            for _ in range(repeats)
        ]
    )
    ratio = np.median(times[:, 1]) / np.median(times[:, 0])
    return f"{shown(times[:, 0])} | {shown(times[:, 1])} | {ratio:.0f}x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--loop-rows", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    print(
        f"10 keyword rules, {arguments.rows:,} texts, {pl.thread_pool_size()} threads, seed "
        f"{arguments.seed}; microseconds per row, median (min to max) of {arguments.repeats} runs"
    )
    print("| words | a rule covers | apply_rules | loop of 10 functions | ratio |")
    print("|---|---|---|---|---|")
    for coverage in (0.01, 0.04, 0.16):
        frame = texts(arguments.rows, coverage, rng)
        for whole_words in (True, False):
            row = compared(frame, arguments.loop_rows, whole_words, arguments.repeats)
            kind = "whole" if whole_words else "anywhere"
            print(f"| {kind} | {coverage:.0%} of rows | {row} |", flush=True)


if __name__ == "__main__":
    main()
