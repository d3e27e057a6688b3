"""A planted transfer: an old task to pretrain on, and a new one that its features already solve."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

ANGLE = torch.arange(8) * torch.pi / 4
CENTRES = 5.0 * torch.stack([ANGLE.cos(), ANGLE.sin()], dim=1)


class Task(NamedTuple):
    X: Tensor
    codes: Tensor


class Planted(NamedTuple):
    """Eight classes around a circle; the new task has rows of two of them, and tells them apart."""

    old: Task
    new: Task
    body: nn.Sequential
    old_head: nn.Linear

    def fresh(self) -> nn.Sequential:
        """The pretrained body (itself, not a copy) with a new head."""
        head = nn.Linear(16, 2)
        nn.init.normal_(head.weight, std=2.0)
        return nn.Sequential(*self.body, head)

    def old_score(self, network: nn.Module) -> float:
        """The accuracy of the old head on what the body of a network makes of the old rows."""
        assert isinstance(network, nn.Sequential)
        with torch.no_grad():
            said = self.old_head(network[:-1](self.old.X)).argmax(1)
        return float((said == self.old.codes).double().mean())


def planted(seed: int = 2) -> Planted:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        old, new = _rows(40, range(8)), _rows(10, (0, 2))
        body = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh())
        whole = nn.Sequential(*body, nn.Linear(16, 8))
        descend(whole, old, torch.optim.Adam(whole.parameters(), lr=0.02), epochs=60)
        assert isinstance(whole[-1], nn.Linear)
        return Planted(old, new, body, whole[-1])


def descend(
    network: nn.Module,
    task: Task,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    begin: Callable[[int], None] = lambda _: None,
) -> None:
    """A plain loop; each epoch is one batch of all rows."""
    for epoch in range(epochs):
        network.train()
        begin(epoch)
        optimizer.zero_grad()
        cross_entropy(network(task.X), task.codes).backward()
        optimizer.step()


def _rows(per_class: int, classes: Iterable[int]) -> Task:
    places = torch.tensor([place for place in classes for _ in range(per_class)])
    X = CENTRES[places] + torch.randn(len(places), 2)
    return Task(X, torch.unique(places, return_inverse=True)[1])
