"""Shards: evidence that comes in parts, as rows for EM, of which little is in memory at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate.kernels import Pass
from partlabel.aggregate.observations import PAYS_BELOW, Observations

ARRAYS = ("indptr", "symbol", "weight", "which")


@dataclass(frozen=True, slots=True, eq=False)
class Shards:
    """Rows in several parts; what a pass over them gathers adds up.

    Attributes
    ----------
    parts : tuple of Observations
        Those whose items share few rows are one part; the arrays of others lie in files.
    """

    parts: tuple[Observations, ...] = ()

    def joined(self, rows: Observations, scratch: Path) -> "Shards":
        """Add rows: to those that are shared, or as files of their own in the folder `scratch`."""
        if len(rows.weight) >= PAYS_BELOW * rows.n_items:
            name = f"rows-{len(list(scratch.glob('rows-*-weight.npy')))}"
            return Shards((*self.parts, _filed(rows, scratch / name)))
        shared = [part for part in self.parts if not _in_files(part)]
        others = [part for part in self.parts if _in_files(part)]
        return Shards((_merged([*shared, rows]), *others))

    @property
    def n_items(self) -> float:
        """How many items the rows stand for."""
        return float(sum(part.n_items for part in self.parts))

    def passed(
        self,
        kernel: Callable[..., Pass],
        class_prior: NDArray[np.float64],
        table: NDArray[np.float64],
    ) -> Pass:
        """As `Observations.passed`, part after part."""
        gathered = [part.passed(kernel, class_prior, table) for part in self.parts]
        counts, totals, objective = zip(*gathered, strict=True)
        return np.sum(counts, axis=0), np.sum(totals, axis=0), float(sum(objective))


def _merged(parts: Sequence[Observations]) -> Observations:
    """Put rows together, equal ones once."""
    if len(parts) == 1:
        return parts[0]
    sets, which = np.unique(
        np.concatenate([part.sets for part in parts]), axis=0, return_inverse=True
    )
    starts = np.cumsum([0, *(len(part.sets) for part in parts[:-1])])
    own = [which[part.which + start] for part, start in zip(parts, starts, strict=True)]
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    return Observations.distinct(
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        symbol=np.concatenate([part.symbol for part in parts]),
        which=np.concatenate(own).astype(np.int32),
        sets=sets,
        weight=np.concatenate([part.weight for part in parts]),
    )


def _filed(rows: Observations, stem: Path) -> Observations:
    """The same rows with arrays that the system reads from files when they are needed."""
    mapped = {}
    for name in ARRAYS:
        path = stem.with_name(f"{stem.name}-{name}.npy")
        np.save(path, getattr(rows, name))
        # "c": writable as the kernels are compiled for, though nobody writes
        mapped[name] = np.load(path, mmap_mode="c")
    return Observations(**mapped, sets=rows.sets)


def _in_files(rows: Observations) -> bool:
    return isinstance(rows.symbol, np.memmap)
