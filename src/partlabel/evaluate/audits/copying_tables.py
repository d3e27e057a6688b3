"""The findings about rule-copying as tables: by probe, by rule, and by example."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.evaluate.audits.copying_probes import Alone, Finding, Subject
from partlabel.evaluate.intervals import clopper_pearson
from partlabel.rules.triggers import merged_spans
from partlabel.tables import as_series

MEANING = {
    "hiding": "skill without triggers; beside it, without as many ordinary words",
    "fidelity": "agreement with the label model where rules decide; beside it, where all abstain",
    "opinion": "how predictions differ where all rules abstain; beside it, where rules speak",
    "planting": "predictions flipped by another class's trigger; beside it, by ordinary words",
    "importance": "how far hiding triggers moves predictions; beside it, hiding ordinary words",
    "linear": "share of triggers in what a linear model's features contribute",
    "network": "share of triggers in what a network's inputs contribute",
    "learnable": "skill of models trained without triggers; beside it, of this one without them",
    "strangeness": "skill at telling rows where rules speak from others, all without triggers",
    "leaving out": "agreement where a left-out rule fires alone; beside it, by chance",
}


def evidence_table(findings: Sequence[Finding], level: float) -> pl.DataFrame:
    """What the probes found, one row each."""
    rows = []
    for probe, value, control, n in findings:
        low, high = value.interval(level)
        known = n > 0 and len(value.influence) > 0
        interval = {"low": low if known else None, "high": high if known else None}
        row = {"probe": probe, "value": value.value, **interval, "control": control, "n": n}
        rows.append(row | {"meaning": MEANING[probe]})
    numbers = dict.fromkeys(("value", "low", "high", "control"), pl.Float64)
    return pl.DataFrame(
        rows, schema={"probe": pl.String, **numbers, "n": pl.Int64, "meaning": pl.String}
    )


def rules_table(subject: Subject, alone: Sequence[Alone], level: float) -> pl.DataFrame:
    """Where each rule spoke, and how others' votes agree where it spoke alone."""
    votes = subject.votes
    heard = np.bincount(votes.source, minlength=votes.n_sources)
    single = np.repeat(votes.votes_per_item == 1, votes.votes_per_item)
    by_itself = np.bincount(votes.source[single], minlength=votes.n_sources)
    tried = {one.rule: one for one in alone}
    rows = []
    for j, rule in enumerate(votes.sources):
        row = {
            "rule": rule,
            "traced": rule in subject.inputs.traced,
            "fired": int(heard[j]),
            "alone": int(by_itself[j]),
        }
        if rule in tried:
            agrees = tried[rule].agrees
            low, high = clopper_pearson(int(agrees.sum()), len(agrees), level)
            row |= {"agreement": float(agrees.mean()), "low": float(low), "high": float(high)}
            row |= {"by_chance": tried[rule].by_chance}
        rows.append(row)
    numbers = dict.fromkeys(("agreement", "low", "high", "by_chance"), pl.Float64)
    counts = {"fired": pl.Int64, "alone": pl.Int64}
    return pl.DataFrame(rows, schema={"rule": pl.String, "traced": pl.Boolean, **counts, **numbers})


def examples_table(subject: Subject, names: NDArray[Any], n_examples: int) -> pl.DataFrame:
    """The rows whose predicted class loses most when triggers are hidden."""
    said = subject.plain.argmax(axis=1)
    everywhere = np.arange(len(said))
    before, after = subject.plain[everywhere, said], subject.hidden[everywhere, said]
    moved = np.where(subject.scored, before - after, -np.inf)
    rows = np.argsort(-moved, kind="stable")[: min(n_examples, int(subject.scored.sum()))]
    votes = subject.votes
    sources = votes.source
    spoke = [
        [votes.sources[j] for j in sources[votes.indptr[row] : votes.indptr[row + 1]]]
        for row in rows
    ]
    shown = pl.DataFrame(
        {
            "row": as_series(names[rows]),
            "rules": pl.Series(spoke, dtype=pl.List(pl.String)),
            "predicted": subject.model.labels.decode(said[rows]),
            "probability": before[rows],
            "hidden": after[rows],
        }
    )
    spans = subject.inputs.spans
    if spans.is_empty():
        return shown
    name = spans["column"][0]
    places = dict(merged_spans(spans.filter(pl.col("column") == name)))
    texts = subject.inputs.frame[name][rows].to_list()
    found = [places.get(int(row), []) for row in rows]
    marked = [_highlighted(text or "", own) for text, own in zip(texts, found, strict=True)]
    return shown.with_columns(
        text=pl.Series(marked, dtype=pl.String),
        spans=pl.Series(
            [[list(one) for one in own] for own in found], dtype=pl.List(pl.List(pl.Int64))
        ),
    )


def _highlighted(text: str, places: Sequence[tuple[int, int]]) -> str:
    for start, stop in reversed(places):
        text = f"{text[:start]}⟦{text[start:stop]}⟧{text[stop:]}"
    return text
