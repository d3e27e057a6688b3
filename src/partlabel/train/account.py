"""Account: how many rows of each kind took part in training, and how much they pulled."""

import polars as pl
import torch
from torch import Tensor

from partlabel.evidence import KINDS


class Account:
    """What rows of each kind of evidence contribute; every row is in it.

    A row's pull is the L1 norm of the gradient of its cost by its logits: twice the total variation
    between what the network said and what it was told. A row about which nothing is known may take
    part and pull nothing.

    Parameters
    ----------
    kind : (n_rows,) int64
        What is known of each row, as `Evidence.kind` says.
    trained, held_out : (n,) int64
        Positions of rows that train, and of those kept to stop early on.
    device : torch device
    """

    def __init__(
        self, kind: Tensor, trained: Tensor, held_out: Tensor, device: torch.device
    ) -> None:
        n = len(KINDS)
        self.kind = kind.to(device)
        self.rows = torch.bincount(kind, minlength=n)
        self.trained = torch.bincount(kind[trained], minlength=n)
        self.held_out = torch.bincount(kind[held_out], minlength=n)
        self.loss = torch.zeros(n, device=device)
        self.pull = torch.zeros(n, device=device)

    def begin(self) -> None:
        """Forget the losses of the last epoch."""
        self.loss.zero_()

    def charge(self, rows: Tensor, losses: Tensor, logits: Tensor) -> None:
        """Count what a minibatch costs; its pull is counted once the gradient is there."""
        kind = self.kind[rows]
        self.loss.index_add_(0, kind, losses.detach().float())
        if logits.requires_grad:
            logits.register_hook(lambda gradient: self._pulled(kind, gradient))

    def to_polars(self) -> pl.DataFrame:
        """Give one row per kind of evidence.

        Returns
        -------
        polars.DataFrame
            kind; rows; trained, held_out and left_out (adding up to rows); loss (mean of the last
            epoch; null where none trained); pull (share of all that the rows pulled, over all
            epochs).
        """
        trained, pull = self.trained.double(), self.pull.double().cpu()
        loss = self.loss.double().cpu() / trained
        pull = pull / pull.sum().clamp(min=torch.finfo(torch.float64).tiny)
        columns = {
            "kind": KINDS,
            "rows": self.rows.numpy(),
            "trained": self.trained.numpy(),
            "held_out": self.held_out.numpy(),
            "left_out": (self.rows - self.trained - self.held_out).numpy(),
            "loss": loss.numpy(),
            "pull": pull.numpy(),
        }
        return pl.DataFrame(columns, nan_to_null=True)

    def state_dict(self) -> dict[str, Tensor]:
        """What was counted so far."""
        return {"loss": self.loss, "pull": self.pull}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self.loss.copy_(state["loss"])
        self.pull.copy_(state["pull"])

    def _pulled(self, kind: Tensor, gradient: Tensor) -> None:
        pulls = gradient.detach().float().abs().sum(dim=1)
        # a minibatch's share: the scale of fp16 training and the size of the minibatch drop out
        total = pulls.sum().clamp(min=torch.finfo(torch.float32).tiny)
        self.pull.index_add_(0, kind, pulls / total * len(kind))
