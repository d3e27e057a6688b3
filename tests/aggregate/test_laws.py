"""Laws that every one of these label models keeps."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from partlabel.aggregate import (
    GLAD,
    MACE,
    Aggregator,
    DawidSkene,
    LabelModel,
    MajorityVote,
    Triplets,
    WeightedVote,
)
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
MODELS = [
    WeightedVote(),
    WeightedVote(n_rounds=50),
    MACE(class_prior="learnt", tol=1e-11, max_iter=5000),
    GLAD(class_prior="learnt", tol=1e-11, max_iter=5000),
    Triplets(),
]
ALL_MODELS = [
    *MODELS,
    MajorityVote(),
    DawidSkene(),
    DawidSkene(tying="one", class_prior="learnt", tol=1e-10, max_iter=2000),
    DawidSkene(tying="class"),
    DawidSkene(inference="vb"),
    DawidSkene(inference="loo"),
    LabelModel(),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=str)


def random_matrix(seed: int, shape: tuple[int, int] = (15, 4)) -> np.ndarray:
    """Codes of sources that are right more often than not, and often silent."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (shape[0], 1))
    said = np.where(rng.random(shape) < 0.6, truth, rng.integers(0, 3, shape))
    return np.where(rng.random(shape) < 0.8, said, -1)


@every_model
@settings(max_examples=15)
@given(st.permutations(range(3)), st.integers(0, 1000))
def test_renaming_classes_renames_beliefs(model: Aggregator, order: list[int], seed: int) -> None:
    matrix = random_matrix(seed)
    renamed = np.where(matrix >= 0, np.array(order)[matrix], -1)
    one = clone(model).fit_aggregate(Votes.from_matrix(matrix, LABELS)).probs
    two = clone(model).fit_aggregate(Votes.from_matrix(renamed, LABELS)).probs
    np.testing.assert_allclose(two[:, order], one, atol=1e-5)


@every_model
@settings(max_examples=15)
@given(st.permutations(range(15)), st.permutations(range(4)), st.integers(0, 1000))
def test_order_of_items_and_sources_is_only_an_order(
    model: Aggregator, items: list[int], sources: list[int], seed: int
) -> None:
    matrix = random_matrix(seed)
    one = clone(model).fit(Votes.from_matrix(matrix, LABELS))
    shuffled = Votes.from_matrix(matrix[np.ix_(items, sources)], LABELS)
    two = clone(model).fit(shuffled)
    expected = one.aggregate(Votes.from_matrix(matrix, LABELS)).probs[items]
    np.testing.assert_allclose(two.aggregate(shuffled).probs, expected, atol=1e-5)
    accuracy = one.reliability_["accuracy"].to_numpy()[sources]
    np.testing.assert_allclose(two.reliability_["accuracy"], accuracy, atol=1e-5)


@every_model
def test_the_belief_about_an_item_is_its_own(model: Aggregator) -> None:
    votes = Votes.from_matrix(random_matrix(3, (40, 5)), LABELS)
    fitted = clone(model).fit(votes)
    whole = fitted.aggregate(votes).probs
    parts = [fitted.aggregate(votes.select(rows)).probs for rows in (slice(0, 7), slice(7, 40))]
    np.testing.assert_allclose(np.vstack(parts), whole, atol=1e-12)


@every_model
def test_gold_is_certain_and_candidates_restrict(model: Aggregator) -> None:
    votes = Votes.from_matrix(random_matrix(4, (30, 4)), LABELS)
    gold = Candidates.from_labels(["b"] + [None] * 29, LABELS)
    sets = Candidates.from_lists([None, ["a", "c"]] + [None] * 28, LABELS)
    probs = clone(model).fit_aggregate(Evidence(votes=votes, gold=gold, candidates=sets)).probs
    np.testing.assert_allclose(probs[0], [0, 1, 0])
    assert probs[1, 1] == 0
    assert probs[1].sum() == pytest.approx(1)


