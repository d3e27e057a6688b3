"""Freezing: parts of a network that neither learn nor change in any other way."""

from torch import nn


def freeze(module: nn.Module) -> None:
    """Stop a module from learning, its batch-norm statistics from moving, its dropout from acting.

    Without a gradient alone, batch norm would still take up the statistics of the new data, and
    dropout still shake what later layers see. A frozen module stays in evaluation mode through
    every ``.train()`` of the network around it, in copies and pickles too.

    It fails where a network looks at ``self.training`` of a part that isn't frozen, or shares a
    parameter between a frozen part and another (neither learns it then). An optimiser may hold
    frozen parameters: without a gradient it leaves them alone.

    Parameters
    ----------
    module : nn.Module
        With all that is in it.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
    >>> freeze(net[:2])
    >>> [part.training for part in net.train()]
    [False, False, True]
    >>> unfreeze(net)
    >>> [part.training for part in net]
    [True, True, True]
    """
    hold(module)
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.requires_grad:
                parameter.requires_grad_(False)
                parameter.grad = None  # an optimiser would still act on what was gathered
                _held(part).names.add(name)


def unfreeze(module: nn.Module) -> None:
    """Let a module learn again: exactly the parameters that `freeze` stopped, and none else.

    Its mode becomes what ``.train()`` and ``.eval()`` have asked for in the meantime.
    """
    for part in module.modules():
        for name in _held(part).names:
            getattr(part, name).requires_grad_(True)
    release(module)


def hold(module: nn.Module) -> None:
    """Keep a module, with all that is in it, in evaluation mode; leave its parameters alone."""
    for part in module.modules():
        part.__dict__["train"] = _held(part)
        part.training = False


def release(module: nn.Module) -> None:
    """Undo `hold`: each part goes to the mode that was last asked for."""
    for part in module.modules():
        held = part.__dict__.pop("train", None)
        if isinstance(held, _Held):
            part.training = held.mode


class _Held:
    """Stands in for the `train` of a held module: it notes the mode, and changes nothing."""

    def __init__(self, part: nn.Module) -> None:
        self.part, self.mode, self.names = part, part.training, set[str]()

    def __call__(self, mode: bool = True) -> nn.Module:
        self.mode = mode
        for child in self.part.children():  # held themselves, or thawed within what is held
            child.train(mode)
        return self.part


def _held(part: nn.Module) -> _Held:
    """What stands in for `train` already, or something new to do so."""
    found = part.__dict__.get("train")
    return found if isinstance(found, _Held) else _Held(part)
