"""Comparing models, and planning gold."""

import numpy as np
import pytest

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate import Basis, compare, evaluate, plan_gold
from partlabel.evidence import Candidates
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])
N = 3000


def world(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two models, one a noisier copy of the other; right beliefs, gold of 150 items."""
    rng = np.random.default_rng(seed)
    spam = rng.beta(0.2, 0.2, N)
    codes = (rng.random(N) < spam).astype(int)
    good = np.clip(spam + 0.1 * rng.normal(size=N), 0.01, 0.99)
    poor = np.clip(good + 0.5 * rng.normal(size=N), 0.01, 0.99)
    gold = np.full(N, None)
    rows = rng.choice(N, 150, replace=False)
    gold[rows] = np.array(LABELS.classes)[codes[rows]]
    both = [np.column_stack([1 - p, p]) for p in (good, poor, spam)]
    return both[0], both[1], both[2], gold


def test_difference_is_that_of_the_values_and_narrower() -> None:
    good, poor, beliefs, gold = world()
    found = compare(good, poor, gold, beliefs=beliefs, labels=LABELS)
    a, b = (evaluate(x, gold, beliefs=beliefs, labels=LABELS) for x in (good, poor))
    one = found["other", "accuracy"]
    assert one.basis is Basis.GOLD_AND_MODEL
    assert one.value == pytest.approx(a["accuracy"].value - b["accuracy"].value, abs=0.03)
    assert one.low > 0
    assert one.low <= one.value <= one.high


def test_without_beliefs_it_is_the_paired_difference_on_gold() -> None:
    good, poor, _, gold = world()
    found = compare(good, poor, gold, labels=LABELS)["other", "accuracy"]
    rows = [i for i, name in enumerate(gold) if name is not None]
    codes = LABELS.encode([gold[i] for i in rows])
    hits = [(x[rows].argmax(axis=1) == codes).astype(float) for x in (good, poor)]
    gap = hits[0] - hits[1]
    assert found.value == pytest.approx(gap.mean())
    assert found.basis is Basis.GOLD
    assert (found.high - found.low) / 2 == pytest.approx(
        1.976 * gap.std(ddof=1) / np.sqrt(150), rel=0.03
    )


def test_a_model_doesnt_differ_from_itself_and_more_others_raise_p() -> None:
    good, poor, beliefs, gold = world()
    same = compare(good, good, gold, beliefs=beliefs, labels=LABELS)
    assert same["other", "auc"].value == 0
    assert same.p_value["other", "auc"] == 1
    one = compare(good, poor, gold, beliefs=beliefs, labels=LABELS)
    many = compare(good, {"a": poor, "b": good, "c": good}, gold, beliefs=beliefs, labels=LABELS)
    assert many.p_value["a", "accuracy"] == pytest.approx(3 * one.p_value["other", "accuracy"])
    assert many.to_polars().height == 3 * 8


def test_plan_says_what_was_measured_and_more_rows_narrow() -> None:
    good, _, beliefs, gold = world()
    plan = plan_gold(good, gold, beliefs=beliefs, labels=LABELS)
    now = evaluate(good, gold, beliefs=beliefs, labels=LABELS)["accuracy"]
    assert plan.half_width("accuracy", 150) == pytest.approx((now.high - now.low) / 2, rel=0.06)
    aim = plan.half_width("accuracy", 150) * 0.7
    more = plan.more("accuracy", aim)
    assert more is not None
    assert plan.half_width("accuracy", 150 + more) <= aim
    assert plan.half_width("accuracy", 150 + more - 1) > aim
    assert plan.more("accuracy", 1e-9) is None
    table = plan.next_rows(100)
    assert (table["with_100_more"] < table["half_width"]).all()


def test_refusals() -> None:
    good, poor, _, gold = world()
    with pytest.raises(InputError, match="`others` must hold at least one model"):
        compare(good, {}, gold, labels=LABELS)
    known = Candidates.from_labels(gold, LABELS, items=np.arange(N))
    fewer = Beliefs(poor[1:], LABELS, np.arange(1, N))
    with pytest.raises(InputError, match="must predict the items of `predicted`"):
        compare(Beliefs(good, LABELS, np.arange(N)), fewer, known)
    plan = plan_gold(good, gold, labels=LABELS)
    with pytest.raises(InputError, match="`half_width` must be above 0"):
        plan.more("accuracy", 0)
    with pytest.raises(InputError, match="`metric` must be one of accuracy"):
        plan.half_width("f1", 10)
    with pytest.raises(InputError, match=r"`n_gold` must lie in \[2, 3000\]; got 1"):
        plan.half_width("accuracy", 1)
    with pytest.raises(InputError, match="`key` must be"):
        compare(good, poor, gold, labels=LABELS)["b", "accuracy"]
