"""Missingness: whether labelled items are like the others, and metrics that make up for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError, rows_named
from partlabel.evaluate.audits.doubly_robust import Incomplete
from partlabel.evaluate.audits.labelling_relations import relations_table
from partlabel.evaluate.audits.missing_estimates import listed, missing_estimates
from partlabel.evaluate.audits.propensity import (
    FOLDS,
    InverseWeights,
    cross_fitted,
    labelling_odds,
    logistic,
    of_being_labelled,
    overlap_table,
)
from partlabel.evaluate.estimate import table_of
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.metrics import Codes, Floats
from partlabel.evaluate.powered.powered_metrics import Metrics
from partlabel.evaluate.scored import as_beliefs, as_gold
from partlabel.evidence import Candidates, Votes
from partlabel.labels import LabelSpace

LEAST_AUDIT = 5
NOT_RELATED = (
    "related to nothing that was given: nothing here speaks against taking them as a random sample"
)


@dataclass(frozen=True, slots=True, eq=False)
class Missingness:
    """How labelled items differ from the others, and what that does to the numbers.

    Attributes
    ----------
    relations : polars.DataFrame
        One row for each of features, groups, votes and predicted class: how well it tells labelled
        from unlabelled items (``auc``, 0.5 is not at all), with interval and p-value (Holm).
    overlap : polars.DataFrame
        One row per range of propensity. Unlabelled items where few are labelled are extrapolated.
    weights : InverseWeights
        `sample_weight` for training, their effective size, and the share that was capped.
    estimates : mapping of estimator to Metrics
        "naive" takes labelled items as a random sample; "ipw" weighs them by inverse propensity;
        "aipw" is doubly robust; "em" gives prevalences where labelling depends on the class;
        "audited" is right whatever the models are worth, where there is an audit.
    beliefs : Beliefs
        p(class | features, unlabelled), by which "aipw" and "audited" stand.
    labels : LabelSpace
    n_labelled, n_items, n_audit : int
    """

    relations: pl.DataFrame
    overlap: pl.DataFrame
    weights: InverseWeights
    estimates: Mapping[str, Metrics]
    beliefs: Beliefs
    labels: LabelSpace
    n_labelled: int
    n_items: int
    n_audit: int
    _labelled_of_class: NDArray[np.int64]

    @property
    def best(self) -> str:
        """The estimator to read: the audited one, else the doubly robust one."""
        return "audited" if "audited" in self.estimates else "aipw"

    @property
    def sentence(self) -> str:
        """What it means, for the user."""
        related = self.relations.filter(pl.col("p_value") < 0.05)["what"].to_list()
        by = f"related to {', '.join(related)}" if related else NOT_RELATED
        naive, best = (self.estimates[name].of_class["prevalence"] for name in ("naive", self.best))
        gaps = [
            (abs(one.value - two.value), k)
            for k, (one, two) in enumerate(zip(naive, best, strict=True))
            if one is not None and two is not None
        ]
        _, k = max(gaps)
        one, two = naive[k], best[k]
        assert one is not None
        assert two is not None
        shown = (
            f"{self.n_labelled:,} of {self.n_items:,} items are labelled, which is {by}. "
            f"The share of {self.labels.classes[k]!r} is {one.value:.3f} among them, "
            f"and {two} by {self.best}."
        )
        if self.best == "audited":
            return shown
        return f"{shown} Without an audit of unlabelled items, nothing vouches for this."

    def class_propensity(self) -> pl.DataFrame:
        """Give a row per estimator and class: what share of the class is labelled, with interval.

        Where it differs between classes, labels are missing by class, directly or by features.
        """
        n = self.n_items
        return pl.DataFrame(
            [
                {
                    "estimator": name,
                    "class": str(self.labels.classes[k]),
                    "n_labelled": int(count),
                    "labelled": min(count / n / max(one.value, 1e-300), 1.0),
                    "low": min(count / n / max(one.high, 1e-300), 1.0),
                    "high": min(count / n / max(one.low, 1e-300), 1.0),
                    "basis": one.basis.value,
                    "assumption": one.assumption,
                    "verdict": None if one.verdict is None else one.verdict.name.lower(),
                }
                for name, metrics in self.estimates.items()
                for k, (one, count) in enumerate(
                    zip(metrics.of_class["prevalence"], self._labelled_of_class, strict=True)
                )
                if one is not None
            ]
        )

    def to_polars(self) -> pl.DataFrame:
        """Give a table, one row per estimator, metric and class, each with what it rests on."""
        return table_of(
            ({"estimator": name, "metric": metric, "class": of}, one)
            for name, metrics in self.estimates.items()
            for metric, of, one in listed(metrics, self.labels)
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything but weights and beliefs as plain values, for JSON."""
        return {
            "sentence": self.sentence,
            "n_items": self.n_items,
            "n_labelled": self.n_labelled,
            "n_audit": self.n_audit,
            "effective_size": self.weights.effective_size,
            "clipped": self.weights.clipped,
            "relations": self.relations.to_dicts(),
            "overlap": self.overlap.to_dicts(),
            "class_propensity": self.class_propensity().to_dicts(),
            "estimates": self.to_polars().to_dicts(),
        }


