"""The summary: a few plain sentences and figures that a person reads first."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from partlabel.aggregate import Verdict
from partlabel.beliefs import Beliefs
from partlabel.evaluate import Basis, Evaluation
from partlabel.evaluate import Verdict as Assumed
from partlabel.evidence import Evidence
from partlabel.labels import Name
from partlabel.report.wording import count, decimal, interval, listed, of, plural

SURE = 0.9
ACCURACIES = ("accuracy", "corrected_accuracy")
FEW_GOLD = 100  # below it the interval of an accuracy near 0.9 is wider than 0.12


class Sentence(NamedTuple):
    """One thing worth knowing; the tone is "fact", "good" or "warning"."""

    text: str
    tone: str = "fact"


def tiles(evidence: Evidence) -> list[tuple[str, str]]:
    """Give the sizes: (what, how many)."""
    found = [("items", len(evidence)), ("classes", len(evidence.labels))]
    if evidence.votes is not None:
        found += [("sources", evidence.votes.n_sources), ("votes", evidence.votes.n_votes)]
    found += [("gold labels", evidence.counts()["gold"])]
    return [(name, count(n)) for name, n in found]


def about_evidence(evidence: Evidence) -> list[Sentence]:
    """Say how many items are known, and how many aren't at all."""
    counts, n = evidence.counts(), len(evidence)
    nothing = counts["nothing"]
    if nothing:
        verb = "has" if nothing == 1 else "have"
        return [Sentence(f"{of(nothing, n, 'item')} {verb} no evidence at all.", "warning")]
    return [Sentence("Every item has some evidence.", "good")]


def about_sources(reliability: pl.DataFrame | None) -> list[Sentence]:
    """Say which sources harm, and how many can be trusted."""
    if reliability is None or not len(reliability):
        return []
    n = len(reliability)
    harmful, trusted, silent = (
        reliability.filter(pl.col("verdict") == verdict.value)["source"].to_list()
        for verdict in (Verdict.HARMFUL, Verdict.TRUST, Verdict.NOTHING)
    )
    said = []
    if harmful:
        verb = "is" if len(harmful) == 1 else "are"
        some = f"{count(len(harmful))} of {plural(n, 'source')}"
        said.append(Sentence(f"{some} {verb} worse than chance: {listed(harmful)}.", "warning"))
    if silent:
        verb = "says" if len(silent) == 1 else "say"
        some = f"{count(len(silent))} of {plural(n, 'source')}"
        said.append(
            Sentence(f"{some} {verb} nothing about the label: {listed(silent)}.", "warning")
        )
    mistaken = reliability.filter(
        (pl.col("accuracy_high") < pl.col("gold_low"))
        | (pl.col("accuracy_low") > pl.col("gold_high"))
    )["source"].to_list()
    if mistaken:
        text = f"Gold contradicts what was learnt about {plural(len(mistaken), 'source')}"
        said.append(Sentence(f"{text}: {listed(mistaken)}.", "warning"))
    text = f"{count(len(trusted))} of {plural(n, 'source')} can be trusted on what is known so far."
    return [*said, Sentence(text, "good" if trusted else "fact")]


def about_conflicts(evidence: Evidence, n_contested: int) -> list[Sentence]:
    """Say on how many items sources contradict each other."""
    if evidence.votes is None:
        return []
    several = int((evidence.votes.votes_per_item > 1).sum())
    if not several:
        return [
            Sentence("No item has votes of two sources, so nothing checks the sources.", "warning")
        ]
    if not n_contested:
        return [Sentence(f"Sources agree on all {plural(several, 'item')} with several votes.")]
    text = (
        f"Sources contradict each other on {of(n_contested, several, 'item')} with several votes."
    )
    return [Sentence(text)]


def about_beliefs(beliefs: Beliefs | None) -> list[Sentence]:
    """Say for how many items the label is believed to be known."""
    if beliefs is None or not len(beliefs):
        return []
    sure = int((beliefs.confidence >= SURE).sum())
    some = of(sure, len(beliefs), "item")
    return [Sentence(f"For {some} one class has a probability of at least {decimal(SURE)}.")]


def about_quality(evidence: Evidence, evaluations: Mapping[str, Evaluation]) -> list[Sentence]:
    """Say how often predictions are right, or that nobody can know."""
    if not evaluations:
        text = "No evaluation is here: how often the beliefs are right hasn't been measured."
        if not evidence.counts()["gold"]:
            text = "There is no gold label, so how often the beliefs are right can't be measured."
        return [Sentence(text, "warning")]
    said = [s for name, evaluation in evaluations.items() for s in _accuracy(name, evaluation)]
    verdicts = {e.verdict for one in evaluations.values() for e in one.estimates.values()}
    if Assumed.UNVERIFIED in verdicts:
        text = "Only gold can tell how good it is: label some tens of items, drawn at random."
        said.append(Sentence(text, "warning"))
    return said


def commonest_class(evaluation: Evaluation) -> tuple[Name, float]:
    """Give the commonest class of gold, and how often always saying it would be right."""
    support = evaluation.confusion.sum(axis=1)
    commonest = int(support.argmax())
    return evaluation.labels.classes[commonest], float(support[commonest] / support.sum())


def _accuracy(name: str, evaluation: Evaluation) -> list[Sentence]:
    metric = next((m for m in ACCURACIES if m in evaluation.estimates), None)
    if metric is None:
        return []
    estimate = evaluation[metric]
    shown = interval(estimate.value, estimate.low, estimate.high)
    if estimate.basis is Basis.ASSUMPTION:
        verdict = "" if estimate.verdict is None else estimate.verdict.name.lower()
        text = f"Accuracy of “{name}” would be {shown} if {estimate.assumption}: {verdict}."
        return [Sentence(text, "warning")]
    text = f"Accuracy of “{name}” is {shown}, measured on {plural(estimate.n, 'gold item')}"
    text += "." if estimate.basis is Basis.GOLD else ", and what is believed of the others."
    commonest, blind = commonest_class(evaluation)
    if estimate.low <= blind:
        more = f"That isn't surely better than always saying {commonest} ({decimal(blind)})."
        return [Sentence(f"{text} {more}", "warning")]
    if estimate.n < FEW_GOLD:
        return [Sentence(f"{text} So few items leave a wide interval.", "warning")]
    return [Sentence(text)]
