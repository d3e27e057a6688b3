import numpy as np
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import beta, binomtest

from partlabel.aggregate import clopper_pearson, reliability_table
from partlabel.aggregate.reliability import credible
from partlabel.aggregate.sources import Sources
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["no", "yes"])


def table_of(said: np.ndarray, truth: np.ndarray, gold: bool = False) -> dict[str, list]:
    votes = Votes.from_matrix(said, LABELS)
    known = Candidates.from_labels(truth, LABELS) if gold else None
    return reliability_table(Evidence(votes=votes, gold=known), np.eye(2)[truth]).to_dict(
        as_series=False
    )


def test_a_worked_table() -> None:
    said = np.array([[0, 0], [1, 0], [1, -1], [-1, -1]])
    table = table_of(said, np.array([0, 1, 0, 1]), gold=True)
    assert table["votes"] == [3, 2]
    assert table["coverage"] == [0.75, 0.5]
    assert table["overlap"] == pytest.approx([2 / 3, 1.0])
    assert table["conflict"] == pytest.approx([1 / 3, 0.5])
    assert table["accuracy"] == pytest.approx(
        [3 / 5, 2 / 4]
    )  # (2 + 1) / (3 + 2), (1 + 1) / (2 + 2)
    assert table["chance"] == pytest.approx([0.5, 0.5])
    assert table["gold_votes"] == [3, 2]
    assert table["gold_accuracy"] == pytest.approx([2 / 3, 1 / 2])


@pytest.mark.parametrize(("right", "n"), [(0, 5), (3, 7), (40, 40), (12, 90)])
def test_intervals_on_gold_are_exact(right: int, n: int) -> None:
    low, high = clopper_pearson(np.array([float(right)]), np.array([float(n)]))
    expected = binomtest(right, n).proportion_ci(method="exact")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))


def test_verdicts() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 4000)

    def source(accuracy: float) -> np.ndarray:
        return np.where(rng.random(4000) < accuracy, truth, 1 - truth)

    few = np.where(np.arange(4000) < 4, truth, -1)
    silent = np.full(4000, -1)
    said = np.column_stack([source(0.9), source(0.6), source(0.3), source(0.5), few, silent])
    assert table_of(said, truth)["verdict"] == [
        "trust",
        "use with care",
        "worse than chance",
        "says nothing",
        "use with care",
        "says nothing",
    ]


def test_a_source_that_always_says_the_common_class_says_nothing() -> None:
    truth = (np.arange(5000) % 10 == 0).astype(int)
    always_no = np.zeros((5000, 1), dtype=int)
    table = table_of(always_no, truth)
    assert table["accuracy"][0] > 0.89
    assert table["verdict"] == ["says nothing"]


def test_without_gold_its_columns_are_null() -> None:
    table = table_of(np.array([[0], [1]]), np.array([0, 1]))
    assert table["gold_accuracy"] == [None]
    assert table["gold_low"] == [None]


def test_credible_intervals_hold_their_share_of_the_posterior_and_reach_the_end_it_rises_to() -> (
    None
):
    a, b = np.array([30.0, 5.0, 0.3, 0.5, 1.0]), np.array([10.0, 0.4, 6.0, 0.2, 1.0])
    low, high = credible(a, b)
    inside = beta.cdf(high, a, b) - beta.cdf(low, a, b)
    np.testing.assert_allclose(inside, 0.95, atol=1e-9)
    assert high[1] == 1.0
    assert low[2] == 0.0
    assert high[3] == 1.0
    np.testing.assert_allclose([low[4], high[4]], [0.025, 0.975])
    np.testing.assert_allclose([low[0], high[0]], beta.ppf([0.025, 0.975], 30.0, 10.0))


def test_opinions_that_differ_widen_what_a_model_says_of_its_sources() -> None:
    evidence = Evidence(votes=Votes.from_matrix([[0, 0, 1], [1, 1, 0], [0, 0, 0]] * 8, LABELS))
    sources = Sources.learnt(None, evidence)
    alike = sources.beliefs(evidence)
    plain, same = reliability_table(evidence, alike), sources.reliability(evidence, alike)
    assert same is not None
    assert_frame_equal(same, plain)
    other = sources.reliability(evidence, alike[:, ::-1].copy())
    assert other is not None
    width = [t["accuracy_high"][0] - t["accuracy_low"][0] for t in (same, other)]
    assert width[1] > 1.2 * width[0]
