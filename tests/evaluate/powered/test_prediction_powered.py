"""Prediction-powered estimates: the textbook's, and right whatever the beliefs are worth."""

import numpy as np
import pytest

from partlabel.errors import InputError
from partlabel.evaluate import Basis, Evaluation, Verdict, audit, audit_probability, evaluate
from partlabel.evaluate.intervals import clopper_pearson
from partlabel.evaluate.powered.contradiction import holm
from partlabel.evaluate.powered.influence_functions import influences
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.prediction_powered import Design, powered
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ant", "bee", "cow"])
N = 4000


def world(seed: int = 0, n: int = N) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a model predicts, right beliefs, and the classes drawn from them."""
    rng = np.random.default_rng(seed)
    beliefs = rng.dirichlet(np.full(3, 0.1), n)
    codes = (beliefs.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 2)
    probs = 0.5 * rng.dirichlet(np.ones(3), n) + 0.5 * beliefs
    return probs, beliefs, codes


def some(codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Class names of some rows, None elsewhere."""
    gold = np.full(len(codes), None)
    gold[rows] = np.array(LABELS.classes)[codes[rows]]
    return gold


def rows_drawn(n_gold: int, seed: int = 1, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).choice(n, n_gold, replace=False)


def prevalence(beliefs: np.ndarray, gold: np.ndarray, power: float | None) -> np.ndarray:
    population = Population.match(beliefs, gold, beliefs=beliefs, labels=LABELS)
    found = influences(population)
    return powered(population, found, power).value[found.columns["prevalence"]]


@pytest.mark.parametrize("power", [0.0, 0.4, 1.0])
def test_means_are_those_of_the_textbook(power: float) -> None:
    """Mean of gold, plus power times (mean belief of all less that of the gold rows)."""
    _, beliefs, codes = world()
    rows = rows_drawn(150)
    known = np.eye(3)[codes[rows]]
    expected = known.mean(0) + power * (beliefs.mean(0) - beliefs[rows].mean(0))
    assert prevalence(beliefs, some(codes, rows), power) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_means_agree_with_ppi_python(power: float) -> None:
    """Its beliefs of unlabelled rows leave gold rows out, which scales the power."""
    ppi = pytest.importorskip(
        "ppi_py", reason="needs ppi-python as an oracle", exc_type=ImportError
    )
    _, beliefs, codes = world()
    rows = rows_drawn(400)
    rest = np.setdiff1d(np.arange(N), rows)
    theirs = ppi.ppi_mean_pointestimate(
        np.eye(3)[codes[rows]], beliefs[rows], beliefs[rest], lam=power * len(rest) / N
    )
    ours = prevalence(beliefs, some(codes, rows), power)
    assert ours == pytest.approx(theirs.ravel(), abs=1e-8)


def test_best_power_is_the_slope_that_minimises_the_variance() -> None:
    """No other power gives a smaller standard error, where gold is enough to fit one on all."""
    _, beliefs, codes = world()
    population = Population.match(
        beliefs, some(codes, rows_drawn(400)), beliefs=beliefs, labels=LABELS
    )
    found = influences(population)
    best = powered(population, found).error
    for power in np.linspace(0, 1.5, 16):
        same = np.delete(
            best <= powered(population, found, power).error + 1e-12, found.columns["gap"]
        )
        assert same.all()


def test_all_items_with_gold_leave_beliefs_nothing_to_say() -> None:
    probs, beliefs, codes = world(n=500)
    gold = LABELS.decode(codes)
    with_beliefs = evaluate(probs, gold, beliefs=beliefs, labels=LABELS)
    alone = evaluate(probs, gold, labels=LABELS, n_bootstrap=10)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier"):
        assert with_beliefs[name].value == pytest.approx(alone[name].value, abs=2e-3)


