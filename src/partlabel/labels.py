"""LabelSpace: class names and their codes, with an optional hierarchy of coarser names."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError, rows_named
from partlabel.tables import COLLECTIONS, as_series, distinct, is_null, plain

Name: TypeAlias = Hashable


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """The classes a label may take, in a fixed order; class ``k`` has code ``k``.

    Parameters
    ----------
    classes : sequence of str, int or bool
        Class names, at least two, all different. Their order is kept.
    parents : mapping of child name to parent name, default {}
        An optional hierarchy. A parent is a coarser name, which stands for all classes below it;
        it isn't a class itself.

    Raises
    ------
    InputError
        If there are fewer than two classes, a name twice or null, or a hierarchy with a cycle, with
        a class as parent, or with a name that has no class below it.

    Examples
    --------
    >>> labels = LabelSpace(["cat", "dog", "car"], parents={"cat": "animal", "dog": "animal"})
    >>> labels.encode(["car", "cat"])
    array([2, 0], dtype=int32)
    >>> labels.mask("animal")
    array([ True,  True, False])
    """

    classes: tuple[Name, ...]
    parents: Mapping[Name, Name] = field(default_factory=dict)
    _code: dict[Name, int] = field(init=False, repr=False, compare=False)
    _leaves: dict[Name, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.classes, str):
            raise TypeError(
                f"`classes` must be a sequence of names; got the string {self.classes!r}. "
                "Pass a list, such as ['ham', 'spam']."
            )
        classes = tuple(plain(name) for name in self.classes)
        parents = {plain(child): plain(parent) for child, parent in dict(self.parents).items()}
        _check_classes(classes)
        code = {name: k for k, name in enumerate(classes)}
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "parents", parents)
        object.__setattr__(self, "_code", code)
        object.__setattr__(self, "_leaves", _leaves_below(code, parents))

    @classmethod
    def infer(
        cls, values: Iterable[Any], parents: Mapping[Name, Name] | None = None
    ) -> "LabelSpace":
        """Take every distinct value, also within lists, as a class; sorted, without nulls.

        Names that stand as a parent in `parents` are coarse names, not classes.

        Raises
        ------
        InputError
            If fewer than two distinct values are there.
        """
        parents = dict(parents or {})
        found = {plain(v) for v in _unique(values) if not is_null(v)} - set(parents.values())
        try:
            ordered = sorted(found)
        except TypeError:  # names of mixed kinds don't compare
            ordered = sorted(found, key=lambda name: (type(name).__name__, str(name)))
        return cls(tuple(ordered), parents)

    def __len__(self) -> int:
        return len(self.classes)

    def __contains__(self, name: object) -> bool:
        return plain(name) in self._code

    def __hash__(self) -> int:
        return hash(self.classes)

    @property
    def coarse(self) -> tuple[Name, ...]:
        """Names that stand for several classes, in the order of the hierarchy."""
        return tuple(name for name in self._leaves if name not in self._code)

    def mask(self, name: Any) -> NDArray[np.bool_]:
        """Give the classes that one name, or a collection of names, stands for.

        Parameters
        ----------
        name : class name, coarse name, or a collection of them

        Returns
        -------
        (n_classes,) bool
            True for each class that is named.

        Raises
        ------
        InputError
            If a name is neither a class nor a coarse name.
        """
        allowed = np.zeros(len(self), dtype=bool)
        for one in name if isinstance(name, COLLECTIONS) else (name,):
            try:
                allowed[list(self._leaves[plain(one)])] = True
            except (KeyError, TypeError):
                raise InputError(
                    f"`label` must be one of {self._shown()}; got {one!r}. "
                    "Correct the value, or add the class to `classes`."
                ) from None
        return allowed

    def encode(self, values: Any, what: str = "label") -> NDArray[np.int32]:
        """Turn class names into codes.

        Parameters
        ----------
        values : (n,) array, Series or list of class names
        what : str, default "label"
            What the values are called in an error.

        Returns
        -------
        (n,) int32
            Codes in [0, n_classes).

        Raises
        ------
        InputError
            If a value is null or no class; the message names the first rows.
        """
        series = as_series(values)
        which, first = distinct(series)
        # looked up by Python's equality, so that 1.0 and True are found where the class is 1
        found = [self._code_of(series[int(row)]) for row in first]
        codes = np.array(found, dtype=np.int32)[which]
        bad = codes < 0
        if bad.any():
            value = series[int(bad.argmax())]
            raise InputError(
                f"`{what}` must be one of {self._shown()}; got {value!r} at {rows_named(bad)}. "
                "Correct the value, or add the class to `classes`."
            )
        return codes

    def decode(self, codes: Any) -> pl.Series:
        """Turn codes into class names; a null code stays null.

        Raises
        ------
        InputError
            If a code lies outside [0, n_classes).
        TypeError
            If the codes are no integers.
        """
        series = as_series(codes)
        if not (series.dtype.is_integer() or series.dtype == pl.Null):
            raise TypeError(
                f"`codes` must be integers; got {series.dtype}. For class names use `encode`."
            )
        bad = (~series.cast(pl.Int64).is_between(0, len(self) - 1)).fill_null(value=False)
        if bad.any():
            raise InputError(
                f"`codes` must lie in [0, {len(self)}); got {series.filter(bad)[0]} at "
                f"{rows_named(bad.to_numpy())}. Give null where no class is meant."
            )
        return as_series(self.classes).alias("label").gather(series.cast(pl.UInt32))

    def _code_of(self, value: Any) -> int:
        return self._code.get(plain(value), -1) if isinstance(value, Hashable) else -1

    def _shown(self) -> str:
        names = [repr(name) for name in self._leaves]
        return ", ".join(names[:8]) + (f", ... ({len(names)} names)" if len(names) > 8 else "")


def _unique(values: Any) -> list[Any]:
    """The distinct values, also those within lists."""
    series = as_series(values)
    if series.dtype == pl.Object:
        inner = (value if isinstance(value, COLLECTIONS) else (value,) for value in series)
        return list({name for names in inner for name in names})
    flat = series.explode() if isinstance(series.dtype, pl.List | pl.Array) else series
    return flat.unique().to_list()


def _check_classes(classes: tuple[Name, ...]) -> None:
    if len(classes) < 2:
        raise InputError(
            f"`classes` must name at least two classes; got {list(classes)!r}. "
            "Add the classes that labels may take."
        )
    seen: dict[Name, int] = {}
    for place, name in enumerate(classes):
        if is_null(name):
            raise InputError(
                f"`classes` must not hold a null; got {name!r} at position {place}. Remove it."
            )
        if name in seen:
            raise InputError(
                f"`classes` must all differ; got {name!r} at positions {seen[name]} and {place}. "
                "Remove one of them."
            )
        seen[name] = place


def _leaves_below(
    code: Mapping[Name, int], parents: Mapping[Name, Name]
) -> dict[Name, tuple[int, ...]]:
    below: dict[Name, list[int]] = {name: [k] for name, k in code.items()}
    for name, k in code.items():
        node, path = name, {name}
        while node in parents:
            node = parents[node]
            if node in code:
                raise InputError(
                    f"`parents` must lead from classes to coarser names; {node!r} is a class and a "
                    "parent. Give the coarse name a name of its own."
                )
            if node in path:
                raise InputError(
                    f"`parents` must not go in a circle; it does at {node!r}. "
                    "Remove one of its links."
                )
            path.add(node)
            below.setdefault(node, []).append(k)
    for name in (*parents, *parents.values()):
        if name not in below:
            raise InputError(
                f"`parents` must lead from classes to coarser names; no class lies below {name!r}. "
                "Add its classes, or remove it."
            )
    return {name: tuple(codes) for name, codes in below.items()}
