"""Expected costs: sums over classes, their bound on the marginal one, and pseudo-labels."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from partlabel.errors import InputError
from partlabel.losses import (
    candidate_log_likelihood,
    expected_loss,
    expected_nll,
    hard_nll,
    log_probs,
    marginal_nll,
    posterior,
    tempered_nll,
)

INF = torch.inf


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


LOGITS, LIKELIHOOD = 2 * random(40, 5), random(40, 5, seed=1)
BELIEFS = torch.softmax(LIKELIHOOD, -1)


def test_expected_cost_adds_up_cross_entropies() -> None:
    by_class = [cross_entropy(LOGITS, torch.full((40,), k), reduction="none") for k in range(5)]
    total = sum((b * c for b, c in zip(BELIEFS.T, by_class, strict=True)), torch.zeros(()))
    torch.testing.assert_close(expected_nll(LOGITS, BELIEFS), total)
    torch.testing.assert_close(expected_loss(torch.stack(by_class, -1), BELIEFS), total)


def test_a_row_without_beliefs_costs_nothing() -> None:
    logits = LOGITS.clone().requires_grad_()
    expected_nll(logits, torch.zeros_like(logits)).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0.0


def test_expected_cost_bounds_the_marginal_one_and_touches_it_at_the_posterior() -> None:
    for beliefs, apart in ((BELIEFS, True), (posterior(LOGITS, LIKELIHOOD), False)):
        gain = (beliefs * (LIKELIHOOD - beliefs.log())).sum(-1)
        gap = expected_nll(LOGITS, beliefs) - gain - marginal_nll(LOGITS, LIKELIHOOD)
        assert (gap >= -1e-12).all()
        assert bool(gap.max() > 1e-3) == apart


def test_em_and_marginal_gradients_agree() -> None:
    logits = LOGITS.clone().requires_grad_()
    one, two = (
        torch.autograd.grad(cost.sum(), logits)[0]
        for cost in (
            marginal_nll(logits, LIKELIHOOD),
            expected_nll(logits, posterior(logits.detach(), LIKELIHOOD)),
        )
    )
    torch.testing.assert_close(one, two)


def test_an_infinite_cost_of_a_class_without_belief_doesnt_count() -> None:
    loss = torch.tensor([[1.0, INF]], requires_grad=True)
    cost = expected_loss(loss, torch.tensor([[1.0, 0.0]]))
    cost.sum().backward()
    assert cost.tolist() == [1.0]
    assert loss.grad is not None
    assert loss.grad.tolist() == [[1.0, 0.0]]


def test_temperature_1_is_the_marginal_cost() -> None:
    marginal = marginal_nll(LOGITS, LIKELIHOOD)
    torch.testing.assert_close(tempered_nll(LOGITS, LIKELIHOOD, 1.0), marginal)
    torch.testing.assert_close(tempered_nll(LOGITS, LIKELIHOOD, 1 + 1e-9), marginal)


def test_infinite_temperature_is_the_expected_cost_up_to_a_constant_per_row() -> None:
    hot = tempered_nll(LOGITS, LIKELIHOOD, INF)
    total = torch.logsumexp(LIKELIHOOD, -1)
    torch.testing.assert_close(hot, expected_nll(LOGITS, BELIEFS) - total)
    torch.testing.assert_close(tempered_nll(LOGITS, LIKELIHOOD, 1e7), hot, atol=1e-5, rtol=0)


def test_infinite_temperature_on_a_set_is_the_divergence_from_an_even_split() -> None:
    inside = random(40, 5, seed=2) > 0
    inside[:, 0] = True
    even = inside / inside.sum(-1, keepdim=True)
    sets = candidate_log_likelihood(inside, dtype=torch.float64)
    divergence = torch.special.entr(even).sum(-1).neg() - (even * log_probs(LOGITS)).sum(-1)
    torch.testing.assert_close(tempered_nll(LOGITS, sets, INF), divergence)


def test_costs_rise_with_the_temperature() -> None:
    costs = [tempered_nll(LOGITS, LIKELIHOOD, t) for t in (1.0, 2.0, 8.0, 100.0, INF)]
    assert all((low <= high + 1e-9).all() for low, high in pairwise(costs))


@pytest.mark.parametrize("temperature", [0.5, float("nan")])
def test_a_low_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(InputError, match="`temperature` must be at least 1; got"):
        tempered_nll(LOGITS, LIKELIHOOD, temperature)


def test_pseudo_labels_are_the_likeliest_classes_of_sure_rows() -> None:
    cost, took_part = hard_nll(LOGITS, BELIEFS, 0.5)
    for row, beliefs in enumerate(BELIEFS.tolist()):
        sure = max(beliefs) >= 0.5
        label = torch.tensor(beliefs.index(max(beliefs)))
        expected = float(cross_entropy(LOGITS[row], label)) if sure else 0.0
        assert bool(took_part[row]) == sure
        assert float(cost[row]) == pytest.approx(expected)
    assert 0 < took_part.sum() < 40


def test_each_class_may_have_its_threshold() -> None:
    beliefs = torch.tensor([[0.6, 0.4], [0.4, 0.6]])
    _, took_part = hard_nll(torch.zeros(2, 2), beliefs, torch.tensor([0.5, 0.9]))
    assert took_part.tolist() == [True, False]


def test_a_threshold_for_other_classes_is_refused() -> None:
    with pytest.raises(InputError, match=r"`threshold` must have the 2 classes of `logits`"):
        hard_nll(torch.zeros(1, 2), torch.ones(1, 2) / 2, torch.zeros(3))


def test_beliefs_about_other_classes_are_refused() -> None:
    for cost in (expected_nll, expected_loss, hard_nll):
        with pytest.raises(
            InputError, match=r"`beliefs` must have the 5 classes of `(logits|elem)"
        ):
            cost(LOGITS, BELIEFS[:, :3])
