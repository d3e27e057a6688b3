r"""RunningBeliefs: what is believed of each row, kept up to date while a network trains.

:math:`b_i \leftarrow m \, b_i + (1 - m) \, p(y | x_i, o_i)`. With m = 0 this is the E-step of EM,
row by row (incremental EM: Neal & Hinton, 1998); with m between 0 and 1, the moving average that
partial-label learning uses (PRODEN: Lv et al., ICML 2020, m = 0; PiCO: Wang et al., ICLR 2022).
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch import distributed as dist

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError, rows_named
from partlabel.tables import as_series


class RunningBeliefs:
    """A distribution over the classes for each row, updated in training.

    Parameters
    ----------
    beliefs : Beliefs
        Where they start: a label model's, or all candidates alike.
    momentum : float in [0, 1), default 0.0
        How much of the old belief an update keeps. 0 is EM; near 1, beliefs move slowly.
    file : path, default None
        Keep them in this file (float32) instead of in memory, for tables larger than it. It is
        made anew; several processes on one machine may not share it.
    device : torch device, default "cpu"
        Where they are kept in memory; not with `file`.

    Attributes
    ----------
    probs : (n_rows, n_classes) float32 tensor
    labels : LabelSpace
    item_ids : (n_rows,) or None

    Raises
    ------
    InputError
        If `momentum` is out of range.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> start = Beliefs(np.full((2, 2), 0.5), LabelSpace(["ham", "spam"]))
    >>> running = RunningBeliefs(start, momentum=0.5)
    >>> running.update(torch.tensor([1]), torch.tensor([[0.9, 0.1]]))
    tensor([[0.7000, 0.3000]])
    >>> running.to_beliefs().probs[0].tolist()
    [0.5, 0.5]
    """

    def __init__(
        self,
        beliefs: Beliefs,
        *,
        momentum: float = 0.0,
        file: str | os.PathLike[str] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if not 0.0 <= momentum < 1.0:
            raise InputError(f"`momentum` must lie in [0, 1); got {momentum}. 0 keeps nothing.")
        self.momentum, self.labels, self.item_ids = momentum, beliefs.labels, beliefs.item_ids
        if file is None:
            self.probs = torch.tensor(beliefs.probs, dtype=torch.float32, device=device)
        else:
            self.probs = _mapped(Path(file), beliefs.probs)
        self._changed = torch.zeros(len(beliefs), dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.probs)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(n, n_classes) What is believed of some rows, on the device of `rows`."""
        return self.probs.index_select(0, rows.to(self.probs.device)).to(rows.device)

    def positions(self, ids: ArrayLike) -> Tensor:
        """(n,) Where the rows with these ids stand, for loaders that give ids.

        Raises
        ------
        InputError
            If an id isn't among `item_ids`.
        """
        wanted = as_series(np.asarray(ids))
        known = np.arange(len(self)) if self.item_ids is None else self.item_ids
        place = {name: row for row, name in enumerate(as_series(known))}
        found = np.array([place.get(name, -1) for name in wanted], dtype=np.int64)
        if (found < 0).any():
            bad = found < 0
            raise InputError(
                f"`ids` must be among the rows that beliefs are kept of; they aren't at "
                f"{rows_named(bad, np.asarray(ids))}. Start the beliefs with them."
            )
        return torch.as_tensor(found)

    def update(self, rows: Tensor, probs: Tensor) -> Tensor:
        """Move the beliefs about some rows towards new ones.

        Parameters
        ----------
        rows : (n,) int64, all different
            Their positions.
        probs : (n, n_classes)
            New beliefs, such as `posterior` of `partlabel.losses`; no gradient is kept.

        Returns
        -------
        (n, n_classes) the beliefs after the update, on the device of `probs`.
        """
        kept = rows.to(self.probs.device)
        moved = probs.detach().to(self.probs.device, torch.float32)
        if self.momentum > 0:
            moved = torch.lerp(moved, self.probs.index_select(0, kept), self.momentum)
        self.probs.index_copy_(0, kept, moved)
        self._changed.index_fill_(0, rows.cpu(), True)
        return moved.to(probs.device)

    def merge(self) -> None:
        """Share what data-parallel workers have updated since the last merge.

        Call it in every process at the end of an epoch. A row that several workers have updated
        (samplers repeat some to fill the last batch) takes the mean of theirs. Without a process
        group there is nothing to share.
        """
        if not (dist.is_available() and dist.is_initialized()):
            self._changed.zero_()
            return
        mine = self.changes()
        parts: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(parts, tuple(part.numpy() for part in mine))
        self.take([(torch.as_tensor(rows), torch.as_tensor(new)) for rows, new in parts])

    def changes(self) -> tuple[Tensor, Tensor]:
        """(n,) rows updated since the last merge, and (n, n_classes) the beliefs about them."""
        rows = torch.nonzero(self._changed)[:, 0]
        return rows, self[rows]

    def take(self, parts: list[tuple[Tensor, Tensor]]) -> None:
        """Take the changes of all workers, this one's among them, in a given order."""
        rows = torch.cat([part for part, _ in parts])
        if len(rows):
            distinct, which = torch.unique(rows, return_inverse=True)
            total = torch.zeros(len(distinct), self.probs.shape[1])
            total.index_add_(0, which, torch.cat([new for _, new in parts]))
            mean = total / torch.bincount(which)[:, None]
            self.probs[distinct.to(self.probs.device)] = mean.to(self.probs.device)
        self._changed.zero_()

    def to_beliefs(self) -> Beliefs:
        """Give them as `Beliefs`, in memory."""
        probs = self.probs.cpu().numpy().astype(np.float64)
        return Beliefs(probs / probs.sum(axis=1, keepdims=True), self.labels, self.item_ids)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that changes, for a checkpoint."""
        return {"probs": self.probs, "changed": self._changed}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave.

        Raises
        ------
        InputError
            If it is about other rows or classes.
        """
        if state["probs"].shape != self.probs.shape:
            raise InputError(
                f"`state` must be about {tuple(self.probs.shape)} rows and classes; got "
                f"{tuple(state['probs'].shape)}. Start from the same rows."
            )
        self.probs.copy_(state["probs"])
        self._changed.copy_(state["changed"])


def _mapped(file: Path, probs: NDArray[Any]) -> Tensor:
    file.parent.mkdir(parents=True, exist_ok=True)
    mapped = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=probs.shape)
    mapped[:] = probs
    return torch.from_numpy(mapped)
