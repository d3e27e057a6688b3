"""GroupAudit: who gets labels, whom sources serve badly, and for whom a model fails."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import t as student

from partlabel.aggregate.reliability import reliability_table
from partlabel.errors import InputError
from partlabel.evaluate.audits.false_discovery import benjamini_hochberg, shrunk
from partlabel.evaluate.estimate import Basis, Verdict
from partlabel.evaluate.intervals import check_level, clopper_pearson
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.contradiction import audit_of
from partlabel.evaluate.powered.influence_functions import HEADLINE, influences
from partlabel.evaluate.powered.population import Population, codes_and_names
from partlabel.evaluate.powered.powered_metrics import BOUNDS, least_error, metrics_of
from partlabel.evaluate.powered.prediction_powered import powered
from partlabel.evidence import Evidence, Votes, as_evidence
from partlabel.labels import LabelSpace

SMALL = 30
"""Differences of groups with fewer gold rows than this are seldom found, and it is said."""

COLUMNS = (
    *("group", "metric", "value", "low", "high", "n", "basis"),
    *("difference", "p_value", "q_value", "shrunk", "shrunk_low", "shrunk_high"),
)


@dataclass(frozen=True, slots=True, eq=False)
class GroupAudit:
    """What is known of each group, and how well it is served.

    Attributes
    ----------
    classes : polars.DataFrame
        One row per group and class: how many items are believed to be there, and which shares of
        them some source speaks about (``coverage``), or sources disagree about (``conflict``). All
        of it rests on the assumption that beliefs are right, with gold's ``verdict`` on that.
    sources : polars.DataFrame
        One row per group and source: coverage, conflict, and accuracy with intervals, by beliefs
        and by gold. Empty without votes.
    metrics : polars.DataFrame
        One row per group and metric, with interval, basis and number of gold rows; the difference
        from all other groups, with ``p_value`` and ``q_value`` (Benjamini-Hochberg over all rows);
        and ``shrunk``, drawn towards the mean of the groups, with its interval.
    alpha : float
    """

    classes: pl.DataFrame
    sources: pl.DataFrame
    metrics: pl.DataFrame
    alpha: float

    @property
    def found(self) -> pl.DataFrame:
        """The rows of `metrics` where a group differs from the others, the surest first.

        Of these rows, a share of `alpha` is expected to be there by chance.
        """
        return self.metrics.filter(pl.col("q_value") < self.alpha).sort("q_value")

    @property
    def sentence(self) -> str:
        """What it means, for the user."""
        found = self.found
        if len(found) == 0:
            few = self.metrics.filter(pl.col("n") < SMALL)["group"].unique().len()
            return "No group differs from the others by more than chance explains" + (
                f"; {few} groups have fewer than {SMALL} gold rows, too few to tell."
                if few
                else "."
            )
        first = found.row(0, named=True)
        return (
            f"{found['group'].unique().len()} groups differ from the others. Surest: "
            f"{first['metric']} of {first['group']!r} is {first['value']:.3f} "
            f"[{first['low']:.3f}, {first['high']:.3f}], {abs(first['difference']):.3f} "
            f"{'lower' if first['difference'] < 0 else 'higher'} than elsewhere."
        )

    def to_polars(self) -> pl.DataFrame:
        """Give the table of metrics."""
        return self.metrics

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain values, for JSON."""
        return {
            "sentence": self.sentence,
            "alpha": self.alpha,
            "classes": self.classes.to_dicts(),
            "sources": self.sources.to_dicts(),
            "metrics": self.metrics.to_dicts(),
        }


