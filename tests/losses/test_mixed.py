"""Mixed batches: every row counts once, by its kind, and the report says so."""

import pytest
import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.evidence import KINDS
from partlabel.losses import Contributions, mixed_cost

COST = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
KIND = torch.tensor([0, 1, 2, 3, 4, 2])
WEIGHTS = {"gold": 2.0, "partial": 0.5, "voted": 0.0}


def test_rows_are_weighed_by_their_kind() -> None:
    expected = [cost * WEIGHTS.get(KINDS[k], 1.0) for cost, k in zip(COST, KIND, strict=True)]
    assert mixed_cost(COST, KIND, WEIGHTS).cost.tolist() == [float(cost) for cost in expected]


def test_the_report_adds_up_to_the_cost_and_counts_every_row() -> None:
    cost, contributions = mixed_cost(COST, KIND, WEIGHTS)
    assert contributions.table() == {
        "gold": (1, 2.0),
        "exact": (1, 2.0),
        "partial": (2, 18.0),
        "voted": (1, 0.0),
        "nothing": (1, 16.0),
    }
    assert float(contributions.total.sum()) == float(cost.sum())
    assert int(contributions.rows.sum()) == len(KIND)


def test_reports_of_batches_add_up_to_that_of_all_rows() -> None:
    whole = mixed_cost(COST, KIND, WEIGHTS).contributions
    parts = [mixed_cost(COST[i::2], KIND[i::2], WEIGHTS).contributions for i in (0, 1)]
    assert (parts[0] + parts[1]).table() == whole.table()
    with pytest.raises(TypeError):
        parts[0] + (1, 2)  # a tuple's own addition would join the two


def test_a_mapping_gives_each_row_the_cost_of_its_kind() -> None:
    costs: dict[str, Tensor] = {name: COST + 100.0 * k for k, name in enumerate(KINDS)}
    assert mixed_cost(costs, KIND).cost.tolist() == (COST + 100.0 * KIND).tolist()


def test_rows_of_nothing_cost_nothing_unless_told_otherwise() -> None:
    costs = dict.fromkeys(("gold", "exact", "partial", "voted"), COST)
    assert mixed_cost(costs, KIND).cost.tolist() == [1.0, 2.0, 4.0, 8.0, 0.0, 32.0]


def test_rows_without_weight_have_no_say_even_if_not_a_number() -> None:
    cost = COST.clone().requires_grad_()
    weighed = mixed_cost(torch.where(KIND == 3, torch.nan, cost), KIND, WEIGHTS).cost
    weighed.sum().backward()
    assert cost.grad is not None
    assert cost.grad.tolist() == [2.0, 1.0, 0.5, 0.0, 1.0, 0.5]


def test_the_report_holds_no_graph() -> None:
    _, contributions = mixed_cost(COST.clone().requires_grad_(), KIND)
    assert isinstance(contributions, Contributions)
    assert not contributions.total.requires_grad


def test_what_would_drop_rows_silently_is_refused() -> None:
    with pytest.raises(InputError, match=r"it has none for \['exact', 'voted'\]"):
        mixed_cost({"gold": COST, "partial": COST}, KIND)
    with pytest.raises(InputError, match=r"`cost` must name kinds among 'gold', .*; got 'vote'"):
        mixed_cost({"vote": COST}, KIND)
    with pytest.raises(InputError, match=r"`weights` must name kinds among .*; got 'golden'"):
        mixed_cost(COST, KIND, {"golden": 1.0})


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_a_negative_weight_is_refused(weight: float) -> None:
    with pytest.raises(InputError, match=r"`weights` must not be negative; got .* for 'gold'"):
        mixed_cost(COST, KIND, {"gold": weight})


def test_a_reduced_cost_is_refused() -> None:
    with pytest.raises(InputError, match=r"each of the \(6,\) rows of `kind`; got the shape \(\)"):
        mixed_cost(COST.mean(), KIND)


@pytest.mark.parametrize("kind", [-1, 5])
def test_a_kind_out_of_range_is_refused(kind: int) -> None:
    with pytest.raises((IndexError, RuntimeError)):
        mixed_cost(COST[:1], torch.tensor([kind]))
