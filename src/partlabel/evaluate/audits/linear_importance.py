"""What the features that are triggers contribute to the predictions of a linear model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from partlabel.evaluate.audits.audited_model import AuditedModel
from partlabel.rules import Rule, find_triggers


def linear_share(model: AuditedModel, frame: pl.DataFrame, rules: Sequence[Rule]) -> float | None:
    """Share of triggers in the mean absolute contributions of features; None where unknown.

    A feature is a trigger if it is named after a column that a rule reads, or if a rule that
    searches texts finds something in its name, as it does in the words of a bag of words.

    Parameters
    ----------
    model : AuditedModel
        A linear classifier, or a pipeline that ends in one and names its features; also within a
        classifier that keeps it as ``estimator_``.
    frame : polars.DataFrame
    rules : sequence of Rule
    """
    inner = getattr(model.model, "estimator_", model.model)
    before, last = (inner[:-1], inner[-1]) if isinstance(inner, Pipeline) else (None, inner)
    if not hasattr(last, "coef_") or np.ndim(last.coef_) != 2:
        return None
    names = _names(model, before, last)
    if names is None:
        return None
    features = model.inputs(frame)
    features = np.asarray(features) if before is None else before.transform(features)
    size = np.asarray(abs(features).mean(axis=0), dtype=np.float64).ravel()
    reach = np.ptp(last.coef_, axis=0) if len(last.coef_) > 1 else abs(last.coef_[0])
    contribution = size * reach
    total = float(contribution.sum())
    return float(contribution[_are_triggers(names, rules)].sum()) / total if total > 0 else None


def _names(model: AuditedModel, before: Pipeline | None, last: Any) -> list[str] | None:
    if before is not None and len(before):
        try:
            return [str(name) for name in before.get_feature_names_out()]
        except (AttributeError, ValueError):  # a step that names no features
            return None
    names = getattr(last, "feature_names_in_", model.features)
    return None if callable(names) or isinstance(names, str) else [str(name) for name in names]


def _are_triggers(names: Sequence[str], rules: Sequence[Rule]) -> NDArray[np.bool_]:
    plain = [name.rpartition("__")[2] for name in names]  # a ColumnTransformer says whose they are
    searching = [rule for rule in rules if rule.patterns]
    whole = {name for rule in rules if not rule.patterns for name in rule.reads or ()}
    found = np.array([name in whole for name in plain], dtype=bool)
    texts = {name: plain for rule in searching for name in rule.reads or ()}
    found[find_triggers(searching, texts)["row"].to_numpy()] = True
    return found
