"""Tying: what the parameters are, in worked numbers and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.channels import expected_table, prior_counts, tied
from partlabel.errors import InputError
from partlabel.evidence import Vocabulary, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
PLAIN = Vocabulary.of_classes(["x", "y"], LABELS)
RICH = Vocabulary.joined(
    [
        Votes.from_columns({"sets": [["a", "b"]]}, labels=LABELS).vocabulary,
        Votes.from_probabilities(
            [[0.5, 0.3, 0.2], [0.8, 0.1, 0.1]], LABELS, source="levels", bins=2
        ).vocabulary,
    ]
)


@given(st.sampled_from(["full", "class", "one"]), st.integers(0, 1000))
def test_words_of_plain_sources_add_up_to_one(kind: str, seed: int) -> None:
    tying = tied(kind, PLAIN)
    theta = tying.normalised(np.random.default_rng(seed).gamma(1.0, size=len(tying.group)))
    table = tying.table(theta)
    np.testing.assert_allclose(table[:3].sum(axis=0), 1.0)
    np.testing.assert_allclose(table[3:].sum(axis=0), 1.0)


@pytest.mark.parametrize("kind", ["full", "class", "one"])
def test_words_of_sets_and_levels_add_up_to_one_too(kind: str) -> None:
    tying = tied(kind, RICH)
    counts = np.random.default_rng(0).random((len(RICH), 3))
    pseudo = prior_counts(tying, RICH, accuracy=0.7, strength=1.0)
    table = tying.table(tying.normalised(tying.gather(counts) + pseudo))
    for source in range(2):
        np.testing.assert_allclose(table[RICH.source == source].sum(axis=0), 1.0)


def test_one_coin_in_numbers() -> None:
    tying = tied("one", PLAIN)
    counts = np.zeros((6, 3))
    counts[0, 0], counts[1, 0], counts[2, 2] = 6, 2, 2  # source x: 8 votes right, 2 wrong
    counts[3:] = 1.0
    table = tying.table(tying.normalised(tying.gather(counts)))
    np.testing.assert_allclose(table[:3], np.where(np.eye(3), 0.8, 0.1))
    np.testing.assert_allclose(table[3:], 1.0 / 3)


def test_accuracy_per_class_in_numbers() -> None:
    tying = tied("class", PLAIN)
    counts = np.ones((6, 3))
    counts[:3, 0] = 9, 1, 0
    table = tying.table(tying.normalised(tying.gather(counts)))
    np.testing.assert_allclose(table[:3, 0], [0.9, 0.05, 0.05])
    np.testing.assert_allclose(table[:3, 1], 1.0 / 3)


def test_full_tables_are_the_shares_of_the_counts() -> None:
    tying = tied("full", PLAIN)
    counts = np.random.default_rng(0).random((6, 3))
    table = tying.table(tying.normalised(tying.gather(counts)))
    np.testing.assert_allclose(table[:3], counts[:3] / counts[:3].sum(axis=0))


def test_each_confidence_level_has_its_own_accuracy() -> None:
    tying = tied("one", RICH)
    levels = RICH.level[RICH.source == 1]
    cells = tying.cell[RICH.source == 1]
    assert set(cells[levels == 0].ravel()).isdisjoint(cells[levels == 1].ravel())


@pytest.mark.parametrize("kind", ["full", "class", "one"])
@pytest.mark.parametrize("vocabulary", [PLAIN, RICH])
def test_pseudo_votes_say_the_prior_accuracy(kind: str, vocabulary: Vocabulary) -> None:
    tying = tied(kind, vocabulary)
    pseudo = prior_counts(tying, vocabulary, accuracy=0.8, strength=5.0)
    np.testing.assert_allclose(np.bincount(tying.group, weights=pseudo), 5.0)
    table = tying.table(tying.normalised(pseudo))
    right = (table * vocabulary.members())[vocabulary.source == 1].sum(axis=0)
    np.testing.assert_allclose(right, 0.8)


def test_expected_table_takes_an_accuracy_per_source() -> None:
    table = expected_table(PLAIN, np.array([0.9, 0.4]))
    np.testing.assert_allclose(table[:3], np.where(np.eye(3), 0.9, 0.05))
    np.testing.assert_allclose(table[3:], np.where(np.eye(3), 0.4, 0.3))


def test_refuses_an_unknown_tying() -> None:
    with pytest.raises(
        InputError, match="`tying` must be one of 'full', 'class', 'one'; got 'two'"
    ):
        tied("two", PLAIN)
