"""What being labelled is related to: features, groups, votes, or what a model predicts."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.audits.propensity import auc_interval, cross_fitted, logistic
from partlabel.evaluate.powered.contradiction import holm
from partlabel.evaluate.powered.population import codes_and_names
from partlabel.evidence import Votes


def relations_table(
    labelled: NDArray[np.bool_],
    *,
    X: Any = None,
    groups: Any = None,
    votes: Votes | None = None,
    predicted: Any = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Give a row per kind of knowledge: how well it tells labelled from unlabelled items.

    A cross-fitted logistic regression of each kind gives every item a score; ``auc`` is how often
    a labelled item scores above an unlabelled one, 0.5 where there is no (linear) relation.

    Parameters
    ----------
    labelled : (n_items,) bool
    X : (n_items, n_features)
    groups : (n_items,) names
    votes : Votes
    predicted : Beliefs, or (n_items, n_classes)
    level : float in (0, 1)

    Returns
    -------
    polars.DataFrame
        what, auc, low, high, p_value (that it is at most 0.5; Holm over the rows).

    Raises
    ------
    InputError
        If lengths differ.
    """
    n = len(labelled)
    given: dict[str, Any] = {"features": X}
    if groups is not None:
        given["groups"] = _one_hot(codes_and_names(groups, n, "groups")[0])
    if votes is not None:
        _refuse_other_length(votes, n)
        ends, symbol = votes.indptr, votes.symbol
        given["votes"] = csr_array(
            (np.ones(len(symbol)), symbol, ends), shape=(n, len(votes.vocabulary))
        )
    if predicted is not None:
        given["predicted class"] = predicted.probs if isinstance(predicted, Beliefs) else predicted
    rows = []
    for what, features in given.items():
        score = cross_fitted(logistic(), features, labelled.astype(np.int64), 2)[:, 1]
        auc, low, high, p_value = auc_interval(score, labelled, level)
        rows.append({"what": what, "auc": auc, "low": low, "high": high, "p_value": p_value})
    table = pl.DataFrame(rows)
    return table.with_columns(p_value=pl.Series(holm(table["p_value"].to_numpy())))


def _one_hot(which: NDArray[np.intp]) -> csr_array:
    ends = np.arange(len(which) + 1)
    return csr_array((np.ones(len(which)), which, ends), shape=(len(which), int(which.max()) + 1))


def _refuse_other_length(votes: Votes, n_items: int) -> None:
    if len(votes) != n_items:
        raise InputError(
            f"`votes` must be about the same {n_items} items; got {len(votes)}. "
            "Select the items in the order of `gold`."
        )
