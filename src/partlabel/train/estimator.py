"""What the torch estimators share: how they are set up, and how their networks are trained."""

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data
from torch import Tensor, nn

from partlabel.errors import InputError
from partlabel.train import optimisers
from partlabel.train.channels import LearntVotes
from partlabel.train.cost import PRECISIONS
from partlabel.train.epochs import EachEpoch, Together
from partlabel.train.identity import identity
from partlabel.train.inputs import Inputs, read_inputs
from partlabel.train.loop import Ending, Job, Plan, Stateful, train


class TorchEstimator(BaseEstimator):
    """A network, its settings as scikit-learn wants them, and its training.

    See `TorchPartialLabelClassifier` for the settings.
    """

    module: Any
    groups: Any
    each_epoch: Any
    max_epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimizer: Any
    schedule: Any
    validation_share: float
    patience: int
    clip: float | None
    precision: str
    device: str
    checkpoint: Any
    resume: bool
    progress: Any

    history_: pl.DataFrame
    n_iter_: int
    status_: Ending
    reason_: str | None
    watches_: list[EachEpoch]

    def _inputs(self, X: Any, *, reset: bool = False) -> Inputs:
        inputs = read_inputs(X)
        if inputs.width is not None:  # elsewhere, scikit-learn finds no columns
            validate_data(self, X, reset=reset, skip_check_array=True)
        return inputs

    def _device(self) -> torch.device:
        if self.device != "auto":
            try:
                return torch.empty(0, device=self.device).device
            except (RuntimeError, AssertionError) as error:
                raise InputError(
                    f"`device` must be one that torch can use here; {self.device!r} isn't. Pass "
                    "'auto', or 'cpu'."
                ) from error
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def _network(self, inputs: Inputs, n_outputs: int) -> nn.Module:
        return optimisers.network(self.module, inputs.width, n_outputs).to(self._device())

    def _run(
        self,
        networks: dict[str, nn.Module],
        memory: dict[str, Stateful],
        rows: Tensor,
        *,
        cost: Callable[[Tensor, int], Tensor],
        score: Callable[[], float] | None,
        begin: Callable[[int], None],
        data: Iterable[Any],
        order: torch.Generator,
    ) -> None:
        """Train, and keep how it went; by `data`, a checkpoint knows what it was trained on."""
        device = self._device()
        self.watches_ = list(self.each_epoch(networks["network"])) if self.each_epoch else []
        watches = Together(self.watches_)
        optimizer = self._optimizer(networks)
        n_steps = self.max_epochs * -(-len(rows) // self.batch_size)
        half = device.type == "cuda" and self.precision == "float16"
        job = Job(
            networks=networks,
            memory={**memory, "watches": watches},
            rows=rows,
            optimizer=optimizer,
            schedule=optimisers.schedule(self.schedule, optimizer, n_steps),
            scaler=torch.amp.GradScaler(device.type, enabled=half),
            cost=cost,
            score=score,
            begin=lambda epoch: _begin(epoch, begin, watches),
            end=watches.end,
            device=device,
            identity=identity(self.get_params(deep=False), data) if self.checkpoint else "",
        )
        done, self.status_ = train(job, self._plan(), order)
        self.history_ = pl.DataFrame(done.history).with_columns(pl.col("epoch").cast(pl.Int64))
        self.n_iter_, self.reason_ = len(done.history), done.reason
        for network in networks.values():
            network.eval()

    def _optimizer(self, networks: Mapping[str, nn.Module]) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = []
        for network in networks.values():
            if isinstance(network, LearntVotes):
                rate = network.settings.learning_rate
                own = {"params": list(network.parameters()), "lr": rate, "weight_decay": 0.0}
                groups.append(own)
            elif parameters := list(network.parameters()):  # a fixed channel has none
                own = {"params": parameters, "weight_decay": self.weight_decay}
                groups += [own] if self.groups is None else self.groups(network)
        return optimisers.optimizer(self.optimizer, groups, self.learning_rate)

    def _plan(self) -> Plan:
        return Plan(
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            clip=self.clip,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
            resume=self.resume,
            progress=self.progress,
        )

    def _check_training(self) -> None:
        check_choice("precision", self.precision, tuple(PRECISIONS))
        for name in ("max_epochs", "batch_size", "patience"):
            if not getattr(self, name) >= 1:
                raise InputError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
        if not isinstance(self.learning_rate, Real):
            raise TypeError(f"`learning_rate` must be a number; got {self.learning_rate!r}.")
        if not 0.0 < self.validation_share < 1.0:
            raise InputError(
                f"`validation_share` must lie in (0, 1); got {self.validation_share}. "
                "Pass early_stopping=None to hold nothing out."
            )


def _begin(epoch: int, begin: Callable[[int], None], watches: Together) -> None:
    begin(epoch)
    watches.begin(epoch)


def held_apart(
    usable: NDArray[np.bool_], known: NDArray[np.bool_], share: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Positions of usable rows to train on, and of a share of the known ones to hold out."""
    shuffled = np.random.default_rng(seed).permutation(np.flatnonzero(usable & known))
    kept = np.sort(shuffled[: int(share * len(shuffled))])
    return (
        torch.as_tensor(np.setdiff1d(np.flatnonzero(usable), kept)),
        torch.as_tensor(kept),
    )


def check_lengths(inputs: Inputs, n_rows: int) -> None:
    """Refuse features and evidence that are about different numbers of rows."""
    if len(inputs) != n_rows:
        raise InputError(
            f"`X` and `y` must be about the same rows; they have {len(inputs)} and {n_rows}. "
            "Give each row its evidence, or none."
        )


def check_choice(name: str, value: Any, known: tuple[Any, ...]) -> None:
    """Refuse a setting that is none of those that there are."""
    if value not in known:
        raise InputError(f"`{name}` must be one of {', '.join(map(repr, known))}; got {value!r}.")
