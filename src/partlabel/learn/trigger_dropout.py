"""TriggerDropout: hide, while a model trains, what rules found, so that it learns the rest too."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _num_samples, check_is_fitted

from partlabel.errors import InputError
from partlabel.rules import Rule
from partlabel.rules.evaluate import holding, said_by
from partlabel.rules.rule import Condition, Function
from partlabel.tables import as_frame, as_series


class TriggerDropout(TransformerMixin, BaseEstimator):
    """Hide what rules found in some of the rows that a model trains on.

    A model that is trained on the votes of rules may do no more than repeat the rules: the words
    that they look for explain all votes. Where these words are hidden, the vote has to be explained
    by the rest of the text, and that is what is left on rows about which all rules are silent. Use
    it where rules speak on few rows; it helps where the rest of the row tells the class too, and
    most where the model can fit every vote (many rows, a weak penalty, a network).

    In a pipeline, before what makes features of texts: `fit_transform`, by which a pipeline trains,
    hides triggers; `transform`, by which it predicts, hides nothing.

    Parameters
    ----------
    rules : sequence of Rule
        Those whose votes train the model. Of rules with patterns (`keywords`, `regex`) all that a
        pattern finds is hidden. Of others, the columns that they read, where they speak and unless
        these are texts: nothing tells where in a text they found something.
    share : float in [0, 1], default 0.9
        The share of the rows whose triggers are hidden, all of them. These are the rows that teach
        the rest: at 0.5 few rows are too few, and plain training may do better. 1 leaves the model
        without the rules' own words, which it then can't use in prediction either.
    mask : str, default " "
        What stands in a text for a trigger. Pass the mask token of a language model, if there is
        one.
    random_state : int, RandomState or None, default 0
        Draws the rows. None draws others in each fit, so that each round of
        `PartialLabelClassifier` hides others.

    Attributes
    ----------
    kept_ : tuple of str
        The names of rules of whom nothing can be hidden.

    Examples
    --------
    >>> from partlabel.rules import keywords
    >>> rules = [keywords("spam", ["free"], "text")]
    >>> TriggerDropout(rules, share=1.0, mask="_").fit_transform(["Free money", "a lunch"]).tolist()
    ['_ money', 'a lunch']

    References
    ----------
    S. J. Moon, S. Mo, K. Lee, J. Lee and J. Shin, MASKER: masked keyword regularization for
    reliable text classification, AAAI 2021 (hiding the keywords that a classifier leans on).
    """

    kept_: tuple[str, ...]

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        share: float = 0.9,
        mask: str = " ",
        random_state: Any = 0,
    ) -> None:
        self.rules = rules
        self.share = share
        self.mask = mask
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find what can be hidden.

        Parameters
        ----------
        X : (n_rows,) texts, or a polars, pandas or Arrow table with the columns of the rules
            Texts alone stand for the one column that the rules search.
        y : ignored

        Raises
        ------
        TypeError
            If `rules` holds anything but rules, or `X` is neither texts nor a table.
        InputError
            If `share` is out of range, a column is missing, texts come where rules search several
            columns, or nothing can be hidden of any rule.
        """
        self._check_settings()
        frame = self._frame(X)
        hidden = _hidden_columns(self.rules, frame)
        self.kept_ = tuple(rule.name for rule in self.rules if not hidden[rule])
        if len(self.kept_) == len(self.rules):
            raise InputError(
                "`rules` must hold one of which something can be hidden: a keyword or regex rule, "
                f"or one that reads columns of `X` that are no texts; got {', '.join(self.kept_)}."
            )
        return self

    def transform(self, X: Any) -> Any:
        """Give the rows as they are: nothing is hidden in prediction."""
        check_is_fitted(self, "kept_")
        return X

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Give the rows to train on, with triggers hidden in `share` of them.

        Returns
        -------
        (n_rows,) array of texts, or a table of the kind of `X`, hidden values as nulls.

        Raises
        ------
        TypeError, InputError
            As `fit` does, and where a rule raises.
        """
        self.fit(X)
        return self._drawn(X)

    def views(self, X: Any, copies: int) -> tuple[Any, NDArray[np.int64]]:
        """Give several views of each row, each hidden or not by a draw of its own.

        Parameters
        ----------
        X : as in `fit`
        copies : int
            Views of each row. More let a model see the rows both ways, at as much more cost.

        Returns
        -------
        views : (copies * n_rows,) array of texts, or a table
        row : (copies * n_rows,) int
            The row that each is a view of: train on ``evidence.select(row)`` with the weight
            ``1 / copies`` each.

        Raises
        ------
        TypeError, InputError
            As `fit` does, and if `copies` is below 1.
        """
        if not copies >= 1:
            raise InputError(f"`copies` must be at least 1; got {copies}.")
        self.fit(X)
        row = np.tile(np.arange(_num_samples(X)), copies)
        return self._drawn(_safe_indexing(X, row)), row

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _drawn(self, X: Any) -> Any:
        frame = self._frame(X)
        drawn = check_random_state(self.random_state).random_sample(len(frame)) < self.share
        columns = _hide(self.rules, frame, pl.Series(drawn), self.mask)
        if _is_table(X):
            return _with_columns(X, columns)
        return np.array(columns[0].to_list(), dtype=object)

    def _frame(self, X: Any) -> pl.DataFrame:
        if _is_table(X):
            frame = as_frame(X, "X")
            self._refuse_missing(frame.columns)
            return frame
        searched = {_searched(rule): rule.name for rule in self.rules if rule.patterns}
        if len(searched) != 1:
            raise InputError(
                "`X` must be a table where the rules don't search exactly one column; they search "
                f"{list(searched)}, and `X` is one column. Pass a table with these columns."
            )
        texts = as_series(X)
        if texts.dtype != pl.String:
            raise TypeError(f"`X` must hold texts, or be a table; got {texts.dtype}. Pass strings.")
        return texts.alias(next(iter(searched))).to_frame()

    def _refuse_missing(self, there: list[str]) -> None:
        for rule in self.rules:
            for name in rule.reads or ():
                if name not in there:
                    raise InputError(
                        f"`X` must have the columns that the rules read; rule {rule.name!r} reads "
                        f"{name!r}, but the columns are {', '.join(map(repr, there[:12]))}. "
                        "Pass the table that the rules were applied to."
                    )

    def _check_settings(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise InputError(
                f"`share` must lie in [0, 1]; got {self.share}. It is a share of rows."
            )
        if not isinstance(self.mask, str):
            raise TypeError(f"`mask` must be a string; got {self.mask!r}.")
        for place, rule in enumerate(self.rules):
            if not isinstance(rule, Rule):
                raise TypeError(
                    f"`rules` must hold rules; got {type(rule).__name__} at position {place}. "
                    "Make one with `keywords`, say."
                )


def _searched(rule: Rule) -> str:
    """The column that a rule with patterns searches."""
    return (rule.reads or ("",))[0]


def _hidden_columns(rules: Sequence[Rule], frame: pl.DataFrame) -> dict[Rule, tuple[str, ...]]:
    """The columns of each rule in which something can be hidden."""
    whole = {name for name, kind in frame.schema.items() if kind != pl.String}
    return {
        rule: (_searched(rule),)
        if rule.patterns
        else tuple(name for name in rule.reads or () if name in whole)
        for rule in rules
    }


def _hide(
    rules: Sequence[Rule], frame: pl.DataFrame, drawn: pl.Series, mask: str
) -> list[pl.Series]:
    """The columns that change: triggers in texts by patterns, whole values where rules spoke."""
    patterns: dict[str, list[str]] = {}
    for rule in rules:
        if rule.patterns:
            patterns.setdefault(_searched(rule), []).extend(rule.patterns)
    literal = mask.replace("$", "$$")  # a `$` would name a group of the pattern
    hidden = {
        name: pl.when(drawn)
        .then(pl.col(name).str.replace_all("|".join(f"(?:{one})" for one in found), literal))
        .otherwise(pl.col(name))
        .alias(name)
        for name, found in patterns.items()
    }
    changed = frame.select(**hidden).get_columns()
    gone: dict[str, NDArray[np.bool_]] = {}
    columns = _hidden_columns(rules, frame)
    for rule, rows in _spoken([rule for rule in rules if not rule.patterns], frame):
        for name in columns[rule]:
            gone.setdefault(name, np.zeros(len(frame), dtype=bool))[rows] = True
    for name, where in gone.items():
        changed.append(frame[name].set(drawn & pl.Series(where), None))
    return changed


def _spoken(rules: Sequence[Rule], frame: pl.DataFrame) -> Iterator[tuple[Rule, NDArray[np.int64]]]:
    """The rows on which rules without patterns speak; a model speaks on all."""
    yield from holding([rule for rule in rules if isinstance(rule, Condition)], frame, 0)
    for rule in rules:
        if isinstance(rule, Function):
            said = as_series(said_by(rule, frame, 0))
            yield rule, np.flatnonzero(said.is_not_null().to_numpy())
        elif not isinstance(rule, Condition):
            yield rule, np.arange(len(frame))


def _is_table(X: Any) -> bool:
    return hasattr(X, "columns") or hasattr(X, "column_names")


def _with_columns(X: Any, columns: list[pl.Series]) -> Any:
    """The table with these columns in place of its own."""
    if isinstance(X, pl.DataFrame):
        return X.with_columns(columns)
    table = nw.from_native(X, eager_only=True)
    backend = nw.get_native_namespace(table)
    fresh = [nw.new_series(one.name, one.to_list(), backend=backend) for one in columns]
    return table.with_columns(*fresh).to_native()
