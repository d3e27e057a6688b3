r"""ConformalSets: for each item a set of classes that holds the true one as often as promised.

======================  ==================  ====================================================
symbol                  code                shape, meaning
======================  ==================  ====================================================
:math:`s(x, k)`         ``SCORES[...]``     (n, n_classes) how badly class k fits the prediction
:math:`s_i`             ``worst``           (n,) score of the true class, or of the worst
                                            candidate
:math:`w_k`             ``shift``           (n_classes,) share of the class in the items to come,
                                            over its share in the gold items
:math:`t_k`             ``thresholds_``     (n_classes,) class k is in the set if
                                            :math:`s(x, k) \le t_k`
======================  ==================  ====================================================

Split conformal: :math:`t` is the :math:`\lceil (n + 1) \, level \rceil`-th smallest :math:`s_i`
(V. Vovk, A. Gammerman, G. Shafer, *Algorithmic learning in a random world*, 2005; J. Lei et al.,
JASA 2018). ``per_class`` takes the quantile among the items of each class. With candidate sets
:math:`s_i` is the score of the worst candidate, which is at least that of the true class: the sets
come out larger than they need be, never too small (M. Cauchois, S. Gupta, A. Ali, J. Duchi,
"Predictive inference with weak supervision", JMLR 2024). Under label shift the items are weighed by
:math:`w`, and an item to come that would be of class k by :math:`w_k` (A. Podkopaev, A. Ramdas,
"Distribution-free uncertainty quantification for classification under label shift", UAI 2021,
section 3); :math:`w` solves :math:`C w = q` for the mean prediction q of the other items and
:math:`C_{jk}`, the mean over gold items of :math:`p_j [y = k]` (Z. Lipton, Y.-X. Wang, A. Smola,
"Detecting and correcting for label shift with black box predictors", ICML 2018, section 4).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from partlabel.channels import Channels
from partlabel.errors import InputError
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.scored import as_beliefs
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace


def lac(probs: Floats) -> Floats:
    """One minus the probability of the class (Sadinle, Lei & Wasserman, JASA 2019)."""
    return 1.0 - probs


def aps(probs: Floats) -> Floats:
    """Probability of all classes at least as likely (Romano, Sesia & Candès, NeurIPS 2020).

    Without their random share of the class itself: the same item has the same set every time.
    """
    order = np.argsort(-probs, axis=1, kind="stable")
    sums = np.cumsum(np.take_along_axis(probs, order, axis=1), axis=1)
    scores = np.empty_like(sums)
    np.put_along_axis(scores, order, sums, axis=1)
    return scores


SCORES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType({"lac": lac, "aps": aps})


class ConformalSets(BaseEstimator):
    """Gives each item a set of classes that holds the true one with probability `level`.

    Whatever the predictions are: bad ones make the sets large, never wrong more often. Right if the
    items that it is fitted on and those to come are drawn alike (exchangeable), and the model was
    trained on neither. The promise is about the average item, over draws of both.

    Parameters
    ----------
    level : float in (0, 1), default 0.9
        How often a set holds the true class. Higher makes the sets larger.
    score : {"lac", "aps"}, default "lac"
        "lac" gives the smallest sets on average; "aps" gives larger sets to hard items and smaller
        ones to easy items, so that both are served more alike.
    per_class : bool, default False
        Keep the promise for each class. Takes gold, at least ``level / (1 - level)`` items a class;
        a class with fewer is in every set.
    label_shift : bool, default False
        The predicted items without gold are those to come, and their classes may have other
        shares. Right if items of one class are alike in both. Takes gold.

    Attributes
    ----------
    thresholds_ : (n_classes,) float
        A class is in the set where its score is at most this; inf where it always is.
    shift_ : (n_classes,) float
        How much more frequent each class is thought to be among the items to come; ones without
        `label_shift`.
    labels_ : LabelSpace
    n_items_, n_gold_ : int
        Items that it was fitted on, and those with one class known.
    basis_ : {"gold", "assumption"}
        "assumption" with candidate sets, which must hold the true class, or with `label_shift`.

    Examples
    --------
    >>> labels = LabelSpace(["cat", "dog", "car"])
    >>> rng = np.random.default_rng(0)
    >>> probs = rng.dirichlet(np.ones(3), size=500)
    >>> truth = labels.decode([rng.choice(3, p=row) for row in probs])
    >>> sets = ConformalSets(level=0.8).fit(probs, truth, labels=labels)
    >>> sets.predict([[0.9, 0.08, 0.02], [0.4, 0.35, 0.25]]).sizes
    array([1, 2])
    """

    def __init__(
        self,
        *,
        level: float = 0.9,
        score: Literal["lac", "aps"] = "lac",
        per_class: bool = False,
        label_shift: bool = False,
    ) -> None:
        self.level = level
        self.score = score
        self.per_class = per_class
        self.label_shift = label_shift

    def fit(
        self, predicted: Any, evidence: Any, *, labels: LabelSpace | None = None
    ) -> "ConformalSets":
        """Find the thresholds on gold, or on candidate sets.

        Parameters
        ----------
        predicted : Beliefs, or (n_items, n_classes) probabilities
        evidence : Candidates, Evidence with candidates or gold, or (n_items,) class names with
            nulls. Items of which nothing is known are left out.
        labels : LabelSpace, default None
            As in `Calibrator.fit`.

        Raises
        ------
        InputError
            If `level` or `score` is out of range, sets with several classes meet `per_class` or
            `label_shift`, `label_shift` finds no item without gold, and as `Calibrator.fit`
            refuses.
        TypeError
            If `evidence` is Votes, which leave no worst class, and as `Calibrator.fit` refuses.
        """
        check_level(self.level)
        if self.score not in SCORES:
            raise InputError(f"`score` must be one of 'lac', 'aps'; got {self.score!r}.")
        if isinstance(evidence, Votes):
            raise TypeError("`evidence` must be gold or candidate sets; got Votes. Pass some gold.")
        if isinstance(evidence, Evidence):
            evidence = evidence.without("votes")
        observed = Observed.match(predicted, evidence, labels, Channels())
        if (self.per_class or self.label_shift) and not observed.exact.all():
            raise InputError(
                "`evidence` must be gold with `per_class` or `label_shift`; got sets with several "
                f"classes ({int((~observed.exact).sum())} of {len(observed)} items). Pass "
                "`evidence.gold`, or leave both options out."
            )
        self.labels_ = observed.labels
        self.n_items_, self.n_gold_ = len(observed), int(observed.exact.sum())
        self.shift_ = np.ones(len(observed.labels))
        if self.label_shift:
            self.shift_ = _shift(as_beliefs(predicted, observed.labels).probs, observed)
        self.basis_ = "assumption" if self.label_shift else observed.basis
        self.thresholds_ = self._thresholds(observed)
        return self

    def predict(self, predicted: Any) -> Candidates:
        """Give each item its set; where no class passes, the most likely one.

        Parameters
        ----------
        predicted : Beliefs, or (n_items, n_classes) probabilities

        Returns
        -------
        Candidates

        Raises
        ------
        InputError
            If the classes differ, or a row is no distribution.
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self)
        beliefs = as_beliefs(predicted, self.labels_)
        held = SCORES[self.score](beliefs.probs.astype(np.float64)) <= self.thresholds_
        held[np.arange(len(held)), beliefs.probs.argmax(axis=1)] |= ~held.any(axis=1)
        return Candidates.from_mask(held, beliefs.labels, items=beliefs.item_ids)

    def _thresholds(self, observed: Observed) -> NDArray[np.float64]:
        possible = observed.likelihood > 0
        scores = SCORES[self.score](observed.probs.astype(np.float64))
        worst = np.where(possible, scores, -np.inf).max(axis=1)
        own = possible.argmax(axis=1)
        if self.per_class:
            groups = [worst[own == k] for k in range(len(self.labels_))]
            return np.array(
                [weighted_quantile(s, np.ones(len(s)), 1.0, self.level) for s in groups]
            )
        weights = self.shift_[own] if self.label_shift else np.ones(len(worst))
        return np.array([weighted_quantile(worst, weights, w, self.level) for w in self.shift_])


def weighted_quantile(
    scores: NDArray[np.float64], weights: NDArray[np.float64], own: float, level: float
) -> float:
    """The least score that `level` of the weight is at or below, `own` weight standing at inf."""
    order = np.argsort(scores)
    reached = np.cumsum(weights[order])
    total = own + weights.sum()
    # less a rounding error, so that 9 of 10 is 0.9
    place = int(np.searchsorted(reached, level * total * (1.0 - 1e-12)))
    return float(scores[order[place]]) if place < len(scores) else np.inf


def _shift(probs: Floats, observed: Observed) -> NDArray[np.float64]:
    """(n_classes,) Class shares in the items without gold, over those in the items with gold."""
    n_other = len(probs) - len(observed)
    if n_other == 0:
        raise InputError(
            "`predicted` must have items without gold with `label_shift`; got none. "
            "Pass the items to come too, with null for their class."
        )
    others = (probs.sum(axis=0, dtype=np.float64) - observed.probs.sum(axis=0)) / n_other
    confusion = observed.probs.astype(np.float64).T @ observed.likelihood / len(observed)
    shift, _ = nnls(confusion, others)
    share = observed.likelihood.mean(axis=0)
    return np.asarray(shift / max(float(share @ shift), np.finfo(float).tiny))
