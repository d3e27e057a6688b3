"""Identity: what a run was made of, so that a checkpoint of another one isn't taken up."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

# What may differ: where and how long to train, and what only looks on. The seed that was drawn
# stands for `random_state`.
FREE = {"checkpoint", "resume", "progress", "device", "max_epochs", "patience", "random_state"}


def identity(settings: Mapping[str, Any], data: Iterable[Any]) -> str:
    """Give a digest that differs where settings or data do.

    Parameters
    ----------
    settings : of an estimator, as `get_params` gives them
    data : tensors, arrays and plain values
    """
    digest = hashlib.sha256()
    for name, value in sorted(settings.items()):
        if name not in FREE:
            digest.update(f"{name}: {described(value)}\n".encode())
    for part in data:
        if isinstance(part, torch.Tensor | np.ndarray):
            held = np.ascontiguousarray(
                part.detach().cpu() if isinstance(part, torch.Tensor) else part
            )
            digest.update(f"{held.shape} {held.dtype}\n".encode())
            digest.update(held.view(np.uint8).data if held.size else b"")
        else:
            digest.update(f"{part!r}\n".encode())
    return digest.hexdigest()


def described(value: Any) -> str:
    """A setting in words that are the same in another process: no addresses."""
    if isinstance(value, functools.partial):
        return f"{described(value.func)}({described(value.args)}, {described(value.keywords)})"
    if isinstance(value, nn.Module):
        return str(value)
    if isinstance(value, BaseEstimator):
        return f"{type(value).__qualname__}({described(value.get_params(deep=False))})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return f"{type(value).__qualname__}({described(fields)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {described(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(described, value)) + "]"
    if callable(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return repr(value.tolist() if isinstance(value, np.ndarray) else value)
