r"""Layer groups: a network from its inputs to its head, each part with a learning rate of its own.

Nearer the inputs a pretrained network holds what is general, and should move least:
:math:`\eta_{l-1} = \eta_l \cdot \text{decay}` (Howard & Ruder, *Universal language model
fine-tuning*, ACL 2018, section 3.2, with decay = 1/2.6).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from partlabel.errors import InputError
from partlabel.train.freezing import hold, release


@dataclass(frozen=True, slots=True, eq=False)
class LayerGroup:
    """A part of a network that is trained, or frozen, as one.

    Attributes
    ----------
    name : str
        The path of its main module in the network.
    modules : tuple of nn.Module
        In the order of their definition.
    parameters : dict of name to parameter
        Those that learn, by their names in the network; a shared one is in its first group.
    """

    name: str
    modules: tuple[nn.Module, ...]
    parameters: dict[str, nn.Parameter]

    def freeze(self) -> None:
        """Stop its learning, its batch-norm statistics and its dropout: see `freeze`."""
        for parameter in self.parameters.values():
            parameter.requires_grad_(False)
            parameter.grad = None
        for module in self.modules:
            hold(module)

    def unfreeze(self) -> None:
        """Let it learn again."""
        for parameter in self.parameters.values():
            parameter.requires_grad_(True)
        for module in self.modules:
            release(module)


def layer_groups(network: nn.Module, split: Sequence[str] | None = None) -> tuple[LayerGroup, ...]:
    """Cut a network into groups, from the inputs to the head.

    Without `split`, each member of the network's outermost stacks (`nn.Sequential`,
    `nn.ModuleList`) is a group, and so is each other child with parameters: a BERT becomes its
    embeddings, each of its layers, its pooler, and its classifier. Parts without parameters go with
    what comes before them.

    The order is that in which the network defines its parts. Where it calls them in another order,
    or a group should hold more, pass `split`.

    Parameters
    ----------
    network : nn.Module
    split : sequence of str, default None
        Beginnings of parameter names (paths, such as "encoder.layer.0"), one for each group, from
        the inputs to the head. A parameter goes to the longest that fits.

    Returns
    -------
    tuple of LayerGroup
        Parameters that want no gradient now are in none, and so stay as they are.

    Raises
    ------
    InputError
        If `split` leaves out a parameter, or names a part without any, or no parameter learns.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> [group.name for group in layer_groups(net)]
    ['0', '2']
    """
    paths = _found(network) if split is None else _named(network, split)
    groups, seen = [], set[int]()
    for name, members in paths:
        parameters = {}
        for path, parameter in _parameters(network, members):
            if parameter.requires_grad and id(parameter) not in seen:
                parameters[path] = parameter
            seen.add(id(parameter))
        modules = tuple(
            network.get_submodule(path) for path in members if _is_module(network, path)
        )
        groups.append(LayerGroup(name, modules, parameters))
    if not any(group.parameters for group in groups):
        raise InputError(
            "`network` must have parameters that learn; none wants a gradient. "
            "Make the groups before freezing."
        )
    return tuple(group for group in groups if group.parameters or group.modules)


def parameter_groups(
    groups: Sequence[LayerGroup], learning_rate: float, *, decay: float = 1 / 2.6
) -> list[dict[str, Any]]:
    """Give each group its learning rate, as any torch optimiser takes them.

    The head learns at `learning_rate`, each group before it at `decay` times the next one's. A
    schedule multiplies all of them. Frozen groups may be in it: they wait.

    Parameters
    ----------
    groups : sequence of LayerGroup, from the inputs to the head
    learning_rate : float
        Of the last group.
    decay : float in (0, 1], default 1/2.6
        Lower keeps more of what was pretrained, and adapts less. 1 is one rate for all. With many
        groups take more: over 12 layers, 1/2.6 leaves the first a hundred-thousandth (0.9 leaves a
        third).

    Returns
    -------
    list of dict
        "params", "lr" and "name" of each group that has parameters.

    Raises
    ------
    InputError
        If the learning rate isn't above 0, or `decay` out of range.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> [group["lr"] for group in parameter_groups(layer_groups(net), 0.1, decay=0.5)]
    [0.05, 0.1]

    References
    ----------
    J. Howard and S. Ruder, Universal language model fine-tuning for text classification, ACL 2018,
    section 3.2.
    """
    if not learning_rate > 0:
        raise InputError(f"`learning_rate` must be above 0; got {learning_rate}.")
    if not 0.0 < decay <= 1.0:
        raise InputError(f"`decay` must lie in (0, 1]; got {decay}. 1 is one rate for all.")
    last = len(groups) - 1
    return [
        {
            "params": list(group.parameters.values()),
            "lr": learning_rate * decay ** (last - depth),
            "name": group.name,
        }
        for depth, group in enumerate(groups)
        if group.parameters
    ]


def _found(network: nn.Module) -> list[tuple[str, list[str]]]:
    """The groups of a network: their names, and the paths of modules and parameters in them."""
    groups: list[tuple[str, list[str]]] = []
    waiting: list[str] = []  # what has no group before it yet
    for path in _pieces(network, ""):
        if _is_module(network, path) and _has_parameters(network.get_submodule(path)):
            groups.append((path, [*waiting, path]))
            waiting = []
        elif groups and _is_module(network, path):
            groups[-1][1].append(path)
        else:
            waiting.append(path)
    if not groups:
        return [("", waiting)]
    groups[-1][1].extend(waiting)
    return groups


def _pieces(module: nn.Module, prefix: str) -> Iterator[str]:
    """Paths of a module's own parameters and its parts; those with stacks inside taken apart."""
    for name, _ in module.named_parameters(recurse=False):
        yield prefix + name
    for name, child in module.named_children():
        path = prefix + name
        if _is_stack(child):
            yield from (f"{path}.{member}" for member, _ in child.named_children())
        elif any(_is_stack(part) for part in child.modules()):
            yield from _pieces(child, f"{path}.")
        else:
            yield path


def _named(network: nn.Module, split: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The groups that a user names: to each, the paths of its modules and parameters."""
    members: dict[str, list[str]] = {place: [] for place in split}
    lost = []
    for path, module in network.named_modules(remove_duplicate=False):
        home = _home(path, split)
        if home is not None and not any(module.children()):
            members[home].append(path)
    for path, _ in network.named_parameters(remove_duplicate=False):
        home = _home(path, split)
        if home is None:
            lost.append(path)
        elif path.rpartition(".")[0] not in members[home]:
            members[home].append(path)
    if lost:
        raise InputError(
            f"`split` must have a place for every parameter; it has none for {lost[0]!r} "
            f"({len(lost)} parameters). Add a beginning of its name."
        )
    for place, paths in members.items():
        if not any(True for _ in _parameters(network, paths)):
            raise InputError(
                f"`split` must name parts with parameters; {place!r} has none. Correct the name."
            )
    return list(members.items())


def _home(path: str, split: Sequence[str]) -> str | None:
    fits = [place for place in split if path == place or path.startswith(f"{place}.")]
    return max(fits, key=len, default=None)


def _parameters(network: nn.Module, paths: Sequence[str]) -> Iterator[tuple[str, nn.Parameter]]:
    for path in paths:
        if _is_module(network, path):
            module = network.get_submodule(path)
            for name, parameter in module.named_parameters(remove_duplicate=False):
                yield f"{path}.{name}", parameter
        else:
            yield path, network.get_parameter(path)


def _is_module(network: nn.Module, path: str) -> bool:
    owner, _, name = path.rpartition(".")
    return name in dict(network.get_submodule(owner).named_children())


def _is_stack(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential | nn.ModuleList)


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None
