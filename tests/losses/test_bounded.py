"""Bounded costs, against their formulas where these can be computed."""

import pytest
import torch

from partlabel.errors import InputError
from partlabel.losses import bounded, exponential

P = torch.tensor([1.0, 0.9, 0.3, 0.01], dtype=torch.float64)


@pytest.mark.parametrize("q", [0.1, 0.7, 1.0])
def test_bounded_is_the_generalised_cross_entropy(q: float) -> None:
    torch.testing.assert_close(bounded(P.log(), q), (1 - P**q) / q)


def test_bounded_ends_at_the_log_and_at_the_mean_absolute_error() -> None:
    torch.testing.assert_close(bounded(P.log(), 0.0), -P.log())
    torch.testing.assert_close(bounded(P.log(), 1e-9), -P.log())
    torch.testing.assert_close(bounded(P.log(), 1.0), 1 - P)


def test_exponential_is_its_formula() -> None:
    torch.testing.assert_close(exponential(P.log()), torch.exp(-P))


def test_gradient_counts_an_observation_by_its_probability() -> None:
    log_p = P.log().requires_grad_()
    bounded(log_p, 0.7).sum().backward()
    torch.testing.assert_close(log_p.grad, -(P**0.7))


@pytest.mark.parametrize("cost", [lambda p: bounded(p, 0.7), exponential])
def test_an_impossible_observation_is_outvoted(cost: object) -> None:
    assert callable(cost)
    log_p = torch.tensor([-120.0, -1e4, -torch.inf], requires_grad=True)
    costs = cost(log_p)
    costs.sum().backward()
    torch.testing.assert_close(costs, costs[:1].expand(3))
    assert log_p.grad is not None
    assert log_p.grad.abs().max() < 1e-30


@pytest.mark.parametrize("q", [-0.1, 1.5, float("nan")])
def test_q_out_of_range_is_refused(q: float) -> None:
    with pytest.raises(InputError, match=r"`q` must lie in \[0, 1\]; got"):
        bounded(P.log(), q)
