r"""Where EM starts: at the prior accuracy, at accuracies drawn at random; and annealed from there.

Annealing climbs a smoother objective first, in which beliefs are taken to the power
:math:`\beta < 1`, so that the votes' first verdict, which many sources make too sure, doesn't fix
the labels:

.. math:: b_i(y) \propto \Big( \pi_y \prod_{s \in o_i} p(s | y) \Big)^{\beta}, \qquad
          \beta \to 1

(N. Ueda and R. Nakano, Deterministic annealing EM algorithm, Neural Networks 1998, eq. 17).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from partlabel.aggregate.posed import Settings
from partlabel.aggregate.settings import accuracies
from partlabel.aggregate.steps import Parameters, Problem
from partlabel.aggregate.subtypes import graded
from partlabel.channels import prior_counts, tied
from partlabel.evidence import Vocabulary

RISE = 1.2  # of the power, from one temperature to the next
STEPS = 3  # of EM at each temperature


def starts(by: Settings, problem: Problem, vocabulary: Vocabulary) -> Iterator[Parameters]:
    """States to start from: the first from the votes, the others drawn at random."""
    chance = check_random_state(by.random_state)
    cells, sure = tied(by.tying, vocabulary), accuracies(by.accuracy, vocabulary.sources)
    for n in range(by.n_starts):
        about: float | NDArray[np.float64] = sure
        if n > 0:
            each = np.broadcast_to(sure, len(vocabulary.sources))
            drawn = chance.beta(4.0 * each, 4.0 * (1.0 - each))
            about = np.clip(drawn, 0.01, 0.99)
        grades = graded(about, by.subtypes)
        votes = np.column_stack(
            [prior_counts(cells, vocabulary, grade, by.strength) for grade in grades]
        )
        masses = np.concatenate([votes.ravel(), problem.pseudo_votes[votes.size :]])
        items = problem.start.repeat(by.subtypes) / by.subtypes
        yield annealed(problem, problem.parameters(masses, items), by.annealing)


def annealed(problem: Problem, at: Parameters, heat: float) -> Parameters:
    """Where EM gets to from a start while the power rises from `heat` to one."""
    while heat < 1.0:
        for _ in range(STEPS):
            counts, totals, _ = problem.gathered(at, heat)
            at = problem.m_step(counts, totals, at)
        heat *= RISE
    return at
