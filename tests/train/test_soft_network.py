"""SoftNetwork, and the ensemble that it takes part in."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from partlabel.train import AutoPartialLabelClassifier, default_members
from partlabel.train.soft_network import SoftNetwork, batch_norm_net

from .conftest import Blobs, blobs

SMALL = SoftNetwork(hidden=(16,), n_epochs=10, batch_size=32, weight_decay=0.01)


def test_hidden_layers_are_scaled() -> None:
    sizes = [tuple(p.shape) for p in batch_norm_net(4, 3, hidden=(5,)).parameters()]
    assert sizes == [(5, 4), (5,), (5,), (5,), (3, 5), (3,)]


def test_it_approaches_the_beliefs_that_it_is_given() -> None:
    X = np.random.default_rng(0).integers(0, 2, size=(400, 1)).astype(float)
    beliefs = np.where(X > 0, [[0.8, 0.1, 0.1]], [[0.1, 0.3, 0.6]])
    net = SoftNetwork(hidden=(8,), n_epochs=60, weight_decay=0.0)
    probs = net.fit(X, beliefs, classes=["a", "b", "c"]).predict_proba([[0.0], [1.0]])
    assert probs == pytest.approx(np.array([[0.1, 0.3, 0.6], [0.8, 0.1, 0.1]]), abs=0.05)
    assert net.predict([[0.0], [1.0]]).tolist() == ["c", "a"]


def test_a_row_of_weight_zero_teaches_nothing(narrowed: Blobs) -> None:
    beliefs = np.eye(3)[narrowed.truth]
    weight = np.where(narrowed.truth == 1, 0.0, 1.0)
    probs = SMALL.fit(narrowed.X, beliefs, weight).predict_proba(narrowed.X)
    assert probs.argmax(axis=1).tolist().count(1) == 0


def test_the_same_seed_gives_the_same_and_others_chance_is_left_alone(narrowed: Blobs) -> None:
    beliefs = np.eye(3)[narrowed.truth]
    before = torch.get_rng_state()
    first = SMALL.fit(narrowed.X, beliefs).predict_proba(narrowed.X)
    assert np.array_equal(SMALL.fit(narrowed.X, beliefs).predict_proba(narrowed.X), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_takes_part_in_the_ensemble(narrowed: Blobs) -> None:
    assert {"network, row norm", "network, z-score", "forest"} <= set(default_members())
    members = {"network": SMALL, "forest": default_members()["forest"].set_params(n_trees=20)}
    auto = AutoPartialLabelClassifier(members, n_folds=2, n_rounds=2)
    fresh = blobs(300, extra=0.0, seed=1)
    auto.fit(narrowed.X, narrowed.candidates)
    assert (auto.predict(fresh.X) == fresh.names).mean() > 0.9


def test_reading_before_fit_is_refused() -> None:
    with pytest.raises(NotFittedError):
        SoftNetwork().predict([[0.0]])
