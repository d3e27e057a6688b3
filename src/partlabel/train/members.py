"""The models that an ensemble begins with: scalings, widths and costs to choose among."""

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler, normalize
from torch import nn

from partlabel.train.classifier import TorchPartialLabelClassifier
from partlabel.train.forest import PartialLabelForest

PENALTY = 1e-3  # of a linear model's squared weights


def linear(n_features: int, n_classes: int) -> nn.Module:
    """Logistic regression; it takes inputs as they are scaled."""
    return nn.Linear(n_features, n_classes)


def batch_norm_net(n_features: int, n_classes: int, *, hidden: tuple[int, ...]) -> nn.Sequential:
    """Hidden layers whose units are scaled before they are rectified."""
    layers: list[nn.Module] = []
    width = n_features
    for units in hidden:
        layers += [nn.Linear(width, units), nn.BatchNorm1d(units), nn.ReLU()]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, n_classes))


def row_norm(X: NDArray[Any]) -> NDArray[Any]:
    """(n_rows, n_features) Rows of equal length, such that an entry is about 1."""
    scaled: NDArray[Any] = normalize(X) * np.sqrt(X.shape[1])
    return scaled


def default_members() -> dict[str, Any]:
    """Name to estimator: linear models and networks in several scalings, and a forest.

    Linear models find most where rows are few, networks and trees where they are many. Which
    scaling is right depends on what the features are: on some sets, rows of equal length beat
    z-scores by ten points, on others they lose thirty. The networks see no min-max scaling, which
    batch normalisation undoes.
    """
    scalings = {
        "row norm": FunctionTransformer(row_norm),
        "z-score": StandardScaler(),
        "min-max": MinMaxScaler(),
    }
    members: dict[str, Any] = {
        f"linear, {name}": make_pipeline(scaling, _linear()) for name, scaling in scalings.items()
    }
    for name in ("row norm", "z-score"):
        members[f"network, {name}"] = make_pipeline(scalings[name], _network())
    running = _network(objective="em", momentum=0.9)
    members["network, z-score, running beliefs"] = make_pipeline(scalings["z-score"], running)
    members["forest"] = PartialLabelForest()
    return members


def _linear() -> TorchPartialLabelClassifier:
    return TorchPartialLabelClassifier(
        linear,
        optimizer=partial(torch.optim.Adam, lr=0.03),  # unlike AdamW's, its decay is a penalty
        weight_decay=PENALTY,
        schedule="cosine",
        max_epochs=80,
        batch_size=256,
        early_stopping=None,
    )


def _network(**settings: Any) -> TorchPartialLabelClassifier:
    return TorchPartialLabelClassifier(
        partial(batch_norm_net, hidden=(300, 300, 300)),
        weight_decay=PENALTY,
        schedule="cosine",
        max_epochs=40,
        batch_size=128,
        early_stopping=None,
        **settings,
    )
