import pytest
import torch
from torch.nn.functional import cross_entropy

from partlabel import InputError
from partlabel.losses.noise import backward_correction, forward_correction

CONFUSION = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.9, 0.1], [0.3, 0.3, 0.4]], dtype=torch.float64)


def logits(n_rows: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n_rows, 3, generator=generator, dtype=torch.float64)


LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def test_forward_is_the_probability_of_what_was_said() -> None:
    said = torch.softmax(logits(), -1) @ CONFUSION
    expected = -said[torch.arange(6), LABELS].log()
    torch.testing.assert_close(forward_correction(logits(), LABELS, CONFUSION), expected)


def test_without_noise_both_are_cross_entropy() -> None:
    eye = torch.eye(3, dtype=torch.float64)
    expected = cross_entropy(logits(), LABELS, reduction="none")
    torch.testing.assert_close(forward_correction(logits(), LABELS, eye), expected)
    losses = -torch.log_softmax(logits(), -1)
    torch.testing.assert_close(backward_correction(losses, LABELS, eye), expected)


def test_the_mean_of_backward_over_the_noise_is_the_clean_loss_exactly() -> None:
    losses = logits().exp()  # any loss
    for truth in range(3):
        mean = sum(
            CONFUSION[truth, said] * backward_correction(losses, torch.full((6,), said), CONFUSION)
            for said in range(3)
        )
        torch.testing.assert_close(mean, losses[:, truth])


def test_forward_is_lowest_at_the_clean_posterior() -> None:
    clean = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    said = clean @ CONFUSION

    def risk(at: torch.Tensor) -> torch.Tensor:
        return said @ forward_correction(at.log().expand(3, 3), torch.arange(3), CONFUSION)

    best = risk(clean)
    for other in torch.distributions.Dirichlet(20 * clean).sample((50,)):
        assert risk(other) >= best


def test_gradients_also_those_of_a_learnt_confusion() -> None:
    raw = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    inputs = (logits().requires_grad_(), raw.requires_grad_())
    for cost in (
        lambda f, c: forward_correction(f, LABELS, torch.softmax(c, -1)),
        lambda f, c: backward_correction(-torch.log_softmax(f, -1), LABELS, torch.softmax(c, -1)),
    ):
        assert torch.autograd.gradcheck(cost, inputs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_logits_cost_something_finite(dtype: torch.dtype) -> None:
    extreme = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], dtype=dtype, requires_grad=True)
    confusion = CONFUSION.float()
    cost = forward_correction(extreme, torch.tensor([2, 2]), confusion)
    cost = cost + backward_correction(-torch.log_softmax(extreme, -1), LABELS[:2], confusion)
    cost.sum().backward()
    assert extreme.grad is not None
    assert cost.isfinite().all()
    assert extreme.grad.isfinite().all()


@pytest.mark.filterwarnings(  # torch's own, about how it traces a Function
    "ignore:.*Function'> should not be instantiated:DeprecationWarning"
)
def test_compiled_it_is_the_same() -> None:
    compiled = torch.compile(forward_correction, backend="eager", fullgraph=True)
    expected = forward_correction(logits(), LABELS, CONFUSION)
    torch.testing.assert_close(compiled(logits(), LABELS, CONFUSION), expected)


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"`labels` must have one code for each row .* \(5,\)"):
        forward_correction(logits(), LABELS[:5], CONFUSION)
    with pytest.raises(TypeError, match=r"`labels` must be int64 codes; got torch.float32"):
        backward_correction(logits(), LABELS.float(), CONFUSION)
    with pytest.raises(InputError, match=r"`confusion` must have the shape \(3, 3\); got \(2, 2\)"):
        forward_correction(logits(), LABELS, torch.eye(2))
    with pytest.raises(torch.linalg.LinAlgError, match="singular"):
        backward_correction(logits(), LABELS, torch.full((3, 3), 1 / 3))
