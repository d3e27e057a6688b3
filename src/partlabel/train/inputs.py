"""Inputs: rows of features of any kind, cut into minibatches of tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from scipy import sparse
from sklearn.utils.validation import check_array
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from partlabel.errors import InputError, rows_named


class Inputs(Protocol):
    """Rows that a network can be given."""

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    @property
    def width(self) -> int | None:
        """Features of a row, where a row is a vector."""
        ...

    def take(self, rows: Tensor, device: torch.device) -> Any:
        """What the network is called with, for these positions (a tensor on the CPU)."""
        ...

    def held(self) -> list[Any]:
        """The arrays and tensors that they are, where they are at hand."""
        ...


def read_inputs(X: Any) -> Inputs:
    """Read features.

    Parameters
    ----------
    X : (n_rows, ...) array, table or sparse matrix of numbers
        Becomes float32.
        A tensor, or a mapping of names to tensors or arrays (as tokenisers give), keeps its
        integers; a mapping goes to the network as keywords.
        A `torch.utils.data.Dataset` whose items are inputs alone is read item by item.

    Raises
    ------
    InputError
        If the parts of a mapping differ in length, or there are none, or a tensor isn't finite.
    ValueError
        If an array is empty, or holds NaN, infinities or no numbers.
    """
    if isinstance(X, Mapping) and not sparse.issparse(X):  # a dictionary of keys is both
        return _Named(_parts(X))
    if isinstance(X, Dataset):
        return _Items(X)
    if isinstance(X, Tensor):
        return _Whole(_numbers(X, "X"))
    checked = check_array(X, accept_sparse="csr", dtype=np.float32, allow_nd=True)
    if sparse.issparse(checked):
        return _Sparse(checked)
    return _Whole(torch.as_tensor(np.require(checked, requirements="W")))


def apply(module: nn.Module, inputs: Any) -> Tensor:
    """(n_rows, n_outputs) What a network says; the `logits` of an output that has them.

    Raises
    ------
    TypeError
        If it gives no table of numbers.
    """
    output = module(**inputs) if isinstance(inputs, Mapping) else module(inputs)
    logits = getattr(output, "logits", output)
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        shown = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise TypeError(
            "`module` must give logits of the shape (n_rows, n_classes), or an output that has "
            f"them as `logits`; got {shown}. Wrap it in a module that does."
        )
    return logits


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    values: Tensor

    def __len__(self) -> int:
        return len(self.values)

    @property
    def width(self) -> int | None:
        return self.values.shape[1] if self.values.ndim == 2 else None

    def take(self, rows: Tensor, device: torch.device) -> Tensor:
        return self.values[rows.to(self.values.device)].to(device, non_blocking=True)

    def held(self) -> list[Any]:
        return [self.values]


@dataclass(frozen=True, slots=True, eq=False)
class _Named:
    parts: dict[str, Tensor]
    width: None = None

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    def take(self, rows: Tensor, device: torch.device) -> dict[str, Tensor]:
        return {
            name: part[rows.to(part.device)].to(device, non_blocking=True)
            for name, part in self.parts.items()
        }

    def held(self) -> list[Any]:
        return [entry for pair in self.parts.items() for entry in pair]


@dataclass(frozen=True, slots=True, eq=False)
class _Sparse:
    matrix: Any

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def width(self) -> int | None:
        return int(self.matrix.shape[1])

    def take(self, rows: Tensor, device: torch.device) -> Tensor:
        return torch.as_tensor(self.matrix[rows.numpy()].toarray()).to(device)

    def held(self) -> list[Any]:
        return [self.matrix.shape, self.matrix.indptr, self.matrix.indices, self.matrix.data]


@dataclass(frozen=True, slots=True, eq=False)
class _Items:
    dataset: Any
    width: None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def take(self, rows: Tensor, device: torch.device) -> Any:
        batch = default_collate([self.dataset[int(row)] for row in rows])
        if isinstance(batch, Mapping):
            return {name: part.to(device) for name, part in batch.items()}
        return batch.to(device)

    def held(self) -> list[Any]:
        return [len(self.dataset)]


def _parts(X: Mapping[str, Any]) -> dict[str, Tensor]:
    parts = {str(name): torch.as_tensor(values) for name, values in X.items()}
    lengths = {name: len(part) for name, part in parts.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(
            f"`X` must have parts of one length; got {lengths or 'none'}. "
            "Give each part an entry for each row."
        )
    return {name: _numbers(part, f"X[{name!r}]") for name, part in parts.items()}


def _numbers(part: Tensor, name: str) -> Tensor:
    """In float32, if they aren't integers; all finite."""
    if not part.is_floating_point():
        return part
    finite = part.isfinite().flatten(1).all(1) if part.ndim > 1 else part.isfinite()
    if not finite.all():
        rows = rows_named((~finite).cpu().numpy())
        raise InputError(f"`{name}` must be finite; it isn't at {rows}. Fill it in, or leave out.")
    return part.float()
