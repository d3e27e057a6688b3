"""What further settings of DawidSkene make of its problem: subtypes, a pool, observed silence."""

from dataclasses import replace

import numpy as np

from partlabel.aggregate.pool import Pool
from partlabel.aggregate.silence import Silence
from partlabel.aggregate.steps import Problem
from partlabel.aggregate.subtypes import split
from partlabel.evidence import Vocabulary, Votes


def with_subtypes(problem: Problem, n_subtypes: int, strength: float) -> Problem:
    """Split each class; `strength` pseudo-items are behind the shares of all states together."""
    n_states = len(problem.start) * n_subtypes
    given = problem.pseudo_items is None
    items = np.full(len(problem.start), strength / len(problem.start))
    if problem.pseudo_items is not None:
        items = problem.pseudo_items
    return replace(
        problem,
        tying=split(problem.tying, n_subtypes),
        pseudo_votes=problem.pseudo_votes.repeat(n_subtypes),
        pseudo_items=items.repeat(n_subtypes) / n_subtypes,
        within=np.arange(n_states) // n_subtypes if given else None,
    )


def with_pool(problem: Problem, vocabulary: Vocabulary, strength: float) -> Problem:
    """Shrink each source to the pool with so many pseudo-votes; the others are behind the pool."""
    pool = Pool.of(problem.tying, vocabulary, problem.pseudo_votes, strength)
    shares = problem.tying.normalised(problem.pseudo_votes)
    return replace(problem, pool=pool, pseudo_votes=strength * shares)


def with_silence(problem: Problem, votes: Votes, strength: float) -> Problem:
    """Add whether a source speaks, with `strength` pseudo-items behind its coverage."""
    silence = Silence.of(votes, problem.tying.cell.shape[1])
    behind = silence.pseudo_items(votes, strength)
    pseudo_votes = np.concatenate([problem.pseudo_votes, behind])
    return replace(problem, silence=silence, pseudo_votes=pseudo_votes)
