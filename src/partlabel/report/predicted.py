"""The sections about what is believed and predicted: confidence, quality, calibration.

Each is a pure function of the user's data. It gives None where there is nothing to say.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.beliefs import Beliefs
from partlabel.evaluate import Basis, Evaluation, ReliabilityDiagram, Verdict
from partlabel.evaluate.intervals import clopper_pearson
from partlabel.evidence import Evidence
from partlabel.report import figures
from partlabel.report.section import Section
from partlabel.report.summary import commonest_class
from partlabel.report.wording import decimal, interval, plural

LISTED_CLASSES = 100
CONFUSION_CLASSES = 20
HISTOGRAM_BINS = 20
THRESHOLDS = (0.99, 0.95, 0.9, 0.8, 0.7, 0.5)
TIE = "no class ahead"

METRICS: Mapping[str, tuple[str, str]] = {
    "accuracy": ("Accuracy", "share of items whose likeliest class is right"),
    "balanced_accuracy": ("Balanced accuracy", "mean of the classes' recalls"),
    "macro_f1": ("Macro F1", "mean of the classes' F1"),
    "log_loss": ("Log loss", "nats; lower is better"),
    "brier": ("Brier score", "0 to 2; lower is better"),
    "macro_precision": ("Macro precision", "mean of the classes' precisions"),
    "auc": ("ROC AUC", "mean over the classes, each against the others"),
    "average_precision": ("Average precision", "mean over the classes, each against the others"),
    "covering_rate": ("Covering rate", "share of items whose likeliest class is a candidate"),
    "approximated_accuracy": ("Approximated accuracy", "by the model's odds within a set"),
    "corrected_accuracy": ("Corrected accuracy", "the covering rate, less what chance gives"),
    "ece": ("Calibration error", "how far confidence is from accuracy; lower is better"),
}
PLOTTED_METRICS = ("accuracy", "balanced_accuracy", "macro_f1")


def beliefs(held: Beliefs | None, observed: Evidence) -> Section:
    """How sure the beliefs are, and which classes they lean to."""
    title = "What is believed about the items"
    if held is None or not len(held):
        missing = "No beliefs were given: `model.aggregate(evidence)` of a label model makes them."
        return Section("beliefs", title, missing=missing)
    sure = held.confidence
    likeliest = _likeliest(held)
    edges = np.linspace(1.0 / len(held.labels), 1.0, HISTOGRAM_BINS + 1)
    data = {
        "thresholds": [(t, int((sure >= t).sum()), float((sure >= t).mean())) for t in THRESHOLDS],
        "classes": _balance(held, likeliest, observed),
        "n_ties": int((likeliest < 0).sum()),
        "has_gold": observed.gold is not None and bool(observed.gold.exact.any()),
        "n_classes": len(held.labels),
    }
    groups = _histograms(held, likeliest, edges)
    chart = figures.confidence(edges, groups, min(len(held.labels), len(figures.PALETTE)))
    return Section("beliefs", title, data, {"confidence": chart})


def quality(evaluations: Mapping[str, Evaluation]) -> Section:
    """How good predictions are: each number with its interval, and what it rests on."""
    title = "How good the predictions are"
    if not evaluations:
        missing = "Nothing was evaluated: with gold labels for some items, `evaluate` does it."
        return Section("quality", title, missing=missing)
    metrics = {m: METRICS.get(m, (m, "")) for e in evaluations.values() for m in e.estimates}
    rows = [
        (*words, [evaluation.estimates.get(m) for evaluation in evaluations.values()])
        for m, words in metrics.items()
    ]
    plotted = {m: METRICS[m][0] for m in PLOTTED_METRICS if m in metrics}
    data = {
        "names": list(evaluations),
        "level": next(iter(evaluations.values())).level,
        "rows": rows,
        "grounds": _grounds(evaluations),
        "details": [_detail(name, one) for name, one in evaluations.items() if one.n_gold],
    }
    charts = {"quality": figures.quality(evaluations, plotted)} if plotted else {}
    return Section("quality", title, data, charts)


def calibration(diagrams: Mapping[str, ReliabilityDiagram]) -> Section | None:
    """Whether predictions are right as often as they say."""
    if not diagrams:
        return None
    tables = [(name, d.level, d.to_polars().to_dicts()) for name, d in diagrams.items()]
    found = [_tendency(name, diagram) for name, diagram in diagrams.items()]
    data = {
        "tables": tables,
        "sentences": [sentence for sentence, _ in found],
        "off": any(off for _, off in found),
    }
    chart = {"calibration": figures.calibration(diagrams)}
    return Section("calibration", "Whether confidence can be believed", data, chart)


def _tendency(name: str, diagram: ReliabilityDiagram) -> tuple[str, bool]:
    """Whether predictions are too sure on average, or too careful; and whether either is so."""
    n = int(diagram.count.sum())
    says, right = (float(diagram.count @ x) / n for x in (diagram.confidence, diagram.accuracy))
    low, high = map(float, clopper_pearson(right * n, n, diagram.level))
    by_gold = diagram.basis == "gold"
    what = "too sure" if says > high else "too careful" if says < low else ""
    told = what or "as sure as it should be, as far as these rows can tell"
    return (
        f"On average {name} is {told}: it says {decimal(says)}, and is right in "
        f"{interval(right, low, high)} of {plural(n, 'gold item' if by_gold else 'item')}"
        f"{'' if by_gold else ', by assumption (unverified)'}."
    ), bool(what)


def _grounds(evaluations: Mapping[str, Evaluation]) -> list[tuple[Basis, str]]:
    """Each basis that a number has, and what must hold for such numbers to be right."""
    numbers = [number for one in evaluations.values() for number in one.estimates.values()]
    found = dict.fromkeys(number.basis for number in numbers)
    verdicts = dict.fromkeys(number.verdict for number in numbers if number.verdict is not None)
    checked = {one.audit.verdict for one in evaluations.values() if one.audit is not None}
    said = {
        Basis.GOLD: "Gold labels alone. Right if they are a random sample of the items that "
        "matter.",
        Basis.GOLD_AND_MODEL: "Gold labels, and beliefs about the other items, from which what "
        "gold finds wrong is taken back out. Right if gold is a random sample of these items."
        + (" Gold contradicts the beliefs here." if Verdict.CONTRADICTED in checked else ""),
        Basis.ASSUMPTION: _assumed(evaluations) + " ".join(verdict.value for verdict in verdicts),
    }
    return [(basis, said[basis]) for basis in found]


def _assumed(evaluations: Mapping[str, Evaluation]) -> str:
    """What must hold for each of them."""
    said = ""
    for name, one in evaluations.items():
        assumed = dict.fromkeys(e.assumption for e in one.estimates.values() if e.assumption)
        if assumed:
            said += f"“{name}”: right only if {'; and if '.join(assumed)}. "
    return said


def _likeliest(held: Beliefs) -> NDArray[np.int64]:
    """(n_items,) Code of the likeliest class; -1 where the first place is shared."""
    ahead = held.probs >= held.confidence[:, None] - 1e-9
    return np.where(ahead.sum(axis=1) == 1, ahead.argmax(axis=1), -1)


def _histograms(
    held: Beliefs, likeliest: NDArray[np.int64], edges: NDArray[np.float64]
) -> dict[str, NDArray[np.int64]]:
    """Counts by bin for each class; the rarest classes together where there are many."""
    sure = np.clip(held.confidence, edges[0], edges[-1])
    n = np.bincount(likeliest[likeliest >= 0], minlength=len(held.labels))
    order = np.argsort(-n, kind="stable")
    kept = np.sort(order[: len(figures.PALETTE)])
    groups = {str(held.labels.classes[k]): likeliest == k for k in kept}
    rest = np.isin(likeliest, order[len(figures.PALETTE) :])
    if rest.any():
        groups[plural(len(order) - len(kept), "other class", "other classes")] = rest
    if (likeliest < 0).any():
        groups[TIE] = likeliest < 0
    return {name: np.histogram(sure[rows], edges)[0] for name, rows in groups.items()}


def _balance(
    held: Beliefs, likeliest: NDArray[np.int64], observed: Evidence
) -> list[dict[str, Any]]:
    """For each class, how many items lean to it, its expected share, and its share of gold."""
    n = np.bincount(likeliest[likeliest >= 0], minlength=len(held.labels))
    expected = held.probs.mean(axis=0)
    gold = np.zeros(len(held.labels), dtype=np.int64)
    if observed.gold is not None:
        codes = observed.gold.codes()[observed.gold.exact]
        gold = np.bincount(codes, minlength=len(held.labels))
    names = held.labels.classes
    return [
        {"name": names[k], "n": int(n[k]), "share": float(expected[k]), "gold": int(gold[k])}
        for k in _commonest(n)
    ]


def _commonest(n: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes that a table shows, in their own order: all, or those with the most items."""
    return np.sort(np.argsort(-n, kind="stable")[:LISTED_CLASSES])


