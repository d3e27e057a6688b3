import pytest
import torch
from torch.nn.functional import binary_cross_entropy, softplus

from partlabel import InputError
from partlabel.losses.multilabel_beliefs import expected_positives_penalty, large_loss, role_loss
from partlabel.losses.multilabel_negatives import assume_negative

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
TABLE = torch.randn(6, 4, generator=GENERATOR, dtype=torch.float64)
MARKED = torch.rand(6, 4, generator=GENERATOR) < 0.3


def test_the_penalty_is_zero_where_the_number_is_right() -> None:
    right = float(torch.sigmoid(LOGITS).sum() / 6)
    assert float(expected_positives_penalty(LOGITS, right)) == pytest.approx(0.0, abs=1e-12)
    assert float(expected_positives_penalty(LOGITS, right + 2)) == pytest.approx(0.25)


def test_role_is_its_formula() -> None:
    p, q = torch.sigmoid(LOGITS), torch.sigmoid(TABLE)
    both = []
    for a, b in ((p, q), (q, p)):
        cross = binary_cross_entropy(a, b, reduction="none")
        marked = -(MARKED * a.log())
        both.append((cross + marked).mean(-1) + ((a.sum(-1).mean() - 1.5) / 4) ** 2)
    torch.testing.assert_close(role_loss(LOGITS, TABLE, MARKED, 1.5), sum(both) / 2)


def test_role_teaches_each_side_with_the_other_held_fixed() -> None:
    f, table = LOGITS.clone().requires_grad_(), TABLE.clone().requires_grad_()
    role_loss(f, table, torch.zeros_like(MARKED), float(torch.sigmoid(LOGITS).sum() / 6)).sum()
    slope, _ = torch.autograd.grad(
        role_loss(f, table, torch.zeros_like(MARKED), float(torch.sigmoid(LOGITS).sum() / 6)).sum(),
        (f, table),
    )
    torch.testing.assert_close(slope, (torch.sigmoid(LOGITS) - torch.sigmoid(TABLE)) / 8)


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0, 2.0])
def test_large_loss_gives_up_those_that_cost_most(rate: float) -> None:
    plain = assume_negative(LOGITS, MARKED)
    budget = int(rate * MARKED.sum())
    unmarked = sorted(
        ((float(plain[i, j]), i, j) for i, j in (~MARKED).nonzero().tolist()), reverse=True
    )
    left_out, corrected = plain.clone(), plain.clone()
    for _, i, j in unmarked[:budget]:
        left_out[i, j] = 0.0
        corrected[i, j] = softplus(-LOGITS[i, j])
    torch.testing.assert_close(large_loss(LOGITS, MARKED, rate), left_out)
    torch.testing.assert_close(large_loss(LOGITS, MARKED, rate, correct=True), corrected)


def test_the_budget_of_large_loss_follows_the_marks_not_the_number_of_labels() -> None:
    """The published share of all entries would give up 20 of these: more than are missing."""
    f = torch.randn(10, 200, generator=torch.Generator().manual_seed(1))
    marked = torch.zeros(10, 200, dtype=torch.bool)
    marked[:, 0] = True
    assert int((large_loss(f, marked, 0.5) == 0).sum()) == 5


def test_large_loss_keeps_ties_and_empty_batches() -> None:
    zeros = torch.zeros(2, 3)
    marked = torch.tensor([[True, False, False], [False, False, False]])
    torch.testing.assert_close(large_loss(zeros, marked, 2.0), assume_negative(zeros, marked))
    assert large_loss(zeros[:0], marked[:0], 1.0).shape == (0, 3)


def test_refusals() -> None:
    with pytest.raises(InputError, match=r"`expected_positives` must be above 0; got 0"):
        expected_positives_penalty(LOGITS, 0)
    with pytest.raises(InputError, match=r"`missing_per_positive` must be at least 0; got -1"):
        large_loss(LOGITS, MARKED, -1)
    with pytest.raises(InputError, match=r"`beliefs` must have the shape of `logits`"):
        role_loss(LOGITS, TABLE[:2], MARKED, 1.5)
