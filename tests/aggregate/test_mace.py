"""MACE against plain-Python enumeration of labels and of which votes are copies; laws of EM."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from partlabel.aggregate import MACE, MajorityVote, Outcome
from partlabel.aggregate.mace import Parameters
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
PRIOR = [0.5, 0.3, 0.2]
QUICK = {"tol": 1e-10, "max_iter": 2000}


def random_case(seed: int, n_items: int = 4) -> Evidence:
    """Votes for classes and sets, with candidates."""
    rng = np.random.default_rng(seed)
    words = [None, "a", "b", "c", ["a", "b"], ["b", "c"]]
    columns = {f"s{j}": [words[w] for w in rng.integers(0, 6, n_items)] for j in range(3)}
    columns["s0"][0] = "a"
    mask = rng.random((n_items, 3)) < 0.8
    mask[np.arange(n_items), rng.integers(0, 3, n_items)] = True
    votes = Votes.from_columns(columns, labels=LABELS)
    return Evidence(votes=votes, candidates=Candidates.from_mask(mask, LABELS))


def random_parameters(seed: int, votes: Votes) -> Parameters:
    rng = np.random.default_rng(seed)
    copying = rng.uniform(0.05, 0.95, votes.n_sources)
    spam = np.concatenate([rng.dirichlet(np.ones(n)) for n in np.diff(votes.vocabulary.first)])
    return Parameters(copying, spam, np.array(PRIOR))


def by_enumeration(evidence: Evidence, at: Parameters) -> tuple[np.ndarray, float, dict, dict]:
    """Beliefs, log-likelihood, and expected copies (by source) and spam (by word)."""
    votes, mask = evidence.votes, evidence.candidates.mask()
    vocabulary, members = votes.vocabulary, votes.vocabulary.members()
    beliefs, log_likelihood = np.zeros(mask.shape), 0.0
    copies: dict[int, float] = dict.fromkeys(range(votes.n_sources), 0.0)
    spam: dict[int, float] = dict.fromkeys(range(len(vocabulary)), 0.0)
    for i in range(len(evidence)):
        said = [int(s) for s in votes.symbol[votes.indptr[i] : votes.indptr[i + 1]]]
        ways = []
        for y, copied in itertools.product(
            range(3), itertools.product([True, False], repeat=len(said))
        ):
            p = PRIOR[y] * mask[i, y]
            for s, copy in zip(said, copied, strict=True):
                j = int(vocabulary.source[s])
                fitting = sum(members[vocabulary.source == j, y])
                spread = members[s, y] / fitting
                p *= at.copying[j] * spread if copy else (1 - at.copying[j]) * at.spam[s]
            ways.append((y, copied, p))
        total = sum(p for *_, p in ways)
        log_likelihood += math.log(total)
        for y, copied, p in ways:
            beliefs[i, y] += p / total
            for s, copy in zip(said, copied, strict=True):
                if copy:
                    copies[int(vocabulary.source[s])] += p / total
                else:
                    spam[s] += p / total
    return beliefs, log_likelihood, copies, spam


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_a_step_agrees_with_enumeration(seed: int) -> None:
    evidence = random_case(seed)
    problem = MACE(class_prior=PRIOR, strength=3.0, spam_strength=0.4)._problem(evidence)
    at = random_parameters(seed, evidence.votes)
    counts, totals, log_likelihood = problem.e_step(at)
    beliefs, expected, copies, spam = by_enumeration(evidence, at)
    np.testing.assert_allclose(totals, beliefs.sum(axis=0), atol=1e-9)
    assert log_likelihood == pytest.approx(expected, abs=1e-9)
    fresh = problem.channel.m_step(counts, at.class_prior, at)
    vocabulary = evidence.votes.vocabulary
    for j in range(3):
        own = np.flatnonzero(vocabulary.source == j)
        mass = {s: spam[s] + 0.4 for s in own}
        spammed = sum(spam[s] for s in own)
        copying = (copies[j] + 1.5) / (copies[j] + spammed + 3.0)
        assert fresh.copying[j] == pytest.approx(copying, abs=1e-9)
        for s in own:
            assert fresh.spam[s] == pytest.approx(mass[s] / sum(mass.values()), abs=1e-9)


@given(st.integers(0, 10_000))
def test_beliefs_agree_with_enumeration(seed: int) -> None:
    evidence = random_case(seed)
    model = MACE(class_prior=PRIOR, max_iter=3, tol=1e-300)
    with pytest.warns(ConvergenceWarning):
        model.fit(evidence)
    at = Parameters(model.copying_, model.spam_, model.class_prior_)
    expected = by_enumeration(evidence, at)[0]
    np.testing.assert_allclose(model.aggregate(evidence).probs, expected, atol=1e-9)


@given(st.integers(0, 10_000), st.sampled_from(["uniform", "learnt"]))
def test_the_objective_never_falls(seed: int, class_prior: str) -> None:
    evidence = random_case(seed, n_items=15)
    path = np.array(MACE(class_prior=class_prior, **QUICK).fit(evidence).objective_path_)
    assert (np.diff(path) >= -1e-9 * np.abs(path[:-1])).all()


def test_the_end_beats_its_neighbours() -> None:
    evidence = random_case(1, n_items=40)
    model = MACE(class_prior="learnt", tol=1e-13, max_iter=20_000)
    problem = model._problem(evidence)
    model.fit(evidence)

    def objective(at: Parameters) -> float:
        priors = problem.channel.log_density(at) + problem.prior.log_density(at.class_prior)
        return problem.e_step(at)[2] + priors

    best = Parameters(model.copying_, model.spam_, model.class_prior_)
    source, rng = evidence.votes.vocabulary.source, np.random.default_rng(0)
    for _ in range(50):
        odds = best.copying / (1 - best.copying) * np.exp(0.02 * rng.normal(size=3))
        spam = best.spam * np.exp(0.02 * rng.normal(size=len(best.spam)))
        prior = best.class_prior * np.exp(0.02 * rng.normal(size=3))
        near = Parameters(
            odds / (1 + odds),
            spam / np.bincount(source, weights=spam)[source],
            prior / prior.sum(),
        )
        assert objective(near) <= objective(best) + 1e-7


def test_shares_of_halves_add_up() -> None:
    evidence = random_case(5, n_items=20)
    at = random_parameters(5, evidence.votes)
    whole = MACE()._problem(evidence).e_step(at)
    halves = [evidence.select(np.arange(9)), evidence.select(np.arange(9, 20))]
    parts = [MACE()._problem(half).e_step(at) for half in halves]
    for n in range(3):
        np.testing.assert_allclose(whole[n], parts[0][n] + parts[1][n], atol=1e-9)


def test_a_copy_says_any_word_that_holds_the_label() -> None:
    votes = Votes.from_columns({"x": ["a", ["a", "b"]]}, labels=LABELS)
    copies = MACE()._problem(Evidence(votes=votes)).channel.copies
    expected = [[1 / 2, 0, 0], [0, 1 / 2, 0], [0, 0, 1], [1 / 2, 1 / 2, 0]]  # a, b, c, {a, b}
    np.testing.assert_allclose(copies, expected)


def spammed(n_items: int, seed: int = 0) -> tuple[Votes, np.ndarray]:
    """Three sources that mostly know, and four that mostly click the same class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n_items)
    copying = np.array([0.7, 0.6, 0.6, 0.1, 0.1, 0.1, 0.1])
    habit = np.array([[1 / 3] * 3] * 3 + [[0.9, 0.05, 0.05]] * 4)
    spam = np.array([rng.choice(3, n_items, p=p) for p in habit]).T
    said = np.where(rng.random((n_items, 7)) < copying, truth[:, None], spam)
    return Votes.from_matrix(said, LABELS), truth


