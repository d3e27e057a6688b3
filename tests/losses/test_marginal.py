"""The marginal cost, against enumeration in exact arithmetic and the costs that it generalises."""

from math import exp, fsum, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from partlabel import Candidates, LabelSpace
from partlabel.errors import InputError
from partlabel.losses import (
    candidate_log_likelihood,
    evidence_tensors,
    log_marginal,
    log_probs,
    marginal_nll,
    posterior,
)
from partlabel.losses.marginal import CACHED

INF = torch.inf
numbers = st.floats(-30, 30)


def by_hand(logits: list[float], log_likelihood: list[float]) -> float:
    """The cost of one row, in plain Python."""
    joint = fsum(exp(x + ll) for x, ll in zip(logits, log_likelihood, strict=True))
    return log(fsum(exp(x) for x in logits)) - log(joint)


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=6))
def test_cost_is_that_of_plain_arithmetic(pairs: list[tuple[float, float]]) -> None:
    logits, likelihood = (
        torch.tensor(side, dtype=torch.float64) for side in zip(*pairs, strict=True)
    )
    cost = float(marginal_nll(logits, likelihood))
    assert cost == pytest.approx(by_hand(logits.tolist(), likelihood.tolist()), abs=1e-9)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_an_exact_label_is_cross_entropy() -> None:
    logits, label = 5 * random(50, 7), torch.arange(50) % 7
    one = candidate_log_likelihood(torch.nn.functional.one_hot(label, 7))
    expected = cross_entropy(logits, label, reduction="none")
    torch.testing.assert_close(marginal_nll(logits, one), expected, atol=1e-6, rtol=0)


def test_candidates_are_forward_correction_with_a_channel_of_zeros_and_ones() -> None:
    logits = random(4, 3)
    seen_as = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # classes 0 and 1 look alike
    corrected = (torch.softmax(logits, -1) @ seen_as)[:, 0].log().neg()
    sets = candidate_log_likelihood(torch.tensor([1, 1, 0]))
    torch.testing.assert_close(marginal_nll(logits, sets), corrected)


def test_gradient_is_softmax_less_posterior() -> None:
    logits, likelihood = random(20, 4).requires_grad_(), random(20, 4, seed=1)
    marginal_nll(logits, likelihood).sum().backward()
    expected = torch.softmax(logits, -1) - posterior(logits, likelihood)
    torch.testing.assert_close(logits.grad, expected.detach())


def test_gradient_by_a_learnt_likelihood_is_the_posterior() -> None:
    logits, likelihood = random(20, 4), random(20, 4, seed=1).requires_grad_()
    log_marginal(logits, likelihood).sum().backward()
    torch.testing.assert_close(likelihood.grad, posterior(logits, likelihood).detach())


def test_nothing_known_costs_nothing_and_has_no_gradient() -> None:
    logits = (100 * random(20, 1000)).requires_grad_()
    cost = marginal_nll(logits, torch.zeros(1000))
    cost.sum().backward()
    assert logits.grad is not None
    assert not cost.any()
    assert not logits.grad.any()


def test_a_constant_moves_the_cost_alone() -> None:
    logits = (10 * random(20, 1000)).requires_grad_()
    cost = marginal_nll(logits, torch.full((1000,), -2.5))
    cost.sum().backward()
    torch.testing.assert_close(cost, torch.full((20,), 2.5), atol=1e-5, rtol=0)
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-5


def test_gradient_by_one_likelihood_for_all_rows_is_added_up() -> None:
    logits, likelihood = random(20, 4), random(4, seed=1).requires_grad_()
    log_marginal(logits, likelihood).sum().backward()
    torch.testing.assert_close(likelihood.grad, posterior(logits, likelihood).sum(0).detach())


