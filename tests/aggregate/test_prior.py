"""A prior of each item's own: what it does to the beliefs, and when it is refused."""

from itertools import product

import numpy as np
import pytest
from sklearn.base import clone

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
RULES = LabelSpace(["no", "yes"])
N = 60
MODELS = [
    MajorityVote(),
    WeightedVote(),
    WeightedVote(n_rounds=50),
    DawidSkene(),
    DawidSkene(tying="one"),
    DawidSkene(inference="vb"),
    DawidSkene(inference="loo"),
    DawidSkene(pool=1.0),
    DawidSkene(subtypes=2, tol=1e-11, max_iter=5000),
    DawidSkene(abstention="observed"),
    MACE(),
    GLAD(),
    Triplets(),
]
every_model = pytest.mark.parametrize("model", [*MODELS, LabelModel()], ids=str)
one_model = pytest.mark.parametrize("model", MODELS, ids=str)
WITH_CLASS_PRIOR = [model for model in MODELS if "class_prior" in model.get_params()]


def planted(seed: int = 0, n_items: int = N) -> tuple[Votes, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n_items)
    said = np.where(
        rng.random((n_items, 4)) < 0.6, truth[:, None], rng.integers(0, 3, (n_items, 4))
    )
    said[rng.random(said.shape) < 0.2] = -1
    return Votes.from_matrix(said, LABELS), truth


def believed(seed: int = 0, n_items: int = N) -> np.ndarray:
    """A distribution for each item, no two alike."""
    return np.random.default_rng(seed).dirichlet([2.0, 2.0, 2.0], n_items)


@one_model
def test_an_even_prior_changes_nothing(model: Aggregator) -> None:
    votes, _ = planted()
    even = np.full((N, 3), 1 / 3)
    expected = clone(model).fit_aggregate(votes).probs
    np.testing.assert_allclose(clone(model).fit_aggregate(votes, even).probs, expected, atol=1e-9)


def test_an_even_prior_changes_nothing_for_rules_whose_balance_is_taken_as_even() -> None:
    rng = np.random.default_rng(0)
    said = np.where(rng.random((300, 4)) < 0.4, [0, 0, 1, 1], -1)
    votes = Votes.from_matrix(said, RULES)
    expected = LabelModel().fit_aggregate(votes).probs
    even = LabelModel().fit_aggregate(votes, np.full((300, 2), 0.5)).probs
    np.testing.assert_allclose(even, expected, atol=1e-9)


@pytest.mark.parametrize("model", WITH_CLASS_PRIOR, ids=str)
def test_the_same_shares_for_each_item_are_a_class_prior(model: Aggregator) -> None:
    votes, _ = planted()
    shares = np.array([0.5, 0.3, 0.2])
    given = clone(model).set_params(class_prior=shares).fit_aggregate(votes).probs
    each = np.tile(shares, (N, 1))
    np.testing.assert_allclose(clone(model).fit_aggregate(votes, each).probs, given, atol=1e-9)


@pytest.mark.parametrize("model", WITH_CLASS_PRIOR, ids=str)
def test_it_takes_the_place_of_the_class_prior(model: Aggregator) -> None:
    votes, _ = planted()
    other = "uniform" if isinstance(model, Triplets) else "learnt"
    ones = [
        clone(model).set_params(class_prior=setting).fit(votes, believed())
        for setting in ([0.5, 0.3, 0.2], "uniform", other)
    ]
    for fitted in ones:
        np.testing.assert_allclose(fitted.class_prior_, 1 / 3)
        np.testing.assert_array_equal(
            fitted.aggregate(votes, believed()).probs, ones[0].aggregate(votes, believed()).probs
        )


@one_model
def test_certainty_is_gold(model: Aggregator) -> None:
    votes, truth = planted()
    known = np.arange(N) < N // 2
    gold = Candidates.from_labels(np.where(known, truth, -1), LABELS, missing=-1)
    certain = np.where(known[:, None], np.eye(3)[truth], 1 / 3)
    expected = clone(model).fit_aggregate(Evidence(votes=votes, gold=gold)).probs
    probs = clone(model).fit_aggregate(votes, certain).probs
    np.testing.assert_allclose(probs, expected, atol=1e-9)


