"""The training loop: minibatches, early stopping, checkpoints, and chance of its own.

Why a loop of our own: skorch, the nearest base, sets up state in `__init__`, prints, cuts `y` as an
array, and leaves the state of chance out of its checkpoints, so that a resumed run is another run.
"""

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from partlabel.errors import InputError
from partlabel.files import replacing

FORMAT = 2  # of checkpoints


class Ending(Enum):
    """How training ended; the value is the sentence for the user."""

    EARLY = (
        "Stopped early: the held-out score hadn't risen for `patience` epochs. "
        "The network of the best epoch was kept."
    )
    BEST = "All `max_epochs` were trained; the network of the best epoch was kept."
    STOPPED = (
        "Stopped by what `each_epoch` gave, as `reason_` says. The network of the best epoch was "
        "kept (the last, where nothing was held out)."
    )
    LAST = "All `max_epochs` were trained; nothing was held out to stop early on."


@runtime_checkable
class Stateful(Protocol):
    """What a checkpoint can hold: tensors and plain values."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes in training."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take back what `state_dict` gave."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how to train: see `TorchPartialLabelClassifier`."""

    max_epochs: int
    batch_size: int
    patience: int
    clip: float | None = None
    checkpoint: Path | None = None
    resume: bool = False
    progress: Callable[[Mapping[str, float]], None] | None = None


@dataclass(slots=True, eq=False)
class Job:
    """What is trained, and on what.

    Attributes
    ----------
    networks : dict of name to module
        Trained together; those of the best epoch are kept.
    memory : dict of name to what has a state
        What else must survive a checkpoint: running beliefs, callbacks.
    rows : (n_rows,) int64, on the CPU
        Positions to train on.
    cost : function of (rows, epoch) to a tensor of no dimension
    score : function to a number, or None
        How good the networks are now on what was held out; higher is better.
    begin : function of the epoch
        Called before each.
    end : function of the epoch to a sentence, or None
        Called after each; a sentence stops training.
    device : torch device
    identity : str
        What a checkpoint must have been made from to be taken up again.
    """

    networks: dict[str, nn.Module]
    memory: dict[str, Stateful]
    rows: Tensor
    optimizer: Optimizer
    schedule: LRScheduler | None
    scaler: torch.amp.GradScaler
    cost: Callable[[Tensor, int], Tensor]
    score: Callable[[], float] | None
    begin: Callable[[int], None]
    end: Callable[[int], str | None]
    device: torch.device
    identity: str


