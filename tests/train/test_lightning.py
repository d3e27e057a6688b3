"""The real Lightning trainer, with the mixin and the callback."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from partlabel import Beliefs, InputError
from partlabel.losses import evidence_tensors
from partlabel.train import (
    Forgetting,
    Memorising,
    PartialLabelSteps,
    RowCost,
    RunningBeliefs,
    Unfreezing,
    layer_groups,
    lightning_callback,
)

from .conftest import LABELS, Blobs, blobs
from .test_hugging_face import StopAfter

lightning = pytest.importorskip("lightning", reason="needs Lightning's trainer")

pytestmark = [
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* is not empty:UserWarning"),
]


class Net(PartialLabelSteps, lightning.LightningModule):
    def __init__(self, row_cost: RowCost) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)
        )
        self.row_cost = row_cost

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=0.02)


def trainer(epochs: int, folder: Path, **settings: Any) -> Any:
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **settings,
    )


def loader(data: Blobs, labels: torch.Tensor) -> DataLoader[Any]:
    X = torch.as_tensor(data.X, dtype=torch.float32)
    return DataLoader(TensorDataset(X, labels), batch_size=32, shuffle=True)


def test_the_mixin_learns_and_validates_and_checkpoints_keep_running_beliefs(
    narrowed: Blobs, tmp_path: Path
) -> None:
    known = evidence_tensors(narrowed.candidates).log_likelihood
    kept = RunningBeliefs(Beliefs(torch.softmax(known.double(), 1).numpy(), LABELS))
    net = Net(RowCost("em", log_likelihood=known, beliefs=kept))
    batches = loader(narrowed, torch.arange(len(known)))
    fitted = trainer(6, tmp_path)
    fitted.fit(net, batches, batches)
    assert fitted.callback_metrics["held_out_cost"] < 0.3
    assert fitted.callback_metrics["train_cost"] < 0.5
    fresh = blobs(200, extra=0.0, seed=1)
    said = net(torch.as_tensor(fresh.X, dtype=torch.float32)).argmax(1).numpy()
    assert (said == fresh.truth).mean() > 0.9
    assert (kept.to_beliefs().probs.argmax(axis=1) == narrowed.truth).mean() > 0.85
    fitted.save_checkpoint(tmp_path / "one.ckpt")
    start = RunningBeliefs(Beliefs(np.full((240, 3), 1 / 3), LABELS))
    twin = Net(RowCost("em", log_likelihood=known, beliefs=start))
    trainer(6, tmp_path).fit(twin, batches, ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert torch.equal(start.probs, kept.probs)


def test_minibatches_that_carry_likelihoods_by_name(narrowed: Blobs) -> None:
    known = evidence_tensors(narrowed.candidates).log_likelihood[:8]
    net = Net(RowCost())
    net.log = lambda *_, **__: None  # outside of a trainer
    net.eval()
    x = torch.as_tensor(narrowed.X[:8], dtype=torch.float32)
    pair = net.validation_step((x, known), 0)
    assert net.validation_step({"x": x, "labels": known}, 0) == pair


def test_the_callback_begins_ends_and_stops(narrowed: Blobs, tmp_path: Path) -> None:
    known = evidence_tensors(narrowed.candidates).log_likelihood
    net = Net(RowCost())
    first = net.layers[0].weight.detach().clone()
    statistics = net.layers[1].running_mean.clone()
    stop = StopAfter(1)
    groups = layer_groups(net)
    callback = lightning_callback(Unfreezing(groups, [5, 5, 0]), stop)
    trainer(7, tmp_path, callbacks=[callback]).fit(net, loader(narrowed, known))
    assert stop.seen == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
    assert callback.reasons == ["enough"]
    assert torch.equal(net.layers[0].weight, first)
    assert torch.equal(net.layers[1].running_mean, statistics)


class BreakOff(lightning.Callback):
    """Fails as an epoch begins, as a machine may."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise ConnectionAbortedError


class Run:
    """Beliefs in the module, both watches in the callback; rows always in one order."""

    def __init__(self, data: Blobs, folder: Path, epochs: int = 4, **saved: Any) -> None:
        torch.manual_seed(0)
        known = evidence_tensors(data.candidates).log_likelihood
        start = Beliefs(torch.softmax(known.double(), 1).numpy(), LABELS)
        self.kept = RunningBeliefs(start, momentum=0.5)
        cost = RowCost("pseudo", log_likelihood=known, beliefs=self.kept, threshold=(0.7, 0.4))
        self.net, X = Net(cost), torch.as_tensor(data.X, dtype=torch.float32)
        self.rows = DataLoader(TensorDataset(X, torch.arange(len(X))), batch_size=60)
        self.forgetting = Forgetting(self.net, layer_groups(self.net), X)
        self.memorising = Memorising(self.net, (X, known), (X, known), patience=99)
        self.callback = lightning_callback(self.forgetting, self.memorising)
        keep = lightning.pytorch.callbacks.ModelCheckpoint(folder, "{step}", save_top_k=-1, **saved)
        self.callbacks = [self.callback, keep]
        self.settings = {"max_epochs": epochs, "folder": folder}

    def fit(self, *more: Any, **told: Any) -> None:
        lightning.Trainer(
            max_epochs=self.settings["max_epochs"],
            default_root_dir=self.settings["folder"],
            callbacks=[*self.callbacks, *more],
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(self.net, self.rows, **told)


@pytest.mark.parametrize("saved", [{"every_n_epochs": 1}, {"every_n_train_steps": 4}])
def test_a_resumed_run_believes_what_an_uninterrupted_one_does(
    saved: dict[str, int], narrowed: Blobs, tmp_path: Path
) -> None:
    whole = Run(narrowed, tmp_path / "whole", **saved)
    whole.fit()
    broken = Run(narrowed, tmp_path / "broken", **saved)
    with pytest.raises(ConnectionAbortedError):
        broken.fit(BreakOff(3))
    resumed = Run(narrowed, tmp_path / "broken", **saved)
    resumed.fit(ckpt_path=tmp_path / "broken" / "step=8.ckpt", weights_only=True)
    assert torch.equal(resumed.kept.probs, whole.kept.probs)
    assert not torch.equal(broken.kept.probs, whole.kept.probs)
    assert resumed.forgetting.history == whole.forgetting.history
    assert resumed.memorising.history == whole.memorising.history
    assert len(whole.memorising.history) == 4


def test_a_checkpoint_without_what_was_kept_is_refused(narrowed: Blobs, tmp_path: Path) -> None:
    before = Run(narrowed, tmp_path, epochs=1)
    before.callbacks.remove(before.callback)
    before.fit()
    with pytest.raises(InputError, match=r"`ckpt_path` must be of .* \('partlabel Forgetting, Mem"):
        Run(narrowed, tmp_path, epochs=2).fit(ckpt_path=tmp_path / "step=4.ckpt", weights_only=True)
