"""Laws that every cost keeps: one value per row, gradients, extreme logits, dtypes, compilation."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from partlabel import losses

N, K = 6, 5
INF = torch.inf


def candidates() -> Tensor:
    """Rows with 1, 2, 3, 4, K and again K - 1 candidates."""
    mask = torch.zeros(N, K, dtype=torch.bool)
    for row, members in enumerate([[2], [0, 4], [1, 2, 3], [0, 1, 2, 4], range(K), [1, 2, 3, 4]]):
        mask[row, list(members)] = True
    return mask


CANDIDATES = candidates()
KNOWN = losses.candidate_log_likelihood(CANDIDATES, dtype=torch.float64)
# log-likelihoods as votes give them, ruling nothing out
VOTED = -3.0 * torch.rand(N, K, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
BELIEFS = torch.softmax(VOTED, -1)
KIND = torch.tensor([0, 1, 2, 3, 4, 2])

COSTS: dict[str, Callable[[Tensor], Tensor]] = {
    "marginal, sets": lambda x: losses.marginal_nll(x, KNOWN.to(x.dtype)),
    "marginal, votes": lambda x: losses.marginal_nll(x, VOTED.to(x.dtype)),
    "bounded": lambda x: losses.bounded(losses.log_marginal(x, KNOWN.to(x.dtype)), 0.7),
    "mean absolute": lambda x: losses.bounded(losses.log_marginal(x, KNOWN.to(x.dtype)), 1.0),
    "exponential": lambda x: losses.exponential(losses.log_marginal(x, KNOWN.to(x.dtype))),
    "expected": lambda x: losses.expected_nll(x, BELIEFS.to(x.dtype)),
    "expected, bounded": lambda x: losses.expected_loss(
        losses.bounded(losses.log_probs(x), 0.7), BELIEFS.to(losses.log_probs(x).dtype)
    ),
    "tempered": lambda x: losses.tempered_nll(x, KNOWN.to(x.dtype), 4.0),
    "tempered, hot": lambda x: losses.tempered_nll(x, KNOWN.to(x.dtype), INF),
    "hard": lambda x: losses.hard_nll(x, BELIEFS.to(x.dtype), 0.3).cost,
    "average": lambda x: losses.average_nll(x, CANDIDATES),
    "running": lambda x: losses.expected_nll(
        x, losses.updated_beliefs(BELIEFS.to(x.dtype), x, KNOWN.to(x.dtype), momentum=0.9)
    ),
    "negative": lambda x: losses.negative_nll(x, ~CANDIDATES),
    "unbiased": lambda x: losses.unbiased_complementary(-losses.log_probs(x), VOTED < -2),
    "entropy": losses.entropy,
    "entropy in the set": lambda x: losses.entropy(
        losses.log_probs(x) + KNOWN.to(losses.log_probs(x).dtype)
    ),
    "dispersion": lambda x: losses.dispersion(x, BELIEFS.to(x.dtype)),
    "mixed": lambda x: (
        losses.mixed_cost(
            {
                "gold": losses.marginal_nll(x, KNOWN.to(x.dtype)),
                "exact": losses.average_nll(x, CANDIDATES),
                "partial": losses.marginal_nll(x, KNOWN.to(x.dtype)),
                "voted": losses.expected_nll(x, BELIEFS.to(x.dtype)),
            },
            KIND,
            {"partial": 0.5},
        ).cost
    ),
}
every_cost = pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
# What the running mean believes comes from the logits too, and is held fixed on purpose.
SMOOTH = {name: cost for name, cost in COSTS.items() if name != "running"}
smooth = pytest.mark.parametrize("cost", SMOOTH.values(), ids=SMOOTH)


def some_logits(dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    logits = 2.0 * torch.randn(N, K, dtype=torch.float64, generator=generator)
    return logits.to(dtype).requires_grad_()


@smooth
def test_gradients_are_those_of_the_cost(cost: Callable[[Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(cost, some_logits())
    assert torch.autograd.gradgradcheck(cost, some_logits(), fast_mode=True)


@every_cost
def test_a_row_has_one_cost_of_its_own(cost: Callable[[Tensor], Tensor]) -> None:
    logits = some_logits()
    costs = cost(logits)
    assert costs.shape == (N,)
    assert costs.dtype == logits.dtype
    (gradient,) = torch.autograd.grad(costs[1], logits)
    assert (gradient.abs().sum(-1) > 0).tolist() == [False, True] + [False] * (N - 2)


@every_cost
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [20.0, 120.0, 1e4])
def test_cost_and_gradient_are_finite_for_extreme_logits(
    cost: Callable[[Tensor], Tensor], dtype: torch.dtype, scale: float
) -> None:
    for favoured in range(K):
        logits = torch.full((N, K), -scale, dtype=dtype)
        logits[:, favoured] = scale
        logits.requires_grad_()
        costs = cost(logits)
        costs.sum().backward()
        assert costs.isfinite().all()
        assert costs.dtype == torch.float32
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


@every_cost
def test_under_autocast_costs_are_in_single_precision(cost: Callable[[Tensor], Tensor]) -> None:
    exact = cost(some_logits(torch.float32))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        costs = cost(some_logits(torch.bfloat16))
    assert costs.dtype == torch.float32
    torch.testing.assert_close(costs, exact, atol=0.05, rtol=0.05)


@every_cost
@pytest.mark.filterwarnings(  # torch's own, about how it traces a Function
    "ignore:.*Function'> should not be instantiated:DeprecationWarning"
)
def test_costs_compile_whole(cost: Callable[[Tensor], Tensor]) -> None:
    torch.compiler.reset()
    plain, compiled = some_logits(), some_logits()
    expected = cost(plain)
    costs = torch.compile(cost, backend="aot_eager", fullgraph=True)(compiled)
    torch.testing.assert_close(costs, expected)
    expected.sum().backward()
    costs.sum().backward()
    torch.testing.assert_close(compiled.grad, plain.grad)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_cost_stays_on_the_device() -> None:
    logits = some_logits(torch.float32).detach().cuda()
    cost, contributions = losses.mixed_cost(
        losses.marginal_nll(logits, KNOWN.to(logits)), KIND.cuda()
    )
    assert (cost.device, contributions.total.device) == (logits.device, logits.device)