@dataclass(slots=True, eq=False)
class Progress:
    """How far training has come.

    Attributes
    ----------
    history : list of dict
        One record per epoch: epoch, loss, learning_rate, and held_out where something is.
    reason : str or None
        What stopped training, if not the lack of a new best.
    best : states of the networks of the best epoch, or None
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, dict[str, Any]] | None = None
    best_score: float = -float("inf")
    waited: int = 0
    reason: str | None = None


def train(job: Job, plan: Plan, order: torch.Generator) -> tuple[Progress, Ending]:
    """Train, and leave the networks of the best epoch (of the last, where nothing is held out).

    Parameters
    ----------
    order : torch.Generator
        Deals rows into minibatches; on the CPU.

    Raises
    ------
    InputError
        If the checkpoint to resume from was made from something else.
    FloatingPointError
        If the loss is no longer a number.
    """
    done = Progress()
    if plan.resume and plan.checkpoint is not None and plan.checkpoint.exists():
        done = _resumed(job, plan.checkpoint, order)
    while not _over(done, plan):
        _epoch(job, plan, order, done)
        if plan.checkpoint is not None:
            _save(job, done, plan.checkpoint, order)
        if plan.progress is not None:
            plan.progress(dict(done.history[-1]))
    if done.best is not None:
        for name, network in job.networks.items():
            network.load_state_dict(done.best[name])
    return done, _ending(done, plan)


@contextmanager
def chance(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """Seed torch within the block and give a generator; outside, nothing has happened."""
    devices = [] if device.type == "cpu" else [device]
    kind = "cuda" if device.type == "cpu" else device.type
    with torch.random.fork_rng(devices=devices, device_type=kind):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


def minibatches(rows: Tensor, batch_size: int, order: torch.Generator) -> tuple[Tensor, ...]:
    """Deal rows into minibatches of nearly one size, so that none has a single row."""
    shuffled = rows[torch.randperm(len(rows), generator=order)]
    return torch.tensor_split(shuffled, -(-len(rows) // batch_size))


def _over(done: Progress, plan: Plan) -> bool:
    waited = done.waited >= plan.patience
    return waited or done.reason is not None or len(done.history) >= plan.max_epochs


def _ending(done: Progress, plan: Plan) -> Ending:
    if done.reason is not None:
        return Ending.STOPPED
    if done.best is None:
        return Ending.LAST
    return Ending.EARLY if done.waited >= plan.patience else Ending.BEST


def _epoch(job: Job, plan: Plan, order: torch.Generator, done: Progress) -> None:
    epoch = len(done.history)
    for network in job.networks.values():
        network.train()
    job.begin(epoch)
    lost: list[Tensor] = []
    rate = job.optimizer.param_groups[0]["lr"]
    for rows in minibatches(job.rows, plan.batch_size, order):
        loss = job.cost(rows, epoch)
        _step(job, plan, loss)
        lost.append(loss.detach() * len(rows))
    record = {
        "epoch": float(epoch),
        "loss": float(torch.stack(lost).sum()) / len(job.rows),
        "learning_rate": float(rate),
    }
    if record["loss"] != record["loss"]:
        raise FloatingPointError(
            f"The loss must be a number; it is NaN in epoch {epoch}. "
            "Lower `learning_rate`, or set `clip`."
        )
    done.history.append(record)
    if job.score is not None:
        record["held_out"] = job.score()
        _remember(job, done, record["held_out"])
    done.reason = job.end(epoch)


def _step(job: Job, plan: Plan, loss: Tensor) -> None:
    job.optimizer.zero_grad(set_to_none=True)
    job.scaler.scale(loss).backward()
    if plan.clip is not None:
        job.scaler.unscale_(job.optimizer)
        held = [p for group in job.optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(held, plan.clip)
    scale = job.scaler.get_scale()
    job.scaler.step(job.optimizer)
    job.scaler.update()
    if job.schedule is not None and job.scaler.get_scale() >= scale:  # else the step was left out
        job.schedule.step()


def _remember(job: Job, done: Progress, score: float) -> None:
    if score > done.best_score:
        done.best_score, done.waited = score, 0
        done.best = {
            name: copy.deepcopy(network.state_dict()) for name, network in job.networks.items()
        }
    else:
        done.waited += 1


def _stateful(job: Job) -> dict[str, Stateful]:
    parts: dict[str, Stateful] = {**job.networks, **job.memory}
    parts |= {"optimizer": job.optimizer, "scaler": job.scaler}
    return parts if job.schedule is None else {**parts, "schedule": job.schedule}


def _save(job: Job, done: Progress, path: Path, order: torch.Generator) -> None:
    state = {
        "format": FORMAT,
        "identity": job.identity,
        "parts": {name: part.state_dict() for name, part in _stateful(job).items()},
        "history": done.history,
        "best": done.best,
        "best_score": done.best_score,
        "waited": done.waited,
        "reason": done.reason,
        "chance": {"order": order.get_state(), **_chance(job)},
    }
    with replacing(path) as fresh:
        torch.save(state, fresh)


def _chance(job: Job) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if job.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(job.device)
    return states


def _resumed(job: Job, path: Path, order: torch.Generator) -> Progress:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        known = state["format"] == FORMAT and state["identity"] == job.identity
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, IndexError):
        known = False  # no checkpoint of ours
    if not known:
        raise InputError(
            f"`checkpoint` must have been made by the same settings and rows; {path.name} wasn't. "
            "Remove it, or pass resume=False."
        )
    for name, part in _stateful(job).items():
        part.load_state_dict(state["parts"][name])
    order.set_state(state["chance"]["order"])
    torch.set_rng_state(state["chance"]["cpu"])
    if job.device.type == "cuda":
        torch.cuda.set_rng_state(state["chance"]["cuda"], job.device)
    kept = ("history", "best", "best_score", "waited", "reason")
    return Progress(*(state[name] for name in kept))
