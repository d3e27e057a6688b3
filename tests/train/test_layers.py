"""Layer groups: every parameter once, in order, learning rates falling towards the inputs."""

import pytest
import torch
from torch import nn

from partlabel import InputError
from partlabel.train import layer_groups, mlp, parameter_groups


class Encoder(nn.Module):
    """Shaped as transformers are: tokens, a stack of layers, a head; the head shares the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(4))
        self.tokens = nn.Embedding(5, 4)
        self.stack = nn.ModuleList([nn.TransformerEncoderLayer(4, 1, 4) for _ in range(2)])
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(4, 5)
        self.head.weight = self.tokens.weight


def names(network: nn.Module, **how: object) -> list[list[str]]:
    return [list(group.parameters) for group in layer_groups(network, **how)]


def test_every_parameter_is_in_one_group() -> None:
    net = Encoder()
    held = [id(p) for group in layer_groups(net) for p in group.parameters.values()]
    assert sorted(held) == sorted(id(p) for p in net.parameters())


def test_members_of_stacks_are_groups_and_strays_go_with_their_neighbours() -> None:
    groups = layer_groups(Encoder())
    assert [group.name for group in groups] == ["tokens", "stack.0", "stack.1", "head"]
    assert list(groups[0].parameters) == ["position", "tokens.weight"]
    assert list(groups[3].parameters) == ["head.bias"]  # the weight is shared with the tokens
    assert isinstance(groups[2].modules[-1], nn.Dropout)


def test_parts_without_parameters_freeze_with_a_group() -> None:
    net = mlp(3, 2, hidden=(4,), dropout=0.5)  # begins with batch norm that has statistics alone
    groups = layer_groups(net)
    groups[0].freeze()
    assert [part.training for part in net.train()] == [False, False, False, False, True]
    groups[0].unfreeze()
    assert all(part.training for part in net)
    assert all(p.requires_grad for p in net.parameters())


def test_a_body_in_a_sequence_is_taken_apart() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), nn.Linear(2, 2))
    assert [group.name for group in layer_groups(net)] == ["0.0", "0.2", "1"]


def test_split_puts_each_parameter_where_the_longest_name_fits() -> None:
    net = Encoder()
    split = ["position", "tokens", "stack", "stack.1", "head"]
    groups = layer_groups(net, split)
    assert [group.name for group in groups] == split
    assert all(name.startswith("stack.0.") for name in groups[2].parameters)
    assert all(name.startswith("stack.1.") for name in groups[3].parameters)
    groups[2].freeze()
    net.train()
    assert not net.stack[0].dropout.training
    assert net.stack[1].dropout.training


def test_what_is_fixed_by_design_is_in_no_group() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].bias.requires_grad_(False)
    groups = layer_groups(net)
    groups[0].unfreeze()
    assert not net[0].bias.requires_grad
    assert names(net) == [["0.weight"], ["1.weight", "1.bias"]]


def test_learning_rates_fall_by_the_decay_and_a_step_moves_by_them() -> None:
    net = nn.Sequential(*[nn.Linear(1, 1, bias=False) for _ in range(3)])
    optimizer = torch.optim.SGD(parameter_groups(layer_groups(net), 0.8, decay=0.5))
    before = [layer.weight.item() for layer in net]
    for layer in net:
        layer.weight.grad = torch.ones(1, 1)
    optimizer.step()
    moved = [b - layer.weight.item() for b, layer in zip(before, net, strict=True)]
    assert moved == pytest.approx([0.2, 0.4, 0.8], abs=1e-6)


def test_a_schedule_multiplies_the_rates_of_all_groups() -> None:
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    optimizer = torch.optim.AdamW(parameter_groups(layer_groups(net), 1.0, decay=0.1))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 / (1 + step))
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([0.05, 0.5])


def test_refusals() -> None:
    net = Encoder()
    with pytest.raises(InputError, match=r"`split` must have a place .* none for 'position'"):
        layer_groups(net, ["tokens", "stack", "head"])
    with pytest.raises(InputError, match=r"`split` must name parts .* 'dropout' has none"):
        layer_groups(net, ["position", "tokens", "stack", "head", "dropout"])
    with pytest.raises(InputError, match="`network` must have parameters that learn"):
        layer_groups(nn.ReLU())
    groups = layer_groups(net)
    with pytest.raises(InputError, match=r"`decay` must lie in \(0, 1\]; got 2"):
        parameter_groups(groups, 0.1, decay=2)
    with pytest.raises(InputError, match="`learning_rate` must be above 0; got 0"):
        parameter_groups(groups, 0)
