"""abstention="observed": that a source says nothing is an observation."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from partlabel.aggregate import DawidSkene
from partlabel.aggregate.observations import Observations
from partlabel.channels import Channels, log_likelihood
from partlabel.errors import InputError
from partlabel.evidence import Votes, as_evidence
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
BINARY = LabelSpace(["no", "yes"])
SHARES = [0.5, 0.3, 0.2]


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_beliefs_and_likelihood_agree_with_enumeration(seed: int) -> None:
    """Every source is asked about every item: did it speak, and what did it say."""
    matrix = np.random.default_rng(seed).integers(-1, 3, (6, 4))
    votes = Votes.from_matrix(matrix, LABELS)
    model = DawidSkene(abstention="observed", class_prior=SHARES, tol=1e-4).fit(votes)
    words, speaks = model.confusion_.probs, model.confusion_.speaks
    found, total = model.aggregate(votes).probs, 0.0
    for i, row in enumerate(matrix):
        belief = list(SHARES)
        for y in range(3):
            for j, word in enumerate(row):
                told = speaks[j, y] * words[3 * j + word, y] if word >= 0 else 1 - speaks[j, y]
                belief[y] *= told
        total += math.log(sum(belief))
        np.testing.assert_allclose(found[i], np.array(belief) / sum(belief), atol=1e-9)
    evidence = log_likelihood(votes, Channels(votes=model.confusion_))
    np.testing.assert_allclose(softmax(evidence + np.log(SHARES), axis=1), found, atol=1e-9)
    problem = model._problem(as_evidence(votes), votes)
    masses = problem.silence.pseudo_items(votes, 10.0).reshape(2, 4, 3)
    masses[0], masses[1] = speaks, 1 - speaks
    theta = np.concatenate([words.ravel(), masses.ravel()])
    assert problem.e_step(problem.parameters(theta, np.array(SHARES)))[2] == pytest.approx(total)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from(["em", "vb"]), st.sampled_from([1, 2]))
def test_the_objective_never_falls(seed: int, inference: str, subtypes: int) -> None:
    votes = Votes.from_matrix(np.random.default_rng(seed).integers(-1, 3, (12, 3)), LABELS)
    model = DawidSkene(
        abstention="observed", inference=inference, subtypes=subtypes, class_prior="learnt",
        strength=1.0, tol=1e-10, max_iter=2000,
    ).fit(votes)  # fmt: skip
    path = np.array(model.objective_path_)
    assert (np.diff(path) >= -1e-9 * np.abs(path[:-1])).all()


def selective(seed: int = 0, n_items: int = 3000) -> tuple[Votes, np.ndarray]:
    """Sources that say both classes, and speak up about one of them more often."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n_items)
    often = np.where(truth[:, None] == 0, [0.8, 0.3, 0.7, 0.2], [0.2, 0.7, 0.3, 0.8])
    matrix = np.where(rng.random((n_items, 4)) < 0.75, truth[:, None], 1 - truth[:, None])
    return Votes.from_matrix(np.where(rng.random((n_items, 4)) < often, matrix, -1), BINARY), truth


@pytest.mark.parametrize("inference", ["em", "vb"])
def test_silence_that_depends_on_the_class_is_learnt_and_worth_it(inference: str) -> None:
    votes, truth = selective()
    deaf = DawidSkene(inference=inference)
    hears = DawidSkene(inference=inference, abstention="observed")
    right = {m: (m.fit_aggregate(votes).probs.argmax(1) == truth).mean() for m in (deaf, hears)}
    assert right[hears] > right[deaf] + 0.15
    planted = [[0.8, 0.2], [0.3, 0.7], [0.7, 0.3], [0.2, 0.8]]
    np.testing.assert_allclose(hears.confusion_.speaks, planted, atol=0.05)
    assert deaf.confusion_.speaks is None


def test_silence_that_says_nothing_changes_little(planted) -> None:
    votes, truth = planted([0.8, 0.75, 0.7, 0.7], coverage=0.6, n_items=4000)
    model = DawidSkene(abstention="observed", strength=100.0).fit(votes)
    np.testing.assert_allclose(model.confusion_.speaks, 0.6, atol=0.08)
    ignored = DawidSkene(strength=100.0).fit_aggregate(votes).probs.argmax(axis=1)
    heard = model.aggregate(votes).probs.argmax(axis=1)
    assert (heard == truth).mean() > (ignored == truth).mean() - 0.01


def test_rows_that_share_an_answer_may_be_one_row() -> None:
    votes, _ = selective(n_items=400)
    model = DawidSkene(abstention="observed")
    problem = model._problem(as_evidence(votes), votes)
    start = next(model._starts(problem, votes.vocabulary))
    passes = [
        replace(problem, rows=Observations.of(as_evidence(votes), collapse=collapse)).step(start)
        for collapse in (False, True)
    ]
    assert passes[0][1] == pytest.approx(passes[1][1])
    np.testing.assert_allclose(passes[0][0].votes, passes[1][0].votes)


def test_rules_that_each_say_one_class_and_fire_independently_show_the_class_balance() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(5000) < 0.3
    often = np.where(truth[:, None], [0.5, 0.5, 0.5, 0.1], [0.1, 0.1, 0.1, 0.6])
    matrix = np.where(rng.random((5000, 4)) < often, [1, 1, 1, 0], -1)
    votes = Votes.from_matrix(matrix, BINARY)
    deaf = DawidSkene(class_prior="learnt").fit(votes)
    hears = DawidSkene(class_prior="learnt", abstention="observed").fit(votes)
    np.testing.assert_allclose(hears.class_prior_, [0.7, 0.3], atol=0.04)
    right = {m: (m.aggregate(votes).probs.argmax(1) == truth).mean() for m in (deaf, hears)}
    assert right[hears] > 0.85
    assert right[deaf] == pytest.approx(truth.mean())


def test_workers_who_were_not_asked_mislead() -> None:
    """The danger that the docs name: two shifts of workers come to be the two classes."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 3000)
    matrix = np.where(rng.random((3000, 20)) < 0.7, truth[:, None], 1 - truth[:, None])
    matrix[:1500, 10:] = matrix[1500:, :10] = -1
    matrix[rng.random(matrix.shape) < 0.5] = -1
    votes = Votes.from_matrix(matrix, BINARY)
    right = {
        how: (DawidSkene(abstention=how).fit_aggregate(votes).probs.argmax(1) == truth).mean()
        for how in ("ignore", "observed")
    }
    assert right["ignore"] > 0.8
    assert right["observed"] < 0.6


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"abstention": "heard"}, "`abstention` must be 'ignore' or 'observed'; got 'heard'"),
        (
            {"abstention": "observed", "inference": "loo"},
            "`abstention` must be 'ignore' with inference='loo'",
        ),
    ],
)
def test_refuses(setting: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DawidSkene(**setting).fit(Votes.from_matrix([[0, 1]], BINARY))
