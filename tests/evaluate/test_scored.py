"""Predictions meet gold by position or by id, and what can't be scored is counted."""

from typing import Any

import numpy as np
import pytest

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate.scored import Scored
from partlabel.evidence import Candidates, Evidence
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ant", "bee", "cow"])
PROBS = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])


def beliefs(ids: Any = None) -> Beliefs:
    return Beliefs(PROBS, LABELS, ids)


def test_rows_without_gold_are_skipped_and_counted() -> None:
    scored = Scored.match(beliefs(), ["ant", None, "bee"])
    assert scored.codes.tolist() == [0, 1]
    assert scored.probs.tolist() == PROBS[[0, 2]].tolist()
    assert (len(scored), scored.n_skipped, scored.n_unmatched) == (2, 1, 0)


def test_several_candidates_are_no_gold() -> None:
    gold = Candidates.from_lists([["ant", "bee"], "bee", None], LABELS)
    scored = Scored.match(beliefs(), gold)
    assert (scored.codes.tolist(), scored.n_skipped) == ([1], 2)


def test_different_ids_are_matched() -> None:
    gold = Candidates.from_labels(["cow", "ant", "bee"], LABELS, items=["z", "x", "elsewhere"])
    scored = Scored.match(beliefs(["x", "y", "z"]), gold)
    assert scored.codes.tolist() == [0, 2]
    assert scored.probs.tolist() == PROBS[[0, 2]].tolist()
    assert (scored.n_skipped, scored.n_unmatched) == (1, 1)


def test_ids_of_one_side_leave_it_to_the_positions() -> None:
    gold = Candidates.from_labels(["cow", "ant", "bee"], LABELS, items=["z", "x", "y"])
    assert Scored.match(beliefs(), gold).codes.tolist() == [2, 0, 1]


def test_array_takes_the_classes_of_gold() -> None:
    gold = Candidates.from_labels(["cow", "ant", "bee"], LABELS)
    assert Scored.match(PROBS, gold).labels == LABELS


def test_integers_are_codes() -> None:
    assert Scored.match(PROBS, np.array([2, 0, 1]), LABELS).codes.tolist() == [2, 0, 1]


TWO = LabelSpace(["ant", "bee"])
NO_GOLD = "`gold` must name the class of at least one predicted item; got none for "


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ([None] * 3, NO_GOLD + "3 items"),
        ([["ant", "bee"], None, None], NO_GOLD + "3 items"),
        (["ant"], "`gold` must have one row for each of the 3 predicted items; got 1"),
        (["ant", "dog", None], "`gold` must be one of 'ant', 'bee', 'cow'; got 'dog'.* row 1 "),
        ([0, 1, 5], r"`gold` must .*\[0, 3\); got 5 at row 2"),
        (
            Candidates.from_labels(["ant", "bee", None], TWO),
            r"`gold` must have the classes of `predicted`, \('ant', 'bee', 'cow'\); got \('ant'",
        ),
    ],
)
def test_gold_is_refused(gold: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Scored.match(beliefs(), gold)


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        (np.full((3, 3), np.nan), r"`probs` must be distributions .* got \[nan, nan, nan\] at row"),
        (PROBS * 2, "`probs` must be distributions that add up to 1"),
        (PROBS[:, :2], r"`probs` must have the shape \(n_items, 3\); got \(3, 2\)"),
    ],
)
def test_prediction_is_refused(probs: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Scored.match(probs, ["ant"] * 3, LABELS)


def test_no_prediction_is_refused() -> None:
    with pytest.raises(InputError, match=NO_GOLD + "0 items"):
        Scored.match(PROBS[:0], [], LABELS)


def test_beliefs_with_other_classes_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"`predicted` must have the classes \('ant', 'bee'\); got"
    ):
        Scored.match(beliefs(), ["ant", None, None], TWO)


def test_ids_that_have_nothing_in_common_are_refused() -> None:
    gold = Candidates.from_labels(["cow", "ant", "bee"], LABELS, items=["u", "v", "w"])
    with pytest.raises(InputError, match=NO_GOLD + r"3 items\. .*check that the item ids"):
        Scored.match(beliefs(["x", "y", "z"]), gold)


def test_item_predicted_twice_is_refused() -> None:
    gold = Candidates.from_labels(["cow", "ant", "bee"], LABELS, items=["x", "y", "z"])
    with pytest.raises(InputError, match="item_ids` must all differ; id 'y' stands at rows 1, 2"):
        Scored.match(beliefs(["x", "y", "y"]), gold)


def test_array_without_classes_is_refused() -> None:
    with pytest.raises(TypeError, match="`labels` must be given where `predicted` is an array"):
        Scored.match(PROBS, ["ant", "bee", "cow"])


def test_evidence_is_not_gold() -> None:
    evidence = Evidence(gold=Candidates.from_labels(["cow", "ant", "bee"], LABELS))
    with pytest.raises(TypeError, match=r"`gold` must be Candidates.*got Evidence. Pass `evidence"):
        Scored.match(beliefs(), evidence)
