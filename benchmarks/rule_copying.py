"""Whether the audit of rule-copying ranks planted worlds rightly, and when it raises a false alarm.

In each world a text has ordinary words, *signs* that lean towards the class, and the triggers of
eight keyword rules. Worlds differ in how many signs point to the true class: half (nothing but
triggers teaches), 65% (weak), 80% (medium) or 95% (strong genuine features). A bag-of-words
logistic regression is trained on the majority of the rules' votes and audited on other texts drawn
alike; that is copying to the degree that there is nothing else. Two more models don't copy: one
trained on the votes with all triggers hidden, and one that doesn't see the words at all but
another column that tells the class. An alarm about these, "copies" or "partly", is false.

Ranked rightly: the scores of the four worlds of a draw fall strictly. `--tune` prints scores in
worlds with other words, lengths, rules and seeds, on which the verdict's thresholds were chosen,
about halfway between neighbours: weak and medium, medium and strong.

`--youtube` audits models of real comments: one that sees the rules' words alone, one trained on
the votes, one also with trigger dropout, and one trained on gold of the same rows, which copies
nothing. Accuracy and AUC on held-out rows stand beside their scores.

    python benchmarks/rule_copying.py [--draws 100] [--rows 1500] [--seed 1] [--tune]
    python benchmarks/rule_copying.py --youtube ../shared/data/rules/youtube
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from partlabel.aggregate import LabelModel, MajorityVote
from partlabel.evaluate import RuleCopying, RuleCopyingAudit, audit_rule_copying
from partlabel.labels import LabelSpace
from partlabel.learn import TriggerDropout
from partlabel.rules import Rule, apply_rules, find_triggers, hide_triggers, keywords, regex

LABELS = LabelSpace(["ham", "spam"])
WORLDS = {"nothing": 0.5, "weak": 0.65, "medium": 0.8, "strong": 0.95}
NOT_COPYING = ("triggers hidden", "another column")


class Design(NamedTuple):
    """How texts are made, besides how telling their signs are."""

    words: int
    signs: float  # share of the words that are signs
    n_ordinary: int
    n_rules: int
    fires: float  # chance of a rule on its own class
    errs: float  # and on the other


MEASURED = Design(words=12, signs=0.25, n_ordinary=120, n_rules=8, fires=0.2, errs=0.04)
TUNED = Design(words=20, signs=0.18, n_ordinary=300, n_rules=6, fires=0.25, errs=0.06)


class World(NamedTuple):
    """Texts of a known class, and rules."""

    frame: pl.DataFrame
    truth: np.ndarray
    rules: list[Rule]


def drawn(design: Design, telling: float, n_rows: int, rng: np.random.Generator) -> World:
    truth = rng.integers(2, size=n_rows)
    shape = (n_rows, design.words)
    ordinary = np.array([f"word{k}" for k in range(design.n_ordinary)], dtype=object)
    signs = np.array([[f"sign{k}of{c}" for k in range(20)] for c in range(2)], dtype=object)
    side = np.where(rng.random(shape) < telling, truth[:, None], 1 - truth[:, None])
    words = np.where(
        rng.random(shape) < design.signs,
        signs[side, rng.integers(20, size=shape)],
        ordinary[rng.integers(design.n_ordinary, size=shape)],
    )
    said = np.arange(design.n_rules) % 2
    chance = np.where(said == truth[:, None], design.fires, design.errs)
    found = rng.random((n_rows, design.n_rules)) < chance
    variant = rng.integers(2, size=found.shape)
    texts = []
    for row in range(n_rows):
        triggers = [f"trigger{j}{'ab'[variant[row, j]]}" for j in np.flatnonzero(found[row])]
        texts.append(" ".join(rng.permutation([*words[row], *triggers])))
    rules = [
        keywords(LABELS.classes[c], [f"trigger{j}a", f"trigger{j}b"], "text", name=f"rule {j}")
        for j, c in enumerate(said)
    ]
    other = rng.normal(loc=2.0 * truth - 1.0)
    return World(pl.DataFrame({"text": texts, "other": other}), truth, rules)


def decided(frame: pl.DataFrame, rules: list[Rule]) -> tuple[np.ndarray, np.ndarray]:
    """The rows on which the votes have a majority, and their classes."""
    votes = apply_rules(rules, frame, LABELS)
    probs = MajorityVote().fit_aggregate(votes).probs
    rows = np.flatnonzero((votes.votes_per_item > 0) & (probs[:, 0] != probs[:, 1]))
    return rows, np.array(LABELS.classes)[probs[rows].argmax(axis=1)]


def audited(kind: str, train: World, test: World, seed: list[int]) -> RuleCopyingAudit:
    """Train on the votes in one of three ways, and audit on other texts."""
    rows, said = decided(train.frame, train.rules)
    model = make_pipeline(CountVectorizer(binary=True), LogisticRegression())
    frame, features = train.frame, "text"
    if kind == "triggers hidden":
        frame = hide_triggers(train.rules, frame)
    if kind == "another column":
        model, features = LogisticRegression(), "other"
    inputs = frame[rows, features]
    model.fit(inputs.to_numpy() if features == "text" else inputs.to_numpy()[:, None], said)
    return audit_rule_copying(
        model,
        test.frame,
        test.rules,
        features=features,
        label_model=MajorityVote(),
        retrain=False,
        held_out=True,
        random_state=seed,
    )


def draw(design: Design, n_rows: int, seed: list[int]) -> dict[str, RuleCopyingAudit]:
    """Audit a model of each world, and two that don't copy, of a strong one."""
    audits = {}
    for name, telling in WORLDS.items():
        rng = np.random.default_rng([*seed, list(WORLDS).index(name)])
        train, test = (drawn(design, telling, n_rows, rng) for _ in range(2))
        audits[name] = audited("votes", train, test, seed)
        if name == "strong":
            audits |= {kind: audited(kind, train, test, seed) for kind in NOT_COPYING}
    return audits