def test_right_beliefs_narrow_the_intervals_and_useless_ones_cost_little() -> None:
    probs, beliefs, codes = world()
    gold = some(codes, rows_drawn(200))
    useless = np.random.default_rng(9).dirichlet(np.ones(3), N)
    right = evaluate(probs, gold, beliefs=beliefs, labels=LABELS)
    bad = evaluate(probs, gold, beliefs=useless, labels=LABELS)
    alone = evaluate(probs, gold, beliefs=np.full((N, 3), 1 / 3), labels=LABELS)
    for name in ("accuracy", "macro_f1"):
        width = [x[name].high - x[name].low for x in (right, bad, alone)]
        assert width[0] < 0.9 * width[2]
        assert width[1] < 1.05 * width[2]


def test_freedom_is_that_of_the_sum_of_squares() -> None:
    """Normal rows have theirs; where one row of 100 makes up the sum, it tells next to nothing."""
    rng = np.random.default_rng(0)
    design = Design(np.full(100, 0.01), np.zeros(100, dtype=np.intp), 1, np.full(100, 1e-4))
    normal = rng.normal(size=(100, 400))
    assert np.median(design.freedom(normal)) == pytest.approx(99, rel=0.1)
    rare = np.zeros((100, 1))
    rare[3] = 1.0
    assert design.freedom(rare) == pytest.approx([2.0], rel=0.02)
    skewed = rng.exponential(size=(100, 4000)) - 1.0
    total = (skewed**2).sum(axis=0)
    assert 2.0 * total.mean() ** 2 / total.var() < design.freedom(skewed).mean() < 60


@pytest.mark.parametrize("known", [False, True], ids=["apart", "known"])
def test_beliefs_take_the_model_in_where_gold_follows_that(known: bool) -> None:
    """Votes that err apart from the model gain by it; beliefs that know it already lose."""
    rng = np.random.default_rng(0)
    probs, beliefs, codes = world()
    if not known:
        said = np.where(rng.random(N) < 0.7, codes, rng.integers(3, size=N))
        probs = 0.7 * np.eye(3)[said] + 0.1
    gold = some(codes, rows_drawn(200))
    given = {"beliefs": beliefs, "labels": LABELS}
    width = {}
    for joint in (None, False, True):
        found = evaluate(probs, gold, joint=joint, **given)
        width[joint] = found["accuracy"].high - found["accuracy"].low
    assert width[None] == min(width.values())
    assert width[None] == width[not known]


def test_order_of_classes_changes_nothing() -> None:
    probs, beliefs, codes = world(n=1000)
    gold = some(codes, rows_drawn(120, n=1000))
    order = [2, 0, 1]
    moved = LabelSpace([LABELS.classes[k] for k in order])
    one = evaluate(probs, gold, beliefs=beliefs, labels=LABELS)
    two = evaluate(probs[:, order], gold, beliefs=beliefs[:, order], labels=moved)
    for name in one.estimates:
        assert two[name].value == pytest.approx(one[name].value, abs=1e-9)
        assert two[name].low == pytest.approx(one[name].low, abs=1e-9)


def test_one_stratum_is_no_stratum() -> None:
    probs, beliefs, codes = world(n=1000)
    gold = some(codes, rows_drawn(120, n=1000))
    plain = evaluate(probs, gold, beliefs=beliefs, labels=LABELS)
    one = evaluate(probs, gold, beliefs=beliefs, labels=LABELS, strata=["all"] * 1000)
    even = evaluate(
        probs, gold, beliefs=beliefs, labels=LABELS, gold_probability=np.full(1000, 0.12)
    )
    for name in plain.estimates:
        assert str(plain[name]) == str(one[name])
    assert plain["macro_f1"].low == pytest.approx(even["macro_f1"].low)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["random", "strata", "probability"])
