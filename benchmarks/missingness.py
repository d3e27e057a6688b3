"""What is left of the bias of labels that are missing by class, and whether intervals cover.

    python benchmarks/missingness.py --sets 40

10,000 items of two classes, half each. Labelled with probability 0.30 in one class and 0.08 in the
other; in the last world that changes with a feature too, which the class alone doesn't explain.
300 unlabelled items are drawn at random for the audit. "outcome wrong": the model of the class is
off by a distortion of its log-odds (twice as sure, shifted by one). "propensity wrong": the odds of
being labelled follow a feature that has nothing to do with it. For each estimator the bias of the
prevalence of the rarer-labelled class, its standard error over sets, and how often the 95 %
interval covers.
"""

import argparse

import numpy as np
import polars as pl
from scipy.special import expit
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from partlabel import LabelSpace
from partlabel.evaluate import missingness

LABELS = LabelSpace(["often", "rarely"])
LABELLED = np.array([0.30, 0.08])
N_ITEMS, N_AUDIT = 10_000, 300


class Distorted(LogisticRegression):
    """Twice as sure as it should be, and shifted."""

    def predict_proba(self, X):
        """(n_items, 2) Too sure."""
        p = expit(2.0 * self.decision_function(X) + 1.0)
        return np.column_stack([1.0 - p, p])


class Unrelated(DummyClassifier):
    """Believes that being labelled follows a feature that doesn't matter to it."""

    def predict_proba(self, X):
        """(n_items, 2) Of the first feature alone."""
        p = expit(0.8 * np.asarray(X)[:, 0] - 1.0)
        return np.column_stack([1.0 - p, p])


WORLDS = {
    "both right": (None, None),
    "outcome wrong": (Distorted(), None),
    "propensity wrong": (None, Unrelated()),
    "both wrong": (Distorted(), Unrelated()),
    "by class and feature": (None, None),
}


def drawn(rng: np.random.Generator, by_feature: bool) -> tuple[np.ndarray, list, list]:
    y = rng.integers(2, size=N_ITEMS)
    X = rng.normal(size=(N_ITEMS, 2)) + np.array([1.0, 1.2]) * y[:, None]
    chance = LABELLED[y]
    if by_feature:
        chance = expit(np.log(chance / (1 - chance)) + X[:, 0] - y)
    seen = rng.random(N_ITEMS) < chance
    audited = np.zeros(N_ITEMS, dtype=bool)
    audited[rng.choice(np.flatnonzero(~seen), N_AUDIT, replace=False)] = True
    name = np.array(LABELS.classes)[y]
    return X, np.where(seen, name, None).tolist(), np.where(audited, name, None).tolist()


def measured(world: str, n_sets: int, seed: int) -> list[dict]:
    outcome, propensity = WORLDS[world]
    rng = np.random.default_rng([seed, list(WORLDS).index(world)])
    found: dict[str, list] = {}
    for _ in range(n_sets):
        X, gold, audit = drawn(rng, world == "by class and feature")
        result = missingness(
            X,
            gold,
            labels=LABELS,
            depends_on="class",
            outcome=outcome,
            propensity=propensity,
            audit=audit,
        )
        for name, metrics in result.estimates.items():
            found.setdefault(name, []).append(metrics.of_class["prevalence"][1])
    return [
        {
            "world": world,
            "estimator": name,
            "bias": np.mean([one.value for one in each]) - 0.5,
            "error": np.std([one.value for one in each]) / np.sqrt(n_sets),
            "covered": np.mean([one.low <= 0.5 <= one.high for one in each]),
            "half-width": np.mean([one.high - one.low for one in each]) / 2,
            "contradicted": np.mean([str(one).find("(contradicted") > 0 for one in each]),
        }
        for name, each in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sets", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worlds", nargs="*", default=list(WORLDS))
    options = parser.parse_args()
    for world in options.worlds:
        rows = measured(world, options.sets, options.seed)
        with pl.Config(tbl_rows=-1, float_precision=3, tbl_hide_dataframe_shape=True):
            print(pl.DataFrame(rows), flush=True)


if __name__ == "__main__":
    main()
