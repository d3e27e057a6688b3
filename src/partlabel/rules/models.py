"""Rules that repeat what another model says: its predictions in a table, or a fitted classifier."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.rules.rule import Function, Probabilities, Rule, spoken


def predictions(
    columns: str | Mapping[Any, str],
    *,
    says: Iterable[Any] | None = None,
    name: str | None = None,
    bins: int = 5,
) -> Rule:
    """Make a rule of the predictions of another model that stand in the table.

    Parameters
    ----------
    columns : str, or mapping of class name to str
        A column of classes, where a null says nothing; or the columns of the class probabilities,
        where a row of nulls says nothing. With probabilities, its word is (most likely class,
        confidence bin), so that what the model's confidence is worth is learnt, not believed.
    says : iterable of labels, default None
        What a column of classes may hold; needed only where the label space isn't given to
        `apply_rules`.
    name : str, default None
        None takes the column of classes; probabilities need a name.
    bins : int, default 5
        Bins of confidence, at quantiles of all rows. More bins follow the confidence more closely
        and need more votes each.

    Returns
    -------
    Rule

    Raises
    ------
    InputError
        If probabilities have no name, or two classes one column.

    Examples
    --------
    >>> predictions({"ham": "p_ham", "spam": "p_spam"}, name="bert").reads
    ('p_ham', 'p_spam')
    """
    if isinstance(columns, str):
        return Function(
            name=columns if name is None else name,
            reads=(columns,),
            says=None if says is None else tuple(spoken(label) for label in says),
            function=lambda batch: batch[columns],
            per_row=False,
        )
    if name is None:
        raise InputError(
            "`name` must name the model whose probabilities these are; got None. Pass `name`."
        )
    class_of: dict[str, Any] = {}
    for label, column in columns.items():
        if column in class_of:
            raise InputError(
                f"`columns` must name one column for each class; got {column!r} for "
                f"{class_of[column]!r} and for {label!r}."
            )
        class_of[column] = label
    return Probabilities(
        name=name,
        reads=tuple(class_of),
        says=tuple(columns),
        function=_matrix,
        bins=bins,
    )


def classifier(
    estimator: Any, columns: str | Sequence[str], *, name: str | None = None, bins: int = 5
) -> Rule:
    """Make a rule of a fitted scikit-learn classifier, which is asked batch by batch.

    Parameters
    ----------
    estimator : classifier or pipeline
        With ``predict_proba``, its word is (most likely class, confidence bin); without, its
        prediction.
    columns : str, or sequence of str
        Its features. A single name passes a one-dimensional array, as a text pipeline wants it; a
        list passes a table.
    name : str, default None
        None takes the name of the estimator's class.
    bins : int, default 5
        As in `predictions`.

    Returns
    -------
    Rule

    Raises
    ------
    InputError
        If the estimator has no classes, because it isn't fitted or no classifier.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> classifier(DummyClassifier().fit([[0], [1]], ["ham", "spam"]), ["length"]).says
    ('ham', 'spam')
    """
    if not hasattr(estimator, "classes_"):
        raise InputError(
            f"`estimator` must be a fitted classifier; {type(estimator).__name__} has no "
            "`classes_`. Fit it first."
        )
    called = type(estimator).__name__ if name is None else name
    reads = (columns,) if isinstance(columns, str) else tuple(columns)
    says = tuple(np.asarray(estimator.classes_).tolist())

    def features(batch: pl.DataFrame) -> Any:
        if isinstance(columns, str):
            return batch[columns].to_numpy()
        table = batch.select(columns)
        return table if hasattr(estimator, "feature_names_in_") else table.to_numpy()

    if not hasattr(estimator, "predict_proba"):
        return Function(
            name=called,
            reads=reads,
            says=says,
            function=lambda b: estimator.predict(features(b)),
            per_row=False,
        )
    return Probabilities(
        name=called,
        reads=reads,
        says=says,
        function=lambda b: estimator.predict_proba(features(b)),
        bins=bins,
    )


def _matrix(table: pl.DataFrame) -> NDArray[np.float64]:
    """The columns as numbers; a null becomes NaN."""
    return table.cast(pl.Float64).fill_null(np.nan).to_numpy()
