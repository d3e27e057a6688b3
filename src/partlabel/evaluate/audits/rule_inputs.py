"""RuleInputs: what rules read in the rows, and the rows without it or with another rule's.

What a rule reads is its *trigger*: the spans that it finds in a text, or else its columns. Every
change to triggers has a matched control, the same change to as much of what no rule reads.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from partlabel.rules import Rule, find_triggers
from partlabel.rules.triggers import merged_spans, without_spans

WORD = re.compile(r"\w+")


class Donor(NamedTuple):
    """A row from which the trigger of a rule is taken."""

    row: int
    rule: str


class Edit(NamedTuple):
    """What is put into a column of a row: in its place, or at the end of a text."""

    column: str
    value: Any
    at_the_end: bool


Edits: TypeAlias = Sequence[Sequence[Edit]]


@dataclass(frozen=True, slots=True, eq=False)
class RuleInputs:
    """What the rules read in some rows.

    Attributes
    ----------
    frame : polars.DataFrame
    spans : polars.DataFrame
        As `find_triggers` gives them.
    columns : mapping of rule name to the columns that it reads as a whole
        Only of rules that read nothing else.
    ordinary : tuple of str
        Columns of the model that no rule reads.
    searching : frozenset of str
        Rules that search texts.
    """

    frame: pl.DataFrame
    spans: pl.DataFrame
    columns: Mapping[str, tuple[str, ...]]
    ordinary: tuple[str, ...]
    searching: frozenset[str]

    @classmethod
    def of(
        cls, rules: Sequence[Rule], frame: pl.DataFrame, modelled: Sequence[str]
    ) -> "RuleInputs":
        """Trace the rules in a table, of which the model reads some columns."""
        texts = {name for name in frame.columns if _is_free_text(frame[name])}
        whole = {
            rule.name: rule.reads
            for rule in rules
            if not rule.patterns and rule.reads and not texts.intersection(rule.reads)
        }
        read = {name for rule in rules for name in rule.reads or ()}
        ordinary = tuple(name for name in modelled if name not in read | texts)
        searching = frozenset(rule.name for rule in rules if rule.patterns)
        return cls(frame, find_triggers(rules, frame), whole, ordinary, searching)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def traced(self) -> frozenset[str]:
        """Names of the rules whose triggers are known."""
        return self.searching | set(self.columns)

    def hidden(self) -> pl.DataFrame:
        """The rows without any trigger."""
        return _levelled(without_spans(self.frame, self.spans), self._read_columns())

    def ordinary_hidden(self, rng: np.random.Generator) -> pl.DataFrame:
        """The rows with as many ordinary words and columns hidden as there are triggers."""
        n = min(len(self._read_columns()), len(self.ordinary))
        names = rng.permutation(np.array(self.ordinary, dtype=object))[:n]
        return _levelled(without_spans(self.frame, self._ordinary_spans(rng)), names.tolist())

    def planted(self, donors: Sequence[Donor | None]) -> pl.DataFrame:
        """The rows without triggers but that of one donor for each row; None plants nothing."""
        trigger = self._first_triggers()

        def edits(donor: Donor) -> list[Edit]:
            if donor in trigger:
                return [Edit(*trigger[donor], at_the_end=True)]
            return self._copied(donor.row, self.columns.get(donor.rule, ()))

        return _edited(self.hidden(), [() if one is None else edits(one) for one in donors])

    def ordinary_planted(
        self, donors: Sequence[Donor | None], rng: np.random.Generator
    ) -> pl.DataFrame:
        """The rows without triggers, but with as much that is ordinary of the same donors."""
        trigger, hidden = self._first_triggers(), self.hidden()
        texts = {name: hidden[name].to_list() for name in self.spans["column"].unique()}

        def edits(donor: Donor) -> list[Edit]:
            if donor in trigger:
                column, found = trigger[donor]
                words = WORD.findall(texts[column][donor.row])
                chosen = rng.permutation(len(words))[: _n_words(found)]
                return [Edit(column, " ".join(words[k] for k in chosen), at_the_end=True)]
            n = len(self.columns.get(donor.rule, ()))
            names = rng.permutation(np.array(self.ordinary, dtype=object))[:n]
            return self._copied(donor.row, names.tolist())

        return _edited(hidden, [() if one is None else edits(one) for one in donors])

    def _read_columns(self) -> list[str]:
        return sorted({name for names in self.columns.values() for name in names})

    def _first_triggers(self) -> dict[Donor, tuple[str, str]]:
        """The column and text of one trigger of each rule in each row."""
        table = self.spans.select("row", "rule", "column", "trigger")
        return {Donor(row, rule): (name, found) for row, rule, name, found in table.iter_rows()}

    def _copied(self, row: int, names: Sequence[str]) -> list[Edit]:
        return [Edit(name, self.frame[name][row], at_the_end=False) for name in names]

    def _ordinary_spans(self, rng: np.random.Generator) -> pl.DataFrame:
        """As many words outside of triggers as there are within, where there are as many."""
        chosen = []
        for (name,), own in self.spans.group_by("column", maintain_order=True):
            texts = self.frame[str(name)].to_list()
            for row, places in merged_spans(own):
                text = texts[row]
                free = [
                    word.span()
                    for word in WORD.finditer(text)
                    if all(word.end() <= start or word.start() >= stop for start, stop in places)
                ]
                n = sum(_n_words(text[start:stop]) for start, stop in places)
                chosen += [(row, name, *free[k]) for k in rng.permutation(len(free))[:n]]
        kinds = {name: self.spans.schema[name] for name in ("row", "column", "start", "stop")}
        return pl.DataFrame(chosen, schema=kinds, orient="row")


def _is_free_text(values: pl.Series) -> bool:
    """Whether strings are mostly different, so that hiding them would hide everything."""
    return values.dtype == pl.String and values.n_unique() > max(len(values) / 2, 1)


def _n_words(text: str) -> int:
    return max(len(WORD.findall(text)), 1)


def _levelled(table: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The table with columns made to say nothing: the median, or the most frequent value."""
    return table.with_columns(
        pl.lit(_usual(table[name]), dtype=table[name].dtype).alias(name) for name in names
    )


def _usual(values: pl.Series) -> Any:
    if values.dtype.is_numeric():
        middle = values.quantile(0.5, "nearest")
        return int(middle) if middle is not None and values.dtype.is_integer() else middle
    return values.drop_nulls().mode().sort().first()


def _edited(table: pl.DataFrame, edits: Edits) -> pl.DataFrame:
    """The table after the edits of each row."""
    values: dict[str, list[Any]] = {}
    for row, of_row in enumerate(edits):
        for name, value, at_the_end in of_row:
            if name not in values:
                values[name] = table[name].to_list()
            values[name][row] = f"{values[name][row] or ''} {value}" if at_the_end else value
    return table.with_columns(
        pl.Series(name, column, dtype=table[name].dtype) for name, column in values.items()
    )