def _detail(name: str, evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation class by class, beside what always saying the commonest class would reach."""
    confusion, classes = evaluation.confusion, evaluation.labels.classes
    shares = confusion / np.maximum(confusion.sum(axis=1), 1)[:, None]
    small = len(classes) <= CONFUSION_CLASSES
    by_beliefs = evaluation["accuracy"].basis is Basis.GOLD_AND_MODEL
    better = evaluation.by_class().iter_rows(named=True) if by_beliefs else ()
    of_class = {(row["class"], row["metric"]): row for row in better}
    return {
        "name": name,
        "evaluation": evaluation,
        "commonest": commonest_class(evaluation),
        "per_class": [
            _of_class(row, of_class)
            for row in evaluation.per_class()[_commonest(confusion.sum(axis=1))].to_dicts()
        ],
        "basis": Basis.GOLD_AND_MODEL if of_class else Basis.GOLD,
        "classes": classes,
        "confusion": [
            (classes[k], list(zip(confusion[k].tolist(), shares[k].tolist(), strict=True)))
            for k in range(len(classes) if small else 0)
        ],
    }


def _of_class(row: dict[str, Any], better: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """A class's precision and recall by gold, or by gold and beliefs where these are there."""
    for metric in ("precision", "recall"):
        found = better.get((str(row["class"]), metric))
        if found is not None:
            row |= {
                metric: found["value"],
                f"{metric}_low": found["low"],
                f"{metric}_high": found["high"],
            }
    return row
