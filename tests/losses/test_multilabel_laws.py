"""Laws that every multi-label cost keeps: values per row or label, gradients, dtypes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from partlabel import InputError, losses

N, L = 5, 4
GENERATOR = torch.Generator().manual_seed(0)
PRESENT = torch.rand(N, L, generator=GENERATOR) < 0.3
ABSENT = ~PRESENT & (torch.rand(N, L, generator=GENERATOR) < 0.4)
LOGITS = 2 * torch.randn(N, L, generator=GENERATOR, dtype=torch.float64)
TABLE = torch.randn(N, L, generator=GENERATOR, dtype=torch.float64)
CHANCE = torch.rand(L, generator=GENERATOR, dtype=torch.float64)

Cost = Callable[[Tensor], Tensor]
BY_LABEL: dict[str, Cost] = {
    "likelihood": lambda f: losses.missing_label_nll(
        f, PRESENT, ABSENT, seen_present=CHANCE, seen_absent=0.3
    ),
    "positives": lambda f: losses.positive_unlabelled_nll(f, PRESENT, CHANCE),
    "expected": lambda f: losses.expected_bce(f, CHANCE.expand(N, L).to(f.dtype)),
    "AN": lambda f: losses.assume_negative(f, PRESENT),
    "weak AN": lambda f: losses.assume_negative(f, PRESENT, negative_weight=1 / 3),
    "smooth AN": lambda f: losses.assume_negative(f, PRESENT, smoothing=0.1),
    "ASL": lambda f: losses.asymmetric_loss(f, PRESENT, focus_positive=1.0),
    "ASL, no shift": lambda f: losses.asymmetric_loss(f, PRESENT, shift=0.0, focus_negative=1.0),
    "Hill": lambda f: losses.hill_loss(f, PRESENT),
    "SPLC": lambda f: losses.self_paced_correction(f, PRESENT),
    "large": lambda f: losses.large_loss(f, PRESENT, 0.5),
    "large, corrected": lambda f: losses.large_loss(f, PRESENT, 0.5, correct=True),
}
BY_ROW: dict[str, Cost] = {
    "masked": lambda f: losses.masked_bce(f, PRESENT, ABSENT),
    "masked, half": lambda f: losses.masked_bce(f, PRESENT, ABSENT, share_power=0.5),
    "ROLE": lambda f: losses.role_loss(f, TABLE.to(f.dtype), PRESENT, 1.5),
}
PENALTY: dict[str, Cost] = {"EPR": lambda f: losses.expected_positives_penalty(f, 1.5)}
COSTS = BY_LABEL | BY_ROW | PENALTY
every_cost = pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)


def fresh(dtype: torch.dtype = torch.float64) -> Tensor:
    return LOGITS.clone().to(dtype).requires_grad_()


@pytest.mark.parametrize("cost", BY_LABEL.values(), ids=BY_LABEL)
def test_a_label_has_a_cost_of_its_own(cost: Cost) -> None:
    f = fresh()
    costs = cost(f)
    assert costs.shape == (N, L)
    row, label = next(zip(*PRESENT.nonzero(as_tuple=True), strict=True))
    (slope,) = torch.autograd.grad(costs[row, label], f)
    assert slope.nonzero().tolist() == [[int(row), int(label)]]


@pytest.mark.parametrize("cost", BY_ROW.values(), ids=BY_ROW)
def test_a_row_has_one_cost(cost: Cost) -> None:
    assert cost(fresh()).shape == (N,)


# ROLE teaches each side with the other held fixed: its gradient is not that of its value.
@pytest.mark.parametrize("name", sorted(set(COSTS) - {"ROLE"}))
def test_gradients_are_those_of_the_cost(name: str) -> None:
    assert torch.autograd.gradcheck(COSTS[name], fresh())


@every_cost
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [20.0, 120.0, 1e4])
def test_cost_and_gradient_are_finite_for_extreme_logits(
    cost: Cost, dtype: torch.dtype, scale: float
) -> None:
    for sign in (1, -1):
        f = (sign * scale * torch.sign(LOGITS)).to(dtype).requires_grad_()
        costs = cost(f)
        costs.sum().backward()
        assert costs.isfinite().all()
        assert costs.dtype == torch.float32
        assert f.grad is not None
        assert f.grad.isfinite().all()


@every_cost
def test_under_autocast_costs_are_in_single_precision(cost: Cost) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        costs = cost(fresh(torch.bfloat16))
    assert costs.dtype == torch.float32
    torch.testing.assert_close(costs, cost(fresh(torch.float32)), atol=0.1, rtol=0.1)


@every_cost
def test_costs_compile_whole(cost: Cost) -> None:
    torch.compiler.reset()
    plain, compiled = fresh(), fresh()
    expected = cost(plain)
    costs = torch.compile(cost, backend="aot_eager", fullgraph=True)(compiled)
    torch.testing.assert_close(costs, expected)
    expected.sum().backward()
    costs.sum().backward()
    torch.testing.assert_close(compiled.grad, plain.grad)


@pytest.mark.parametrize("name", sorted(set(BY_LABEL) - {"large", "large, corrected"}))
def test_rows_do_not_depend_on_each_other(name: str) -> None:
    """All but those that rank the batch: renaming labels renames costs."""
    order = torch.tensor([2, 0, 3, 1])
    swapped = LOGITS.clone()
    swapped[1:] = 0.0
    torch.testing.assert_close(COSTS[name](swapped)[0], COSTS[name](LOGITS)[0])
    if name == "AN":
        renamed = losses.assume_negative(LOGITS[:, order], PRESENT[:, order])
        torch.testing.assert_close(renamed, COSTS[name](LOGITS)[:, order])


MARKED = {
    "assume_negative": losses.assume_negative,
    "asymmetric_loss": losses.asymmetric_loss,
    "hill_loss": losses.hill_loss,
    "self_paced_correction": losses.self_paced_correction,
    "large_loss": lambda f, z: losses.large_loss(f, z, 1.0),
    "role_loss": lambda f, z: losses.role_loss(f, f, z, 1.0),
}


@pytest.mark.parametrize("cost", MARKED.values(), ids=MARKED)
def test_marks_of_another_shape_or_kind_are_refused(
    cost: Callable[[Tensor, Tensor], Tensor],
) -> None:
    with pytest.raises(InputError, match=r"`positive` must have the shape"):
        cost(LOGITS, PRESENT[:, :2])
    with pytest.raises(TypeError, match=r"`positive` must be bool; got torch.float64"):
        cost(LOGITS, PRESENT.double())
