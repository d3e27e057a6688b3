r"""LabelModel: the default way to combine sources, with no choice to make.

No single label model is good at both crowds and rules, and none says by its likelihood whether it
is right: EM prefers whatever makes the sources look consistent. What does show in the votes alone
is what kind of sources they are, and averaging models that fail differently is better than the best
of them, and better calibrated:

- *Crowds*, whose sources say every class: the mean belief of models of how sources confuse classes
  (Dawid-Skene, copy-or-spam), and of models with a single accuracy per source (one-coin, a vote
  weighted by skill), each with an even and with a learnt class balance. The less sources differ in
  the classes that they favour (`differing_favours`), the more the single accuracies weigh: then
  confusion tables mostly learn what nothing in the votes can tell from another class balance.
- *Rules*, most of which only ever say one class: the class balance can't be learnt from them, and
  EM takes a rule's own echo for agreement. So: Dawid-Skene in which each source is judged by the
  others, with full and with per-class accuracies and several priors, and the majority, averaged as
  logarithms.

Gold, where there is some, corrects the result: its balance, its sharpness, and the weight of each
source's words (`GoldCalibration`).
"""

import warnings
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.calibrate import GoldCalibration
from partlabel.aggregate.dawid_skene import confusion_under
from partlabel.aggregate.dependence import dependent_groups, dependent_pairs, merge_groups
from partlabel.aggregate.habits import speaks_selectively
from partlabel.aggregate.majority import MajorityVote
from partlabel.aggregate.panel import COUNTED, DOUBT, SINGLE_ACCURACIES, panel_for
from partlabel.aggregate.prior import Prior, possible
from partlabel.aggregate.reliability import reliability_table, spread_of
from partlabel.aggregate.settings import check_positive, votes_of
from partlabel.channels import Confusion
from partlabel.evidence import Evidence, Vocabulary, Votes

# Heuristic: members that disagree on a source's accuracy are likely to err together besides, by as
# many times the variance; rules more so, as few speak about the same items. Measured to bring 95%
# intervals near their name: `benchmarks/label_models.py --intervals`.
SHARED_MISTAKES = {"crowd": 2.0, "rules": 8.0}
FLOOR = 0.01  # of a belief before its logarithm is averaged: no member has a veto


