r"""Can the class balance be learnt from these votes? It decides for `class_prior="auto"`.

What identifies it are items about which three sources spoke that tell the classes apart: from
triples of independent views whose channels have full rank, the shares of the classes follow
(Allman, Matias & Rhodes, Identifiability of parameters in latent structure models, Annals of
Statistics 2009, theorem 4). A rule that only ever says one class has a column of ones there: how
often the class is and how often the rule fires at all can't be told from each other.

With a share w of the items in such triples, the expected class totals get (1 - w) / w even
pseudo-items for each item, so that the balance moves w of the way from even to what EM finds:
nothing for rules, all the way for a crowd.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.aggregate.settings import ClassPrior
from partlabel.evidence import Votes

TRIPLE = 3  # independent views that identify a mixture
LITTLE = 0.05  # share of items in triples below which nothing is learnt


@dataclass(frozen=True, slots=True)
class BalanceChoice:
    """How far the class balance is learnt, and why.

    Attributes
    ----------
    weight : float in [0, 1]
        How far the balance moves from even towards what EM finds; 0 takes it as even.
    reason : str
        Why, for the user.
    n_items : int
        Items with a vote.
    """

    weight: float
    reason: str
    n_items: int = 0

    @classmethod
    def of(cls, votes: Votes) -> "BalanceChoice":
        """Look at which sources say several classes, and how often three of them meet."""
        said = _classes_said(votes)
        several = (said > 0).sum(axis=1) > 1
        found = f"{several.sum()} of {votes.n_sources} sources say several classes"
        missing = (said[several] > 0).sum(axis=0) < TRIPLE
        if missing.any():
            name = votes.labels.classes[int(missing.argmax())]
            return cls(0.0, f"{found}, and fewer than three of them say {name!r}: taken as even.")
        heard = np.bincount(votes.item, weights=several[votes.source], minlength=votes.n_items)
        spoken = int((votes.votes_per_item > 0).sum())
        share = int((heard >= TRIPLE).sum()) / max(spoken, 1)
        met = f"{found}, and three of them speak about {share:.0%} of the items"
        if share < LITTLE:
            return cls(0.0, f"{met}: taken as even.")
        how = "learnt" if share > 1.0 - LITTLE else f"learnt, and shrunk to even by {1 - share:.0%}"
        return cls(share, f"{met}: {how}.", spoken)

    def prior(self, n_classes: int, strength: float) -> ClassPrior:
        """The class prior that follows, with `strength` pseudo-items behind a learnt one."""
        even = np.full(n_classes, 1.0 / n_classes)
        if self.weight == 0.0:
            return ClassPrior(even)
        behind = strength + self.n_items * (1.0 - self.weight) / self.weight
        return ClassPrior(even, behind / n_classes)


def balance_of(
    setting: Any, votes: Votes, strength: float, *, replaced: bool
) -> tuple[ClassPrior, str]:
    """Read the setting `class_prior`, "auto" among its words; and say what was decided.

    Raises
    ------
    InputError
        As `ClassPrior.of`.
    """
    n_classes = len(votes.labels)
    given = ClassPrior.of(
        setting, n_classes, strength, known=("uniform", "learnt", "auto"), replaced=replaced
    )
    if replaced:
        return given, "Each item has a prior of its own."
    if not isinstance(setting, str):
        return given, "Given."
    if setting != "auto":
        return given, {"uniform": "Taken as even.", "learnt": "Learnt."}[setting]
    choice = BalanceChoice.of(votes)
    return choice.prior(n_classes, strength), choice.reason


def _classes_said(votes: Votes) -> NDArray[np.float64]:
    """(n_sources, n_classes) How often each source said exactly this class."""
    vocabulary, n_classes = votes.vocabulary, len(votes.labels)
    said = np.bincount(votes.symbol, minlength=len(vocabulary))
    exact = vocabulary.meaning < n_classes
    counts = np.zeros((votes.n_sources, n_classes))
    np.add.at(counts, (vocabulary.source[exact], vocabulary.meaning[exact]), said[exact])
    return counts