@pytest.mark.parametrize("learnt", [False, True])
def test_a_batch_too_large_for_the_cache_is_the_sum_of_its_parts(learnt: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    logits = (9 * torch.randn(5, 7, 16_000, generator=draw)).requires_grad_()
    seen = torch.randn(7, 16_000, generator=draw).requires_grad_(learnt)
    assert logits[0].numel() < CACHED < logits.numel() < 3 * CACHED
    inputs = (logits, seen) if learnt else (logits,)
    whole = marginal_nll(logits, seen)
    assert_close(whole, torch.stack([marginal_nll(part, seen) for part in logits]))
    plain = -torch.logsumexp(torch.log_softmax(logits, -1) + seen, -1)
    assert_close(whole, plain, rtol=1e-5, atol=1e-5)
    given = torch.autograd.grad(whole.sum(), inputs)
    assert_close(given, torch.autograd.grad(plain.sum(), inputs), rtol=1e-4, atol=1e-6)
    by_vmap = torch.func.vmap(marginal_nll, in_dims=(0, None))(logits, seen)
    assert_close(by_vmap, whole)


def test_hessian_is_that_of_the_plain_formula() -> None:
    def plain(logits: Tensor, likelihood: Tensor) -> Tensor:
        return -torch.logsumexp(torch.log_softmax(logits, -1) + likelihood, -1).sum()

    def ours(logits: Tensor, likelihood: Tensor) -> Tensor:
        return marginal_nll(logits, likelihood).sum()

    given = random(2, 3), random(2, 3, seed=1)
    found, expected = (torch.autograd.functional.hessian(f, given) for f in (ours, plain))
    torch.testing.assert_close(found, expected)


def test_gradients_of_single_rows_by_torch_func() -> None:
    logits, likelihood = random(5, 3), random(5, 3, seed=1)
    by_row = torch.func.vmap(torch.func.grad(marginal_nll))(logits, likelihood)
    torch.testing.assert_close(by_row, torch.softmax(logits, -1) - posterior(logits, likelihood))


def test_one_more_candidate_never_costs_more() -> None:
    logits, inside = random(30, 5), random(30, 5, seed=1) > 0
    inside[:, 0] = True
    more = inside.clone()
    more[:, 3] = True
    wide, narrow = (marginal_nll(logits, candidate_log_likelihood(m)) for m in (more, inside))
    assert (wide <= narrow + 1e-6).all()


def test_renaming_classes_and_shifting_logits_change_nothing() -> None:
    logits, likelihood, order = random(9, 4), random(9, 4, seed=1), torch.tensor([2, 0, 3, 1])
    cost = marginal_nll(logits, likelihood)
    torch.testing.assert_close(marginal_nll(logits[:, order], likelihood[:, order]), cost)
    torch.testing.assert_close(marginal_nll(logits + 8.0, likelihood), cost)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_set_that_the_network_rules_out_costs_the_gap(dtype: torch.dtype) -> None:
    logits = torch.tensor([[120.0, 0.0, 0.0], [20.0, 0.0, 0.0]], dtype=dtype)
    cost = marginal_nll(logits, torch.tensor([-INF, 0.0, 0.0]))
    torch.testing.assert_close(cost, torch.tensor([120.0, 20.0]) - log(2))


def test_a_class_that_the_logits_rule_out_stays_so() -> None:
    logits = torch.tensor([[0.0, 0.0, -INF]], requires_grad=True)
    cost = marginal_nll(logits, torch.tensor([0.0, -INF, 0.0]))
    cost.sum().backward()
    assert cost.tolist() == pytest.approx([log(2)])
    assert logits.grad is not None
    assert logits.grad.tolist() == [[-0.5, 0.5, 0.0]]


def test_evidence_that_rules_out_everything_costs_infinitely_much() -> None:
    assert marginal_nll(torch.zeros(1, 2), torch.full((1, 2), -INF)).tolist() == [INF]


def test_posterior_of_an_impossible_set_is_no_zero_by_zero() -> None:
    logits = torch.tensor([[1e4, -1e4, -1e4, 0.0]])
    seen = posterior(logits, torch.tensor([-INF, 0.0, 0.0, -INF]))
    assert seen.tolist() == [[0.0, 0.5, 0.5, 0.0]]


def test_half_precision_is_read_in_single() -> None:
    logits = random(3, 4).half()
    assert log_probs(logits).dtype == torch.float32
    torch.testing.assert_close(log_probs(logits), log_probs(logits.float()))


def test_a_mask_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`log_likelihood` must be .* got torch.bool. For a mask"):
        marginal_nll(torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool))


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(InputError, match=r"must have the 3 classes .* got the shape \(2, 1\)"):
        marginal_nll(torch.zeros(2, 3), torch.zeros(2, 1))


def test_evidence_in_place_of_its_likelihood_is_refused() -> None:
    evidence = evidence_tensors(Candidates.from_lists([["a"]], LabelSpace(["a", "b"])))
    with pytest.raises(TypeError, match="Pass its `log_likelihood`"):
        marginal_nll(torch.zeros(1, 2), evidence)
