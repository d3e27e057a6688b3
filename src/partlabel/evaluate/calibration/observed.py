r"""Observed: predicted probabilities beside what was observed about the same items.

======================  ==================  ===================================================
symbol                  code                shape, meaning
======================  ==================  ===================================================
:math:`p_{ik}`          ``probs``           (n, n_classes) predicted probability of class k
:math:`p(o_i \mid k)`   ``likelihood``      (n, n_classes) up to a factor per row; gold is one-hot
:math:`r_{ik}`          ``posterior(q)``    (n, n_classes) :math:`\propto q_{ik}\, p(o_i \mid k)`
======================  ==================  ===================================================

A calibrator :math:`q = g(p)` is fitted by the marginal likelihood,
:math:`-\sum_i \log \sum_k q_{ik}\, p(o_i \mid k)`, which is the log loss where :math:`o_i` is gold.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from partlabel.beliefs import Beliefs
from partlabel.channels import Channels, log_likelihood
from partlabel.errors import InputError
from partlabel.evaluate.metrics import FLOOR, Floats
from partlabel.evaluate.scored import Scored, as_beliefs, as_gold, rows_beside
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence
from partlabel.labels import LabelSpace


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Predicted probabilities beside the likelihood of what was observed, where that says anything.

    Attributes
    ----------
    probs : (n, n_classes) float
    likelihood : (n, n_classes) float
        p(observed | class), scaled so that the likeliest class has 1.
    labels : LabelSpace
    exact : (n,) bool
        One class alone is possible.
    sets : (n, n_classes) bool, or None
        The candidate sets, where some name several classes and all are trusted to hold the truth.
    basis : {"gold", "assumption"}
        "assumption" where a channel was needed to read some of it.
    """

    probs: Floats
    likelihood: NDArray[np.float64]
    labels: LabelSpace
    exact: NDArray[np.bool_]
    sets: NDArray[np.bool_] | None
    basis: Literal["gold", "assumption"]

    @classmethod
    def match(
        cls,
        predicted: Any,
        evidence: Any,
        labels: LabelSpace | None = None,
        channels: Channels | None = None,
    ) -> "Observed":
        """Match by position, or by item ids where both have them and they differ.

        Without `channels`, only the items whose class is known are taken.

        Raises
        ------
        InputError
            If the evidence says nothing of any predicted item, and as `Scored.match` and
            `log_likelihood` refuse.
        TypeError
            If `channels` are none, and as `Scored.match` refuses.
        """
        if channels is None:
            return cls._of_gold(Scored.match(predicted, evidence, labels))
        if not isinstance(channels, Channels):
            raise TypeError(
                f"`channels` must be Channels; got {type(channels).__name__}. "
                "Pass `Channels(votes=model.confusion_)` for votes, `Channels()` for sets."
            )
        return cls._through(channels, predicted, evidence, labels)

    @classmethod
    def _of_gold(cls, scored: Scored) -> "Observed":
        likelihood = np.zeros(scored.probs.shape)
        likelihood[np.arange(len(scored)), scored.codes] = 1.0
        exact = np.ones(len(scored), dtype=bool)
        return cls(scored.probs, likelihood, scored.labels, exact, None, "gold")

    @classmethod
    def _through(
        cls, channels: Channels, predicted: Any, evidence: Any, labels: LabelSpace | None
    ) -> "Observed":
        held = isinstance(evidence, Evidence | Votes | Candidates)
        if labels is None and held and not isinstance(predicted, Beliefs):
            labels = evidence.labels
        beliefs = as_beliefs(predicted, labels)
        known = _as_known(evidence, beliefs.labels)
        rows = rows_beside(known, beliefs, "evidence")
        known = known.select(rows[rows >= 0])
        log = log_likelihood(known, channels)
        likelihood = np.exp(log - log.max(axis=1, keepdims=True))
        telling = likelihood.min(axis=1) < 1.0
        if not telling.any():
            raise InputError(
                "`evidence` must say something of at least one predicted item; got nothing for "
                f"{len(beliefs)} items. Pass `Channels(votes=...)` for votes, or check that the "
                "item ids match."
            )
        likelihood = likelihood[telling]
        exact = (likelihood > 0).sum(axis=1) == 1
        return cls(
            probs=beliefs.probs[rows >= 0][telling],
            likelihood=likelihood,
            labels=beliefs.labels,
            exact=exact,
            sets=_trusted_sets(known, channels, telling),
            basis="gold" if exact.all() else "assumption",
        )

    def __len__(self) -> int:
        return len(self.probs)

    def posterior(self, probs: Floats) -> NDArray[np.float64]:
        """(n, n_classes) What to believe of each item if `probs` are right."""
        joint = np.maximum(probs, FLOOR) * self.likelihood
        return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def _as_known(evidence: Any, labels: LabelSpace) -> Evidence:
    if not isinstance(evidence, Evidence | Votes | Candidates):
        evidence = as_gold(evidence, labels)
    known = as_evidence(evidence)
    if known.labels != labels:
        raise InputError(
            f"`evidence` must have the classes of `predicted`, {labels.classes}; "
            f"got {known.labels.classes}. Build both with one LabelSpace."
        )
    return known


def _trusted_sets(
    known: Evidence, channels: Channels, rows: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    candidates = known.candidates
    if candidates is None or channels.candidate_noise > 0 or not candidates.partial.any():
        return None
    return candidates.mask()[rows]
