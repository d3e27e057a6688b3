"""Pool: a source of few votes is taken to be like the others."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partlabel.aggregate import DawidSkene, Outcome
from partlabel.aggregate.pool import Pool
from partlabel.channels import prior_counts, tied
from partlabel.errors import InputError
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
BINARY = LabelSpace(["no", "yes"])


def marginal(shares: list[float], counts: list[list[float]], strength: float) -> float:
    """Log marginal likelihood of the counts of one simplex, up to a constant, by `lgamma`."""
    total = 0.0
    for own in counts:
        total += math.lgamma(strength) - math.lgamma(strength + sum(own))
        for share, n in zip(shares, own, strict=True):
            total += math.lgamma(strength * share + n) - math.lgamma(strength * share)
    return total


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from(["full", "class", "one"]))
def test_each_step_raises_the_marginal_likelihood_and_the_last_is_its_top(
    seed: int, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    vocabulary = Votes.from_matrix(rng.integers(0, 3, (2, 4)), LABELS).vocabulary
    tying = tied(kind, vocabulary)
    behind = prior_counts(tying, vocabulary, 0.7, 5.0)
    pool = Pool.of(tying, vocabulary, behind, 8.0)
    counts = rng.gamma(0.5, 10.0, len(behind))

    def objective(pseudo_votes: np.ndarray) -> float:
        found = 0.0
        n_groups = tying.group.max() + 1
        for first in range(n_groups // 4):  # the groups of the first source
            alike = [
                np.flatnonzero(tying.group == first + source * n_groups // 4) for source in range(4)
            ]
            shares = (pseudo_votes[alike[0]] / 8.0).tolist()
            found += marginal(shares, [counts[cells].tolist() for cells in alike], 8.0)
            found += sum(
                a * math.log(s) for a, s in zip(behind[alike[0]].tolist(), shares, strict=True)
            )
        return found

    at, path = behind / 5.0 * 8.0, []
    for _ in range(400):
        path.append(objective(at))
        at = pool.updated(counts, at)
    assert (np.diff(path) >= -1e-9).all()
    for _ in range(10):
        near = pool.scaled(at * np.exp(0.05 * rng.normal(size=len(at)))[pool.twin], at)
        assert objective(near) <= objective(at) + 1e-6


def busy_and_rare(
    n_rare: int = 500, accuracy: float = 0.9, seed: int = 0
) -> tuple[Votes, np.ndarray]:
    """Ten workers with many votes, and many with three; all about as good."""
    rng = np.random.default_rng(seed)
    n_items, n = 1500, 10 + n_rare
    truth = rng.integers(0, 2, n_items)
    matrix = np.full((n_items, n), -1)
    for j, good in enumerate(rng.beta(20 * accuracy, 20 * (1 - accuracy), n)):
        rows = rng.choice(n_items, 300 if j < 10 else 3, replace=False)
        matrix[rows, j] = np.where(rng.random(len(rows)) < good, truth[rows], 1 - truth[rows])
    return Votes.from_matrix(matrix, BINARY), truth


@pytest.mark.parametrize("inference", ["em", "vb", "loo"])
def test_a_worker_of_three_votes_gets_the_pools_accuracy(inference: str) -> None:
    votes, truth = busy_and_rare()
    alone = DawidSkene(inference=inference).fit(votes)
    pooled = DawidSkene(pool=10.0, inference=inference).fit(votes)
    own = [np.diag(pooled.confusion_.matrix(name)).mean() for name in votes.sources[10:]]
    assert np.mean(own) == pytest.approx(0.9, abs=0.06)
    assert pooled.reliability_["accuracy"][10:].mean() == pytest.approx(0.9, abs=0.06)
    assert alone.reliability_["accuracy"][10:].mean() < 0.78
    loss = {
        model: -np.log(model.aggregate(votes).probs[np.arange(len(truth)), truth]).mean()
        for model in (alone, pooled)
    }
    assert loss[pooled] < loss[alone] - 0.01


def test_the_pool_may_be_poor_too() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 3000)
    said = np.where(rng.random((3000, 12)) < 0.5, truth[:, None], rng.integers(0, 3, (3000, 12)))
    said[3:, 11] = -1
    model = DawidSkene(pool=20.0).fit(Votes.from_matrix(said, LABELS))
    assert np.diag(model.confusion_.matrix("source_11")).mean() == pytest.approx(2 / 3, abs=0.06)


def test_with_variational_bayes_the_objective_never_falls() -> None:
    votes, _ = busy_and_rare(n_rare=50)
    for accelerate in (False, True):
        model = DawidSkene(pool=5.0, inference="vb", accelerate=accelerate, tol=1e-10).fit(votes)
        path = np.array(model.objective_path_)
        assert (np.diff(path) >= -1e-9 * np.abs(path[:-1])).all()
        assert model.status_ is Outcome.CONVERGED


def test_without_an_objective_it_runs_until_nothing_moves() -> None:
    votes, _ = busy_and_rare(n_rare=50)
    assert DawidSkene(pool=5.0).fit(votes).status_ is Outcome.SETTLED


def test_sources_with_other_words_have_a_pool_of_their_own() -> None:
    rng = np.random.default_rng(0)
    plain = Votes.from_matrix(rng.integers(0, 2, (50, 2)), BINARY)
    sure = rng.random(50)
    stated = Votes.from_probabilities(np.c_[sure, 1 - sure], BINARY, source="llm", bins=2)
    vocabulary = Votes.joined([plain, stated]).vocabulary
    tying = tied("full", vocabulary)
    pool = Pool.of(tying, vocabulary, np.ones(len(tying.group)), 1.0)
    source = tying.group // 2
    assert (source[pool.twin[source == 1]] == 0).all()
    assert (pool.twin[source == 2] == np.flatnonzero(source == 2)).all()
    for cell, (word, y) in enumerate(itertools.product(range(2), repeat=2)):
        assert pool.twin[4 + cell] == tying.cell[word, y]


def test_refuses_a_pool_of_nothing() -> None:
    with pytest.raises(InputError, match="`pool` must be positive; got 0"):
        DawidSkene(pool=0).fit(Votes.from_matrix([[0, 1]], BINARY))
