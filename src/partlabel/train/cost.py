"""Cost: what a minibatch costs, and how good the networks are on what was held out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from partlabel.errors import InputError
from partlabel.losses import log_marginal
from partlabel.train.account import Account
from partlabel.train.channels import FixedVotes, LearntVotes
from partlabel.train.inputs import Inputs, apply
from partlabel.train.objectives import Objective
from partlabel.train.observed import Observed
from partlabel.train.selection import SmallLoss
from partlabel.train.views import Consistency, Mix

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
        How much each row counts; 1 on average over the rows that train, so that a minibatch of
        light rows pulls less than one of heavy rows.
    told : (n_rows,)
        1 where the evidence of a row teaches the objective, 0 where there is none to teach.
    gold : (n_rows,) int64
        The verified class, -1 where there is none.
    n_trained : int
        Rows that train; the priors cost so much once, not in every minibatch.
    mixup : float
        Alpha of the shares in which rows are mixed; 0 mixes none.
    consistency, selection : or None
    peer : Model or None
        The second network of co-teaching.
    """

    model: Model
    inputs: Inputs
    observed: Observed
    objective: Objective
    account: Account
    weight: Tensor
    told: Tensor
    gold: Tensor
    n_trained: int
    mixup: float = 0.0
    consistency: Consistency | None = None
    selection: SmallLoss | None = None
    peer: Model | None = None

    def begin(self, epoch: int) -> None:
        """Get ready for an epoch."""
        self.account.begin()
        self.objective.begin(epoch)
        if isinstance(self.model.channel, LearntVotes):
            self.model.channel.requires_grad_(epoch >= self.model.channel.settings.warm_up)

    def __call__(self, rows: Tensor, epoch: int) -> Tensor:
        """() The cost of the rows at these positions (on the CPU)."""
        channel, here = self.model.channel, rows.to(self.model.device)
        inputs, batch = self.inputs.take(rows, self.model.device), self.observed.take(here)
        likelihood = channel(batch, features(channel, inputs))
        losses, logits = self._losses(self.model, inputs, likelihood, here, epoch)
        self.account.charge(here, losses, logits)
        weight = self.weight[here]
        if self.selection is None:
            cost = (losses * weight).mean()
        else:
            cost = self._selected(losses, weight, inputs, likelihood, here, epoch)
        if isinstance(channel, LearntVotes):
            cost = cost + channel.regulariser(batch, self.gold[here], self.n_trained)
        return cost

    def _losses(
        self, model: Model, inputs: Any, likelihood: Tensor, rows: Tensor, epoch: int
    ) -> tuple[Tensor, Tensor]:
        """(n_rows,) What each row costs, and the logits that its evidence pulls at."""
        mix = Mix.drawn(len(rows), self.mixup, rows.device) if self.mixup else None
        logits = model.logits(inputs if mix is None else mix.inputs(inputs))
        if logits.shape != likelihood.shape:
            raise InputError(
                f"`module` must give logits for the {likelihood.shape[1]} classes of "
                f"{len(rows)} rows; it gives the shape {tuple(logits.shape)}. Let its last layer "
                "have one output for each class."
            )
        seen = logits
        if mix is not None and (self.objective.keeps_beliefs or self.consistency is not None):
            with torch.no_grad():
                seen = model.logits(inputs)
        self.objective.hear(seen.detach(), likelihood.detach(), rows)
        losses = self.objective(logits, likelihood, rows) * self.told[rows]
        if mix is not None:
            others = rows[mix.partner]
            partners = self.objective(logits, likelihood[mix.partner], others) * self.told[others]
            losses = mix.losses(losses, partners)
        if self.consistency is not None:
            changed = model.logits(self.consistency.augment(inputs))
            losses = losses + self.consistency.cost(seen, changed, likelihood, epoch)
        return losses, logits

    def _selected(
        self,
        losses: Tensor,
        weight: Tensor,
        inputs: Any,
        likelihood: Tensor,
        rows: Tensor,
        epoch: int,
    ) -> Tensor:
        """() The cost of the rows that cost least: by the network itself, or by its peer."""
        assert self.selection is not None
        checked = self.gold[rows] >= 0
        own = self.selection.kept(losses, checked, epoch)
        if self.peer is None:
            return _mean(losses * weight, own)
        theirs, _ = self._losses(self.peer, inputs, likelihood, rows, epoch)
        kept = self.selection.kept(theirs, checked, epoch)
        return _mean(losses * weight, kept) + _mean(theirs * weight, own)


def features(channel: FixedVotes | LearntVotes, inputs: Any) -> Tensor | None:
    """The inputs, where the channel looks at them."""
    return inputs if isinstance(channel, LearntVotes) and channel.settings.instances else None


def held_out(
    model: Model, inputs: Inputs, observed: Observed, rows: Tensor, weight: Tensor
) -> float:
    """Mean log p(evidence) of rows that didn't train, in nats, at its best temperature.

    Without the temperature (Guo et al., ICML 2017), training would stop once the network grows too
    sure of itself, though it still gets better at telling the classes apart.
    """
    logits = model.predicted(inputs, rows).double()
    likelihood = model.observed(inputs, observed, rows, weighed=False).double()
    scores = [_mean(log_marginal(sharp * logits, likelihood), weight) for sharp in SHARPNESS]
    return float(torch.stack(scores).max())


def numpy_probs(logits: Tensor) -> NDArray[np.float64]:
    """(n_rows, n_classes) Probabilities."""
    return np.asarray(torch.softmax(logits.double(), dim=1).numpy())


def _mean(losses: Tensor, weight: Tensor) -> Tensor:
    return (losses * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
