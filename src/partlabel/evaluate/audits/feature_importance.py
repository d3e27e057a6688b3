"""What the features that are triggers contribute to a model's predictions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from partlabel.evaluate.audits.audited_model import AuditedModel
from partlabel.rules import Rule, find_triggers


class TriggerShare(NamedTuple):
    """Share of triggers in the mean absolute contributions of features, and how it was found."""

    probe: str
    share: float


def trigger_share(
    model: AuditedModel, frame: pl.DataFrame, rules: Sequence[Rule]
) -> TriggerShare | None:
    """Give the share of triggers in what features contribute; None where it can't be known.

    A feature is a trigger if it is named after a column that a rule reads, or if a rule that
    searches texts finds something in its name, as it does in the words of a bag of words.

    Parameters
    ----------
    model : AuditedModel
        A linear classifier, or one that gives its ``input_importance``, as networks of
        `partlabel.train` do; or a pipeline that ends in one and names its features; also within a
        classifier that keeps it as ``estimator_``.
    frame : polars.DataFrame
    rules : sequence of Rule
    """
    inner = getattr(model.model, "estimator_", model.model)
    before, last = (inner[:-1], inner[-1]) if isinstance(inner, Pipeline) else (None, inner)
    linear = getattr(getattr(last, "coef_", None), "ndim", 0) == 2
    if not linear and not hasattr(last, "input_importance"):
        return None
    names = _names(model, before, last)
    if names is None:
        return None
    features = model.inputs(frame)
    if before is not None:
        features = before.transform(features)
    contribution = _of_linear(last, features) if linear else last.input_importance(features)
    total = float(contribution.sum())
    if not total > 0:
        return None
    share = float(contribution[_are_triggers(names, rules)].sum()) / total
    return TriggerShare("linear" if linear else "network", share)


def _of_linear(model: Any, features: Any) -> NDArray[np.float64]:
    """(n_features,) Mean absolute feature, times how far apart it puts the classes."""
    if isinstance(features, pl.DataFrame):
        features = features.to_numpy()
    size = np.asarray(abs(features).mean(axis=0), dtype=np.float64).ravel()
    coef = np.asarray(model.coef_, dtype=np.float64)
    reach = np.ptp(coef, axis=0) if len(coef) > 1 else np.abs(coef[0])
    return np.asarray(size * reach)


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
