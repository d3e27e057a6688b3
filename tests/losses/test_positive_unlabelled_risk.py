from itertools import product

import pytest
import torch
from torch.nn.functional import softplus

from partlabel import InputError
from partlabel.losses.positive_unlabelled_risk import (
    nonnegative_pu_risk,
    nonnegative_pu_risk_one_sample,
    unbiased_pu_risk,
    unbiased_pu_risk_one_sample,
)

# a world of four kinds of rows: p(x), p(positive | x), and a model's logits
SHARE = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
CHANCE = torch.tensor([0.9, 0.5, 0.2, 0.1], dtype=torch.float64)
LOGITS = torch.tensor([3.0, -1.0, 0.5, -2.0], dtype=torch.float64)
PRIOR = float(SHARE @ CHANCE)


def true_risk() -> float:
    right, wrong = softplus(-LOGITS), softplus(LOGITS)
    return float(SHARE @ (CHANCE * right + (1 - CHANCE) * wrong))


def rows(weight: torch.Tensor) -> torch.Tensor:
    """Logits in proportion to whole-numbered weights."""
    counts = (weight * 10_000).round().long()
    return LOGITS.repeat_interleave(counts)


def test_two_samples_give_the_risk_of_the_population() -> None:
    positives = rows(SHARE * CHANCE / PRIOR)
    found = unbiased_pu_risk(positives, rows(SHARE), PRIOR)
    assert float(found) == pytest.approx(true_risk(), abs=1e-3)


def test_one_sample_gives_it_too_and_the_wrong_setting_does_not() -> None:
    marked = rows(SHARE * CHANCE * 0.5)
    unmarked = rows(SHARE * (1 - CHANCE * 0.5))
    together = torch.cat([marked, unmarked])
    positive = torch.arange(len(together)) < len(marked)
    found = unbiased_pu_risk_one_sample(together, positive, PRIOR)
    assert float(found) == pytest.approx(true_risk(), abs=1e-3)
    mistaken = unbiased_pu_risk(marked, unmarked, PRIOR)
    assert abs(float(mistaken) - true_risk()) > 0.01


def test_the_mean_over_all_small_samples_is_the_risk_exactly() -> None:
    at_positive = SHARE * CHANCE / PRIOR
    mean = torch.zeros((), dtype=torch.float64)
    for p, u, v in product(range(4), repeat=3):
        chance = at_positive[p] * SHARE[u] * SHARE[v]
        mean = mean + chance * unbiased_pu_risk(LOGITS[[p]], LOGITS[[u, v]], PRIOR)
    assert float(mean) == pytest.approx(true_risk(), abs=1e-9)


def test_nonnegative_is_unbiased_until_its_negative_part_falls_below_zero() -> None:
    positives, unlabelled = torch.tensor([2.0]), torch.tensor([1.0, -3.0])
    plain = unbiased_pu_risk(positives, unlabelled, 0.3, loss=torch.sigmoid)
    torch.testing.assert_close(nonnegative_pu_risk(positives, unlabelled, 0.3), plain)


def test_below_zero_it_climbs_back() -> None:
    memorised = torch.tensor([-9.0, -9.0], requires_grad=True)
    cost = nonnegative_pu_risk(torch.tensor([9.0]), memorised, 0.5, ascent=0.5)
    part = torch.sigmoid(torch.tensor(-9.0)) - 0.5 * torch.sigmoid(torch.tensor(9.0))
    torch.testing.assert_close(cost, -0.5 * part)
    (slope,) = torch.autograd.grad(cost, memorised)
    assert (slope < 0).all()  # a step raises the part again
    assert nonnegative_pu_risk(torch.tensor([9.0]), memorised, 0.5, slack=1.0) < 0


def test_one_sample_splits_as_two_do() -> None:
    logits = torch.tensor([1.0, 2.0, -1.0, 0.5], dtype=torch.float64)
    positive = torch.tensor([True, False, True, False])
    for one, two in (
        (unbiased_pu_risk_one_sample, unbiased_pu_risk),
        (nonnegative_pu_risk_one_sample, nonnegative_pu_risk),
    ):
        torch.testing.assert_close(one(logits, positive, 0.4), two(logits[positive], logits, 0.4))


def test_a_batch_without_marks_costs_its_negative_part() -> None:
    logits = torch.zeros(3, requires_grad=True)
    cost = unbiased_pu_risk_one_sample(logits, torch.zeros(3, dtype=torch.bool), 0.4)
    cost.backward()
    assert float(cost.detach()) == pytest.approx(0.6931, abs=1e-4)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_gradients() -> None:
    f = LOGITS.clone().requires_grad_()
    positive = torch.tensor([True, False, True, False])
    for loss in (softplus, torch.sigmoid):
        assert torch.autograd.gradcheck(
            lambda f, loss=loss: unbiased_pu_risk_one_sample(f, positive, 0.4, loss=loss), f
        )
        assert torch.autograd.gradcheck(
            lambda f, loss=loss: nonnegative_pu_risk(f[:2], f[2:], 0.4, loss=loss), f
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_logits_cost_something_finite(dtype: torch.dtype) -> None:
    f = torch.tensor([1e4, -1e4], dtype=dtype, requires_grad=True)
    cost = unbiased_pu_risk(f, f, 0.4) + nonnegative_pu_risk(f, f, 0.4)
    cost.backward()
    assert cost.isfinite()
    assert f.grad is not None
    assert f.grad.isfinite().all()


def test_compiled_it_is_the_same() -> None:
    compiled = torch.compile(nonnegative_pu_risk, backend="eager", fullgraph=True)
    expected = nonnegative_pu_risk(LOGITS[:2], LOGITS, 0.4)
    torch.testing.assert_close(compiled(LOGITS[:2], LOGITS, 0.4), expected)


def test_refusals() -> None:
    positive = torch.tensor([True, False, True, False])
    with pytest.raises(InputError, match=r"`prior` must lie in \(0, 1\); got 1.5"):
        unbiased_pu_risk(LOGITS, LOGITS, 1.5)
    with pytest.raises(InputError, match="must each hold a row; got 0 and 4"):
        nonnegative_pu_risk(LOGITS[:0], LOGITS, 0.4)
    with pytest.raises(InputError, match=r"`ascent` lie in .* got 0\.0 and 2"):
        nonnegative_pu_risk(LOGITS, LOGITS, 0.4, ascent=2)
    with pytest.raises(InputError, match="`positive` must have the shape"):
        unbiased_pu_risk_one_sample(LOGITS, positive[:2], 0.4)
    with pytest.raises(InputError, match="`logits` must hold a row"):
        nonnegative_pu_risk_one_sample(LOGITS[:0], positive[:0], 0.4)
