"""Fitting: a table and settings in, a trained model and everything known about it out."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from partlabel.aggregate import Aggregator
from partlabel.aggregate.identifiable import copies_of, with_identifiability
from partlabel.beliefs import PROBABILITY_PREFIX, Beliefs
from partlabel.cli.columns import classes_of, matching, present, spoken
from partlabel.cli.features import Features, estimator
from partlabel.cli.settings import RuleText, Settings
from partlabel.cli.show import Steps
from partlabel.errors import InputError, rows_named
from partlabel.evaluate.search import folds
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace
from partlabel.learn import PartialLabelClassifier
from partlabel.rules import Rule, apply_rules, keywords, regex, threshold
from partlabel.tables import as_series

ENOUGH_GOLD = 20  # fewer are too few to halve
ENOUGH_OTHERS = 1_000  # of fewer, a tenth would say little
MOST_OTHERS = 10_000
N_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is to be learnt: features, evidence, and which rows are kept aside.

    Attributes
    ----------
    features : Features
    table : (n_items, n_features) the columns to learn from
    evidence : Evidence
    held_out : (n_items,) bool
        Gold rows that neither train the model nor the channels, but measure both.
    others : (n_items,) bool
        Rows without gold that train nothing either: beliefs about them narrow what gold says.
    unused : tuple of str
        Columns that nobody named.
    """

    features: Features
    table: pl.DataFrame
    evidence: Evidence
    held_out: NDArray[np.bool_]
    others: NDArray[np.bool_]
    unused: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What training gave.

    Attributes
    ----------
    model : fitted Pipeline from `Problem.table` to classes
    beliefs : Beliefs
        About all items; held-out ones have their gold label.
    reliability : polars.DataFrame or None
    checks : polars.DataFrame or None
        For each way to predict (``what``) and each item that trained nothing: its gold, or null,
        and ``p_<class>``.
    cross_fitted : bool
        Whether these are all items, each predicted by a model that was trained without it.
    objective, choice : str
        How it was trained, and why so.
    out_of_fold : bool
    ended : str
        How training ended.
    """

    model: Pipeline
    beliefs: Beliefs
    reliability: pl.DataFrame | None
    objective: str
    choice: str
    out_of_fold: bool
    ended: str
    checks: pl.DataFrame | None
    cross_fitted: bool


def set_up(frame: pl.DataFrame, settings: Settings) -> Problem:
    """Read features and evidence off a table.

    Raises
    ------
    InputError
        If a column isn't there or holds what it shouldn't, or a label is no class.
    """
    columns = settings.columns
    features = Features.chosen(frame, columns)
    evidence = evidence_of(frame, settings)
    named = {
        *features.names,
        *matching(frame, columns.sources, "--sources", columns.single),
        *columns.single,
        *(rule.column for rule in settings.rules),
    }
    return Problem(
        features=features,
        table=features.table(frame),
        evidence=evidence,
        held_out=_held_out(evidence, settings.model.seed),
        others=_others(evidence, settings.model.seed),
        unused=tuple(name for name in frame.columns if name not in named),
    )


def fit(problem: Problem, settings: Settings, step: Steps) -> Fitted:
    """Train on all rows but those held out, and predict these; of few rows, cross-fit all.

    Raises
    ------
    InputError
        If nothing is known about any row, or a text column holds no word.
    """
    model = settings.model
    away, others = np.flatnonzero(~problem.held_out), problem.others
    counted = ~others[away]
    with step("turning columns into numbers"):
        transformer = problem.features.transformer()
        X = _transformed(transformer, problem.table[away[counted]])
        if others.any():
            X = transformer.transform(problem.table[away])
    with step("learning labels and model"):
        learner = PartialLabelClassifier(
            estimator(model.estimator, model.seed),
            objective=model.objective,  # type: ignore[arg-type]  # `settings` has checked it
            random_state=model.seed,
        ).fit(
            X,
            problem.evidence.select(away),
            sample_weight=counted.astype(np.float64) if others.any() else None,
        )
    checks: pl.DataFrame | None
    here = np.flatnonzero(problem.held_out | others)
    with step("measuring on rows that trained nothing"):
        if len(here):
            probs = learner.predict_proba(transformer.transform(problem.table[here]))
            checks = predictions(problem.evidence.select(here), here, probs, learner.label_model_)
        else:
            checks = cross_fitted(problem, settings, learner.objective_, learner.out_of_fold_)
    return Fitted(
        model=Pipeline([("features", transformer), ("classifier", learner.estimator_)]),
        beliefs=_beliefs(learner.beliefs_, problem),
        reliability=_reliability(learner, problem.evidence.select(away)),
        objective=learner.objective_,
        choice=learner.choice_,
        out_of_fold=learner.out_of_fold_,
        ended=learner.status_.value,
        checks=checks,
        cross_fitted=checks is not None and not len(here),
    )


def cross_fitted(
    problem: Problem, settings: Settings, objective: str, out_of_fold: bool
) -> pl.DataFrame | None:
    """What models say of rows that they weren't trained on: each of five leaves a fifth out.

    They are trained as the model was; the choice of its objective saw all rows. None where a fold
    leaves too little to train on.
    """
    evidence, model = problem.evidence, settings.model
    n_folds = min(N_FOLDS, len(evidence))
    fold, parts = folds(evidence, n_folds, model.seed), []
    learner = PartialLabelClassifier(
        estimator(model.estimator, model.seed),
        objective=objective,  # type: ignore[arg-type]  # it has been used
        out_of_fold=out_of_fold,
        random_state=model.seed,
    )
    for k in range(n_folds):
        here, away = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        transformer = problem.features.transformer()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is measured as it is
            try:
                X = _transformed(transformer, problem.table[away])
                learner.fit(X, evidence.select(away))
            except ValueError:  # one class, no word, or no evidence
                return None
        probs = learner.predict_proba(transformer.transform(problem.table[here]))
        parts.append(predictions(evidence.select(here), here, probs, learner.label_model_))
    return pl.concat(parts)


def _reliability(learner: PartialLabelClassifier, evidence: Evidence) -> pl.DataFrame | None:
    if learner.reliability_ is None:
        return None
    beliefs = np.asarray(learner.beliefs_.probs, dtype=np.float64)
    copies = copies_of(learner.label_model_) if learner.label_model_ else ()
    return with_identifiability(learner.reliability_, evidence, beliefs, copies=copies)


def probabilities(model: Pipeline, table: pl.DataFrame, labels: LabelSpace) -> Beliefs:
    """Predict; classes that the model never met get 0."""
    known = np.asarray(model.predict_proba(table), dtype=np.float64)
    probs = np.zeros((len(known), len(labels)))
    probs[:, labels.encode(model.classes_.tolist())] = known
    return Beliefs(probs, labels)


def evidence_of(frame: pl.DataFrame, settings: Settings) -> Evidence:
    """Read what is known of each row's label.

    Raises
    ------
    InputError
        If a column isn't there, or a label is no class.
    """
    columns, abstain = settings.columns, settings.abstain
    sources = matching(frame, columns.sources, "--sources", columns.single)
    said = frame.select(spoken(frame[name], abstain) for name in sources)
    single = {
        kind: spoken(frame[present(frame, name, f"--{kind}")], abstain)
        for kind in ("candidates", "gold", "label")
        if (name := getattr(columns, kind)) is not None
    }
    labels = (
        LabelSpace(settings.classes)
        if settings.classes
        else classes_of(
            [*said, *single.values()], (name for rule in settings.rules for name in rule.label)
        )
    )
    parts: dict[str, Any] = {}
    votes = [Votes.from_columns(said, sources, labels=labels)] if sources else []
    if settings.rules:
        for rule in settings.rules:
            present(frame, rule.column, f"column of rule {rule.name!r}")
        votes.append(apply_rules([rule_of(rule) for rule in settings.rules], frame, labels))
    if votes:
        parts["votes"] = Votes.joined(votes)
    if "candidates" in single or "label" in single:
        parts["candidates"] = _candidates(single, labels)
    if "gold" in single:
        parts["gold"] = Candidates.from_lists(single["gold"], labels)
    items = None if columns.item is None else _ids(frame[present(frame, columns.item, "--item")])
    return Evidence(**parts, items=items)


def _ids(column: pl.Series) -> NDArray[Any]:
    for bad, what in ((column.is_null(), "name every row"), (column.is_duplicated(), "differ")):
        if bad.any():
            raise InputError(
                f"`--item` must {what}; column {column.name!r} doesn't at "
                f"{rows_named(bad.to_numpy())}. Correct these ids, or leave --item out."
            )
    return column.to_numpy()


def _candidates(said: dict[str, pl.Series], labels: LabelSpace) -> Candidates:
    """What candidates and plain labels leave possible together."""
    masks = [
        Candidates.from_lists(said[kind], labels).mask()
        for kind in ("candidates", "label")
        if kind in said
    ]
    return Candidates.from_mask(np.logical_and.reduce(masks), labels)


def rule_of(text: RuleText) -> Rule:
    """Make the rule that is written down."""
    label: Any = text.label[0] if len(text.label) == 1 else text.label
    if text.keywords:
        return keywords(label, text.keywords, text.column, name=text.name)
    if text.regex is not None:
        return regex(label, text.regex, text.column, name=text.name)
    return threshold(label, text.column, above=text.above, below=text.below, name=text.name)


def _held_out(evidence: Evidence, seed: int) -> NDArray[np.bool_]:
    """Half of the gold rows, drawn at random, where there are enough of them."""
    held = np.zeros(len(evidence), dtype=bool)
    known = (
        np.flatnonzero(evidence.gold.exact) if evidence.gold is not None else np.zeros(0, dtype=int)
    )
    if len(known) >= ENOUGH_GOLD:
        held[np.random.default_rng(seed).permutation(known)[: len(known) // 2]] = True
    return held


def _others(evidence: Evidence, seed: int) -> NDArray[np.bool_]:
    """A tenth of the rows without gold, drawn at random, where there are enough of them."""
    aside = np.zeros(len(evidence), dtype=bool)
    known = np.zeros(len(evidence), dtype=bool) if evidence.gold is None else evidence.gold.exact
    rest = np.flatnonzero(~known)
    if len(rest) >= ENOUGH_OTHERS:
        n = min(len(rest) // 10, MOST_OTHERS)
        aside[np.random.default_rng([seed, 1]).permutation(rest)[:n]] = True
    return aside


def _transformed(transformer: Any, table: pl.DataFrame) -> Any:
    try:
        return transformer.fit_transform(table)
    except ValueError as reason:
        if "empty vocabulary" not in str(reason):
            raise
        raise InputError(
            "A text column must hold words of two letters or more; one holds none. "
            "Take it out of --text."
        ) from None


def predictions(
    aside: Evidence,
    rows: NDArray[np.int64],
    predicted: NDArray[np.float64],
    label_model: Aggregator | None,
) -> pl.DataFrame:
    """What the model says of items that it hasn't seen, and the label model without their gold.

    Returns
    -------
    table of what, item (its position in `rows` where it has no id), gold, and p_<class>
    """
    said = {"model": Beliefs(predicted, aside.labels)}
    if label_model is not None:
        said["label model"] = label_model.aggregate(aside.without("gold"))
    codes = pl.Series([None] * len(aside), dtype=pl.Int32)
    if aside.gold is not None:
        codes = pl.Series(aside.gold.codes()).set(pl.Series(~aside.gold.exact), None)
    items = as_series(rows if aside.item_ids is None else aside.item_ids).alias("item")
    gold = aside.labels.decode(codes).alias("gold")
    return pl.concat(
        beliefs.to_polars().select(
            pl.lit(what).alias("what"), items, gold, cs.starts_with(PROBABILITY_PREFIX)
        )
        for what, beliefs in said.items()
    )


def _beliefs(trained: Beliefs, problem: Problem) -> Beliefs:
    evidence = problem.evidence
    probs = np.empty((len(evidence), len(evidence.labels)))
    probs[~problem.held_out] = trained.probs
    if evidence.gold is not None:
        probs[problem.held_out] = evidence.gold.mask()[problem.held_out]
    return Beliefs(probs, evidence.labels, evidence.item_ids)
