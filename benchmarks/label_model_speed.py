"""Time and memory of label models: beside their peers, and beside a copy of the same bytes.

Votes are synthetic, seed 0: sources are right in 60 to 90% of their votes. "Rules" are ten columns,
each speaking on a fifth of the items; a crowd is cut into five shifts, and one worker of each votes
on an item. Every fit runs in a process of its own, after a small one that compiles. All models make
the same number of iterations (`--iterations`), but for `LabelModel`, whose members stop by
themselves; and only `fit` counts: each gets its own form of the votes beforehand. Medians of
repeats; CPU is that of all threads. Memory is the peak above what was there before the fit, inputs
included there (Linux). "Copy" is reading and writing votes and beliefs once, by one thread; it and
an iteration are in CPU time. A peer that isn't installed is left out; one that needs more than the
limits is said to.

    python benchmarks/label_model_speed.py [--quick] [--iterations 10] [--seconds 300]
    python benchmarks/label_model_speed.py --compile     # seconds to compile each pass
"""

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np

from partlabel import DawidSkene, LabelSpace, Votes
from partlabel.aggregate import GLAD, LabelModel

REPEATS = 5


@dataclass(frozen=True)
class Case:
    """Votes of some size; no `per_item` means rules, which speak on a fifth of the items."""

    n_items: int
    n_sources: int
    n_classes: int
    per_item: int | None = None

    def __str__(self) -> str:
        each = "rules" if self.per_item is None else f"workers, {self.per_item} votes each"
        return f"{self.n_items:,} items, {self.n_sources:,} {each}, {self.n_classes} classes"

    def votes(self) -> Votes:
        """The votes of this size."""
        rng = np.random.default_rng(0)
        labels = LabelSpace([f"class_{k}" for k in range(self.n_classes)])
        truth = rng.integers(0, self.n_classes, self.n_items, dtype=np.int32)
        skill = rng.uniform(0.6, 0.9, self.n_sources)
        like = Votes.from_matrix(np.zeros((1, self.n_sources), dtype=np.int8), labels)
        if self.per_item is None:
            speaks = rng.random((self.n_items, self.n_sources), dtype=np.float32) < 0.2
            item, source = speaks.nonzero()
            counts = speaks.sum(axis=1)
        else:
            first = np.arange(self.per_item + 1) * self.n_sources // self.per_item
            source = rng.integers(first[:-1], first[1:], (self.n_items, self.per_item)).ravel()
            item = np.repeat(np.arange(self.n_items), self.per_item)
            counts = np.full(self.n_items, self.per_item)
        right = rng.random(len(item), dtype=np.float32) < skill[source]
        said = np.where(right, truth[item], rng.integers(0, self.n_classes, len(item)))
        symbol = (source * self.n_classes + said).astype(np.int32)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Votes(indptr, symbol, like.vocabulary, labels)


RULES, CROWD = Case(1_000_000, 10, 4), Case(100_000, 100, 10, per_item=5)
GRID = [
    Case(10_000, 10, 2),
    Case(100_000, 10, 2),
    RULES,
    Case(10_000_000, 10, 2),
    CROWD,
    Case(1_000_000, 100, 2, per_item=5),
    Case(1_000_000, 100, 10, per_item=5),
    Case(1_000_000, 10_000, 10, per_item=5),
    Case(100_000, 10_000, 50, per_item=5),
]
QUICK = [Case(10_000, 10, 2), Case(100_000, 10, 4), Case(10_000, 100, 10, per_item=5)]
PEER_OF = {"crowd-kit DawidSkene": "crowdkit", "Snorkel LabelModel": "snorkel"}


def of_partlabel(votes: Votes, n: int) -> Callable[[], object]:
    return lambda: DawidSkene(max_iter=n, tol=1e-300, accelerate=False).fit(votes)


def of_label_model(votes: Votes, n: int) -> Callable[[], object]:
    del n  # its members stop by themselves
    return lambda: LabelModel().fit_aggregate(votes)


