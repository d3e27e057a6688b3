"""Small data for training: blobs whose labels are narrowed down, voted on, or missing."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_blobs

from partlabel import Candidates, LabelSpace, Votes

LABELS = LabelSpace(["red", "green", "blue"])


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # networks this small only wait for each other


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


def blobs(n: int, *, extra: float, seed: int = 0, spread: float = 1.5) -> Blobs:
    """Three classes; each wrong one is a candidate in this share of the rows."""
    X, truth = make_blobs(
        n, centers=[[0, 3], [3, -2], [-3, -2]], cluster_std=spread, random_state=seed
    )
    mask = np.random.default_rng(seed).random((n, 3)) < extra
    mask[np.arange(n), truth] = True
    return Blobs(X, truth, mask)


def biased_votes(
    truth: NDArray[np.int64], *, per_item: int = 2, n_workers: int = 12, seed: int = 0
) -> Votes:
    """Careful workers, and many who call class 0 and 1 alike 1; each item has a few votes."""
    rng = np.random.default_rng(seed)
    careful = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    biased = np.array([[0.25, 0.7, 0.05], [0.05, 0.9, 0.05], [0.05, 0.1, 0.85]])
    said = np.full((len(truth), n_workers), -1)
    for i, y in enumerate(truth):
        for j in rng.choice(n_workers, per_item, replace=False):
            said[i, j] = rng.choice(3, p=(careful if j < n_workers // 3 else biased)[y])
    names = [f"worker_{j}" for j in range(n_workers)]
    return Votes.from_matrix(said, LABELS, sources=names)


@pytest.fixture(scope="session")
def narrowed() -> Blobs:
    return blobs(240, extra=0.4)
