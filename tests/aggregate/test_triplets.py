import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from partlabel.aggregate import MajorityVote, Triplets
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.triplets import comparable, edges, pairs
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
BINARY = LabelSpace(["no", "yes"])


def paired(votes: Votes, known: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    rows = Observations.of(Evidence(votes=votes), collapse=known is None)
    known = np.zeros(len(rows.weight), dtype=bool) if known is None else known
    both, excess = pairs(rows, votes.vocabulary, comparable(votes), known)
    return both.toarray(), excess.toarray()


@pytest.mark.parametrize(
    "data",
    [
        {"n_classes": 2},
        {"n_classes": 2, "balance": [0.9, 0.1], "coverage": 0.5},
        {"n_classes": 4, "coverage": 0.6},
        {"n_classes": 4, "balance": [0.7, 0.1, 0.1, 0.1], "coverage": 0.6},
    ],
    ids=str,
)
def test_recovers_planted_accuracies(planted, data: dict[str, object]) -> None:
    """Whatever the number and shares of the classes; a chance source and a liar among them."""
    accuracies = [0.9, 0.8, 0.7, 0.6, 0.5, 0.2]
    votes, truth = planted(accuracies, n_items=20_000, **data)
    model = Triplets().fit(votes)
    np.testing.assert_allclose(model.accuracy_, accuracies, atol=0.025)
    assert model.identified_.all()
    right = (model.aggregate(votes).probs.argmax(axis=1) == truth).mean()
    majority = (MajorityVote().fit_aggregate(votes).probs.argmax(axis=1) == truth).mean()
    assert right > majority + 0.02


@given(st.lists(st.floats(-0.9, 0.9), min_size=3, max_size=6), st.integers(1, 100))
def test_exact_moments_give_exact_edges(edge: list[float], n: int) -> None:
    """Also beside sources at chance, whose moments are zero; up to the sign of all together."""
    a = np.array([*edge, 0.5, 0.6, 0.7, 0.0])
    if (a * np.abs(a)).sum() <= 0.3 or (np.abs(a) < 1e-2).sum() > 1:
        return
    excess = n * np.outer(a, a)
    found = edges(csr_array(np.full((len(a), len(a)), float(n))), csr_array(excess))
    np.testing.assert_allclose(found, a, atol=1e-6)


@given(st.integers(0, 10_000))
def test_pairs_by_looking_at_each_item(seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(-1, 3, (20, 4))
    votes = Votes.from_matrix(matrix, LABELS)
    known = np.arange(20) < 5
    both, excess = paired(votes, known)
    names_two = [len(set(column[column >= 0])) >= 2 for column in matrix.T]
    for j, k in itertools.product(range(4), repeat=2):
        there = (matrix[:, j] >= 0) & (matrix[:, k] >= 0) & ~known
        there &= names_two[j] and names_two[k]
        agree = (there & (matrix[:, j] == matrix[:, k])).sum()
        assert both[j, k] == there.sum()
        assert excess[j, k] == pytest.approx((3 * agree - there.sum()) / 2)


def test_with_two_classes_the_moment_is_that_of_plus_and_minus_one() -> None:
    matrix = np.random.default_rng(0).integers(0, 2, (50, 4))
    _, excess = paired(Votes.from_matrix(matrix, BINARY))
    signs = 2 * matrix - 1
    np.testing.assert_allclose(excess, signs.T @ signs)


def test_pairs_of_halves_add_up() -> None:
    votes = Votes.from_matrix(np.random.default_rng(1).integers(-1, 3, (60, 4)), LABELS)
    whole = paired(votes)
    parts = [paired(votes.select(rows)) for rows in (slice(0, 25), slice(25, 60))]
    for n in range(2):
        np.testing.assert_allclose(whole[n], parts[0][n] + parts[1][n])


def test_a_worked_triplet() -> None:
    said = [[0, 0, 0]] * 35 + [[1, 1, 1]] * 35 + [[0, 1, 1]] * 20 + [[1, 1, 0]] * 10
    model = Triplets().fit(Votes.from_matrix(said, BINARY))
    # of 100 items 0 and 1 agree on 80, 0 and 2 on 70, 1 and 2 on 90: moments .6, .4, .8
    edge = np.sqrt([0.6 * 0.4 / 0.8, 0.6 * 0.8 / 0.4, 0.4 * 0.8 / 0.6])
    expected = (100 * (1 + np.minimum(edge, 1)) / 2 + 7) / 110
    np.testing.assert_allclose(model.accuracy_, expected)


def test_a_rule_that_says_one_class_is_not_identified_and_keeps_the_prior(planted) -> None:
    votes, truth = planted([0.9, 0.8, 0.7], n_classes=2, n_items=5000)
    fires = np.random.default_rng(1).random(5000) < np.where(truth == 1, 0.6, 0.05)
    rule = Votes.from_matrix(np.where(fires, 1, -1)[:, None], votes.labels, sources=["rule"])
    model = Triplets(accuracy=0.75).fit(Votes.joined([votes, rule]))
    assert model.identified_.tolist() == [True, True, True, False]
    assert model.accuracy_[3] == pytest.approx(0.75)
    np.testing.assert_allclose(model.accuracy_[:3], [0.9, 0.8, 0.7], atol=0.03)


def test_known_items_speak_for_sources_that_agreement_does_not_identify() -> None:
    votes = Votes.from_matrix([[1, 1, 1]] * 40, BINARY)
    gold = Candidates.from_labels(["yes"] * 18 + ["no"] * 2 + [None] * 20, BINARY)
    model = Triplets().fit(Evidence(votes=votes, gold=gold))
    assert not model.identified_.any()
    np.testing.assert_allclose(model.accuracy_, (18 + 7) / 30)


def test_sources_that_never_meet_keep_the_prior() -> None:
    votes = Votes.from_matrix([[0, -1, -1], [-1, 1, -1], [-1, -1, 0], [1, 0, -1]], BINARY)
    model = Triplets().fit(votes)
    assert not model.identified_.any()
    np.testing.assert_allclose(model.accuracy_, 0.7)


def test_votes_for_sets_count_in_the_beliefs_only() -> None:
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c"])[rng.integers(0, 3, 200)].tolist()
    columns = {"x": names, "y": names, "z": names}
    plain = Triplets().fit(Votes.from_columns(columns, labels=LABELS))
    coarse = {"sets": [["a", "b"] if name != "c" else None for name in names]}
    votes = Votes.from_columns(columns | coarse, labels=LABELS)
    model = Triplets().fit(votes)
    np.testing.assert_allclose(model.accuracy_[:3], plain.accuracy_)
    assert not model.identified_[3]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"accuracy": 1.0}, r"`accuracy` must lie in \(0, 1\); got 1.0"),
        ({"strength": 0.0}, "`strength` must be positive; got 0.0"),
        ({"class_prior": "learnt"}, "`class_prior` must be 'uniform' or an array; got 'learnt'"),
        ({"class_prior": [0.5, 0.6]}, "must be 2 positive shares that add up to 1"),
    ],
)
def test_refuses_settings_out_of_range(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Triplets(**setting).fit(Votes.from_matrix([[0, 1, 1]], BINARY))


def test_refuses_two_sources() -> None:
    with pytest.raises(InputError, match=r"at least three sources .* it has 2\. Use"):
        Triplets().fit(Votes.from_matrix([[0, 1], [1, 1]], BINARY))
