r"""Batch after batch: the past takes part in EM as votes whose classes are known in expectation.

=====================================  ================  ====================================
symbol                                 code              shape
=====================================  ================  ====================================
:math:`N_t(s, y)`                      past.heard        (n_symbols, n_classes)
:math:`M_t(y)`                         past.totals       (n_classes,)
:math:`\lambda`                        forget            in (0, 1]
=====================================  ================  ====================================

When batch :math:`t` arrives, EM climbs its own objective with :math:`\lambda N_{t-1}` added to the
pseudo-votes, and :math:`\lambda M_{t-1}` to the pseudo-items. The counts at its end are kept:

.. math:: N_t = \lambda N_{t-1} + \sum_{i \in t} b_i(y) [s \in o_i]

so that an item's belief is formed once, when it arrives, and later batches don't correct it. This
is online EM (O. Cappé and E. Moulines, On-line expectation-maximization algorithm for latent data
models, JRSSB 2009), with a batch of any size in place of an item and a constant weight of the past
in place of a falling step size; with :math:`\lambda = 1` it is one sweep of incremental EM (R. Neal
and G. Hinton, A view of the EM algorithm that justifies incremental, sparse, and other variants,
1998). New sources and new words only widen the tables of counts.
"""

from dataclasses import replace

import numpy as np

from partlabel.aggregate.settings import votes_of
from partlabel.aggregate.steps import Problem
from partlabel.aggregate.tally import Tally
from partlabel.errors import InputError
from partlabel.evidence import Evidence


def check_forget(forget: float) -> None:
    """Refuse a weight of the past outside (0, 1]."""
    if not 0.0 < forget <= 1.0:
        raise InputError(
            f"`forget` must lie in (0, 1]; got {forget}. 1 keeps all of the past, 0.5 half of it "
            "at each batch; to begin anew, use `fit`."
        )


def check_streamed(*, pool: float | None, subtypes: int, abstention: str) -> None:
    """Refuse settings whose parameters are more than counts of words by class."""
    settings = {
        "pool": (pool, pool is not None),
        "subtypes": (subtypes, subtypes > 1),
        "abstention": (abstention, abstention != "ignore"),
    }
    for name, (value, asked) in settings.items():
        if asked:
            raise InputError(
                f"`{name}` must be left out for `partial_fit`; got {value!r}. Use `fit` on all "
                "items, or leave it out."
            )


def in_one_vocabulary(evidence: Evidence, past: Tally) -> tuple[Evidence, Tally]:
    """Widen the vocabularies of a batch and of the past to all words of both."""
    votes = votes_of(evidence)
    vocabulary = past.vocabulary.union(votes.vocabulary)
    parts = [evidence.candidates, evidence.gold]
    candidates, gold = [None if part is None else replace(part, item_ids=None) for part in parts]
    widened = replace(votes.in_vocabulary(vocabulary), item_ids=None)
    return Evidence(votes=widened, candidates=candidates, gold=gold), past.in_vocabulary(vocabulary)


def after(past: Tally, problem: Problem) -> Problem:
    """The problem of a batch, with the counts of the past among its pseudo-votes and -items."""
    items = problem.pseudo_items
    return replace(
        problem,
        pseudo_votes=problem.pseudo_votes + problem.tying.gather(past.heard),
        pseudo_items=None if items is None else np.asarray(items + past.totals),
    )
