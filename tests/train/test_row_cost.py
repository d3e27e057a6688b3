"""RowCost: the same cost from log-likelihoods, positions and classes; beliefs move in training."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from partlabel import Beliefs, InputError
from partlabel.losses import expected_nll, marginal_nll, posterior
from partlabel.train import RowCost, RunningBeliefs, SmallLoss

from .conftest import LABELS
from .test_memorising import noisy

KNOWN = torch.tensor([[0.0, 0.0, -torch.inf], [-1.0, 0.0, -2.0], [0.0, 0.0, 0.0]])
LOGITS = torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]])
ROWS = torch.tensor([2, 0])


def beliefs() -> RunningBeliefs:
    return RunningBeliefs(Beliefs(np.full((3, 3), 1 / 3), LABELS), momentum=0.5)


def test_likelihoods_and_positions_of_them_cost_the_same() -> None:
    carried = RowCost()(LOGITS, KNOWN[ROWS])
    looked_up = RowCost(log_likelihood=KNOWN)(LOGITS, ROWS)
    assert torch.equal(carried, looked_up)
    assert torch.equal(carried, marginal_nll(LOGITS, KNOWN[ROWS]))


def test_classes_cost_cross_entropy_and_gaps_nothing() -> None:
    cost = RowCost()(LOGITS, torch.tensor([1, -100]))
    assert cost.tolist() == pytest.approx([cross_entropy(LOGITS[0], torch.tensor(1)).item(), 0.0])


def test_floats_are_what_the_function_takes_them_for() -> None:
    told = torch.softmax(LOGITS, 1)
    assert torch.equal(RowCost(expected_nll)(LOGITS, told), expected_nll(LOGITS, told))


def test_em_moves_the_beliefs_of_its_rows_in_training_and_only_there() -> None:
    kept = beliefs()
    cost = RowCost("em", log_likelihood=KNOWN, beliefs=kept)
    with torch.no_grad():
        assert torch.equal(cost(LOGITS, ROWS), marginal_nll(LOGITS, KNOWN[ROWS]))
    assert torch.equal(kept.probs, torch.full((3, 3), 1 / 3))
    given = cost(LOGITS, ROWS)
    moved = 0.5 / 3 + 0.5 * posterior(LOGITS, KNOWN[ROWS])
    assert torch.allclose(kept.probs[ROWS], moved)
    assert torch.allclose(given, expected_nll(LOGITS, moved))
    assert torch.equal(kept.probs[1], torch.full((3,), 1 / 3))


def test_expected_needs_beliefs_alone() -> None:
    kept = beliefs()
    assert torch.equal(
        RowCost("expected", beliefs=kept)(LOGITS, ROWS), expected_nll(LOGITS, kept.probs[ROWS])
    )


def test_beliefs_survive_a_checkpoint() -> None:
    cost, twin = (RowCost("em", log_likelihood=KNOWN, beliefs=beliefs()) for _ in range(2))
    cost(LOGITS, ROWS)
    twin.load_state_dict(cost.state_dict())
    assert torch.equal(twin.state_dict()["probs"], cost.state_dict()["probs"])


def test_pseudo_moves_its_threshold_with_the_epochs() -> None:
    how = {"threshold": (1.0, 0.0), "ramp": 2, "balanced": False}
    cost = RowCost("pseudo", log_likelihood=KNOWN, beliefs=beliefs(), **how)
    cost.begin(0)
    assert cost(LOGITS, ROWS).tolist() == [0.0, 0.0]
    cost.begin(2)
    assert (cost(LOGITS, ROWS) > 0).all()
    assert cost.end(2) is None


LOW_FIRST = torch.tensor([[4.0, 0.0], [1.0, 0.0], [-3.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])
ALL_ZERO = torch.tensor([[0.0, -torch.inf]] * 5)


@pytest.mark.parametrize("carried", ["classes", "positions", "likelihoods"])
def test_the_rows_that_cost_most_cost_nothing_and_the_mean_is_that_of_the_others(
    carried: str,
) -> None:
    table = ALL_ZERO if carried == "positions" else None
    labels = {
        "classes": torch.zeros(5, dtype=torch.int64),
        "positions": torch.arange(5),
        "likelihoods": ALL_ZERO,
    }[carried]
    cost = RowCost(log_likelihood=table, selection=SmallLoss(0.4, ramp=2, peer=False))
    plain = marginal_nll(LOW_FIRST, ALL_ZERO)
    cost.begin(0)
    assert torch.equal(cost(LOW_FIRST, labels), plain)
    cost.begin(2)
    given = cost(LOW_FIRST, labels)
    assert given[[2, 4]].tolist() == [0.0, 0.0]
    assert given.mean().item() == pytest.approx(plain[[0, 1, 3]].mean().item())
    with torch.no_grad():
        assert torch.equal(cost(LOW_FIRST, labels), plain)


def test_gold_is_never_left_out() -> None:
    gold = torch.tensor([False, False, True, False, False])
    selection = SmallLoss(0.4, ramp=0, peer=False)
    cost = RowCost(log_likelihood=ALL_ZERO, selection=selection, gold=gold)
    cost.begin(1)
    given = cost(LOW_FIRST.flip(0), torch.tensor([4, 3, 2, 1, 0]))
    assert (given > 0).tolist() == [False, True, True, False, True]


def test_small_losses_withstand_wrong_labels_in_a_loop_of_ones_own() -> None:
    (X, _, told), (fresh, truth, _) = noisy(150, 0), noisy(300, 1)  # 3 labels in 10 are wrong
    said = told.argmax(1)

    def accuracy(selection: SmallLoss | None) -> float:
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
        cost = RowCost(selection=selection)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for epoch in range(100):
            cost.begin(epoch)
            for rows in torch.randperm(150).split(50):
                optimizer.zero_grad()
                cost(net(X[rows]), said[rows]).mean().backward()
                optimizer.step()
        return float((net(fresh).argmax(1) == truth).double().mean())

    assert accuracy(SmallLoss(0.3, ramp=5, peer=False)) > accuracy(None) + 0.05


def test_the_epoch_survives_a_checkpoint() -> None:
    one, two = (RowCost(selection=SmallLoss(0.4, ramp=1, peer=False)) for _ in range(2))
    one.begin(3)
    two.load_state_dict(one.state_dict())
    labels = torch.zeros(5, dtype=torch.int64)
    assert torch.equal(one(LOW_FIRST, labels), two(LOW_FIRST, labels))


def test_refusals() -> None:
    alone = SmallLoss(peer=False)
    with pytest.raises(InputError, match="`selection` must have peer=False: a RowCost sees one"):
        RowCost(selection=SmallLoss())
    with pytest.raises(InputError, match="`begin` must be called before each epoch"):
        RowCost(selection=alone)(LOGITS, KNOWN[ROWS])
    with pytest.raises(InputError, match="`gold` must come with `log_likelihood` or `beliefs`"):
        RowCost(selection=alone, gold=torch.zeros(3, dtype=torch.bool))
    cost = RowCost(log_likelihood=KNOWN, selection=alone, gold=torch.zeros(3, dtype=torch.bool))
    cost.begin(0)
    with pytest.raises(InputError, match="`labels` must be the positions of rows, for `gold`"):
        cost(LOGITS, KNOWN[ROWS])
    with pytest.raises(InputError, match="`objective='em'` must have `beliefs`"):
        RowCost("em", log_likelihood=KNOWN)
    with pytest.raises(InputError, match="`objective='pseudo'` must have `beliefs`"):
        RowCost("pseudo", beliefs=beliefs())
    with pytest.raises(InputError, match="`labels` must be the positions of rows"):
        RowCost("expected", beliefs=beliefs())(LOGITS, KNOWN[ROWS])
