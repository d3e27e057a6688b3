"""PartialLabelForest: trees on beliefs that each row's other trees revise."""

import numpy as np
import pytest

from partlabel import InputError
from partlabel.train import PartialLabelForest

from .conftest import LABELS, Blobs, biased_votes, blobs


def test_a_forest_disambiguates_and_hears_votes(narrowed: Blobs) -> None:
    fresh = blobs(300, extra=0.0, seed=1)
    scores = {}
    for rounds in (1, 3):
        forest = PartialLabelForest(n_rounds=rounds, n_trees=50).fit(
            narrowed.X, narrowed.candidates
        )
        probs = forest.predict_proba(fresh.X)
        assert probs.sum(axis=1) == pytest.approx(1.0)
        scores[rounds] = np.log(probs[np.arange(300), fresh.truth]).mean()
    assert scores[3] > scores[1]
    voted = PartialLabelForest(n_trees=20).fit(narrowed.X, biased_votes(narrowed.truth))
    assert voted.classes_.tolist() == list(LABELS.classes)


def test_settings_are_refused(narrowed: Blobs) -> None:
    with pytest.raises(InputError, match="`n_trees` and `n_rounds` must be at least 1"):
        PartialLabelForest(n_rounds=0).fit(narrowed.X, narrowed.candidates)
