"""Groups: the one that is served badly is found, and chance isn't."""

import json

import numpy as np
import pytest

from partlabel.errors import InputError
from partlabel.evaluate import evaluate, group_audit
from partlabel.evidence import Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])
GROUPS = np.array(["north", "south", "east", "west"])


def world(seed: int, n: int = 4000, harmed: bool = True) -> dict[str, np.ndarray]:
    """Predictions and votes that are worse in the south, where `harmed`."""
    rng = np.random.default_rng(seed)
    group, y = rng.integers(4, size=n), rng.integers(2, size=n)
    good = np.where((group == 1) & harmed, 0.65, 0.9)
    said = np.where(rng.random(n) < good, y, 1 - y)
    sure = np.where(rng.random(n) < 0.5, 0.95, 0.8)
    probs = np.where(np.arange(2) == said[:, None], sure[:, None], 1 - sure[:, None])
    right = rng.random((n, 3)) < np.where(group == 1, 0.6, 0.85)[:, None]
    votes = np.where(right, y[:, None], 1 - y[:, None])
    votes[rng.random((n, 3)) < np.where(group == 2, 0.8, 0.3)[:, None]] = -1
    return {"group": GROUPS[group], "y": y, "probs": probs, "votes": votes}


def gold_of(y: np.ndarray, n_gold: int, seed: int = 0) -> np.ndarray:
    gold = np.full(len(y), None)
    rows = np.random.default_rng(seed).choice(len(y), n_gold, replace=False)
    gold[rows] = np.array(LABELS.classes)[y[rows]]
    return gold


def test_the_group_that_is_served_badly_is_found_first() -> None:
    made = world(0)
    gold = gold_of(made["y"], 600)
    found = group_audit(made["probs"], gold, groups=made["group"], labels=LABELS)
    assert found.found["group"][0] == "south"
    assert "'south'" in found.sentence
    accuracy = found.metrics.filter(metric="accuracy", group="south").row(0, named=True)
    assert accuracy["low"] < 0.65 < accuracy["high"]
    assert accuracy["difference"] < -0.15
    assert accuracy["value"] < accuracy["shrunk"] < 0.9


def test_without_a_difference_little_is_found() -> None:
    alarms = 0
    for seed in range(12):
        made = world(seed, 1500, harmed=False)
        gold = gold_of(made["y"], 400, seed)
        found = group_audit(made["probs"], gold, groups=made["group"], labels=LABELS)
        alarms += len(found.found) > 0
    assert alarms <= 3


def test_metrics_are_those_of_evaluate_on_the_group() -> None:
    made = world(1)
    gold, given = gold_of(made["y"], 800), {"beliefs": made["probs"], "groups": made["group"]}
    found = group_audit(made["probs"], gold, labels=LABELS, **given)
    own = evaluate(made["probs"], gold, joint=False, labels=LABELS, **given)
    for name in GROUPS:
        expected = own.of_group[name].headline["macro_f1"]
        row = found.metrics.filter(metric="macro_f1", group=name).row(0, named=True)
        assert (row["value"], row["low"]) == pytest.approx((expected.value, expected.low))
        assert (row["n"], row["basis"]) == (expected.n, "gold+model")


def test_few_rows_without_a_mistake_prove_nothing() -> None:
    probs = np.tile([0.9, 0.1], (64, 1))
    gold = ["ham"] * 4 + ["ham", "ham", "spam"] * 20
    found = group_audit(probs, gold, groups=["few"] * 4 + ["many"] * 60, labels=LABELS)
    few = found.metrics.filter(metric="accuracy", group="few").row(0, named=True)
    assert few["value"] == 1.0
    assert few["low"] < 0.6
    assert len(found.found) == 0
    assert "1 groups have fewer than 30 gold rows" in found.sentence


def test_a_group_without_gold_is_listed_with_the_mean_of_the_others() -> None:
    made = world(2)
    gold = np.where(made["group"] == "west", None, gold_of(made["y"], 500))
    found = group_audit(made["probs"], gold, groups=made["group"], labels=LABELS)
    west = found.metrics.filter(metric="accuracy", group="west").row(0, named=True)
    assert west["value"] is None
    assert west["q_value"] is None
    assert 0.7 < west["shrunk"] < 0.95


def test_coverage_and_conflict_are_counted_by_group_and_class() -> None:
    made = world(3, 600)
    votes = Votes.from_matrix(made["votes"], LABELS, abstain=-1)
    gold = np.array(LABELS.classes)[made["y"]]
    table = group_audit(
        made["probs"], gold, groups=made["group"], votes=votes, labels=LABELS
    ).classes
    for group in GROUPS:
        for k, name in enumerate(LABELS.classes):
            rows = made["votes"][(made["group"] == group) & (made["y"] == k)]
            said = [set(row[row >= 0].tolist()) for row in rows]
            found = table.filter(pl_is(table, "group", group) & pl_is(table, "class", name))
            one = found.row(0, named=True)
            assert one["items"] == pytest.approx(len(rows))
            assert one["coverage"] == pytest.approx(np.mean([len(s) > 0 for s in said]))
            assert one["conflict"] == pytest.approx(np.mean([len(s) > 1 for s in said]))
            assert one["coverage_low"] <= one["coverage"] <= one["coverage_high"]


def pl_is(table, column: str, value: str):
    return table[column] == value


def test_sources_are_judged_within_each_group() -> None:
    made = world(4)
    votes = Votes.from_matrix(made["votes"], LABELS, abstain=-1, sources=["a", "b", "c"])
    gold = np.array(LABELS.classes)[made["y"]]
    evidence = Evidence(votes=votes)
    table = group_audit(
        made["probs"], gold, groups=made["group"], votes=evidence, labels=LABELS
    ).sources
    assert table.shape[0] == 12
    south = table.filter(group="south")
    assert (south["accuracy_high"] < 0.7).all()
    assert (table.filter(group="north")["accuracy_low"] > 0.75).all()
    assert (table.filter(group="east")["coverage"] < 0.3).all()


def test_it_goes_into_json() -> None:
    made = world(5, 400)
    found = group_audit(made["probs"], gold_of(made["y"], 200), groups=made["group"], labels=LABELS)
    assert json.loads(json.dumps(found.to_dict()))["sources"] == []
    assert found.to_polars() is found.metrics


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"groups": ["a"] * 4}, r"`groups` must name at least two groups; got \['a'\]"),
        ({"groups": ["a"]}, "`groups` must have one entry for each of the 4 predicted items"),
        ({"gold": ["ham", None, None, None]}, "at least two predicted items; got 1"),
        ({"votes": Votes.from_matrix([[0]], LABELS)}, "`votes` must be about the same 4 items"),
        ({"alpha": 0.0}, "must lie in"),
    ],
)
def test_what_is_refused(changed: dict, message: str) -> None:
    given = {"gold": ["ham", "spam"] * 2, "groups": ["a", "b"] * 2, **changed}
    with pytest.raises(InputError, match=message):
        group_audit(np.full((4, 2), 0.5), labels=LABELS, **given)
