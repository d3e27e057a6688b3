"""All metrics of a population as estimates: those of the whole, of classes, and of bins."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from partlabel.errors import InputError
from partlabel.evaluate.estimate import Basis, Estimate
from partlabel.evaluate.intervals import (
    absolute_sum_of_normal,
    clopper_pearson,
    on_log_scale,
    on_logit_scale,
)
from partlabel.evaluate.metrics import ECE_BINS, ECE_ROWS_PER_BIN, Floats
from partlabel.evaluate.powered.influence_functions import (
    HEADLINE,
    OF_CLASS,
    Influences,
    classes_there,
    influences,
)
from partlabel.evaluate.powered.population import LEAST_GOLD, Population
from partlabel.evaluate.powered.prediction_powered import Design, Powered, powered

BOUNDS: Mapping[str, tuple[float, float]] = {
    "log_loss": (0.0, np.inf),
    "brier": (0.0, 2.0),
    "gap": (-1.0, 1.0),
}
"""What a metric can be; all others are shares."""


POSITIVE = ("log_loss", "brier")

MEAN_OF: Mapping[str, str] = {
    "class_precision": "macro_precision",
    "class_recall": "balanced_accuracy",
    "class_f1": "macro_f1",
    "class_auc": "auc",
    "class_average_precision": "average_precision",
}
"""Which metric is the mean over the classes."""

FEW = "few gold rows of {}: the interval may be too short"
TIED = "few different confidences: the interval may be too short"


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """Estimates of all metrics.

    Attributes
    ----------
    headline : mapping of metric name to Estimate
    of_class : mapping of metric name to one Estimate per class
        ``class_precision``, ``class_recall``, ``class_f1``, ``prevalence``, ``class_auc`` and
        ``class_average_precision``. None where nothing is known of the class.
    gaps : tuple of Estimate
        What each bin of confidence, from low to high, adds to accuracy minus mean confidence.
    """

    headline: Mapping[str, Estimate] = field(default_factory=dict)
    of_class: Mapping[str, tuple[Estimate | None, ...]] = field(default_factory=dict)
    gaps: tuple[Estimate, ...] = ()


def powered_metrics(population: Population, level: float, random_state: Any) -> Metrics:
    """Estimate all metrics from gold and beliefs.

    Raises
    ------
    InputError
        If there are fewer than two gold rows.
    """
    refuse_too_little_gold(population)
    found = influences(population)
    return metrics_of(population, found, powered(population, found), level, random_state)


def refuse_too_little_gold(population: Population) -> None:
    """Refuse gold whose spread can't be told."""
    if population.n_gold < 2:
        raise InputError(
            f"`gold` must name the class of at least two predicted items where beliefs help; got "
            f"{population.n_gold}. Label more, or call `expected_metrics`, which needs no gold."
        )


