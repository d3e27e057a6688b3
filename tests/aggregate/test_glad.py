"""GLAD against plain Python, finite differences, and the laws of EM."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from sklearn.exceptions import ConvergenceWarning

from partlabel.aggregate import GLAD, DawidSkene, MajorityVote, Outcome
from partlabel.aggregate.easiness import passed_over
from partlabel.aggregate.glad import Parameters, Problem
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
QUICK = {"tol": 1e-9, "max_iter": 5000}


def random_case(seed: int, n_items: int = 8) -> Evidence:
    """Votes for classes and sets, with candidates."""
    rng = np.random.default_rng(seed)
    words = [None, "a", "b", "c", ["a", "b"], ["b", "c"]]
    columns = {f"s{j}": [words[w] for w in rng.integers(0, 6, n_items)] for j in range(4)}
    columns["s0"][0] = "a"
    mask = rng.random((n_items, 3)) < 0.8
    mask[np.arange(n_items), rng.integers(0, 3, n_items)] = True
    votes = Votes.from_columns(columns, labels=LABELS)
    return Evidence(votes=votes, candidates=Candidates.from_mask(mask, LABELS))


def problem_of(evidence: Evidence, model: GLAD | None = None) -> Problem:
    return (model or GLAD())._problem(evidence, evidence.votes)


def random_parameters(seed: int, problem: Problem) -> Parameters:
    rng = np.random.default_rng(seed)
    return Parameters(
        rng.normal(1, 1.5, 4), rng.normal(0, 1, len(problem.rows.weight)), rng.dirichlet([5, 5, 5])
    )


def passed(problem: Problem, at: Parameters) -> tuple:
    rows, words = problem.rows, problem.words
    with np.errstate(divide="ignore"):
        start = np.log(rows.sets * at.class_prior)
    return passed_over(
        rows.indptr, rows.symbol, rows.weight, rows.which, start,
        words.source, words.holds, words.log_share, at.ability, at.log_easiness,
    )  # fmt: skip


def log_sigmoid(x: float) -> float:
    return -float(np.logaddexp(0.0, -x))


def in_plain_python(
    evidence: Evidence, ability: np.ndarray, log_easiness: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Beliefs, and each item's log-likelihood."""
    votes, mask = evidence.votes, evidence.candidates.mask()
    source, members = votes.vocabulary.source, votes.vocabulary.members()
    joint = np.where(mask, np.log(prior), -np.inf)
    for item, s in zip(votes.item, votes.symbol, strict=True):
        own = members[source == source[s]]
        x = ability[source[s]] * math.exp(log_easiness[item])
        for y in range(3):
            fellows = sum(own[:, y] == members[s, y])  # its words that are as right as this one
            joint[item, y] += log_sigmoid(x if members[s, y] else -x) - math.log(fellows)
    return softmax(joint, axis=1), logsumexp(joint, axis=1)


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_the_e_step_is_its_plain_twin(seed: int) -> None:
    evidence = random_case(seed)
    problem = problem_of(evidence)
    at = random_parameters(seed, problem)
    beliefs, each = in_plain_python(evidence, at.ability, at.log_easiness, at.class_prior)
    *_, totals, objective = passed(problem, at)
    np.testing.assert_allclose(totals, beliefs.sum(axis=0), atol=1e-9)
    assert objective == pytest.approx(each.sum(), abs=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_the_gradient_is_that_of_finite_differences(seed: int) -> None:
    evidence = random_case(seed)
    problem, votes = problem_of(evidence), evidence.votes
    at = random_parameters(seed, problem)
    beliefs, _ = in_plain_python(evidence, at.ability, at.log_easiness, at.class_prior)
    right = (votes.vocabulary.members()[votes.symbol] * beliefs[votes.item]).sum(axis=1)
    fresh, gradient, curvature, *_ = passed(problem, at)

    def expected(ability: np.ndarray, log_easiness: np.ndarray) -> float:
        fit = 0.0
        for i, j, r in zip(votes.item, votes.source, right, strict=True):
            x = ability[j] * math.exp(log_easiness[i])
            fit += r * log_sigmoid(x) + (1 - r) * log_sigmoid(-x)
        return fit - ((ability - 1) ** 2).sum() / 2 - (log_easiness**2).sum() / 2

    for j in range(4):
        shift = 1e-5 * (np.arange(4) == j)
        rise = expected(at.ability + shift, fresh) - expected(at.ability - shift, fresh)
        assert gradient[j] - (at.ability[j] - 1) == pytest.approx(rise / 2e-5, rel=1e-4, abs=1e-4)
    stepped = at.ability + (gradient - (at.ability - 1)) / (curvature + 1)
    climb = [
        expected(at.ability, at.log_easiness),
        expected(at.ability, fresh),
        expected(stepped, fresh),
    ]
    assert climb[0] <= climb[1] + 1e-9
    assert climb[1] <= climb[2] + 1e-9


@given(st.integers(0, 10_000), st.floats(0.1, 30.0))
def test_no_step_falls_wherever_it_starts(seed: int, far: float) -> None:
    problem = problem_of(random_case(seed), GLAD(class_prior="learnt"))
    at = random_parameters(seed, problem)
    at = Parameters(far * at.ability, min(far, 5.0) * at.log_easiness, at.class_prior)
    path = []
    for _ in range(6):
        at, objective = problem.step(at)
        path.append(objective)
    assert (np.diff(path) >= -1e-9 * np.abs(path[:-1])).all()


@pytest.mark.parametrize("class_prior", ["uniform", "learnt"])
def test_the_end_beats_its_neighbours(class_prior: str) -> None:
    """With beliefs and easiness found anew at each neighbour."""
    evidence = random_case(2, n_items=30)
    model = GLAD(class_prior=class_prior, tol=1e-13, max_iter=20_000).fit(evidence)

    def objective(ability: np.ndarray, log_easiness: np.ndarray) -> float:
        _, each = in_plain_python(evidence, ability, log_easiness, model.class_prior_)
        return each.sum() - ((ability - 1) ** 2).sum() / 2 - (log_easiness**2).sum() / 2

    rng = np.random.default_rng(0)
    easiness = np.log(model.easiness_)
    best = objective(model.ability_, easiness)
    for _ in range(30):
        near = model.ability_ + 0.02 * rng.normal(size=4)
        assert objective(near, easiness + 0.02 * rng.normal(size=30)) <= best + 1e-6


def hard_and_easy(n_items: int = 3000, seed: int = 0) -> tuple[Votes, np.ndarray, np.ndarray]:
    """Two able sources and eight poor ones; three in four items are so easy that most are right."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n_items)
    easiness = np.where(rng.random(n_items) < 0.75, 6.0, 0.6)
    ability = np.array([2.0] * 2 + [0.4] * 8)
    right = rng.random((n_items, 10)) < 1 / (1 + np.exp(-ability * easiness[:, None]))
    said = np.where(right, truth[:, None], 1 - truth[:, None])
    return Votes.from_matrix(said, LabelSpace(["no", "yes"])), truth, easiness


def test_knows_who_to_ask_about_hard_items() -> None:
    votes, truth, easiness = hard_and_easy()
    model = GLAD(**QUICK).fit(votes)
    hard = easiness < 1

    def right(beliefs: np.ndarray) -> float:
        return float((beliefs.argmax(axis=1) == truth)[hard].mean())

    found = right(model.aggregate(votes).probs)
    assert found > right(DawidSkene(tying="one").fit_aggregate(votes).probs) + 0.012
    assert found > right(MajorityVote().fit_aggregate(votes).probs) + 0.05
    assert model.ability_[:2].min() > model.ability_[2:].max() + 0.5
    assert np.median(model.easiness_[hard]) < np.median(model.easiness_[~hard]) / 2


def test_an_item_is_judged_alike_in_fit_and_later() -> None:
    votes, _, _ = hard_and_easy(400)
    model = GLAD(**QUICK).fit(votes)
    alone = [model.aggregate(votes.select([i])).probs[0] for i in range(5)]
    np.testing.assert_allclose(alone, model.aggregate(votes).probs[:5], atol=1e-12)


def test_a_liar_has_an_ability_below_zero(planted) -> None:
    votes, _ = planted([0.9, 0.9, 0.8, 0.1], n_classes=2)
    ability = GLAD().fit(votes).ability_
    assert ability[3] < -0.5
    assert ability[:3].min() > 0.5


def test_hundreds_of_votes_do_not_vanish() -> None:
    votes = Votes.from_matrix(np.zeros((2, 500), dtype=int), LABELS)
    np.testing.assert_allclose(GLAD().fit_aggregate(votes).probs, [[1, 0, 0]] * 2, atol=1e-9)


def test_says_when_it_did_not_converge() -> None:
    votes, _, _ = hard_and_easy(100)
    model = GLAD(max_iter=2, tol=1e-300)
    with pytest.warns(ConvergenceWarning, match="GLAD: `max_iter` was reached"):
        model.fit(votes)
    assert model.status_ is Outcome.MAX_ITER


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"class_strength": 0.0}, "`class_strength` must be positive; got 0.0"),
        ({"max_iter": 0}, "`max_iter` must be at least 1; got 0"),
        ({"class_prior": "flat"}, "must be 'uniform', 'learnt' or an array; got 'flat'"),
        ({"class_prior": [1.0, 0.0, 0.0]}, "must be 3 positive shares that add up to 1"),
    ],
)
def test_refuses_settings_out_of_range(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GLAD(**setting).fit(Votes.from_matrix([[0, 1]], LABELS))
