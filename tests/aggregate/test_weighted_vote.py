import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from partlabel.aggregate import MajorityVote, WeightedVote
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])


def in_plain_python(
    matrix: list[list[int]], n_rounds: int
) -> tuple[list[float], list[list[float]]]:
    """Weights and shares, vote by vote."""
    weight = [1.0] * len(matrix[0])
    for _ in range(n_rounds):
        agreed, n = [0.0] * len(weight), [0] * len(weight)
        for row in matrix:
            leads = weighed(row, weight)
            best = [k for k in range(3) if leads[k] >= max(leads) - 1e-12]
            for j, word in enumerate(row):
                n[j] += word >= 0
                agreed[j] += (word in best) / len(best)
        weight = [a / max(m, 1) for a, m in zip(agreed, n, strict=True)]
    return weight, [weighed(row, weight) for row in matrix]


def weighed(row: list[int], weight: list[float]) -> list[float]:
    mass = [sum(w for w, word in zip(weight, row, strict=True) if word == k) for k in range(3)]
    return [m / sum(mass) for m in mass] if sum(mass) > 0 else [1 / 3] * 3


@pytest.mark.filterwarnings("ignore:WeightedVote")
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_weights_and_shares_are_counted(seed: int, n_rounds: int) -> None:
    matrix = np.random.default_rng(seed).integers(-1, 3, (12, 4))
    votes = Votes.from_matrix(matrix, LABELS)
    model = WeightedVote(n_rounds=n_rounds).fit(votes)
    weight, shares = in_plain_python(matrix.tolist(), n_rounds)
    np.testing.assert_allclose(model.weight_, weight, atol=1e-9)
    np.testing.assert_allclose(model.aggregate(votes).probs, shares, atol=1e-9)


def test_a_worked_round() -> None:
    """Leaders: a, b, and a tie of a and c; the third source agrees in a half of one of three."""
    votes = Votes.from_matrix([[0, 0, 1], [1, 1, 2], [0, -1, 2]], LABELS)
    model = WeightedVote().fit(votes)
    assert model.weight_ == pytest.approx([2.5 / 3, 1.0, 0.5 / 3])
    belief = model.aggregate(votes).probs[2]
    assert belief == pytest.approx([2.5 / 3, 0, 0.5 / 3])  # 2.5 and 0.5 of 3


def test_gold_is_what_weights_are_judged_by() -> None:
    votes = Votes.from_matrix([[0, 0, 1], [0, 0, 1], [0, 0, 1]], LABELS)
    gold = Candidates.from_labels(["b", "b", None], LABELS)
    model = WeightedVote().fit(Evidence(votes=votes, gold=gold))
    assert model.weight_ == pytest.approx([1 / 3, 1 / 3, 2 / 3])


def test_a_vote_for_a_set_agrees_with_its_classes_and_is_split() -> None:
    votes = Votes.from_columns(
        {"x": [["a", "b"]] * 2, "y": ["a", "b"], "z": ["a", "b"]}, labels=LABELS
    )
    model = WeightedVote().fit(votes)
    assert model.weight_ == pytest.approx([1, 1, 1])
    assert model.aggregate(votes).probs[0] == pytest.approx([2.5 / 3, 0.5 / 3, 0])


@pytest.mark.filterwarnings("ignore:WeightedVote")
@given(st.integers(0, 10_000))
def test_rounds_come_to_rest_and_never_agree_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (40, 1))
    right = rng.random((40, 6)) < rng.uniform(0.2, 0.9, 6)
    matrix = np.where(right, truth, rng.integers(0, 3, (40, 6)))
    votes = Votes.from_matrix(np.where(rng.random((40, 6)) < 0.8, matrix, -1), LABELS)
    n = np.bincount(votes.source, minlength=6)
    rested = WeightedVote(n_rounds=100).fit(votes).n_rounds_
    path = [n @ WeightedVote(n_rounds=r).fit(votes).weight_ ** 2 for r in range(1, rested + 1)]
    assert rested < 100
    assert (np.diff(path) >= -1e-9).all()


def test_careless_sources_lose_their_weight(planted) -> None:
    votes, truth = planted([0.95, 0.9, 0.4, 0.35, 0.35, 0.35])
    right = {
        name: (model.fit_aggregate(votes).probs.argmax(axis=1) == truth).mean()
        for name, model in {
            "plain": MajorityVote(),
            "once": WeightedVote(),
            "rested": WeightedVote(n_rounds=50),
        }.items()
    }
    assert right["plain"] + 0.03 < right["once"] < right["rested"]


def test_says_when_the_weights_still_moved(planted) -> None:
    votes, _ = planted([0.9, 0.5, 0.5, 0.4, 0.4])
    with pytest.warns(ConvergenceWarning, match="still moving; raise `n_rounds`"):
        WeightedVote(n_rounds=2).fit(votes)


def test_refuses_no_round() -> None:
    with pytest.raises(InputError, match="`n_rounds` must be at least 1; got 0"):
        WeightedVote(n_rounds=0).fit(Votes.from_matrix([[0, 1]], LABELS))


def test_crowd_votes_on_real_data(shared_data) -> None:
    """On web, agreement is worth two points over the majority, and going on two more."""
    folder = shared_data / "crowd" / "web"
    table = pl.read_csv(folder / "votes.csv").unique(["item", "source"], keep="last")
    gold = pl.read_csv(folder / "gold.csv")
    labels = LabelSpace.infer(pl.concat([table["label"], gold["label"]]))
    both = Evidence(
        votes=Votes.from_table(table, labels=labels),
        gold=Candidates.from_labels(gold["label"], labels, items=gold["item"]),
    )

    def right(model: MajorityVote | WeightedVote) -> float:
        decided = model.fit_aggregate(both.votes).probs.argmax(axis=1)
        return float((decided == both.gold.codes())[both.gold.exact].mean())

    majority, once = right(MajorityVote()), right(WeightedVote())
    assert once > majority + 0.015
    assert right(WeightedVote(n_rounds=50)) > once + 0.01
