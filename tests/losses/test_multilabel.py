from itertools import pairwise, product

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from partlabel import InputError
from partlabel.losses.multilabel import (
    expected_bce,
    masked_bce,
    missing_label_nll,
    missing_label_posterior,
)
from partlabel.losses.positive_unlabelled import positive_unlabelled_nll

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
TRUTH = torch.rand(6, 4, generator=GENERATOR) < 0.4
SEEN = torch.rand(6, 4, generator=GENERATOR) < 0.5
SEEN[0] = False
PRESENT, ABSENT = TRUTH & SEEN, ~TRUTH & SEEN
PLAIN = binary_cross_entropy_with_logits(LOGITS, TRUTH.double(), reduction="none")


def nll(f: torch.Tensor = LOGITS, e1: float = 0.6, e0: float = 0.2) -> torch.Tensor:
    return missing_label_nll(f, PRESENT, ABSENT, seen_present=e1, seen_absent=e0)


def test_where_all_is_seen_both_are_binary_cross_entropy() -> None:
    torch.testing.assert_close(masked_bce(LOGITS, TRUTH, ~TRUTH), PLAIN.mean(-1))
    found = missing_label_nll(LOGITS, TRUTH, ~TRUTH, seen_present=1.0, seen_absent=1.0)
    torch.testing.assert_close(found, PLAIN)


def test_masked_is_the_mean_over_what_was_seen() -> None:
    found = masked_bce(LOGITS, PRESENT, ABSENT)
    for row in range(6):
        own = PLAIN[row][SEEN[row]]
        torch.testing.assert_close(found[row], own.mean() if len(own) else own.sum())
    summed = masked_bce(LOGITS, PRESENT, ABSENT, share_power=0.0)
    torch.testing.assert_close(summed, (PLAIN * SEEN).mean(-1))


def test_the_likelihood_is_the_sum_over_what_each_label_may_be() -> None:
    e1, e0 = 0.6, 0.2
    for i, j in product(range(6), range(4)):
        p = torch.sigmoid(LOGITS[i, j])
        if PRESENT[i, j]:
            chance = p * e1
        elif ABSENT[i, j]:
            chance = (1 - p) * e0
        else:
            chance = p * (1 - e1) + (1 - p) * (1 - e0)
        torch.testing.assert_close(nll()[i, j], -chance.log())


def test_where_silence_says_nothing_its_gradient_is_that_of_the_mask() -> None:
    f = LOGITS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(nll(f, 0.5, 0.5).sum(), f)
    torch.testing.assert_close(slope, (torch.sigmoid(LOGITS) - TRUTH.double()) * SEEN)


def test_where_only_positives_are_marked_it_is_that_of_positive_unlabelled_rows() -> None:
    none = torch.zeros_like(PRESENT)
    found = missing_label_nll(LOGITS, PRESENT, none, seen_present=0.4, seen_absent=0.0)
    torch.testing.assert_close(found, positive_unlabelled_nll(LOGITS, PRESENT, 0.4))


def test_its_gradient_is_that_of_the_m_step_at_the_posterior() -> None:
    f = LOGITS.clone().requires_grad_()
    beliefs = missing_label_posterior(LOGITS, PRESENT, ABSENT, seen_present=0.6, seen_absent=0.2)
    (marginal,) = torch.autograd.grad(nll(f).sum(), f)
    (expected,) = torch.autograd.grad(expected_bce(f, beliefs).sum(), f)
    torch.testing.assert_close(marginal, expected)


def test_an_em_step_never_raises_the_cost() -> None:
    """One logit for all rows of a label: the M-step is the mean belief."""
    f = torch.zeros(4, dtype=torch.float64)
    path = []
    for _ in range(20):
        each = f.expand(6, 4)
        path.append(nll(each).sum())
        beliefs = missing_label_posterior(each, PRESENT, ABSENT, seen_present=0.6, seen_absent=0.2)
        f = torch.logit(beliefs.mean(0))
    assert all(late <= early + 1e-12 for early, late in pairwise(path))


def test_the_posterior_knows_what_was_seen() -> None:
    beliefs = missing_label_posterior(LOGITS, PRESENT, ABSENT, seen_present=0.6, seen_absent=0.2)
    assert (beliefs[PRESENT] == 1).all()
    assert (beliefs[ABSENT] == 0).all()
    extreme = 1e4 * torch.sign(LOGITS)
    beliefs = missing_label_posterior(extreme, PRESENT, ABSENT, seen_present=1.0, seen_absent=0.0)
    assert ((beliefs >= 0) & (beliefs <= 1)).all()


def test_expected_bce_is_that_of_torch() -> None:
    beliefs = torch.sigmoid(LOGITS.flip(0))
    expected = binary_cross_entropy_with_logits(LOGITS, beliefs, reduction="none")
    torch.testing.assert_close(expected_bce(LOGITS, beliefs), expected)


def test_chances_are_learnt_with_gradients() -> None:
    raw = torch.zeros(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda r: missing_label_nll(
            LOGITS,
            PRESENT,
            ABSENT,
            seen_present=torch.sigmoid(r[0]),
            seen_absent=torch.sigmoid(r[1]),
        ),
        raw,
    )


def test_chances_of_zero_and_one_give_no_nan_gradient() -> None:
    chance = torch.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    none = torch.zeros_like(PRESENT)
    f = LOGITS.float().requires_grad_()
    cost = missing_label_nll(f, none, none, seen_present=chance, seen_absent=0.0)
    cost.sum().backward()
    assert cost.isfinite().all()
    assert f.grad is not None
    assert chance.grad is not None
    assert f.grad.isfinite().all()
    assert chance.grad.isfinite().all()


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"`share_power` must lie in \[0, 1\]; got -1"):
        masked_bce(LOGITS, PRESENT, ABSENT, share_power=-1)
    with pytest.raises(InputError, match=r"`absent` must have the shape of `logits`, \(6, 4\)"):
        masked_bce(LOGITS, PRESENT, ABSENT[:2])
    with pytest.raises(TypeError, match=r"`present` must be bool; got torch\.int64"):
        missing_label_nll(LOGITS, PRESENT.long(), ABSENT, seen_present=0.5, seen_absent=0.5)
    with pytest.raises(InputError, match=r"`seen_absent` must lie in \[0, 1\]; got 1.5"):
        nll(e0=1.5)
    with pytest.raises(InputError, match=r"`beliefs` must have the shape of `logits`"):
        expected_bce(LOGITS, LOGITS[:2])
