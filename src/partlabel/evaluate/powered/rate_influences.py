r"""Influences on metrics that are functions of means: rates, losses and calibration gaps.

They are smooth functions :math:`g` of means of moments
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
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from partlabel.evaluate.metrics import ECE_BINS, ECE_ROWS_PER_BIN, FLOOR, Floats
from partlabel.evaluate.powered.influence_values import Influences, classes_there, labels_of_gold
from partlabel.evaluate.powered.population import Population

CHUNK = 1_000_000
"""How many moments are held at once: 8 MB."""


def rate_influences(population: Population, guess: Floats, n_binned: int) -> Influences:
    """Influences on the metrics that are functions of means.

    Around those of the first guess (n_items, n_classes) of how much of each class an item holds.
    """
    moments = Moments.of(population, n_binned)
    gold, believed = labels_of_gold(population)
    probs = population.probs[population.rows]
    at_gold, at_beliefs = moments.at(probs, gold), moments.at(probs, believed)
    mean, overall, variance = moments.over_all(population)
    around = moments.at_guess(population, guess, overall, at_gold)
    columns, values, slopes = moments.metrics(around)
    if population.beliefs is None:
        at_beliefs, believed_around = np.zeros_like(at_gold), np.zeros_like(around)
    else:
        believed_around = around
    doubt = moments.doubt(probs, believed, slopes)
    doubt[:, columns["gap"]] = moments.doubt_of_gaps(probs, guess[population.rows])
    return Influences(
        columns=columns,
        pilot=values,
        of_gold=(at_gold - around) @ slopes.T,
        of_beliefs=(at_beliefs - believed_around) @ slopes.T,
        doubt=doubt,
        mean_of_beliefs=(mean - believed_around) @ slopes.T,
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

    def doubt_of_gaps(self, probs: Floats, guess: Floats) -> Floats:
        """(n, n_bins) Variance of what rows add to gaps, if they are right as often as guessed."""
        in_bin = np.searchsorted(self.edges, probs.max(axis=1), side="right")
        right = guess[np.arange(len(probs)), probs.argmax(axis=1)]
        variance = np.zeros((len(probs), self.n_bins))
        variance[np.arange(len(probs)), in_bin] = right * (1.0 - right)
        return variance

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

    def at_guess(
        self, population: Population, guess: Floats, overall: Floats, at_gold: Floats
    ) -> Floats:
        """(n_moments,) Means by the first guess; how often a class is predicted is known.

        Means in which metrics are linear may be any: those of gold, or of beliefs without gold.
        """
        k = self.n_classes
        around = np.array(population.weight @ at_gold if population.n_gold else overall)
        there = classes_there(population)
        predicted = population.probs.argmax(axis=1)
        held = guess[np.arange(len(guess)), predicted]
        around[:k] = np.bincount(predicted, held, k) / len(guess) * there
        around[k : 2 * k] = overall[k : 2 * k]
        around[2 * k : 3 * k] = guess.sum(axis=0, dtype=np.float64) / len(guess) * there
        return around

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


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
