"""class_prior="auto": the class balance is learnt where three sources tell the classes apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.aggregate import DawidSkene
from partlabel.aggregate.balance import BalanceChoice
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

BINARY = LabelSpace(["no", "yes"])


def in_triples(matrix: np.ndarray) -> float:
    """Share of the items with three votes of sources that say both classes, in plain Python."""
    columns = [[v for v in column if v >= 0] for column in matrix.T.tolist()]
    both = [len(set(column)) == 2 for column in columns]
    if any(sum(k in c for c, b in zip(columns, both, strict=True) if b) < 3 for k in range(2)):
        return 0.0
    heard = [sum(b and v >= 0 for v, b in zip(row, both, strict=True)) for row in matrix.tolist()]
    spoken = sum(max(row) >= 0 for row in matrix.tolist())
    share = sum(n >= 3 for n in heard) / max(spoken, 1)
    return share if share >= 0.05 else 0.0


@given(st.integers(0, 10_000), st.floats(0.2, 0.9))
def test_the_share_of_triples_agrees_with_counting_by_hand(seed: int, silent: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 2, (20, 5))
    matrix[rng.random(matrix.shape) < silent] = -1
    matrix[:, 0] = np.where(matrix[:, 0] >= 0, 1, -1)
    choice = BalanceChoice.of(Votes.from_matrix(matrix, BINARY))
    assert choice.weight == pytest.approx(in_triples(matrix))


def rules(n_items: int = 3000) -> tuple[Votes, np.ndarray]:
    """Three rules that only say yes, one that only says no."""
    rng = np.random.default_rng(0)
    truth = rng.random(n_items) < 0.3
    often = np.where(truth[:, None], [0.5, 0.5, 0.5, 0.1], [0.1, 0.1, 0.1, 0.6])
    fires = rng.random((n_items, 4)) < often
    return Votes.from_matrix(np.where(fires, [1, 1, 1, 0], -1), BINARY), truth.astype(int)


def test_from_rules_that_say_one_class_nothing_is_learnt() -> None:
    votes, _ = rules()
    model = DawidSkene(class_prior="auto").fit(votes)
    assert model.class_prior_.tolist() == [0.5, 0.5]
    assert model.class_prior_choice_.startswith("0 of 4 sources say several classes, and fewer")
    even = DawidSkene().fit(votes)
    np.testing.assert_array_equal(model.aggregate(votes).probs, even.aggregate(votes).probs)


def test_from_a_dense_crowd_it_is_learnt_and_worth_it(planted) -> None:
    votes, truth = planted([0.7] * 5, n_classes=2, balance=[0.9, 0.1], n_items=8000)
    model, even = DawidSkene(class_prior="auto").fit(votes), DawidSkene().fit(votes)
    np.testing.assert_allclose(model.class_prior_, [0.9, 0.1], atol=0.04)
    assert model.class_prior_choice_.endswith("speak about 100% of the items: learnt.")
    right = {m: (m.aggregate(votes).probs.argmax(1) == truth).mean() for m in (model, even)}
    assert right[model] > right[even] + 0.05


def test_in_between_it_is_shrunk_to_even_as_far_as_triples_are_missing(planted) -> None:
    votes, _ = planted([0.8] * 3, n_classes=2, balance=[0.9, 0.1], n_items=4000)
    matrix = (votes.symbol % 2).reshape(-1, 3).astype(int)
    matrix[:2000, 2] = -1
    half = Votes.from_matrix(matrix, BINARY)
    model = DawidSkene(class_prior="auto", strength=1000.0, accuracy=0.8, tol=1e-12).fit(half)
    totals = model.aggregate(half).probs.mean(axis=0)
    np.testing.assert_allclose(model.class_prior_, 0.5 * totals + 0.25, atol=0.002)
    assert "shrunk to even by 50%" in model.class_prior_choice_


@pytest.mark.parametrize(
    ("setting", "said"),
    [("uniform", "Taken as even."), ("learnt", "Learnt."), ([0.4, 0.6], "Given.")],
)
def test_what_was_asked_for_is_said_too(setting: object, said: str) -> None:
    votes, _ = rules(100)
    assert DawidSkene(class_prior=setting).fit(votes).class_prior_choice_ == said
