"""AutoPartialLabelClassifier: what it chooses and weighs by held-out evidence alone."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from partlabel import Candidates, InputError
from partlabel.train import (
    AutoPartialLabelClassifier,
    PartialLabelForest,
    TorchPartialLabelClassifier,
    default_members,
    mlp,
)
from partlabel.train.judging import (
    agreement,
    best_sharpness,
    log_explained,
    sharpened,
)
from partlabel.train.members import batch_norm_net, row_norm

from .conftest import LABELS, Blobs, biased_votes, blobs


def quick(**settings: Any) -> TorchPartialLabelClassifier:
    small = {"max_epochs": 8, "batch_size": 32, "learning_rate": 0.03, "early_stopping": None}
    return TorchPartialLabelClassifier(partial(mlp, hidden=(16,)), **{**small, **settings})


def blind() -> Any:
    """Learns the classes' shares alone."""
    return make_pipeline(FunctionTransformer(np.zeros_like), quick())


@pytest.fixture(scope="module")
def chosen(narrowed: Blobs) -> AutoPartialLabelClassifier:
    members = {"blind": blind(), "mlp": quick(), "scaled": make_pipeline(StandardScaler(), quick())}
    auto = AutoPartialLabelClassifier(members, n_kept=2, n_folds=3)
    return auto.fit(narrowed.X, narrowed.candidates)


def test_judgements_are_the_sums_over_the_classes() -> None:
    rng = np.random.default_rng(0)
    probs, likelihood = rng.dirichlet(np.ones(3), size=4), rng.random((4, 3))
    log, right = 0.0, 0.0
    for p, seen in zip(probs, likelihood, strict=True):
        both = [p[k] * seen[k] for k in range(3)]
        log += np.log(sum(both)) / 4
        right += both[int(np.argmax(p))] / sum(both) / 4
    assert log_explained(probs, likelihood) == pytest.approx(log)
    assert agreement(probs, likelihood) == pytest.approx(right)


def test_with_exact_labels_the_accuracy_is_the_accuracy() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), size=50)
    truth = np.arange(50) % 3
    plain = (probs.argmax(axis=1) == truth).mean()
    assert agreement(probs, np.eye(3)[truth]) == pytest.approx(plain)


def test_predictions_that_were_blunted_are_sharpened_back() -> None:
    probs = np.random.default_rng(0).dirichlet(np.full(3, 0.5), size=4000)
    drawn = np.random.default_rng(1).random((4000, 1)) > probs.cumsum(axis=1)
    likelihood = np.eye(3)[drawn.sum(axis=1).clip(max=2)]
    assert best_sharpness(sharpened(probs, 0.5), likelihood) == pytest.approx(2.0, rel=0.15)


def test_what_expects_the_evidence_is_kept(chosen: AutoPartialLabelClassifier) -> None:
    table = chosen.choice_
    assert table["member"].to_list() == ["blind", "mlp", "scaled"]
    assert table["kept"].to_list() == [False, True, True]
    assert table["approximated_accuracy"][0] < table["approximated_accuracy"][1:].min()
    assert [len(fitted) for fitted in chosen.members_.values()] == [3, 3]
    assert 0.8 < chosen.approximated_accuracy_ <= 1.0


def test_it_predicts_and_believes(chosen: AutoPartialLabelClassifier, narrowed: Blobs) -> None:
    fresh = blobs(300, extra=0.0, seed=1)
    probs = chosen.predict_proba(fresh.X)
    assert probs.sum(axis=1) == pytest.approx(1.0)
    assert (chosen.predict(fresh.X) == fresh.names).mean() > 0.9
    assert (chosen.beliefs_.probs[~narrowed.mask] == 0).all()
    assert (chosen.beliefs_.probs.argmax(axis=1) == narrowed.truth).mean() > 0.9


