"""Candidate sets: their log-likelihood, the naive average, running beliefs and POP's pruning."""

from math import log

import pytest
import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses import (
    average_nll,
    candidate_log_likelihood,
    expected_loss,
    log_probs,
    marginal_nll,
    posterior,
    pruned,
    updated_beliefs,
)

INF = torch.inf


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


LOGITS = random(30, 5)
INSIDE = random(30, 5, seed=1) > 0
INSIDE[:, 2] = True
SETS = candidate_log_likelihood(INSIDE)


def test_log_likelihood_is_0_inside() -> None:
    mask = torch.tensor([[1, 0, 1]])
    assert candidate_log_likelihood(mask).tolist() == [[0.0, -INF, 0.0]]
    noisy = candidate_log_likelihood(mask, noise=0.25, dtype=torch.float64)
    assert noisy.tolist() == [[0.0, log(0.25), 0.0]]


def test_a_wrong_set_costs_no_more_than_its_noise() -> None:
    sets = candidate_log_likelihood(torch.tensor([[True, False]]), noise=0.01)
    cost = marginal_nll(torch.tensor([[-1e4, 1e4]]), sets)
    assert cost.tolist() == pytest.approx([log(100)], abs=1e-3)  # the logits' own rounding


def test_average_is_the_mean_over_the_candidates() -> None:
    by_row = [-log_probs(x)[s].mean() for x, s in zip(LOGITS, INSIDE, strict=True)]
    torch.testing.assert_close(average_nll(LOGITS, INSIDE), torch.stack(by_row))


def test_average_is_never_below_the_marginal_cost() -> None:
    assert (average_nll(LOGITS, INSIDE) >= marginal_nll(LOGITS, SETS) - 1e-6).all()


def test_average_of_bounded_costs_survives_a_candidate_without_probability() -> None:
    logits = torch.tensor([[0.0, -1e4]], requires_grad=True)
    from_mean = expected_loss(1 - log_probs(logits).exp(), torch.tensor([[0.5, 0.5]]))
    from_mean.sum().backward()
    assert from_mean.tolist() == [0.5]
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_update_is_that_of_proden() -> None:
    inside = torch.softmax(LOGITS, -1) * INSIDE
    updated = updated_beliefs(INSIDE / INSIDE.sum(-1, keepdim=True), LOGITS, SETS)
    torch.testing.assert_close(updated, inside / inside.sum(-1, keepdim=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_update_without_probability_inside_the_set_is_a_distribution(dtype: torch.dtype) -> None:
    logits = torch.tensor([[120.0, 0.0, -1.0], [1e4, -1e4, -1e4]], dtype=dtype)
    sets = torch.tensor([-INF, 0.0, 0.0])
    updated = updated_beliefs(torch.tensor([[0.0, 0.5, 0.5]]).expand(2, 3), logits, sets)
    expected = torch.tensor([[0.0, 1 / (1 + torch.e**-1), 1 / (1 + torch.e)], [0.0, 0.5, 0.5]])
    torch.testing.assert_close(updated, expected)


def test_momentum_keeps_what_was_believed() -> None:
    before = torch.softmax(SETS, -1)
    updated = updated_beliefs(before, LOGITS, SETS, momentum=0.9)
    torch.testing.assert_close(updated, 0.9 * before + 0.1 * posterior(LOGITS, SETS))


def test_update_takes_no_gradient_and_keeps_the_dtype_of_the_beliefs() -> None:
    updated = updated_beliefs(
        torch.softmax(SETS, -1).double(), LOGITS.clone().requires_grad_(), SETS
    )
    assert (updated.requires_grad, updated.dtype) == (False, torch.float64)


def test_pruning_follows_the_definition() -> None:
    for margin in (0.05, 0.3, 1.0):
        kept = pruned(INSIDE, LOGITS, margin)
        for row in range(30):
            probs = torch.softmax(LOGITS[row], -1)
            best = max(float(probs[k]) for k in range(5) if INSIDE[row, k])
            for k in range(5):
                stays = bool(INSIDE[row, k]) and best - float(probs[k]) < margin
                assert bool(kept[row, k]) == stays


def test_pruning_never_empties_a_set() -> None:
    assert pruned(INSIDE, 1e4 * LOGITS, 1e-6).any(-1).all()


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"`noise` must lie in \[0, 1\); got 1.0"):
        candidate_log_likelihood(INSIDE, noise=1.0)
    with pytest.raises(InputError, match=r"`momentum` must lie in \[0, 1\); got 1.0"):
        updated_beliefs(SETS, LOGITS, SETS, momentum=1.0)
    with pytest.raises(InputError, match=r"`margin` must lie in \(0, 1\]; got 0"):
        pruned(INSIDE, LOGITS, 0)


def test_other_classes_are_refused() -> None:
    for refused in (
        lambda: average_nll(LOGITS, INSIDE[:, :3]),
        lambda: pruned(INSIDE[:, :3], LOGITS, 0.5),
    ):
        with pytest.raises(InputError, match="`candidates` must have the 5 classes of `logits`"):
            refused()
