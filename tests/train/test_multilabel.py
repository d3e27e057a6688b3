"""TorchMultiLabelClassifier: what is seen of many labels, and what silence says."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from partlabel import InputError
from partlabel.losses import large_loss, role_loss
from partlabel.train import TorchMultiLabelClassifier
from partlabel.train.multilabel_costs import Role

QUICK = {"max_epochs": 30, "batch_size": 64, "learning_rate": 0.02}


def tags(n: int = 400, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Six labels, each a half-plane of its own that some 30% of the rows lie in."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    towards = np.random.default_rng(99).normal(size=(5, 6))
    scores = X @ towards / np.linalg.norm(towards, axis=0)
    return X, (scores + 0.2 * rng.normal(size=scores.shape) > 0.5).astype(float)


def hidden(y: NDArray[np.float64], *, kept: float, absent: float, seed: int = 1) -> NDArray:
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
    large = net(objective=lambda logits, present, _: large_loss(logits, present, 0.5))
    assert large.fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("objective", ["asymmetric", "hill"])
def test_costs_of_assumed_negatives_rank_well_where_half_of_the_positives_are_missing(
    objective: str,
) -> None:
    (X, y), (fresh, truth) = tags(800), tags(800, seed=3)
    seen = hidden(y, kept=0.5, absent=0.0)
    assert net(objective=objective).fit(X, seen).score(fresh, truth) > 0.9


@pytest.mark.parametrize(("kept", "absent"), [(0.4, 0.0), (0.6, 0.3), (0.9, 0.0)])
def test_learnt_chances_are_those_by_which_labels_were_hidden(kept: float, absent: float) -> None:
    (X, y), (fresh, truth) = tags(800), tags(800, seed=3)
    fitted = net(objective="likelihood", seen_present="learnt", seen_absent="learnt")
    fitted.fit(X, hidden(y, kept=kept, absent=absent))
    assert float(fitted.cost_.seen_present.mean()) == pytest.approx(kept, abs=0.1)
    assert float(fitted.cost_.seen_absent) == pytest.approx(absent, abs=0.05)
    assert fitted.predict_proba(fresh).sum() / truth.sum() == pytest.approx(1.0, abs=0.15)


def test_role_believes_overlooked_labels_more_than_absent_ones_row_by_row() -> None:
    (X, y), (fresh, truth) = tags(800), tags(800, seed=3)
    seen = hidden(y, kept=0.4, absent=0.0)
    fitted = net(objective="role", expected_labels=1.9).fit(X, seen)
    assert fitted.score(fresh, truth) > 0.9
    table, unseen = fitted.cost_.table.numpy(), np.isnan(seen)
    assert roc_auc_score(y[unseen], table[unseen]) > 0.9


def test_role_costs_what_role_loss_does_and_seen_absences_their_own() -> None:
    present = torch.tensor([[True, False, False], [False, True, False]])
    cost = Role(1.5, present, torch.Generator().manual_seed(0))
    nothing, rows = torch.zeros_like(present), torch.tensor([1, 0])
    logits = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, -2.0]])
    plain = role_loss(logits, cost.table[rows], present[rows], 1.5)
    assert torch.allclose(cost(logits, present[rows], nothing, rows), plain)
    absent = torch.tensor([[False, False, True], [False, False, False]])
    told = cost(logits, present[rows], absent, rows) - plain
    assert told.tolist() == pytest.approx([np.log1p(np.exp(2.0)) / 3, 0.0], abs=1e-6)


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


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"objective": "role", "expected_labels": 2.0},
        {"objective": "likelihood", "seen_present": "learnt", "seen_absent": "learnt"},
    ],
)
def test_a_resumed_run_is_an_uninterrupted_one(told: dict[str, object], tmp_path: Path) -> None:
    X, y = tags(100)
    y = hidden(y, kept=0.7, absent=0.4)
    whole = net(max_epochs=4, **told).fit(X, y)
    saved = {"checkpoint": tmp_path / "state.pt", **told}
    net(max_epochs=2, **saved).fit(X, y)
    resumed = net(max_epochs=4, resume=True, **saved).fit(X, y)
    assert resumed.history_.equals(whole.history_)
    assert np.array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    for one, two in zip(resumed.cost_.parameters(), whole.cost_.parameters(), strict=True):
        assert torch.equal(one, two)


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
    with pytest.raises(InputError, match=r"`expected_labels` must be above 0 for the ob.*got None"):
        net(objective="role").fit(X, y)
    with pytest.raises(InputError, match="`seen_absent` must be above 0 for labels that are seen"):
        net(objective="likelihood").fit(X, y)
    with pytest.raises(InputError, match=r"`threshold` must lie in \(0, 1\); got 1"):
        net(threshold=1.0).fit(X, y)
    with pytest.raises(InputError, match="`y` must have a label that is present in one row"):
        net(max_epochs=1).fit(X, y).score(X, np.ones_like(y))


@pytest.mark.parametrize("objective", ["masked", "assume_negative"])
def test_a_weight_of_zero_leaves_a_row_out(objective: str) -> None:
    X, y = tags(120)
    kept = np.arange(120) % 3 > 0
    settings = {"objective": objective, "early_stopping": False, "max_epochs": 3}
    weighed = net(**settings).fit(X, y, 5.0 * kept)
    alone = net(**settings).fit(X[kept], y[kept])
    assert np.array_equal(weighed.predict_proba(X), alone.predict_proba(X))


def test_heavy_rows_pull_more() -> None:
    X, y = tags(400)
    contrary = np.arange(400) % 2 == 1
    seen = np.where(contrary[:, None], 1.0 - y, y)
    weighed = net().fit(X, seen, np.where(contrary, 0.1, 1.0))
    assert weighed.score(X, y) > 0.9


def test_ones_and_gaps_alone_are_no_mask() -> None:
    X, y = tags(60)
    with pytest.raises(InputError, match="take objective='likelihood'"):
        net().fit(X, np.where(y > 0, 1.0, np.nan))
