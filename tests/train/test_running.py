"""RunningBeliefs: one belief per row, whoever updates it, wherever it is kept."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from partlabel import Beliefs, InputError
from partlabel.train import RunningBeliefs

from .conftest import LABELS


def start(n: int = 6, *, ids: object = None) -> Beliefs:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), n)
    return Beliefs(probs, LABELS, None if ids is None else np.asarray(ids))


def some(n: int, seed: int = 1) -> torch.Tensor:
    return torch.softmax(torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)), 1)


def test_an_update_is_the_moving_average_and_leaves_other_rows() -> None:
    running, new = RunningBeliefs(start(), momentum=0.7), some(2)
    before = running.probs.clone()
    moved = running.update(torch.tensor([4, 1]), new)
    assert torch.allclose(moved, 0.7 * before[[4, 1]] + 0.3 * new)
    assert torch.equal(running[torch.tensor([4, 1])], moved)
    assert torch.equal(running.probs[[0, 2, 3, 5]], before[[0, 2, 3, 5]])
    assert torch.allclose(running.probs.sum(1), torch.ones(6))


def test_without_momentum_the_belief_is_what_was_said_last() -> None:
    running, new = RunningBeliefs(start()), some(6)
    running.update(torch.arange(6), new)
    assert torch.equal(running.probs, new)


def test_no_gradient_is_kept() -> None:
    new = some(1).requires_grad_()
    assert not RunningBeliefs(start(), momentum=0.5).update(torch.tensor([0]), new).requires_grad


def test_rows_are_found_by_id_and_exported_with_it() -> None:
    running = RunningBeliefs(start(ids=["a", "b", "c", "d", "e", "f"]))
    running.update(running.positions(["f", "b"]), some(2))
    beliefs = running.to_beliefs()
    assert beliefs.item_ids is not None
    assert beliefs.item_ids.tolist() == list("abcdef")
    assert np.allclose(beliefs.probs[[5, 1]], some(2))
    assert RunningBeliefs(start()).positions([3, 0]).tolist() == [3, 0]


def test_a_file_holds_what_memory_would(tmp_path: Path) -> None:
    file = tmp_path / "beliefs.npy"
    mapped, plain = (
        RunningBeliefs(start(), file=file, momentum=0.5),
        RunningBeliefs(start(), momentum=0.5),
    )
    for running in (mapped, plain):
        running.update(torch.tensor([2, 3]), some(2))
    assert torch.equal(mapped.probs, plain.probs)
    assert np.array_equal(np.load(file), plain.probs.numpy())


@pytest.mark.parametrize("in_file", [True, False])
def test_a_checkpoint_brings_them_back(in_file: bool, tmp_path: Path) -> None:
    running = RunningBeliefs(start(), file=tmp_path / "b.npy" if in_file else None)
    running.update(torch.tensor([0]), some(1))
    torch.save(running.state_dict(), tmp_path / "state.pt")
    kept = running.probs.clone()
    running.update(torch.arange(6), some(6, seed=2))
    running.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(running.probs, kept)
    assert running.changes()[0].tolist() == [0]


def test_workers_merge_into_what_one_would_have() -> None:
    alone, workers = RunningBeliefs(start()), [RunningBeliefs(start()) for _ in range(3)]
    shards = [torch.tensor([0, 3]), torch.tensor([1]), torch.tensor([], dtype=torch.int64)]
    for worker, rows in zip(workers, shards, strict=True):
        worker.update(rows, some(6)[rows])
        alone.update(rows, some(6)[rows])
    parts = [worker.changes() for worker in workers]
    for worker in workers:
        worker.take(parts)
        assert torch.equal(worker.probs, alone.probs)
        assert len(worker.changes()[0]) == 0


def test_a_row_that_two_workers_met_takes_their_mean() -> None:
    running = RunningBeliefs(start())
    row = torch.tensor([2])
    running.take([(row, some(1)), (row, some(1, seed=2))])
    assert torch.allclose(running.probs[2], (some(1)[0] + some(1, seed=2)[0]) / 2)


WORKER = """
import sys
import numpy as np, torch
from torch import distributed as dist
from partlabel import Beliefs, LabelSpace
from partlabel.train import RunningBeliefs

rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
running = RunningBeliefs(Beliefs(np.full((6, 3), 1 / 3), LabelSpace(["red", "green", "blue"])))
rows = torch.arange(6)[rank::2]
running.update(rows, torch.eye(3)[rows % 3])
running.merge()
torch.save(running.probs, f"{folder}/{rank}.pt")
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_end_with_the_same_beliefs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKER]
    workers = [subprocess.Popen([*command, str(rank), str(tmp_path)]) for rank in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    for rank in range(2):
        assert torch.equal(torch.load(tmp_path / f"{rank}.pt"), torch.eye(3)[torch.arange(6) % 3])


def test_merging_alone_shares_with_nobody() -> None:
    running = RunningBeliefs(start())
    running.update(torch.tensor([1]), some(1))
    running.merge()
    assert torch.equal(running[torch.tensor([1])], some(1))


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"`momentum` must lie in \[0, 1\); got 1\.0"):
        RunningBeliefs(start(), momentum=1.0)
    with pytest.raises(InputError, match=r"`ids` must be among the rows .* at row zebra"):
        RunningBeliefs(start(ids=list("abcdef"))).positions(["a", "zebra"])
    with pytest.raises(InputError, match=r"`state` must be about \(6, 3\) rows and classes"):
        RunningBeliefs(start()).load_state_dict(RunningBeliefs(start(5)).state_dict())
