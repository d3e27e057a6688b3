"""AutoPartialLabelClassifier: what it chooses and weighs by held-out evidence alone."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from partlabel import Candidates, InputError
from partlabel.learn import AutoPartialLabelClassifier, SoftLogisticRegression, ensemble
from partlabel.learn.members import default_members, scaled
from partlabel.learn.soft_forest import SoftForest

from .conftest import LABELS, Blobs, blobs, votes_on

LINEAR = SoftLogisticRegression(tol=1e-3)


def blind() -> Any:
    """Learns the classes' shares alone."""
    return make_pipeline(FunctionTransformer(np.zeros_like), LINEAR)


def quick(**settings: Any) -> AutoPartialLabelClassifier:
    return AutoPartialLabelClassifier({"linear": LINEAR}, **{"n_folds": 2, **settings})


@pytest.fixture(scope="module")
def chosen(narrowed: Blobs) -> AutoPartialLabelClassifier:
    members = {"blind": blind(), "linear": LINEAR, "forest": SoftForest(n_trees=20)}
    auto = AutoPartialLabelClassifier(members, n_kept=1, n_rounds=3, n_folds=3)
    return auto.fit(narrowed.X, narrowed.candidates)


def test_what_explains_the_evidence_is_kept(chosen: AutoPartialLabelClassifier) -> None:
    table = chosen.choice_
    assert table["member"].to_list() == ["blind", "linear", "forest"]
    assert sorted(table["rounds"]) == [2, 2, 3]
    assert table["kept"].sum() == 1
    assert not table["kept"][0]
    assert table["log_likelihood"][0] < table["log_likelihood"][1:].min()
    assert [len(fitted) for fitted in chosen.members_.values()] == [3]
    assert list(chosen.members_) == list(chosen.sharpness_)
    assert table.filter(pl.col("kept"))["member"].to_list() == list(chosen.members_)


def test_rounds_explain_held_out_evidence_better(chosen: AutoPartialLabelClassifier) -> None:
    assert len(chosen.objective_path_) == 3
    assert chosen.objective_path_[-1] > chosen.objective_path_[0]
    assert 0.7 < chosen.approximated_accuracy_ <= 1.0


def test_it_stops_when_the_evidence_is_explained_no_better(narrowed: Blobs) -> None:
    auto = quick(tol=9.0).fit(narrowed.X, narrowed.candidates)
    assert len(auto.objective_path_) == 3
    auto = quick(tol=-9.0, n_rounds=5).fit(narrowed.X, narrowed.candidates)
    assert len(auto.objective_path_) == 5


def test_it_predicts_and_believes(chosen: AutoPartialLabelClassifier, narrowed: Blobs) -> None:
    fresh = blobs(300, extra=0.0, seed=1)
    probs = chosen.predict_proba(fresh.X)
    assert probs.sum(axis=1) == pytest.approx(1.0)
    assert (chosen.predict(fresh.X) == fresh.names).mean() > 0.8
    assert (chosen.beliefs_.probs[~narrowed.mask] == 0).all()
    assert (chosen.beliefs_.probs.argmax(axis=1) == narrowed.truth).mean() > 0.85


def test_a_prediction_is_the_mean_of_members_at_their_temperatures(narrowed: Blobs) -> None:
    auto = AutoPartialLabelClassifier({"linear": LINEAR, "blind": blind()}, n_folds=2)
    auto.fit(narrowed.X, narrowed.candidates)
    X = narrowed.X[:5]
    total = np.zeros((5, 3))
    for name, fitted in auto.members_.items():
        for one in fitted:
            powers = one.predict_proba(X) ** auto.sharpness_[name]
            total += powers / powers.sum(axis=1, keepdims=True)
    powers = (total / 4) ** auto.joint_sharpness_
    expected = powers / powers.sum(axis=1, keepdims=True)
    assert auto.predict_proba(X) == pytest.approx(expected)


def test_beliefs_come_from_members_that_did_not_see_the_row(narrowed: Blobs) -> None:
    auto = quick(n_rounds=1, learn_sets=False).fit(narrowed.X, narrowed.candidates)
    close = []
    for one in auto.members_["linear"]:
        powers = one.predict_proba(narrowed.X) ** (
            auto.sharpness_["linear"] * auto.joint_sharpness_
        )
        joint = powers / powers.sum(axis=1, keepdims=True) * 0.999 + 0.001 / 3
        joint *= narrowed.mask
        joint /= joint.sum(axis=1, keepdims=True)
        close.append(np.isclose(auto.beliefs_.probs, joint, atol=1e-6).all(axis=1))
    told = ~narrowed.mask.all(axis=1)
    assert (close[0] | close[1])[told].all()
    assert not close[0][told].all()
    assert not close[1][told].all()


