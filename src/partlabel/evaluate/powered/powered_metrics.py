"""All metrics of a population as estimates: those of the whole, of classes, and of bins."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from partlabel.errors import InputError
from partlabel.evaluate.estimate import Basis, Estimate
from partlabel.evaluate.intervals import absolute_sum_of_normal, on_log_scale, on_logit_scale
from partlabel.evaluate.metrics import Floats
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
    least_share = 0.5 / population.n_gold

    def ends(at: slice, name: str) -> tuple[Floats, Floats]:
        if name in POSITIVE:
            return on_log_scale(result.value[at], reach[at])
        if name == "gap":
            return result.value[at] - reach[at], result.value[at] + reach[at]
        return on_logit_scale(result.value[at], reach[at], least_share)

    def estimate(value: float, low: float, high: float, name: str) -> Estimate:
        least, most = BOUNDS.get(name, (0.0, 1.0))
        value, low, high = (float(np.clip(x, least, most)) for x in (value, low, high))
        return Estimate(value, low, high, population.n_gold, level, basis, "influence")

    def of(name: str) -> tuple[Estimate | None, ...]:
        at = found.columns[name]
        return tuple(
            estimate(value, low, high, name) if low < high else None
            for value, low, high in zip(result.value[at], *ends(at, name), strict=True)
        )

    bins = found.columns["gap"]
    variance = variance_of_gaps(population, found, result)
    ece = absolute_sum_of_normal(result.value[bins], variance, level, random_state)
    headline = {name: one for name in HEADLINE if (one := of(name)[0]) is not None}
    return Metrics(
        headline={**headline, "ece": estimate(*ece, "ece")},
        of_class={name: of(name) for name in OF_CLASS},
        gaps=tuple(one for one in of("gap") if one is not None),
    )


def least_error(population: Population, found: Influences, result: Powered) -> Floats:
    """(n_metrics,) Standard errors, no smaller than what few gold rows of a class can tell.

    A class of which gold holds next to nothing shows no spread, though nothing is known of it. Its
    rates then are as unsure as those of the Beta distribution that so many rows leave of a uniform
    one; so are the means over classes, in their part.
    """
    k = len(population.labels)
    support = np.bincount(population.codes, minlength=k)
    predicted = np.bincount(population.probs[population.rows].argmax(axis=1), minlength=k)
    there = classes_there(population)
    error = result.error.copy()
    for name, (mean, n_rows) in {
        "class_precision": ("macro_precision", predicted),
        "class_recall": ("balanced_accuracy", support),
        "class_f1": ("macro_f1", (support + predicted) / 2),
        "class_auc": ("auc", support),
        "class_average_precision": ("average_precision", support),
    }.items():
        at, of_mean = found.columns[name], found.columns[mean]
        share = (n_rows * np.clip(np.nan_to_num(result.value[at]), 0.0, 1.0) + 1) / (n_rows + 2)
        least = np.where(n_rows < LEAST_GOLD, share * (1.0 - share) / (n_rows + 3), 0.0)
        variance = error[at] ** 2
        lacking = np.maximum(least - np.nan_to_num(variance), 0.0)
        error[of_mean] = np.sqrt(error[of_mean] ** 2 + lacking[there].sum() / there.sum() ** 2)
        error[at] = np.sqrt(variance + lacking)
    return error


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
