"""What votes show of sources (`speaks_selectively` is tested with the dependence it serves)."""

import numpy as np
import pytest

from partlabel.aggregate.habits import differing_favours, speaks_selectively
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])


def crowd(bias: float, n_items: int = 4000, n_sources: int = 12) -> np.ndarray:
    """Sources of accuracy .7, of which each errs towards a class of its own, the more with bias."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, n_items)[:, None]
    at_random = rng.integers(0, 3, (n_items, n_sources))
    favoured = np.arange(n_sources) % 3
    said = np.where(rng.random((n_items, n_sources)) < bias, favoured, at_random)
    return np.where(rng.random((n_items, n_sources)) < 0.55, truth, said)


def written_out(said: np.ndarray) -> float:
    """The definition, by loops over pairs of votes of a source."""
    n_items, n_sources = said.shape
    spread, n_votes = 0.0, 0
    for j in range(n_sources):
        excess = []
        for i in range(n_items):
            others = [said[i, k] for k in range(n_sources) if k != j and said[i, k] >= 0]
            if said[i, j] < 0 or not others:
                continue
            excess.append(
                [float(said[i, j] == y) - np.mean([o == y for o in others]) for y in range(3)]
            )
        n = len(excess)
        pairs = [np.dot(excess[a], excess[b]) for a in range(n) for b in range(n) if a != b]
        if n > 1:
            spread, n_votes = spread + n * float(np.mean(pairs)), n_votes + n
    shares = np.bincount(said[said >= 0], minlength=3) / (said >= 0).sum()
    return max(spread / n_votes / float((shares * (1 - shares)).sum()), 0.0)


def test_is_what_its_definition_says() -> None:
    said = crowd(0.8, n_items=40, n_sources=5)
    said[np.random.default_rng(1).random(said.shape) < 0.4] = -1
    found = differing_favours(Votes.from_matrix(said, LABELS))
    assert found == pytest.approx(written_out(said), rel=1e-9)


def test_rises_with_bias_and_is_nothing_without() -> None:
    found = [differing_favours(Votes.from_matrix(crowd(b), LABELS)) for b in (0.0, 0.5, 1.0)]
    assert found[0] == pytest.approx(0.0, abs=0.003)
    assert found[0] < found[1] < found[2]
    assert found[2] > 0.1


def test_few_votes_are_no_habit() -> None:
    said = crowd(0.0, n_items=3000, n_sources=3)
    fewer = np.full((3000, 300), -1)
    for i, row in enumerate(said):  # each source speaks about thirty items
        fewer[i, (i % 100) * 3 : (i % 100) * 3 + 3] = row
    assert differing_favours(Votes.from_matrix(fewer, LABELS)) < 0.02


@pytest.mark.parametrize("said", [[[0, -1], [-1, 1]], [[0, 0], [0, 0]], [[-1, -1], [-1, -1]]])
def test_is_unknown_where_nothing_can_differ(said: list[list[int]]) -> None:
    assert np.isnan(differing_favours(Votes.from_matrix(said, LABELS)))


def test_names_and_orders_change_nothing() -> None:
    said = crowd(0.7, n_items=300)
    rng = np.random.default_rng(2)
    shuffled = rng.permutation(3)[said[rng.permutation(300)][:, rng.permutation(12)]]
    one, two = (differing_favours(Votes.from_matrix(m, LABELS)) for m in (said, shuffled))
    assert one == pytest.approx(two)


def test_two_rules_on_a_handful_of_rows_are_rules() -> None:
    said = [[0, -1], [-1, 1], [0, -1], [-1, 1]]
    assert speaks_selectively(Votes.from_matrix(said, LABELS))
    said = [[0, -1], [-1, 1], [1, -1], [-1, 0]]
    assert not speaks_selectively(Votes.from_matrix(said, LABELS))
    assert not speaks_selectively(Votes.from_matrix([[0, 0], [0, 0]], LABELS))