def report(found: list[dict[str, RuleCopyingAudit]]) -> None:
    print(f"{'model':<16} {'score: mean (sd)':>17} {'5%':>6} {'95%':>6}  verdicts")
    for name in (*WORLDS, *NOT_COPYING):
        scores = np.array([audits[name].score for audits in found])
        verdicts = Counter(audits[name].verdict.name.lower() for audits in found)
        shown = ", ".join(f"{verdict} {n}" for verdict, n in verdicts.most_common())
        low, high = np.quantile(scores, [0.05, 0.95])
        mean = f"{scores.mean():.2f} ({scores.std():.2f})"
        print(f"{name:<16} {mean:>17} {low:>6.2f} {high:>6.2f}  {shown}")
    falling = [np.all(np.diff([audits[name].score for name in WORLDS]) < 0) for audits in found]
    alarms = [
        audits[name].verdict in (RuleCopying.COPIES, RuleCopying.PARTLY)
        for audits in found
        for name in NOT_COPYING
    ]
    print(f"ranked rightly in {sum(falling)} of {len(falling)} draws")
    print(f"false alarms in {sum(alarms)} of {len(alarms)} audits of models that don't copy")


def youtube_rules() -> list[Rule]:
    """Rules that one would write for comments below music videos."""
    return [
        keywords("SPAM", ["check out", "check my", "check this"], "text", name="check"),
        keywords("SPAM", ["subscribe", "sub", "subs", "subscribers"], "text", name="subscribe"),
        keywords("SPAM", ["my channel", "my video", "my music"], "text", name="my own"),
        regex("SPAM", r"(?i)https?://\S*|www\.\S*|\S*\.com\b", "text", name="link"),
        keywords("SPAM", ["please", "plz", "pls"], "text", name="please"),
        keywords("SPAM", ["money", "earn", "free", "win", "gift"], "text", name="money"),
        keywords("SPAM", ["facebook", "twitter", "instagram", "follow"], "text", name="elsewhere"),
        keywords("HAM", ["views", "billion", "million"], "text", name="views"),
        keywords("HAM", ["love", "best", "amazing", "awesome"], "text", name="praise"),
        keywords("HAM", ["song", "songs", "lyrics"], "text", name="song"),
    ]


def youtube(folder: Path, seed: int) -> None:
    labels = LabelSpace(["HAM", "SPAM"])
    rules = youtube_rules()
    train = pl.read_parquet(folder / "train.parquet")
    held = pl.concat([pl.read_parquet(folder / f"{name}.parquet") for name in ("valid", "test")])
    votes = apply_rules(rules, train, labels)
    label_model = LabelModel().fit(votes)
    said = np.array(label_model.aggregate(votes).decide().to_list())
    fired = votes.votes_per_item > 0
    silent = apply_rules(rules, held, labels).votes_per_item == 0
    is_spam = (held["label"] == "SPAM").to_numpy()
    print(f"{fired.sum()} of {len(fired)} training rows have a vote")
    for name, rows in ("rules speak", ~silent), ("all abstain", silent):
        print(f"held-out rows where {name}: {rows.sum()}, spam {is_spam[rows].mean():.2f}")
    triggers = find_triggers(rules, train)["trigger"].str.to_lowercase().unique()
    words = sorted({word for trigger in triggers for word in trigger.split()})
    gold = train["label"].to_numpy()
    for name, before, vocabulary, target in (
        ("the rules' words alone", [], words, said),
        ("trained on the votes", [], None, said),
        ("with trigger dropout", [TriggerDropout(rules, random_state=seed)], None, said),
        ("trained on gold", [], None, gold),
    ):
        bag = TfidfVectorizer(vocabulary=vocabulary)
        model = make_pipeline(*before, bag, LogisticRegression(C=10.0))
        model.fit(train["text"].to_numpy()[fired], target[fired])
        found = audit_rule_copying(
            model, held, rules, label_model=label_model, held_out=True, random_state=seed
        )
        print(f"\n## {name}\n\n{found}\n")
        spam = model.predict_proba(held["text"].to_numpy())[:, 1]
        for place, rows in ("rules speak", ~silent), ("all abstain", silent):
            right = ((spam > 0.5) == is_spam)[rows].mean()
            area = roc_auc_score(is_spam[rows], spam[rows])
            print(f"where {place}: accuracy {right:.3f}, AUC {area:.3f}")
        with pl.Config(tbl_rows=20, tbl_cols=20, tbl_width_chars=160, fmt_str_lengths=90):
            print(found.to_polars().drop("meaning"), found.rules)
            print(found.examples.select("predicted", "probability", "hidden", "text").head(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--youtube", type=Path)
    asked = parser.parse_args()
    if asked.youtube is not None:
        youtube(asked.youtube, asked.seed)
        return
    design, stream = (TUNED, 0) if asked.tune else (MEASURED, 1)
    report([draw(design, asked.rows, [asked.seed, stream, r]) for r in range(asked.draws)])


if __name__ == "__main__":
    main()
