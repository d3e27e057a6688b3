r"""L2-SP: weight decay towards where training started, instead of towards 0.

:math:`w \leftarrow w - \eta \alpha (w - w^0)` after each step: the penalty
:math:`\frac{\alpha}{2} \lVert w - w^0 \rVert^2` of Li et al. (ICML 2018, section 3), decoupled from
the gradient as AdamW decouples weight decay (Loshchilov & Hutter, ICLR 2019), so that an adaptive
optimiser does not rescale it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from partlabel.errors import InputError


def l2_sp(
    optimizer: Optimizer,
    parameters: Mapping[str, nn.Parameter] | Iterable[nn.Parameter],
    strength: float,
    *,
    start: Mapping[str, Tensor] | None = None,
) -> RemovableHandle:
    r"""Pull parameters back to where they started, a little after every step of an optimiser.

    .. math:: w \leftarrow w - \eta \alpha (w - w^0)

    For networks whose pretrained weights are worth keeping, with few or noisy labels. Leave the new
    head out: it has nothing to go back to; its own `weight_decay` draws it to 0. Set the
    `weight_decay` of what is pulled to 0, or the two pull against each other.

    It fails where the new task needs other features than the old one, and says nothing of
    batch-norm statistics, which move anyway unless frozen. Closeness of weights is only a stand-in
    for closeness of what the network computes: see `Forgetting`.

    Parameters
    ----------
    optimizer : Optimizer
        It goes wherever the optimiser goes: own loop, Trainer, Lightning, `GradScaler` (a step left
        out pulls nothing).
    parameters : parameters, or mapping of name to parameter
        Such as ``network.body.parameters()``, or a `LayerGroup`'s `parameters`; `start` needs the
        names.
    strength : float, at least 0, per learning rate
        A step closes the share (learning rate x strength) of the way back. With a learning rate of
        1e-3, 10 halves the way in 70 steps without gradient.
    start : mapping of name to tensor, default None
        Where to pull to, such as a pretrained `state_dict()`. None: where the parameters are now;
        pass it where training resumes from a checkpoint that is already loaded.

    Returns
    -------
    RemovableHandle
        Its `remove()` ends the pull.

    Raises
    ------
    InputError
        If the strength is negative, the optimiser lacks a parameter, or `start` lacks one or has
        another shape.

    Notes
    -----
    One more copy of the parameters in memory, and one pass over them in each step.

    Examples
    --------
    >>> net = nn.Linear(1, 1, bias=False)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> start = {"weight": torch.ones(1, 1)}
    >>> handle = l2_sp(optimizer, dict(net.named_parameters()), 5.0, start=start)
    >>> with torch.no_grad():
    ...     _ = net.weight.fill_(3.0)
    >>> optimizer.step()
    >>> net.weight.item()
    2.0

    References
    ----------
    X. Li, Y. Grandvalet and F. Davoine, Explicit inductive bias for transfer learning with
    convolutional networks, ICML 2018, section 3. I. Loshchilov and F. Hutter, Decoupled weight
    decay regularization, ICLR 2019, algorithm 2.
    """
    if not strength >= 0:
        raise InputError(f"`strength` must be at least 0; got {strength}.")
    if not isinstance(parameters, Mapping):
        parameters = {str(place): parameter for place, parameter in enumerate(parameters)}
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in parameters.items():
        if id(parameter) not in held:
            raise InputError(
                f"`optimizer` must hold what is pulled back; it lacks {name!r}. "
                "Give it the parameter, or leave that out here."
            )
    starts = {id(p): _start(name, p, start) for name, p in parameters.items()}

    @torch.no_grad()
    def pull(optimizer: Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            share = min(float(group["lr"]) * strength, 1.0)
            moved = [p for p in group["params"] if id(p) in starts and p.requires_grad]
            for parameter in moved:  # once: the network may have gone to another device
                starts[id(parameter)] = starts[id(parameter)].to(parameter)
            if moved:
                torch._foreach_lerp_(moved, [starts[id(p)] for p in moved], share)

    return optimizer.register_step_post_hook(pull)


def _start(name: str, parameter: nn.Parameter, start: Mapping[str, Tensor] | None) -> Tensor:
    if start is None:
        return parameter.detach().clone()
    if name not in start or start[name].shape != parameter.shape:
        found = tuple(start[name].shape) if name in start else "nothing"
        raise InputError(
            f"`start` must have a tensor of the shape {tuple(parameter.shape)} for {name!r}; "
            f"got {found}. Leave a new head out of `parameters`."
        )
    return start[name].detach().clone()
