"""Mixed batches: exact, candidate, voted and missing rows together, and what each contributes."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.evidence import KINDS


class Contributions(NamedTuple):
    """What the rows of each kind add to the cost; add those of batches up, and read them once.

    Attributes
    ----------
    rows : (n_kinds,) int64
        How many rows were of each of `partlabel.evidence.KINDS`, those of weight 0 too.
    total : (n_kinds,) float
        Their weighted costs, added up; detached.
    """

    rows: Tensor
    total: Tensor

    def __add__(self, other: object) -> "Contributions":
        if not isinstance(other, Contributions):
            return NotImplemented
        return Contributions(self.rows + other.rows, self.total + other.total)

    def table(self) -> dict[str, tuple[int, float]]:
        """Give (rows, total cost) by kind; waits for the device."""
        found = zip(KINDS, self.rows.tolist(), self.total.tolist(), strict=True)
        return {name: (rows, total) for name, rows, total in found}


class Mixed(NamedTuple):
    """What `mixed_cost` gives back.

    Attributes
    ----------
    cost : (n_rows,) float
        Weighted.
    contributions : Contributions
    """

    cost: Tensor
    contributions: Contributions


def mixed_cost(
    cost: Tensor | Mapping[str, Tensor],
    kind: Tensor,
    weights: Mapping[str, float] | None = None,
) -> Mixed:
    """Weigh the costs of rows by what is known of them, and report what each kind adds.

    `marginal_nll` is one cost for all kinds. Give a mapping where kinds are to differ: say, a
    bounded cost for candidates, beliefs of a label model for votes, a consistency cost for rows
    without labels. Each is for all rows of the batch, of which those of its kind count.

    Parameters
    ----------
    cost : (n_rows,) float, or a mapping of kind to (n_rows,) float
        A mapping names every kind whose weight isn't 0; rows of "nothing" may be left out of it,
        and then cost 0. Rows of other kinds are not looked at, be they NaN; but where their
        derivative is, so is the gradient.
    kind : (n_rows,) int
        The kind of each row, as a position in `partlabel.evidence.KINDS` (gold, exact, partial,
        voted, nothing): what `evidence_tensors` gives.
    weights : mapping of kind to float, default None
        1 for the kinds that it doesn't name. 0 leaves rows out, and the report says how many.

    Returns
    -------
    Mixed
        The weighted cost of each row, and the contributions of each kind.

    Raises
    ------
    InputError
        If a mapping names an unknown kind or lacks one, a weight is negative, or the shapes differ.
    IndexError or RuntimeError
        If a kind is out of range, from torch.

    Examples
    --------
    >>> kind = torch.tensor([0, 2, 2, 4])
    >>> cost, contributions = mixed_cost(torch.tensor([1.0, 2.0, 3.0, 0.0]), kind, {"partial": 0.5})
    >>> cost
    tensor([1.0000, 1.0000, 1.5000, 0.0000])
    >>> contributions.table()["partial"]
    (2, 2.5)
    """
    weights = weights or {}
    _check_names("weights", weights)
    bad = [name for name, weight in weights.items() if not weight >= 0.0]
    if bad:
        raise InputError(
            f"`weights` must not be negative; got {weights[bad[0]]} for {bad[0]!r}. "
            "0 leaves the rows of a kind out."
        )
    by_kind = [float(weights.get(name, 1.0)) for name in KINDS]
    if isinstance(cost, Mapping):
        cost = _chosen(cost, kind, by_kind)
    if cost.shape != kind.shape:
        raise InputError(
            f"`cost` must have one value for each of the {tuple(kind.shape)} rows of `kind`; "
            f"got the shape {tuple(cost.shape)}. Don't reduce it."
        )
    weight = torch.tensor(by_kind, dtype=cost.dtype, device=cost.device).index_select(0, kind)
    weighted = torch.where(weight == 0.0, torch.zeros_like(cost), weight * cost)
    rows = torch.zeros(len(KINDS), dtype=torch.int64, device=cost.device)
    rows = rows.index_add(0, kind, torch.ones_like(kind, dtype=torch.int64))
    total = torch.zeros(len(KINDS), dtype=cost.dtype, device=cost.device)
    total = total.index_add(0, kind, weighted.detach())
    return Mixed(weighted, Contributions(rows, total))


def _chosen(costs: Mapping[str, Tensor], kind: Tensor, weights: list[float]) -> Tensor:
    """(n_rows,) For each row, the cost of its kind."""
    _check_names("cost", costs)
    lacking = [
        name
        for name, weight in zip(KINDS, weights, strict=True)
        if weight and name not in costs and name != "nothing"
    ]
    if lacking:
        raise InputError(
            f"`cost` must have an entry for each kind of rows; it has none for {lacking}. "
            "Add it, or give these kinds the weight 0."
        )
    chosen = torch.zeros_like(next(iter(costs.values())))
    for name, cost in costs.items():
        chosen = torch.where(kind == KINDS.index(name), cost, chosen)
    return chosen


def _check_names(what: str, given: Mapping[str, object]) -> None:
    unknown = [name for name in given if name not in KINDS]
    if unknown:
        raise InputError(
            f"`{what}` must name kinds among {', '.join(map(repr, KINDS))}; got {unknown[0]!r}. "
            "Correct the name."
        )
