"""AuditedModel: a classifier that is asked about rows of a table, and can be trained anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone

from partlabel.errors import InputError
from partlabel.evaluate.metrics import Floats
from partlabel.labels import LabelSpace

Features: TypeAlias = str | Sequence[str] | Callable[[pl.DataFrame], Any]


@dataclass(frozen=True, slots=True, eq=False)
class AuditedModel:
    """A classifier, and how the rows of a table become its input.

    Attributes
    ----------
    model : object with `predict_proba`; with `fit` where it is to be trained anew
    labels : LabelSpace
    features : str, sequence of str, or function of a polars.DataFrame
        The column of texts, or the columns, that the model reads, or what makes its input.
    """

    model: Any
    labels: LabelSpace
    features: Features

    def inputs(self, frame: pl.DataFrame) -> Any:
        """What the model is given of these rows."""
        if callable(self.features):
            return self.features(frame)
        if isinstance(self.features, str):
            texts = frame[self.features]
            if texts.dtype == pl.String:
                return texts.fill_null("").to_numpy()
        names = [self.features] if isinstance(self.features, str) else list(self.features)
        table = frame.select(names)
        by_name = hasattr(self.model, "feature_names_in_")
        numbers = all(dtype.is_numeric() or dtype == pl.Boolean for dtype in table.dtypes)
        return table.to_numpy() if numbers and not by_name else table

    def probs(self, frame: pl.DataFrame) -> Floats:
        """(n_rows, n_classes) What the model predicts, 0 for classes that it doesn't know."""
        known = np.asarray(self.model.predict_proba(self.inputs(frame)), dtype=np.float64)
        codes = self.codes()
        if known.shape != (len(frame), len(codes)):
            raise InputError(
                f"`model` must give {len(codes)} probabilities for each of the {len(frame)} rows; "
                f"got an array of shape {known.shape}. Check what `features` makes of the rows."
            )
        probs = np.zeros((len(frame), len(self.labels)))
        probs[:, codes] = known
        return probs

    def codes(self) -> NDArray[np.int64]:
        """The class of each column that the model gives; its own names may be class codes."""
        everything = set(range(len(self.labels)))
        own = list(getattr(self.model, "classes_", everything))
        if all(name in self.labels for name in own):
            return self.labels.encode(own).astype(np.int64)
        if all(name in everything for name in own):
            return np.asarray(own, dtype=np.int64)
        raise InputError(
            f"`model` must predict the classes {list(self.labels.classes)!r}, or their codes; "
            f"it predicts {own!r}. Pass the `labels` that it was trained with."
        )

    def trained(self, frame: pl.DataFrame, codes: NDArray[np.int64]) -> "AuditedModel":
        """A fresh copy of the model, trained on these rows."""
        names = np.asarray(self.labels.decode(codes).to_list())
        return replace(self, model=clone(self.model).fit(self.inputs(frame), names))

    @property
    def trainable(self) -> bool:
        """Whether a fresh copy can be made and trained."""
        return hasattr(self.model, "fit") and hasattr(self.model, "get_params")
