r"""Tying: which entries of a confusion table share one parameter.

======================  ==============  =======================================================
symbol                  code            shape, meaning
======================  ==============  =======================================================
:math:`\theta_c`        theta           (n_cells,) parameters; a simplex within each group
:math:`c(s, y)`         cell            (n_symbols, n_classes) the parameter behind p(s | y)
:math:`m(s, y)`         share           (n_symbols, n_classes) p(s | y) = theta[cell] * share
======================  ==============  =======================================================

The words of a source come in *forms*: those of one confidence level and one set size. Tied, a
source has for each form a probability of being right (the set holds the true class) and of being
wrong, spread evenly over the words that are. With plain class words this is the one-coin model and
its per-class twin (Dawid & Skene, Applied Statistics 1979, eq. 2.2; Zhang, Chen, Zhou & Jordan,
NIPS 2014, section 2).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evidence import Vocabulary

Kind = Literal["full", "class", "one"]
KINDS: tuple[Kind, ...] = ("full", "class", "one")


@dataclass(frozen=True, slots=True, eq=False)
class Tying:
    """Which parameters a confusion table has.

    Attributes
    ----------
    cell : (n_symbols, n_classes) int64
        The parameter behind each entry.
    share : (n_symbols, n_classes) float
        What part of the parameter falls to the entry.
    group : (n_cells,) int64
        The simplex that each parameter belongs to: a source and class, or a source.
    """

    cell: NDArray[np.int64]
    share: NDArray[np.float64]
    group: NDArray[np.int64]

    def table(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_symbols, n_classes) p(word | class) for given parameters."""
        return np.asarray(theta[self.cell] * self.share)

    def gather(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_cells,) Expected counts (n_symbols, n_classes), added up by parameter."""
        n_cells = len(self.group)
        added = np.bincount(self.cell.ravel(), weights=counts.ravel(), minlength=n_cells)
        return added.astype(np.float64, copy=False)

    def normalised(self, mass: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_cells,) Masses scaled so that each group adds up to one."""
        total = np.bincount(self.group, weights=mass)
        return np.asarray(mass / total[self.group])


def tied(kind: Kind, vocabulary: Vocabulary) -> Tying:
    """Tie the confusion tables of all sources.

    Parameters
    ----------
    kind : {"full", "class", "one"}
        "full": every entry free. "class": one accuracy per class. "one": one accuracy per source;
        a source that also says sets of classes keeps one per class.
    vocabulary : Vocabulary

    Raises
    ------
    InputError
        If `kind` is none of these.
    """
    if kind not in KINDS:
        raise InputError(f"`tying` must be one of {', '.join(map(repr, KINDS))}; got {kind!r}.")
    right = vocabulary.members()
    n_symbols, n_classes = right.shape
    source = vocabulary.source.astype(np.int64)
    if kind == "full":
        cell = np.arange(n_symbols * n_classes).reshape(n_symbols, n_classes)
        group = (source[:, None] * n_classes + np.arange(n_classes)).ravel()
        return Tying(cell, np.ones((n_symbols, n_classes)), group)
    form, source_of_form = _forms(vocabulary)
    per_class = (form[:, None] * n_classes + np.arange(n_classes)) * 2 + right
    fellows = np.bincount(per_class.ravel(), minlength=2 * n_classes * len(source_of_form))
    share = 1.0 / fellows[per_class]
    group = (source_of_form[:, None] * n_classes + np.arange(n_classes)).repeat(2)
    if kind == "class":
        return Tying(per_class, share, group)
    # where a set is among the words, classes differ in how many words are right for them, and one
    # parameter for all of them would leave some with less than the whole probability
    plain = np.bincount(source, weights=right.sum(axis=1) > 1) == 0
    pooled = (form * n_classes)[:, None] * 2 + right
    used, cell = np.unique(np.where(plain[source, None], pooled, per_class), return_inverse=True)
    _, group = np.unique(group[used], return_inverse=True)  # no gaps between the simplexes
    return Tying(cell.reshape(right.shape), share, group)


def prior_counts(
    tying: Tying,
    vocabulary: Vocabulary,
    accuracy: float | NDArray[np.float64],
    strength: float,
) -> NDArray[np.float64]:
    """(n_cells,) Pseudo-votes that say: this source is right with probability `accuracy`.

    Parameters
    ----------
    accuracy : float in (0, 1), or (n_sources,)
        Spread evenly over the words that hold the class; the rest over those that don't.
    strength : float
        Pseudo-votes in each group.
    """
    mass = tying.gather(expected_table(vocabulary, accuracy))
    return tying.normalised(np.maximum(mass, np.finfo(float).tiny)) * strength


def expected_table(
    vocabulary: Vocabulary, accuracy: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_symbols, n_classes) p(word | class) of sources that are right with probability `accuracy`.

    `accuracy` is one number, or (n_sources,).
    """
    right = vocabulary.members()
    first = vocabulary.first[:-1]
    n_right = np.add.reduceat(right, first, axis=0, dtype=np.int64)[vocabulary.source]
    n_wrong = np.add.reduceat(~right, first, axis=0, dtype=np.int64)[vocabulary.source]
    sure = np.broadcast_to(np.asarray(accuracy, dtype=np.float64), (len(vocabulary.sources),))[
        vocabulary.source
    ]
    return np.where(
        right,
        sure[:, None] / np.maximum(n_right, 1),
        (1.0 - sure[:, None]) / np.maximum(n_wrong, 1),
    )


def _forms(vocabulary: Vocabulary) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    size = vocabulary.sets.sum(axis=1)[vocabulary.meaning]
    keys = np.stack([vocabulary.source, vocabulary.level, size])
    distinct, form = np.unique(keys, axis=1, return_inverse=True)
    return form.ravel().astype(np.int64), distinct[0].astype(np.int64)
