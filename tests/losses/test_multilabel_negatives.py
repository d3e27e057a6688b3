import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from partlabel import InputError
from partlabel.losses.multilabel_negatives import (
    assume_negative,
    asymmetric_loss,
    hill_loss,
    self_paced_correction,
)

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
MARKED = torch.rand(6, 4, generator=GENERATOR) < 0.4


def by_hand(cost: torch.Tensor, if_marked: object, if_not: object) -> None:
    """Compare with plain arithmetic on probabilities, entry by entry."""
    for f, marked, found in zip(LOGITS.flatten(), MARKED.flatten(), cost.flatten(), strict=True):
        rule = if_marked if marked else if_not
        assert float(found) == pytest.approx(rule(float(f)), abs=1e-9)


def sigmoid(f: float) -> float:
    return 1 / (1 + math.exp(-f))


def test_assume_negative_is_binary_cross_entropy_of_the_marks() -> None:
    expected = binary_cross_entropy_with_logits(LOGITS, MARKED.double(), reduction="none")
    torch.testing.assert_close(assume_negative(LOGITS, MARKED), expected)
    weak = assume_negative(LOGITS, MARKED, negative_weight=1 / 3)
    torch.testing.assert_close(weak, torch.where(MARKED, expected, expected / 3))


def test_smoothing_softens_both_targets() -> None:
    targets = torch.where(MARKED, 0.95, 0.05).double()
    expected = binary_cross_entropy_with_logits(LOGITS, targets, reduction="none")
    torch.testing.assert_close(assume_negative(LOGITS, MARKED, smoothing=0.1), expected)


def test_asymmetric_loss_is_its_formula() -> None:
    cost = asymmetric_loss(LOGITS, MARKED, focus_positive=1.0, focus_negative=2.0, shift=0.1)

    def if_not(f: float) -> float:
        shifted = max(sigmoid(f) - 0.1, 0.0)
        return -(shifted**2) * math.log(1 - shifted)

    by_hand(cost, lambda f: -(1 - sigmoid(f)) * math.log(sigmoid(f)), if_not)


def test_asymmetric_loss_without_focus_is_assume_negative() -> None:
    plain = asymmetric_loss(LOGITS, MARKED, focus_negative=0.0, shift=0.0)
    torch.testing.assert_close(plain, assume_negative(LOGITS, MARKED))


def test_hill_is_its_formula_and_lets_go_of_sure_unmarked_labels() -> None:
    by_hand(
        hill_loss(LOGITS, MARKED),
        lambda f: -((1 - sigmoid(f - 1)) ** 2) * math.log(sigmoid(f - 1)),
        lambda f: (1.5 - sigmoid(f)) * sigmoid(f) ** 2,
    )
    f = torch.tensor([[-6.0, 0.5, 6.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(hill_loss(f, torch.zeros(1, 3, dtype=torch.bool)).sum(), f)
    assert (slope >= 0).all()
    assert slope[0, 1] > 10 * slope[0, 2]


def test_self_paced_correction_is_its_formula() -> None:
    def focal(f: float) -> float:
        return -((1 - sigmoid(f)) ** 2) * math.log(sigmoid(f))

    by_hand(
        self_paced_correction(LOGITS, MARKED),
        lambda f: focal(f - 1),
        lambda f: focal(f) if sigmoid(f) > 0.6 else focal(-f),
    )
    by_hand(
        self_paced_correction(LOGITS, MARKED, threshold=1.0),
        lambda f: focal(f - 1),
        lambda f: focal(-f),
    )


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"`smoothing` lie in \[0, 1\); got 1.0 and 1"):
        assume_negative(LOGITS, MARKED, smoothing=1)
    with pytest.raises(InputError, match=r"`focus_negative` 0 or at least 1; got 0.0 and 0.5"):
        asymmetric_loss(LOGITS, MARKED, focus_negative=0.5)
    with pytest.raises(InputError, match=r"`shift` must lie in \[0, 1\); got 1"):
        asymmetric_loss(LOGITS, MARKED, shift=1)
    with pytest.raises(InputError, match=r"`ceiling` must be at least 1.5; got 1"):
        hill_loss(LOGITS, MARKED, ceiling=1)
    with pytest.raises(InputError, match=r"`focus` must be at least 0; got -1"):
        hill_loss(LOGITS, MARKED, focus=-1)
    with pytest.raises(InputError, match=r"`threshold` must lie in \(0, 1\]; got 0"):
        self_paced_correction(LOGITS, MARKED, threshold=0)
