r"""GLAD: how able each source is, how easy each item, and the labels together.

============================  =================  ===========================================
symbol                        code               shape
============================  =================  ===========================================
:math:`\alpha_j`              ability            (n_sources,)
:math:`\log \beta_i`          log_easiness       (n_rows,)
:math:`\pi_y`                 class_prior        (n_classes,)
============================  =================  ===========================================

.. math:: p(j \text{ is right about } i) = \sigma(\alpha_j \beta_i)

(Whitehill, Ruvolo, Wu, Bergsma & Movellan, Whose vote should count more, NIPS 2009, eq. 1), a wrong
vote falling on the other words alike. With priors :math:`\alpha_j \sim N(1, 1)` and
:math:`\log \beta_i \sim N(0, 1)`, generalised EM climbs

.. math:: \sum_i \log \sum_{y \in S_i} \pi_y \prod_{j} p(o_{ij} | y)
          - \tfrac12 \sum_j (\alpha_j - 1)^2 - \tfrac12 \sum_i (\log \beta_i)^2

Its M-step takes one step in each parameter, of a kind that can't fall (see `easiness`).
"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.easiness import passed_over, settled
from partlabel.aggregate.em import Outcome, run_em
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.prior import Prior, possible
from partlabel.aggregate.reliability import reliability_table
from partlabel.aggregate.settings import ClassPrior, check_count, check_positive, votes_of
from partlabel.channels import expected_table
from partlabel.evidence import Evidence, Vocabulary, Votes


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """Where EM stands."""

    ability: NDArray[np.float64]
    log_easiness: NDArray[np.float64]
    class_prior: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What each word says: its source, the classes it holds, and how right and wrong are spread."""

    source: NDArray[np.int32]
    holds: NDArray[np.bool_]
    log_share: NDArray[np.float64]

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "Words":
        """Words of a vocabulary; a right vote is any word that holds the class, each alike."""
        log_share = np.log(2.0 * expected_table(vocabulary, 0.5))
        return cls(vocabulary.source, vocabulary.members(), log_share)


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What EM works on."""

    rows: Observations
    words: Words
    prior: ClassPrior

    def start(self, n_sources: int) -> Parameters:
        """Where EM starts: at the priors' centres."""
        return Parameters(np.ones(n_sources), np.zeros(len(self.rows.weight)), self.prior.start)

    def step(self, at: Parameters) -> tuple[Parameters, float]:
        """One step of generalised EM, and the objective where it started."""
        rows, words = self.rows, self.words
        log_easiness, gradient, curvature, totals, objective = passed_over(
            rows.indptr, rows.symbol, rows.weight, rows.which,
            _log(rows.sets * at.class_prior), words.source, words.holds, words.log_share,
            at.ability, at.log_easiness,
        )  # fmt: skip
        ability = at.ability + (gradient - (at.ability - 1.0)) / (curvature + 1.0)
        fresh = Parameters(ability, log_easiness, self.prior.updated(totals))
        return fresh, float(objective) + self.log_density(at)

    def log_density(self, at: Parameters) -> float:
        """Log of the priors' densities, up to a constant (nats)."""
        normal = ((at.ability - 1.0) ** 2).sum() + self.rows.weight @ at.log_easiness**2
        return self.prior.log_density(at.class_prior) - 0.5 * float(normal)


