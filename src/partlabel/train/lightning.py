"""Lightning on labels that are only partly known; imports it where it is used."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import Tensor

from partlabel.errors import InputError
from partlabel.train.epochs import EachEpoch, Together
from partlabel.train.inputs import apply
from partlabel.train.row_cost import RowCost

# Lightning announces no epoch after the checkpoint of a step that ended one: epochs begin with
# their first minibatch here.
FIRST = 0


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

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Get the cost ready for an epoch, with its first minibatch."""
        if batch_idx == FIRST:
            self.row_cost.begin(self.current_epoch)  # type: ignore[attr-defined] # of the module

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
        # mixed into a LightningModule, whose methods these are
        cost = self.row_cost(apply(self, inputs), labels).mean()  # type: ignore[arg-type]
        self.log(name, cost, batch_size=len(labels))  # type: ignore[attr-defined]
        return cost


def lightning_callback(*each_epoch: EachEpoch) -> Any:
    """Make a Lightning callback that calls these around each epoch, and stops as they say.

    What they keep goes into Lightning's checkpoints, so that a resumed run goes on as if it hadn't
    been broken off. A `RowCost` belongs here only where the module hasn't `PartialLabelSteps`.

    Parameters
    ----------
    each_epoch : `Unfreezing`, `Forgetting`, `Memorising`, `RowCost` and the like

    Returns
    -------
    lightning.Callback
        Its `reasons` are the sentences of those that stopped training. Lightning trains on until
        its `min_epochs`.

    Raises
    ------
    ModuleNotFoundError
        If `lightning` isn't installed.
    InputError
        In training, if the checkpoint to resume from isn't of these.
    """
    base: Any = import_module("lightning").Callback

    together = Together(each_epoch)

    class Callback(base):
        resumed = False

        @property
        def reasons(self) -> list[str]:
            return together.reasons

        @property
        def state_key(self) -> str:
            return f"partlabel {', '.join(type(one).__name__ for one in each_epoch)}"

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            if self.resumed and together.catch_up(trainer.current_epoch) is not None:
                trainer.should_stop = True
            self.resumed = False

        def on_train_batch_start(
            self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
        ) -> None:
            if batch_idx == FIRST:
                together.begin(trainer.current_epoch)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            if together.end(trainer.current_epoch) is not None:
                trainer.should_stop = True

        def state_dict(self) -> dict[str, Any]:
            return together.state_dict()

        def on_load_checkpoint(
            self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]
        ) -> None:
            missing = self.state_key not in checkpoint.get("callbacks", {})
            if missing and together and trainer.state.fn == "fit":
                raise InputError(
                    f"`ckpt_path` must be of a run with the same `lightning_callback` "
                    f"({self.state_key!r}); it isn't. Without what that kept, training would "
                    "silently begin anew: resume from another, or train from the start."
                )

        def load_state_dict(self, state: dict[str, Any]) -> None:
            together.load_state_dict(state)
            self.resumed = True

    return Callback()
