"""The words that rules say, met batch by batch, and the symbols that they become."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evidence import ClassSets, Vocabulary
from partlabel.labels import LabelSpace
from partlabel.rules.rule import Rule
from partlabel.tables import as_series


class Words:
    """The words of one rule: the classes by their codes, then larger sets as they are met."""

    def __init__(self, rule: Rule, labels: LabelSpace) -> None:
        self.rule = rule
        self.labels = labels
        self.larger: dict[bytes, int] = {}
        declared = [self._of(self._mask(label)) for label in rule.says or ()]
        self.first_said = declared[0] if declared else None

    def of_values(self, values: Any, first_row: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The rows on which something was said, and the word on each."""
        series = as_series(values)
        rows = np.flatnonzero(series.is_not_null().to_numpy())
        said = series.gather(rows)
        try:
            sets = ClassSets.from_values(said, self.labels, "label")
        except InputError as reason:
            raise self._placed(reason, said, rows + first_row) from None
        word = np.array([self._of(mask) for mask in sets.table], dtype=np.int32)
        return rows, word[sets.which]

    def vocabulary(self) -> tuple[Vocabulary, NDArray[np.int64]]:
        """The rule's vocabulary, and the place of each word in it.

        Larger sets stand in an order that doesn't depend on which was met first.
        """
        n_classes = len(self.labels)
        ordered = sorted(self.larger, reverse=True)
        sets = np.array([np.frombuffer(key, dtype=bool) for key in ordered], dtype=bool)
        place = np.arange(n_classes + len(ordered))
        place[[self.larger[key] for key in ordered]] = n_classes + np.arange(len(ordered))
        return Vocabulary.of_words(
            self.rule.name, self.labels, sets=sets.reshape(-1, n_classes)
        ), place

    def _of(self, mask: NDArray[np.bool_]) -> int:
        if mask.sum() == 1:
            return int(mask.argmax())
        return self.larger.setdefault(mask.tobytes(), len(self.labels) + len(self.larger))

    def _mask(self, label: Any) -> NDArray[np.bool_]:
        try:
            mask = self.labels.mask(label)
        except InputError as reason:
            raise InputError(f"Rule {self.rule.name!r}: {reason}") from None
        if not mask.any():
            raise InputError(
                f"Rule {self.rule.name!r} must leave at least one class possible; got an empty "
                "collection. Give null to say nothing."
            )
        return mask

    def _placed(self, reason: InputError, said: Any, rows: NDArray[np.int64]) -> InputError:
        """The reason with the row of the whole table, of which the deeper code knows a part."""
        for row, value in zip(rows, said, strict=True):
            try:
                self._mask(value)
            except InputError as own:
                return InputError(f"{own} It says so at row {row}.")
        return reason


def symbols(
    words: Sequence[Words], rule: NDArray[np.int32], word: NDArray[np.int32]
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """The rules' joined vocabulary, and the symbol (n_votes,) of each word of each rule."""
    own = [one.vocabulary() for one in words]
    start = np.cumsum([0, *(len(vocabulary) for vocabulary, _ in own)])
    symbol = np.concatenate([place + first for (_, place), first in zip(own, start, strict=False)])
    joined = Vocabulary.joined([vocabulary for vocabulary, _ in own])
    return joined, symbol[start[rule] + word].astype(np.int32)
