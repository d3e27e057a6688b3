"""Subtypes: sources that err together within a class."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partlabel.aggregate import DawidSkene, MajorityVote
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
BINARY = LabelSpace(["no", "yes"])


def random_evidence(seed: int, n_items: int = 3) -> tuple[Evidence, np.ndarray]:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-1, 3, (n_items, 3))
    mask = rng.random((n_items, 3)) < 0.8
    mask[np.arange(n_items), rng.integers(0, 3, n_items)] = True
    votes = Votes.from_matrix(matrix, LABELS)
    return Evidence(votes=votes, candidates=Candidates.from_mask(mask, LABELS)), matrix


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.booleans())
def test_beliefs_and_likelihood_agree_with_enumeration(seed: int, own_prior: bool) -> None:
    """Every item's classes and subtypes, one after the other."""
    evidence, matrix = random_evidence(seed)
    shares = [0.5, 0.3, 0.2]
    model = DawidSkene(subtypes=2, class_prior=shares, tol=1e-3).fit(evidence)
    given_ = np.random.default_rng(seed).dirichlet(np.ones(3), 3) if own_prior else [shares] * 3
    found = model.aggregate(evidence, given_ if own_prior else None).probs
    table, states = model._states.channel.probs, model._states.prior.reshape(3, 2)
    np.testing.assert_allclose(states.sum(axis=1), shares)
    mask, total = evidence.candidates.mask(), 0.0
    for i in range(3):
        belief = np.zeros(3)
        for y, m in itertools.product(range(3), range(2)):
            p = given_[i][y] * states[y, m] / states[y].sum() * mask[i, y]
            for j, word in enumerate(matrix[i]):
                p *= table[3 * j + word, 2 * y + m] if word >= 0 else 1.0
            belief[y] += p
        total += math.log(belief.sum())
        np.testing.assert_allclose(found[i], belief / belief.sum(), rtol=0, atol=1e-9)
    if not own_prior:
        problem = model._problem(evidence, evidence.votes)
        at = problem.parameters(problem.pseudo_votes, np.ones(6))
        at = replace(at, table=table, class_prior=model._states.prior)
        assert problem.e_step(at)[2] == pytest.approx(total, abs=1e-9)
        np.testing.assert_allclose(model.class_prior_, shares)


@settings(max_examples=20)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["full", "class", "one"]),
    st.sampled_from(["uniform", "learnt"]),
    st.sampled_from(["em", "vb"]),
)
def test_the_objective_never_falls(seed: int, tying: str, class_prior: str, inference: str) -> None:
    evidence, _ = random_evidence(seed, n_items=12)
    model = DawidSkene(
        subtypes=2, tying=tying, class_prior=class_prior, inference=inference, strength=1.0,
        tol=1e-10, max_iter=2000, accelerate=False,
    ).fit(evidence)  # fmt: skip
    path = np.array(model.objective_path_)
    assert (np.diff(path) >= -1e-9 * np.abs(path[:-1])).all()


def with_a_misleading_cue(seed: int = 0, n_items: int = 3000) -> tuple[Votes, np.ndarray]:
    """Five workers go by one cue, which misleads on a third of the items; four look themselves."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n_items)
    cue = np.where(rng.random(n_items) < 0.3, 1 - truth, truth)
    follow = np.where(rng.random((n_items, 5)) < 0.92, cue[:, None], 1 - cue[:, None])
    look = np.where(rng.random((n_items, 4)) < 0.75, truth[:, None], 1 - truth[:, None])
    return Votes.from_matrix(np.hstack([follow, look]), BINARY), truth


@pytest.mark.parametrize("inference", ["em", "vb"])
def test_workers_who_err_together_count_for_less(inference: str) -> None:
    votes, truth = with_a_misleading_cue()
    right = {
        name: (model.fit_aggregate(votes).probs.argmax(axis=1) == truth).mean()
        for name, model in {
            "majority": MajorityVote(),
            "independent": DawidSkene(inference=inference),
            "subtypes": DawidSkene(inference=inference, subtypes=2),
        }.items()
    }
    assert right["subtypes"] > 0.87
    assert right["subtypes"] > right["independent"] + 0.1
    assert right["subtypes"] > right["majority"] + 0.1


def test_what_is_shown_is_the_mixture_of_a_classs_subtypes() -> None:
    votes, truth = with_a_misleading_cue()
    model = DawidSkene(subtypes=2, strength=1.0).fit(votes)
    assert model.confusion_.probs.shape == (18, 2)
    np.testing.assert_allclose(model.confusion_.probs.reshape(9, 2, 2).sum(axis=1), 1.0)
    said = votes.symbol.reshape(-1, 9) % 2
    for j in range(9):
        right = [(said[truth == y, j] == y).mean() for y in range(2)]
        found = np.diag(model.confusion_.matrix(f"source_{j}"))
        np.testing.assert_allclose(found, right, atol=0.05)
    assert model.reliability_["accuracy"].to_numpy() == pytest.approx(
        (said == truth[:, None]).mean(axis=0), abs=0.05
    )


@settings(max_examples=10)
@given(st.permutations(range(3)), st.permutations(range(4)), st.integers(0, 100))
def test_neither_names_nor_order_matter(names: list[int], sources: list[int], seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(-1, 3, (15, 4))
    renamed = np.where(matrix >= 0, np.array(names)[matrix], -1)[:, sources]
    model = DawidSkene(subtypes=2, strength=5.0, tol=1e-8, accelerate=False, max_iter=5000)
    one = model.fit_aggregate(Votes.from_matrix(matrix, LABELS)).probs
    two = model.fit_aggregate(Votes.from_matrix(renamed, LABELS)).probs
    np.testing.assert_allclose(two[:, names], one, atol=1e-4)


def test_refuses_no_subtype_at_all() -> None:
    with pytest.raises(InputError, match="`subtypes` must be at least 1; got 0"):
        DawidSkene(subtypes=0).fit(Votes.from_matrix([[0, 1]], BINARY))