@every_model
def test_a_share_of_zero_rules_a_class_out(model: Aggregator) -> None:
    votes, _ = planted()
    prior = believed()
    prior[:20, 1] = 0
    prior /= prior.sum(axis=1, keepdims=True)
    probs = clone(model).fit_aggregate(votes, prior).probs
    assert (probs[:20, 1] == 0).all()
    assert np.isfinite(probs).all()


@pytest.mark.parametrize(
    "model",
    [m for m in [*MODELS, LabelModel()] if m.get_params().get("abstention") != "observed"],
    ids=str,
)
def test_an_item_nobody_spoke_about_keeps_its_prior(model: Aggregator) -> None:
    votes, _ = planted()
    fitted = clone(model).fit(votes)
    silent = Votes.from_matrix(np.full((5, 4), -1), LABELS)
    atol = 0.02 if isinstance(model, LabelModel) else 1e-12  # its members have no veto
    kept = fitted.aggregate(silent, believed(1, 5)).probs
    np.testing.assert_allclose(kept, believed(1, 5), atol=atol)


@every_model
def test_order_of_items_is_only_an_order(model: Aggregator) -> None:
    votes, _ = planted()
    order = np.random.default_rng(1).permutation(N)
    one = clone(model).fit_aggregate(votes, believed()).probs[order]
    two = clone(model).fit_aggregate(votes.select(order), believed()[order]).probs
    np.testing.assert_allclose(two, one, atol=1e-4)


@every_model
def test_renaming_classes_renames_beliefs(model: Aggregator) -> None:
    votes, _ = planted()
    order = np.array([2, 0, 1])
    matrix = np.full((N, 4), -1)
    matrix[votes.item, votes.source] = order[votes.vocabulary.meaning[votes.symbol]]
    renamed = np.empty((N, 3))
    renamed[:, order] = believed()
    one = clone(model).fit_aggregate(votes, believed()).probs
    two = clone(model).fit_aggregate(Votes.from_matrix(matrix, LABELS), renamed).probs
    np.testing.assert_allclose(two[:, order], one, atol=1e-4)


@every_model
def test_what_features_say_helps(model: Aggregator) -> None:
    votes, truth = planted(2, 600)
    hint = np.where(np.eye(3)[truth] == 1, 0.8, 0.1)
    wrong = np.random.default_rng(0).random(600) > 0.8  # as sure as it is right
    hint[wrong] = np.roll(hint[wrong], 1, axis=1)
    alone = (clone(model).fit_aggregate(votes).probs.argmax(axis=1) == truth).mean()
    helped = (clone(model).fit_aggregate(votes, hint).probs.argmax(axis=1) == truth).mean()
    assert helped > alone + 0.02


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model", [DawidSkene(), DawidSkene(tying="one"), MACE(), Triplets()])
def test_beliefs_are_prior_times_likelihood(model: Aggregator, seed: int) -> None:
    votes, _ = planted(seed)
    prior = believed(seed)
    fitted = clone(model).fit(votes, prior)
    table, matrix = fitted.confusion_.probs, np.zeros((N, 3))
    for item, k in product(range(N), range(3)):
        matrix[item, k] = prior[item, k]
        for word in votes.symbol[votes.indptr[item] : votes.indptr[item + 1]]:
            matrix[item, k] *= table[word, k]
    expected = matrix / matrix.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.aggregate(votes, prior).probs, expected, atol=1e-9)


def test_what_is_learnt_is_the_best_for_the_marginal_likelihood_under_the_prior() -> None:
    """By another way than EM: accuracies on a fine grid, one source at a time."""
    votes, truth = planted(4, 300)
    prior = 0.5 * np.eye(3)[truth] + 0.5 / 3
    fitted = DawidSkene(tying="one", tol=1e-12).fit(votes, prior)
    best = fitted.confusion_.probs.copy()

    def objective(j: int, right: float) -> float:
        table = best.copy()
        mine = votes.vocabulary.source == j
        means = votes.vocabulary.meaning[mine]
        table[mine] = np.where(np.eye(3)[means] == 1, right, (1 - right) / 2)
        belief = prior.copy()
        np.multiply.at(belief, votes.item, table[votes.symbol])
        pseudo = 10.0 * (0.7 * np.log(right) + 0.3 * np.log(1 - right))
        return np.log(belief.sum(axis=1)).sum() + pseudo

    for j in range(4):
        here = best[votes.vocabulary.source == j].max()
        grid = np.clip(here + np.linspace(-0.05, 0.05, 101), 0.01, 0.99)
        values = [objective(j, right) for right in grid]
        assert abs(grid[int(np.argmax(values))] - here) < 0.0015


