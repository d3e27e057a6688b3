"""Complementary labels: negative learning, and estimates that are right on average."""

from itertools import combinations

import pytest
import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses import (
    candidate_log_likelihood,
    complementary_risks,
    log_probs,
    marginal_nll,
    negative_nll,
    unbiased_complementary,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


LOGITS = 2 * random(20, 5)
EXCLUDED = random(20, 5, seed=1) > 0.5
EXCLUDED[:, 0], EXCLUDED[:, 1] = True, False


def test_negative_learning_adds_up_what_is_left() -> None:
    p = torch.softmax(LOGITS, -1)
    expected = -((1 - p).log() * EXCLUDED).sum(-1)
    torch.testing.assert_close(negative_nll(LOGITS, EXCLUDED), expected)


def test_one_excluded_class_is_the_candidate_set_of_the_others() -> None:
    one = torch.nn.functional.one_hot(torch.arange(20) % 5, 5)
    sets = candidate_log_likelihood(1 - one, dtype=torch.float64)
    torch.testing.assert_close(negative_nll(LOGITS, one), marginal_nll(LOGITS, sets))


def test_negative_learning_is_exact_where_the_excluded_class_is_all_but_sure() -> None:
    logits = torch.tensor([[120.0, 0.0, 0.0], [20.0, 0.0, 0.0]])
    cost = negative_nll(logits, torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(cost, torch.tensor([120.0, 20.0]) - torch.tensor(2.0).log())


def test_weights_are_taken_as_they_are() -> None:
    half = negative_nll(LOGITS, 0.5 * EXCLUDED)
    torch.testing.assert_close(half, 0.5 * negative_nll(LOGITS, EXCLUDED))


def test_a_row_without_excluded_classes_costs_nothing() -> None:
    assert negative_nll(LOGITS, torch.zeros(20, 5, dtype=torch.bool)).abs().max() == 0


@pytest.mark.parametrize("size", [1, 2, 3])
def test_estimate_is_right_on_average_over_all_sets_of_a_size(size: int) -> None:
    loss = -log_probs(LOGITS)
    for truth in range(5):
        others = [k for k in range(5) if k != truth]
        estimates = []
        for members in combinations(others, size):
            excluded = torch.zeros(20, 5, dtype=torch.bool)
            excluded[:, list(members)] = True
            estimates.append(unbiased_complementary(loss, excluded))
        torch.testing.assert_close(torch.stack(estimates).mean(0), loss[:, truth])


def test_all_but_one_class_excluded_is_that_class() -> None:
    loss = -log_probs(LOGITS)
    excluded = torch.ones(20, 5, dtype=torch.bool)
    excluded[:, 3] = False
    torch.testing.assert_close(unbiased_complementary(loss, excluded), loss[:, 3])


def test_class_risks_split_up_the_mean() -> None:
    loss = -log_probs(LOGITS)
    risks = complementary_risks(loss, EXCLUDED)
    assert risks.shape == (5,)
    torch.testing.assert_close(risks.sum(), unbiased_complementary(loss, EXCLUDED).mean())


def test_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match="`excluded` must have the 5 classes of `logits`"):
        negative_nll(LOGITS, EXCLUDED[:, :3])
    for cost in (unbiased_complementary, complementary_risks):
        with pytest.raises(InputError, match="must have the 5 classes of `elementwise_loss`"):
            cost(LOGITS, EXCLUDED[:, :3])
