"""The default recipe chooses what candidates favour, and sees no clean label."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from partlabel import Candidates, Evidence
from partlabel.learn import default_recipe

from .conftest import LABELS


def directions(n: int, *, rows: bool) -> tuple[np.ndarray, np.ndarray]:
    """Classes told by the directions of rows of very uneven length, or by one small column."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, n)
    if rows:
        X = np.eye(3)[truth] + rng.normal(scale=0.25, size=(n, 3))
        return X * rng.lognormal(sigma=2.0, size=(n, 1)), truth
    X = np.column_stack([(truth - 1) * 1e-3, (truth == 1) * 1e-3]) + rng.normal(
        scale=2e-4, size=(n, 2)
    )
    return np.column_stack([X, rng.normal(scale=50.0, size=(n, 4))]), truth


@pytest.mark.parametrize(("rows", "never"), [(True, "z-score"), (False, "row norm")])
def test_it_takes_the_scaling_that_suits(rows: bool, never: str) -> None:
    X, truth = directions(200, rows=rows)
    mask = np.random.default_rng(1).random((200, 3)) < 0.4
    mask[np.arange(200), truth] = True
    recipe = default_recipe(n_folds=2)
    recipe.fit(X, Evidence(candidates=Candidates.from_mask(mask, LABELS)))
    assert not any(never in name for name in recipe.members_)
    assert recipe.score(X, np.array(LABELS.classes)[truth]) > 0.9
    assert len(recipe.choice_) == 19


def test_another_classifier_is_tried_in_each_scaling() -> None:
    X, truth = directions(90, rows=True)
    recipe = default_recipe(LogisticRegression(), n_folds=2)
    recipe.fit(X, Evidence(candidates=Candidates.from_mask(np.eye(3, dtype=bool)[truth], LABELS)))
    assert set(recipe.choice_["member"]) == {"row norm", "z-score", "ranks"}
    assert (recipe.predict(X) == np.array(LABELS.classes)[truth]).mean() > 0.9
