"""How much memory and time beliefs from votes in a file take, in memory and part by part.

    python benchmarks/larger_than_memory.py [--votes 30_000_000] [--folder DIR]

Ten rules over items with ids, each speaking about 80% of them; 4 classes. The votes are made anew
(seed 0) in a temporary folder, which is removed. Each way runs in a process of its own; its peak
resident memory is that of the whole process, Python and libraries included. The beliefs of both
ways are compared in the end.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

CLASSES = ["a", "b", "c", "d"]
RULES = 10
AT_ONCE = 1_000_000
WAYS = ("nothing", "memory", "parts")


def make(path: Path, n_votes: int) -> None:
    """Write the votes, a file per million of items, in an order that mixes the items within it."""
    chance = np.random.default_rng(0)
    accuracy = chance.uniform(0.5, 0.9, RULES)
    n_items = n_votes // int(RULES * 0.8)
    path.mkdir()
    for start in range(0, n_items, AT_ONCE):
        item = np.arange(start, min(start + AT_ONCE, n_items))
        truth = chance.integers(0, len(CLASSES), len(item))
        frames = []
        for rule in range(RULES):
            spoke = chance.random(len(item)) < 0.8
            wrong = chance.random(len(item)) > accuracy[rule]
            said = (truth + wrong * chance.integers(1, len(CLASSES), len(item))) % len(CLASSES)
            label = pl.Series(CLASSES).gather(said[spoke])
            frames.append(
                pl.DataFrame({"item": item[spoke], "label": label}).with_columns(
                    source=pl.lit(f"rule_{rule}")
                )
            )
        pl.concat(frames).write_parquet(path / f"{start:012}.parquet")


def run(way: str, votes: Path, output: Path) -> None:
    """Aggregate in one of the ways."""
    from partlabel import DawidSkene, LabelSpace, Votes, aggregate_parquet

    model, labels = DawidSkene(tol=1e-10, max_iter=1000), LabelSpace(CLASSES)
    if way == "memory":
        table = pl.read_parquet(votes / "*.parquet")
        model.fit_aggregate(Votes.from_table(table, labels=labels)).write_parquet(output)
    if way == "parts":
        aggregate_parquet(votes, output, labels, model=model)


def measured(way: str, votes: Path, n_votes: int) -> None:
    """Run a way in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--input", votes, "--votes", str(n_votes)]
    subprocess.run(command, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=30_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--way", choices=["make", *WAYS], help=argparse.SUPPRESS)
    parser.add_argument("--input", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        if given.way == "make":
            make(given.input, given.votes)
            return
        run(given.way, given.input, given.input.parent / f"{given.way}.parquet")
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = used.ru_utime + used.ru_stime
        print(f"{given.way:8} {used.ru_maxrss / 2**20:6.2f} GiB {seconds:7.1f} s of one core")
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        measured("make", folder / "votes", given.votes)  # apart: memory passes on to children
        size = sum(file.stat().st_size for file in (folder / "votes").iterdir()) / 2**20
        print(f"{given.votes:,} votes in {size:,.0f} MiB of Parquet", flush=True)
        for way in WAYS:
            measured(way, folder / "votes", given.votes)
        one, two = (
            pl.scan_parquet(folder / f"{way}.parquet").select("item", "p_a").sort("item").collect()
            for way in WAYS[1:]
        )
        assert one["item"].equals(two["item"])
        print(f"largest difference of a belief: {(one['p_a'] - two['p_a']).abs().max():.1e}")


if __name__ == "__main__":
    main()
