"""Labels that are missing by class or feature: which estimates survive which wrong model."""

import json

import numpy as np
import pytest
from scipy.special import expit
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from partlabel.errors import InputError
from partlabel.evaluate import Basis, Verdict, missingness
from partlabel.evaluate.audits.doubly_robust import Incomplete, em_prevalence
from partlabel.evaluate.audits.propensity import cross_fitted, labelling_odds, logistic
from partlabel.evaluate.powered.influence_functions import influences
from partlabel.evaluate.powered.prediction_powered import powered
from partlabel.evidence import Candidates, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["often", "rarely"])
LABELLED = np.array([0.30, 0.08])


class Distorted(LogisticRegression):
    """Twice as sure as it should be, and shifted."""

    def predict_proba(self, X):
        p = expit(2.0 * self.decision_function(X) + 1.0)
        return np.column_stack([1.0 - p, p])


class Unrelated(DummyClassifier):
    """Believes that being labelled follows a feature that doesn't matter to it."""

    def predict_proba(self, X):
        p = expit(0.8 * np.asarray(X)[:, 0] - 1.0)
        return np.column_stack([1.0 - p, p])


def world(seed: int, n: int = 10_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    X = rng.normal(size=(n, 2)) + np.array([1.0, 1.2]) * y[:, None]
    return X, y, rng.random(n) < LABELLED[y]


def names(y: np.ndarray, where: np.ndarray) -> list[str | None]:
    return np.where(where, np.array(LABELS.classes)[y], None).tolist()


def incomplete(seed: int, outcome=None, propensity=None, n: int = 10_000) -> Incomplete:
    X, y, seen = world(seed, n)
    rng = np.random.default_rng([seed, 1])
    codes = np.where(seen, y, -1)
    score = cross_fitted(outcome or logistic(), X, codes, 2)
    drawn = np.zeros(n, dtype=bool)
    drawn[rng.choice(np.flatnonzero(~seen), 300, replace=False)] = True
    audit = np.where(drawn, y, -1)
    items = Incomplete(score, score, codes, np.ones(n), True, audit, np.ones(n), LABELS)
    tilt = items.tilt()[np.maximum(codes, 0)]
    model = propensity or DummyClassifier(strategy="prior")
    odds = labelling_odds(model, X, seen, tilt=tilt)
    return Incomplete(score, score, codes, odds, True, audit, np.ones(n), LABELS)


def prevalence(items: Incomplete, design, power: float | None) -> float:
    population = design(items)
    found = influences(population)
    return float(powered(population, found, power).value[found.columns["prevalence"]][1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outcome", "propensity"),
    [(None, None), (Distorted(), None), (None, Unrelated())],
    ids=["both right", "outcome wrong", "propensity wrong"],
)
def test_one_right_model_is_enough(outcome, propensity) -> None:
    found = [incomplete(seed, outcome, propensity) for seed in range(24)]
    naive = np.mean([prevalence(one, Incomplete.naive, 0.0) for one in found]) - 0.5
    robust = np.mean([prevalence(one, Incomplete.doubly_robust, 1.0) for one in found]) - 0.5
    audited = np.mean([prevalence(one, Incomplete.audited, None) for one in found]) - 0.5
    assert naive < -0.2
    assert abs(robust) < 0.01
    assert abs(audited) < 0.01


def test_em_is_confidently_wrong_where_the_model_of_the_class_is() -> None:
    value, error = em_prevalence(incomplete(0, Distorted()))
    assert abs(value[1] - 0.5) > 5 * error[1]


def test_prevalence_is_the_formula_of_the_module() -> None:
    items = incomplete(3, n=3000)
    here = items.labelled
    tilt = items.tilt()
    believed = items.outcome * tilt
    believed = believed[:, 1] / believed.sum(axis=1)
    odds = (items.odds * tilt[np.maximum(items.codes, 0)])[here]
    share = odds / odds.sum() * (~here).sum()
    known = (items.codes[here] == 1).astype(float)
    total = known.sum() + believed[~here].sum() + share @ (known - believed[here])
    by_hand = total / len(items)
    assert prevalence(items, Incomplete.doubly_robust, 1.0) == pytest.approx(by_hand, abs=1e-9)
    by_weights = (known.sum() + share @ known) / len(items)
    assert prevalence(items, Incomplete.weighted, 1.0) == pytest.approx(by_weights, abs=1e-9)


def test_an_audit_of_everything_leaves_open_what_more_items_would_show() -> None:
    X, y, seen = world(0, 1500)
    found = missingness(X, names(y, seen), labels=LABELS, audit=names(y, ~seen))
    one = found.estimates["audited"].of_class["prevalence"][1]
    assert one.value == pytest.approx(y.mean())
    error = np.sqrt(y.mean() * (1 - y.mean()) / 1500)
    assert (one.high - one.low) / 2 == pytest.approx(1.96 * error, rel=0.01)


@pytest.fixture(scope="module")
def audited():
    X, y, seen = world(5, 4000)
    drawn = np.random.default_rng(0).random(4000) < 0.08
    votes = Votes.from_matrix(np.where(seen[:, None], y[:, None], -1), LABELS, sources=["one"])
    return missingness(
        X,
        names(y, seen),
        labels=LABELS,
        depends_on="class",
        predicted=np.full((4000, 2), 0.5) + 0.3 * np.tanh(X[:, :1]) * [-1, 1],
        groups=y,
        votes=votes,
        audit=names(y, drawn),
    )


def test_the_audit_contradicts_the_naive_number_and_not_the_robust_one(audited) -> None:
    verdict = {k: m.of_class["prevalence"][1].verdict for k, m in audited.estimates.items()}
    assert verdict["naive"] is Verdict.CONTRADICTED
    assert verdict["aipw"] is Verdict.UNCONTRADICTED
    assert verdict["audited"] is None
    assert audited.best == "audited"
    assert audited.estimates["audited"].headline["accuracy"].basis is Basis.GOLD_AND_MODEL
    assert audited.estimates["aipw"].headline["accuracy"].basis is Basis.ASSUMPTION


def test_the_shares_labelled_of_the_classes_are_found(audited) -> None:
    table = audited.class_propensity().filter(estimator="audited")
    for (low, high), expected in zip(table["low", "high"].rows(), LABELLED, strict=True):
        assert low - 0.02 < expected < high + 0.02


def test_what_labelling_is_related_to_is_named(audited) -> None:
    assert audited.relations["what"].to_list() == [
        "features",
        "groups",
        "votes",
        "predicted class",
    ]
    assert (audited.relations["p_value"] < 0.05).all()
    assert "related to features, groups, votes, predicted class" in audited.sentence


def test_tables_are_tidy_and_go_into_json(audited) -> None:
    table = audited.to_polars()
    assert set(table["estimator"]) == {"naive", "ipw", "aipw", "em", "audited"}
    assert not table.select("estimator", "metric", "class").is_duplicated().any()
    assert json.loads(json.dumps(audited.to_dict()))["n_items"] == 4000


def test_without_an_audit_all_is_unverified() -> None:
    X, y, seen = world(1, 2000)
    found = missingness(X, Candidates.from_labels(names(y, seen), LABELS))
    assert {one.verdict for m in found.estimates.values() for one in m.headline.values()} == {
        Verdict.UNVERIFIED
    }
    assert "nothing vouches for this" in found.sentence


def test_weights_bring_the_classes_back() -> None:
    X, y, seen = world(2, 4000)
    found = missingness(X, names(y, seen), labels=LABELS, depends_on="class")
    assert np.average(y, weights=found.weights.sample_weight) == pytest.approx(0.5, abs=0.06)
    assert found.weights.effective_size < seen.sum()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gold": ["often"] * 40 + [None] * 20}, r"at least two classes 5 times each.*\[40, 0\]"),
        ({"gold": ["often", "rarely"] * 30}, "leave at least 5 items without a class; got 0"),
        ({"depends_on": "votes"}, "`depends_on` must be 'features' or 'class'; got 'votes'"),
        ({"audit": ["often"] * 3}, "`audit` must have one entry for each of the 60 items; got 3"),
        ({"audit": ["often"] * 43 + [None] * 17}, "at least 5 unlabelled items; got 3"),
        ({"predicted": [[0.5, 0.5]]}, "`predicted` must have one row for each of the 60 items"),
        ({"audit_probability": [0.5]}, "`audit_probability` must have one entry"),
        ({"audit_probability": [2.0] + [1.0] * 59}, r"must lie in \(0, 1\]; .* row 0"),
        ({"votes": Votes.from_matrix([[0]], LABELS)}, "`votes` must be about the same 60 items"),
        ({"level": 1.0}, "`level` must lie"),
    ],
)
def test_what_is_refused(changed: dict, message: str) -> None:
    gold = ["often", "rarely"] * 20 + [None] * 20
    given = {"gold": gold, "labels": LABELS, **changed}
    with pytest.raises(InputError, match=message):
        missingness(np.arange(60.0)[:, None], **given)


def test_labels_are_needed_where_gold_does_not_carry_them() -> None:
    with pytest.raises(TypeError, match="`labels` must be given"):
        missingness(np.zeros((3, 1)), ["often", None, None])
