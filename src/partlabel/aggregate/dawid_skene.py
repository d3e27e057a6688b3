r"""DawidSkene: learn each source's confusion and the labels together, by EM.

=================================  =============  ============================================
symbol                             code           shape
=================================  =============  ============================================
:math:`\pi_y`                      class_prior_   (n_classes,)
:math:`p(s | y, j)`                confusion_     (n_symbols, n_classes), words of source j
:math:`b_i(y)`                     beliefs        (n_items, n_classes)
:math:`\alpha`                     prior          (n_cells,) pseudo-votes
=================================  =============  ============================================

Objective, climbed by EM (Dawid & Skene, Applied Statistics 1979, eqs. 2.3-2.5, with Dirichlet
priors):

.. math:: \sum_i \log \sum_{y \in S_i} \pi_y \prod_{s \in o_i} p(s | y)
          + \sum_c \alpha_c \log \theta_c
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.em import Outcome, run_em
from partlabel.aggregate.kernels import TINY, blocks, counts_under, expected_counts
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.reliability import reliability_table
from partlabel.channels import (
    Channels,
    Confusion,
    Tying,
    expected_table,
    log_likelihood_chunks,
    prior_counts,
    tied,
)
from partlabel.errors import InputError
from partlabel.evidence import Evidence, Vocabulary, Votes


@dataclass(frozen=True, slots=True)
class Parameters:
    """Where EM stands: the confusion's parameters and the class prior."""

    table: NDArray[np.float64]
    class_prior: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Problem:
    """What EM works on: rows, which parameters there are, and their pseudo-votes."""

    rows: Observations
    tying: Tying
    pseudo_votes: NDArray[np.float64]
    pseudo_items: NDArray[np.float64] | None  # None: the class prior is given

    def e_step(self, at: Parameters) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Expected counts, class totals and log-likelihood at some parameters."""
        rows, table = self.rows, np.maximum(at.table, TINY)
        counts, totals, objective = expected_counts(
            rows.indptr,
            rows.symbol,
            rows.weight,
            rows.which,
            rows.sets * at.class_prior,
            table,
            blocks(*table.shape),
        )
        return counts, totals, float(objective)

    def m_step(
        self, counts: NDArray[np.float64], totals: NDArray[np.float64], at: Parameters
    ) -> Parameters:
        """The parameters that the expected counts and the pseudo-votes speak for."""
        theta = self.tying.normalised(self.tying.gather(counts) + self.pseudo_votes)
        if self.pseudo_items is None:
            return Parameters(self.tying.table(theta), at.class_prior)
        mass = totals + self.pseudo_items
        return Parameters(self.tying.table(theta), mass / mass.sum())

    def step(self, at: Parameters) -> tuple[Parameters, float]:
        """One step of EM, and the objective where it started."""
        counts, totals, objective = self.e_step(at)
        return self.m_step(counts, totals, at), objective + self.log_prior(at)

    def log_prior(self, at: Parameters) -> float:
        """Log of the Dirichlet priors' density, up to a constant."""
        theta = np.zeros(len(self.pseudo_votes))
        theta[self.tying.cell] = at.table / self.tying.share
        value = self.pseudo_votes @ np.log(np.maximum(theta, np.finfo(float).tiny))
        if self.pseudo_items is not None:
            value += self.pseudo_items @ np.log(at.class_prior)
        return float(value)


