"""Whether intervals from gold and beliefs cover, how narrow they are, and what they cost.

    python benchmarks/intervals.py                 # simulated sets, then real ones, then the speed
    python benchmarks/intervals.py simulated --sets 1000
    python benchmarks/intervals.py real | speed

Simulated: 20,000 items of three classes, eight rules, a model that is too sure, 200 gold rows.
"right": rules err independently, as the label model assumes. "wrong": five of the eight rules read
one shortcut that is right for 60 % of the items. "stratified": gold is drawn by predicted and
believed class, more where beliefs are unsure. "active": each item has its own probability to be
drawn. Beliefs are put together with the model's score where gold bears that out, but for "plain".
Coverage of 95 % intervals of the value in the population (a draw of a million), and half-widths
relative to those of the same gold rows without beliefs.

Real: of each rule set's test split, 100 gold rows a draw; does the interval cover the value on all
gold rows of the split? The model is a logistic regression on TF-IDF (or on the votes, where there
is no text), trained on what LabelModel believes of the train split.
"""

import argparse
import resource
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from real_votes import DATA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from partlabel import Candidates, DawidSkene, LabelModel, LabelSpace, Votes
from partlabel.evaluate import audit_probability, evaluate, joint_beliefs
from partlabel.evaluate.powered.influence_functions import influences
from partlabel.evaluate.powered.joint_beliefs import as_asked, closer
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.powered_metrics import metrics_of
from partlabel.evaluate.powered.prediction_powered import powered

LABELS = LabelSpace(["a", "b", "c"])
PREVALENCE = np.array([0.5, 0.3, 0.2])
MISSING = (None, None, None)
N_ITEMS, N_GOLD, N_RULES, SHORTCUT = 20_000, 200, 8, 5
SETTINGS = (
    "right",
    "right plain",
    "wrong",
    "stratified",
    "active",
    "stratified wrong",
    "active wrong",
)