def group_audit(
    predicted: Any,
    gold: Any,
    *,
    groups: Any,
    beliefs: Any = None,
    votes: Votes | Evidence | None = None,
    strata: Any = None,
    gold_probability: Any = None,
    labels: LabelSpace | None = None,
    level: float = 0.95,
    alpha: float = 0.05,
) -> GroupAudit:
    """Compare groups of items: labels that they get, sources that err, and a model's metrics.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
    gold : Candidates, or (n_items,) class names with nulls
        A random sample of each group.
    groups : (n_items,) names
    beliefs : Beliefs, or (n_items, n_classes) probabilities, default None
        Make intervals narrower, as in `evaluate`; without them all rests on gold alone.
    votes : Votes or Evidence, default None
        About the same items, in the order of `predicted`.
    strata, gold_probability, labels
        As in `evaluate`.
    level : float in (0, 1), default 0.95
    alpha : float in (0, 1), default 0.05
        Of the differences found, the share that may be there by chance.

    Returns
    -------
    GroupAudit

    Raises
    ------
    InputError
        If there is one group only, fewer than two items have gold, `votes` are about other items,
        and as `evaluate` refuses.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> probs = np.tile([[0.9, 0.1]], (80, 1))
    >>> gold = ["ham"] * 40 + ["ham", "spam"] * 20
    >>> found = group_audit(probs, gold, groups=["a"] * 40 + ["b"] * 40, labels=labels)
    >>> found.found.filter(metric="accuracy", group="b")["value"].round(3).to_list()
    [0.5]

    References
    ----------
    Y. Benjamini, Y. Hochberg, JRSS B 1995. B. Efron, C. Morris, JASA 1973 (shrinkage).
    """
    check_level(level)
    check_level(1.0 - alpha)
    population = Population.match(
        predicted,
        gold,
        beliefs=beliefs,
        labels=labels,
        strata=strata,
        gold_probability=gold_probability,
    )
    which, names = codes_and_names(groups, len(population), "groups")
    _refuse_too_little(names, population)
    evidence = None if votes is None else _evidence(votes, len(population))
    known, believed, verdict = _believed(population)
    parts = {name: which == code for code, name in enumerate(names)}
    return GroupAudit(
        classes=_classes_table(parts, known, evidence, population.labels, level).with_columns(
            assumption=pl.lit(believed), verdict=pl.lit(verdict.name.lower())
        ),
        sources=_sources_table(parts, known, evidence),
        metrics=_metrics_table(parts, population, level),
        alpha=alpha,
    )


def _believed(population: Population) -> tuple[NDArray[np.float64], str, Verdict]:
    """(n_items, n_classes) Gold, else beliefs, else predictions; what must hold; and if it does."""
    from_model = population.beliefs is None
    source = population.probs if population.beliefs is None else population.beliefs
    audited = replace(population, beliefs=source)
    verdict = audit_of(audited, influences(audited)).verdict
    known: NDArray[np.float64] = np.array(source, dtype=np.float64)
    known[population.rows] = np.eye(known.shape[1])[population.codes]
    return known, f"{'predictions' if from_model else 'beliefs'} are right", verdict


def _classes_table(
    parts: dict[Any, NDArray[np.bool_]],
    believed: Floats,
    evidence: Evidence | None,
    labels: LabelSpace,
    level: float,
) -> pl.DataFrame:
    votes = None if evidence is None else evidence.votes
    none = np.zeros(len(believed), dtype=bool)
    spoken = none if votes is None else votes.votes_per_item > 0
    torn = none if votes is None else _torn(votes)
    rows = []
    for name, mask in parts.items():
        for k, one in enumerate(labels.classes):
            mass = believed[mask, k]
            size, squares = float(mass.sum()), float(mass @ mass)
            n = size**2 / squares if squares > 0 else 0.0
            row = {"group": name, "class": str(one), "items": size, "share": size / mask.sum()}
            for what, where in (("coverage", spoken), ("conflict", torn)):
                share = float(mass @ where[mask]) / max(size, 1e-300)
                low, high = clopper_pearson(share * n, n, level)
                row |= {what: share, f"{what}_low": float(low), f"{what}_high": float(high)}
            rows.append(row)
    table = pl.DataFrame(rows)
    return table if votes is not None else table.select("group", "class", "items", "share")


def _torn(votes: Votes) -> NDArray[np.bool_]:
    """(n_items,) Whether no class lies in all that was said of an item."""
    members = votes.vocabulary.members()[votes.symbol]
    n_votes = votes.votes_per_item
    agreed = np.zeros((len(votes), members.shape[1]), dtype=np.int64)
    np.add.at(agreed, votes.item, members)
    return np.asarray((n_votes > 0) & (agreed.max(axis=1) < n_votes))


def _sources_table(
    parts: dict[Any, NDArray[np.bool_]],
    believed: NDArray[np.float64],
    evidence: Evidence | None,
) -> pl.DataFrame:
    if evidence is None or evidence.votes is None:
        return pl.DataFrame()
    tables = [
        reliability_table(evidence.select(mask), believed[mask]).select(
            pl.lit(name).alias("group"), pl.all()
        )
        for name, mask in parts.items()
    ]
    return pl.concat(tables)


