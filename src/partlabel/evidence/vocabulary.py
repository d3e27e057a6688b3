"""Vocabulary: the words that each source may say, and the classes that each word stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evidence.sets import ClassSets
from partlabel.labels import LabelSpace


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The words of all sources, joined; a *symbol* is a position among them.

    A word is a set of classes said with a confidence level. Every source's words begin with the
    single classes in the order of the label space at level 0, then the single classes at the higher
    levels, then its larger sets.

    Attributes
    ----------
    sources : tuple of str
        Names of the sources.
    source : (n_symbols,) int32
        The source of each word; ascending.
    meaning : (n_symbols,) int32
        The classes that the word stands for, as a row of `sets`.
    sets : (n_sets, n_classes) bool
        Distinct sets; the first ``n_classes`` rows are the single classes.
    level : (n_symbols,) int32
        Confidence bin, 0 for the lowest; 0 throughout for a source that states no confidence.
    bins : mapping of source to (n_levels - 1,) float
        Inner edges of the confidence bins, for the sources that have them.
    """

    sources: tuple[str, ...]
    source: NDArray[np.int32]
    meaning: NDArray[np.int32]
    sets: NDArray[np.bool_]
    level: NDArray[np.int32]
    bins: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen: dict[str, int] = {}
        for place, name in enumerate(self.sources):
            if name in seen:
                raise InputError(
                    f"`sources` must all differ; got {name!r} at positions {seen[name]} and "
                    f"{place}. Rename one of them."
                )
            seen[name] = place

    @classmethod
    def of_classes(cls, sources: Sequence[str], labels: LabelSpace) -> "Vocabulary":
        """Sources that say one class at a time."""
        n_classes = len(labels)
        return cls(
            sources=tuple(str(name) for name in sources),
            source=np.repeat(np.arange(len(sources), dtype=np.int32), n_classes),
            meaning=np.tile(np.arange(n_classes, dtype=np.int32), len(sources)),
            sets=np.eye(n_classes, dtype=bool),
            level=np.zeros(len(sources) * n_classes, dtype=np.int32),
        )

    @classmethod
    def of_sets(
        cls,
        sources: Sequence[str],
        labels: LabelSpace,
        sets: NDArray[np.bool_],
        said: NDArray[np.int64],
    ) -> "Vocabulary":
        """Sources that say one class at a time, and some larger sets.

        Parameters
        ----------
        sets : (n_larger_sets, n_classes) bool
            Distinct sets of two or more classes.
        said : (n_pairs, 2) int
            Which source says which of the sets; distinct pairs, sorted.
        """
        n_classes = len(labels)
        n_words = n_classes + np.bincount(said[:, 0], minlength=len(sources))
        source = np.repeat(np.arange(len(sources), dtype=np.int32), n_words)
        single = np.arange(len(source)) - np.repeat(np.cumsum(n_words) - n_words, n_words)
        meaning = single.astype(np.int32)
        meaning[single >= n_classes] = n_classes + said[:, 1]
        return cls(
            sources=tuple(str(name) for name in sources),
            source=source,
            meaning=meaning,
            sets=np.vstack([np.eye(n_classes, dtype=bool), sets]),
            level=np.zeros(len(source), dtype=np.int32),
        )

    @classmethod
    def of_words(
        cls,
        source: str,
        labels: LabelSpace,
        *,
        sets: NDArray[np.bool_] | None = None,
        edges: NDArray[np.float64] | None = None,
    ) -> "Vocabulary":
        """One source that says classes, or larger sets, each at every level of its confidence.

        Parameters
        ----------
        sets : (n_larger_sets, n_classes) bool, default None
            Distinct sets of two or more classes that the source may also say.
        edges : (n_levels - 1,) float, default None
            Inner edges of its confidence bins; None for a source without confidence.
        """
        n_classes, n_levels = len(labels), 1 if edges is None else len(edges) + 1
        table = np.eye(n_classes, dtype=bool)
        table = table if sets is None else np.vstack([table, sets])
        singles, larger = np.arange(n_classes), np.arange(n_classes, len(table))
        levels = np.arange(n_levels)
        meaning = [np.tile(singles, n_levels), np.tile(larger, n_levels)]
        level = [np.repeat(levels, len(singles)), np.repeat(levels, len(larger))]
        return cls(
            sources=(source,),
            source=np.zeros(len(table) * n_levels, dtype=np.int32),
            meaning=np.concatenate(meaning).astype(np.int32),
            sets=table,
            level=np.concatenate(level).astype(np.int32),
            bins={} if edges is None else {source: edges},
        )

    @classmethod
    def joined(cls, parts: Sequence["Vocabulary"]) -> "Vocabulary":
        """The vocabularies of several groups of sources, one after the other."""
        n_classes = parts[0].sets.shape[1]
        larger = ClassSets.from_mask(np.concatenate([part.sets[n_classes:] for part in parts]))
        ends = np.cumsum([len(part.sets) - n_classes for part in parts])[:-1]
        own = np.split(n_classes + larger.which, ends)
        singles = np.arange(n_classes)
        starts = np.cumsum([0, *(len(part.sources) for part in parts[:-1])])
        meaning = [
            np.r_[singles, sets][part.meaning] for part, sets in zip(parts, own, strict=True)
        ]
        source = [part.source + start for part, start in zip(parts, starts, strict=True)]
        bins: dict[str, NDArray[np.float64]] = {}
        for part in parts:
            bins.update(part.bins)
        return cls(
            sources=tuple(name for part in parts for name in part.sources),
            source=np.concatenate(source).astype(np.int32),
            meaning=np.concatenate(meaning).astype(np.int32),
            sets=np.vstack([np.eye(n_classes, dtype=bool), larger.table]),
            level=np.concatenate([part.level for part in parts]),
            bins=bins,
        )

    def union(self, other: "Vocabulary") -> "Vocabulary":
        """The words of both; sources of one name are the same source, with the words of both.

        Raises
        ------
        InputError
            If a source has other confidence bins there.
        """
        if self.same_as(other):
            return self
        shared = [name for name in other.sources if name in self.sources]
        self._check_bins(other, shared)
        sources = (*self.sources, *(name for name in other.sources if name not in shared))
        place = {name: j for j, name in enumerate(sources)}
        table, row = list(self.sets), {members.tobytes(): m for m, members in enumerate(self.sets)}
        for members in other.sets:
            if row.setdefault(members.tobytes(), len(table)) == len(table):
                table.append(members)
        words = dict.fromkeys(
            (place[part.sources[j]], row[members], level)
            for part in (self, other)
            for j, members, level in _words(part)
        )
        # stable: a source's new words follow those that it had
        source, meaning, level = np.array(sorted(words, key=lambda w: w[0]), dtype=np.int32).T
        return Vocabulary(
            sources=sources,
            source=np.ascontiguousarray(source),
            meaning=np.ascontiguousarray(meaning),
            sets=np.array(table),
            level=np.ascontiguousarray(level),
            bins={**other.bins, **self.bins},
        )

    def alone(self, source: str) -> "Vocabulary":
        """The words of one source that states its confidence.

        Raises
        ------
        InputError
            If there is no such source, or it states none.
        """
        if source not in self.bins:
            raise InputError(
                f"`like` must hold votes of the source {source!r} with confidence bins; it has "
                f"{', '.join(map(repr, self.bins)) or 'none'}. "
                "Pass the votes that its first rows were read into."
            )
        own = self.source == self.sources.index(source)
        return Vocabulary(
            sources=(source,),
            source=np.zeros(int(own.sum()), dtype=np.int32),
            meaning=self.meaning[own],
            sets=self.sets,
            level=self.level[own],
            bins={source: self.bins[source]},
        )

    def __len__(self) -> int:
        return len(self.source)

    @property
    def first(self) -> NDArray[np.int64]:
        """(n_sources + 1,) The words of source ``j`` are the symbols ``first[j]:first[j + 1]``."""
        return np.searchsorted(self.source, np.arange(len(self.sources) + 1)).astype(np.int64)

    def members(self) -> NDArray[np.bool_]:
        """(n_symbols, n_classes) Whether the word's set holds the class."""
        return np.asarray(self.sets[self.meaning])

    def same_as(self, other: "Vocabulary") -> bool:
        """Whether both hold the same words of the same sources, so that symbols mean the same."""
        return (
            self.sources == other.sources
            and np.array_equal(self.source, other.source)
            and np.array_equal(self.meaning, other.meaning)
            and np.array_equal(self.sets, other.sets)
            and np.array_equal(self.level, other.level)
            and all(self._same_bins(name, other) for name in self.sources)
        )

    def symbols_in(self, other: "Vocabulary", used: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Find the symbols that mean the same in another vocabulary.

        Parameters
        ----------
        other : Vocabulary
        used : (n,) int
            The symbols to find.

        Returns
        -------
        (n,) int32
            Their symbols in `other`, or -1 where it has no such word.

        Raises
        ------
        InputError
            If `other` lacks a source, or a source has other confidence bins there.
        """
        place = {name: j for j, name in enumerate(other.sources)}
        unknown = [name for name in self.sources if name not in place]
        if unknown:
            raise InputError(
                "`votes` must be of sources that were there in `fit`; got "
                f"{', '.join(map(repr, unknown[:3]))} ({len(unknown)} of {len(self.sources)} "
                "sources). Fit again with them, or leave them out."
            )
        self._check_bins(other, self.sources)
        symbol_of = {word: symbol for symbol, word in enumerate(_words(other))}
        words = _words(self)
        found = [
            symbol_of.get((place[self.sources[j]], members, level), -1)
            for j, members, level in (words[symbol] for symbol in used)
        ]
        return np.array(found, dtype=np.int32)

    def _check_bins(self, other: "Vocabulary", sources: Sequence[str]) -> None:
        for name in sources:
            if not self._same_bins(name, other):
                raise InputError(
                    "`votes` must be read with the confidence bins of `fit`; those of source "
                    f"{name!r} differ. Read the new rows with `like=`, or fit again."
                )

    def _same_bins(self, source: str, other: "Vocabulary") -> bool:
        mine, theirs = self.bins.get(source), other.bins.get(source)
        if mine is None or theirs is None:
            return mine is theirs
        return np.array_equal(mine, theirs)


def _words(vocabulary: Vocabulary) -> list[tuple[int, bytes, int]]:
    """Each symbol's source, set and level, to be compared with those of another vocabulary."""
    members = [row.tobytes() for row in vocabulary.sets]
    columns = (vocabulary.source, vocabulary.meaning, vocabulary.level)
    return [(int(j), members[m], int(level)) for j, m, level in zip(*columns, strict=True)]
