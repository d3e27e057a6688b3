"""Strata: alike items have one name, rare parts go together, and intervals get narrower."""

import numpy as np
import pytest

from partlabel import Beliefs, InputError, LabelSpace, Votes
from partlabel.evaluate import audit_strata, evaluate

LABELS = LabelSpace(["no", "yes"])


def world(n: int = 3000) -> tuple[np.ndarray, Beliefs, Votes]:
    """A rule that speaks on half of the items, and a model that errs where it is silent."""
    rng = np.random.default_rng(0)
    y, speaks = rng.integers(2, size=n), rng.random(n) < 0.5
    wrong = rng.random(n) < np.where(speaks, 0.02, 0.7)
    probs = np.where((y ^ wrong)[:, None] == np.arange(2), 0.9, 0.1)
    return y, Beliefs(probs, LABELS), Votes.from_matrix(np.where(speaks, y, -1)[:, None], LABELS)


def test_names_say_votes_class_and_group() -> None:
    votes = Votes.from_matrix([[0, 1], [1, -1], [-1, -1]], LABELS)
    model = Beliefs(np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]), LABELS)
    named = audit_strata(model, votes=votes, groups=["a", "b", None], least=1)
    assert named.to_list() == ["no+yes | no | a", "yes | yes | b", "no vote | no | no group"]
    assert audit_strata(model, least=1).to_list() == ["no", "yes", "no"]


def test_rare_parts_go_together() -> None:
    model = Beliefs(np.eye(2)[[0] * 30 + [1] * 3], LABELS)
    assert audit_strata(model).unique().sort().to_list() == ["no", "others"]


def test_strata_narrow_the_interval() -> None:
    y, model, votes = world()
    gold = [LABELS.classes[k] if row % 10 == 0 else None for row, k in enumerate(y)]
    one = evaluate(model, gold)["accuracy"]
    two = evaluate(model, gold, strata=audit_strata(model, votes=votes))["accuracy"]
    assert two.high - two.low < 0.85 * (one.high - one.low)


def test_refusals() -> None:
    _, model, votes = world(20)
    with pytest.raises(InputError, match="must be about the 20 items of `predicted`"):
        audit_strata(model, groups=["a"])
    with pytest.raises(InputError, match="`votes` must have the classes"):
        audit_strata(Beliefs(np.eye(2), LabelSpace(["a", "b"])), votes=votes)
