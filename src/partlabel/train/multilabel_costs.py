r"""What the labels of rows cost where nobody looked at some: costs by name, some of which learn.

====================  ============  ================================================================
symbol                code          shape, meaning
====================  ============  ================================================================
:math:`e_l`           chance        (n_labels,) log-odds of p(said | present), learnt
:math:`\tilde y`      table         (n_rows, n_labels) log-odds believed of each label of each row
:math:`k`             expected      how many labels a row has on average, seen or not
====================  ============  ================================================================
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from partlabel.errors import InputError
from partlabel.losses import (
    assume_negative,
    asymmetric_loss,
    expected_positives_penalty,
    hill_loss,
    masked_bce,
    missing_label_nll,
    role_loss,
)

Function: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
Chance: TypeAlias = float | ArrayLike | Literal["learnt"]

FASTER = 10.0  # what costs learn, against the network: Cole et al., CVPR 2021, section 5
PULL = 0.003  # heuristic: how firmly the propensities of labels are drawn together
MARKED, UNMARKED = 5.3, 0.4  # where ROLE's table starts: sigmoid(5.3) is 0.995

FUNCTIONS: dict[str, Function] = {
    "masked": masked_bce,
    "assume_negative": lambda logits, present, _: assume_negative(logits, present),
    "asymmetric": lambda logits, present, _: asymmetric_loss(logits, present),
    "hill": lambda logits, present, _: hill_loss(logits, present),
}


class LabelCost(nn.Module):
    """A cost of (logits, present, absent), all (n_rows, n_labels); its parameters learn along."""

    def forward(self, logits: Tensor, present: Tensor, absent: Tensor, rows: Tensor) -> Tensor:
        """Cost of each row, or of each of its labels; the rows stand at these positions."""
        del rows
        return self.held_out(logits, present, absent)

    def held_out(self, logits: Tensor, present: Tensor, absent: Tensor) -> Tensor:
        """The same of rows that don't train."""
        raise NotImplementedError


class Plain(LabelCost):
    """A function, such as `masked_bce`."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def held_out(self, logits: Tensor, present: Tensor, absent: Tensor) -> Tensor:
        """What the function says."""
        return self.function(logits, present, absent)


class Likelihood(LabelCost):
    """How likely what was seen is, given chances to be seen that are known, or learnt.

    A learnt chance maximises the likelihood together with the network. Where nothing is seen to be
    absent, that rests on the network's form: nothing but the level at which its probabilities
    saturate tells a rare label from an overlooked one.

    Parameters
    ----------
    seen_present, seen_absent : float, (n_labels,), or "learnt"
        Chances learnt start at the share of entries that were seen; at a half, if none is absent.
    present, absent : (n_rows, n_labels) bool
        What was seen of all rows.

    Raises
    ------
    InputError
        If a label is seen to be absent that never is, by `seen_absent`.
    """

    def __init__(
        self, seen_present: Chance, seen_absent: Chance, present: Tensor, absent: Tensor
    ) -> None:
        super().__init__()
        n_labels, told = present.shape[1], bool(absent.any())
        start = torch.logit((present | absent).float().mean().clamp(1e-3, 1 - 1e-3))
        start = start if told else torch.zeros_like(start)
        self.chance = nn.Parameter(start.repeat(n_labels)) if _learnt(seen_present) else None
        self.other = nn.Parameter(start.clone()) if told and _learnt(seen_absent) else None
        self._fixed = (
            None if _learnt(seen_present) else _number(seen_present, present.device),
            0.0 if _learnt(seen_absent) else _number(seen_absent, present.device),
        )

        if self.other is None and bool((absent & (torch.as_tensor(self._fixed[1]) == 0)).any()):
            raise InputError(
                f"`seen_absent` must be above 0 for labels that are seen to be absent; got "
                f"{self._fixed[1]}, and {int(absent.sum())} entries are. Give the share, or "
                "'learnt'."
            )

    @property
    def seen_present(self) -> Tensor | float:
        """p(said | present): a number, or (n_labels,)."""
        if self.chance is not None:
            return torch.sigmoid(self.chance)
        assert self._fixed[0] is not None
        return self._fixed[0]

    @property
    def seen_absent(self) -> Tensor | float:
        """p(said | absent): a number, or (n_labels,)."""
        return self._fixed[1] if self.other is None else torch.sigmoid(self.other)

    def held_out(self, logits: Tensor, present: Tensor, absent: Tensor) -> Tensor:
        """(n_rows, n_labels) Negative log-likelihood, and what draws the propensities together."""
        cost = missing_label_nll(
            logits,
            present,
            absent,
            seen_present=self.seen_present,
            seen_absent=self.seen_absent,
        )
        if self.chance is None:
            return cost
        return cost + PULL * (self.chance - self.chance.mean()).square().mean()


class Role(LabelCost):
    """ROLE (`role_loss`) with its table of beliefs; what is seen to be absent costs the network.

    Rows that don't train have no beliefs: theirs is the cost of marks and of the number alone.

    Parameters
    ----------
    expected : float > 0
    present : (n_rows, n_labels) bool
        What was seen to be there, of all rows.
    order : torch.Generator, on the CPU
        Where the beliefs about unmarked labels start.
    """

    def __init__(self, expected: float | None, present: Tensor, order: torch.Generator) -> None:
        super().__init__()
        if expected is None or not expected > 0:
            raise InputError(
                f"`expected_labels` must be above 0 for the objective 'role'; got {expected}. Give "
                "the mean number of labels that a row has, marked or not."
            )
        self.expected = expected
        near = UNMARKED * (2.0 * torch.rand(present.shape, generator=order) - 1.0)
        self.table = nn.Parameter(near.to(present.device).masked_fill_(present, MARKED))

    def forward(self, logits: Tensor, present: Tensor, absent: Tensor, rows: Tensor) -> Tensor:
        """(n_rows,) ROLE's cost."""
        beliefs = self.table[rows.to(self.table.device)]
        seen = masked_bce(logits, torch.zeros_like(absent), absent, share_power=0.0)
        return seen + role_loss(logits, beliefs, present, self.expected)

    def held_out(self, logits: Tensor, present: Tensor, absent: Tensor) -> Tensor:
        """(n_rows,) Cost of marks, and of the number."""
        penalty = expected_positives_penalty(logits, self.expected)
        return penalty + masked_bce(logits, present, absent, share_power=0.0)


def _learnt(chance: Any) -> bool:
    return isinstance(chance, str) and chance == "learnt"


def _number(chance: Any, device: torch.device) -> Tensor | float:
    tensor = torch.as_tensor(chance, dtype=torch.float32)
    return float(tensor) if tensor.ndim == 0 else tensor.to(device)
