"""The objective is chosen by held-out evidence, and says why."""

import numpy as np
from scipy.special import log_softmax, logsumexp
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression

from partlabel import PartialLabelClassifier
from partlabel.learn.choose import tempered_marginal

from .conftest import Blobs, blobs, votes_on


def test_the_choice_is_the_highest_score_and_says_so(narrowed: Blobs) -> None:
    clf = PartialLabelClassifier().fit(narrowed.X, narrowed.candidates)
    assert clf.objective_ in ("em", "average")
    assert clf.choice_.startswith(f"'{clf.objective_}'")
    assert "held-out" in clf.choice_
    named = PartialLabelClassifier(objective=clf.objective_, out_of_fold=clf.out_of_fold_)
    named.fit(narrowed.X, narrowed.candidates)
    assert np.array_equal(named.predict_proba(narrowed.X), clf.predict_proba(narrowed.X))
    assert named.choice_ == f"'{clf.objective_}', as you asked."


def test_confusing_candidates_are_left_to_em_by_a_linear_model() -> None:
    data = blobs(300, extra=0.0, spread=1.0)
    mask = np.eye(3, dtype=bool)[data.truth]
    mask[:, 0] |= np.random.default_rng(0).random(300) < 0.8  # red is a candidate nearly everywhere
    data = data._replace(mask=mask)
    clf = PartialLabelClassifier(LogisticRegression()).fit(data.X, data.candidates)
    assert clf.objective_ == "em"


def test_in_sample_a_model_that_memorises_only_confirms_its_start(narrowed: Blobs) -> None:
    forest = ExtraTreesClassifier(30, random_state=0)
    em = PartialLabelClassifier(forest, objective="em", out_of_fold=False)
    average = PartialLabelClassifier(forest, objective="average")
    confirmed = em.fit(narrowed.X, narrowed.candidates).predict_proba(narrowed.X)
    told = average.fit(narrowed.X, narrowed.candidates).predict_proba(narrowed.X)
    assert np.allclose(confirmed, told, atol=0.01)


def test_exact_labels_leave_nothing_to_choose(narrowed: Blobs) -> None:
    clf = PartialLabelClassifier().fit(narrowed.X, narrowed.names)
    assert clf.choice_ == "'expected', because every label is exact: there is nothing to choose."


def test_few_rows_are_not_held_out(narrowed: Blobs) -> None:
    clf = PartialLabelClassifier().fit(narrowed.X[:9], narrowed.candidates.select(slice(0, 9)))
    assert "too few to hold some out" in clf.choice_


def test_votes_bring_the_label_model_into_the_choice() -> None:
    data = blobs(200, extra=0.0)
    clf = PartialLabelClassifier().fit(data.X, votes_on(data.truth, [0.9, 0.7, 0.4]))
    assert all(f"'{way}'" in clf.choice_ for way in ("average", "expected", "em"))


def test_the_score_is_the_best_over_a_grid_of_temperatures() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 4))
    probs = np.exp(log_softmax(logits, axis=1))
    likelihood = np.log(np.where(np.eye(4, dtype=bool)[rng.integers(0, 4, 50)], 1.0, 0.2))
    grid = [
        np.mean(logsumexp(log_softmax(s * logits, axis=1) + likelihood, axis=1))
        for s in np.exp(np.linspace(-3, 3, 2001))
    ]
    assert np.isclose(tempered_marginal(probs, likelihood), max(grid), atol=1e-5)


def test_how_sure_a_model_is_doesnt_count() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(80, 3))
    said = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)  # drawn from the softmax
    likelihood = np.log(np.where(np.eye(3, dtype=bool)[said], 1.0, 0.01))
    timid, bold = (np.exp(log_softmax(s * logits, axis=1)) for s in (0.5, 2.0))
    assert np.isclose(
        tempered_marginal(timid, likelihood), tempered_marginal(bold, likelihood), atol=1e-3
    )
