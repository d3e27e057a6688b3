"""best_evaluation: measure by the best that is known, and say what the numbers rest on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.covering_accuracy import covering_metrics
from partlabel.evaluate.evaluation import Evaluation, evaluate
from partlabel.evaluate.expected import expected_metrics
from partlabel.evaluate.powered.joint_beliefs import joint_beliefs
from partlabel.evaluate.powered.population import codes_and_names
from partlabel.evaluate.powered.powered_metrics import Metrics
from partlabel.evaluate.scored import as_beliefs, as_gold, rows_beside
from partlabel.evidence import Candidates
from partlabel.labels import LabelSpace

FEWEST_GOLD = 30
"""With fewer gold rows beside beliefs, intervals promise more than they hold."""


def best_evaluation(
    predicted: Any,
    *,
    gold: Any = None,
    beliefs: Any = None,
    candidates: Any = None,
    groups: Any = None,
    joint: bool = True,
    labels: LabelSpace | None = None,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> Evaluation:
    """Measure how good predictions are by the best basis that the data allow.

    In this order: gold with what votes and predictions say of the other items ("gold+model", from
    30 gold items on); gold alone; what is believed of all items; candidate sets (these two are
    assumptions, which are named).

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
        For items that it wasn't trained on.
    gold : Candidates, or (n_items,) class names with nulls, default None
    beliefs : Beliefs, or (n_items, n_classes) probabilities, default None
        From votes, without gold and without the model.
    candidates : Candidates, default None
    groups : (n_items,) names, default None
        Give all metrics for each of these too, on the same basis; groups of which nothing is known
        are left out.
    joint : bool, default True
        Add what the predictions say to the beliefs (`joint_beliefs`), with gold only if it bears
        that out. False takes beliefs as they are: right where they know the predictions already.
    labels : LabelSpace, default None
    level : float in (0, 1), default 0.95
    random_state : int, Generator or None, default 0

    Returns
    -------
    Evaluation
        From candidate sets, its metrics are those of `covering_metrics`.

    Raises
    ------
    InputError
        If nothing is known of any item, and as the chosen function refuses.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = np.array([[0.8, 0.2], [0.3, 0.7]])
    >>> str(best_evaluation(probs, beliefs=probs, labels=labels)["accuracy"].basis)
    'assumption'
    >>> str(best_evaluation(probs, gold=["ham", None], labels=labels)["accuracy"].basis)
    'gold'
    """
    if labels is None:
        held = (predicted, gold, candidates)
        labels = next((x.labels for x in held if hasattr(x, "labels")), None)
    model = as_beliefs(predicted, labels)
    n_gold = _n_gold(model, gold)
    if beliefs is not None and FEWEST_GOLD <= n_gold < len(model):
        return evaluate(
            model,
            gold,
            beliefs=beliefs,
            joint=None if joint else False,
            groups=groups,
            level=level,
            random_state=random_state,
        )
    if n_gold:
        return evaluate(model, gold, groups=groups, level=level, random_state=random_state)
    if beliefs is not None:
        whole = expected_metrics(model, beliefs, joint=joint, level=level)
        known = {"beliefs": joint_beliefs(model, beliefs) if joint else beliefs}
    elif candidates is not None:
        known = {"candidates": candidates}
        whole = _covered(model, candidates, level)
    else:
        raise InputError(
            f"Something must be known of the {len(model)} items; nothing is. Give gold, beliefs "
            "from votes, or candidates."
        )
    return whole if groups is None else _with_groups(whole, model, known, groups, random_state)


def _covered(model: Beliefs, candidates: Any, level: float) -> Evaluation:
    found = covering_metrics(model, candidates, level=level)
    nothing = np.zeros((len(model.labels),) * 2, dtype=np.int64)
    return Evaluation(found, nothing, model.labels, 0, len(model), 0, level)


def _with_groups(
    whole: Evaluation, model: Beliefs, known: Mapping[str, Any], groups: Any, random_state: Any
) -> Evaluation:
    """The same with the metrics of each group, but of those of which nothing is known."""
    which, names = codes_and_names(groups, len(model), "groups")
    plain, of_group = Beliefs(model.probs, model.labels), {}
    ((kind, values),) = known.items()
    by_row = _by_row(kind, values, model)
    for code, name in enumerate(names):
        rows = np.flatnonzero(which == code)
        part: dict[str, Any] = {kind: by_row.select(rows)}
        try:
            found = best_evaluation(
                plain.select(rows),
                **part,
                joint=False,
                level=whole.level,
                random_state=random_state,
            )
        except InputError:  # sets that rule nothing out
            continue
        metrics = found.estimates
        if kind == "beliefs":  # which are joint ones already
            assumed = whole["accuracy"].assumption
            metrics = {k: replace(one, assumption=assumed) for k, one in metrics.items()}
        of_group[name] = Metrics(metrics)
    return replace(whole, of_group=of_group)


def _by_row(kind: str, values: Any, model: Beliefs) -> Beliefs | Candidates:
    """What is known of each predicted item, in their order."""
    if kind == "beliefs":
        beliefs = as_beliefs(values, model.labels)
        return Beliefs(beliefs.probs[rows_beside(beliefs, model, kind)], model.labels)
    known = as_gold(values, model.labels)
    place = rows_beside(known, model, kind)
    return Candidates.from_mask((place < 0)[:, None] | known.mask()[place], model.labels)


def _n_gold(model: Any, gold: Any) -> int:
    if gold is None:
        return 0
    known = as_gold(gold, model.labels)
    place = rows_beside(known, model, "gold")
    return int(((place >= 0) & known.exact[place]).sum())
