"""Features: the columns to learn from, turned into numbers by scikit-learn's own transformers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from partlabel.cli.columns import matching, nearest
from partlabel.cli.settings import Columns
from partlabel.errors import InputError, rows_named

WORDS_AT_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Features:
    """Names of the columns to learn from."""

    text: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @classmethod
    def chosen(cls, frame: pl.DataFrame, columns: Columns) -> "Features":
        """Resolve the patterns against a table.

        Raises
        ------
        InputError
            If a pattern matches nothing, or a column is named as two kinds.
        """
        kinds = {
            kind: matching(frame, getattr(columns, kind), f"--{kind}", columns.single)
            for kind in ("text", "numeric", "categorical")
        }
        kind_of: dict[str, str] = {}
        for kind, names in kinds.items():
            for name in names:
                if name in kind_of:
                    raise InputError(
                        f"Column {name!r} must be of one kind; it is named as {kind_of[name]} and "
                        f"as {kind}. Take it out of one of them."
                    )
                kind_of[name] = kind
        return cls(**kinds)

    @property
    def names(self) -> tuple[str, ...]:
        """All of the columns."""
        return (*self.text, *self.numeric, *self.categorical)

    def table(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give the columns, each in the one type that the transformers were made for.

        Raises
        ------
        InputError
            If a column isn't there, or its values aren't of its kind.
        """
        absent = [name for name in self.names if name not in frame.columns]
        if absent:
            raise InputError(
                f"The table must have the columns that the model was fitted on; it lacks "
                f"{', '.join(map(repr, absent[:12]))} ({len(absent)} of {len(self.names)}). "
                f"{nearest(absent[0], frame.columns)}"
            )
        return pl.DataFrame(
            [
                *(_text(frame[name]) for name in self.text),
                *(_numeric(frame[name]) for name in self.numeric),
                *(_category(frame[name]) for name in self.categorical),
            ]
        )

    def transformer(self) -> ColumnTransformer:
        """Give the transformer of `table`, not fitted yet."""
        numbers = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
        )
        kinds: Sequence[tuple[str, Any, Any]] = [
            ("numeric", numbers, list(self.numeric)),
            ("categorical", OneHotEncoder(handle_unknown="ignore"), list(self.categorical)),
        ]
        # a vectoriser reads one column: a string, not a list
        texts = [
            (f"text {name}", TfidfVectorizer(sublinear_tf=True, max_features=WORDS_AT_MOST), name)
            for name in self.text
        ]
        return ColumnTransformer([*texts, *(one for one in kinds if one[2])])


def estimator(name: str, seed: int) -> Any:
    """Give the classifier of this name."""
    if name == "extra-trees":
        return ExtraTreesClassifier(n_estimators=300, min_samples_leaf=2, random_state=seed)
    return LogisticRegression(max_iter=2000, random_state=seed)


def _text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String).fill_null("")


def _category(column: pl.Series) -> pl.Series:
    return column.cast(pl.String)


def _numeric(column: pl.Series) -> pl.Series:
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise InputError(
            f"Column {column.name!r} must hold numbers; it holds {column.dtype}. "
            "Name it with --categorical or --text, or convert it."
        )
    values = column.cast(pl.Float64)
    infinite = values.is_infinite().fill_null(value=False).to_numpy()
    if infinite.any():
        raise InputError(
            f"Column {column.name!r} must hold finite numbers; it is infinite at "
            f"{rows_named(infinite)}. Correct them, or leave them empty."
        )
    return values.fill_null(np.nan)
