"""L2-SP: after each step, the stated share of the way back, and for nothing else."""

import pytest
import torch
from torch import nn

from partlabel import InputError
from partlabel.train import freeze, l2_sp


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_each_step_is_that_of_the_optimiser_and_then_a_share_of_the_way_back(kind: type) -> None:
    def trained(strength: float | None) -> list[torch.Tensor]:
        torch.manual_seed(0)
        net = nn.Linear(3, 2)
        start = net.weight.detach().clone()
        optimizer = kind(net.parameters(), lr=0.1, weight_decay=0.0)
        if strength:
            l2_sp(optimizer, {"weight": net.weight}, strength)
        path = [start]
        for _ in range(4):
            optimizer.zero_grad()
            net(torch.ones(5, 3)).square().sum().backward()
            optimizer.step()
            if strength is None:  # the same by hand
                with torch.no_grad():
                    net.weight.copy_(net.weight - 0.1 * 3.0 * (net.weight - start))
            path.append(net.weight.detach().clone())
        return [*path, net.bias.detach()]

    for hooked, by_hand in zip(trained(3.0), trained(None), strict=True):
        assert torch.allclose(hooked, by_hand, atol=1e-6)
    assert not torch.allclose(trained(3.0)[-1], trained(0.0)[-1])


def test_the_pull_grows_with_the_group_s_learning_rate() -> None:
    fast, slow = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [fast], "lr": 0.5}, {"params": [slow], "lr": 0.1}])
    l2_sp(optimizer, [fast, slow], 1.0)
    with torch.no_grad():
        fast.fill_(1.0)
        slow.fill_(1.0)
    optimizer.step()
    assert (fast.item(), slow.item()) == pytest.approx((0.5, 0.9))


def test_it_never_goes_past_the_start_nor_touches_what_is_frozen() -> None:
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    start = {name: torch.ones(1, 1) for name, _ in net.named_parameters()}
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(3.0)
    freeze(net[0])
    l2_sp(optimizer, dict(net.named_parameters()), 50.0, start=start)
    optimizer.step()
    assert [parameter.item() for parameter in net.parameters()] == [3.0, 1.0]


def test_removed_it_pulls_no_more() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    l2_sp(optimizer, {"weight": weight}, 1.0).remove()
    with torch.no_grad():
        weight.fill_(1.0)
    optimizer.step()
    assert weight.item() == 1.0


def test_refusals() -> None:
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD([net.weight], lr=0.1)
    with pytest.raises(InputError, match="`strength` must be at least 0; got -1"):
        l2_sp(optimizer, {"weight": net.weight}, -1)
    with pytest.raises(InputError, match=r"`optimizer` must hold .* it lacks 'bias'"):
        l2_sp(optimizer, dict(net.named_parameters()), 1)
    for start, found in (({}, "nothing"), ({"weight": torch.zeros(2)}, r"\(2,\)")):
        with pytest.raises(InputError, match=rf"of the shape \(1, 2\) for 'weight'; got {found}"):
            l2_sp(optimizer, {"weight": net.weight}, 1, start=start)
