"""Alike items, to draw gold from each kind or to narrow intervals by: `audit_strata`."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LEAST = 20  # items of a stratum; smaller ones go together


def audit_strata(
    predicted: Beliefs, *, votes: Votes | None = None, groups: Any = None, least: int = LEAST
) -> pl.Series:
    """Name the stratum of each item: what votes say of it x the predicted class x its group.

    Errors are alike within such a part, and differ between them, so that gold drawn from each part
    apart, or counted by parts afterwards, gives narrower intervals: hand the names to `evaluate` as
    `strata`. Draw a few rows from every part, and more where errors cost most or are likeliest.

    Parameters
    ----------
    predicted : Beliefs
        What the model says of each item; its likeliest class counts.
    votes : Votes, default None
        About the same items. What counts is the set of classes that the votes name, not who named
        them: "spam", "ham+spam" where they conflict, "no vote".
    groups : (n_items,) names, default None
    least : int, default 20
        Parts with fewer items are taken together, as "others".

    Returns
    -------
    polars.Series of (n_items,) str

    Raises
    ------
    InputError
        If the parts differ in length, or the label spaces do.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> votes = Votes.from_matrix([[0, 1], [1, 1], [-1, -1]], labels)
    >>> model = Beliefs(np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]), labels)
    >>> audit_strata(model, votes=votes, least=1).to_list()
    ['ham+spam | ham', 'spam | spam', 'no vote | spam']

    References
    ----------
    A. Fisch et al., Stratified prediction-powered inference for effective language model
    evaluation, NeurIPS 2024, arXiv 2406.04291, section 3.
    """
    parts = [predicted.decide().cast(pl.String)]
    if votes is not None:
        if votes.labels != predicted.labels:
            raise InputError(
                f"`votes` must have the classes {predicted.labels.classes}; got "
                f"{votes.labels.classes}. Build both with one LabelSpace."
            )
        parts.insert(0, _named(votes, predicted.labels))
    if groups is not None:
        parts.append(pl.Series(np.asarray(groups)).cast(pl.String).fill_null("no group"))
    if any(len(part) != len(predicted) for part in parts):
        raise InputError(
            f"`votes` and `groups` must be about the {len(predicted)} items of `predicted`; got "
            f"{[len(part) for part in parts]}. Give one entry for each item."
        )
    columns = [part.fill_null("undecided").alias(str(at)) for at, part in enumerate(parts)]
    name = pl.concat_str([column.name for column in columns], separator=" | ").alias("stratum")
    frame = pl.DataFrame(columns).select(name)
    rare = pl.len().over("stratum") < least
    return frame.select(
        pl.when(rare).then(pl.lit("others")).otherwise("stratum").alias("stratum")
    ).to_series()


def _named(votes: Votes, labels: LabelSpace) -> pl.Series:
    """(n_items,) The classes that votes name, by a sign between."""
    named: NDArray[np.bool_] = np.zeros((len(votes), len(labels)), dtype=bool)
    for code, holds in enumerate(votes.vocabulary.members().T):
        named[votes.item[holds[votes.symbol]], code] = True
    patterns, which = np.unique(named, axis=0, return_inverse=True)
    names = [
        "+".join(str(labels.classes[code]) for code in np.flatnonzero(row)) or "no vote"
        for row in patterns
    ]
    return pl.Series(np.array(names, dtype=object)[which.ravel()].tolist(), dtype=pl.String)
