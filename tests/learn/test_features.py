"""Scalings and radial features."""

import numpy as np
import pytest

from partlabel.learn.features import LENGTH, RadialFeatures, Ranks, row_norm


def test_rows_get_the_length_of_rows_of_ones() -> None:
    X = np.random.default_rng(0).normal(size=(9, 5))
    assert np.linalg.norm(row_norm(X), axis=1) == pytest.approx(np.sqrt(5))
    assert row_norm(7 * X) == pytest.approx(row_norm(X))


def test_ranks_depend_on_the_order_alone() -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    ranks = Ranks().fit(X).transform(X)
    assert Ranks().fit(np.exp(X)).transform(np.exp(X)) == pytest.approx(ranks)
    assert ranks.mean(axis=0) == pytest.approx(0.0)
    assert ranks.std(axis=0) == pytest.approx(1.0, abs=0.01)


def test_equal_values_share_a_rank_and_new_ones_lie_between() -> None:
    ranks = Ranks().fit([[1.0], [2.0], [2.0], [3.0]])
    said = ranks.transform([[0.0], [2.0], [2.5], [9.0]])[:, 0]
    assert said == pytest.approx(np.sqrt(3) * np.array([-1.0, 0.0, 0.5, 1.0]))


def test_products_of_radial_features_are_the_kernel() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    features = RadialFeatures(2.0).fit_transform(X)
    apart = np.array([[((x - z) ** 2).sum() for z in X] for x in X])
    kernel = np.exp(-2.0 * apart / np.median(apart[apart > 0]))
    assert features @ features.T == pytest.approx(LENGTH * kernel, abs=0.05)
    assert features.dtype == np.float32


def test_the_width_follows_the_units() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    same = RadialFeatures().fit_transform(1000 * X)
    assert same == pytest.approx(RadialFeatures().fit_transform(X), abs=0.05)
    assert np.isfinite(RadialFeatures().fit_transform(np.ones((5, 2)))).all()


def test_more_rows_get_more_features() -> None:
    X = np.random.default_rng(0).normal(size=(3000, 2))
    assert RadialFeatures().fit_transform(X).shape[1] == int(np.sqrt(3000) * np.log(3000))
    assert RadialFeatures(n_components=7).fit_transform(X).shape[1] == 7
    assert RadialFeatures().fit_transform(X[:20]).shape[1] == 20
