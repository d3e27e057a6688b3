"""Slices: parts of the items, told by features, groups and votes, where a model errs more."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import fisher_exact
from sklearn.tree import DecisionTreeRegressor

from partlabel.errors import InputError
from partlabel.evaluate.audits.slice_columns import Column, slice_columns
from partlabel.evaluate.estimate import Estimate, table_of
from partlabel.evaluate.intervals import check_level, clopper_pearson
from partlabel.evaluate.powered.contradiction import holm
from partlabel.evaluate.powered.influence_functions import influences
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.powered_metrics import metrics_of
from partlabel.evaluate.powered.prediction_powered import powered
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LEAST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the items, and how often the model errs there.

    Attributes
    ----------
    rule : str
        What its items have in common.
    items : int
    error : Estimate
        Share of its items whose predicted class is wrong.
    elsewhere : float
        The same share of all other items.
    p_value : float
        That it errs no more there than elsewhere (Holm over all slices).
    """

    rule: str
    items: int
    error: Estimate
    elsewhere: float
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """Where a model errs more, the worst first.

    Attributes
    ----------
    slices : tuple of Slice
        They hold each item once.
    member : (n_items,) int
        The slice of each item.
    alpha : float
    """

    slices: tuple[Slice, ...]
    member: NDArray[np.intp]
    alpha: float

    @property
    def found(self) -> tuple[Slice, ...]:
        """The slices where the model errs more, by more than chance explains."""
        return tuple(one for one in self.slices if one.p_value < self.alpha)

    @property
    def sentence(self) -> str:
        """What it means, for the user."""
        if not self.found:
            return "No slice was found where the model errs more than elsewhere."
        one = self.found[0]
        return f"Where {one.rule}, the model errs on {one.error}; elsewhere {one.elsewhere:.3f}."

    def to_polars(self) -> pl.DataFrame:
        """Give a row per slice: slice, items, value of the error, low, high, n, and the test."""
        return table_of(
            (
                {
                    "slice": one.rule,
                    "items": one.items,
                    "elsewhere": one.elsewhere,
                    "p_value": one.p_value,
                },
                one.error,
            )
            for one in self.slices
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the members as plain values, for JSON."""
        rows = self.to_polars().to_dicts()
        return {"sentence": self.sentence, "alpha": self.alpha, "slices": rows}


def error_slices(
    predicted: Any,
    gold: Any,
    *,
    features: Any = None,
    groups: Any = None,
    votes: Votes | None = None,
    beliefs: Any = None,
    labels: LabelSpace | None = None,
    depth: int = 3,
    least: int = 20,
    level: float = 0.95,
    alpha: float = 0.05,
    random_state: int | np.random.Generator | None = 0,
) -> Slices:
    """Find slices where a model's predicted class is wrong more often than elsewhere.

    A shallow regression tree looks for them on one half of the gold rows; the other half, which
    it hasn't seen, says how large the error is there, and whether it is chance.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
    gold : Candidates, or (n_items,) class names with nulls
        A random sample; at least 40 items.
    features : table, or mapping of columns, default None
        Numbers, true and false, or names: of columns with many names the 20 most frequent.
    groups : (n_items,) names, default None
    votes : Votes, default None
        Which sources spoke, what each said, and whether they disagree.
    beliefs : Beliefs, or (n_items, n_classes) probabilities, default None
        Make intervals narrower, as in `evaluate`. None gives exact ones from gold alone.
    labels : LabelSpace, default None
    depth : int, default 3
        Conditions that tell a slice. More find smaller slices, and need more gold.
    least : int, default 20
        Gold rows, of the half that is looked at, that a slice must hold.
    level : float in (0, 1), default 0.95
        Of each interval on its own.
    alpha : float in (0, 1), default 0.05
        The chance to find any slice where there is none.
    random_state : int, Generator or None, default 0
        Cuts gold in halves.

    Returns
    -------
    Slices

    Raises
    ------
    InputError
        If there is nothing to tell slices by, fewer than 40 gold rows, `depth` or `least` below 1,
        and as `evaluate` refuses.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> length = np.arange(400) % 100
    >>> gold = np.where((length > 80) & (np.arange(400) % 3 > 0), "spam", "ham")
    >>> found = error_slices(
    ...     np.tile([0.9, 0.1], (400, 1)), gold, features={"length": length}, labels=labels, depth=1
    ... )
    >>> found.found[0].rule
    'length > 80.5'

    References
    ----------
    Y. Chung et al., "Slice Finder: automated data slicing for model validation", ICDE 2019.
    """
    check_level(level)
    check_level(1.0 - alpha)
    for name, value in (("depth", depth), ("least", least)):
        if value < 1:
            raise InputError(f"`{name}` must be at least 1; got {value}. Give a larger number.")
    population = Population.match(predicted, gold, beliefs=beliefs, labels=labels)
    columns = slice_columns(len(population), features, groups, votes)
    _refuse_too_little(columns, population)
    table = np.column_stack([one.values for one in columns])
    looked = np.zeros(population.n_gold, dtype=bool)
    order = np.random.default_rng(random_state).permutation(population.n_gold)
    looked[order[: population.n_gold // 2]] = True
    wrong = population.probs[population.rows].argmax(axis=1) != population.codes
    tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=least, random_state=0)
    tree.fit(table[population.rows[looked]], wrong[looked])
    leaf = tree.apply(table)
    measured = _keeping(population, ~looked)
    rules = dict(_rules(tree, columns))
    raw = [_slice(rule, leaf == at, measured, level) for at, rule in rules.items()]
    p_values = holm(np.array([one.p_value for one in raw])).tolist()
    found = [replace(one, p_value=p) for one, p in zip(raw, p_values, strict=True)]
    order = np.lexsort(([-one.error.value for one in found], p_values))
    place = np.zeros(leaf.max() + 1, dtype=np.intp)
    place[np.array(list(rules))[order]] = np.arange(len(rules))
    return Slices(tuple(found[j] for j in order), place[leaf], alpha)


def _rules(tree: DecisionTreeRegressor, columns: list[Column]) -> Iterator[tuple[int, str]]:
    """Give each leaf of a tree with the conditions that lead to it."""
    grown = tree.tree_
    waiting: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while waiting:
        at, said = waiting.pop()
        if grown.children_left[at] < 0:
            yield at, " and ".join(dict.fromkeys(said)) or "any item"
            continue
        column, threshold = columns[grown.feature[at]], float(grown.threshold[at])
        for child, above in ((grown.children_right[at], True), (grown.children_left[at], False)):
            waiting.append((int(child), (*said, column.said(threshold, above))))


def _slice(rule: str, mask: NDArray[np.bool_], half: Population, level: float) -> Slice:
    inside, outside = half.select(mask), half.select(~mask)
    n_wrong, n_outside = _mistakes(inside), _mistakes(outside)
    wrong, n_gold = np.array([n_wrong, n_outside]), np.array([inside.n_gold, outside.n_gold])
    return Slice(
        rule=rule,
        items=int(mask.sum()),
        error=_error(inside, n_wrong, level),
        elsewhere=n_outside / outside.n_gold if outside.n_gold else float("nan"),
        p_value=float(
            fisher_exact(np.stack([wrong, n_gold - wrong], axis=1), alternative="greater").pvalue
        ),
    )


def _error(part: Population, n_wrong: int, level: float) -> Estimate:
    n = part.n_gold
    if part.beliefs is not None and 0 < n_wrong < n:
        found = influences(part)
        right = metrics_of(part, found, powered(part, found), level, 0).headline["accuracy"]
        return replace(right, value=1 - right.value, low=1 - right.high, high=1 - right.low)
    low, high = clopper_pearson(n_wrong, n, level)
    share = n_wrong / n if n else float("nan")
    return Estimate(share, float(low), float(high), n, level, method="exact")


def _mistakes(part: Population) -> int:
    return int((part.probs[part.rows].argmax(axis=1) != part.codes).sum())


def _keeping(population: Population, gold: NDArray[np.bool_]) -> Population:
    """The same items, with some of the gold rows."""
    rows, codes = population.rows[gold], population.codes[gold]
    return replace(population, rows=rows, codes=codes, weight=np.full(len(rows), 1 / len(rows)))


def _refuse_too_little(columns: list[Column], population: Population) -> None:
    if not columns:
        raise InputError(
            "`features`, `groups` or `votes` must tell items apart; got none that does. "
            "Pass a column with several values."
        )
    if population.n_gold < LEAST_ROWS:
        raise InputError(
            f"`gold` must name the class of at least {LEAST_ROWS} predicted items, half of them to "
            f"look for slices; got {population.n_gold}. Label more."
        )
