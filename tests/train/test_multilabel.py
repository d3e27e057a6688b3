"""TorchMultiLabelClassifier: what is seen of many labels, and what silence says."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from partlabel import InputError
from partlabel.losses import asymmetric_loss
from partlabel.train import TorchMultiLabelClassifier

QUICK = {"max_epochs": 30, "batch_size": 64, "learning_rate": 0.02}


def tags(n: int = 400, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Six labels, each a half-plane of its own that some 30% of the rows lie in."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    towards = np.random.default_rng(99).normal(size=(5, 6))
    scores = X @ towards / np.linalg.norm(towards, axis=0)
    return X, (scores + 0.2 * rng.normal(size=scores.shape) > 0.5).astype(float)


def hidden(y: NDArray[np.float64], *, kept: float, absent: float, seed: int = 1) -> NDArray:  # type: ignore[type-arg]
    """Keep these shares of the labels that are present, and of those that are not."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(y.shape) < np.where(y > 0, kept, absent), y, np.nan)


def net(**settings: object) -> TorchMultiLabelClassifier:
    return TorchMultiLabelClassifier(**{**QUICK, **settings})


def test_labels_missing_at_random_cost_little() -> None:
    (X, y), (fresh, truth) = tags(), tags(seed=3)
    whole = net().fit(X, y).score(fresh, truth)
    assert net().fit(X, hidden(y, kept=0.5, absent=0.5)).score(fresh, truth) > whole - 0.03


def test_what_silence_says_gives_the_right_number_of_labels() -> None:
    (X, y), (fresh, truth) = tags(800), tags(800, seed=3)
    seen = hidden(y, kept=0.4, absent=0.0)

    def off(**settings: object) -> float:
        probs = net(**settings).fit(X, seen).predict_proba(fresh)
        return float(probs.sum() / truth.sum())

    assert off(objective="likelihood", seen_present=0.4) == pytest.approx(1.0, abs=0.25)
    assert off(objective="assume_negative") < 0.6


def test_chances_may_differ_by_label_and_costs_may_be_the_users() -> None:
    X, y = tags()
    rates = np.full(6, 0.4)
    one = net(objective="likelihood", seen_present=rates, max_epochs=3)
    two = net(objective="likelihood", seen_present=0.4, max_epochs=3)
    seen = hidden(y, kept=0.4, absent=0.0)
    assert np.allclose(one.fit(X, seen).predict_proba(X), two.fit(X, seen).predict_proba(X))
    asl = net(objective=lambda logits, present, _: asymmetric_loss(logits, present))
    assert asl.fit(X, y).score(X, y) > 0.8


def test_every_entry_is_accounted_for() -> None:
    X, y = tags()
    seen = hidden(y, kept=0.5, absent=0.5)
    seen[:20] = np.nan
    table = net(max_epochs=2).fit(X, seen).contributions_
    known = [int((seen == 1).sum()), int((seen == 0).sum()), int(np.isnan(seen).sum())]
    assert table["entries"].to_list() == known
    assert (table["trained"] + table["held_out"] + table["left_out"] == table["entries"]).all()
    unseen_rows = int(np.isnan(seen).all(axis=1).sum())
    assert unseen_rows >= 20
    assert table["left_out"].to_list() == [0, 0, 6 * unseen_rows]
    assert table["pull"][2] == 0.0


def test_tables_give_names_and_clones_work() -> None:
    X, y = tags(60)
    table = pl.DataFrame({f"tag_{j}": y[:, j] for j in range(6)})
    fitted = clone(net(max_epochs=1)).fit(X, table)
    assert fitted.labels_.tolist() == table.columns
    assert fitted.predict(X).shape == (60, 6)
    assert np.array_equal(fitted.predict_proba(X), net(max_epochs=1).fit(X, y).predict_proba(X))


def test_a_resumed_run_is_an_uninterrupted_one(tmp_path: Path) -> None:
    X, y = tags(100)
    whole = net(max_epochs=4).fit(X, y)
    net(max_epochs=2, checkpoint=tmp_path / "state.pt").fit(X, y)
    resumed = net(max_epochs=4, checkpoint=tmp_path / "state.pt", resume=True).fit(X, y)
    assert resumed.history_.equals(whole.history_)
    assert np.array_equal(resumed.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1, 0], r"`y` must have the shape \(n_rows, n_labels\); got \(2,\)"),
        ([[1, 2], [0, 1]], r"`y` must hold 1, 0 and NaN alone; it doesn't at row 0"),
        ([[np.nan], [np.nan]], "`y` must say something; nobody looked at any of 2 rows"),
        ([[1.0]], "`X` and `y` must be about the same rows; they have 2 and 1"),
    ],
)
def test_labels_are_refused(y: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        net().fit(np.zeros((2, 1)), y)


def test_settings_are_refused() -> None:
    X, y = tags(20)
    with pytest.raises(InputError, match=r"`objective` must be one of 'masked', .* got 'best'"):
        net(objective="best").fit(X, y)
    with pytest.raises(InputError, match=r"`threshold` must lie in \(0, 1\); got 1"):
        net(threshold=1.0).fit(X, y)
    with pytest.raises(InputError, match="`y` must have a label that is present in one row"):
        net(max_epochs=1).fit(X, y).score(X, np.ones_like(y))