def drawn(n: int, wrong: bool, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Classes (n,), the model's probabilities (n, 3) and votes (n, 8), -1 for abstain."""
    y = rng.choice(3, p=PREVALENCE, size=n)
    logits = 2.0 * (np.eye(3)[y] * 1.5 + rng.normal(size=(n, 3)))
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    shortcut = np.where(rng.random(n) < 0.6, y, rng.integers(3, size=n))
    read = np.repeat(y[:, None], N_RULES, axis=1)
    accuracy = np.linspace(0.7, 0.85, N_RULES)
    if wrong:
        read[:, :SHORTCUT] = shortcut[:, None]
        accuracy[:SHORTCUT] = 0.9
    right = rng.random((n, N_RULES)) < accuracy
    votes = np.where(right, read, (read + rng.integers(1, 3, size=read.shape)) % 3)
    votes[rng.random(votes.shape) > 0.7] = -1
    return y, probs / probs.sum(axis=1, keepdims=True), votes


class World(NamedTuple):
    """One data set, before gold is drawn: all settings of a label model share it."""

    y: np.ndarray
    probs: np.ndarray
    beliefs: np.ndarray
    joint: np.ndarray

    @classmethod
    def drawn(cls, wrong: bool, rng: np.random.Generator) -> "World":
        """Draw a data set, with a right label model or a wrong one."""
        y, probs, votes = drawn(N_ITEMS, wrong, rng)
        beliefs = DawidSkene().fit_aggregate(Votes.from_matrix(votes, LABELS, abstain=-1)).probs
        return cls(y, probs, beliefs, joint_beliefs(probs, beliefs, labels=LABELS).probs)


def population(setting: str, world: World, rng: np.random.Generator) -> Population:
    probs, beliefs = world.probs, world.beliefs
    strata = probability = None
    rows = rng.choice(N_ITEMS, N_GOLD, replace=False)
    if "stratified" in setting:
        strata = probs.argmax(axis=1) * 3 + beliefs.argmax(axis=1)
        unsure = np.bincount(strata, 1.2 - beliefs.max(axis=1), 9)
        size = np.maximum(5, np.round(N_GOLD * unsure / unsure.sum())).astype(int)
        rows = np.concatenate(
            [rng.permutation(np.flatnonzero(strata == s))[: size[s]] for s in range(9)]
        )
    elif "active" in setting:
        probability = audit_probability(beliefs, N_GOLD)
        rows = np.flatnonzero(rng.random(N_ITEMS) < probability)
    gold = np.full(N_ITEMS, None)
    gold[rows] = np.array(LABELS.classes)[world.y[rows]]
    plain = Population.match(
        probs, gold, beliefs=beliefs, labels=LABELS, strata=strata, gold_probability=probability
    )
    return plain if "plain" in setting else closer(replace(plain, beliefs=world.joint), plain)


def estimates(found: Population, power: float | None) -> dict[str, tuple[float, float, float]]:
    moved = influences(found)
    metrics = metrics_of(found, moved, powered(found, moved, power), 0.95, 0)
    return {name: (one.value, one.low, one.high) for name, one in metrics.headline.items()}


def everything_labelled(probs: np.ndarray, y: np.ndarray, n_gold: int) -> dict[str, float]:
    """The value of each metric where all items have gold, with the bins of `n_gold` rows."""
    gold = np.eye(probs.shape[1])[y]
    labels = LabelSpace(range(probs.shape[1]))
    whole = Population.match(probs, None, beliefs=gold, labels=labels)
    return {**true_values(whole, n_gold)}


def true_values(whole: Population, n_gold: int) -> dict[str, float]:
    found = influences(whole, n_bins_for=n_gold)
    ece = float(np.abs(found.pilot[found.columns["gap"]]).sum())
    one = {name: at for name, at in found.columns.items() if at.stop - at.start == 1}
    return {name: float(found.pilot[at][0]) for name, at in one.items() if name != "gap"} | {
        "ece": ece
    }


def simulated(n_sets: int, seed: int, settings: Sequence[str]) -> pl.DataFrame:
    """One row per set, setting and metric: whether the intervals cover, and how long they are."""
    y, probs, _ = drawn(1_000_000, False, np.random.default_rng(seed))
    truth = everything_labelled(probs, y, N_GOLD)
    rows = []
    for one_set in range(n_sets):
        for wrong in (False, True):
            asked = [setting for setting in settings if ("wrong" in setting) == wrong]
            if not asked:
                continue
            world = World.drawn(wrong, np.random.default_rng([seed, one_set, wrong]))
            for setting in asked:
                rng = np.random.default_rng([seed, one_set, 2 + SETTINGS.index(setting)])
                found = population(setting, world, rng)
                rows += _beside(truth, found, {"set": one_set, "setting": setting})
    return pl.DataFrame(rows)


def _beside(truth: dict[str, float], found: Population, named: dict[str, Any]) -> list[Any]:
    both, alone = estimates(found, None), estimates(found, 0.0)
    return [
        {
            **named,
            "metric": name,
            "truth": true,
            **dict(zip(("value", "low", "high"), both.get(name, MISSING), strict=True)),
            **dict(zip(("low alone", "high alone"), alone.get(name, MISSING)[1:], strict=True)),
        }
        for name, true in truth.items()
    ]


def summary(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """Coverage with its Monte-Carlo error, and half-widths, of each metric in each `by`."""
    true = pl.col("truth")
    covered = true.is_between("low", "high").fill_null(False)
    width, alone = pl.col("high") - pl.col("low"), pl.col("high alone") - pl.col("low alone")
    share = covered.mean()
    return rows.group_by(by, "metric", maintain_order=True).agg(
        share.alias("covered"),
        (share * (1 - share) / pl.len()).sqrt().alias("+-"),
        (true < pl.col("low")).mean().alias("too high"),
        (true > pl.col("high")).mean().alias("too low"),
        true.is_between("low alone", "high alone").mean().alias("by gold alone"),
        (width.mean() / 2).alias("half-width"),
        (width.mean() / alone.mean()).alias("ratio"),
    )


def trained(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, LabelSpace]:
    """On the test split: the model's probabilities, LabelModel's beliefs, and gold codes."""
    path = folder / "train.parquet"
    train = pl.read_parquet(path if path.exists() else folder / "valid.parquet")
    test = pl.read_parquet(folder / "test.parquet").filter(pl.col("label").is_not_null())
    rules = [name for name in test.columns if name.startswith("lf_")]
    named = [frame[name] for frame in (train, test) for name in rules]
    labels = LabelSpace.infer(pl.concat([*named, test["label"]]))
    votes = [Votes.from_columns(frame, rules, labels=labels) for frame in (train, test)]
    if "text" in test.columns:
        reader = TfidfVectorizer(min_df=2, sublinear_tf=True).fit(train["text"])
        features = [reader.transform(frame["text"]) for frame in (train, test)]
    else:
        said = [
            [(frame[name] == c).fill_null(False) for name in rules for c in labels.classes]
            for frame in (train, test)
        ]
        features = [np.column_stack(columns).astype(float) for columns in said]
    model = LabelModel().fit(votes[0])
    covered = np.flatnonzero(votes[0].votes_per_item > 0)
    beliefs = model.aggregate(votes[0]).probs[covered]
    classes = beliefs.argmax(axis=1)
    learner = LogisticRegression(C=10.0, max_iter=500).fit(
        features[0][covered], classes, sample_weight=beliefs.max(axis=1)
    )
    probs = np.zeros((len(test), len(labels)))
    probs[:, learner.classes_] = learner.predict_proba(features[1])
    return probs, model.aggregate(votes[1]).probs, labels.encode(test["label"]), labels


def real(n_draws: int, seed: int) -> pl.DataFrame:
    """One row per draw, set and metric: whether the intervals cover, and how long they are."""
    rows = []
    for folder in sorted((DATA / "rules").glob("*")):
        probs, beliefs, y, labels = trained(folder)
        names = np.array(labels.classes, dtype=object)
        truth = everything_labelled(probs, y, 100)
        rng = np.random.default_rng(seed)
        for draw in range(n_draws):
            gold = np.full(len(y), None)
            drawn_rows = rng.choice(len(y), 100, replace=False)
            gold[drawn_rows] = names[y[drawn_rows]]
            plain = Population.match(probs, gold, beliefs=beliefs, labels=labels)
            found = as_asked(plain, None)
            rows += _beside(truth, found, {"set": folder.name, "draw": draw})
    return pl.DataFrame(rows)


def speed(n: int = 1_000_000, k: int = 10, n_gold: int = 1000) -> None:
    rng = np.random.default_rng(0)
    probs, beliefs = (rng.dirichlet(np.full(k, 0.3), n) for _ in range(2))
    labels = LabelSpace(range(k))
    gold = np.full(n, -1)
    gold[rng.choice(n, n_gold, replace=False)] = rng.integers(k, size=n_gold)
    known = Candidates.from_labels(gold, labels, missing=-1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    found = evaluate(probs, known, beliefs=beliefs, labels=labels)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    n_metrics = len(found.estimates) + found.by_class().height + len(found.details.gaps)
    print(
        f"{n:,} rows x {k} classes, {n_gold:,} gold, {n_metrics} metrics: {seconds:.1f} s "
        f"({cpu:.1f} s of one core), {more / beliefs.nbytes:.2f} x the belief table in memory"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", nargs="?", choices=["simulated", "real", "speed"])
    parser.add_argument("--sets", type=int, default=200, help="data sets, or draws, a setting")
    parser.add_argument("--settings", nargs="*", default=SETTINGS, choices=SETTINGS)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    pl.Config(tbl_rows=200, tbl_cols=20, tbl_width_chars=200, float_precision=3)
    if asked.mode in (None, "simulated"):
        print(summary(simulated(asked.sets, asked.seed, asked.settings), "setting"))
    if asked.mode in (None, "real"):
        print(summary(real(asked.sets, asked.seed), "set"))
    if asked.mode in (None, "speed"):
        speed()


if __name__ == "__main__":
    main()
