"""EM's cost against its floor: the group-by that collapses rows, and a copy of the same bytes.

Rules: 1,000,000 items x 10 rules x 4 classes, 20 iterations, against a polars group-by of the
same matrix. Crowd: 1,000,000 items x 100 workers x 5 votes each x 10 classes, seconds for one
iteration (two fits that differ by ten). Medians of repeats; synthetic votes, seed 0. Peak memory
above what was there before, in a process of its own (Linux).
"""

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from partlabel import DawidSkene, LabelSpace, Votes

REPEATS = 5


def rules(n_items: int) -> np.ndarray:
    """Ten rules, each speaking on a fifth of the items and right in 80% of them."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, n_items, dtype=np.int8)
    said = np.where(
        rng.random((n_items, 10)) < 0.8,
        truth[:, None],
        rng.integers(0, 4, (n_items, 10), dtype=np.int8),
    )
    return np.where(rng.random((n_items, 10)) < 0.2, said, -1).astype(np.int8)


def crowd(n_items: int) -> Votes:
    """Five of a hundred workers for each item, each right in 60 to 90% of the cases."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, n_items)
    worker = np.argsort(rng.random((100_000, 100)), axis=1)[:, :5]
    worker = np.sort(worker[rng.integers(0, 100_000, n_items)], axis=1)
    right = rng.random((n_items, 5)) < rng.uniform(0.6, 0.9, 100)[worker]
    said = np.where(right, truth[:, None], rng.integers(0, 10, (n_items, 5)))
    labels = LabelSpace([str(k) for k in range(10)])
    like = Votes.from_matrix(np.zeros((1, 100), dtype=np.int8), labels)
    symbol = (worker * 10 + said).astype(np.int32).ravel()
    return Votes(np.arange(n_items + 1, dtype=np.int64) * 5, symbol, like.vocabulary, labels)


def seconds(work: Callable[[], object]) -> float:
    """Median time of a few runs, after one that warms up."""
    work()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return median(times)


def iterate(votes: Votes, n: int) -> None:
    """Fit with exactly `n` iterations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        DawidSkene(max_iter=n, tol=1e-300).fit(votes)


def report_rules(n_items: int) -> None:
    matrix = rules(n_items)
    labels = LabelSpace(["a", "b", "c", "d"])
    votes = Votes.from_matrix(matrix, labels)
    frame = pl.DataFrame({f"rule_{j}": matrix[:, j] for j in range(10)})
    floor = seconds(lambda: frame.group_by(pl.all()).len())
    fit = seconds(lambda: iterate(votes, 20))
    distinct = len(frame.unique())
    print(f"rules   {n_items:,} items x 10 rules x 4 classes, {distinct:,} distinct rows")
    print(f"  group-by of the rows       {floor:8.3f} s")
    print(f"  fit, 20 iterations         {fit:8.3f} s   ratio {fit / floor:.1f} (bar: 10)")


def report_crowd(n_items: int) -> None:
    votes = crowd(n_items)
    ten_more = seconds(lambda: iterate(votes, 12)) - seconds(lambda: iterate(votes, 2))
    one = ten_more / 10
    buffers = [votes.symbol, votes.indptr]
    moved = sum(buffer.nbytes for buffer in buffers)
    copied = seconds(lambda: [buffer.copy() for buffer in buffers])
    print(f"crowd   {n_items:,} items x 100 workers x 5 votes x 10 classes")
    print(f"  one iteration              {one:8.3f} s   (bar: 0.15 on 2 cores)")
    print(f"  votes read                 {moved / one / 1e9:8.2f} GB/s")
    print(f"  the same bytes copied      {moved / copied / 1e9:8.2f} GB/s")


def resident(what: str) -> int:
    """Resident memory now (VmRSS) or at its peak (VmHWM), in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def report_memory(kind: str, n_items: int) -> None:
    """Peak above the votes already there, in units of the votes' bytes."""
    votes = (
        crowd(n_items)
        if kind == "crowd"
        else Votes.from_matrix(rules(n_items), LabelSpace(list("abcd")))
    )
    iterate(votes.select(np.arange(1000)), 2)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = resident("VmRSS")
    iterate(votes, 2)
    after = resident("VmHWM")
    size = (votes.symbol.nbytes + votes.indptr.nbytes) / 1024
    times = (after - before) / size
    print(f"  peak memory of fit, {kind:6} {times:8.2f} x the votes, above them (bar: 2)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--memory", choices=["rules", "crowd"])
    arguments = parser.parse_args()
    if arguments.memory:
        report_memory(arguments.memory, arguments.items)
        return
    report_rules(arguments.items)
    report_crowd(arguments.items)
    for kind in ("rules", "crowd"):
        command = [sys.executable, __file__, "--memory", kind, "--items", str(arguments.items)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