def of_crowdkit(votes: Votes, n: int) -> Callable[[], object]:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene as Peer

    word = votes.vocabulary.meaning[votes.symbol]
    frame = pd.DataFrame({"task": votes.item, "worker": votes.source, "label": word})
    return lambda: Peer(n_iter=n, tol=-np.inf).fit(frame)


def of_snorkel(votes: Votes, n: int) -> Callable[[], object]:
    from snorkel.labeling.model import LabelModel as Peer

    matrix = np.full((votes.n_items, votes.n_sources), -1)
    matrix[votes.item, votes.source] = votes.vocabulary.meaning[votes.symbol]
    peer = Peer(cardinality=len(votes.labels), verbose=False)
    return lambda: peer.fit(matrix, n_epochs=n, progress_bar=False, seed=0)


MODELS = {
    "DawidSkene": of_partlabel,
    "LabelModel, fit_aggregate": of_label_model,
    "crowd-kit DawidSkene": of_crowdkit,
    "Snorkel LabelModel": of_snorkel,
}


def resident(what: str) -> int:
    """Resident memory now (VmRSS) or at its peak (VmHWM), in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median wall and CPU seconds."""
    wall, cpu = [], []
    for _ in range(repeats):
        begun = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - begun[0])
        cpu.append(time.process_time() - begun[1])
    return median(wall), median(cpu)


def copied(votes: Votes) -> float:
    """CPU seconds to read and write votes and beliefs once."""
    beliefs = np.ones((votes.n_items, len(votes.labels)))
    pairs = [(np.empty_like(x), x) for x in (votes.symbol, votes.indptr, beliefs)]
    for to, of in pairs:
        np.copyto(to, of)
    return timed(lambda: [np.copyto(to, of) for to, of in pairs], REPEATS)[1]


def measured(model: str, case: Case, iterations: int, gigabytes: float) -> dict[str, float]:
    """Fit in this process."""
    limit = int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    small = Case(2_000, case.n_sources, case.n_classes, case.per_item).votes()
    MODELS[model](small, 2)()
    votes = case.votes()
    work = MODELS[model](votes, iterations)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = resident("VmRSS")
    wall, cpu = timed(work, 1)
    peak = max(resident("VmHWM") - before, 0)
    repeats = REPEATS if wall < 2 else 1
    if repeats > 1:
        wall, cpu = timed(work, repeats)
    found = {"wall": wall, "cpu": cpu, "peak": peak}
    if model == "DawidSkene":
        more = MODELS[model](votes, iterations + 10)
        both = [(timed(more, 1)[1], timed(work, 1)[1]) for _ in range(repeats)]
        found |= {
            "iteration": median(longer - shorter for longer, shorter in both) / 10,
            "copy": copied(votes),
            "votes": votes.symbol.nbytes + votes.indptr.nbytes,
        }
    return found


def in_its_own_process(
    model: str, case: Case, arguments: argparse.Namespace
) -> dict[str, float] | str:
    """What was measured, or why nothing was."""
    asked = [case.n_items, case.n_sources, case.n_classes, case.per_item]
    command = [sys.executable, __file__, "--one", json.dumps([model, asked])]
    command += ["--iterations", str(arguments.iterations), "--gigabytes", str(arguments.gigabytes)]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=arguments.seconds
        )
    except subprocess.TimeoutExpired:
        return f"more than {arguments.seconds:.0f} s"
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    out_of_memory = "MemoryError" in done.stderr or "allocate" in done.stderr or done.returncode < 0
    return (
        f"more than {arguments.gigabytes:.0f} GB"
        if out_of_memory
        else done.stderr.strip().splitlines()[-1][:60]
    )