class GLAD(Aggregator):
    """Learn how able each source is and how easy each item.

    Right where items differ in how hard they are, and an able source is better on hard and easy
    ones: agreement on easy items then doesn't hide who is right about the hard ones. Wrong where
    sources confuse particular classes, and hard to learn from fewer than about five votes per item.
    Gold and candidates take part.

    The easiness of an item is found from its own votes and the sources' abilities, in `aggregate`
    too: the belief about an item is the same whether it was there in `fit` or not, and whatever
    items stand beside it.

    Parameters
    ----------
    class_prior : "uniform", "learnt" or (n_classes,), default "uniform"
        Share of each class before any vote.
    class_strength : float, default 10.0
        Pseudo-items, spread evenly over the classes, behind a learnt class prior.
    max_iter : int, default 500
    tol : float, default 1e-6
        Stop when a step improves the objective by less than this, in nats per item.

    Attributes
    ----------
    ability_ : (n_sources,) float
        Log-odds of being right about an item of easiness 1 (with two classes, 0 is guessing);
        below 0 for a source that is wrong more often.
    easiness_ : (n_items,) float
        Of the items of `fit`; positive, 1 before any vote. Near 0 all sources guess.
    class_prior_ : (n_classes,) float
    vocabulary_ : Vocabulary
        Whose sources the abilities are.
    reliability_ : polars.DataFrame
        One row per source: see `reliability_table`.
    status_ : Outcome
        How EM ended.
    objective_path_ : list of float
        The objective at each iteration, in nats.
    labels_ : LabelSpace

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> said = [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0], [1, 1, 1, 0]]
    >>> model = GLAD().fit(Votes.from_matrix(said, LabelSpace(["ham", "spam"])))
    >>> bool(model.easiness_[0] > model.easiness_[2]), int(model.ability_.argmax())
    (True, 0)

    References
    ----------
    J. Whitehill, P. Ruvolo, T. Wu, J. Bergsma and J. Movellan, Whose vote should count more:
    optimal integration of labels from labelers of unknown expertise, NIPS 2009, eq. 1.
    """

    ability_: NDArray[np.float64]
    easiness_: NDArray[np.float64]
    class_prior_: NDArray[np.float64]
    vocabulary_: Vocabulary
    status_: Outcome
    objective_path_: list[float]

    def __init__(
        self,
        *,
        class_prior: Literal["uniform", "learnt"] | ArrayLike = "uniform",
        class_strength: float = 10.0,
        max_iter: int = 500,
        tol: float = 1e-6,
    ) -> None:
        self.class_prior = class_prior
        self.class_strength = class_strength
        self.max_iter = max_iter
        self.tol = tol

    def _learn(self, evidence: Evidence, prior: Prior) -> None:
        votes = votes_of(evidence)
        problem = self._problem(evidence, votes, prior)
        run = run_em(
            problem.step,
            [problem.start(votes.n_sources)],
            max_iter=self.max_iter,
            tol=self.tol,
            scale=problem.rows.n_items,
        )
        if run.outcome is Outcome.MAX_ITER:
            warnings.warn(f"GLAD: {run.outcome.value}", ConvergenceWarning, stacklevel=3)
        self.ability_, self.class_prior_ = run.state.ability, run.state.class_prior
        self.status_, self.objective_path_ = run.outcome, run.path
        self.vocabulary_ = votes.vocabulary
        beliefs, log_easiness = self._settled(evidence, prior)
        self.easiness_ = np.exp(log_easiness)
        self.reliability_ = reliability_table(evidence, beliefs)

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        return self._settled(evidence, prior)[0]

    def _settled(
        self, evidence: Evidence, prior: Prior
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Beliefs, and the log easiness at which each item came to rest."""
        (table, which), words = possible(evidence, prior), Words.of(self.vocabulary_)
        start = _log(table if prior is not None else table * self.class_prior_)
        indptr, symbol = np.zeros(len(evidence) + 1, np.int64), np.zeros(0, np.int32)
        if evidence.votes is not None:
            votes = evidence.votes.in_vocabulary(self.vocabulary_)
            indptr, symbol = votes.indptr, votes.symbol
        beliefs, log_easiness = settled(
            indptr, symbol, which, start, words.source, words.holds, words.log_share,
            self.ability_,
        )  # fmt: skip
        return beliefs, log_easiness

    def _problem(self, evidence: Evidence, votes: Votes, own: Prior = None) -> Problem:
        check_positive(class_strength=self.class_strength)
        check_count(max_iter=self.max_iter)
        prior = ClassPrior.of(
            self.class_prior,
            len(evidence.labels),
            self.class_strength,
            replaced=own is not None,
        )
        rows = Observations.of(evidence, prior=own)
        return Problem(rows, Words.of(votes.vocabulary), prior)


def _log(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(shares))
