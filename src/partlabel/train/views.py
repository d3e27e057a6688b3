"""Other views of the rows: mixed with one another, or changed in ways that keep the class."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses import expected_nll, posterior


@dataclass(frozen=True)
class Consistency:
    """Let the network say the same of a row and of a changed view of it.

    The target is what network and evidence together say of the row as it is, so that a row about
    which nothing is known teaches, too (FixMatch: Sohn et al., NeurIPS 2020, eq. 4, with soft
    targets).

    Parameters
    ----------
    augment : function of inputs to inputs
        Changes a minibatch in ways that keep each row's class: noise, crops, dropped words. It may
        use torch's chance.
    weight : float >= 0, default 1.0
        Nats of this cost against those of the evidence.
    threshold : float in [0, 1], default 0.8
        How sure the target must be.
    ramp : int, default 5
        Epochs over which the weight grows to its full size.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    augment: Callable[[Any], Any]
    weight: float = 1.0
    threshold: float = 0.8
    ramp: int = 5

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise InputError(f"`weight` must be at least 0; got {self.weight}.")
        if not 0.0 <= self.threshold <= 1.0:
            raise InputError(f"`threshold` must lie in [0, 1]; got {self.threshold}.")

    def cost(self, seen: Tensor, changed: Tensor, log_likelihood: Tensor, epoch: int) -> Tensor:
        """(n_rows,) What it costs that the logits of the two views differ."""
        target = posterior(seen.detach(), log_likelihood.detach())
        sure = (target.amax(dim=1) >= self.threshold).to(target.dtype)
        weight = self.weight * min((epoch + 1) / max(self.ramp, 1), 1.0)
        return weight * sure * expected_nll(changed, target)


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """Rows of a minibatch mixed in pairs (mixup: Zhang et al., ICLR 2018).

    Attributes
    ----------
    share : () float in [0.5, 1]
        Of the row itself.
    partner : (n_rows,) int64
        The row that it is mixed with.
    """

    share: Tensor
    partner: Tensor

    @classmethod
    def drawn(cls, n_rows: int, alpha: float, device: torch.device) -> "Mix":
        """Draw partners, and one share from a beta distribution of (alpha, alpha)."""
        share = torch.distributions.Beta(alpha, alpha).sample()
        return cls(torch.maximum(share, 1.0 - share), torch.randperm(n_rows).to(device))

    def inputs(self, inputs: Any) -> Tensor:
        """(n_rows, ...) The inputs, mixed.

        Raises
        ------
        TypeError
            If they are no tensor of floats.
        """
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
            raise TypeError("`mixup` must have inputs that are tensors of floats. Leave it out.")
        return torch.lerp(inputs[self.partner], inputs, self.share.to(inputs))

    def losses(self, own: Tensor, partners: Tensor) -> Tensor:
        """(n_rows,) Costs by the row's own evidence and by its partner's, mixed alike."""
        return torch.lerp(partners, own, self.share.to(own))
