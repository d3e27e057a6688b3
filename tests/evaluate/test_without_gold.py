"""Numbers without gold: right where their assumption holds, and never without its name."""

import numpy as np
import pytest

from partlabel.errors import InputError
from partlabel.evaluate import (
    Basis,
    Estimate,
    Verdict,
    covering_metrics,
    expected_metrics,
    joint_beliefs,
    positive_metrics,
)
from partlabel.evidence import Candidates
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ant", "bee", "cow"])
N = 20_000


def world(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A model, right beliefs from four votes that err apart from it, and the true classes."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(3, p=[0.5, 0.3, 0.2], size=N)
    logits = 2.0 * np.eye(3)[codes] + rng.normal(size=(N, 3))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    log_beliefs = np.tile(np.log([0.5, 0.3, 0.2]), (N, 1))
    for _ in range(4):
        said = np.where(rng.random(N) < 0.6, codes, (codes + rng.integers(1, 3, N)) % 3)
        log_beliefs += np.log(np.where(np.eye(3)[said] == 1, 0.6, 0.2))
    beliefs = np.exp(log_beliefs)
    return probs, beliefs / beliefs.sum(axis=1, keepdims=True), codes


def test_right_beliefs_from_votes_alone_are_biased_and_joint_ones_are_not() -> None:
    """What the model says of an item tells of its label too."""
    probs, beliefs, codes = world()
    truth = float((probs.argmax(axis=1) == codes).mean())
    calibrated = abs(beliefs.max(axis=1).mean() - (beliefs.argmax(axis=1) == codes).mean())
    assert calibrated < 0.01
    alone = expected_metrics(probs, beliefs, joint=False, labels=LABELS)["accuracy"].value
    both = expected_metrics(probs, beliefs, labels=LABELS)["accuracy"].value
    assert alone < truth - 0.05
    assert both == pytest.approx(truth, abs=0.02)


def test_joint_beliefs_are_the_posterior_of_the_channel_they_end_with() -> None:
    """EM's fixed point, worked out by loops; and its likelihood doesn't fall."""
    probs, beliefs, _ = world()
    joint = joint_beliefs(probs, beliefs, labels=LABELS, bins=1, tol=1e-10, max_iter=500).probs
    guess = probs.argmax(axis=1)
    channel = np.array(
        [[joint[guess == s, y].sum() / joint[:, y].sum() for s in range(3)] for y in range(3)]
    )
    for i in range(20):
        q = beliefs[i] * channel[:, guess[i]]
        assert joint[i] == pytest.approx(q / q.sum(), abs=1e-6)


def test_every_number_names_its_assumption_and_verdict() -> None:
    probs, beliefs, codes = world()
    found = expected_metrics(probs, beliefs, labels=LABELS)
    for one in found.estimates.values():
        assert one.basis is Basis.ASSUMPTION
        assert one.assumption
        assert one.verdict is Verdict.UNVERIFIED
    assert found.to_polars()["verdict"].to_list() == ["unverified"] * len(found.estimates)
    gold = np.full(N, None)
    gold[:400] = np.array(LABELS.classes)[codes[:400]]
    wrong = expected_metrics(probs, beliefs[:, [2, 0, 1]], gold=gold, labels=LABELS)
    assert wrong["accuracy"].verdict is Verdict.CONTRADICTED
    with pytest.raises(InputError, match="`assumption` and `verdict` must be given"):
        Estimate(0.5, 0.4, 0.6, 10, basis=Basis.ASSUMPTION)


def test_corrected_accuracy_is_that_of_gold_and_covering_rate_lies_above() -> None:
    """Sets with each wrong class by the same chance."""
    probs, _, codes = world()
    mask = np.random.default_rng(1).random((N, 3)) < 0.3
    mask[np.arange(N), codes] = True
    sets = Candidates.from_mask(mask, LABELS)
    truth = float((probs.argmax(axis=1) == codes).mean())
    told = ~mask.all(axis=1)
    # of sets that aren't all classes, a wrong class is in f = (.3 * .7) / (1 - .09)
    found = covering_metrics(probs, sets)
    rate = found["corrected_accuracy"]
    there = float((probs.argmax(axis=1) == codes)[told].mean())
    assert rate.low <= there <= rate.high
    assert found["covering_rate"].value > there
    assert found["covering_rate"].value == pytest.approx(
        mask[np.arange(N), probs.argmax(1)][told].mean()
    )
    assert truth == pytest.approx(there, abs=0.02)
    exact = Candidates.from_labels(LABELS.decode(codes), LABELS)
    for one in covering_metrics(probs, exact).values():
        assert one.value == pytest.approx(truth)


def test_gold_judges_what_sets_assume() -> None:
    """Sets with wrong classes by chance, sets of look-alikes, and sets without the true class."""
    probs, _, codes = world()
    rng = np.random.default_rng(1)
    gold = np.full(N, None)
    gold[:300] = np.array(LABELS.classes)[codes[:300]]
    truth = np.eye(3, dtype=bool)[codes]
    blind = (rng.random((N, 3)) < 0.3) | truth
    alike = truth.copy()
    alike[np.arange(N), probs.argmax(axis=1)] = True  # whatever the model says is possible
    lost = truth.copy()
    lost[:5] = ~lost[:5]

    def verdict(mask: np.ndarray, name: str, known: np.ndarray | None = gold) -> Verdict | None:
        sets = Candidates.from_mask(mask, LABELS)
        return covering_metrics(probs, sets, gold=known)[name].verdict

    right, wrong = Verdict.UNCONTRADICTED, Verdict.CONTRADICTED
    assert verdict(blind, "corrected_accuracy") is right
    assert verdict(alike, "corrected_accuracy") is wrong
    assert verdict(alike, "approximated_accuracy") is wrong
    assert (verdict(alike, "covering_rate"), verdict(lost, "covering_rate")) == (right, wrong)
    for known in (None, np.full(N, None)):
        for name in ("covering_rate", "approximated_accuracy", "corrected_accuracy"):
            assert verdict(blind, name, known) is Verdict.UNVERIFIED


def test_approximated_accuracy_agrees_with_a_loop() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    sets = [["ant", "bee"], ["ant", "cow"], ["ant"]]
    found = covering_metrics(probs, sets, labels=LABELS)["approximated_accuracy"]
    assert found.value == pytest.approx((0.5 / 0.8 + 0.0 + 1.0) / 3)


def test_positives_alone_tell_what_gold_would() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(N) < 0.4
    score = 1 / (1 + np.exp(-(2.0 * y - 1.0 + rng.normal(size=N))))
    known = y & (rng.random(N) < 0.3)
    found = positive_metrics(score, known, float(y.mean()))
    called = score >= 0.5
    hits = (called & y).sum()
    truth = {
        "recall": hits / y.sum(),
        "precision": hits / called.sum(),
        "f1": 2 * hits / (y.sum() + called.sum()),
        "accuracy": (called == y).mean(),
        "auc": (score[y][:, None] > score[~y][:2000]).mean(),
    }
    for name, value in truth.items():
        assert found[name].value == pytest.approx(value, abs=0.02)
        assert found[name].verdict is Verdict.UNVERIFIED


@pytest.mark.parametrize(
    ("marked_by_score", "off", "expected"),
    [
        (False, 0.0, dict.fromkeys(("recall", "precision", "accuracy", "auc"), "uncontradicted")),
        (False, 0.2, {"recall": "uncontradicted", "precision": "contradicted"}),
        (True, 0.0, {"recall": "contradicted", "f1": "contradicted", "auc": "contradicted"}),
    ],
)
def test_gold_judges_what_positives_alone_assume(
    marked_by_score: bool, off: float, expected: dict[str, str]
) -> None:
    rng = np.random.default_rng(0)
    y = rng.random(4000) < 0.4
    score = 1 / (1 + np.exp(-(2.0 * y - 1.0 + rng.normal(size=4000))))
    known = y & (rng.random(4000) < (0.6 * score**2 if marked_by_score else 0.3))
    gold = [bool(k) if row < 600 else None for row, k in enumerate(y)]
    found = positive_metrics(score, known, 0.4 + off, gold=gold)
    plain = positive_metrics(score, known, 0.4 + off)
    assert {name: found[name].verdict for name in expected} == {
        name: Verdict[verdict.upper()] for name, verdict in expected.items()
    }
    assert all(found[name].value == plain[name].value for name in found)


def test_gold_of_marked_rows_alone_judges_nothing() -> None:
    found = positive_metrics([0.9, 0.8, 0.2], [True, False, False], 0.5, gold=[True, None, None])
    assert {one.verdict for one in found.values()} == {Verdict.UNVERIFIED}


def test_refusals() -> None:
    probs, beliefs, _ = world()
    with pytest.raises(InputError, match="`bins` must be at least 1; got 0"):
        joint_beliefs(probs, beliefs, labels=LABELS, bins=0)
    with pytest.raises(InputError, match=r"`false_rate` must lie in \[0, 1\); got 1"):
        covering_metrics(probs[:1], [["ant"]], labels=LABELS, false_rate=1)
    with pytest.raises(InputError, match="must rule out a class"):
        covering_metrics(probs[:1], [None], labels=LABELS)
    with pytest.raises(InputError, match=r"`prior` must lie in \(0, 1\); got 0"):
        positive_metrics([0.1, 0.2], [True, False], 0)
    with pytest.raises(InputError, match="must mark some items, but not all; got 0 of 2"):
        positive_metrics([0.1, 0.2], [False, False], 0.5)
    with pytest.raises(InputError, match="must have one entry for each score"):
        positive_metrics([0.1, 0.2], [False], 0.5)
    with pytest.raises(InputError, match="`gold` must have one entry for each of the 2 scores"):
        positive_metrics([0.1, 0.2], [True, False], 0.5, gold=[None])
    with pytest.raises(InputError, match="gold says that row 0 isn't one"):
        positive_metrics([0.1, 0.2], [True, False], 0.5, gold=[False, None])


def test_intervals_of_shares_stay_within_their_range() -> None:
    probs, beliefs, _ = world()
    few = expected_metrics(probs[:30], beliefs[:30], labels=LABELS)
    for name in ("accuracy", "auc", "average_precision", "ece"):
        assert 0.0 <= few[name].low <= few[name].value <= few[name].high <= 1.0
    assert few["log_loss"].high > few["log_loss"].value