class DawidSkene(Aggregator):
    """Learn how each source confuses the classes, and what the labels are, from their agreement.

    Right where sources err independently of each other given the label. Gold labels and candidate
    sets take part as evidence; items about which nobody spoke keep the class prior.

    Parameters
    ----------
    tying : {"full", "class", "one"}, default "full"
        "full" learns a confusion table per source, "class" an accuracy per class, "one" a single
        accuracy. Fewer parameters need fewer votes per source.
    accuracy : float in (0, 1), default 0.7
        Prior accuracy of a source. Above chance, it keeps EM from swapping the classes' names.
    strength : float, default 10.0
        Pseudo-votes behind it, per class ("one": per source). Higher trusts small sources less.
    class_prior : "uniform", "learnt" or (n_classes,), default "uniform"
        Share of each class before any vote. "learnt" suits dense votes whose sources say every
        class; from rules that only ever say one class it can't be learnt, and EM drives it to a
        single class.
    class_strength : float, default 10.0
        Pseudo-items, spread evenly over the classes, behind a learnt class prior.
    n_starts : int, default 1
        Starts of EM: the first from the votes, the others from accuracies drawn at random. The
        best is kept.
    max_iter : int, default 200
    tol : float, default 1e-7
        Stop when a step improves the objective by less than this, in nats per item.
    random_state : int, RandomState or None, default 0
        Draws the further starts.

    Attributes
    ----------
    confusion_ : Confusion
        What each source says, by true class.
    class_prior_ : (n_classes,) float
    reliability_ : polars.DataFrame
        One row per source: see `reliability_table`.
    status_ : Outcome
        How EM ended.
    objective_path_ : list of float
        The objective at each iteration, in nats.
    start_ : int
        The start that was kept.
    labels_ : LabelSpace

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> votes = Votes.from_matrix([[0, 0, 1], [1, 1, 0], [0, 0, 0]], LabelSpace(["ham", "spam"]))
    >>> DawidSkene().fit_aggregate(votes).decide().to_list()
    ['ham', 'spam', 'ham']

    References
    ----------
    A. P. Dawid and A. M. Skene, Maximum likelihood estimation of observer error-rates using the EM
    algorithm, Applied Statistics 1979, eqs. 2.3-2.5.
    """

    confusion_: Confusion
    class_prior_: NDArray[np.float64]
    status_: Outcome
    objective_path_: list[float]
    start_: int

    def __init__(
        self,
        *,
        tying: Literal["full", "class", "one"] = "full",
        accuracy: float = 0.7,
        strength: float = 10.0,
        class_prior: Literal["uniform", "learnt"] | ArrayLike = "uniform",
        class_strength: float = 10.0,
        n_starts: int = 1,
        max_iter: int = 200,
        tol: float = 1e-7,
        random_state: Any = 0,
    ) -> None:
        self.tying = tying
        self.accuracy = accuracy
        self.strength = strength
        self.class_prior = class_prior
        self.class_strength = class_strength
        self.n_starts = n_starts
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def confusion_given(self, evidence: Evidence, beliefs: NDArray[np.float64]) -> Confusion:
        """Give the channel of the votes that beliefs from elsewhere speak for: one M-step.

        Parameters
        ----------
        evidence : Evidence
            With votes of the sources that were there in `fit`.
        beliefs : (n_items, n_classes)
        """
        check_is_fitted(self, "confusion_")
        vocabulary = self.confusion_.vocabulary
        votes = _votes_of(evidence).in_vocabulary(vocabulary)
        n_symbols, n_classes = self.confusion_.probs.shape
        counts = counts_under(
            votes.indptr, votes.symbol, beliefs, n_symbols, blocks(n_symbols, n_classes)
        )
        cells = tied(self.tying, vocabulary)
        mass = prior_counts(cells, vocabulary, self.accuracy, self.strength) + cells.gather(counts)
        return Confusion(vocabulary, cells.table(cells.normalised(mass)))

    def _learn(self, evidence: Evidence) -> None:
        self._check_settings()
        votes = _votes_of(evidence)
        problem = self._problem(evidence, votes)
        run = run_em(
            problem.step,
            self._starts(votes.vocabulary),
            max_iter=self.max_iter,
            tol=self.tol,
            scale=problem.rows.n_items,
        )
        if run.outcome is Outcome.MAX_ITER:
            warnings.warn(f"DawidSkene: {run.outcome.value}", ConvergenceWarning, stacklevel=3)
        self.confusion_ = Confusion(votes.vocabulary, run.state.table)
        self.class_prior_ = run.state.class_prior
        self.status_, self.objective_path_, self.start_ = run.outcome, run.path, run.start
        counts, totals, _ = problem.e_step(run.state)
        self.reliability_ = reliability_table(
            evidence,
            rows=problem.rows,
            counts=counts,
            totals=totals,
            prior_accuracy=self.accuracy,
            prior_strength=self.strength,
        )

    def _believe(self, evidence: Evidence) -> NDArray[np.float64]:
        channels = Channels(votes=self.confusion_)
        probs = np.empty((len(evidence), len(self.labels_)))
        with np.errstate(divide="ignore"):
            prior = np.log(self.class_prior_)
        for rows, likelihood in log_likelihood_chunks(evidence, channels):
            joint = likelihood + prior
            probs[rows] = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        return probs

    def _problem(self, evidence: Evidence, votes: Votes) -> Problem:
        n_classes = len(evidence.labels)
        learnt = isinstance(self.class_prior, str) and self.class_prior == "learnt"
        cells = tied(self.tying, votes.vocabulary)
        return Problem(
            rows=Observations.of(evidence),
            tying=cells,
            pseudo_votes=prior_counts(cells, votes.vocabulary, self.accuracy, self.strength),
            pseudo_items=np.full(n_classes, self.class_strength / n_classes) if learnt else None,
        )

    def _starts(self, vocabulary: Vocabulary) -> Iterator[Parameters]:
        n_classes = vocabulary.sets.shape[1]
        given = not isinstance(self.class_prior, str)
        prior = (
            np.asarray(self.class_prior, float) if given else np.full(n_classes, 1.0 / n_classes)
        )
        yield Parameters(expected_table(vocabulary, self.accuracy), prior)
        chance = check_random_state(self.random_state)
        for _ in range(self.n_starts - 1):
            drawn = chance.beta(
                4.0 * self.accuracy, 4.0 * (1.0 - self.accuracy), len(vocabulary.sources)
            )
            yield Parameters(expected_table(vocabulary, np.clip(drawn, 0.01, 0.99)), prior)

    def _check_settings(self) -> None:
        if not 0.0 < self.accuracy < 1.0:
            raise InputError(f"`accuracy` must lie in (0, 1); got {self.accuracy}.")
        if not self.strength > 0:
            raise InputError(
                f"`strength` must be positive; got {self.strength}. Use a small one for little."
            )
        if not self.class_strength > 0:
            raise InputError(f"`class_strength` must be positive; got {self.class_strength}.")
        for name in ("n_starts", "max_iter"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
        if isinstance(self.class_prior, str):
            if self.class_prior not in ("uniform", "learnt"):
                raise InputError(
                    "`class_prior` must be 'uniform', 'learnt' or an array; "
                    f"got {self.class_prior!r}."
                )
            return
        prior = np.asarray(self.class_prior, dtype=float)
        n_classes = len(self.labels_)
        if prior.shape != (n_classes,) or not abs(prior.sum() - 1.0) <= 1e-6 or prior.min() <= 0:
            raise InputError(
                f"`class_prior` must be {n_classes} positive shares that add up to 1; "
                f"got {prior.tolist()}."
            )


def _votes_of(evidence: Evidence) -> Votes:
    if evidence.votes is None:
        raise InputError(
            "`evidence` must hold votes for a label model; it has none. "
            "Candidate sets and gold alone need no label model: train on them."
        )
    return evidence.votes
