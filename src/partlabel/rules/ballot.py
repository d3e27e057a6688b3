"""Ballot: collects what rules say, batch by batch, and puts it together as votes."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evidence import Votes
from partlabel.evidence.ids import read_ids
from partlabel.labels import LabelSpace
from partlabel.rules.evaluate import (
    holding,
    probabilities_of,
    refuse_what_needs_other_rows,
    said_by,
)
from partlabel.rules.rule import Condition, Function, Probabilities, Rule
from partlabel.rules.words import Words, symbols


class Spoken(NamedTuple):
    """The votes on one batch, row by row, and within a row by rule."""

    counts: NDArray[np.int32]  # (n_rows,)
    rule: NDArray[np.int32]  # (n_votes,)
    word: NDArray[np.int32]  # (n_votes,)


class Ballot:
    """What the rules said so far.

    Probabilities are kept until the end, as their confidence bins are quantiles of all rows.
    """

    def __init__(self, rules: Sequence[Rule], labels: LabelSpace) -> None:
        words = [Words(rule, labels) for rule in rules]  # refuses classes that aren't there
        self.labels = labels
        self.words = [one for one in words if not isinstance(one.rule, Probabilities)]
        speakers = [one.rule for one in self.words]
        self.place = {rule: j for j, rule in enumerate(speakers)}
        self.conditions = [rule for rule in speakers if isinstance(rule, Condition)]
        self.functions = [rule for rule in speakers if isinstance(rule, Function)]
        self.models = [rule for rule in rules if isinstance(rule, Probabilities)]
        self.n_items = 0
        self.spoken: list[Spoken] = []
        self.probs: list[list[NDArray[np.float64]]] = [[] for _ in self.models]
        self.ids: list[pl.Series] = []

    def ask(self, batch: pl.DataFrame, ids: pl.Series | None) -> None:
        """Ask all rules about one more batch."""
        if self.n_items == 0:
            refuse_what_needs_other_rows(self.conditions, batch)
        self.spoken.append(self._spoken(batch))
        for model, gathered in zip(self.models, self.probs, strict=True):
            gathered.append(probabilities_of(model, batch, self.n_items, self.labels))
        if ids is not None:
            self.ids.append(ids)
        self.n_items += len(batch)

    def votes(self, item: str | None, like: Votes | None) -> Votes:
        """Put everything together."""
        ids = read_ids(pl.concat(self.ids), self.n_items, str(item)) if self.ids else None
        parts = [self._plain_votes(ids)] if self.words else []
        parts += [
            self._model_votes(model, np.concatenate(probs), ids, like)
            for model, probs in zip(self.models, self.probs, strict=True)
        ]
        return parts[0] if len(parts) == 1 else Votes.joined(parts)

    def _spoken(self, batch: pl.DataFrame) -> Spoken:
        heard = sorted(self._heard(batch), key=lambda one: one[0])
        counts = np.zeros(len(batch), dtype=np.int32)
        for _, rows, _ in heard:
            counts[rows] += 1
        free = np.cumsum(counts) - counts  # (n_rows,) where the next vote on each row goes
        rule, word = np.empty((2, int(counts.sum())), dtype=np.int32)
        for j, rows, words in heard:
            rule[free[rows]] = j
            word[free[rows]] = words
            free[rows] += 1
        return Spoken(counts, rule, word)

    def _heard(
        self, batch: pl.DataFrame
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int32]]]:
        """The place of each rule, the rows on which it spoke, and its word on each."""
        for condition, rows in holding(self.conditions, batch, self.n_items):
            j = self.place[condition]
            yield j, rows, np.full(len(rows), self.words[j].first_said, dtype=np.int32)
        for function in self.functions:
            j = self.place[function]
            said = said_by(function, batch, self.n_items)
            yield j, *self.words[j].of_values(said, self.n_items)

    def _plain_votes(self, ids: NDArray[Any] | None) -> Votes:
        counts, rule, word = (np.concatenate(arrays) for arrays in zip(*self.spoken, strict=True))
        vocabulary, symbol = symbols(self.words, rule, word)
        indptr = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts, out=indptr[1:])
        return Votes(indptr, symbol, vocabulary, self.labels, ids)

    def _model_votes(
        self,
        model: Probabilities,
        probs: NDArray[np.float64],
        ids: NDArray[Any] | None,
        like: Votes | None,
    ) -> Votes:
        try:
            return Votes.from_probabilities(
                probs, self.labels, source=model.name, bins=model.bins, like=like, items=ids
            )
        except InputError as reason:
            raise InputError(f"Rule {model.name!r}: {reason}") from None
