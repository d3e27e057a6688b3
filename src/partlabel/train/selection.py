r"""SmallLoss: train on the rows that cost least, as networks learn what is right first.

Of each minibatch a share of 1 - forget of the rows is kept; the share falls from 1 over the first
epochs (co-teaching: Han et al., NeurIPS 2018, :math:`R(T) = 1 - \min(T / T_k \cdot \tau, \tau)`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from partlabel.errors import InputError


@dataclass(frozen=True)
class SmallLoss:
    """Leave out the rows of each minibatch that cost most; those with gold always stay.

    Right where some of the evidence is wrong and the network sees which: its mistakes cost most
    before it memorises them. Rows of rare classes cost most too, and suffer.

    Parameters
    ----------
    forget : float in [0, 1), default 0.2
        Share of the rows to leave out; about the share that is wrong.
    ramp : int, default 10
        Epochs over which the share grows from 0.
    peer : bool, default True
        Train two networks, each on the rows that cost the other least (co-teaching), so that one
        doesn't confirm its own mistakes. Costs twice as much; the first of the two predicts.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    forget: float = 0.2
    ramp: int = 10
    peer: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.forget < 1.0:
            raise InputError(f"`forget` must lie in [0, 1); got {self.forget}.")
        if not self.ramp >= 0:
            raise InputError(f"`ramp` must be at least 0; got {self.ramp}.")

    def kept(self, losses: Tensor, checked: Tensor, epoch: int) -> Tensor:
        """(n_rows,) 1 for the rows to train on, 0 for the others.

        Parameters
        ----------
        losses : (n_rows,)
        checked : (n_rows,) bool
            Rows with gold.
        epoch : int
        """
        share = self.forget * min(epoch / max(self.ramp, 1), 1.0)
        ranked = losses.detach().masked_fill(checked, -torch.inf)
        n_kept = len(losses) - int(share * len(losses))
        rank = torch.argsort(torch.argsort(ranked))
        return ((rank < n_kept) | checked).to(losses.dtype)
