"""The panel: whom `LabelModel` asks about sources of a kind, and what each of them weighs."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.dawid_skene import DawidSkene
from partlabel.aggregate.habits import differing_favours
from partlabel.aggregate.mace import MACE
from partlabel.aggregate.majority import MajorityVote
from partlabel.aggregate.weighted_vote import WeightedVote
from partlabel.evidence import Votes

# How far sources differ in their favours where both kinds of models of a crowd weigh the same.
EVEN_FAVOURS = 0.13
# What all models being wrong at once weighs: the votes are then taken by their mere number.
DOUBT = 0.1

Makers = dict[str, Callable[[], Aggregator]]

CONFUSIONS: Makers = {
    "Dawid-Skene": lambda: DawidSkene(strength=2.0),
    "Dawid-Skene, learnt balance": lambda: DawidSkene(strength=1.0, class_prior="learnt"),
    "copy or spam": MACE,
    "copy or spam, learnt balance": lambda: MACE(class_prior="learnt"),
}
SINGLE_ACCURACIES: Makers = {
    "one accuracy per source": lambda: DawidSkene(tying="one"),
    "one accuracy per source, learnt balance": lambda: DawidSkene(
        tying="one", class_prior="learnt"
    ),
    "vote weighted by skill": lambda: WeightedVote(n_rounds=5),
}
RULES: Makers = {
    "judged by the others": lambda: DawidSkene(inference="loo"),
    "judged by the others, weak prior": lambda: DawidSkene(
        inference="loo", accuracy=0.6, strength=4.0
    ),
    "judged by the others, per class": lambda: DawidSkene(inference="loo", tying="class"),
    "judged by the others, per class, strong prior": lambda: DawidSkene(
        inference="loo", tying="class", accuracy=0.8, strength=30.0
    ),
    "majority": MajorityVote,
}
COUNTED: Makers = {"counted votes": lambda: MajorityVote(pseudo_votes=1.0)}


def panel_for(kind: Literal["crowd", "rules"], votes: Votes) -> tuple[Makers, dict[str, float]]:
    """Who is asked about sources of this kind, and with which weight; weights add up to one."""
    if kind == "rules":
        return RULES, dict.fromkeys(RULES, 1.0 / len(RULES))
    favours = differing_favours(votes)
    single = 0.5 if np.isnan(favours) else EVEN_FAVOURS / (EVEN_FAVOURS + favours)
    shares = ((CONFUSIONS, 1.0 - single), (SINGLE_ACCURACIES, single))
    weights = {
        name: (1.0 - DOUBT) * share / len(makers) for makers, share in shares for name in makers
    }
    return CONFUSIONS | SINGLE_ACCURACIES | COUNTED, weights | dict.fromkeys(COUNTED, DOUBT)
