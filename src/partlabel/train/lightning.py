"""Lightning on labels that are only partly known; imports it where it is used."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from torch import Tensor

from partlabel.train.epochs import EachEpoch
from partlabel.train.inputs import apply
from partlabel.train.row_cost import RowCost


class PartialLabelSteps:
    """Mixin of a LightningModule: steps that train and validate on partly known labels.

    Put it first, set `row_cost` in `__init__`, and let `forward` give logits. A minibatch is a pair
    (inputs, labels) or a mapping with "labels"; what these may be is said at `RowCost`. It logs
    "train_cost" and "held_out_cost", the means over rows, and keeps running beliefs in
    checkpoints.

    Attributes
    ----------
    row_cost : RowCost
        The marginal cost of the labels of each minibatch, unless set.

    Examples
    --------
    ::

        class Net(PartialLabelSteps, lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 3)
                self.row_cost = RowCost(log_likelihood=known)
    """

    row_cost = RowCost()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """() The mean cost of a minibatch."""
        return self._step(batch, "train_cost")

    def validation_step(self, batch: Any, batch_idx: int) -> Tensor:
        """() The mean cost of a minibatch that isn't trained on."""
        return self._step(batch, "held_out_cost")

    def on_train_epoch_start(self) -> None:
        """Get the cost ready for an epoch."""
        self.row_cost.begin(self.current_epoch)  # type: ignore[attr-defined] # of LightningModule

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the running beliefs."""
        checkpoint["partlabel"] = self.row_cost.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the running beliefs back."""
        if checkpoint.get("partlabel"):
            self.row_cost.load_state_dict(checkpoint["partlabel"])

    def _step(self, batch: Any, name: str) -> Tensor:
        if isinstance(batch, Mapping):
            inputs: Any = {key: part for key, part in batch.items() if key != "labels"}
            labels = batch["labels"]
        else:
            inputs, labels = batch
        cost = self.row_cost(apply(self, inputs), labels).mean()  # type: ignore[arg-type]
        self.log(name, cost, batch_size=len(labels))  # type: ignore[attr-defined]
        return cost


def lightning_callback(*each_epoch: EachEpoch) -> Any:
    """Make a Lightning callback that calls these around each epoch, and stops as they say.

    Parameters
    ----------
    each_epoch : `Unfreezing`, `Forgetting`, `Memorising` and the like

    Returns
    -------
    lightning.Callback
        Its `reasons` are the sentences of those that stopped training. Lightning trains on until
        its `min_epochs`.

    Raises
    ------
    ModuleNotFoundError
        If `lightning` isn't installed.
    """
    base: Any = import_module("lightning").Callback

    class Callback(base):
        reasons: Sequence[str] = ()

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            for one in each_epoch:
                one.begin(trainer.current_epoch)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            said = [one.end(trainer.current_epoch) for one in each_epoch]
            self.reasons = [reason for reason in said if reason is not None]
            if self.reasons:
                trainer.should_stop = True

    return Callback()
