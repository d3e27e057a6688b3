"""Cost: what a minibatch costs, and how good the networks are on what was held out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from partlabel.losses import log_marginal
from partlabel.train.account import Account
from partlabel.train.channels import FixedVotes, LearntVotes
from partlabel.train.inputs import Inputs, apply
from partlabel.train.objectives import Objective
from partlabel.train.observed import Observed

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
SHARPNESS = torch.exp(torch.linspace(-2.0, 1.0, 13))  # of held-out predictions: 1 / temperature
LARGEST = 1024  # rows that are predicted at once


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network, the channel of what was observed, and where they live.

    Attributes
    ----------
    network : module
        Gives logits.
    channel : FixedVotes or LearntVotes
    device : torch device
    half : torch dtype or None
        What autocast computes the network in.
    """

    network: nn.Module
    channel: FixedVotes | LearntVotes
    device: torch.device
    half: torch.dtype | None = None

    def logits(self, inputs: Any) -> Tensor:
        """(n_rows, n_classes) What the network says, at least in float32."""
        with torch.autocast(self.device.type, dtype=self.half, enabled=self.half is not None):
            logits = apply(self.network, inputs)
        return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits

    def predicted(self, inputs: Inputs, rows: Tensor) -> Tensor:
        """(n, n_classes) Logits of some rows, without gradient, on the CPU."""
        self.network.eval()
        with torch.inference_mode():
            some = torch.split(rows, LARGEST)
            parts = [self.logits(inputs.take(part, self.device)).cpu() for part in some]
        return torch.cat(parts)

    def observed(self, inputs: Inputs, observed: Observed, rows: Tensor, **how: bool) -> Tensor:
        """(n, n_classes) Log-likelihood of what was observed of some rows, on the CPU."""
        self.channel.eval()
        with torch.inference_mode():
            parts = []
            for some in torch.split(rows, LARGEST):
                vectors = features(self.channel, inputs.take(some, self.device))
                batch = observed.take(some.to(self.device))
                parts.append(self.channel(batch, vectors, **how).cpu())
        return torch.cat(parts)


@dataclass(slots=True, eq=False)
class Cost:
    """What a minibatch costs: the mean over its rows, and what the channel's priors cost.

    Attributes
    ----------
    weight : (n_rows,)
        How much each row counts.
    gold : (n_rows,) int64
        The verified class, -1 where there is none.
    n_trained : int
        Rows that train; the priors cost so much once, not in every minibatch.
    """

    model: Model
    inputs: Inputs
    observed: Observed
    objective: Objective
    account: Account
    weight: Tensor
    gold: Tensor
    n_trained: int

    def begin(self, epoch: int) -> None:
        """Get ready for an epoch."""
        self.account.begin()
        self.objective.begin(epoch)
        if isinstance(self.model.channel, LearntVotes):
            self.model.channel.requires_grad_(epoch >= self.model.channel.settings.warm_up)

    def __call__(self, rows: Tensor, epoch: int) -> Tensor:
        """() The cost of the rows at these positions (on the CPU)."""
        model, here = self.model, rows.to(self.model.device)
        inputs = self.inputs.take(rows, model.device)
        logits, batch = model.logits(inputs), self.observed.take(here)
        likelihood = model.channel(batch, features(model.channel, inputs))
        losses = self.objective(logits, likelihood, here)
        self.account.charge(here, losses, logits)
        cost = _mean(losses, self.weight[here])
        if isinstance(model.channel, LearntVotes):
            cost = cost + model.channel.regulariser(batch, self.gold[here], self.n_trained)
        return cost


def features(channel: FixedVotes | LearntVotes, inputs: Any) -> Tensor | None:
    """The inputs, where the channel looks at them."""
    return inputs if isinstance(channel, LearntVotes) and channel.settings.instances else None


def held_out(model: Model, inputs: Inputs, observed: Observed, rows: Tensor) -> float:
    """Mean log p(evidence) of rows that didn't train, in nats, at its best temperature.

    Without the temperature (Guo et al., ICML 2017), training would stop once the network grows too
    sure of itself, though it still gets better at telling the classes apart.
    """
    logits = model.predicted(inputs, rows).double()
    likelihood = model.observed(inputs, observed, rows, weighed=False).double()
    scores = [log_marginal(sharp * logits, likelihood).mean() for sharp in SHARPNESS]
    return float(torch.stack(scores).max())


def numpy_probs(logits: Tensor) -> NDArray[np.float64]:
    """(n_rows, n_classes) Probabilities."""
    return np.asarray(torch.softmax(logits.double(), dim=1).numpy())


def _mean(losses: Tensor, weight: Tensor) -> Tensor:
    return (losses * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
