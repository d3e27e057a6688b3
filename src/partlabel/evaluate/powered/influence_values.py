"""Influences: how much each gold row moves each metric, and what the first guess rests on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.population import Population


@dataclass(frozen=True, slots=True, eq=False)
class Influences:
    """The influence of rows on every metric, around a first guess.

    Attributes
    ----------
    columns : mapping of metric name to slice
        Where a metric stands among the columns; those of classes and bins take several.
    pilot : (n_metrics,) float
        The first guess of each metric, around which it is linearised.
    of_gold, of_beliefs : (n_gold, n_metrics) float
        Influence of the rows with gold: by their gold class, and by what was believed.
    doubt : (n_gold, n_metrics) float
        Variance of a gold row's influence if its class came from what was believed of it; 0 where
        that isn't known. For gaps of calibration, from the first guess.
    mean_of_beliefs : (n_strata, n_metrics) float
        Mean influence of all items of a stratum, by what is believed.
    variance_of_beliefs : (n_metrics,) float
        Variance of the same over all items.
    """

    columns: Mapping[str, slice]
    pilot: Floats
    of_gold: Floats
    of_beliefs: Floats
    doubt: Floats
    mean_of_beliefs: Floats
    variance_of_beliefs: Floats

    def __sub__(self, other: "Influences") -> "Influences":
        """Give the influence on the differences of the metrics that both have."""
        shared = [name for name in self.columns if name in other.columns and name != "gap"]
        one, two = self.pick(shared), other.pick(shared)
        return Influences(
            columns=one.columns,
            pilot=one.pilot - two.pilot,
            of_gold=one.of_gold - two.of_gold,
            of_beliefs=one.of_beliefs - two.of_beliefs,
            doubt=np.zeros_like(one.doubt),
            mean_of_beliefs=one.mean_of_beliefs - two.mean_of_beliefs,
            variance_of_beliefs=np.full_like(one.variance_of_beliefs, np.nan),
        )

    def pick(self, names: list[str]) -> "Influences":
        """Give some of the metrics, in this order."""
        sizes = [self.columns[name].stop - self.columns[name].start for name in names]
        ends = np.cumsum([0, *sizes]).tolist()
        at = np.concatenate([np.r_[self.columns[name]] for name in names])
        return Influences(
            columns={name: slice(a, b) for name, a, b in zip(names, ends, ends[1:], strict=False)},
            pilot=self.pilot[at],
            of_gold=self.of_gold[:, at],
            of_beliefs=self.of_beliefs[:, at],
            doubt=self.doubt[:, at],
            mean_of_beliefs=self.mean_of_beliefs[:, at],
            variance_of_beliefs=self.variance_of_beliefs[at],
        )


def joined(parts: list[Influences]) -> Influences:
    """Put the metrics of several parts side by side."""
    columns: dict[str, slice] = {}
    offset = 0
    for part in parts:
        for name, at in part.columns.items():
            columns[name] = slice(offset + at.start, offset + at.stop)
        offset += len(part.pilot)
    return Influences(
        columns,
        *(
            np.concatenate([getattr(part, name) for part in parts], axis=-1)
            for name in Influences.__slots__[1:]
        ),
    )


def labels_of_gold(population: Population) -> tuple[Floats, Floats]:
    """(n_gold, n_classes) One-hot gold, and the beliefs about the same rows (0 without any)."""
    gold = np.zeros((population.n_gold, len(population.labels)))
    gold[np.arange(population.n_gold), population.codes] = 1.0
    believed = population.beliefs
    return gold, np.zeros_like(gold) if believed is None else believed[population.rows]


def classes_there(population: Population) -> NDArray[np.bool_]:
    """(n_classes,) Classes that count in means: gold holds them, or should by the beliefs.

    A class is expected where beliefs give as many gold rows at least one of it.
    """
    there = np.bincount(population.codes, minlength=len(population.labels)) > 0
    if population.beliefs is None:
        return there
    believed = np.einsum("ik->k", population.beliefs) / len(population)
    least = 1.0 / population.n_gold if population.n_gold else np.finfo(float).tiny
    return np.asarray(there | (believed >= least))
