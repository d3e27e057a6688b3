r"""Influence functions: how much the label of each row moves each metric.

A metric is a function of the distribution of predictions and labels. Its influence function
:math:`\psi(x, y)` says by how much it changes as more rows like :math:`(x, y)` come, so that
:math:`\theta(P') - \theta(P) \approx \int \psi \, dP'`. For a label among classes it is affine in
one-hot y; so a belief about the label can stand in its place: :math:`\psi(x, b)`.

For functions of means see `partlabel.evaluate.rate_influences`, for ROC AUC and average precision
`partlabel.evaluate.rank_influences`.

J. Hampel, "The influence curve and its role in robust estimation", JASA 1974.
"""

from partlabel.evaluate.powered.first_guess import first_guess
from partlabel.evaluate.powered.influence_values import (
    Influences,
    classes_there,
    joined,
    labels_of_gold,
)
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.rank_influences import rank_influences
from partlabel.evaluate.powered.rate_influences import rate_influences

__all__ = [
    "HEADLINE",
    "OF_CLASS",
    "Influences",
    "classes_there",
    "influences",
    "joined",
    "labels_of_gold",
]

HEADLINE = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_f1",
    "log_loss",
    "brier",
    "auc",
    "average_precision",
)
OF_CLASS = (
    "class_precision",
    "class_recall",
    "class_f1",
    "prevalence",
    "class_auc",
    "class_average_precision",
)


def influences(population: Population, n_bins_for: int | None = None) -> Influences:
    """Linearise every metric around what gold and beliefs say together.

    The guess is `first_guess`: beliefs and the model, put together as gold bears them out.

    Parameters
    ----------
    population : Population
    n_bins_for : int, default None
        Take as many bins of confidence as so many gold rows can fill; None takes those there are.
    """
    guess = first_guess(population)
    n_binned = n_bins_for or population.n_gold or len(population)
    return joined(
        [rate_influences(population, guess, n_binned), rank_influences(population, guess)]
    )