@pytest.mark.parametrize("model", [DawidSkene(), DawidSkene(inference="vb"), MACE(), GLAD()])
def test_the_objective_never_falls(model: Aggregator) -> None:
    votes, _ = planted(5)
    path = np.diff(clone(model).fit(votes, believed(5)).objective_path_)
    assert (path > -1e-9 * N).all()


@every_model
def test_the_faintest_share_is_no_hole(model: Aggregator) -> None:
    """Where candidates leave only a class that features and all votes speak against."""
    said = np.random.default_rng(0).integers(0, 2, (N, 5))
    votes = Votes.from_matrix(said, LABELS)
    sets = Candidates.from_lists([["c"]] * 5 + [["b", "c"]] * (N - 5), LABELS)
    prior = np.tile([1 - 1e-300, 1e-300, 1e-310], (N, 1))
    probs = clone(model).fit_aggregate(Evidence(votes=votes, candidates=sets), prior).probs
    np.testing.assert_allclose(probs[:5], [[0, 0, 1]] * 5)
    assert np.isfinite(probs).all()


def test_the_default_says_so_and_still_hears_gold() -> None:
    votes, truth = planted(6, 300)
    gold = Candidates.from_labels(np.where(np.arange(300) < 60, truth, -1), LABELS, missing=-1)
    evidence = Evidence(votes=votes, gold=gold)
    model = LabelModel().fit(evidence, believed(6, 300))
    assert "The prior of each item takes the place of the class balance." in model.choice_
    assert "60 gold labels corrected" in model.choice_
    probs = model.aggregate(evidence, believed(6, 300)).probs
    np.testing.assert_array_equal(probs[:60], np.eye(3)[truth[:60]])


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (np.full((2, 3), 1 / 3), r"shape \(n_items, n_classes\) = \(3, 3\); got \(2, 3\)"),
        (np.full(3, 1 / 3), r"got \(3,\)"),
        ([[1, 0, 0], [0.5, 0.5, 0.5], [1, 0, 0]], r"add up to 1; got \[0.5, 0.5, 0.5\] at row y "),
        ([[1, 0, 0], [1, 0, 0], [np.nan, 1, 0]], r"got \[nan, 1.0, 0.0\] at row z \(1 of 3 rows\)"),
        ([[1.5, -0.5, 0], [1, 0, 0], [1, 0, 0]], r"got \[1.5, -0.5, 0.0\] at row x"),
        (
            [[1, 0, 0], [1, 0, 0], [0, 1, 0]],
            r"gold and candidates leave; got \[0.0, 1.0, 0.0\] .* z",
        ),
    ],
)
def test_refuses(prior: object, message: str) -> None:
    ids = np.array(["x", "y", "z"])
    votes = Votes.from_matrix([[0, 0, 0]] * 3, LABELS, items=ids)
    sets = Candidates.from_lists([None, None, ["a"]], LABELS, items=ids)
    evidence = Evidence(votes=votes, candidates=sets)
    fitted = DawidSkene().fit(evidence)
    with pytest.raises(InputError, match=message):
        DawidSkene().fit(evidence, prior)
    with pytest.raises(InputError, match=message):
        fitted.aggregate(evidence, prior)


def test_refuses_what_holds_no_numbers() -> None:
    votes, _ = planted()
    beliefs = MajorityVote().fit_aggregate(votes)
    with pytest.raises(TypeError, match=r"got Beliefs of object. Pass .* or `beliefs.probs`"):
        MajorityVote().fit(votes, beliefs)
