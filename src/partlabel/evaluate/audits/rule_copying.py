r"""audit_rule_copying: whether a model learnt the concept, or only copies the rules.

A model that is trained on the votes of rules can reach their decisions by looking for what the
rules look for. It then knows nothing where no rule speaks, which is where it was wanted.

The score is the share of the model's skill that goes with the triggers of the rules, beyond what
goes with as many ordinary words:

.. math:: \text{score} = (G_\text{ordinary words hidden} - G_\text{triggers hidden}) \,/\, G,

where :math:`G` is Gini's coefficient of its predictions for the label model's decisions
(`measured`). It is 1 for a model that only copies, and 0 for one that doesn't need the triggers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone

from partlabel.aggregate import Aggregator, LabelModel
from partlabel.errors import InputError
from partlabel.evaluate.audits.audited_model import AuditedModel, Features
from partlabel.evaluate.audits.copying_probes import (
    Alone,
    Finding,
    Subject,
    fidelity,
    importance,
    learnable,
    left_out,
    opinion,
    planting,
    skills,
    strangeness,
)
from partlabel.evaluate.audits.copying_tables import evidence_table, examples_table, rules_table
from partlabel.evaluate.audits.copying_verdict import (
    RuleCopying,
    hindrance,
    judged,
    memory,
    otherness,
    remedies,
)
from partlabel.evaluate.audits.feature_importance import trigger_share
from partlabel.evaluate.audits.rule_inputs import RuleInputs
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.powered.measured import Measured, lost, mean_over
from partlabel.labels import LabelSpace
from partlabel.rules import Rule, apply_rules
from partlabel.tables import as_frame, as_series, column

N_GOLD = 50


@dataclass(frozen=True, slots=True, eq=False)
class RuleCopyingAudit:
    """Whether a model copies its rules, why we think so, and what to do.

    Attributes
    ----------
    verdict : RuleCopying
    reason : str
        Why the rows can't tell, where they can't.
    score : float
        Share of the model's skill that goes with the triggers: about 0 without copying, 1 where
        there is nothing else. It ranks models; NaN where nothing can be said.
    low, high : float
        Its interval.
    level : float
    remedies : tuple of str
        What helps, the first first.
    evidence : polars.DataFrame
        One row per probe: ``probe``, ``value`` with ``low`` and ``high``, ``control`` (what it
        would be if triggers played no part, or a yardstick), ``n`` rows, ``meaning``.
    rules : polars.DataFrame
        One row per rule: ``rule``, ``traced`` (whether its triggers are known), ``fired``,
        ``alone`` (rows on which no other rule speaks), ``agreement`` there of a model that was
        trained without the rule, with ``low`` and ``high``, and ``by_chance``.
    gold_rows : (at most 50,) positions or ids
        A random sample of the rows on which all rules abstain, to label next.
    examples : polars.DataFrame
        The rows whose prediction moves most when triggers are hidden: ``row``, ``rules`` that
        spoke, ``predicted``, its ``probability``, and ``hidden``, that without triggers; for
        texts, ``text`` with the triggers in ⟦brackets⟧ and their ``spans`` in the plain text.
    """

    verdict: RuleCopying
    reason: str
    score: float
    low: float
    high: float
    level: float
    remedies: tuple[str, ...]
    evidence: pl.DataFrame
    rules: pl.DataFrame
    gold_rows: NDArray[Any]
    examples: pl.DataFrame

    def __str__(self) -> str:
        score = f"Score {self.score:.2f} [{self.low:.2f}, {self.high:.2f}]."
        return " ".join(filter(None, [self.verdict.value, self.reason, score, *self.remedies]))

    def to_polars(self) -> pl.DataFrame:
        """Give the evidence, one row per probe, with the verdict and its score first."""
        verdict = pl.DataFrame(
            {
                "probe": "score",
                "value": self.score,
                "low": self.low,
                "high": self.high,
                "control": 0.0,
                "n": self.evidence["n"].max(),
                "meaning": self.verdict.value,
            },
            schema=self.evidence.schema,
        )
        return pl.concat([verdict, self.evidence])

    def to_dict(self) -> dict[str, Any]:
        """Give everything as numbers, strings and lists, ready for JSON; NaN as None."""
        return {
            "verdict": self.verdict.name.lower(),
            "sentence": self.verdict.value,
            "reason": self.reason,
            "score": _plain(self.score),
            "low": _plain(self.low),
            "high": _plain(self.high),
            "level": self.level,
            "remedies": list(self.remedies),
            "evidence": self.evidence.fill_nan(None).to_dicts(),
            "rules": self.rules.fill_nan(None).to_dicts(),
            "gold_rows": self.gold_rows.tolist(),
            "examples": self.examples.to_dicts(),
        }


def audit_rule_copying(
    model: Any,
    texts_or_frame: Any,
    rules: Sequence[Rule],
    *,
    label_model: Aggregator | None = None,
    features: Features | None = None,
    labels: LabelSpace | None = None,
    item: str | None = None,
    held_out: bool = False,
    retrain: bool = True,
    max_rows: int = 20_000,
    n_examples: int = 20,
    level: float = 0.95,
    random_state: Any = None,
) -> RuleCopyingAudit:
    """Say whether a model copies the rules that it was trained on.

    It needs no gold. Triggers are what `keywords` and `regex` rules find in texts, and the columns
    that other rules read; rows on which rules spoke whose triggers aren't known (functions of a
    whole text) don't count. Rows should be others than those of training.

    Parameters
    ----------
    model : classifier
        Fitted, with `predict_proba`; to be trained anew also with `fit` and scikit-learn's
        `get_params`, such as a pipeline, a `PartialLabelClassifier`, or a wrapper of yours.
    texts_or_frame : table, or (n_rows,) texts
        With all columns that the rules and the model read.
    rules : sequence of Rule
    label_model : Aggregator, default None
        Fitted or not; None takes `LabelModel`, fitted to the votes on these rows.
    features : str, list of str or function, default None
        What the model reads: a column of texts, columns, or a function that makes its input of a
        polars frame. None takes the one column in which the rules search.
    labels : LabelSpace, default None
        None takes those of a fitted `label_model`, or what the rules name.
    item : str, default None
        The column of ids by which rows are named; positions where None.
    held_out : bool, default False
        Whether the model was trained on none of these rows. If not said so, a model that is far
        better at them than retrained ones is held to remember them, and nothing is said.
    retrain : bool, default True
        Whether to train the model anew, ten times and once per rule, to see what there is to
        learn besides the triggers. The score doesn't need it, the advice does.
    max_rows : int, default 20_000
        A random sample of so many rows is looked at.
    n_examples : int, default 20
    level : float in (0, 1), default 0.95
        Of the intervals.
    random_state : int, numpy Generator or None

    Returns
    -------
    RuleCopyingAudit

    Raises
    ------
    InputError
        If a rule or `features` names a column that isn't there, `features` is needed and missing,
        or the model predicts other classes or shapes.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from partlabel.rules import keywords
    >>> rules = [keywords("spam", ["free"], "text"), keywords("ham", ["song"], "text")]
    >>> texts = ["free now", "song now"] * 40
    >>> model = make_pipeline(CountVectorizer(), LogisticRegression())
    >>> model = model.fit(texts, ["spam", "ham"] * 40)
    >>> audit_rule_copying(model, texts, rules, random_state=0).verdict.name
    'COPIES'

    References
    ----------
    On learning past one's rules: A. Ratner et al., "Snorkel: rapid training data creation with weak
    supervision", VLDB 2017. Hiding and planting follow M. T. Ribeiro et al., "Beyond accuracy:
    behavioral testing of NLP models with CheckList", ACL 2020.
    """
    check_level(level)
    rng = np.random.default_rng(random_state)
    searched = sorted({rule.reads[0] for rule in rules if rule.patterns and rule.reads})
    if features is None:
        features = _only_column(searched, "features")
    frame = _framed(texts_or_frame, searched)
    rows = np.sort(rng.permutation(len(frame))[:max_rows])
    names = rows if item is None else column(frame, item, "item").to_numpy()[rows]
    subject = _subject(model, frame[rows], rules, label_model, features, labels, rng)
    return _audited(subject, rules, names, held_out, retrain, n_examples, level)


def _framed(given: Any, searched: Sequence[str]) -> pl.DataFrame:
    """The table; texts by themselves stand for the one column that rules search."""
    if isinstance(given, list | tuple | pl.Series) or getattr(given, "ndim", 2) == 1:
        return pl.DataFrame([as_series(given).alias(_only_column(searched, "texts_or_frame"))])
    return as_frame(given, "texts_or_frame")


def _only_column(searched: Sequence[str], what: str) -> str:
    if len(searched) != 1:
        raise InputError(
            f"`{what}` must say what the model reads where the rules don't search exactly one "
            f"column of texts; they search {', '.join(map(repr, searched)) or 'none'}. Pass a "
            "table, and name the columns of the model with `features`."
        )
    return searched[0]


def _subject(
    model: Any,
    frame: pl.DataFrame,
    rules: Sequence[Rule],
    label_model: Aggregator | None,
    features: Features,
    labels: LabelSpace | None,
    rng: np.random.Generator,
) -> Subject:
    label_model = LabelModel() if label_model is None else label_model
    fitted = hasattr(label_model, "labels_")
    votes = apply_rules(rules, frame, label_model.labels_ if fitted and labels is None else labels)
    if not fitted:
        label_model = clone(label_model).fit(votes)
    if callable(features):
        modelled = frame.columns
    else:
        modelled = [features] if isinstance(features, str) else list(features)
        for name in modelled:
            column(frame, name, "features")
    inputs = RuleInputs.of(rules, frame, modelled)
    return Subject(AuditedModel(model, votes.labels, features), inputs, votes, label_model, rng)


def _audited(
    subject: Subject,
    rules: Sequence[Rule],
    names: NDArray[Any],
    held_out: bool,
    retrain: bool,
    n_examples: int,
    level: float,
) -> RuleCopyingAudit:
    retrain = retrain and subject.model.trainable
    hidden, ordinary, plain = skills(subject)
    anew = learnable(subject) if retrain else None
    strange = strangeness(subject) if retrain else None
    alone = list(left_out(subject)) if retrain else []
    n_scored = int(subject.scored.sum())
    n_classes = len(np.unique(subject.codes[subject.scored]))
    reason = hindrance(n_scored, int(subject.decided.sum()), n_classes, plain)
    if reason:
        verdict, score = RuleCopying.CANT_TELL, Measured(float("nan"), np.zeros(1))
    else:
        score = lost(hidden, ordinary, plain)
        verdict, reason = judged(score, level)
        doubts = [
            "" if held_out or verdict is RuleCopying.COPIES else memory(anew),
            otherness(strange) if verdict is RuleCopying.GENERALISES else "",
        ]
        if any(doubts):
            verdict, reason = RuleCopying.CANT_TELL, " ".join(filter(None, doubts))
    findings = [
        Finding("hiding", hidden, ordinary.value, n_scored),
        fidelity(subject),
        opinion(subject),
        planting(subject),
        importance(subject),
        _contributed(subject, rules),
        anew,
        strange,
        _pooled(alone),
    ]
    silent = np.flatnonzero(~subject.fired)
    gold = subject.rng.permutation(silent)[:N_GOLD]
    low, high = score.interval(level)
    return RuleCopyingAudit(
        verdict=verdict,
        reason=reason,
        score=score.value,
        low=low,
        high=high,
        level=level,
        remedies=remedies(verdict, anew, alone, len(silent), len(gold)),
        evidence=evidence_table([one for one in findings if one is not None], level),
        rules=rules_table(subject, alone, level),
        gold_rows=names[gold],
        examples=examples_table(subject, names, n_examples),
    )


def _contributed(subject: Subject, rules: Sequence[Rule]) -> Finding | None:
    found = trigger_share(subject.model, subject.inputs.frame, rules)
    if found is None:
        return None
    n = len(subject.inputs.frame)
    return Finding(found.probe, Measured(found.share, np.zeros(0)), 0.0, n)


def _pooled(alone: Sequence[Alone]) -> Finding | None:
    """Agreement over all rows on which a left-out rule speaks alone."""
    if not alone:
        return None
    agrees = np.concatenate([one.agrees for one in alone]).astype(np.float64)
    sizes = [len(one.agrees) for one in alone]
    chance = float(np.average([one.by_chance for one in alone], weights=sizes))
    everywhere = np.ones(len(agrees), dtype=bool)
    return Finding("leaving out", mean_over(agrees, everywhere), chance, len(agrees))


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
