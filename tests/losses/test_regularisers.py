"""Regularisers of predictions, against scipy and their definitions."""

from math import log

import pytest
import torch
from scipy.stats import entropy as scipy_entropy
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses import (
    candidate_log_likelihood,
    dispersion,
    entropy,
    log_probs,
    posterior,
    prior_divergence,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


LOGITS = 2 * random(20, 4)
PROBS = torch.softmax(LOGITS, -1)


def test_entropy_is_scipys() -> None:
    torch.testing.assert_close(entropy(LOGITS), torch.tensor(scipy_entropy(PROBS, axis=1)))


def test_entropy_within_a_set_is_that_of_the_posterior() -> None:
    sets = candidate_log_likelihood(torch.tensor([True, True, False, True]), dtype=torch.float64)
    within = entropy(log_probs(LOGITS) + sets)
    expected = torch.special.entr(posterior(LOGITS, sets)).sum(-1)
    torch.testing.assert_close(within, expected)


def test_entropy_with_classes_ruled_out_has_a_gradient() -> None:
    logits = torch.tensor([[1.0, 0.0, -torch.inf]], requires_grad=True)
    entropy(logits).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_dispersion_asks_nothing_of_exact_labels_and_everything_where_nothing_is_known() -> None:
    exact = torch.nn.functional.one_hot(torch.arange(20) % 4, 4).double()
    assert dispersion(LOGITS, exact).abs().max() == 0.0
    from_uniform = torch.tensor(scipy_entropy(PROBS, torch.full((20, 4), 0.25), axis=1))
    torch.testing.assert_close(dispersion(LOGITS, torch.full_like(LOGITS, 0.25)), from_uniform)


def test_dispersion_of_uniform_predictions_is_nothing() -> None:
    flat = dispersion(torch.zeros(20, 4, dtype=torch.float64), PROBS)
    torch.testing.assert_close(flat, torch.zeros(20, dtype=torch.float64))


def test_divergence_from_the_prior_is_scipys() -> None:
    prior = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    divergence = prior_divergence(LOGITS, prior)
    assert float(divergence) == pytest.approx(scipy_entropy(prior, PROBS.mean(0)))


def test_divergence_pulls_at_a_class_that_was_given_up() -> None:
    logits = torch.tensor([[1e4, -1e4]] * 3, requires_grad=True)
    divergence = prior_divergence(logits, torch.tensor([0.5, 0.5]))
    divergence.backward()
    assert float(divergence.detach()) == pytest.approx(1e4 - log(2))
    assert logits.grad is not None
    assert (logits.grad[:, 1] < 0).all()


def test_a_class_without_prior_may_be_given_up() -> None:
    logits, prior = torch.tensor([[0.0, -torch.inf]]), torch.tensor([1.0, 0.0])
    assert float(prior_divergence(logits, prior)) == 0.0


def test_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match="`beliefs` must have the 4 classes of `logits`"):
        dispersion(LOGITS, PROBS[:, :2])
    with pytest.raises(InputError, match="`prior` must have the 4 classes of `logits`"):
        prior_divergence(LOGITS, torch.ones(2))