def test_beliefs_come_from_members_that_did_not_see_the_row(narrowed: Blobs) -> None:
    auto = AutoPartialLabelClassifier({"mlp": quick()}, n_folds=2)
    auto.fit(narrowed.X, narrowed.candidates)
    close = []
    for fitted in auto.members_["mlp"]:
        joint = sharpened(fitted.predict_proba(narrowed.X), auto.sharpness_["mlp"])
        joint *= narrowed.mask
        joint /= joint.sum(axis=1, keepdims=True)
        close.append(np.isclose(auto.beliefs_.probs, joint, atol=1e-5).all(axis=1))
    told = ~narrowed.mask.all(axis=1)
    assert (close[0] | close[1])[told].all()
    assert not close[0][told].all()
    assert not close[1][told].all()


def test_the_same_seed_gives_the_same_and_a_clone_has_no_training(narrowed: Blobs) -> None:
    auto = AutoPartialLabelClassifier({"mlp": quick(), "forest": PartialLabelForest()}, n_folds=2)
    first = auto.fit(narrowed.X, narrowed.candidates).predict_proba(narrowed.X)
    again = clone(auto)
    assert not hasattr(again, "members_")
    assert np.array_equal(
        again.fit(narrowed.X, narrowed.candidates).predict_proba(narrowed.X), first
    )


def test_rows_with_votes_and_rows_with_nothing_take_part(narrowed: Blobs) -> None:
    votes = biased_votes(narrowed.truth, per_item=3, n_workers=6)
    auto = AutoPartialLabelClassifier({"mlp": quick()}, n_folds=2).fit(narrowed.X, votes)
    assert len(auto.beliefs_) == 240
    mask = narrowed.mask.copy()
    mask[:40] = True
    silent = AutoPartialLabelClassifier({"mlp": quick()}, n_folds=2)
    silent.fit(narrowed.X, Candidates.from_mask(mask, LABELS))
    assert silent.beliefs_.probs[:40] == pytest.approx(silent.predict_proba(narrowed.X[:40]))


def test_the_default_members_see_scaled_features(narrowed: Blobs) -> None:
    assert np.linalg.norm(row_norm(narrowed.X), axis=1) == pytest.approx(np.sqrt(2))
    for name, member in default_members().items():
        fitted = member.fit(narrowed.X, narrowed.candidates)
        assert (fitted.predict(narrowed.X) == narrowed.names).mean() > 0.6, name
    sizes = [tuple(p.shape) for p in batch_norm_net(4, 3, hidden=(5,)).parameters()]
    assert sizes == [(5, 4), (5,), (5,), (5,), (3, 5), (3,)]


def test_a_forest_disambiguates_and_hears_votes(narrowed: Blobs) -> None:
    fresh = blobs(300, extra=0.0, seed=1)
    scores = {}
    for rounds in (1, 3):
        forest = PartialLabelForest(n_rounds=rounds, n_trees=50).fit(
            narrowed.X, narrowed.candidates
        )
        probs = forest.predict_proba(fresh.X)
        assert probs.sum(axis=1) == pytest.approx(1.0)
        scores[rounds] = np.log(probs[np.arange(300), fresh.truth]).mean()
    assert scores[3] > scores[1]
    voted = PartialLabelForest(n_trees=20).fit(narrowed.X, biased_votes(narrowed.truth))
    assert voted.classes_.tolist() == list(LABELS.classes)


def test_settings_are_refused(narrowed: Blobs) -> None:
    X, y = narrowed.X, narrowed.candidates
    with pytest.raises(InputError, match=r"`n_folds` must lie in \[2, .*; got 1"):
        AutoPartialLabelClassifier({"mlp": quick()}, n_folds=1).fit(X, y)
    with pytest.raises(InputError, match="`n_kept` must be at least 1; got 0"):
        AutoPartialLabelClassifier({"mlp": quick()}, n_kept=0).fit(X, y)
    with pytest.raises(InputError, match="`members` must name at least one"):
        AutoPartialLabelClassifier({}).fit(X, y)
    with pytest.raises(InputError, match="the same rows; they have 5 and 240"):
        AutoPartialLabelClassifier({"mlp": quick()}).fit(X[:5], y)
    with pytest.raises(InputError, match="`n_trees` and `n_rounds` must be at least 1"):
        PartialLabelForest(n_rounds=0).fit(X, y)
    with pytest.raises(NotFittedError):
        AutoPartialLabelClassifier().predict(X)
