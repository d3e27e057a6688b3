"""Searches find the better settings, say on what basis, and don't flatter the winner."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from partlabel.errors import InputError
from partlabel.evaluate import Basis, PartialLabelSearchCV
from partlabel.evaluate.left_out_sources import without_sources
from partlabel.evaluate.standings import Standings
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace
from partlabel.learn import PartialLabelClassifier, SoftLogisticRegression

LABELS = LabelSpace(["a", "b", "c"])
N = 1200


class Oracle(ClassifierMixin, BaseEstimator):
    """Knows the class (first column), and errs on a share of rows (named by the second)."""

    def __init__(self, errs: float = 0.2, draw: int = 0) -> None:
        self.errs = errs
        self.draw = draw

    def fit(self, X: Any, y: Any) -> "Oracle":
        del X, y
        self.fitted_ = True
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        truth, row = X[:, 0].astype(int), X[:, 1].astype(int)
        wrong = np.random.default_rng(self.draw).random(row.max() + 1)[row] < self.errs
        probs = np.full((len(X), len(LABELS)), 0.1)
        probs[np.arange(len(X)), (truth + wrong) % len(LABELS)] = 0.8
        return probs


def world(seed: int = 0, n: int = N) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    truth = np.random.default_rng(seed).integers(len(LABELS), size=n)
    return np.column_stack([truth, np.arange(n)]).astype(float), truth


def votes_of(truth: NDArray[np.int64], seed: int = 0) -> Votes:
    rng = np.random.default_rng([seed, 1])
    shape = (len(truth), 5)
    wrong = (truth[:, None] + rng.integers(1, 3, shape)) % 3
    said = np.where(rng.random(shape) < 0.75, truth[:, None], wrong)
    said[rng.random(shape) < 0.3] = -1
    return Votes.from_matrix(said, LABELS, abstain=-1)


def gold_of(truth: NDArray[np.int64], n: int) -> Candidates:
    return Candidates.from_labels(
        np.where(np.arange(len(truth)) < n, truth, -1), LABELS, missing=-1
    )


def sets_of(truth: NDArray[np.int64]) -> Candidates:
    mask = np.random.default_rng(2).random((len(truth), 3)) < 0.4
    mask[np.arange(len(truth)), truth] = True
    return Candidates.from_mask(mask, LABELS)


X, TRUTH = world()
GRID = {"errs": [0.35, 0.1]}
EVIDENCE = {
    "gold+model": Evidence(votes=votes_of(TRUTH), gold=gold_of(TRUTH, 300)),
    "gold": Evidence(gold=gold_of(TRUTH, 300)),
    "candidates": Evidence(candidates=sets_of(TRUTH)),
    "votes": Evidence(votes=votes_of(TRUTH)),
    "votes and a little gold": Evidence(votes=votes_of(TRUTH), gold=gold_of(TRUTH, 12)),
}


@pytest.mark.parametrize(
    ("known", "basis", "metric"),
    [
        ("gold+model", Basis.GOLD_AND_MODEL, "accuracy"),
        ("gold", Basis.GOLD, "accuracy"),
        ("candidates", Basis.ASSUMPTION, "corrected_accuracy"),
        ("votes", Basis.ASSUMPTION, "log_likelihood"),
        ("votes and a little gold", Basis.ASSUMPTION, "log_likelihood"),
    ],
)
def test_the_better_of_two_settings_wins_on_the_best_basis(
    known: str, basis: Basis, metric: str
) -> None:
    search = PartialLabelSearchCV(Oracle(), GRID, cv=3).fit(X, EVIDENCE[known])
    assert search.best_params_ == {"errs": 0.1}
    assert (search.basis_, search.standings_.metric, search.sure_) == (basis, metric, True)
    assert set(search.results_["basis"]) == {basis.value}
    assert search.results_["chance_best"].to_list()[1] > 0.99
    assert search.predict_proba(X).shape == (N, 3)
    assert ("Unverified: right only if" in search.sentence_) == (basis is Basis.ASSUMPTION)
    if basis is not Basis.ASSUMPTION:
        estimate = search.standings_.estimates[1]
        assert estimate.low <= 0.9 <= estimate.high
    assert search.audit_ is not None
    first = next(iter(search.audit_.estimates.values()))
    few = known == "votes and a little gold"  # three rows of it are left for the audit
    assert first.basis == (Basis.GOLD if few else basis)


def test_left_out_sources_agree_more_with_the_better_setting() -> None:
    search = PartialLabelSearchCV(Oracle(), GRID, cv=3).fit(X, EVIDENCE["votes"])
    worse, better = search.results_["agreement"]
    # right with 0.9 and the vote with 0.75, or both wrong alike (0.1 * 0.25 / 2)
    assert better == pytest.approx(0.9 * 0.75 + 0.1 * 0.25 / 2, abs=0.03)
    assert worse == pytest.approx(0.65 * 0.75 + 0.35 * 0.25 / 2, abs=0.03)


def test_a_source_that_is_left_out_says_nothing() -> None:
    left_out = np.array([True, False, False, True, False])
    rest = without_sources(EVIDENCE["gold+model"], left_out)
    assert rest.votes is not None
    before = votes_of(TRUTH).to_polars()
    names = [name for name, gone in zip(votes_of(TRUTH).sources, left_out, strict=True) if not gone]
    assert rest.votes.to_polars().equals(before.filter(before["source"].is_in(names)))
    assert rest.gold is not None
    assert rest.gold.exact.sum() == 300


def test_the_audit_is_unbiased_where_the_selected_maximum_is_not() -> None:
    """Twenty candidates that are equally good: the one in front only looks better."""
    front, audited = [], []
    for seed in range(30):
        X, truth = world(seed, 240)
        grid = {"draw": list(range(1000 * seed, 1000 * seed + 20))}
        evidence = Evidence(gold=gold_of(truth, 240))
        search = PartialLabelSearchCV(
            Oracle(errs=0.3), grid, cv=2, audit=0.5, random_state=seed
        ).fit(X, evidence)
        front.append(search.standings_.estimates[search.best_index_].value)
        assert search.audit_ is not None
        audited.append(search.audit_["accuracy"].value)
    error = np.std(audited) / np.sqrt(len(audited))
    assert abs(np.mean(audited) - 0.7) < 3 * error
    assert np.mean(front) - 0.7 > 5 * error


def test_equals_are_hardly_ever_called_surely_better() -> None:
    sure = 0
    rng = np.random.default_rng(0)
    for _ in range(400):
        scores = (rng.random((300, 8)) < 0.7).astype(float)
        covariance = np.cov(scores, rowvar=False) / len(scores)
        sure += Standings(scores.mean(axis=0), covariance, 299.0, 300, "accuracy", Basis.GOLD).sure
    assert sure <= 0.05 * 400


def test_chances_to_be_best_are_those_of_rows_drawn_anew() -> None:
    rng = np.random.default_rng(1)
    scores = (rng.random((200, 3)) < [0.7, 0.72, 0.75]).astype(float)
    covariance = np.cov(scores, rowvar=False) / len(scores)
    found = Standings(scores.mean(axis=0), covariance, 199.0, 200, "accuracy", Basis.GOLD)
    resampled = [scores[rng.integers(200, size=200)].mean(axis=0).argmax() for _ in range(4000)]
    np.testing.assert_allclose(
        found.chance_best(), np.bincount(resampled, minlength=3) / 4000, atol=0.03
    )


def test_repeats_show_how_much_rests_on_the_folds() -> None:
    chance = np.random.default_rng(3)
    features = chance.normal(size=(300, 5)) + TRUTH[:300, None]
    search = PartialLabelSearchCV(
        PartialLabelClassifier(SoftLogisticRegression(), objective="expected"),
        {"estimator__C": [1e-6, 1.0]},
        cv=2,
        n_repeats=3,
        metric="log_loss",
        audit=0.0,
    ).fit(features, Evidence(gold=gold_of(TRUTH[:300], 300)))
    assert search.best_params_ == {"estimator__C": 1.0}
    assert search.results_["won"].to_list() == [0.0, 1.0]
    assert (search.results_["value"] < 0).all()
    assert search.audit_ is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "luck"}, "`by` must be one of auto, gold, candidates, likelihood; got 'luck'"),
        ({"metric": "f1"}, "`metric` must be one of accuracy"),
        ({"cv": 1}, "`cv` must be at least 2; got 1"),
        ({"n_repeats": 0}, "`n_repeats` must be at least 1; got 0"),
        ({"audit": 1.0}, r"`audit` must lie in \[0, 1\); got 1.0"),
        ({"by": "gold"}, "`by` must name what is there; got 'gold'"),
        ({"level": 2.0}, "`level` must"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PartialLabelSearchCV(Oracle(), GRID, **settings).fit(X, EVIDENCE["votes"])


def test_candidates_that_are_trained_side_by_side_give_the_same_result() -> None:
    truth = np.random.default_rng(0).integers(len(LABELS), size=300)
    X = np.random.default_rng(1).normal(loc=truth[:, None], size=(300, 2))
    found = [
        PartialLabelSearchCV(
            PartialLabelClassifier(SoftLogisticRegression(), objective="expected"),
            {"estimator__C": [1e-5, 1.0]},
            cv=2,
            n_jobs=n_jobs,
        ).fit(X, votes_of(truth))
        for n_jobs in (None, 2)
    ]
    assert found[0].results_.equals(found[1].results_)
