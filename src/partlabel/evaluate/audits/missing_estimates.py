"""Estimates where labels are missing: each with what it assumes, and what an audit says of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from partlabel.evaluate.audits.doubly_robust import PARTS, Incomplete, em_prevalence, jackknifed
from partlabel.evaluate.estimate import Basis, Estimate, Verdict
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.contradiction import holm, verdict_of
from partlabel.evaluate.powered.influence_functions import influences
from partlabel.evaluate.powered.powered_metrics import Metrics, metrics_of
from partlabel.evaluate.powered.prediction_powered import Powered, powered
from partlabel.labels import LabelSpace

ASSUMED: Mapping[str, str] = MappingProxyType(
    {
        "naive": "labelled items are a random sample",
        "em": "labelling depends on the class alone, and the model of the class is calibrated",
        "ipw": "labelling depends on {on}, and its propensity is right",
        "aipw": "labelling depends on {on}, and its propensity or the model of the class is right",
    }
)
ALPHA = 0.05


def missing_estimates(
    items: Incomplete, level: float, random_state: int | np.random.Generator | None
) -> Mapping[str, Metrics]:
    """Estimate all metrics in every way that the items allow.

    An estimate is called contradicted where some prevalence is too far from that of the audit for
    the errors of both.
    """
    on = "the class alone" if items.by_class else "features alone"
    naive = items.naive()
    moved = influences(naive)
    results = {
        "naive": (moved, powered(naive, moved)),
        "ipw": jackknifed(items, Incomplete.weighted, random_state=random_state),
        "aipw": jackknifed(items, Incomplete.doubly_robust, random_state=random_state),
    }
    audited: Metrics | None = None
    anchor: tuple[Floats, Floats] | None = None
    if (items.audit >= 0).any():
        population = items.audited()
        found = influences(population)
        result = powered(population, found)
        audited = metrics_of(population, found, result, level, random_state)
        anchor = _prevalence(result, found.columns["prevalence"])
    estimates: dict[str, Metrics] = {}
    for name, (found, result) in results.items():
        verdict = _verdict(_prevalence(result, found.columns["prevalence"]), anchor)
        metrics = metrics_of(naive, found, result, level, random_state)
        estimates[name] = _assumed(metrics, ASSUMED[name].format(on=on), verdict)
    if items.by_class:
        value, error = em_prevalence(items, random_state)
        verdict = _verdict((value, error), anchor)
        estimates["em"] = _of_prevalence(value, error, items, level, verdict)
    return MappingProxyType(estimates if audited is None else {**estimates, "audited": audited})


def listed(metrics: Metrics, labels: LabelSpace) -> Iterator[tuple[str, str | None, Estimate]]:
    """Give each metric with its class, None for those of the whole."""
    for name, one in metrics.headline.items():
        yield name, None, one
    for name, of_class in metrics.of_class.items():
        for k, each in enumerate(of_class):
            if each is not None:
                yield name.removeprefix("class_"), str(labels.classes[k]), each


def _prevalence(result: Powered, at: slice) -> tuple[Floats, Floats]:
    return result.value[at], result.error[at]


def _verdict(
    found: tuple[Floats, Floats], anchor: tuple[Floats, Floats] | None, alpha: float = ALPHA
) -> Verdict:
    if anchor is None:
        return Verdict.UNVERIFIED
    error = np.hypot(found[1], anchor[1])
    gap = np.abs(found[0] - anchor[0])
    p = 2.0 * norm.sf(np.divide(gap, error, out=np.zeros_like(gap), where=error > 0))
    return verdict_of(float(np.nanmin(holm(np.asarray(p)))), alpha)


def _assumed(metrics: Metrics, assumption: str, verdict: Verdict) -> Metrics:
    def one(estimate: Estimate) -> Estimate:
        return replace(estimate, basis=Basis.ASSUMPTION, assumption=assumption, verdict=verdict)

    return Metrics(
        headline={name: one(each) for name, each in metrics.headline.items()},
        of_class={
            name: tuple(None if each is None else one(each) for each in of_class)
            for name, of_class in metrics.of_class.items()
        },
        gaps=tuple(one(each) for each in metrics.gaps),
    )


def _of_prevalence(
    value: Floats, error: Floats, items: Incomplete, level: float, verdict: Verdict
) -> Metrics:
    reach = float(student.ppf((1.0 + level) / 2.0, PARTS - 1)) * error
    known: dict[str, Any] = {
        "n": int(items.labelled.sum()),
        "level": level,
        "basis": Basis.ASSUMPTION,
        "method": "influence",
        "assumption": ASSUMED["em"],
        "verdict": verdict,
    }
    estimates = tuple(
        Estimate(float(v), max(float(v - r), 0.0), min(float(v + r), 1.0), **known)
        for v, r in zip(value, reach, strict=True)
    )
    return Metrics(of_class={"prevalence": estimates})
