"""Small networks to begin with, for features that are vectors."""

from collections.abc import Sequence

from torch import nn


def mlp(
    n_features: int,
    n_classes: int,
    *,
    hidden: Sequence[int] = (128,),
    dropout: float = 0.0,
) -> nn.Sequential:
    """Give a perceptron that scales its inputs by what it meets in training.

    Parameters
    ----------
    n_features, n_classes : int
    hidden : sequence of int, default (128,)
        Units of each hidden layer; () is a linear model. More follow finer detail, and memorise
        noise sooner.
    dropout : float in [0, 1), default 0.0
        Share of hidden units left out in each step of training.
    """
    layers: list[nn.Module] = [nn.BatchNorm1d(n_features, affine=False)]
    width = n_features
    for units in hidden:
        layers += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(dropout)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, n_classes))
