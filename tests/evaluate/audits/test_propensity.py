"""Propensities: fitted on other items, right for each, and weights that stand for all."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import OneHotEncoder

from partlabel.evaluate.audits.labelling_relations import relations_table
from partlabel.evaluate.audits.propensity import (
    InverseWeights,
    auc_interval,
    cross_fitted,
    labelling_odds,
    logistic,
    of_being_labelled,
    overlap_table,
)


def test_no_item_is_predicted_by_a_classifier_that_saw_it() -> None:
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(300, 2)), rng.integers(2, size=300)
    probs = cross_fitted(KNeighborsClassifier(1), X, codes, 2)
    assert 0.4 < (probs.argmax(axis=1) == codes).mean() < 0.6
    assert KNeighborsClassifier(1).fit(X, codes).score(X, codes) == 1.0


def test_unlabelled_items_are_predicted_and_unseen_classes_have_no_share() -> None:
    X = np.linspace(-1, 1, 60)[:, None]
    codes = np.where(X[:, 0] > 0, 2, 0)
    codes[::3] = -1
    probs = cross_fitted(LogisticRegression(C=100.0), X, codes, 4)
    assert probs.sum(axis=1) == pytest.approx(np.ones(60))
    assert (probs[:, [1, 3]] == 0).all()
    assert probs[0, 0] > 0.9
    assert probs[-1, 0] < 0.1


def test_odds_are_those_of_the_world_given_the_tilt() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(3, size=60_000), rng.integers(2, size=60_000)
    y = np.where(rng.random(60_000) < 0.2 * x, 1, y)
    tilt, odds = np.array([1.0, 4.0]), np.array([0.5, 1.0, 2.0])
    unlabelled = odds[x] * tilt[y]
    labelled = rng.random(60_000) < 1.0 / (1.0 + unlabelled)
    table = OneHotEncoder().fit_transform(x[:, None])
    found = labelling_odds(LogisticRegression(C=1e6), table, labelled, tilt=tilt[y])
    for value in range(3):
        assert found[x == value].mean() == pytest.approx(odds[value], rel=0.06)


def test_auc_counts_pairs_and_its_error_is_that_of_the_placements() -> None:
    rng = np.random.default_rng(0)
    score, positive = rng.integers(6, size=80).astype(float), rng.random(80) < 0.4
    one, other = score[positive], score[~positive]
    wins = (one[:, None] > other) + 0.5 * (one[:, None] == other)
    auc, low, high, p_value = auc_interval(score, positive, 0.95)
    assert auc == pytest.approx(wins.mean())
    error = np.sqrt(wins.mean(1).var() / len(one) + wins.mean(0).var() / len(other))
    assert (high - low) / 2 == pytest.approx(1.959964 * error)
    assert (p_value < 0.025) == (low > 0.5)


def test_weights_stand_for_all_items() -> None:
    labelled = np.array([True] * 4 + [False] * 8)
    weights = InverseWeights.of(np.array([1.0, 1.0, 3.0, 3.0] + [9.0] * 8), labelled)
    # one labelled item stands for itself and 1 or 3 others, of 12: 2 + 2 + 4 + 4
    assert weights.sample_weight[:4] == pytest.approx([2 / 3, 2 / 3, 4 / 3, 4 / 3])
    assert (weights.sample_weight[4:] == 0).all()
    assert weights.effective_size == pytest.approx(12**2 / 40)
    assert weights.clipped == 0.0


def test_no_weight_exceeds_ten_times_the_average() -> None:
    odds, labelled = np.ones(400), np.arange(400) < 200
    odds[0] = 1e6
    weights = InverseWeights.of(odds, labelled)
    assert weights.clipped == pytest.approx(1 / 200)
    assert weights.sample_weight.max() < 20.0
    assert weights.sample_weight[labelled].mean() == pytest.approx(1.0)


def test_overlap_counts_everyone_once() -> None:
    table = overlap_table(np.array([0.005, 0.3, 0.3, 1.0]), np.array([False, True, False, True]))
    assert table["low"].to_list() == [0.0, 0.2, 0.8]
    assert table["n_labelled"].to_list() == [0, 1, 1]
    assert table["share_labelled"].to_list() == [0.0, 0.5, 1.0]


def test_what_decides_is_named_and_the_rest_is_not() -> None:
    rng = np.random.default_rng(0)
    groups, X = rng.integers(4, size=3000), rng.normal(size=(3000, 2))
    labelled = rng.random(3000) < 0.1 + 0.15 * groups
    table = relations_table(labelled, X=X, groups=groups)
    assert table["what"].to_list() == ["features", "groups"]
    assert table["p_value"][0] > 0.05
    assert table["p_value"][1] < 1e-6


def test_many_features_of_few_labelled_items_keep_the_weights_even() -> None:
    rng = np.random.default_rng(0)
    X, labelled = rng.normal(size=(1200, 600)), rng.random(1200) < 0.1
    plain = InverseWeights.of(labelling_odds(logistic(), X, labelled), labelled)
    chosen = InverseWeights.of(labelling_odds(of_being_labelled(labelled), X, labelled), labelled)
    assert plain.effective_size < 0.4 * labelled.sum()
    assert chosen.effective_size > 0.9 * labelled.sum()


def test_a_penalty_that_is_chosen_still_sees_what_decides() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 3))
    truth = 1.0 / (1.0 + np.exp(1.5 - X[:, 0]))
    labelled = rng.random(4000) < truth
    found = 1.0 / (1.0 + labelling_odds(of_being_labelled(labelled), X, labelled))
    assert np.abs(found - truth).mean() < 0.03


def test_few_labelled_items_choose_no_penalty() -> None:
    assert of_being_labelled(np.arange(30) < 12)[-1].__class__ is LogisticRegression