def test_intervals_cover_the_truth(design: str) -> None:
    """Of 200 intervals at 95 %, more than 90 % hold the value on all items; beliefs are off."""
    rng = np.random.default_rng(3)
    probs, beliefs, codes = world(4, 6000)
    beliefs = beliefs**0.5 / (beliefs**0.5).sum(axis=1, keepdims=True)  # not sure enough
    truth = evaluate(probs, LABELS.decode(codes), labels=LABELS, n_bootstrap=1)
    strata = probs.argmax(axis=1)
    probability = audit_probability(beliefs, 200)
    names, held = ("accuracy", "macro_f1", "log_loss"), []
    for _ in range(200):
        rows, how = rng.choice(6000, 200, replace=False), {}
        if design == "strata":
            parts = [rng.permutation(np.flatnonzero(strata == s)) for s in range(3)]
            rows, how = np.concatenate([x[:70] for x in parts]), {"strata": strata}
        elif design == "probability":
            rows = np.flatnonzero(rng.random(6000) < probability)
            how = {"gold_probability": probability}
        found = evaluate(probs, some(codes, rows), beliefs=beliefs, labels=LABELS, **how)
        held.append([found[k].low <= truth[k].value <= found[k].high for k in names])
    assert (np.mean(held, axis=0) > 0.9).all()


def test_basis_tables_and_details() -> None:
    probs, beliefs, codes = world(n=1000)
    gold = some(codes, rows_drawn(150, n=1000))
    groups = np.where(np.arange(1000) < 700, "old", "new")
    found = evaluate(probs, gold, beliefs=beliefs, labels=LABELS, groups=groups)
    assert {one.basis for one in found.estimates.values()} == {Basis.GOLD_AND_MODEL}
    assert {"auc", "average_precision", "macro_precision", "ece"} < set(found.estimates)
    assert found.by_class().height == 18
    assert set(found.by_group()["group"]) == {"old", "new"}
    assert len(found.details.gaps) == 15
    for one in found.estimates.values():
        assert one.low <= one.value <= one.high


def test_gold_contradicts_wrong_beliefs_and_not_right_ones() -> None:
    probs, beliefs, codes = world()
    gold = some(codes, rows_drawn(300))
    right = audit(probs, gold, beliefs=beliefs, labels=LABELS)
    wrong = audit(probs, gold, beliefs=beliefs[:, [1, 2, 0]], labels=LABELS)
    assert right.verdict is Verdict.UNCONTRADICTED
    assert wrong.verdict is Verdict.CONTRADICTED
    assert wrong.of("accuracy") is Verdict.CONTRADICTED
    assert audit(probs, None, beliefs=beliefs, labels=LABELS).verdict is Verdict.UNVERIFIED
    assert wrong.to_polars()["verdict"][0] == "contradicted"


@pytest.mark.slow
def test_right_beliefs_are_seldom_called_contradicted() -> None:
    alarms = []
    for seed in range(200):
        probs, beliefs, codes = world(seed, 1500)
        found = audit(
            probs, some(codes, rows_drawn(200, seed, 1500)), beliefs=beliefs, labels=LABELS
        )
        alarms.append(found.verdict is Verdict.CONTRADICTED)
    assert np.mean(alarms) < 0.1


def test_holm_agrees_with_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="needs its oracle")
    p = np.random.default_rng(0).random(12) ** 3
    assert holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1])


def test_probabilities_add_up_and_none_is_above_one() -> None:
    rng = np.random.default_rng(0)
    for n_gold in (1, 50, 400, 900, 1000):
        p = audit_probability(rng.dirichlet(np.full(3, 0.1), 1000), n_gold)
        assert p.sum() == pytest.approx(n_gold, rel=1e-6)
        assert ((p > 0) & (p <= 1)).all()


