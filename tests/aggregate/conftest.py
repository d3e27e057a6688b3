from collections.abc import Callable

import numpy as np
import pytest

from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

Planted = Callable[..., tuple[Votes, np.ndarray]]


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Independent sources of given accuracies, errors spread evenly; and the truth."""

    def votes_and_truth(
        accuracies: list[float],
        *,
        n_items: int = 2000,
        n_classes: int = 3,
        coverage: float = 1.0,
        balance: list[float] | None = None,
        seed: int = 0,
    ) -> tuple[Votes, np.ndarray]:
        rng = np.random.default_rng(seed)
        truth = rng.choice(n_classes, n_items, p=balance)
        shift = rng.integers(1, n_classes, (n_items, len(accuracies)))
        wrong = rng.random(shift.shape) > accuracies
        said = (truth[:, None] + wrong * shift) % n_classes
        said[rng.random(said.shape) > coverage] = -1
        return Votes.from_matrix(said, LabelSpace(list("abcdef"[:n_classes]))), truth

    return votes_and_truth