def _metrics_table(
    parts: dict[Any, NDArray[np.bool_]], population: Population, level: float
) -> pl.DataFrame:
    basis = Basis.GOLD if population.beliefs is None else Basis.GOLD_AND_MODEL
    frames = []
    for name, mask in parts.items():
        inside, outside = population.select(mask), population.select(~mask)
        own, rest = _headline(inside, level), _headline(outside, level)
        frames.append(
            pl.DataFrame(
                {
                    "group": [name] * len(HEADLINE),
                    "metric": HEADLINE,
                    "n": [inside.n_gold] * len(HEADLINE),
                    "value": own.value,
                    "low": own.low,
                    "high": own.high,
                    "error": own.error,
                    "difference": own.value - rest.value,
                    "p_value": _p_value(own, rest),
                }
            )
        )
    table = pl.concat(frames)
    q = benjamini_hochberg(table["p_value"].to_numpy())
    table = table.with_columns(q_value=pl.Series(q), basis=pl.lit(basis.value))
    table = pl.concat([_with_shrunk(part) for part in table.partition_by("metric")])
    return _with_shrunk_intervals(table, level)


@dataclass(frozen=True, slots=True)
class _Headline:
    """Of the metrics of a part; NaN where it is too small to tell."""

    value: Floats
    low: Floats
    high: Floats
    error: Floats
    freedom: Floats


def _headline(part: Population, level: float) -> _Headline:
    unknown = np.full(len(HEADLINE), np.nan)
    if part.n_gold < 2:
        return _Headline(unknown, unknown, unknown, unknown, np.ones(len(HEADLINE)))
    found = influences(part)
    result = powered(part, found)
    named = metrics_of(part, found, result, level, 0).headline
    ends = [
        (one.value, one.low, one.high) if (one := named.get(k)) else [np.nan] * 3 for k in HEADLINE
    ]
    value, low, high = np.array(ends).T
    if result.error[found.columns["accuracy"]][0] == 0:  # no mistake, or nothing else
        low[0], high[0] = clopper_pearson(round(value[0] * part.n_gold), part.n_gold, level)
    places = [found.columns[name].start for name in HEADLINE]
    error = least_error(part, found, result)[places]
    # heuristic: rows without a mistake say no more than as many with one; the error is never 0
    return _Headline(value, low, high, np.maximum(error, 1.0 / part.n_gold), result.freedom[places])


def _p_value(own: _Headline, rest: _Headline) -> Floats:
    """(n_metrics,) Of a difference between parts, by Welch's t."""
    one, other = own.error**2, rest.error**2
    freedom = (one + other) ** 2 / (one**2 / own.freedom + other**2 / rest.freedom)
    return np.asarray(
        2.0 * student.sf(np.abs(own.value - rest.value) / np.sqrt(one + other), freedom)
    )


def _with_shrunk(of_metric: pl.DataFrame) -> pl.DataFrame:
    value, error = shrunk(of_metric["value"].to_numpy(), of_metric["error"].to_numpy())
    return of_metric.with_columns(shrunk=pl.Series(value), shrunk_error=pl.Series(error))


def _with_shrunk_intervals(table: pl.DataFrame, level: float) -> pl.DataFrame:
    reach = float(ndtri((1.0 + level) / 2.0)) * table["shrunk_error"].to_numpy()
    least, most = np.array([BOUNDS.get(name, (0.0, 1.0)) for name in table["metric"]]).T
    middle = table["shrunk"].to_numpy()
    full = table.with_columns(
        shrunk_low=pl.Series(np.clip(middle - reach, least, most)),
        shrunk_high=pl.Series(np.clip(middle + reach, least, most)),
    )
    return full.select(COLUMNS).with_columns(pl.selectors.float().fill_nan(None))


def _evidence(votes: Votes | Evidence, n_items: int) -> Evidence:
    if len(votes) != n_items:
        raise InputError(
            f"`votes` must be about the same {n_items} items; got {len(votes)}. "
            "Select the items in the order of `predicted`."
        )
    return as_evidence(votes)


def _refuse_too_little(names: list[Any], population: Population) -> None:
    if len(names) < 2:
        raise InputError(
            f"`groups` must name at least two groups; got {names}. There is nothing to compare."
        )
    if population.n_gold < 2:
        raise InputError(
            f"`gold` must name the class of at least two predicted items; got {population.n_gold}. "
            "Label some items of each group."
        )
