r"""Objectives: what a minibatch costs, given the network and what was observed.

=============================  ==============  ==============================================
symbol                         code            shape
=============================  ==============  ==============================================
:math:`f_\theta(x_i)`          logits          (n_rows, n_classes)
:math:`\log p(o_i | y)`        log_likelihood  (n_rows, n_classes)
:math:`b_i(y)`                 beliefs         (n_rows, n_classes), kept between the epochs
=============================  ==============  ==============================================
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses import expected_nll, hard_nll, marginal_nll, posterior
from partlabel.train.running import RunningBeliefs

EASIEST = 0.5  # heuristic: no class has a bar below this share of the common one

Function: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class Objective(Protocol):
    """A cost of rows; it may keep beliefs about them between the epochs."""

    on_all_rows: bool  # whether rows about which nothing is known teach it anything
    keeps_beliefs: bool  # whether it must hear what the network says of the rows as they are

    def begin(self, epoch: int) -> None:
        """Get ready for an epoch."""
        ...

    def hear(self, logits: Tensor, log_likelihood: Tensor, rows: Tensor) -> None:
        """Bring the beliefs about some rows, given by their positions, up to date."""
        ...

    def __call__(self, logits: Tensor, log_likelihood: Tensor, rows: Tensor) -> Tensor:
        """(n_rows,) The cost of each row."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What changes in training."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Take back what `state_dict` gave."""
        ...


class Plain:
    """A function of (logits, log_likelihood), such as `marginal_nll`."""

    on_all_rows = False
    keeps_beliefs = False

    def __init__(self, function: Function) -> None:
        self.function = function

    def begin(self, epoch: int) -> None:
        """Nothing changes from epoch to epoch."""

    def hear(self, logits: Tensor, log_likelihood: Tensor, rows: Tensor) -> None:
        """Nothing is believed."""

    def __call__(self, logits: Tensor, log_likelihood: Tensor, rows: Tensor) -> Tensor:
        """(n_rows,) What the function says."""
        costs = self.function(logits, log_likelihood)
        if costs.shape != logits.shape[:1]:
            raise InputError(
                f"`objective` must give a cost for each of the {len(logits)} rows; got the shape "
                f"{tuple(costs.shape)}. Take no mean: the rows are weighed afterwards."
            )
        return costs

    def state_dict(self) -> dict[str, Any]:
        """Nothing is kept."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing was kept."""


class Expected(Plain):
    """The cost expected under beliefs that stay as they are."""

    def __init__(self, beliefs: RunningBeliefs) -> None:
        super().__init__(expected_nll)
        self.beliefs = beliefs

    def __call__(self, logits: Tensor, log_likelihood: Tensor, rows: Tensor) -> Tensor:
        """(n_rows,) Cross-entropy to the beliefs."""
        return self.function(logits, self.beliefs[rows])


class RunningEM(Expected):
    """The cost expected under beliefs that follow the network and the evidence."""

    keeps_beliefs = True

    def hear(self, logits: Tensor, log_likelihood: Tensor, rows: Tensor) -> None:
        """Move the beliefs towards what network and evidence say together."""
        with torch.no_grad():
            self.beliefs.update(rows, posterior(logits, log_likelihood))

    def state_dict(self) -> dict[str, Any]:
        """The beliefs."""
        return self.beliefs.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the beliefs back."""
        self.beliefs.load_state_dict(state)


class Pseudo(RunningEM):
    r"""Train on the surest class of network and evidence together, where it is sure enough.

    A row takes part where the belief in its likeliest class k reaches
    :math:`\tau_k = \tau \, \beta_k / (2 - \beta_k)`, with :math:`\beta_k` the number of rows that
    are sure of k, as a share of that of the commonest class: classes that are learnt slowly have a
    lower bar, but no lower than half (FlexMatch: Zhang et al., NeurIPS 2021, eq. 5, 6 and 11).

    Parameters
    ----------
    beliefs : RunningBeliefs
    threshold : (first, last)
        The bar :math:`\tau`; it goes from first to last over the `ramp`.
    ramp : int
        Epochs.
    balanced : bool
        False: one bar for all classes.
    """

    on_all_rows = True

    def __init__(
        self, beliefs: RunningBeliefs, threshold: tuple[float, float], ramp: int, *, balanced: bool
    ) -> None:
        super().__init__(beliefs)
        self.threshold, self.ramp, self.balanced = threshold, ramp, balanced
        self.bars = torch.zeros(beliefs.probs.shape[1], device=beliefs.probs.device)

    def begin(self, epoch: int) -> None:
        """Set the bar of each class."""
        first, last = self.threshold
        bar = first + (last - first) * min(epoch / max(self.ramp, 1), 1.0)
        self.bars = torch.full_like(self.bars, bar)
        if self.balanced:
            top, code = self.beliefs.probs.max(dim=1)
            sure = torch.bincount(code[top >= bar], minlength=len(self.bars)).float()
            ease = sure / sure.max().clamp(min=1.0)
            self.bars = bar * torch.clamp(ease / (2.0 - ease), min=EASIEST)

    def state_dict(self) -> dict[str, Any]:
        """The beliefs, and the bars: these are of the beliefs with which an epoch began."""
        return {**super().state_dict(), "bars": self.bars}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take both back."""
        super().load_state_dict(state)
        self.bars = state["bars"].to(self.bars.device)

    def __call__(self, logits: Tensor, log_likelihood: Tensor, rows: Tensor) -> Tensor:
        """(n_rows,) Cross-entropy to the surest class; 0 where it isn't sure enough."""
        believed = self.beliefs[rows]
        alone = (believed == believed.amax(1, keepdim=True)).sum(1) == 1  # a tie decides nothing
        return hard_nll(logits, believed, self.bars.to(logits.device)).cost * alone


NAMES = ("marginal", "expected", "em", "pseudo")


def made(
    objective: str | Function,
    beliefs: Callable[[], RunningBeliefs],
    *,
    threshold: float | tuple[float, float],
    ramp: int,
    balanced: bool,
) -> Objective:
    """Make an objective of its name, or of a function of (logits, log_likelihood).

    Raises
    ------
    InputError
        If the name is unknown, or a threshold out of range.
    """
    if callable(objective):
        return Plain(objective)
    if objective == "marginal":
        return Plain(marginal_nll)
    if objective == "expected":
        return Expected(beliefs())
    if objective == "em":
        return RunningEM(beliefs())
    if objective == "pseudo":
        first, last = threshold if isinstance(threshold, tuple) else (threshold, threshold)
        if not (0.0 <= first <= 1.0 and 0.0 <= last <= 1.0):
            raise InputError(f"`threshold` must lie in [0, 1]; got {threshold}.")
        return Pseudo(beliefs(), (first, last), ramp, balanced=balanced)
    raise InputError(
        f"`objective` must be one of {', '.join(map(repr, NAMES))}, or a function of (logits, "
        f"log_likelihood); got {objective!r}."
    )
