"""Where EM starts, and annealing from there."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.aggregate import DawidSkene, run_em
from partlabel.aggregate.starts import annealed
from partlabel.errors import InputError
from partlabel.evidence import Votes, as_evidence
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])


@given(st.integers(0, 10_000), st.floats(0.05, 1.0))
def test_tempered_counts_agree_with_plain_python(seed: int, heat: float) -> None:
    matrix = np.random.default_rng(seed).integers(-1, 3, (5, 3))
    votes, shares = Votes.from_matrix(matrix, LABELS), [0.5, 0.3, 0.2]
    model = DawidSkene(class_prior=shares, tol=1e-3).fit(votes)
    problem = model._problem(as_evidence(votes), votes)
    table = model.confusion_.probs
    at = problem.parameters(table.ravel(), np.array(shares))
    expected, logs = np.zeros((9, 3)), 0.0
    for row in matrix:
        said = [3 * j + int(word) for j, word in enumerate(row) if word >= 0]
        belief = [
            (shares[y] * math.prod(float(table[s, y]) for s in said)) ** heat for y in range(3)
        ]
        logs += math.log(sum(belief))
        for s in said:
            expected[s] += np.array(belief) / sum(belief)
    counts, totals, found = problem.e_step(at, heat)
    np.testing.assert_allclose(counts, expected, atol=1e-9)
    assert totals.sum() == pytest.approx(5.0)
    assert found == pytest.approx(logs)


def by_other_names(seed: int, n_items: int = 1000) -> tuple[Votes, np.ndarray]:
    """Thirty workers, each with a name of their own for most classes: few agree with the truth."""
    rng, n = np.random.default_rng(seed), 30
    truth = rng.integers(0, 4, n_items)
    name = np.where(rng.random((n, 4)) < 0.2, np.arange(4), rng.integers(0, 4, (n, 4)))
    said = name[np.arange(n), truth[:, None]]
    said = np.where(rng.random(said.shape) < 0.9, said, rng.integers(0, 4, said.shape))
    said[rng.random(said.shape) > 0.3] = -1
    return Votes.from_matrix(said, LabelSpace(list("abcd"))), truth


def test_annealing_is_less_often_caught_by_the_first_verdict_of_weak_sources() -> None:
    right: dict[float, list[float]] = {1.0: [], 0.2: []}
    for seed in range(12):
        votes, truth = by_other_names(seed)
        for annealing, found in right.items():
            model = DawidSkene(annealing=annealing, max_iter=2000)
            found.append((model.fit_aggregate(votes).probs.argmax(1) == truth).mean())
    assert np.mean(right[0.2]) > np.mean(right[1.0]) + 0.05


def test_annealed_the_end_depends_less_on_the_start() -> None:
    """From ten tables at random: plain EM ends at several tops, annealed at the highest."""
    votes, _ = by_other_names(0)
    problem = DawidSkene()._problem(as_evidence(votes), votes)
    rng = np.random.default_rng(0)
    ends: dict[float, list[float]] = {1.0: [], 0.05: []}
    for _ in range(10):
        masses = problem.pseudo_votes * np.exp(rng.normal(size=len(problem.pseudo_votes)))
        for heat, found in ends.items():
            start = annealed(problem, problem.parameters(masses, problem.start), heat)
            climb = run_em(
                problem.step, [start], max_iter=2000, tol=1e-8, scale=1000, chart=problem
            )
            found.append(climb.objective)
    top = max(ends[0.05])
    assert np.ptp(ends[0.05]) < 0.1
    assert top > max(ends[1.0]) - 0.1
    assert sum(end < top - 1.0 for end in ends[1.0]) >= 3


def test_where_there_is_one_top_annealing_ends_there_too(planted) -> None:
    votes, _ = planted([0.9, 0.8, 0.8, 0.7])
    plain = DawidSkene(tol=1e-11).fit(votes)
    slow = DawidSkene(tol=1e-11, annealing=0.1).fit(votes)
    assert slow.objective_path_[-1] == pytest.approx(plain.objective_path_[-1])
    assert slow.start_ == 0


def test_the_start_that_was_kept_is_the_one_with_the_highest_end() -> None:
    votes, _ = by_other_names(5)
    many = DawidSkene(n_starts=4, max_iter=2000).fit(votes)
    alone = [DawidSkene(n_starts=n, max_iter=2000).fit(votes) for n in range(1, 5)]
    assert many.objective_path_[-1] == max(model.objective_path_[-1] for model in alone)
    assert many.start_ == next(
        n for n, m in enumerate(alone) if m.objective_path_[-1] == many.objective_path_[-1]
    )


@pytest.mark.parametrize("annealing", [0.0, 1.5])
def test_refuses_a_power_out_of_range(annealing: float) -> None:
    with pytest.raises(InputError, match=r"`annealing` must lie in \(0, 1\]; got"):
        DawidSkene(annealing=annealing).fit(Votes.from_matrix([[0, 1]], LABELS))