class LabelModel(Aggregator):
    """Combine sources of any kind into beliefs, and learn how reliable each of them is.

    Use it unless you know better; `choice_` says what it did and why. It looks at whether most
    sources only ever say one class, merges sources that copy each other, averages the label models
    that suit, and lets gold labels correct the result.

    Parameters
    ----------
    merge_copies : bool, default True
        Let sources that agree far beyond what the label explains count as one.
    gold_precision : float, default 4.0
        How many gold labels it takes to move the beliefs; rarely worth changing.

    Attributes
    ----------
    choice_ : str
        What was done, and why.
    kind_ : {"crowd", "rules"}
        What the sources are like.
    members_ : dict of name to label model
        The fitted models that are averaged.
    weights_ : dict of name to float
        Their weights in the average.
    copies_ : list of tuples of source names
        Groups that count as one source.
    calibration_ : GoldCalibration or None
        What gold corrected.
    reliability_ : polars.DataFrame
        One row per source: see `reliability_table`. The intervals are widened by how far the
        members disagree about the source.
    vocabulary_ : Vocabulary
        The words of the sources.
    labels_ : LabelSpace

    Examples
    --------
    >>> from partlabel.evidence import Votes
    >>> from partlabel.labels import LabelSpace
    >>> votes = Votes.from_matrix([[0, 0, 1], [1, 1, -1], [0, 0, 0]], LabelSpace(["ham", "spam"]))
    >>> LabelModel().fit_aggregate(votes).decide().to_list()
    ['ham', 'spam', 'ham']

    References
    ----------
    C. Genest and J. V. Zidek, Combining probability distributions, Statistical Science 1986 (linear
    and logarithmic pools). The members cite their own.
    """

    choice_: str
    kind_: Literal["crowd", "rules"]
    members_: dict[str, Aggregator]
    weights_: dict[str, float]
    copies_: list[tuple[str, ...]]
    calibration_: GoldCalibration | None
    vocabulary_: Vocabulary

    def __init__(self, *, merge_copies: bool = True, gold_precision: float = 4.0) -> None:
        self.merge_copies = merge_copies
        self.gold_precision = gold_precision

    def _learn(self, evidence: Evidence, prior: Prior) -> None:
        check_positive(gold_precision=self.gold_precision)
        votes = votes_of(evidence)
        self.vocabulary_ = votes.vocabulary
        self.copies_ = (
            dependent_groups(dependent_pairs(votes), votes.sources) if self.merge_copies else []
        )
        self.kind_ = "rules" if speaks_selectively(votes) else "crowd"
        blind = self._blind(evidence)
        self._words = votes_of(blind).vocabulary
        makers, self.weights_ = panel_for(self.kind_, votes)
        self.members_ = {name: make() for name, make in makers.items()}
        with warnings.catch_warnings():
            # one member short of its optimum moves the average little; it keeps its status
            warnings.simplefilter("ignore", ConvergenceWarning)
            for member in self.members_.values():
                member.fit(blind, prior)
        opinions = self._opinions(blind, prior)
        pooled = self._pooled(opinions)
        self.calibration_ = self._calibrated(evidence, blind, pooled)
        beliefs = self._settled(evidence, blind, pooled, prior)
        learnt = [
            self._settled(evidence, blind, opinion, prior)
            for name, opinion in zip(self.members_, opinions, strict=True)
            if name not in COUNTED  # a hedge, which learns nothing of the sources
        ]
        spread = SHARED_MISTAKES[self.kind_] * spread_of(evidence, learnt)
        self.reliability_ = reliability_table(evidence, beliefs, spread=spread)
        self.choice_ = self._account(evidence, pooled, prior)

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        blind = self._blind(evidence)
        return self._settled(evidence, blind, self._pooled(self._opinions(blind, prior)), prior)

    def confusion_given(self, evidence: Evidence, beliefs: NDArray[np.float64]) -> Confusion | None:
        """Give the channel of a crowd's votes that beliefs from elsewhere speak for: one M-step.

        Returns
        -------
        Confusion, or None for rules: re-learnt from a model's own beliefs, the channel of rules
        that each say one class drifts to one class.
        """
        if self.kind_ == "rules":
            return None
        return confusion_under(votes_of(evidence).in_vocabulary(self.vocabulary_), beliefs)

    def _blind(self, evidence: Evidence) -> Evidence:
        """The evidence without gold, which judges the beliefs and so can't form them."""
        merged = merge_groups(votes_of(evidence), self.copies_)
        return Evidence(
            votes=replace(merged, item_ids=None),
            candidates=evidence.candidates and replace(evidence.candidates, item_ids=None),
        )

    def _opinions(self, blind: Evidence, prior: Prior = None) -> list[NDArray[np.float64]]:
        believed = (member.aggregate(blind, prior).probs for member in self.members_.values())
        return [np.asarray(probs, dtype=np.float64) for probs in believed]

    def _pooled(self, opinions: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        weights, pooled = list(self.weights_.values()), np.zeros_like(opinions[0])
        for weight, opinion in zip(weights, opinions, strict=True):
            said = opinion if self.kind_ == "crowd" else np.log(np.maximum(opinion, FLOOR))
            pooled += weight / sum(weights) * said
        if self.kind_ == "rules":
            np.exp(pooled, out=pooled)
            pooled /= np.einsum("ij->i", pooled)[:, None]
        return pooled

    def _calibrated(
        self, evidence: Evidence, blind: Evidence, pooled: NDArray[np.float64]
    ) -> GoldCalibration | None:
        gold = evidence.gold
        if gold is None or not gold.exact.any():
            return None
        rows = np.flatnonzero(gold.exact)
        votes = votes_of(blind).select(rows)
        return GoldCalibration.fit(
            pooled[rows], gold.codes()[rows], votes, precision=self.gold_precision
        )

    def _settled(
        self, evidence: Evidence, blind: Evidence, probs: NDArray[np.float64], prior: Prior
    ) -> NDArray[np.float64]:
        """Beliefs corrected by gold, within what gold, candidates and the prior leave possible."""
        if self.calibration_ is not None:
            probs = self.calibration_.apply(probs, self._as_learnt(votes_of(blind)))
        table, which = possible(evidence, prior)
        if (table > 0).all():
            return probs
        before = table[which]
        within = probs * (before > 0)
        total = within.sum(axis=1, keepdims=True)
        unheard = before / before.sum(axis=1, keepdims=True)
        settled = within / np.maximum(total, np.finfo(float).tiny)
        return np.asarray(np.where(total > 0, settled, unheard))

    def _account(self, evidence: Evidence, pooled: NDArray[np.float64], prior: Prior) -> str:
        if self.kind_ == "rules":
            said = (
                "Most sources only ever say one class, so the class balance is taken as even and "
                "each source is judged by the others"
            )
        else:
            single = sum(self.weights_[name] for name in SINGLE_ACCURACIES) / (1.0 - DOUBT)
            said = (
                "Most sources say several classes, so the class balance is learnt beside an even "
                "one; by how sources differ in the classes that they favour, a single accuracy "
                f"per source weighs {single:.0%} and confusion tables {1 - single:.0%}"
            )
        parts = [f"{said}; the beliefs average {len(self.members_)} label models."]
        if prior is not None:
            parts.append("The prior of each item takes the place of the class balance.")
        if self.copies_:
            groups = "; ".join(" = ".join(group) for group in self.copies_[:3])
            more = f" and {len(self.copies_) - 3} more" if len(self.copies_) > 3 else ""
            parts.append(f"Sources that copy each other count as one: {groups}{more}.")
        if self.calibration_ is not None:
            parts.append(_against_majority(evidence, pooled))
        return " ".join(parts)

    def _as_learnt(self, votes: Votes) -> Votes:
        """The votes in the words that were there in `fit`, copies merged."""
        return votes.in_vocabulary(self._words)


def _against_majority(evidence: Evidence, pooled: NDArray[np.float64]) -> str:
    """Compare with majority vote where gold allows it, before gold has corrected anything."""
    gold = evidence.gold
    assert gold is not None
    rows = np.flatnonzero(gold.exact)
    truth = gold.codes()[rows]
    mine = _hits(pooled[rows], truth)
    votes = _hits(MajorityVote().fit_aggregate(evidence.without("gold").select(rows)).probs, truth)
    worse = " Majority vote does better there: look at the sources." if votes > mine else ""
    return (
        f"{len(rows)} gold labels corrected the balance, the sharpness and the weight of each "
        f"source's words; on these, the beliefs without them are right in {mine:.0%}, majority "
        f"vote in {votes:.0%}.{worse}"
    )


def _hits(probs: NDArray[np.floating[Any]], truth: NDArray[np.int32]) -> float:
    """Accuracy, ties at their expected value."""
    top = probs >= probs.max(axis=1, keepdims=True) - 1e-9
    return float((top[np.arange(len(truth)), truth] / top.sum(axis=1)).mean())
