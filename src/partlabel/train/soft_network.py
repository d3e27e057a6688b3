"""SoftNetwork: a batch-norm network on beliefs, as a classifier among others in an ensemble."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from partlabel.learn.soft import row_weights
from partlabel.losses import expected_nll


def batch_norm_net(n_features: int, n_classes: int, *, hidden: tuple[int, ...]) -> nn.Sequential:
    """Hidden layers whose units are scaled before they are rectified."""
    layers: list[nn.Module] = []
    width = n_features
    for units in hidden:
        layers += [nn.Linear(width, units), nn.BatchNorm1d(units), nn.ReLU()]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, n_classes))


class SoftNetwork(ClassifierMixin, BaseEstimator):
    """A network of batch-norm layers, trained by cross-entropy to beliefs.

    For `PartialLabelClassifier` and `AutoPartialLabelClassifier`, which pass beliefs; for training
    on evidence itself, take `TorchPartialLabelClassifier`.

    Parameters
    ----------
    hidden : tuple of int, default (300, 300)
        Units of each layer.
    n_epochs : int, default 40
        The learning rate falls to 0 along a cosine.
    batch_size : int, default 128
    learning_rate : float, default 3e-3
    weight_decay : float, default 0.1
        AdamW's.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    classes_ : (n_classes,) class names
    network_ : torch.nn.Sequential
    """

    soft_targets = True

    classes_: NDArray[Any]
    network_: nn.Sequential

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (300, 300),
        n_epochs: int = 40,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.1,
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, classes: Any = None) -> Self:
        """Train on beliefs `y` (n_rows, n_classes), whose columns `classes` names."""
        inputs, beliefs = _tensor(X), _tensor(y)
        weight = _tensor(row_weights(sample_weight, len(beliefs)))
        n_classes = beliefs.shape[1]
        self.classes_ = np.arange(n_classes) if classes is None else np.asarray(classes)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # layers draw their weights from the global generator
            self.network_ = batch_norm_net(inputs.shape[1], n_classes, hidden=tuple(self.hidden))
        chance = np.random.default_rng(seed)
        # batches of one size, so that batch norm never meets a single row
        n_batches = -(-len(inputs) // self.batch_size)
        optimizer = torch.optim.AdamW(
            self.network_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.n_epochs * n_batches)
        for _ in range(self.n_epochs):
            for rows in np.array_split(chance.permutation(len(inputs)), n_batches):
                cost = weight[rows] * expected_nll(self.network_(inputs[rows]), beliefs[rows])
                optimizer.zero_grad()
                cost.mean().backward()
                optimizer.step()
                schedule.step()
        self.network_.eval()
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n_rows, n_classes) Give the probability of each class.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self, "network_")
        with torch.no_grad():
            probs = torch.softmax(self.network_(_tensor(X)).double(), dim=1)
        return np.asarray(probs.numpy())

    def predict(self, X: Any) -> NDArray[Any]:
        """(n_rows,) Give the name of the likeliest class. Raises as `predict_proba` does."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(np.array(values, dtype=np.float32))
