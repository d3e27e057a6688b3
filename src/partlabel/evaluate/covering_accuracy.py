r"""Accuracy from candidate sets: `covering_metrics`.

=====================  ==================  ====================================================
symbol                 code                meaning
=====================  ==================  ====================================================
:math:`S_i`            ``candidates``      classes that are possible for item i
:math:`CR`             ``covering_rate``   share of items whose predicted class is possible
:math:`f`              ``false_rate``      chance that a wrong class is possible
=====================  ==================  ====================================================

A prediction is possible if it is right, or wrong and by chance among the candidates, so that
:math:`CR = a + (1 - a) f` and the accuracy is :math:`a = (CR - f) / (1 - f)`. The approximated
accuracy is the mean share of the predicted class in the model's probabilities over the candidates.

W. Wang et al., "Realistic evaluation of deep partial-label learning algorithms", ICLR 2025
(covering rate, approximated accuracy).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import t as student

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.estimate import Basis, Estimate, Verdict
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.contradiction import verdict_of
from partlabel.evaluate.scored import as_beliefs, as_gold, rows_beside
from partlabel.labels import LabelSpace

ALPHA = 0.05


def covering_metrics(
    predicted: Any,
    candidates: Any,
    *,
    gold: Any = None,
    false_rate: float | None = None,
    labels: LabelSpace | None = None,
    level: float = 0.95,
) -> Mapping[str, Estimate]:
    """Say how good a model is, from candidate sets of items it wasn't trained on.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
    candidates : Candidates, or lists of class names
        Items of which every class is possible say nothing, and are left out.
    gold : Candidates, or class names with nulls, default None
        Of some of the items. It doesn't enter the values, but judges the assumptions: whether sets
        hold the true class, and whether the other two are right on average where gold is.
    false_rate : float in [0, 1), default None
        The chance that a wrong class is a candidate. None takes it from the mean size of the sets,
        as if all wrong classes were as likely.
    labels : LabelSpace, default None
    level : float in (0, 1), default 0.95

    Returns
    -------
    mapping of name to Estimate
        ``covering_rate``, an upper bound of accuracy where sets hold the true class;
        ``approximated_accuracy``; and ``corrected_accuracy``, which may be below what is possible
        where its assumption fails, and is then 0. All of basis "assumption", each with gold's
        verdict; without gold they are unverified.

    Raises
    ------
    InputError
        If no item has fewer candidates than classes, `false_rate` or `level` is out of range, or
        items or classes don't fit.

    Examples
    --------
    >>> labels = LabelSpace(["ant", "bee", "cow"])
    >>> probs = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]
    >>> sets = [["ant"], ["bee", "cow"], ["cow"], ["bee"]]
    >>> found = covering_metrics(probs, sets, labels=labels)
    >>> found["corrected_accuracy"].value.__round__(3)
    0.714
    """
    check_level(level)
    if false_rate is not None and not 0.0 <= false_rate < 1.0:
        raise InputError(
            f"`false_rate` must lie in [0, 1); got {false_rate}. It is the chance that a wrong "
            "class is a candidate."
        )
    labels = getattr(candidates, "labels", None) if labels is None else labels
    model = as_beliefs(predicted, labels)
    known = as_gold(candidates, model.labels)
    place = rows_beside(known, model, "candidates")
    told = (place >= 0) & ~known.unknown[place]
    if not told.any():
        raise InputError(
            "`candidates` must rule out a class of at least one predicted item; they don't for "
            f"{len(model)} items. Check that the item ids match."
        )
    codes = _gold_codes(gold, model)[told]
    probs, sets = model.probs[told], known.mask()[place[told]]
    n, k = probs.shape
    guess = probs.argmax(axis=1)
    possible = sets[np.arange(n), guess]
    inside = (probs * sets).sum(axis=1)
    share = np.divide(
        probs[np.arange(n), guess] * possible, inside, where=inside > 0, out=inside * 0
    )
    f = float((sets.sum(axis=1).mean() - 1.0) / (k - 1)) if false_rate is None else false_rate
    corrected = (possible - f) / (1.0 - f)
    seen = codes >= 0
    right = (guess == codes)[seen]
    held = sets[seen, codes[seen]]
    verdicts = {
        "covering_rate": _held(held),
        "approximated_accuracy": _same(right - share[seen]),
        "corrected_accuracy": _same(right - corrected[seen]),
    }
    found = {
        "covering_rate": _mean(possible, "every set holds the true class", level),
        "approximated_accuracy": _mean(share, "the model's odds within a set are right", level),
        "corrected_accuracy": _mean(
            corrected, f"a wrong prediction is a candidate with chance {f:.3g}", level
        ),
    }
    return {name: replace(one, verdict=verdicts[name]) for name, one in found.items()}


def _gold_codes(gold: Any, model: Beliefs) -> NDArray[np.int64]:
    """(n_items,) The class of each predicted item, -1 where it isn't known."""
    codes = np.full(len(model), -1)
    if gold is None:
        return codes
    known = as_gold(gold, model.labels)
    place = rows_beside(known, model, "gold")
    there = (place >= 0) & known.exact[place]
    codes[there] = known.codes()[place[there]]
    return codes


def _held(held: NDArray[np.bool_]) -> Verdict:
    """Whether sets hold the true class: one that doesn't is enough."""
    if not len(held):
        return Verdict.UNVERIFIED
    return Verdict.UNCONTRADICTED if held.all() else Verdict.CONTRADICTED


def _same(gap: Floats) -> Verdict:
    """Whether what gold says differs from what was assumed, on average (t-test)."""
    if len(gap) < 2:
        return Verdict.UNVERIFIED
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    if error <= 1e-12:
        return Verdict.UNCONTRADICTED if abs(gap.mean()) <= 1e-12 else Verdict.CONTRADICTED
    return verdict_of(float(2.0 * student.sf(abs(gap.mean()) / error, len(gap) - 1)), ALPHA)


def _mean(values: Floats, assumption: str, level: float) -> Estimate:
    n = len(values)
    return assumed(float(values.mean()), values.std() / np.sqrt(n), n, assumption, level)


def assumed(value: float, error: float, n: int, assumption: str, level: float) -> Estimate:
    """A share with its normal interval, cut off at 0 and 1; of basis "assumption", unverified."""
    reach = float(ndtri((1.0 + level) / 2.0)) * error
    shown, low, high = (float(np.clip(x, 0.0, 1.0)) for x in (value, value - reach, value + reach))
    return Estimate(
        shown,
        low,
        high,
        n,
        level,
        Basis.ASSUMPTION,
        "influence",
        assumption,
        Verdict.UNVERIFIED,
    )
