"""RowCost: the same cost from log-likelihoods, positions and classes; beliefs move in training."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from partlabel import Beliefs, InputError
from partlabel.losses import expected_nll, marginal_nll, posterior
from partlabel.train import RowCost, RunningBeliefs

from .conftest import LABELS

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


def test_refusals() -> None:
    with pytest.raises(InputError, match="`objective='em'` must have `beliefs`"):
        RowCost("em", log_likelihood=KNOWN)
    with pytest.raises(InputError, match="`objective='pseudo'` must have `beliefs`"):
        RowCost("pseudo", beliefs=beliefs())
    with pytest.raises(InputError, match="`labels` must be the positions of rows"):
        RowCost("expected", beliefs=beliefs())(LOGITS, KNOWN[ROWS])
