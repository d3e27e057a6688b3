r"""Influence functions: how much the label of each row moves each metric.

A metric is a function of the distribution of predictions and labels. Its influence function
:math:`\psi(x, y)` says by how much it changes as more rows like :math:`(x, y)` come, so that
:math:`\theta(P') - \theta(P) \approx \int \psi \, dP'`. For a label among classes it is affine in
one-hot y; so a belief about the label can stand in its place: :math:`\psi(x, b)`.

Rates, losses and calibration gaps are smooth functions :math:`g` of means of moments
:math:`\phi(x, y)`, and :math:`\psi = J (\phi - m)`, with :math:`J` the derivative of :math:`g` at
the means :math:`m`:

======================  ====================  ===================================================
symbol                  code                  mean of
======================  ====================  ===================================================
:math:`h_k`             ``hits``              [predicted k] [y = k]
:math:`q_k`             ``predicted``         [predicted k]
:math:`\pi_k`           ``support``           [y = k]
                        ``loss``              log loss, and Brier score
:math:`g_b`             ``gaps``              [in bin b] ([predicted = y] - confidence)
======================  ====================  ===================================================

ROC AUC and average precision depend on ranks; see `partlabel.evaluate.ranking`.

J. Hampel, "The influence curve and its role in robust estimation", JASA 1974.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partlabel.evaluate.metrics import ECE_BINS, ECE_ROWS_PER_BIN, FLOOR, Floats
from partlabel.evaluate.population import Population
from partlabel.evaluate.ranking import Ranks, auc, average_precision

CHUNK = 1_000_000
"""How many moments are held at once: 8 MB."""

RANK_BINS = 20
"""The guess of how a class depends on its score has at most as many steps."""

HEADLINE = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_f1",
    "log_loss",
    "brier",
    "auc",
    "average_precision",
)
OF_CLASS = (
    "class_precision",
    "class_recall",
    "class_f1",
    "prevalence",
    "class_auc",
    "class_average_precision",
)


@dataclass(frozen=True, slots=True, eq=False)
class Influences:
    """The influence of rows on every metric, around a first guess.

    Attributes
    ----------
    columns : mapping of metric name to slice
        Where a metric stands among the columns; those of classes and bins take several.
    pilot : (n_metrics,) float
        The first guess of each metric, around which it is linearised.
    of_gold, of_beliefs : (n_gold, n_metrics) float
        Influence of the rows with gold: by their gold class, and by what was believed.
    doubt : (n_gold, n_metrics) float
        Variance of a gold row's influence if its class came from what was believed of it; 0 where
        that isn't known.
    mean_of_beliefs : (n_strata, n_metrics) float
        Mean influence of all items of a stratum, by what is believed.
    variance_of_beliefs : (n_metrics,) float
        Variance of the same over all items.
    """

    columns: Mapping[str, slice]
    pilot: Floats
    of_gold: Floats
    of_beliefs: Floats
    doubt: Floats
    mean_of_beliefs: Floats
    variance_of_beliefs: Floats

    def __sub__(self, other: "Influences") -> "Influences":
        """Give the influence on the differences of the metrics that both have."""
        shared = [name for name in self.columns if name in other.columns and name != "gap"]
        one, two = self.pick(shared), other.pick(shared)
        return Influences(
            columns=one.columns,
            pilot=one.pilot - two.pilot,
            of_gold=one.of_gold - two.of_gold,
            of_beliefs=one.of_beliefs - two.of_beliefs,
            doubt=np.zeros_like(one.doubt),
            mean_of_beliefs=one.mean_of_beliefs - two.mean_of_beliefs,
            variance_of_beliefs=np.full_like(one.variance_of_beliefs, np.nan),
        )

    def pick(self, names: list[str]) -> "Influences":
        """Give some of the metrics, in this order."""
        sizes = [self.columns[name].stop - self.columns[name].start for name in names]
        ends = np.cumsum([0, *sizes]).tolist()
        at = np.concatenate([np.r_[self.columns[name]] for name in names])
        return Influences(
            columns={name: slice(a, b) for name, a, b in zip(names, ends, ends[1:], strict=False)},
            pilot=self.pilot[at],
            of_gold=self.of_gold[:, at],
            of_beliefs=self.of_beliefs[:, at],
            doubt=self.doubt[:, at],
            mean_of_beliefs=self.mean_of_beliefs[:, at],
            variance_of_beliefs=self.variance_of_beliefs[at],
        )


def influences(population: Population, n_bins_for: int | None = None) -> Influences:
    """Linearise every metric around what gold and beliefs say together.

    The guess trusts beliefs by the share ``trust``, found by regressing gold on beliefs, and takes
    what they get wrong on gold back out, so that it is near the truth even where they are wrong.

    Parameters
    ----------
    population : Population
    n_bins_for : int, default None
        Take as many bins of confidence as so many gold rows can fill; None takes those there are.
    """
    trust = pilot_trust(population)
    n_binned = n_bins_for or population.n_gold or len(population)
    return joined(
        [rate_influences(population, trust, n_binned), rank_influences(population, trust)]
    )


def pilot_trust(population: Population) -> float:
    """How far gold follows the beliefs, from 0 (not at all) to 1."""
    if population.beliefs is None:
        return 0.0
    if population.n_gold == 0:
        return 1.0
    gold, believed = labels_of_gold(population)
    w = population.weight[:, None]
    believed = believed - (w * believed).sum(axis=0)
    slope = float((w * believed * gold).sum()) / max(float((w * believed**2).sum()), 1e-300)
    return min(max(slope, 0.0), 1.0)


def labels_of_gold(population: Population) -> tuple[Floats, Floats]:
    """(n_gold, n_classes) One-hot gold, and the beliefs about the same rows (0 without any)."""
    gold = np.zeros((population.n_gold, len(population.labels)))
    gold[np.arange(population.n_gold), population.codes] = 1.0
    believed = population.beliefs
    return gold, np.zeros_like(gold) if believed is None else believed[population.rows]


def classes_there(population: Population) -> NDArray[np.bool_]:
    """(n_classes,) Classes that count in means: gold holds them, or should by the beliefs.

    A class is expected where beliefs give as many gold rows at least one of it.
    """
    there = np.bincount(population.codes, minlength=len(population.labels)) > 0
    if population.beliefs is None:
        return there
    believed = np.einsum("ik->k", population.beliefs) / len(population)
    least = 1.0 / population.n_gold if population.n_gold else np.finfo(float).tiny
    return np.asarray(there | (believed >= least))


def joined(parts: list[Influences]) -> Influences:
    """Put the metrics of several parts side by side."""
    columns: dict[str, slice] = {}
    offset = 0
    for part in parts:
        for name, at in part.columns.items():
            columns[name] = slice(offset + at.start, offset + at.stop)
        offset += len(part.pilot)
    return Influences(
        columns,
        *(
            np.concatenate([getattr(part, name) for part in parts], axis=-1)
            for name in Influences.__slots__[1:]
        ),
    )


def rate_influences(population: Population, trust: float, n_binned: int) -> Influences:
    """Influences on the metrics that are functions of means."""
    moments = Moments.of(population, n_binned)
    gold, believed = labels_of_gold(population)
    at_gold = moments.at(population.probs[population.rows], gold)
    at_beliefs = (
        moments.at(population.probs[population.rows], believed)
        if population.beliefs is not None
        else np.zeros_like(at_gold)
    )
    mean, overall, variance = moments.over_all(population)
    share = population.stratum_sizes() / len(population)
    corrected = trust * (share @ mean) + population.weight @ (at_gold - trust * at_beliefs)
    guess = moments.possible(corrected, overall, population)
    columns, values, slopes = moments.metrics(guess)
    none = np.zeros_like(guess) if population.beliefs is None else guess
    return Influences(
        columns=columns,
        pilot=values,
        of_gold=(at_gold - guess) @ slopes.T,
        of_beliefs=(at_beliefs - none) @ slopes.T,
        doubt=moments.doubt(population.probs[population.rows], believed, slopes),
        mean_of_beliefs=(mean - none) @ slopes.T,
        variance_of_beliefs=np.einsum("md,de,me->m", slopes, variance, slopes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What is averaged over rows: hits, predicted and support of each class, losses, gaps.

    Attributes
    ----------
    n_classes : int
    edges : (n_bins - 1,) float
        Cuts the confidence into bins that hold equally many of all items.
    """

    n_classes: int
    edges: Floats

    @classmethod
    def of(cls, population: Population, n_binned: int) -> "Moments":
        """Cut the bins: 15, or fewer so that each holds 10 of `n_binned` rows."""
        bins = max(1, min(ECE_BINS, n_binned // ECE_ROWS_PER_BIN))
        cuts = np.quantile(population.probs.max(axis=1), np.arange(1, bins) / bins)
        return cls(population.probs.shape[1], np.unique(cuts))

    @property
    def n_bins(self) -> int:
        """Bins of confidence."""
        return len(self.edges) + 1

    def at(self, probs: Floats, label: Floats) -> Floats:
        """(n, n_moments) The moments of rows whose labels are distributions (n, n_classes)."""
        n, k = probs.shape
        row, guess, confidence = np.arange(n), probs.argmax(axis=1), probs.max(axis=1)
        hit = label[row, guess]
        moments = np.zeros((n, 3 * k + 2 + self.n_bins))
        moments[row, guess] = hit
        moments[row, k + guess] = 1.0
        moments[:, 2 * k : 3 * k] = label
        moments[:, 3 * k] = -np.einsum("ik,ik->i", label, np.log(np.maximum(probs, FLOOR)))
        moments[:, 3 * k + 1] = (
            np.einsum("ik,ik->i", probs, probs) - 2.0 * np.einsum("ik,ik->i", probs, label) + 1.0
        )
        in_bin = np.searchsorted(self.edges, confidence, side="right")
        moments[row, 3 * k + 2 + in_bin] = hit - confidence
        return moments

    def doubt(self, probs: Floats, believed: Floats, slopes: Floats) -> Floats:
        """(n, n_metrics) Variance of the influence of rows whose class comes from beliefs."""
        first, second = np.zeros((2, len(probs), len(slopes)))
        for k, weight in enumerate(believed.T):
            sure = np.zeros_like(believed)
            sure[:, k] = 1.0
            influence = self.at(probs, sure) @ slopes.T
            first += weight[:, None] * influence
            second += weight[:, None] * influence**2
        return np.maximum(second - first**2, 0.0)

    def over_all(self, population: Population) -> tuple[Floats, Floats, Floats]:
        """Means in each stratum by beliefs, mean over all items, and covariance of the moments.

        Without beliefs, the first is 0; the second then only tells what depends on no label.
        """
        n_moments = 3 * self.n_classes + 2 + self.n_bins
        sums, squares = np.zeros((population.n_strata, n_moments)), np.zeros((n_moments,) * 2)
        for rows in self._chunks(len(population), n_moments):
            probs = population.probs[rows]
            label = np.zeros_like(probs) if population.beliefs is None else population.beliefs[rows]
            moments = self.at(probs, label)
            sums += population.stratum_sums(moments, rows)
            squares += moments.T @ moments
        n = len(population)
        overall = sums.sum(axis=0) / n
        mean = sums / population.stratum_sizes()[:, None]
        covariance = squares / n - np.outer(overall, overall)
        return (np.zeros_like(mean) if population.beliefs is None else mean), overall, covariance

    def _chunks(self, n: int, n_moments: int) -> Iterator[slice]:
        step = max(1, CHUNK // n_moments)
        return (slice(start, min(start + step, n)) for start in range(0, n, step))

    def possible(self, guess: Floats, overall: Floats, population: Population) -> Floats:
        """Move a guess into the possible: no class is held by fewer than none of the items.

        How often a class is predicted is known for all items. Support is at least half of what the
        mean of gold and beliefs says, as a rate of a class needs some.
        """
        k = self.n_classes
        guess = np.array(guess, dtype=np.float64)
        guess[k : 2 * k] = overall[k : 2 * k]
        counted = np.asarray(np.bincount(population.codes, population.weight, k), dtype=np.float64)
        believed = counted if population.beliefs is None else overall[2 * k : 3 * k]
        between = (counted + believed) / 2.0 if population.n_gold else believed
        support = np.maximum(guess[2 * k : 3 * k], between / 2.0)
        guess[2 * k : 3 * k] = np.where(classes_there(population), support, 0.0)
        most = np.minimum(guess[k : 2 * k], guess[2 * k : 3 * k])
        guess[:k] = np.clip(guess[:k], 0.0, most)
        return guess

    def metrics(self, means: Floats) -> tuple[dict[str, slice], Floats, Floats]:
        """Columns, values (n_metrics,) and derivatives (n_metrics, n_moments) at the means."""
        k, n_moments = self.n_classes, len(means)
        hits, predicted, support = means[:k], means[k : 2 * k], means[2 * k : 3 * k]
        of_class = {
            "class_precision": _ratio(hits, predicted),
            "class_recall": _ratio(hits, support),
            "class_f1": _ratio(2.0 * hits, predicted + support),
        }
        denominators = {
            "class_precision": (1.0, predicted, [k]),
            "class_recall": (1.0, support, [2 * k]),
            "class_f1": (2.0, predicted + support, [k, 2 * k]),
        }
        diagonal = np.arange(k)
        slopes: dict[str, Floats] = {}
        for name, (scale, whole, offsets) in denominators.items():
            slope = np.zeros((k, n_moments))
            slope[diagonal, diagonal] = _ratio(np.full(k, scale), whole)
            for offset in offsets:
                slope[diagonal, offset + diagonal] = -_ratio(of_class[name], whole)
            slopes[name] = slope
        unit = np.eye(n_moments)
        present = support > 0
        macro = {"macro_precision": "class_precision", "balanced_accuracy": "class_recall"}
        macro["macro_f1"] = "class_f1"
        blocks: dict[str, tuple[Floats, Floats]] = {
            "accuracy": (hits.sum()[None], unit[:k].sum(axis=0)[None]),
            **{
                name: (of_class[part][present].mean()[None], slopes[part][present].mean(0)[None])
                for name, part in macro.items()
            },
            "log_loss": (means[3 * k : 3 * k + 1], unit[3 * k : 3 * k + 1]),
            "brier": (means[3 * k + 1 : 3 * k + 2], unit[3 * k + 1 : 3 * k + 2]),
            **{name: (of_class[name], slopes[name]) for name in of_class},
            "prevalence": (support, unit[2 * k : 3 * k]),
            "gap": (means[3 * k + 2 :], unit[3 * k + 2 :]),
        }
        ends = np.cumsum([0, *(len(value) for value, _ in blocks.values())]).tolist()
        columns = {name: slice(a, b) for name, a, b in zip(blocks, ends, ends[1:], strict=False)}
        values, derivatives = zip(*blocks.values(), strict=True)
        return columns, np.concatenate(values), np.concatenate(derivatives)


def rank_influences(population: Population, trust: float) -> Influences:
    """Influences on ROC AUC and average precision: of each class against the others, and mean.

    Both classes of two have the same AUC, so that the mean is that of either.
    """
    k, n, n_gold = len(population.labels), len(population), population.n_gold
    gold, believed = labels_of_gold(population)
    pilot, at_gold, at_beliefs = np.full((2, k), np.nan), *np.zeros((2, 2, n_gold, k))
    slopes = np.zeros((2, n_gold, k))
    mean, variance = np.zeros((2, population.n_strata, k)), np.zeros((2, k))
    total = np.zeros((2, n))
    present = classes_there(population)
    for j in np.flatnonzero(present).tolist():
        score = population.probs[:, j]
        order = np.argsort(score)
        mass = pilot_mass(population, gold[:, j], j, trust, order)
        present[j] = mass.sum() < n
        if not present[j]:
            continue
        ranks = Ranks.of(score, mass, order)
        for m, metric in enumerate((auc, average_precision)):
            pilot[m, j], constant, slope = metric(ranks)
            rows = population.rows
            slopes[m, :, j] = slope[rows]
            at_gold[m, :, j] = constant[rows] + gold[:, j] * slope[rows]
            if population.beliefs is None:
                continue
            at_beliefs[m, :, j] = constant[rows] + believed[:, j] * slope[rows]
            of_all = constant + population.beliefs[:, j] * slope
            mean[m, :, j] = population.stratum_sums(of_all)
            variance[m, j] = of_all.var()
            total[m] += of_all
    mean /= population.stratum_sizes()[:, None]
    share = present / max(int(present.sum()), 1)
    # classes exclude each other, so that for their mean it is the slope of the class that varies
    parts = slopes * share
    of_mean = np.einsum("ik,mik->mi", believed, parts**2)
    of_mean -= np.einsum("ik,mik->mi", believed, parts) ** 2
    doubt = slopes**2 * believed * (1.0 - believed)
    names = ("auc", "average_precision")
    unknown = 0.0 if present.any() else np.nan  # with one class, nothing is ranked
    return joined(
        [
            part
            for m, name in enumerate(names)
            for part in (
                Influences(
                    {name: slice(0, 1)},
                    np.where(present, pilot[m], 0.0)[None] @ share + unknown,
                    at_gold[m] @ share[:, None],
                    at_beliefs[m] @ share[:, None],
                    np.maximum(of_mean[m], 0.0)[:, None],
                    mean[m] @ share[:, None],
                    (total[m] / max(int(present.sum()), 1)).var(keepdims=True),
                ),
                Influences(
                    {f"class_{name}": slice(0, k)},
                    pilot[m],
                    at_gold[m],
                    at_beliefs[m],
                    doubt[m],
                    mean[m],
                    variance[m],
                ),
            )
        ]
    )


def pilot_mass(
    population: Population, gold: Floats, j: int, trust: float, order: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(n_items,) The first guess of how much of class `j` each item holds.

    Beliefs, with what they get wrong on gold spread over the items with about the same score: only
    how the class depends on the score matters here, and a single gold row at the top would else
    decide. Where that takes away more than half of the class, the mean of gold and beliefs instead,
    which is never negative.

    Parameters
    ----------
    population : Population
    gold : (n_gold,) float
        1 where the gold class is `j`.
    j : int
    trust : float in [0, 1]
    order : (n_items,) intp
        The items by their score.
    """
    n, rows, n_gold = len(population), population.rows, population.n_gold
    believed = np.zeros(n) if population.beliefs is None else population.beliefs[:, j]
    if n_gold == 0:
        return np.asarray(believed, dtype=np.float64)
    bins = max(1, min(RANK_BINS, n_gold // ECE_ROWS_PER_BIN))
    in_bin = np.empty(n, dtype=np.intp)
    in_bin[order] = np.arange(n) * bins // n
    size = np.bincount(in_bin, minlength=bins)

    def spread(values: Floats) -> Floats:
        total = n * np.bincount(in_bin[rows], population.weight * values, bins)
        return np.asarray((total / np.maximum(size, 1))[in_bin])

    mass = trust * believed + spread(gold - trust * believed[rows])
    counted = float(population.weight @ gold) * n
    between = counted if population.beliefs is None else (counted + float(believed.sum())) / 2
    if not between / 2 <= mass.sum() <= n - (n - between) / 2:
        mass = (believed + spread(gold)) / 2
    return np.asarray(mass)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
