"""Mixing, changed views, and leaving out what costs most."""

import numpy as np
import pytest
import torch

from partlabel import Candidates, Evidence, InputError
from partlabel.train import Consistency, SmallLoss, TorchPartialLabelClassifier
from partlabel.train.views import Mix

from .conftest import LABELS, Blobs, blobs

LOSSES = torch.tensor([3.0, 1.0, 5.0, 2.0, 4.0])
NOBODY = torch.zeros(5, dtype=torch.bool)


def test_the_rows_that_cost_most_are_left_out_little_by_little() -> None:
    selection = SmallLoss(forget=0.4, ramp=2)
    kept = [selection.kept(LOSSES, NOBODY, epoch).tolist() for epoch in range(4)]
    assert kept[0] == [1, 1, 1, 1, 1]
    assert kept[1] == [1, 1, 0, 1, 1]
    assert kept[2] == kept[3] == [1, 1, 0, 1, 0]


def test_gold_is_never_left_out() -> None:
    checked = torch.tensor([False, False, True, False, False])
    assert SmallLoss(forget=0.4, ramp=0).kept(LOSSES, checked, 1).tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("peer", [False, True])
def test_small_losses_withstand_wrong_labels(peer: bool) -> None:
    data, fresh = blobs(400, extra=0.0), blobs(600, extra=0.0, seed=5)
    rng = np.random.default_rng(0)
    wrong = rng.random(400) < 0.4
    said = np.where(wrong, (data.truth + 1) % 3, data.truth)  # one way only
    labels = np.array(LABELS.classes)[said]

    def accuracy(selection: SmallLoss | None) -> float:
        net = TorchPartialLabelClassifier(
            selection=selection, max_epochs=60, learning_rate=0.01, early_stopping=None
        )
        return float((net.fit(data.X, labels).predict(fresh.X) == fresh.names).mean())

    assert accuracy(SmallLoss(forget=0.4, ramp=5, peer=peer)) > accuracy(None) + 0.02


def test_a_module_gets_a_peer_that_starts_elsewhere(narrowed: Blobs) -> None:
    net = TorchPartialLabelClassifier(
        torch.nn.Linear(2, 3), selection=SmallLoss(ramp=0), max_epochs=2
    ).fit(narrowed.X, narrowed.candidates)
    alone = TorchPartialLabelClassifier(
        torch.nn.Linear(2, 3), selection=SmallLoss(ramp=0, peer=False), max_epochs=2
    ).fit(narrowed.X, narrowed.candidates)
    assert not np.array_equal(net.predict_proba(narrowed.X), alone.predict_proba(narrowed.X))


def test_mixing_mixes_inputs_and_costs_in_the_same_shares() -> None:
    mix = Mix(torch.tensor(0.7), torch.tensor([1, 0]))
    X = torch.tensor([[1.0], [0.0]])
    assert mix.inputs(X).flatten().tolist() == pytest.approx([0.7, 0.3])
    own, partners = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 0.0])
    assert mix.losses(own, partners).tolist() == pytest.approx([1.7, 2.8])
    assert 0.5 <= Mix.drawn(3, 0.2, torch.device("cpu")).share <= 1.0


@pytest.mark.parametrize("objective", ["marginal", "em", "pseudo"])
def test_mixed_rows_teach(objective: str, narrowed: Blobs) -> None:
    net = TorchPartialLabelClassifier(
        objective=objective,
        mixup=0.3,
        threshold=0.6,
        max_epochs=15,
        learning_rate=0.02,
    ).fit(narrowed.X, narrowed.candidates)
    assert (net.predict(narrowed.X) == narrowed.names).mean() > 0.9


def test_changed_views_teach_from_rows_about_which_nothing_is_known() -> None:
    rng = np.random.default_rng(0)
    data = blobs(400, extra=0.0, spread=1.0)
    X = np.column_stack([data.X, 3 * rng.normal(size=(400, 8))])  # most of it is noise
    y = np.where(np.arange(400) < 15, data.names, None)

    def noisier(inputs: torch.Tensor) -> torch.Tensor:
        noise = torch.randn_like(inputs) * 6.0
        noise[:, :2] = 0.0  # these two are what tells the class
        return inputs + noise

    def accuracy(consistency: Consistency | None) -> tuple[float, int]:
        net = TorchPartialLabelClassifier(
            consistency=consistency, max_epochs=40, learning_rate=0.01, early_stopping=None
        ).fit(X, Candidates.from_labels(y, LABELS))
        trained = net.contributions_["trained"].sum()
        return float((net.predict(X) == data.names).mean()), int(trained)

    (plain, few), (consistent, many) = accuracy(None), accuracy(Consistency(noisier, threshold=0.6))
    assert (few, many) == (15, 400)
    assert consistent > plain + 0.05


def test_unknown_rows_cost_the_objective_nothing_beside_changed_views(narrowed: Blobs) -> None:
    y = np.where(np.arange(240) < 60, narrowed.names, None)
    evidence = Evidence(candidates=Candidates.from_labels(y, LABELS))
    silent = Consistency(lambda inputs: inputs, weight=0.0)
    net = TorchPartialLabelClassifier(objective="expected", consistency=silent, max_epochs=2)
    pull = net.fit(narrowed.X, evidence).contributions_["pull"]
    assert pull[-1] == 0.0


def test_refusals(narrowed: Blobs) -> None:
    with pytest.raises(InputError, match=r"`forget` must lie in \[0, 1\); got 1\.0"):
        SmallLoss(forget=1.0)
    with pytest.raises(InputError, match="`ramp` must be at least 0; got -1"):
        SmallLoss(ramp=-1)
    with pytest.raises(InputError, match="`weight` must be at least 0; got -1"):
        Consistency(lambda inputs: inputs, weight=-1)
    with pytest.raises(InputError, match=r"`threshold` must lie in \[0, 1\]; got 2"):
        Consistency(lambda inputs: inputs, threshold=2)
    with pytest.raises(InputError, match="`mixup` must be at least 0; got -1"):
        TorchPartialLabelClassifier(mixup=-1).fit(narrowed.X, narrowed.candidates)
    with pytest.raises(TypeError, match="`mixup` must have inputs that are tensors of floats"):
        Mix(torch.tensor(0.5), torch.tensor([0])).inputs(torch.tensor([1]))
