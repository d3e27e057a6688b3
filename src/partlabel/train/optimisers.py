"""What a user names or passes, as torch has it: the network, its optimiser, and the schedule."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from partlabel.errors import InputError

Groups = list[dict[str, Any]]


def network(
    module: nn.Module | Callable[[int, int], nn.Module], n_features: int | None, n_classes: int
) -> nn.Module:
    """Copy a module, or let a function make one.

    Raises
    ------
    InputError
        If a function is to make one, and the inputs are no vectors.
    TypeError
        If it makes none.
    """
    if isinstance(module, nn.Module):
        return copy.deepcopy(module)
    if n_features is None:
        raise InputError(
            "`module` must be an nn.Module where the inputs are no vectors; "
            "got a function of the number of features. Pass the network itself."
        )
    built = module(n_features, n_classes)
    if not isinstance(built, nn.Module):
        raise TypeError(f"`module` must give an nn.Module; it gave {type(built).__name__}.")
    return built


def restart(network: nn.Module) -> None:
    """Draw the parameters anew, of each layer that knows how."""
    for layer in network.modules():
        reset = getattr(layer, "reset_parameters", None)
        if callable(reset):
            reset()


def optimizer(choice: Any, groups: Groups, learning_rate: float) -> Optimizer:
    """Make an optimiser of the groups; a function sets the learning rates that they lack itself.

    Raises
    ------
    InputError
        If the name is unknown, or the learning rate not above 0.
    """
    if callable(choice):
        made: Optimizer = choice(groups)
        return made
    if not learning_rate > 0:
        raise InputError(f"`learning_rate` must be above 0; got {learning_rate}.")
    if choice == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate)
    if choice == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)
    raise InputError(f"`optimizer` must be 'adamw', 'sgd' or a function; got {choice!r}.")


def schedule(choice: Any, optimiser: Optimizer, n_steps: int) -> LRScheduler | None:
    """Make a schedule of the learning rate over so many steps.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    if callable(choice):
        made: LRScheduler = choice(optimiser, n_steps)
        return made
    if choice == "constant":
        return None
    if choice == "cosine":
        return CosineAnnealingLR(optimiser, n_steps)
    raise InputError(f"`schedule` must be 'constant', 'cosine' or a function; got {choice!r}.")