def metrics_of(
    population: Population, found: Influences, result: Powered, level: float, random_state: Any
) -> Metrics:
    """Give the numbers their names and intervals."""
    basis = Basis.GOLD if population.beliefs is None else Basis.GOLD_AND_MODEL
    error = least_error(population, found, result)
    result = replace(result, error=error, alone=np.maximum(result.alone, error))
    reach = result.reach(level)
    alone, least_share = variance_of_gold(population, found), least_shares(population, found)

    def ends(at: slice, name: str) -> tuple[Floats, Floats]:
        if name in POSITIVE:
            return on_log_scale(result.value[at], reach[at])
        if name == "accuracy" and alone[at][0] < 0.5 / population.n_gold**2:  # no mistake seen
            hits = round(float(result.value[at][0]) * population.n_gold)
            low, high = clopper_pearson([hits], [population.n_gold], level)
            return low, high
        if name == "gap":
            return result.value[at] - reach[at], result.value[at] + reach[at]
        return on_logit_scale(result.value[at], reach[at], least_share[at])

    said = notes(population)

    def estimate(value: float, low: float, high: float, name: str, note: str = "") -> Estimate:
        least, most = BOUNDS.get(name, (0.0, 1.0))
        value, low, high = (float(np.clip(x, least, most)) for x in (value, low, high))
        n = population.n_gold
        return Estimate(value, low, high, n, level, basis, "influence", note=note)

    def of(name: str) -> tuple[Estimate | None, ...]:
        at = found.columns[name]
        shown = said.get(name, [""] * (at.stop - at.start))
        return tuple(
            estimate(value, low, high, name, note) if low < high else None
            for value, low, high, note in zip(result.value[at], *ends(at, name), shown, strict=True)
        )

    bins = found.columns["gap"]
    variance = variance_of_gaps(population, found, result)
    ece = absolute_sum_of_normal(result.value[bins], variance, level, random_state)
    most_bins = min(ECE_BINS, population.n_gold // ECE_ROWS_PER_BIN)
    tied = TIED if bins.stop - bins.start < most_bins else ""
    headline = {name: one for name in HEADLINE if (one := of(name)[0]) is not None}
    return Metrics(
        headline={**headline, "ece": estimate(*ece, "ece", tied)},
        of_class={name: of(name) for name in OF_CLASS},
        gaps=tuple(one for one in of("gap") if one is not None),
    )


def least_error(population: Population, found: Influences, result: Powered) -> Floats:
    """(n_metrics,) Standard errors, no smaller than what few gold rows of a class can tell.

    A class of which gold holds no mistake shows no spread, though a mistake may be next. So its
    rates are at least as unsure as so many rows leave a uniform guess (the area under the curve, as
    they leave that of exponential scores), the less so the nearer mistakes come to `LEAST_GOLD`;
    means over classes are so in their part.

    J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", Radiology 1982, eq. 2.
    """
    there = classes_there(population)
    error, alone = result.error.copy(), variance_of_gold(population, found)
    k, guess = len(population.labels), population.probs.argmax(axis=1)
    items = np.maximum(np.bincount(guess, minlength=k), 1)
    for name, n_rows in rows_of_classes(population).items():
        at, of_mean = found.columns[name], found.columns[MEAN_OF[name]]
        value = np.clip(np.nan_to_num(result.value[at]), 0.0, 1.0)
        if name == "class_auc":
            least = _variance_of_auc((n_rows * value + 0.5) / (n_rows + 1), n_rows, population)
        else:
            share = (n_rows * value + 1) / (n_rows + 2)
            least = share * (1.0 - share) / (n_rows + 3)
            if name == "class_precision":  # of few items, whatever the rate behind them
                least += share * (1.0 - share) / items
        mistakes = n_rows * np.minimum(value, 1.0 - value)
        unseen = np.maximum(1.0 - mistakes / LEAST_GOLD, 0.0)
        lacking = np.maximum(least - alone[at], 0.0) * unseen
        error[of_mean] = np.sqrt(error[of_mean] ** 2 + lacking[there].sum() / there.sum() ** 2)
        error[at] = np.sqrt(np.nan_to_num(error[at]) ** 2 + lacking)
    return error


def least_shares(population: Population, found: Influences) -> Floats:
    """(n_metrics,) No share is taken as nearer to 0 or 1 than one more row could move it."""
    least = np.full(len(found.pilot), 0.5 / population.n_gold)
    there = classes_there(population)
    for name, n_rows in rows_of_classes(population).items():
        least[found.columns[name]] = 1.0 / (n_rows + 2)
        least[found.columns[MEAN_OF[name]]] = (1.0 / (n_rows[there] + 2)).mean()
    return least


def rows_of_classes(population: Population) -> dict[str, Floats]:
    """(n_classes,) Gold rows that a metric of each class rests on, by the name of the metric."""
    k = len(population.labels)
    support = np.bincount(population.codes, minlength=k).astype(np.float64)
    predicted = np.bincount(population.probs[population.rows].argmax(axis=1), minlength=k)
    return {
        "class_precision": predicted.astype(np.float64),
        "class_recall": support,
        "class_f1": (support + predicted) / 2,
        "class_auc": support,
        "class_average_precision": support,
    }


def notes(population: Population) -> dict[str, list[str]]:
    """What to say beside metrics that rest on few gold rows of a class; none where there is none.

    One for each class, and one for the mean over classes.
    """
    there = classes_there(population)
    names = [str(name) for name in population.labels.classes]
    said = {}
    for metric, n_rows in rows_of_classes(population).items():
        few = n_rows < LEAST_GOLD
        said[metric] = [
            FEW.format(name) if one else "" for name, one in zip(names, few, strict=True)
        ]
        which = [name for name, one in zip(names, few & there, strict=True) if one]
        listed = ", ".join(which[:3]) + (", ..." if len(which) > 3 else "")
        said[MEAN_OF[metric]] = [FEW.format(listed) if which else ""]
    return said


def variance_of_gold(population: Population, found: Influences) -> Floats:
    """(n_metrics,) Variance of the estimates from gold alone."""
    return np.nan_to_num(Design.of(population).variance(found.of_gold))


def _variance_of_auc(area: Floats, n_rows: Floats, population: Population) -> Floats:
    """(n_classes,) Of areas under the curve, from so many rows of the class and the others."""
    own, others = np.maximum(n_rows, 1.0), np.maximum(population.n_gold - n_rows, 1.0)
    pairs = (others - 1) * (1 - area) / (2 - area) + (own - 1) * area / (1 + area)
    return np.asarray(area * (1.0 - area) * (1.0 + pairs) / (own * others))


def variance_of_gaps(population: Population, found: Influences, result: Powered) -> Floats:
    """(n_bins,) Variances of the calibration gaps, as even as the gold rows of a bin are few.

    Bins in which gold holds no mistake show no spread. So how it is shared among the bins is taken
    from the first guess, and halfway from none at all; its total is that of gold, or of the guess
    if that is larger.
    """
    bins = found.columns["gap"]
    guessed = Design.of(population).spread @ found.doubt[:, bins]
    seen = float(np.diagonal(result.covariance)[bins].sum())
    scale = max(1.0, seen / guessed.sum()) if guessed.sum() > 0 else 0.0
    return np.asarray(scale * (guessed + guessed.mean()) / 2.0)
