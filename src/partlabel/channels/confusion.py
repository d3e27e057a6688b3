"""Confusion: what each source says when the class is y, known or learnt."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partlabel.errors import InputError
from partlabel.evidence import Vocabulary, Votes


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """The channel of votes: p(word | class) for every word of every source.

    Attributes
    ----------
    vocabulary : Vocabulary
    probs : (n_symbols, n_classes) float
        p(word | class, the source spoke): down a column, the words of one source add up to one.
    speaks : (n_sources, n_classes) float or None
        p(the source speaks | class). None means that silence says nothing about the label, as
        where a crowd worker wasn't asked.

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> labels = LabelSpace(["ham", "spam"])
    >>> votes = Votes.from_matrix([[0, 1]], labels, sources=["a", "b"])
    >>> Confusion.known({"a": [[0.9, 0.1], [0.2, 0.8]], "b": np.eye(2)}, votes).probs[:2]
    array([[0.9, 0.2],
           [0.1, 0.8]])
    """

    vocabulary: Vocabulary
    probs: NDArray[np.float64]
    speaks: NDArray[np.float64] | None = None

    @classmethod
    def known(cls, matrices: Mapping[str, ArrayLike], votes: Votes) -> "Confusion":
        """Take known confusion matrices.

        Parameters
        ----------
        matrices : mapping of source to (n_classes, n_classes)
            Row: the true class; column: the class said; rows add up to one.
        votes : Votes
            Whose sources they are; each says single classes only.

        Raises
        ------
        InputError
            If a source has no matrix, a matrix has another shape or its rows are no distributions,
            or a source has words other than single classes.
        """
        vocabulary, n_classes = votes.vocabulary, len(votes.labels)
        if len(vocabulary) != n_classes * votes.n_sources:
            raise InputError(
                "`votes` must say single classes for known matrices; "
                "some source also says sets or levels."
            )
        tables = [_known_matrix(matrices, name, n_classes).T for name in votes.sources]
        return cls(vocabulary, np.vstack(tables))

    def matrix(self, source: str) -> NDArray[np.float64]:
        """(n_classes, n_words) What the source says, by true class; rows add up to one.

        Raises
        ------
        InputError
            If there is no such source.
        """
        if source not in self.vocabulary.sources:
            raise InputError(
                f"`source` must be one of the {len(self.vocabulary.sources)} sources; "
                f"got {source!r}."
            )
        own = self.vocabulary.source == self.vocabulary.sources.index(source)
        return np.asarray(self.probs[own].T)

    def log_table(self) -> NDArray[np.float64]:
        """(n_symbols, n_classes) What a vote adds to its item's log-likelihood."""
        with np.errstate(divide="ignore"):
            table = np.log(self.probs)
            if self.speaks is not None:
                table += (np.log(self.speaks) - np.log1p(-self.speaks))[self.vocabulary.source]
        return table

    def log_silence(self) -> NDArray[np.float64]:
        """(n_classes,) Log-likelihood of an item about which nobody spoke."""
        if self.speaks is None:
            return np.zeros(self.probs.shape[1])
        return np.asarray(np.log1p(-self.speaks).sum(axis=0))


def _known_matrix(
    matrices: Mapping[str, ArrayLike], name: str, n_classes: int
) -> NDArray[np.float64]:
    if name not in matrices:
        raise InputError(f"`matrices` must have an entry for each source; {name!r} has none.")
    matrix: NDArray[Any] = np.asarray(matrices[name], dtype=np.float64)
    if matrix.shape != (n_classes, n_classes):
        raise InputError(
            f"`matrices[{name!r}]` must have the shape ({n_classes}, {n_classes}); "
            f"got {matrix.shape}. "
            "Give a row for each true class."
        )
    off = ~(np.abs(matrix.sum(axis=1) - 1.0) <= 1e-6) | (matrix.min(axis=1) < 0)
    if off.any():
        row = int(off.argmax())
        raise InputError(
            f"`matrices[{name!r}]` must have distributions as rows; "
            f"row {row} is {matrix[row].tolist()}. Normalise it."
        )
    return matrix