def test_finds_who_copies_and_what_the_others_click() -> None:
    votes, truth = spammed(20_000)
    model = MACE(**QUICK).fit(votes)
    expected = [0.7, 0.6, 0.6, 0.1, 0.1, 0.1, 0.1]
    np.testing.assert_allclose(model.copying_, expected, atol=0.03)
    np.testing.assert_allclose(model.spam_[9:].reshape(4, 3)[:, 0], 0.9, atol=0.03)
    right = (model.aggregate(votes).probs.argmax(axis=1) == truth).mean()
    majority = (MajorityVote().fit_aggregate(votes).probs.argmax(axis=1) == truth).mean()
    assert right > majority + 0.2


def test_its_own_beliefs_speak_for_its_own_channel() -> None:
    votes, _ = spammed(500)
    model = MACE(tol=1e-12, max_iter=5000).fit(votes)
    given_back = model.confusion_given(Evidence(votes=votes), model.aggregate(votes).probs)
    np.testing.assert_allclose(given_back.probs, model.confusion_.probs, atol=1e-4)
    np.testing.assert_allclose(model.confusion_.matrix("source_0").sum(axis=1), 1.0)


def test_a_thousand_votes_of_certain_sources_do_not_vanish() -> None:
    votes = Votes.from_matrix(np.zeros((2, 1000), dtype=int), LABELS)
    probs = MACE().fit_aggregate(votes).probs
    np.testing.assert_allclose(probs, [[1, 0, 0]] * 2, atol=1e-9)


def test_a_source_without_votes_keeps_its_prior() -> None:
    model = MACE().fit(Votes.from_matrix([[0, -1], [1, -1]], LABELS))
    assert model.copying_[1] == pytest.approx(0.5)
    assert model.spam_[3:] == pytest.approx([1 / 3] * 3)
    assert model.reliability_["verdict"][1] == "says nothing"


def test_says_when_it_did_not_converge() -> None:
    votes, _ = spammed(100)
    model = MACE(max_iter=2, tol=1e-300)
    with pytest.warns(ConvergenceWarning, match="MACE: `max_iter` was reached"):
        model.fit(votes)
    assert model.status_ is Outcome.MAX_ITER


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"copying": 1.0}, r"`copying` must lie in \(0, 1\); got 1.0"),
        ({"strength": 0.0}, "`strength` must be positive; got 0.0"),
        ({"spam_strength": -1.0}, "`spam_strength` must be positive; got -1.0"),
        ({"class_strength": 0.0}, "`class_strength` must be positive"),
        ({"max_iter": 0}, "`max_iter` must be at least 1; got 0"),
        ({"class_prior": "flat"}, "must be 'uniform', 'learnt' or an array; got 'flat'"),
        ({"class_prior": [0.5, 0.5]}, "must be 3 positive shares that add up to 1"),
    ],
)
def test_refuses_settings_out_of_range(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MACE(**setting).fit(Votes.from_matrix([[0, 1]], LABELS))


def test_crowd_votes_on_real_data(shared_data) -> None:
    """Products that match are rare: with their share learnt, .94 against the majority's .90."""
    folder = shared_data / "crowd" / "product"
    gold = pl.read_csv(folder / "gold.csv")
    labels = LabelSpace([0, 1])
    both = Evidence(
        votes=Votes.from_table(pl.read_csv(folder / "votes.csv"), labels=labels),
        gold=Candidates.from_labels(gold["label"], labels, items=gold["item"]),
    )
    decided = MACE(class_prior="learnt").fit_aggregate(both.votes).probs.argmax(axis=1)
    assert (decided == both.gold.codes()).mean() == pytest.approx(0.939, abs=0.003)
