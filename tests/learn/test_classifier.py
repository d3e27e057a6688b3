"""Laws of training on partly known labels, with oracles that share no code with it."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from partlabel import (
    Candidates,
    DawidSkene,
    Evidence,
    InputError,
    LabelSpace,
    MajorityVote,
    PartialLabelClassifier,
)
from partlabel.aggregate import Outcome

from .conftest import LABELS, Blobs, blobs, votes_on

OBJECTIVES = ["auto", "em", "expected", "hard", "pseudo", "average"]


def steep(strength: float = 100.0) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=5_000, tol=1e-8)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), ExtraTreesClassifier(5, random_state=0)]
)
def test_exact_labels_train_the_plain_estimator(
    narrowed: Blobs, objective: Any, estimator: Any
) -> None:
    clf = PartialLabelClassifier(estimator, objective=objective).fit(narrowed.X, narrowed.names)
    plain = estimator.fit(narrowed.X, narrowed.names)
    assert np.allclose(
        clf.predict_proba(narrowed.X), plain.predict_proba(narrowed.X), rtol=0, atol=1e-10
    )
    assert clf.classes_.tolist() == plain.classes_.tolist()
    assert clf.score(narrowed.X, narrowed.names) == plain.score(narrowed.X, narrowed.names)
    assert clf.evidence_summary_["exact"] == 150


def test_sets_of_one_are_labels(narrowed: Blobs) -> None:
    sets = Candidates.from_mask(np.eye(3, dtype=bool)[narrowed.truth], LABELS)
    from_sets = PartialLabelClassifier().fit(narrowed.X, sets).predict_proba(narrowed.X)
    from_labels = PartialLabelClassifier().fit(narrowed.X, narrowed.names)
    order = [from_labels.classes_.tolist().index(name) for name in LABELS.classes]
    assert np.allclose(from_sets, from_labels.predict_proba(narrowed.X)[:, order], atol=1e-3)


@pytest.mark.parametrize("objective", ["em", "average", "pseudo"])
def test_renaming_the_classes_renames_the_predictions(narrowed: Blobs, objective: Any) -> None:
    order = [2, 0, 1]
    renamed = Candidates.from_mask(narrowed.mask[:, order], LabelSpace(["z", "m", "a"]))
    settings = {"objective": objective, "out_of_fold": False}
    one = PartialLabelClassifier(steep(1.0), **settings).fit(narrowed.X, narrowed.candidates)
    two = PartialLabelClassifier(steep(1.0), **settings).fit(narrowed.X, renamed)
    assert two.classes_.tolist() == ["z", "m", "a"]
    assert np.allclose(
        one.predict_proba(narrowed.X)[:, order], two.predict_proba(narrowed.X), atol=1e-3
    )


def test_the_order_of_the_rows_is_no_matter(narrowed: Blobs) -> None:
    order = np.random.default_rng(1).permutation(150)
    clf = PartialLabelClassifier(steep(1.0), objective="em", out_of_fold=False)
    one = clf.fit(narrowed.X, narrowed.candidates).predict_proba(narrowed.X)
    two = clf.fit(narrowed.X[order], narrowed.candidates.select(order)).predict_proba(narrowed.X)
    assert np.allclose(one, two, atol=1e-3)


@pytest.mark.parametrize("out_of_fold", [True, False])
def test_rows_about_which_nothing_is_known_change_nothing_in_em(
    narrowed: Blobs, out_of_fold: bool
) -> None:
    more = blobs(200, extra=0.0, seed=5)
    X = np.vstack([narrowed.X, more.X])
    mask = np.vstack([narrowed.mask, np.ones((200, 3), dtype=bool)])
    clf = PartialLabelClassifier(objective="em", out_of_fold=out_of_fold)
    alone = clf.fit(narrowed.X, narrowed.candidates).predict_proba(X)
    both = clf.fit(X, Candidates.from_mask(mask, LABELS))
    assert np.array_equal(alone, both.predict_proba(X))
    assert both.evidence_summary_["nothing"] >= 200
    assert np.array_equal(both.beliefs_.probs[150:], alone[150:])


def marginal_log_likelihood(probs: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    return sum(float(np.log(row[allowed].sum())) for row, allowed in zip(probs, mask, strict=True))


def test_in_sample_em_never_lowers_the_marginal_likelihood(narrowed: Blobs) -> None:
    clf = PartialLabelClassifier(steep(1e4), objective="em", out_of_fold=False, tol=1e-4)
    clf.fit(narrowed.X, narrowed.candidates)
    path = np.array(clf.objective_path_)
    assert len(path) > 3
    assert (np.diff(path) > -1e-3 * 150).all()
    spoken = ~narrowed.mask.all(axis=1)
    at_the_end = marginal_log_likelihood(
        clf.predict_proba(narrowed.X[spoken]), narrowed.mask[spoken]
    )
    assert at_the_end == pytest.approx(path[-1], abs=0.5)


def test_in_sample_em_ends_where_direct_ascent_finds_nothing_better(narrowed: Blobs) -> None:
    C, X, mask = 1.0, np.column_stack([narrowed.X, np.ones(150)]), narrowed.mask

    def cost(flat: NDArray[np.float64]) -> float:
        logits = X @ flat.reshape(3, 3).T
        inside = np.log((np.exp(logits) * mask).sum(1)) - np.log(np.exp(logits).sum(1))
        return float(-C * inside.sum() + 0.5 * (flat.reshape(3, 3)[:, :2] ** 2).sum())

    clf = PartialLabelClassifier(
        steep(C), objective="em", out_of_fold=False, tol=1e-5, max_iter=300
    )
    clf.fit(narrowed.X, narrowed.candidates)
    order = [clf.estimator_.classes_.tolist().index(name) for name in LABELS.classes]
    at = np.column_stack([clf.estimator_.coef_, clf.estimator_.intercept_])[order].ravel()
    best = minimize(cost, at, method="BFGS")
    assert cost(at) - best.fun < 0.005 * 150


def test_averaging_gives_each_candidate_the_same_weight(narrowed: Blobs) -> None:
    rows, said, weight = [], [], []
    for i in range(150):
        if narrowed.mask[i].all():
            continue
        for k in np.flatnonzero(narrowed.mask[i]):
            rows.append(i)
            said.append(LABELS.classes[k])
            weight.append(1.0 / narrowed.mask[i].sum())
    by_hand = LogisticRegression().fit(narrowed.X[rows], said, sample_weight=weight)
    clf = PartialLabelClassifier(LogisticRegression(), objective="average")
    clf.fit(narrowed.X, narrowed.candidates)
    assert np.array_equal(clf.predict(narrowed.X), by_hand.predict(narrowed.X))
    assert np.allclose(clf.estimator_.coef_, by_hand.coef_)


def test_hard_takes_the_exact_rows_alone(narrowed: Blobs) -> None:
    exact = narrowed.mask.sum(axis=1) == 1
    plain = LogisticRegression().fit(narrowed.X[exact], narrowed.names[exact])
    clf = PartialLabelClassifier(LogisticRegression(), objective="hard")
    clf.fit(narrowed.X, narrowed.candidates)
    assert np.allclose(clf.estimator_.coef_, plain.coef_)


def test_pseudo_labels_reach_rows_about_which_nothing_is_known() -> None:
    data = blobs(300, extra=0.0, spread=1.0)
    y = np.where(np.arange(300) < 12, data.truth, -1)
    clf = PartialLabelClassifier(objective="pseudo", threshold=(0.9, 0.7)).fit(data.X, y)
    assert np.mean(clf.predict(data.X) == data.truth) > 0.95
    assert clf.status_ is Outcome.CONVERGED
    assert clf.evidence_summary_ == {
        "gold": 0, "exact": 12, "partial": 0, "voted": 0, "nothing": 288
    }  # fmt: skip


@pytest.mark.parametrize("objective", ["em", "expected", "hard", "pseudo", "average"])
@pytest.mark.parametrize("seen", [["red"], ["red", None, ["green", "blue"], None]])
def test_one_row_to_train_on_is_enough(objective: Any, seen: list[Any]) -> None:
    X = np.arange(len(seen), dtype=float)[:, None]
    clf = PartialLabelClassifier(objective=objective).fit(X, Candidates.from_lists(seen, LABELS))
    assert clf.beliefs_.decide()[0] == "red"
    assert np.allclose(clf.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize("objective", ["em", "pseudo"])
@pytest.mark.parametrize("out_of_fold", [True, False])
def test_a_pipeline_may_make_other_features_in_each_round(
    objective: Any, out_of_fold: bool
) -> None:
    data = blobs(60, extra=0.5, spread=1.0)
    texts = np.array(
        [f"{LABELS.classes[k]} w{row}" for row, k in enumerate(data.truth)], dtype=object
    )
    model = make_pipeline(CountVectorizer(), LogisticRegression())
    clf = PartialLabelClassifier(model, objective=objective, out_of_fold=out_of_fold)
    clf.fit(texts, data.candidates)
    assert clf.score(texts, data.names) == 1.0


def test_evidence_of_every_kind_takes_part_and_the_poor_source_is_found() -> None:
    data = blobs(400, extra=0.5, spread=1.5)
    votes = votes_on(data.truth, [0.9, 0.75, 0.7, 0.34])
    gold = np.where(np.arange(400) < 20, data.truth, -1)
    evidence = Evidence(
        votes=votes,
        candidates=data.candidates,
        gold=Candidates.from_labels(gold, LABELS, missing=-1),
    )
    clf = PartialLabelClassifier(objective="em").fit(data.X, evidence)
    assert sum(clf.evidence_summary_.values()) == 400
    assert clf.evidence_summary_["gold"] == 20
    assert np.mean(clf.predict(data.X) == data.names) > 0.93
    accuracy = clf.reliability_["accuracy"].to_list()
    assert np.allclose(accuracy, [0.9, 0.75, 0.7, 0.34], atol=0.08)
    alone = DawidSkene().fit_aggregate(evidence).probs.argmax(1)
    assert np.mean(clf.beliefs_.probs.argmax(1) == data.truth) > np.mean(alone == data.truth)


def test_a_label_model_without_channels_stands_in_for_them() -> None:
    data = blobs(200, extra=0.0)
    votes = votes_on(data.truth, [0.9, 0.8, 0.8])
    for objective in ("em", "expected", "auto"):
        clf = PartialLabelClassifier(objective=objective, label_model=MajorityVote())
        assert clf.fit(data.X, votes).score(data.X, data.names) > 0.8
        assert isinstance(clf.label_model_, MajorityVote)


def test_without_votes_there_is_no_label_model(narrowed: Blobs) -> None:
    clf = PartialLabelClassifier(objective="expected").fit(narrowed.X, narrowed.candidates)
    assert clf.label_model_ is None
    assert clf.reliability_ is None
    assert clf.status_ is Outcome.ONCE


def test_beliefs_keep_to_the_candidates_and_carry_the_ids(narrowed: Blobs) -> None:
    ids = np.array([f"row {i}" for i in range(150)])
    cands = Candidates.from_mask(narrowed.mask, LABELS, items=ids)
    clf = PartialLabelClassifier(objective="em").fit(narrowed.X, cands)
    assert (clf.beliefs_.probs[~narrowed.mask] == 0).all()
    assert clf.beliefs_.item_ids.tolist() == ids.tolist()
    right = clf.beliefs_.probs.argmax(1) == narrowed.truth
    assert right.mean() > np.mean(clf.predict(narrowed.X) == narrowed.names)


def test_a_class_that_no_row_may_have_gets_no_probability(narrowed: Blobs) -> None:
    wide = LabelSpace([*LABELS.classes, "grey"])
    mask = np.column_stack([narrowed.mask, np.zeros(150, dtype=bool)])
    for objective in ("em", "average"):
        clf = PartialLabelClassifier(objective=objective)
        probs = clf.fit(narrowed.X, Candidates.from_mask(mask, wide)).predict_proba(narrowed.X)
        assert (probs[:, 3] == 0).all()
        assert np.allclose(probs.sum(1), 1)


def test_names_of_mixed_kinds_are_learnt(narrowed: Blobs) -> None:
    cands = Candidates.from_mask(narrowed.mask, LabelSpace([1, "one", 2.5]))
    clf = PartialLabelClassifier(objective="average").fit(narrowed.X, cands)
    assert set(clf.predict(narrowed.X).tolist()) == {1, "one", 2.5}


@pytest.mark.parametrize(
    ("y", "missing"),
    [
        (np.array([0.0, 1.0, np.nan, 1.0]), -1),
        (np.array([0, 1, -1, 1]), -1),
        (np.array([0, 1, 9, 1]), 9),
        (np.array([0, 1, None, 1], dtype=object), -1),
    ],
)
def test_gaps_in_plain_labels_are_rows_about_which_nothing_is_known(
    y: NDArray[Any], missing: Any
) -> None:
    X = np.array([[0.0], [4.0], [2.0], [4.0]])
    clf = PartialLabelClassifier(missing=missing).fit(X, y)
    assert clf.evidence_summary_["nothing"] == 1
    assert clf.predict([[0.0], [4.0]]).tolist() == [0, 1]


def test_gaps_among_strings() -> None:
    clf = PartialLabelClassifier(missing="?").fit([[0.0], [4.0], [2.0]], ["no", "yes", "?"])
    assert clf.classes_.tolist() == ["no", "yes"]
    assert clf.evidence_summary_["nothing"] == 1


def test_the_score_of_candidates_weighs_the_prediction_by_its_belief() -> None:
    data = blobs(60, extra=0.5)
    clf = PartialLabelClassifier(objective="average").fit(data.X, data.candidates)
    probs, total, counted = clf.predict_proba(data.X), 0.0, 0
    for p, allowed in zip(0.999 * probs + 0.001 / 3, data.mask, strict=True):
        if not allowed.all():
            counted += 1
            total += p.max() / p[allowed].sum() if allowed[p.argmax()] else 0.0
    assert clf.score(data.X, data.candidates) == pytest.approx(total / counted)


REFUSED_ESTIMATORS = [
    (StandardScaler(), "`estimator` must be a scikit-learn classifier; got StandardScaler"),
    (Perceptron(), r"`estimator` must have `predict_proba`; Perceptron.*CalibratedClassifierCV"),
    (SVC(), "`estimator` must have `predict_proba`; SVC"),
    (KNeighborsClassifier(), "`estimator` must take `sample_weight` in `fit`; KNeighborsClassif"),
    (make_pipeline(StandardScaler(), KNeighborsClassifier()), "KNeighborsClassifier doesn't"),
]


@pytest.mark.parametrize(("estimator", "message"), REFUSED_ESTIMATORS)
def test_an_estimator_that_beliefs_cant_train_is_refused(estimator: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        PartialLabelClassifier(estimator).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "max"}, "`objective` must be one of 'auto', 'em'.*; got 'max'"),
        ({"n_folds": 1}, "`n_folds` must be at least 2; got 1"),
        ({"max_iter": 0}, "`max_iter` must be at least 1; got 0"),
        ({"tol": -1.0}, "`tol` must be at least 0; got -1.0"),
        ({"threshold": 1.5}, r"`threshold` must lie in \[0, 1\]; got 1.5"),
        ({"objective": "hard", "threshold": 0.9}, "`threshold` must leave some row to train on"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    cands = Candidates.from_lists([["red", "blue"], ["red", "green"]], LABELS)
    with pytest.raises(InputError, match=message):
        PartialLabelClassifier(**settings).fit([[0.0], [1.0]], cands)


def test_evidence_that_says_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"`evidence` must say something about.* all 2 rows"):
        PartialLabelClassifier().fit([[0.0], [1.0]], Candidates.from_lists([None, None], LABELS))
    with pytest.raises(InputError, match="`y` must name at least two classes; got no label in 2"):
        PartialLabelClassifier().fit([[0.0], [1.0]], [-1, -1])


def test_other_kinds_are_refused(narrowed: Blobs) -> None:
    with pytest.raises(TypeError, match="`label_model` must be a label model; got str"):
        PartialLabelClassifier(label_model="ds").fit(narrowed.X, narrowed.candidates)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PartialLabelClassifier().fit(narrowed.X[:9], narrowed.candidates)
    with pytest.raises(ValueError, match="Unknown label type"):
        PartialLabelClassifier().fit([[0.0], [1.0]], [0.1, 0.7])
    clf = PartialLabelClassifier(objective="average").fit(narrowed.X, narrowed.candidates)
    other = Candidates.from_lists(["a"] * 150, LabelSpace(["a", "b"]))
    with pytest.raises(InputError, match="`y` must have the label space of `fit`"):
        clf.score(narrowed.X, other)
    with pytest.raises(InputError, match="`y` must hold a label; got none in 150 rows"):
        clf.score(narrowed.X, np.full(150, -1))


def test_refuses_a_bare_mask_and_names_its_reader() -> None:
    mask = np.array([[True, False, True], [False, True, False]])
    with pytest.raises(InputError, match=r"got a mask of shape \(2, 3\).*Candidates.from_mask"):
        PartialLabelClassifier().fit(np.zeros((2, 1)), mask)
