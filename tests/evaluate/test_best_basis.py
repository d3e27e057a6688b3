"""The best basis is taken that the data allow, for all items and for each group."""

import numpy as np
import pytest

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate import Basis, best_evaluation, covering_metrics, evaluate
from partlabel.evidence import Candidates
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])
N = 400
GROUPS = np.array(["a", "b"])[np.arange(N) % 2]


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """A model that errs more in group b, beliefs that err apart from it, and the labels."""
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=N)

    def said(accuracy: np.ndarray) -> np.ndarray:
        right = rng.random(N) < accuracy
        guess = np.where(right, truth, 1 - truth)
        return np.where(np.arange(2) == guess[:, None], 0.9, 0.1)

    model = said(np.where(GROUPS == "a", 0.95, 0.7))
    return model, said(np.full(N, 0.9)), LABELS.decode(truth).to_list()


def some(gold: list[str], n: int) -> list[str | None]:
    return [name if row < n else None for row, name in enumerate(gold)]


@pytest.mark.parametrize(
    ("n_gold", "with_beliefs", "basis"),
    [
        (100, True, Basis.GOLD_AND_MODEL),
        (100, False, Basis.GOLD),
        (20, True, Basis.GOLD),
        (0, True, Basis.ASSUMPTION),
    ],
)
def test_groups_rest_on_the_same_basis_as_the_whole(
    world: tuple, n_gold: int, with_beliefs: bool, basis: Basis
) -> None:
    model, beliefs, gold = world
    found = best_evaluation(
        model,
        gold=some(gold, n_gold) if n_gold else None,
        beliefs=beliefs if with_beliefs else None,
        groups=GROUPS,
        labels=LABELS,
    )
    assert found["accuracy"].basis is basis
    of_group = {name: metrics.headline["accuracy"] for name, metrics in found.of_group.items()}
    assert set(of_group) == {"a", "b"}
    assert {one.basis for one in of_group.values()} == {basis}
    assert {one.assumption for one in of_group.values()} == {found["accuracy"].assumption}
    assert of_group["a"].value > of_group["b"].value


def test_a_group_by_gold_is_the_evaluation_of_its_rows(world: tuple) -> None:
    model, _, gold = world
    found = best_evaluation(model, gold=some(gold, 60), groups=GROUPS, labels=LABELS)
    rows = np.flatnonzero(GROUPS == "b")
    alone = evaluate(model[rows], [some(gold, 60)[row] for row in rows], labels=LABELS)
    assert found.of_group["b"].headline == alone.estimates


def test_a_group_by_sets_is_the_covering_rate_of_its_rows(world: tuple) -> None:
    model, _, gold = world
    lists = [[name] if row % 3 else ["ham", "spam"] for row, name in enumerate(gold)]
    found = best_evaluation(
        model, candidates=Candidates.from_lists(lists, LABELS), groups=GROUPS, labels=LABELS
    )
    rows = np.flatnonzero(GROUPS == "a")
    alone = covering_metrics(model[rows], [lists[row] for row in rows], labels=LABELS)
    assert found.of_group["a"].headline == alone


def test_groups_follow_the_items_where_gold_is_matched_by_id(world: tuple) -> None:
    model, _, gold = world
    ids = np.arange(N)
    turned = Candidates.from_labels(some(gold, 100)[::-1], LABELS, items=ids[::-1])
    by_id = best_evaluation(Beliefs(model, LABELS, ids), gold=turned, groups=GROUPS)
    plain = best_evaluation(model, gold=some(gold, 100), groups=GROUPS, labels=LABELS)
    assert by_id.of_group["b"].headline == plain.of_group["b"].headline


def test_groups_of_which_nothing_is_known_are_left_out(world: tuple) -> None:
    model, _, gold = world
    known = [name if group == "a" else None for name, group in zip(gold, GROUPS, strict=True)]
    found = best_evaluation(model, gold=known, groups=GROUPS, labels=LABELS)
    assert set(found.of_group) == {"a"}


def test_nothing_known_is_refused(world: tuple) -> None:
    with pytest.raises(InputError, match="Something must be known of the 400 items; nothing is"):
        best_evaluation(world[0], labels=LABELS)
