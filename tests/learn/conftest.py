"""Small data for training: blobs whose labels are narrowed down, voted on, or missing."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_blobs

from partlabel import Candidates, LabelSpace, Votes

LABELS = LabelSpace(["red", "green", "blue"])


class Blobs(NamedTuple):
    X: NDArray[np.float64]
    truth: NDArray[np.int64]
    mask: NDArray[np.bool_]

    @property
    def names(self) -> NDArray[np.str_]:
        return np.array(LABELS.classes)[self.truth]

    @property
    def candidates(self) -> Candidates:
        return Candidates.from_mask(self.mask, LABELS)


def blobs(n: int, *, extra: float, seed: int = 0, spread: float = 2.0) -> Blobs:
    """Three classes; each wrong one is a candidate in this share of the rows."""
    X, truth = make_blobs(
        n, centers=[[0, 3], [3, -2], [-3, -2]], cluster_std=spread, random_state=seed
    )
    mask = np.random.default_rng(seed).random((n, 3)) < extra
    mask[np.arange(n), truth] = True
    return Blobs(X, truth, mask)


def votes_on(truth: NDArray[np.int64], accuracies: list[float], seed: int = 0) -> Votes:
    """Each source speaks on half of the items, and errs evenly."""
    rng = np.random.default_rng(seed)
    said = np.full((len(truth), len(accuracies)), -1)
    for j, accuracy in enumerate(accuracies):
        right = rng.random(len(truth)) < accuracy
        wrong = (truth + rng.integers(1, 3, len(truth))) % 3
        said[:, j] = np.where(right, truth, wrong)
        said[rng.random(len(truth)) < 0.5, j] = -1
    return Votes.from_matrix(said, LABELS)


@pytest.fixture(scope="session")
def narrowed() -> Blobs:
    return blobs(150, extra=0.4)
