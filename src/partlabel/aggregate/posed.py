"""posed: the problem that the settings of DawidSkene pose, part by part."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Protocol

import numpy as np

from partlabel.aggregate.observations import Observations
from partlabel.aggregate.pool import Pool
from partlabel.aggregate.settings import (
    ClassPrior,
    accuracies,
    check_count,
    check_positive,
)
from partlabel.aggregate.silence import Silence
from partlabel.aggregate.steps import INFERENCES, Inference, Problem
from partlabel.aggregate.subtypes import split
from partlabel.channels import prior_counts, tied
from partlabel.errors import InputError
from partlabel.evidence import Vocabulary, Votes


class Settings(Protocol):
    """The settings of DawidSkene that say what is iterated, and from where."""

    tying: Literal["full", "class", "one"]
    accuracy: float | Mapping[str, float]
    strength: float
    class_strength: float
    inference: Inference
    pool: float | None
    subtypes: int
    abstention: Literal["ignore", "observed"]
    annealing: float
    n_starts: int
    max_iter: int
    random_state: Any


def posed(by: Settings, rows: Observations, votes: Votes, balance: ClassPrior) -> Problem:
    """The problem of some votes, which are also given as rows."""
    share, cells = balance.pseudo_items, tied(by.tying, votes.vocabulary)
    sure = accuracies(by.accuracy, votes.sources)
    problem = Problem(
        rows=rows,
        tying=cells,
        pseudo_votes=prior_counts(cells, votes.vocabulary, sure, by.strength),
        pseudo_items=None if share is None else np.full(len(votes.labels), share),
        start=balance.start,
        inference=by.inference,
    )
    if by.subtypes > 1:
        problem = with_subtypes(problem, by.subtypes, by.class_strength)
    if by.pool is not None:
        problem = with_pool(problem, votes.vocabulary, by.pool)
    if by.abstention == "observed":
        problem = with_silence(problem, votes, by.strength)
    return problem


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


def check_settings(by: Settings) -> None:
    """Refuse settings out of range, and those that don't go together."""
    check_positive(strength=by.strength, class_strength=by.class_strength)
    check_count(n_starts=by.n_starts, max_iter=by.max_iter, subtypes=by.subtypes)
    if by.pool is not None:
        check_positive(pool=by.pool)
    if not 0.0 < by.annealing <= 1.0:
        raise InputError(
            f"`annealing` must lie in (0, 1]; got {by.annealing}. 1 is none, 0.1 much."
        )
    if by.abstention not in ("ignore", "observed"):
        raise InputError(f"`abstention` must be 'ignore' or 'observed'; got {by.abstention!r}.")
    if by.abstention == "observed" and by.inference == "loo":
        raise InputError(
            "`abstention` must be 'ignore' with inference='loo', which judges each vote by the "
            "others; got 'observed'. Use 'em' or 'vb'."
        )
    if by.inference not in INFERENCES:
        shown = ", ".join(map(repr, INFERENCES))
        raise InputError(f"`inference` must be one of {shown}; got {by.inference!r}.")