@every_model
def test_gold_teaches_who_is_right(model: Aggregator) -> None:
    """Two liars outvote an honest source, until gold says so."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 300)
    lie = (truth + rng.integers(1, 3, (2, 300))) % 3
    votes = Votes.from_matrix(np.column_stack([truth, lie[0], lie[1]]), LABELS)
    gold = Candidates.from_labels(np.where(np.arange(300) < 240, truth, -1), LABELS, missing=-1)
    probs = clone(model).fit_aggregate(Evidence(votes=votes, gold=gold)).probs
    assert (probs.argmax(axis=1) == truth)[240:].mean() > 0.95


@every_model
def test_an_item_nobody_spoke_about_keeps_what_is_known_without_votes(model: Aggregator) -> None:
    matrix = random_matrix(5, (60, 4))
    fitted = clone(model).fit(Votes.from_matrix(matrix, LABELS))
    prior = getattr(fitted, "class_prior_", np.full(3, 1 / 3))
    silent = fitted.aggregate(Votes.from_matrix([[-1, -1, -1, -1]], LABELS)).probs
    np.testing.assert_allclose(silent, [prior])
    narrowed = fitted.aggregate(Candidates.from_lists([["a", "b"]], LABELS)).probs
    np.testing.assert_allclose(narrowed, [[*(prior[:2] / prior[:2].sum()), 0]])


@every_model
def test_a_vote_for_a_set_speaks_for_its_classes(model: Aggregator) -> None:
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c"])[rng.integers(0, 3, 120)].tolist()
    coarse = [["a", "b"] if name != "c" else ["c"] for name in names]
    columns = {"coarse": coarse, "x": names, "y": names, "z": names}
    fitted = clone(model).fit(Votes.from_columns(columns, labels=LABELS))
    new = {"coarse": [["a", "b"]], "x": [None], "y": [None], "z": [None]}
    belief = fitted.aggregate(Votes.from_columns(new, labels=LABELS)).probs[0]
    assert belief[0] == pytest.approx(belief[1], abs=0.05)
    assert belief[2] < 0.2


@every_model
def test_a_single_good_source_among_poor_ones_is_found(model: Aggregator, planted) -> None:
    votes, truth = planted([0.9, 0.45, 0.45, 0.45, 0.45], n_items=3000)
    right = (clone(model).fit_aggregate(votes).probs.argmax(axis=1) == truth).mean()
    majority = (MajorityVote().fit_aggregate(votes).probs.argmax(axis=1) == truth).mean()
    assert right > majority + 0.02


@every_model
def test_keeps_scikit_learns_promises(model: Aggregator) -> None:
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        clone(model).aggregate(Votes.from_matrix([[0]], LABELS))


@every_model
def test_refuses_evidence_without_votes(model: Aggregator) -> None:
    with pytest.raises(InputError, match="`evidence` must hold votes for a label model"):
        clone(model).fit(Candidates.from_labels(["a"], LABELS))


@every_model
def test_refuses_sources_and_labels_that_it_never_saw(model: Aggregator) -> None:
    fitted = clone(model).fit(Votes.from_matrix(random_matrix(6), LABELS))
    with pytest.raises(InputError, match="'stranger'"):
        fitted.aggregate(Votes.from_matrix([[0]], LABELS, sources=["stranger"]))
    with pytest.raises(InputError, match="must have the label space of `fit`"):
        fitted.aggregate(Votes.from_matrix([[0] * 4], LabelSpace(["a", "b"])))


def crowd_like(seed: int) -> Votes:
    """Nine workers, four of them asked about each item."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (120, 1))
    said = np.where(rng.random((120, 9)) < 0.65, truth, rng.integers(0, 3, (120, 9)))
    said[rng.random((120, 9)).argsort(axis=1) >= 4] = -1
    return Votes.from_matrix(said, LABELS)


def rules_like(seed: int) -> Votes:
    """Nine rules that each say one class, on some items."""
    rng = np.random.default_rng(seed)
    truth, says = rng.integers(0, 3, (300, 1)), np.arange(9) % 3
    fires = rng.random((300, 9)) < np.where(says == truth, 0.4, 0.1)
    return Votes.from_matrix(np.where(fires, says, -1), LABELS)


@pytest.mark.parametrize("model", ALL_MODELS, ids=str)
@pytest.mark.parametrize("kind", [crowd_like, rules_like])
@pytest.mark.parametrize("seed", range(2))
def test_orders_and_names_are_only_that(
    model: Aggregator, kind: Callable[[int], Votes], seed: int
) -> None:
    votes, rng = kind(seed), np.random.default_rng(seed)
    matrix = np.full((votes.n_items, votes.n_sources), -1)
    matrix[votes.item, votes.source] = votes.vocabulary.meaning[votes.symbol]
    items, sources = rng.permutation(votes.n_items), rng.permutation(votes.n_sources)
    names = [f"renamed {place}" for place in rng.permutation(votes.n_sources)]
    shuffled = Votes.from_matrix(
        matrix[np.ix_(items, sources)], LABELS, sources=names, items=[f"i{row}" for row in items]
    )
    one, two = clone(model).fit(votes), clone(model).fit(shuffled)
    np.testing.assert_allclose(
        two.aggregate(shuffled).probs, one.aggregate(votes).probs[items], atol=2e-3
    )
    assert two.reliability_["source"].to_list() == names
    for column in ("accuracy", "accuracy_low", "accuracy_high", "coverage", "conflict"):
        np.testing.assert_allclose(
            two.reliability_[column], one.reliability_[column].to_numpy()[sources], atol=2e-3
        )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("copied", [0, 4, 8])
def test_five_copies_of_a_source_change_nothing_for_the_default(seed: int, copied: int) -> None:
    """On sources from poor to good, whichever is copied."""
    rng = np.random.default_rng(seed)
    truth, skill = rng.integers(0, 3, 800), np.linspace(0.4, 0.9, 9)
    wrong = (truth[:, None] + rng.integers(1, 3, (800, 9))) % 3
    said = np.where(rng.random((800, 9)) < skill, truth[:, None], wrong)
    said[rng.random((800, 9)).argsort(axis=1) >= 5] = -1
    more = np.column_stack([said, *[said[:, copied]] * 5])
    before, after = (
        (LabelModel().fit_aggregate(Votes.from_matrix(m, LABELS)).probs.argmax(axis=1) == truth)
        for m in (said, more)
    )
    assert abs(before.mean() - after.mean()) < 0.005
