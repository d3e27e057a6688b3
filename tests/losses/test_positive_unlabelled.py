import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from partlabel import InputError
from partlabel.losses.positive_unlabelled import positive_posterior, positive_unlabelled_nll

MARKED = torch.tensor([True, False, False, True, False])


def logits() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(5, generator=generator, dtype=torch.float64)


def test_it_is_the_probability_of_the_mark_summed_over_the_label() -> None:
    for marked, f, cost in zip(
        MARKED, logits(), positive_unlabelled_nll(logits(), MARKED, 0.3), strict=True
    ):
        p = float(torch.sigmoid(f))
        seen = {True: p * 0.3, False: p * 0.7 + (1 - p) * 1.0}[bool(marked)]
        assert float(cost) == pytest.approx(-torch.tensor(seen).log().item(), abs=1e-6)


def test_where_every_positive_is_marked_it_is_binary_cross_entropy() -> None:
    expected = binary_cross_entropy_with_logits(logits(), MARKED.double(), reduction="none")
    torch.testing.assert_close(positive_unlabelled_nll(logits(), MARKED, 1.0), expected)
    assert torch.equal(positive_posterior(logits(), MARKED, 1.0), MARKED.double())


def test_its_gradient_is_that_of_em() -> None:
    f = logits().requires_grad_()
    (slope,) = torch.autograd.grad(positive_unlabelled_nll(f, MARKED, 0.3).sum(), f)
    beliefs = positive_posterior(f.detach(), MARKED, 0.3)
    torch.testing.assert_close(slope, torch.sigmoid(f.detach()) - beliefs)


def test_the_truth_is_lowest_at_a_known_propensity() -> None:
    p = torch.tensor(0.6, dtype=torch.float64)
    both = torch.tensor([True, False])

    def risk(at: torch.Tensor) -> torch.Tensor:
        cost = positive_unlabelled_nll(torch.logit(at).expand(2), both, 0.3)
        return p * 0.3 * cost[0] + (1 - p * 0.3) * cost[1]

    assert all(risk(p) <= risk(at) for at in torch.linspace(0.01, 0.99, 99, dtype=torch.float64))


def test_a_learnt_propensity_finds_the_share_where_the_labels_are_known() -> None:
    raw = torch.zeros((), dtype=torch.float64, requires_grad=True)
    marked = torch.arange(100) < 20
    sure = torch.where(torch.arange(100) < 80, 50.0, -50.0).double()  # 20 of 80 are marked
    optimiser = torch.optim.LBFGS([raw], max_iter=50)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        cost = positive_unlabelled_nll(sure, marked, torch.sigmoid(raw)).sum()
        cost.backward()
        return cost

    optimiser.step(closure)
    assert torch.sigmoid(raw).item() == pytest.approx(0.25, abs=1e-4)


def test_gradients_of_logits_and_propensity() -> None:
    raw = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(
        lambda f, e: positive_unlabelled_nll(f, MARKED, torch.sigmoid(e)),
        (logits().requires_grad_(), raw.requires_grad_()),
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("chance", [1e-3, 0.5, 1.0])
def test_extreme_logits_cost_something_finite(dtype: torch.dtype, chance: float) -> None:
    f = torch.tensor([1e4, -1e4, 1e4, -1e4, 0.0], dtype=dtype, requires_grad=True)
    propensity = torch.tensor(chance, requires_grad=True)
    cost = positive_unlabelled_nll(f, MARKED, propensity)
    cost.sum().backward()
    assert cost.isfinite().all()
    for held in (f, propensity):
        assert held.grad is not None
        assert held.grad.isfinite().all()
    beliefs = positive_posterior(f, MARKED, propensity)
    assert ((beliefs >= 0) & (beliefs <= 1)).all()


def test_it_takes_a_propensity_for_each_label() -> None:
    f = logits().expand(3, 5)
    each = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
    found = positive_unlabelled_nll(f, MARKED.expand(3, 5), each)
    for j in range(5):
        one = positive_unlabelled_nll(f[:, j], MARKED.expand(3, 5)[:, j], float(each[j]))
        torch.testing.assert_close(found[:, j], one)


def test_compiled_it_is_the_same() -> None:
    compiled = torch.compile(positive_unlabelled_nll, backend="eager", fullgraph=True)
    expected = positive_unlabelled_nll(logits(), MARKED, 0.3)
    torch.testing.assert_close(compiled(logits(), MARKED, 0.3), expected)


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"`propensity` must lie in \(0, 1\]; got 0.0"):
        positive_unlabelled_nll(logits(), MARKED, 0.0)
    with pytest.raises(InputError, match=r"`positive` must have the shape of `logits`, \(5,\)"):
        positive_posterior(logits(), MARKED[:4], 0.5)
    with pytest.raises(TypeError, match=r"`positive` must be bool; got torch.int64"):
        positive_unlabelled_nll(logits(), MARKED.long(), 0.5)
