r"""MACE: each vote copies the true label, or is spam from its source's own habit.

====================================  =============  ==========================================
symbol                                code           shape
====================================  =============  ==========================================
:math:`\theta_j`                      copying        (n_sources,) p(the vote is a copy)
:math:`\xi_j(s)`                      spam           (n_symbols,) p(word | spam)
:math:`c(s | y)`                      copies         (n_symbols, n_classes) p(word | copy, y)
:math:`\pi_y`                         class_prior    (n_classes,)
:math:`\sum_i b_i(y) [s \in o_i]`     counts         (n_symbols, n_classes)
====================================  =============  ==========================================

The channel of source j (Hovy, Berg-Kirkpatrick, Vaswani & Hovy, Learning whom to trust with MACE,
NAACL 2013, section 2) is

.. math:: p(s | y) = \theta_j c(s | y) + (1 - \theta_j) \xi_j(s)

A copy says one of the source's words that hold the label, each alike. Whether a vote was a copy
depends on its word and the label alone, so that the expected counts are all that an M-step needs.
EM climbs

.. math:: \sum_i \log \sum_{y \in S_i} \pi_y \prod_{s \in o_i} p(s | y)
          + \sum_j \tfrac{a}{2} \log \theta_j (1 - \theta_j) + \sum_s d \log \xi(s)
"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.em import Outcome, run_em
from partlabel.aggregate.kernels import TINY, counts_under, expected_counts
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.posterior import posterior
from partlabel.aggregate.prior import Prior
from partlabel.aggregate.reliability import reliability_table
from partlabel.aggregate.settings import (
    ClassPrior,
    check_count,
    check_positive,
    check_probability,
    votes_of,
)
from partlabel.channels import Confusion, expected_table
from partlabel.evidence import Evidence, Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """Where EM stands."""

    copying: NDArray[np.float64]
    spam: NDArray[np.float64]
    class_prior: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """The channel's form: which words a copy may say, and the pseudo-votes of its parameters."""

    vocabulary: Vocabulary
    copies: NDArray[np.float64]
    strength: float
    spam_strength: float

    def start(self, copying: float, class_prior: NDArray[np.float64]) -> Parameters:
        """Every source copies with one probability, and spams all its words alike."""
        words = np.diff(self.vocabulary.first)
        return Parameters(
            np.full(len(words), copying), 1.0 / words[self.vocabulary.source], class_prior
        )

    def copied(self, at: Parameters) -> NDArray[np.float64]:
        """(n_symbols, n_classes) p(the word, as a copy | class)."""
        return np.asarray(at.copying[self.vocabulary.source][:, None] * self.copies)

    def table(self, at: Parameters) -> NDArray[np.float64]:
        """(n_symbols, n_classes) p(word | class)."""
        spammed = (1.0 - at.copying)[self.vocabulary.source] * at.spam
        return np.asarray(self.copied(at) + spammed[:, None])

    def m_step(
        self, counts: NDArray[np.float64], class_prior: NDArray[np.float64], at: Parameters
    ) -> Parameters:
        """The parameters that the expected counts and the pseudo-votes speak for."""
        source = self.vocabulary.source
        spammed = (counts * (1.0 - self.copied(at) / self.table(at))).sum(axis=1)
        said = np.bincount(source, weights=counts.sum(axis=1))
        honest = said - np.bincount(source, weights=spammed)
        mass = spammed + self.spam_strength
        return Parameters(
            copying=(honest + self.strength / 2) / (said + self.strength),
            spam=mass / np.bincount(source, weights=mass)[source],
            class_prior=class_prior,
        )

    def log_density(self, at: Parameters) -> float:
        """Log of the Beta and Dirichlet priors' densities, up to a constant (nats)."""
        coins = np.log(at.copying).sum() + np.log1p(-at.copying).sum()
        return float(self.strength / 2 * coins + self.spam_strength * np.log(at.spam).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What EM works on."""

    rows: Observations
    channel: Copies
    prior: ClassPrior

    def e_step(self, at: Parameters) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Expected counts, class totals and log-likelihood (nats); all add up over the rows."""
        rows, table = self.rows, np.maximum(self.channel.table(at), TINY)
        start = rows.sets * at.class_prior
        return expected_counts(rows.indptr, rows.symbol, rows.weight, rows.which, start, table)

    def step(self, at: Parameters) -> tuple[Parameters, float]:
        """One step of EM, and the objective where it started."""
        counts, totals, objective = self.e_step(at)
        objective += self.channel.log_density(at) + self.prior.log_density(at.class_prior)
        return self.channel.m_step(counts, self.prior.updated(totals), at), objective


class MACE(Aggregator):
    """Learn how often each source knows the label, and what it says when it doesn't.

    Right where sources either know the answer or fall back on a habit, such as always clicking the
    first class: a habit costs one distribution instead of a table, so that sources of few votes are
    judged sooner than by `DawidSkene`. Wrong where a source confuses particular classes with each
    other, or lies: a source can't be worse than spam here. Gold and candidates take part.

    Parameters
    ----------
    copying : float in (0, 1), default 0.7
        How often a source copies the true label, where EM starts. There is one start, the same for
        all sources, so that neither chance nor an order plays a part.
    strength : float, default 1.0
        Pseudo-votes behind each source's copying, one half copies. Higher pulls it to one half.
    spam_strength : float, default 0.1
        Pseudo-votes behind each word of a source's spam. Higher makes spam more even.
    class_prior : "uniform", "learnt" or (n_classes,), default "uniform"
        Share of each class before any vote. "learnt" suits dense votes of uneven classes; not
        rules that only ever say one class.
    class_strength : float, default 10.0
        Pseudo-items, spread evenly over the classes, behind a learnt class prior.
    max_iter : int, default 200
    tol : float, default 1e-7
        Stop when a step improves the objective by less than this, in nats per item.

    Attributes
    ----------
    copying_ : (n_sources,) float
        p(a vote of the source copies the true label).
    spam_ : (n_symbols,) float
        What it says otherwise: p(word | spam), in the order of `confusion_.vocabulary`.
    confusion_ : Confusion
        What each source says, by true class.
    class_prior_ : (n_classes,) float
    reliability_ : polars.DataFrame
        One row per source: see `reliability_table`.
    status_ : Outcome
        How EM ended.
    objective_path_ : list of float
        The objective at each iteration, in nats.
    labels_ : LabelSpace

    Examples
    --------
    >>> from partlabel.evidence import Votes
    >>> from partlabel.labels import LabelSpace
    >>> said = [[0, 0, 1], [1, 1, 1], [0, 0, 1], [1, 1, 1]]
    >>> votes = Votes.from_matrix(said, LabelSpace(["ham", "spam"]))
    >>> model = MACE().fit(votes)
    >>> model.aggregate(votes).decide().to_list(), bool(model.copying_[2] < 0.5)
    (['ham', 'spam', 'ham', 'spam'], True)

    References
    ----------
    D. Hovy, T. Berg-Kirkpatrick, A. Vaswani and E. Hovy, Learning whom to trust with MACE, NAACL
    2013, section 2; here by maximum a posteriori, with half a pseudo-vote on each side.
    """

    copying_: NDArray[np.float64]
    spam_: NDArray[np.float64]
    confusion_: Confusion
    class_prior_: NDArray[np.float64]
    status_: Outcome
    objective_path_: list[float]

    def __init__(
        self,
        *,
        copying: float = 0.7,
        strength: float = 1.0,
        spam_strength: float = 0.1,
        class_prior: Literal["uniform", "learnt"] | ArrayLike = "uniform",
        class_strength: float = 10.0,
        max_iter: int = 200,
        tol: float = 1e-7,
    ) -> None:
        self.copying = copying
        self.strength = strength
        self.spam_strength = spam_strength
        self.class_prior = class_prior
        self.class_strength = class_strength
        self.max_iter = max_iter
        self.tol = tol

    def confusion_given(self, evidence: Evidence, beliefs: NDArray[np.float64]) -> Confusion:
        """Give the channel of the votes that beliefs from elsewhere speak for: one M-step.

        Parameters
        ----------
        evidence : Evidence
            With votes of the sources that were there in `fit`.
        beliefs : (n_items, n_classes)
        """
        check_is_fitted(self, "confusion_")
        channel = self._channel(self.confusion_.vocabulary)
        votes = votes_of(evidence).in_vocabulary(channel.vocabulary)
        n_symbols = len(channel.copies)
        counts = counts_under(votes.indptr, votes.symbol, beliefs, n_symbols)
        at = Parameters(self.copying_, self.spam_, self.class_prior_)
        return Confusion(
            channel.vocabulary, channel.table(channel.m_step(counts, self.class_prior_, at))
        )

    def _learn(self, evidence: Evidence, prior: Prior) -> None:
        problem = self._problem(evidence, prior)
        channel = problem.channel
        run = run_em(
            problem.step,
            [channel.start(self.copying, problem.prior.start)],
            max_iter=self.max_iter,
            tol=self.tol,
            scale=problem.rows.n_items,
        )
        if run.outcome is Outcome.MAX_ITER:
            warnings.warn(f"MACE: {run.outcome.value}", ConvergenceWarning, stacklevel=3)
        self.copying_, self.spam_ = run.state.copying, run.state.spam
        self.class_prior_ = run.state.class_prior
        self.confusion_ = Confusion(channel.vocabulary, channel.table(run.state))
        self.status_, self.objective_path_ = run.outcome, run.path
        counts, totals, _ = problem.e_step(run.state)
        self.reliability_ = reliability_table(
            evidence,
            rows=problem.rows,
            counts=counts,
            totals=totals,
            prior_accuracy=0.5 + 0.5 / len(evidence.labels),  # half copies, half even spam
            prior_strength=self.strength,
        )

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        before = self.class_prior_ if prior is None else prior
        return posterior(evidence, self.confusion_, before)

    def _problem(self, evidence: Evidence, own: Prior = None) -> Problem:
        check_probability(copying=self.copying)
        check_positive(
            strength=self.strength,
            spam_strength=self.spam_strength,
            class_strength=self.class_strength,
        )
        check_count(max_iter=self.max_iter)
        prior = ClassPrior.of(
            self.class_prior,
            len(evidence.labels),
            self.class_strength,
            replaced=own is not None,
        )
        channel = self._channel(votes_of(evidence).vocabulary)
        return Problem(Observations.of(evidence, prior=own), channel, prior)

    def _channel(self, vocabulary: Vocabulary) -> Copies:
        copies = expected_table(vocabulary, 1.0)
        return Copies(vocabulary, copies, self.strength, self.spam_strength)
