import pytest
import torch
from torch.nn.functional import cross_entropy

from partlabel import InputError
from partlabel.losses.noise_robust import (
    early_learning,
    generalised_cross_entropy,
    symmetric_cross_entropy,
)

LABELS = torch.tensor([0, 1, 2, 0])


def logits() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(4, 3, generator=generator, dtype=torch.float64)


def probs() -> torch.Tensor:
    return torch.softmax(logits(), -1)[torch.arange(4), LABELS]


def targets() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.softmax(torch.randn(4, 3, generator=generator, dtype=torch.float64), -1)


def test_gce_leads_from_cross_entropy_to_the_mean_absolute_error() -> None:
    plain = cross_entropy(logits(), LABELS, reduction="none")
    torch.testing.assert_close(generalised_cross_entropy(logits(), LABELS, q=0.0), plain)
    torch.testing.assert_close(generalised_cross_entropy(logits(), LABELS, q=1.0), 1 - probs())
    expected = (1 - probs() ** 0.7) / 0.7
    torch.testing.assert_close(generalised_cross_entropy(logits(), LABELS), expected)


def test_the_mean_absolute_error_adds_up_to_the_same_over_all_labels() -> None:
    every = [generalised_cross_entropy(logits(), torch.full((4,), k), q=1.0) for k in range(3)]
    torch.testing.assert_close(sum(every), torch.full((4,), 2.0, dtype=torch.float64))


def test_symmetric_cross_entropy_is_the_sum_of_both_directions() -> None:
    p = torch.softmax(logits(), -1)
    log_label = torch.where(torch.eye(3, dtype=torch.bool)[LABELS], 0.0, -4.0).double()
    expected = 0.1 * -probs().log() + 1.0 * -(p * log_label).sum(-1)
    torch.testing.assert_close(symmetric_cross_entropy(logits(), LABELS), expected)


def test_early_learning_is_its_formula_and_moves_its_targets() -> None:
    p = torch.softmax(logits(), -1)
    moved = 0.7 * targets() + 0.3 * p
    expected = -probs().log() + 3.0 * (1 - (p * moved).sum(-1)).log()
    cost, new = early_learning(logits(), LABELS, targets())
    torch.testing.assert_close(cost, expected)
    torch.testing.assert_close(new, moved)


def test_early_learning_without_weight_is_cross_entropy_and_leaves_its_input_alone() -> None:
    kept = targets()
    cost, _ = early_learning(logits(), LABELS, kept, weight=0.0)
    torch.testing.assert_close(cost, cross_entropy(logits(), LABELS, reduction="none"))
    assert torch.equal(kept, targets())


def test_early_learning_pushes_a_doubted_label_less_than_cross_entropy() -> None:
    sure_of_another = torch.tensor([[0.0, 3.0, 0.0]], requires_grad=True)
    cost, _ = early_learning(
        sure_of_another, torch.tensor([0]), torch.softmax(sure_of_another.detach(), -1)
    )
    (slope,) = torch.autograd.grad(cost.sum(), sure_of_another)
    (plain,) = torch.autograd.grad(
        cross_entropy(sure_of_another, torch.tensor([0])), sure_of_another
    )
    assert slope[0, 1] < 0 < plain[0, 1]


COSTS = {
    "gce": generalised_cross_entropy,
    "mae": lambda f, y: generalised_cross_entropy(f, y, q=1.0),
    "sce": symmetric_cross_entropy,
    "elr": lambda f, y: early_learning(f, y, targets()[: len(y)].to(f.dtype))[0],
}


@pytest.mark.parametrize("name", ["gce", "mae", "sce"])
def test_gradients(name: str) -> None:
    assert torch.autograd.gradcheck(lambda f: COSTS[name](f, LABELS), logits().requires_grad_())


def test_the_gradient_of_early_learning_takes_its_target_as_given() -> None:
    _, new = early_learning(logits(), LABELS, targets())

    def cost(f: torch.Tensor) -> torch.Tensor:
        p = torch.softmax(f, -1)
        return -p[torch.arange(4), LABELS].log() + 3.0 * (1 - (p * new).sum(-1)).log()

    f = logits().requires_grad_()
    (expected,) = torch.autograd.grad(cost(f).sum(), f)
    (found,) = torch.autograd.grad(early_learning(f, LABELS, targets())[0].sum(), f)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_logits_cost_something_finite(name: str, dtype: torch.dtype) -> None:
    extreme = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, -20.0]], dtype=dtype, requires_grad=True)
    cost = COSTS[name](extreme, torch.tensor([1, 1]))
    cost.sum().backward()
    assert extreme.grad is not None
    assert cost.isfinite().all()
    assert extreme.grad.isfinite().all()


def test_early_learning_stays_finite_where_the_target_is_a_sure_prediction() -> None:
    """The published difference 1 - <p, t> is zero here, and its logarithm -inf."""
    sure = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    cost, new = early_learning(sure, torch.tensor([0]), torch.tensor([[1.0, 0.0, 0.0]]))
    cost.sum().backward()
    assert cost.isfinite().all()
    assert new.isfinite().all()
    assert sure.grad is not None
    assert sure.grad.isfinite().all()


def test_under_autocast_costs_are_wide() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = torch.ones(2, 3) @ torch.ones(3, 3)
        assert outputs.dtype == torch.bfloat16
        for cost in COSTS.values():
            assert cost(outputs, LABELS[:2]).dtype == torch.float32


@pytest.mark.parametrize("name", COSTS)
def test_compiled_it_is_the_same(name: str) -> None:
    compiled = torch.compile(COSTS[name], backend="eager")
    torch.testing.assert_close(compiled(logits(), LABELS), COSTS[name](logits(), LABELS))


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"`q` must lie in \[0, 1\]; got 2"):
        generalised_cross_entropy(logits(), LABELS, q=2)
    with pytest.raises(InputError, match=r"`floor` below 0; got 0\.1, 1\.0 and 4"):
        symmetric_cross_entropy(logits(), LABELS, floor=4)
    with pytest.raises(InputError, match=r"`momentum` lie in \[0, 1\); got 3.0 and 1.0"):
        early_learning(logits(), LABELS, targets(), momentum=1.0)
    with pytest.raises(InputError, match=r"`targets` must have the shape .* Start with zeros"):
        early_learning(logits(), LABELS, targets()[:2])
    with pytest.raises(InputError, match="`labels` must have one code for each row"):
        generalised_cross_entropy(logits(), LABELS[:2])
