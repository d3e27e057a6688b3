"""A world in which the true probabilities are known, and so is what a calibrator should find."""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from partlabel.channels import Channels, Confusion
from partlabel.evidence import Candidates, Votes
from partlabel.labels import LabelSpace


@dataclass(frozen=True)
class World:
    """Items whose class is drawn from their softmax, predicted at another temperature."""

    logits: np.ndarray
    codes: np.ndarray
    rng: np.random.Generator
    labels: LabelSpace

    @classmethod
    def drawn(cls, n: int, n_classes: int = 5, seed: int = 0, scale: float = 2.0) -> "World":
        rng = np.random.default_rng(seed)
        logits = rng.normal(scale=scale, size=(n, n_classes))
        below = np.cumsum(softmax(logits, axis=1), axis=1) < rng.random((n, 1))
        labels = LabelSpace([f"class {k}" for k in range(n_classes)])
        return cls(logits, below.sum(axis=1), rng, labels)

    @property
    def probs(self) -> np.ndarray:
        return softmax(self.logits, axis=1)

    def predicted(self, temperature: float) -> np.ndarray:
        """What a model says whose temperature has to be brought down by that much."""
        return softmax(self.logits * temperature, axis=1)

    def votes(self, accuracies: list[float]) -> tuple[Votes, Channels]:
        """Votes of sources that err evenly, and their channel."""
        n, n_classes = self.logits.shape
        names = [f"source {j}" for j in range(len(accuracies))]
        other = (self.codes[:, None] + self.rng.integers(1, n_classes, (n, len(names)))) % n_classes
        right = self.rng.random((n, len(names))) < accuracies
        said = np.where(right, self.codes[:, None], other)
        votes = Votes.from_matrix(said, self.labels, sources=names)
        matrices = {
            name: np.full((n_classes, n_classes), (1 - a) / (n_classes - 1))
            + np.eye(n_classes) * (a - (1 - a) / (n_classes - 1))
            for name, a in zip(names, accuracies, strict=True)
        }
        return votes, Channels(votes=Confusion.known(matrices, votes))

    def blind_sets(self, chance: float = 0.3) -> Candidates:
        """Each wrong class is in the set with the same chance."""
        return self._sets(np.full(self.logits.shape, chance))

    def sets_of_alike(self, most: float = 0.6) -> Candidates:
        """A wrong class is in the set the more often the likelier it is (Xu et al., 2021)."""
        wrong = self.probs.copy()
        wrong[np.arange(len(wrong)), self.codes] = 0.0
        return self._sets(most * wrong / wrong.max(axis=1, keepdims=True))

    def _sets(self, chance: np.ndarray) -> Candidates:
        true = np.eye(len(self.labels), dtype=bool)[self.codes]
        return Candidates.from_mask((self.rng.random(chance.shape) < chance) | true, self.labels)
