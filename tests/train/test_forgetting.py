"""Forgetting: nothing moved is no drift; what moved is seen where it moved."""

from pathlib import Path

import pytest
import torch
from torch import nn

from partlabel import InputError
from partlabel.train import Forgetting, l2_sp, layer_groups, linear_cka

from .planted import descend, planted


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))


def test_an_unchanged_network_has_not_drifted_and_measuring_changes_nothing() -> None:
    net, x = small().train(), torch.randn(9, 3)
    net[0].eval()
    watch = Forgetting(net, layer_groups(net), x, codes=torch.tensor([0, 1, 2] * 3))
    chance = torch.get_rng_state()
    drift = watch.measure()
    assert drift.score == watch.start.score
    assert drift.distance == {"0": 0.0, "3": 0.0}
    assert drift.cka == pytest.approx({"0": 1.0, "3": 1.0})
    assert torch.equal(chance, torch.get_rng_state())
    assert [part.training for part in net] == [False, True, True, True]
    assert not net[0]._forward_hooks


def test_distance_and_cka_are_those_of_the_layers_that_moved() -> None:
    net, x = small(), torch.randn(9, 3)
    watch = Forgetting(net, layer_groups(net), {"input": x})
    net.eval()
    before = net(x)
    with torch.no_grad():
        net[3].weight.mul_(torch.tensor([[2.0], [0.5]]))
    drift = watch.measure()
    old = torch.cat([(net[3].weight / torch.tensor([[2.0], [0.5]])).flatten(), net[3].bias])
    new = torch.cat([net[3].weight.flatten(), net[3].bias])
    assert drift.distance["0"] == 0.0
    assert drift.distance["3"] == pytest.approx(((new - old).norm() / old.norm()).item(), rel=1e-5)
    assert drift.cka["0"] == pytest.approx(1.0)
    assert drift.cka["3"] == pytest.approx(linear_cka(before, net(x)).item(), rel=1e-4)
    assert drift.cka["3"] < 0.99


def test_it_stops_when_the_old_head_has_lost_more_than_allowed() -> None:
    task = planted()
    torch.manual_seed(5)
    net = task.fresh()
    watch = Forgetting(net, layer_groups(net), task.old.X, score=task.old_score, allowed=0.1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    reasons: list[str] = []
    for epoch in range(120):
        watch.begin(epoch)
        descend(net, task.new, optimizer, epochs=1)
        reason = watch.end(epoch)
        if reason is not None:
            reasons.append(reason)
            break
    assert reasons[0].startswith(f"Stopped after epoch {len(watch.history) - 1}: on the retained")
    table = watch.to_polars()
    assert table.columns == ["epoch", "group", "score", "distance", "cka"]
    assert table.height == 3 * len(watch.history)


def test_the_pull_back_is_seen_as_less_drift_in_every_group_of_the_body() -> None:
    drifts = []
    for strength in (0.0, 0.2):
        task = planted()
        torch.manual_seed(5)
        net = task.fresh()
        groups = layer_groups(net)
        watch = Forgetting(net, groups, task.old.X, codes=task.old.codes)
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
        l2_sp(optimizer, groups[0].parameters | groups[1].parameters, strength)
        descend(net, task.new, optimizer, epochs=120)
        drifts.append(watch.measure())
    free, pulled = drifts
    for name in ("0", "2"):
        assert pulled.distance[name] < free.distance[name]
        assert pulled.cka[name] > free.cka[name]
    assert pulled.score is not None
    assert free.score is not None
    assert pulled.score > free.score


class Reads(nn.Module):
    """Its layers give tuples, and one is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTM(3, 4), nn.LSTM(4, 4), nn.LSTM(4, 4)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cells[1](self.cells[0](x)[0])[0]


def test_layers_that_give_tuples_are_read_and_uncalled_ones_left_out() -> None:
    net = Reads()
    drift = Forgetting(net, layer_groups(net), torch.randn(5, 2, 3)).start
    assert list(drift.cka) == ["cells.0", "cells.1"]
    assert list(drift.distance) == ["cells.0", "cells.1", "cells.2"]


def test_refusals() -> None:
    net = small()
    with pytest.raises(InputError, match="`allowed` must come with a score"):
        Forgetting(net, layer_groups(net), torch.zeros(2, 3), allowed=0.1)
    with pytest.raises(InputError, match="`groups` must have a body before the head"):
        Forgetting(
            net, layer_groups(net)[:1], torch.zeros(2, 3), codes=torch.zeros(2, dtype=torch.int64)
        )


def test_a_twin_made_later_measures_from_the_same_start(tmp_path: Path) -> None:
    net, x = small(), torch.randn(9, 3)
    watch = Forgetting(net, layer_groups(net), x, codes=torch.tensor([0, 1, 2] * 3))
    with torch.no_grad():
        net[3].weight.add_(torch.tensor([[1.0], [0.0]]))
    watch.end(0)
    torch.save(watch.state_dict(), tmp_path / "state.pt")
    twin = Forgetting(net, layer_groups(net), x, codes=torch.tensor([0, 1, 2] * 3))
    assert twin.measure().distance["3"] == 0.0
    twin.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert twin.measure() == watch.measure() == twin.history[0]
    assert twin.start == watch.start
