"""Freezing: what is frozen changes in no way, and what thaws is as it was."""

import copy
import io

import torch
from torch import nn

from partlabel.train import freeze, unfreeze


def network() -> nn.Sequential:
    body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    return nn.Sequential(body, nn.Linear(4, 2), nn.BatchNorm1d(2))


def step(net: nn.Module) -> None:
    """One step of training on new data, as any loop takes it."""
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(5.0 + torch.randn(8, 3)).square().sum().backward()
    optimizer.step()


def test_neither_weights_nor_statistics_of_a_frozen_part_change_and_others_do() -> None:
    net = network()
    before = copy.deepcopy(net.state_dict())
    freeze(net[0])
    step(net)
    changed = {name for name, now in net.state_dict().items() if not now.equal(before[name])}
    assert {name.partition(".")[0] for name in changed} == {"1", "2"}
    assert "2.running_mean" in changed


def test_frozen_dropout_lets_everything_through_in_training() -> None:
    net = network()
    freeze(net[0])
    x = torch.randn(8, 3)
    assert torch.equal(net.train()[0](x), net.eval()[0](x))


def test_a_gradient_gathered_before_is_gone() -> None:
    net = network()
    net(torch.randn(4, 3)).sum().backward()
    freeze(net)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_copies_and_pickles_stay_frozen_and_thaw_apart() -> None:
    net = network()
    freeze(net[0])
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    for twin in (copy.deepcopy(net), torch.load(file, weights_only=False)):
        assert not twin.train()[0][1].training
        unfreeze(twin)
        assert twin.train()[0][1].training
        assert all(parameter.requires_grad for parameter in twin.parameters())
    assert not net.train()[0][1].training


def test_unfreezing_gives_back_exactly_what_freezing_took() -> None:
    net = network()
    net[0][0].bias.requires_grad_(False)  # fixed by design
    freeze(net)
    freeze(net)
    assert not any(parameter.requires_grad for parameter in net.parameters())
    unfreeze(net)
    fixed = [name for name, p in net.named_parameters() if not p.requires_grad]
    assert fixed == ["0.0.bias"]
    assert "train" not in net.__dict__


def test_what_thaws_goes_to_the_mode_last_asked_for() -> None:
    net = network().eval()
    freeze(net[0])
    net.train()
    unfreeze(net[0])
    assert net[0][2].training
    freeze(net[0])
    net.eval()
    unfreeze(net[0])
    assert not net[0][2].training


def test_a_part_of_what_is_frozen_can_thaw() -> None:
    net = network()
    freeze(net)
    net.eval()
    unfreeze(net[1])
    net.train()
    assert [part.training for part in net] == [False, True, False]
    assert [p.requires_grad for p in net[1].parameters()] == [True, True]
