"""Rows to measure a run on that `fit` didn't keep aside: new ones, or its own, cross-fitted."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from partlabel.aggregate import Aggregator
from partlabel.aggregate.sources import Sources, informative
from partlabel.cli import fitting, runs
from partlabel.cli.features import Features
from partlabel.cli.formats import read_table
from partlabel.cli.gold import read_gold, some
from partlabel.cli.model_file import read_model
from partlabel.cli.quality import GONE, Aside, Unseen, ids_of, table_of
from partlabel.cli.runs import Run
from partlabel.cli.settings import Columns, Settings
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence


def cross_fitted(run: Run, gold: Path | None) -> Aside:
    """Predict each row of the run's table by a model that was trained without it.

    Raises
    ------
    InputError
        If the table is gone, or a fifth of it leaves too little to train on.
    """
    table = table_of(run)
    if table is None:
        raise InputError(f"--cross-fit needs {GONE}.")
    facts, settings = run.facts, run.settings
    problem = fitting.set_up(table, settings)
    checks = fitting.cross_fitted(
        problem, settings, facts["objective"], facts.get("out_of_fold", True)
    )
    if checks is None:
        raise InputError(
            "--cross-fit must leave enough to train on; without some of the rows nothing is known "
            "of a class, or of any row. Label more rows."
        )
    items = ids_of(run.evidence)
    added = None if gold is None else read_gold(gold, items, _classes(run), settings.columns)
    return Aside.predicted(checks, items, run.evidence, Unseen.LEFT_OUT, added)


def new_rows(folder: Path, run: Run, path: Path, gold: Path | None) -> tuple[Aside, pl.DataFrame]:
    """Predict a table that the run wasn't fitted on, and read what is known of its labels.

    Columns of sources, candidates and gold may be missing; those of the features may not.

    Returns
    -------
    aside : Aside
    table : the rows that are measured

    Raises
    ------
    InputError
        If it is the table of the run, holds no rows but those that the model was trained on, lacks
        a feature, or a label in it is no class of the run.
    """
    table = read_table(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() == run.facts["data"]["sha256"]:
        raise InputError(
            f"`--data` must hold rows that the run wasn't fitted on; {str(path)!r} is its table. "
            "Leave --data out, or predict its rows by models that were trained without them: "
            "--cross-fit."
        )
    settings = run.settings
    table, known = _not_trained_on(table, run, settings.columns.item)
    evidence = _evidence(table, run, settings)
    features = Features(**{k: tuple(v) for k, v in run.facts["features"].items()})
    model = read_model(folder / runs.MODEL)
    said = fitting.probabilities(model, features.table(table), evidence.labels)
    checks = fitting.predictions(
        evidence,
        np.arange(len(table)),
        np.asarray(said.probs, dtype=np.float64),
        _label_model(run) if evidence.votes is not None and evidence.votes.n_votes else None,
    )
    items = ids_of(evidence)
    added = None if gold is None else read_gold(gold, items, _classes(run), settings.columns)
    aside = Aside.predicted(checks, items, evidence, Unseen.NEW, added)
    return replace(aside, unused=f"{known} {aside.unused}".strip()), table


def _classes(run: Run) -> list[str]:
    return [str(name) for name in run.evidence.labels.classes]


def _not_trained_on(table: pl.DataFrame, run: Run, item: str | None) -> tuple[pl.DataFrame, str]:
    """The rows with other ids than those that trained the model, and how many others there were."""
    if item is None or item not in table.columns:
        return table, ""
    trained = ids_of(run.evidence.select(_trained(run))).cast(table[item].dtype, strict=False)
    known = table[item].is_in(trained.drop_nulls().implode()).fill_null(value=False)
    if not known.any():
        return table, ""
    named = some(table[item].filter(known))
    said = f"{known.sum():,} rows of --data ({named}) have ids of rows that trained the model"
    remedy = f"If they are other rows, give them ids of their own, or leave out column {item!r}."
    if known.all():
        raise InputError(f"`--data` must hold other rows than those of `fit`; {said}. {remedy}")
    return table.filter(~known), f"{said}, and are left out. {remedy}"


def _evidence(table: pl.DataFrame, run: Run, settings: Settings) -> Evidence:
    """What the table says of its labels, as far as its columns go."""
    labels, votes, columns = run.evidence.labels, run.evidence.votes, settings.columns
    there = set(table.columns)
    rules = tuple(rule for rule in settings.rules if rule.column in there)
    written = {rule.name for rule in settings.rules}
    sources = () if votes is None else tuple(s for s in votes.sources if s in there - written)
    item, candidates, gold, label = (
        name if name in there else None
        for name in (columns.item, columns.candidates, columns.gold, columns.label)
    )
    if sources or rules or candidates or gold or label:
        columns = Columns(item=item, sources=sources, candidates=candidates, gold=gold, label=label)
        classes = tuple(_classes(run))
        asked = replace(settings, classes=classes, columns=columns, rules=rules)
        return fitting.evidence_of(table, asked)
    nothing = Candidates.from_lists(pl.Series([None] * len(table), dtype=pl.String), labels)
    return Evidence(candidates=nothing, items=None if item is None else table[item].to_numpy())


def _label_model(run: Run) -> Aggregator | None:
    """The label model of the run, learnt again from the rows that it was learnt from."""
    trained = run.evidence.select(_trained(run))
    likelihood = Sources.learnt(None, trained).log_likelihood(trained)
    spoken = np.flatnonzero(informative(likelihood))
    return Sources.learnt(None, trained.select(spoken)).label_model


def _trained(run: Run) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(n_trained,) The rows of the run that trained its model."""
    aside = Aside.of(run)
    kept = aside is not None and aside.unseen is Unseen.KEPT
    return np.setdiff1d(np.arange(len(run.evidence)), aside.rows if aside and kept else [])
