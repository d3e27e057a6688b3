"""On real candidate sets, without a clean label: what the default makes of them."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from partlabel import Candidates, LabelSpace, PartialLabelClassifier


@pytest.mark.slow
def test_lost_is_learnt_far_better_by_em_than_by_averaging(shared_data: Path) -> None:
    with np.load(shared_data / "candidates" / "lost" / "data.npz") as held:
        X, mask, y = held["X"].astype(float), held["candidates"].astype(bool), held["y"].ravel()
    test = np.random.default_rng(0).random(len(X)) < 0.3
    X = StandardScaler().fit(X[~test]).transform(X)
    cands = Candidates.from_mask(mask[~test], LabelSpace(range(mask.shape[1])))

    def accuracy(clf: PartialLabelClassifier) -> float:
        return float(np.mean(clf.fit(X[~test], cands).predict(X[test]) == y[test]))

    linear = LogisticRegression(max_iter=500)
    auto = PartialLabelClassifier(linear)
    average = accuracy(PartialLabelClassifier(linear, objective="average"))
    exact = accuracy(PartialLabelClassifier(linear, objective="hard"))
    assert accuracy(auto) > max(average, exact) + 0.1
    assert auto.objective_ == "em"