def test_refusals() -> None:
    probs, beliefs, codes = world(n=50)
    gold = some(codes, np.arange(20))
    with pytest.raises(InputError, match=r"`beliefs` must have one row for each of the 50"):
        evaluate(probs, gold, beliefs=beliefs[:40], labels=LABELS)
    with pytest.raises(InputError, match="two ways to say how gold was drawn"):
        evaluate(probs, gold, beliefs=beliefs, labels=LABELS, strata=codes, gold_probability=codes)
    with pytest.raises(InputError, match=r"must lie in \(0, 1\] where an item has gold.*rows 0, 1"):
        evaluate(probs, gold, beliefs=beliefs, labels=LABELS, gold_probability=np.zeros(50))
    with pytest.raises(InputError, match=r"`gold_probability` must have one entry for each"):
        evaluate(probs, gold, beliefs=beliefs, labels=LABELS, gold_probability=np.ones(3))
    with pytest.raises(InputError, match="at least two predicted items"):
        evaluate(probs, some(codes, np.arange(1)), beliefs=beliefs, labels=LABELS)
    with pytest.raises(InputError, match=r"`groups` must have one entry"):
        evaluate(probs, gold, beliefs=beliefs, labels=LABELS, groups=["a"])
    with pytest.raises(InputError, match=r"`n_gold` must lie in \[1, 50\]"):
        audit_probability(beliefs, 51)
    with pytest.raises(InputError, match=r"`uniform` must lie in \[0.2, 1\]"):
        audit_probability(beliefs, 5, uniform=0.1)
    with pytest.raises(InputError, match="`metric` must be one of accuracy"):
        audit(probs, gold, beliefs=beliefs, labels=LABELS).of("f1")


def rare(n_rare: int) -> Evaluation:
    """200 gold rows of 2000, all right, of which so few are of the second class."""
    codes = (np.arange(2000) < 10 * n_rare).astype(int)
    probs = np.where(codes[:, None] == np.arange(2), 0.9, 0.1)
    gold = np.full(2000, None)
    gold[::10] = np.array(["ham", "spam"])[codes[::10]]
    flat = np.full((2000, 2), 0.5)
    return evaluate(probs, gold, beliefs=flat, labels=LabelSpace(["ham", "spam"]))


def test_rows_without_a_mistake_leave_room_for_one() -> None:
    """No end is surer than the exact one of as many rows, up to a little."""
    for n_rare in (3, 20):
        found = rare(n_rare)
        low, _ = clopper_pearson(200, 200)
        assert found["accuracy"].low == pytest.approx(float(low))
        assert found["accuracy"].high == 1.0
        for name in ("class_precision", "class_recall"):
            for one, n in zip(found.details.of_class[name], (200 - n_rare, n_rare), strict=True):
                assert 0.2 < one.low < clopper_pearson(n, n)[0] + 0.15
                assert one.high == 1.0


def test_few_gold_rows_of_a_class_are_said_beside_its_numbers() -> None:
    note = "few gold rows of spam: the interval may be too short"
    few = rare(3)
    assert few["macro_f1"].note == note
    assert few["accuracy"].note == ""
    assert [one.note for one in few.details.of_class["class_recall"]] == ["", note]
    assert note in str(few["auc"])
    assert {"", note} <= set(few.to_polars()["note"])
    assert {one.note for k, one in rare(20).estimates.items() if k != "ece"} == {""}


def test_a_model_of_two_confidences_has_a_doubtful_calibration_error() -> None:
    assert rare(20)["ece"].note == "few different confidences: the interval may be too short"
    probs, beliefs, codes = world()
    found = evaluate(probs, some(codes, rows_drawn(200)), beliefs=beliefs, labels=LABELS)
    assert found["ece"].note == ""
    assert "note" not in found.to_polars().columns


def test_no_interval_is_wider_than_that_of_gold_alone() -> None:
    probs, beliefs, codes = world()
    gold = some(codes, rows_drawn(100))
    population = Population.match(probs, gold, beliefs=beliefs, labels=LABELS)
    found = influences(population)
    both, alone = (powered(population, found, power).reach(0.95) for power in (None, 0.0))
    ranks_and_rates = np.delete(both / alone, found.columns["gap"])
    assert (ranks_and_rates <= 1.0 + 1e-9).all()