def compare(arguments: argparse.Namespace) -> None:
    there = [name for name in MODELS if not arguments.own or name == "DawidSkene"]
    there = [name for name in there if find_spec(PEER_OF.get(name, "partlabel"))]
    print(f"{arguments.iterations} iterations each, {os.cpu_count()} cores\n")
    print("| votes | model | wall s | CPU s | wall ratio | CPU ratio | peak MB |")
    print("|---|---|---:|---:|---:|---:|---:|")
    notes = []
    grid = QUICK if arguments.quick else GRID
    for case in grid if arguments.cases is None else [grid[n - 1] for n in arguments.cases]:
        own = None
        for name in there:
            found = in_its_own_process(name, case, arguments)
            if isinstance(found, str):
                print(f"| {case} | {name} | {found} | | | | |", flush=True)
                continue
            own = own or found
            ratio = f"{found['wall'] / own['wall']:.0f} | {found['cpu'] / own['cpu']:.0f}"
            print(
                f"| {case} | {name} | {found['wall']:.3f} | {found['cpu']:.3f} | {ratio} "
                f"| {found['peak'] / 1e6:.0f} |",
                flush=True,
            )
        if own and "copy" in own:
            notes.append(
                f"| {case} | {1e3 * own['iteration']:.1f} | {1e3 * own['copy']:.1f} "
                f"| {own['iteration'] / own['copy']:.1f} | {own['peak'] / own['votes']:.2f} |"
            )
    print("\n| votes | CPU ms per iteration | CPU ms per copy | ratio | peak, times the votes |")
    print("|---|---:|---:|---:|---:|")
    print("\n".join(notes))


def compile_all() -> dict[str, list[float]]:
    """Use every label model on little, and give the CPU seconds that each pass took to compile."""
    from numba.core import event

    own: dict[str, list[float]] = {}
    open_ones: list[list[float]] = []

    class Listener(event.Listener):
        def on_start(self, event: event.Event) -> None:
            del event
            open_ones.append([time.process_time(), 0.0])

        def on_end(self, event: event.Event) -> None:
            begun, inner = open_ones.pop()
            took = time.process_time() - begun
            function = event.data["dispatcher"].py_func
            ours = function.__module__.startswith("partlabel")
            name = f"{function.__module__}.{function.__name__}" if ours else "parts of numba"
            times, seconds = own.get(name, [0, 0.0])
            own[name] = [times + 1, seconds + took - inner]
            if open_ones:
                open_ones[-1][1] += took

    event.register("numba:compile", Listener())
    crowd, rules = Case(500, 8, 3, per_item=3).votes(), Case(500, 8, 3).votes()
    for votes in (crowd, rules):
        LabelModel().fit_aggregate(votes)
        for inference in ("em", "loo"):
            DawidSkene(inference=inference).fit_aggregate(votes)
    GLAD().fit_aggregate(crowd)
    return own


def report_compiling() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for title in ("first process", "second process"):
            done = subprocess.run(
                [sys.executable, __file__, "--compile-here"],
                env=os.environ | {"NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            total = sum(seconds for _, seconds in found.values())
            print(f"{title}: {total:.1f} s CPU to compile {len(found)} functions")
            for name, (times, seconds) in sorted(found.items(), key=lambda one: -one[1][1]):
                print(f"  {seconds:6.2f} s  {name}" + (f" ({times} times)" if times > 1 else ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small grid")
    parser.add_argument("--own", action="store_true", help="only our DawidSkene")
    parser.add_argument("--cases", type=int, nargs="+", help="only these of the grid, from 1")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=300, help="limit of each process")
    parser.add_argument("--gigabytes", type=float, default=12, help="limit of each process")
    parser.add_argument("--compile", action="store_true", help="seconds to compile each pass")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--compile-here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.compile:
        report_compiling()
    elif arguments.compile_here:
        print(json.dumps(compile_all()))
    elif arguments.one:
        model, case = json.loads(arguments.one)
        with contextlib.redirect_stdout(io.StringIO()):  # a peer may print
            found = measured(model, Case(*case), arguments.iterations, arguments.gigabytes)
        print(json.dumps(found))
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
