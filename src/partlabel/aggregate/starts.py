r"""Where EM starts: at the prior accuracy, at accuracies drawn at random; and annealed from there.

Annealing climbs a smoother objective first, in which beliefs are taken to the power
:math:`\beta < 1`, so that the votes' first verdict, which many sources make too sure, doesn't fix
the labels:

.. math:: b_i(y) \propto \Big( \pi_y \prod_{s \in o_i} p(s | y) \Big)^{\beta}, \qquad
          \beta \to 1

(N. Ueda and R. Nakano, Deterministic annealing EM algorithm, Neural Networks 1998, eq. 17).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from partlabel.aggregate.steps import Parameters, Problem
from partlabel.aggregate.subtypes import graded
from partlabel.channels import Tying, prior_counts
from partlabel.evidence import Vocabulary

RISE = 1.2  # of the power, from one temperature to the next
STEPS = 3  # of EM at each temperature


def starts(
    problem: Problem,
    vocabulary: Vocabulary,
    tying: Tying,
    *,
    accuracy: float,
    strength: float,
    n_subtypes: int,
    n_starts: int,
    annealing: float,
    random_state: Any,
) -> Iterator[Parameters]:
    """States to start from; the settings are those of `DawidSkene`, `tying` that of a class."""
    chance = check_random_state(random_state)
    for n in range(n_starts):
        sure: float | NDArray[np.float64] = accuracy
        if n > 0:
            drawn = chance.beta(4.0 * accuracy, 4.0 * (1.0 - accuracy), len(vocabulary.sources))
            sure = np.clip(drawn, 0.01, 0.99)
        grades = graded(sure, n_subtypes)
        votes = [prior_counts(tying, vocabulary, grade, strength) for grade in grades]
        own = problem.pseudo_votes.copy()
        own[: len(votes[0]) * n_subtypes] = np.column_stack(votes).ravel()
        items = problem.start.repeat(n_subtypes) / n_subtypes
        yield annealed(problem, problem.parameters(own, items), annealing)


def annealed(problem: Problem, at: Parameters, heat: float) -> Parameters:
    """Where EM gets to from a start while the power rises from `heat` to one."""
    while heat < 1.0:
        for _ in range(STEPS):
            counts, totals, _ = problem.gathered(at, heat)
            at = problem.m_step(counts, totals, at)
        heat *= RISE
    return at
