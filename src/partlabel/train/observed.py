"""Observed: evidence as tensors, cut into minibatches; votes stay compressed (CSR)."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from partlabel.channels import Channels
from partlabel.evidence import Evidence


@dataclass(frozen=True, slots=True, eq=False)
class ObservedRows:
    """What was observed about the rows of a minibatch.

    Attributes
    ----------
    hard : (n_rows, n_classes)
        Log-likelihood of gold and candidates; 0 where nothing is known.
    offsets : (n_rows,) int64
        Where the votes of each row begin in `symbol`.
    symbol : (n_votes,) int64
        The words that were said.
    """

    hard: Tensor
    offsets: Tensor
    symbol: Tensor

    @property
    def row(self) -> Tensor:
        """(n_votes,) The row of each vote."""
        ends = torch.cat([self.offsets[1:], self.offsets.new_tensor([len(self.symbol)])])
        return torch.repeat_interleave(
            torch.arange(len(ends), device=ends.device), ends - self.offsets
        )


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Evidence about all rows, as tensors.

    Attributes
    ----------
    table : (n_sets, n_classes) float32
        Log-likelihoods of gold and candidates.
    which : (n_rows,) int64
        The row of `table` that holds for each row.
    indptr, symbol : int64
        The votes, as in `Votes`; none at all where there are no votes.
    """

    table: Tensor
    which: Tensor
    indptr: Tensor
    symbol: Tensor

    @classmethod
    def of(cls, evidence: Evidence, *, votes: bool = True) -> "Observed":
        """Take evidence, in the words that it has; `votes=False` leaves the votes out."""
        table, which = Channels().set_table(evidence)
        if evidence.votes is None or not votes:
            indptr, symbol = np.zeros(len(evidence) + 1, np.int64), np.zeros(0, np.int64)
        else:
            indptr, symbol = evidence.votes.indptr, evidence.votes.symbol.astype(np.int64)
        return cls(
            torch.as_tensor(table, dtype=torch.float32),
            torch.as_tensor(which.astype(np.int64)),
            torch.as_tensor(indptr),
            torch.as_tensor(symbol),
        )

    @classmethod
    def of_likelihood(cls, likelihood: NDArray[np.float64]) -> "Observed":
        """Take a log-likelihood (n_rows, n_classes) as it is."""
        n = len(likelihood)
        return cls(
            torch.as_tensor(likelihood, dtype=torch.float32),
            torch.arange(n),
            torch.zeros(n + 1, dtype=torch.int64),
            torch.zeros(0, dtype=torch.int64),
        )

    def held(self) -> list[Tensor]:
        """All that it is made of."""
        return [self.table, self.which, self.indptr, self.symbol]

    def __len__(self) -> int:
        return len(self.which)

    def to(self, device: torch.device) -> "Observed":
        """The same on another device."""
        moved = {one.name: getattr(self, one.name).to(device) for one in fields(self)}
        return replace(self, **moved)

    def take(self, rows: Tensor) -> ObservedRows:
        """What was observed about some rows, given by their positions."""
        first, counts = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        offsets = torch.cumsum(counts, 0) - counts
        place = torch.repeat_interleave(first - offsets, counts)
        place += torch.arange(len(place), device=place.device)
        return ObservedRows(self.table[self.which[rows]], offsets, self.symbol[place])