def test_the_same_seed_gives_the_same_and_a_clone_has_no_training(narrowed: Blobs) -> None:
    members = {"linear": LINEAR, "forest": SoftForest(n_trees=5)}
    auto = AutoPartialLabelClassifier(members, n_folds=2, n_rounds=2)
    first = auto.fit(narrowed.X, narrowed.candidates).predict_proba(narrowed.X)
    again = clone(auto)
    assert not hasattr(again, "members_")
    again.fit(narrowed.X, narrowed.candidates)
    assert np.array_equal(again.predict_proba(narrowed.X), first)


def test_renaming_classes_renames_predictions(narrowed: Blobs) -> None:
    plain = quick().fit(narrowed.X, narrowed.candidates)
    codes = Candidates.from_mask(narrowed.mask, type(LABELS)([7, 8, "nine"]))
    coded = quick().fit(narrowed.X, codes)
    assert np.array_equal(coded.predict_proba(narrowed.X), plain.predict_proba(narrowed.X))
    assert set(coded.predict(narrowed.X)) <= {7, 8, "nine"}


def test_rows_with_votes_and_rows_with_nothing_take_part(narrowed: Blobs) -> None:
    voted = quick().fit(narrowed.X, votes_on(narrowed.truth, [0.9, 0.8, 0.7]))
    assert len(voted.beliefs_) == len(narrowed.X)
    assert (voted.beliefs_.probs.argmax(axis=1) == narrowed.truth).mean() > 0.8
    mask = narrowed.mask.copy()
    mask[:40] = True
    silent = quick().fit(narrowed.X, Candidates.from_mask(mask, LABELS))
    expected = silent.predict_proba(narrowed.X[:40])
    assert silent.beliefs_.probs[:40] == pytest.approx(expected, abs=1e-3)


def test_the_rounds_that_train_all_members_take_few_rows(
    narrowed: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = quick(n_rounds=2).fit(narrowed.X, narrowed.candidates)
    monkeypatch.setattr(ensemble, "SCREENED", 10)
    few = quick(n_rounds=2).fit(narrowed.X, narrowed.candidates)
    assert few.objective_path_[0] != full.objective_path_[0]
    once = quick(n_rounds=1).fit(narrowed.X, narrowed.candidates)
    assert once.objective_path_[0] == full.objective_path_[0]


def test_each_default_member_learns_from_beliefs(narrowed: Blobs) -> None:
    for name, member in default_members().items():
        auto = AutoPartialLabelClassifier({name: member}, n_folds=2, n_rounds=1)
        auto.fit(narrowed.X, narrowed.candidates)
        assert (auto.predict(narrowed.X) == narrowed.names).mean() > 0.6, name


def test_a_class_that_no_row_may_have_is_given_next_to_nothing(narrowed: Blobs) -> None:
    wider = type(LABELS)([*LABELS.classes, "never"])
    mask = np.column_stack([narrowed.mask, np.zeros(len(narrowed.mask), dtype=bool)])
    auto = quick().fit(narrowed.X, Candidates.from_mask(mask, wider))
    assert auto.predict_proba(narrowed.X).shape == (len(mask), 4)
    assert auto.predict_proba(narrowed.X)[:, 3].max() < 1e-6


def test_settings_are_refused(narrowed: Blobs) -> None:
    X, y = narrowed.X, narrowed.candidates
    with pytest.raises(InputError, match=r"`n_folds` must lie in \[2, .*; got 1"):
        quick(n_folds=1).fit(X, y)
    with pytest.raises(InputError, match="`n_kept` must be at least 1; got 0"):
        quick(n_kept=0).fit(X, y)
    with pytest.raises(InputError, match="`n_rounds` must be at least 1; got 0"):
        quick(n_rounds=0).fit(X, y)
    with pytest.raises(InputError, match="`members` must name at least one"):
        AutoPartialLabelClassifier({}).fit(X, y)
    with pytest.raises(InputError, match="the same rows; they have 5 and 150"):
        quick().fit(X[:5], y)
    with pytest.raises(TypeError, match="must have `predict_proba`; LinearSVC"):
        AutoPartialLabelClassifier({"svm": scaled("z-score", LinearSVC())}).fit(X, y)
    with pytest.raises(NotFittedError):
        AutoPartialLabelClassifier().predict(X)