def missingness(
    X: Any,
    gold: Any,
    *,
    labels: LabelSpace | None = None,
    predicted: Any = None,
    depends_on: Literal["features", "class"] = "features",
    outcome: Any = None,
    propensity: Any = None,
    groups: Any = None,
    votes: Votes | None = None,
    audit: Any = None,
    audit_probability: Any = None,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> Missingness:
    """Ask whether being labelled is related to what is known, and make up for it.

    Without an audit every number is an assumption. Labels that are missing by class can't be told
    from labels that aren't, but for what the models assume: EM gives a narrow interval around a
    wrong share where its model of the class is wrong, and no estimate is right where labelling
    depends on what `depends_on` leaves out. Draw some tens of unlabelled items at random, have
    them labelled, and pass them as `audit`: then "audited" is right, and says what was wrong with
    the others.

    Parameters
    ----------
    X : (n_items, n_features) array, sparse matrix or table
        Features of all items, as the models take them.
    gold : Candidates, or (n_items,) class names with nulls
        The labelled items, however they came to be labelled.
    labels : LabelSpace, default None
        Needed where `gold` is no Candidates.
    predicted : Beliefs, or (n_items, n_classes) probabilities, default None
        Of the model whose metrics are wanted; it must not have been trained on these labels. None
        takes the cross-fitted model of the class.
    depends_on : {"features", "class"}, default "features"
        What decides whether an item is labelled. "features": `X` alone. "class": the class too, by
        a factor of the odds, which is found by moments as if labelling depended on nothing else.
    outcome, propensity : scikit-learn classifiers, default None
        Models of the class, and of being labelled; cross-fitted. None takes logistic regressions,
        the latter with the penalty of the best held-out log loss, and for a propensity that depends
        on the class a constant.
    groups : (n_items,) names, default None
    votes : Votes, default None
        Tested for whether they are related to being labelled.
    audit : Candidates, or (n_items,) class names with nulls, default None
        Gold of unlabelled items that were drawn at random. Labelled items in it are passed over.
    audit_probability : (n_items,) float in (0, 1], default None
        With which unlabelled items were drawn for the audit; None: all the same.
    level : float in (0, 1), default 0.95
    random_state : int, Generator or None, default 0
        Deals items into folds and parts.

    Returns
    -------
    Missingness

    Raises
    ------
    InputError
        If fewer than two classes have five labelled items each, all or none are labelled, the
        audit holds fewer than five unlabelled items, lengths or classes differ, an option is
        unknown, or a probability is outside (0, 1].

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=2000)
    >>> x = rng.normal(loc=2.0 * y)[:, None]
    >>> seen = rng.random(2000) < np.array([0.3, 0.08])[y]
    >>> labels = LabelSpace(["ham", "spam"])
    >>> gold = [labels.classes[k] if there else None for k, there in zip(y, seen)]
    >>> found = missingness(x, gold, labels=labels, depends_on="class")
    >>> share = {k: m.of_class["prevalence"][1].value for k, m in found.estimates.items()}
    >>> share["naive"] < 0.3, abs(share["aipw"] - 0.5) < 0.1
    (True, True)
    """
    check_level(level)
    _check_option(depends_on)
    labels, codes = _codes(gold, labels, "gold")
    n, k, labelled = len(codes), len(labels), codes >= 0
    _refuse_too_little(codes, k)
    score = cross_fitted(outcome or logistic(), X, codes, k, random_state=random_state)
    items = Incomplete(
        predicted=score if predicted is None else _of_items(predicted, labels, n),
        outcome=score,
        codes=codes,
        odds=np.ones(n),
        by_class=depends_on == "class",
        audit=_audit_codes(audit, labels, labelled),
        audit_weight=_audit_weight(audit_probability, n),
        labels=labels,
    )
    if propensity is None:
        by_class = items.by_class
        propensity = DummyClassifier(strategy="prior") if by_class else of_being_labelled(labelled)
    tilt = items.tilt()[np.maximum(codes, 0)] if items.by_class else None
    items = replace(
        items,
        odds=labelling_odds(propensity, X, labelled, tilt=tilt, random_state=random_state),
    )
    odds = items.odds * (items.outcome @ items.tilt())
    return Missingness(
        relations=relations_table(
            labelled, X=X, groups=groups, votes=votes, predicted=predicted, level=level
        ),
        overlap=overlap_table(1.0 / (1.0 + odds), labelled),
        weights=InverseWeights.of(items.odds * items.tilt()[np.maximum(codes, 0)], labelled),
        estimates=missing_estimates(items, level, random_state),
        beliefs=Beliefs(items.beliefs(), labels),
        labels=labels,
        n_labelled=int(labelled.sum()),
        n_items=n,
        n_audit=int((items.audit >= 0).sum()),
        _labelled_of_class=np.bincount(codes[labelled], minlength=k),
    )


def _check_option(depends_on: str) -> None:
    if depends_on not in ("features", "class"):
        raise InputError(
            f"`depends_on` must be 'features' or 'class'; got {depends_on!r}. Pass one of these."
        )


def _codes(values: Any, labels: LabelSpace | None, what: str) -> tuple[LabelSpace, Codes]:
    """(n_items,) Codes of the items whose class is known, else -1."""
    if labels is None:
        if not isinstance(values, Candidates):
            raise TypeError(
                f"`labels` must be given where `{what}` is no Candidates; got None. "
                "Pass the LabelSpace."
            )
        labels = values.labels
    known = as_gold(values, labels)
    codes = np.full(len(known), -1, dtype=np.int32)
    codes[known.exact] = known.codes()[known.exact]
    return labels, codes


def _refuse_too_little(codes: Codes, n_classes: int) -> None:
    count = np.bincount(codes[codes >= 0], minlength=n_classes)
    if (count >= FOLDS).sum() < 2:
        raise InputError(
            f"`gold` must name at least two classes {FOLDS} times each, so that a model of the "
            f"class can be fitted; got {count.tolist()} items of the classes. Label more."
        )
    if (codes < 0).sum() < FOLDS:
        raise InputError(
            f"`gold` must leave at least {FOLDS} items without a class; got "
            f"{int((codes < 0).sum())}. Where all are labelled, nothing is missing."
        )


def _of_items(predicted: Any, labels: LabelSpace, n_items: int) -> Floats:
    probs = as_beliefs(predicted, labels).probs
    if len(probs) != n_items:
        raise InputError(
            f"`predicted` must have one row for each of the {n_items} items; got {len(probs)}. "
            "Give them in the order of `gold`."
        )
    return probs


def _audit_codes(audit: Any, labels: LabelSpace, labelled: NDArray[np.bool_]) -> Codes:
    if audit is None:
        return np.full(len(labelled), -1, dtype=np.int32)
    codes = _codes(audit, labels, "audit")[1]
    if len(codes) != len(labelled):
        raise InputError(
            f"`audit` must have one entry for each of the {len(labelled)} items; got {len(codes)}. "
            "Give null where an item wasn't drawn."
        )
    codes = np.where(labelled, -1, codes)
    if (codes >= 0).sum() < LEAST_AUDIT:
        raise InputError(
            f"`audit` must name the class of at least {LEAST_AUDIT} unlabelled items; got "
            f"{int((codes >= 0).sum())}. Draw more at random, and have them labelled."
        )
    return codes


def _audit_weight(probability: Any, n_items: int) -> Floats:
    if probability is None:
        return np.ones(n_items)
    p = np.asarray(probability, dtype=np.float64)
    if p.shape != (n_items,):
        raise InputError(
            f"`audit_probability` must have one entry for each of the {n_items} items; got the "
            f"shape {p.shape}. Give them in the order of `gold`."
        )
    bad = ~((p > 0) & (p <= 1))
    if bad.any():
        raise InputError(
            f"`audit_probability` must lie in (0, 1]; it doesn't at {rows_named(bad)}. "
            "Give the probability with which the item was drawn."
        )
    return np.asarray(1.0 / p)
