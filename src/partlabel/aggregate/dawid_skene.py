"""DawidSkene: learn each source's confusion and the labels together; the steps are in `steps`."""

import warnings
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.em import Outcome, run_em
from partlabel.aggregate.kernels import counts_under
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
from partlabel.aggregate.steps import INFERENCES, Inference, Parameters, Problem, far
from partlabel.channels import (
    Confusion,
    prior_counts,
    tied,
)
from partlabel.errors import InputError
from partlabel.evidence import Evidence, Vocabulary, Votes


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
    inference : {"em", "vb", "loo"}, default "em"
        "em" finds the most probable tables. "vb" averages over them (variational Bayes), which is
        more careful with sources of few votes. "loo" judges each source by the others' votes alone:
        for rules that overlap little, where EM takes a source's own echo for agreement.
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
    algorithm, Applied Statistics 1979, eqs. 2.3-2.5. H.-C. Kim and Z. Ghahramani, Bayesian
    classifier combination, AISTATS 2012.
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
        inference: Inference = "em",
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
        self.inference = inference
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
        votes = votes_of(evidence).in_vocabulary(self.confusion_.vocabulary)
        return confusion_under(
            votes, beliefs, tying=self.tying, accuracy=self.accuracy, strength=self.strength
        )

    def _learn(self, evidence: Evidence, prior: Prior) -> None:
        self._check_settings()
        votes = votes_of(evidence)
        problem = self._problem(evidence, votes, prior)
        run = run_em(
            problem.step,
            self._starts(problem, votes.vocabulary, prior),
            max_iter=self.max_iter,
            tol=self.tol,
            scale=problem.rows.n_items,
            far=far if self.inference == "loo" else None,
        )
        if run.outcome is Outcome.MAX_ITER:
            warnings.warn(f"DawidSkene: {run.outcome.value}", ConvergenceWarning, stacklevel=3)
        self.confusion_ = Confusion(votes.vocabulary, run.state.mean)
        self._working = Confusion(votes.vocabulary, run.state.table)
        self.class_prior_ = run.state.class_prior / run.state.class_prior.sum()
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

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        before = self.class_prior_ if prior is None else prior
        return posterior(evidence, self._working, before)

    def _problem(self, evidence: Evidence, votes: Votes, prior: Prior = None) -> Problem:
        n_classes = len(evidence.labels)
        share = self._class_prior(n_classes, prior).pseudo_items
        cells = tied(self.tying, votes.vocabulary)
        return Problem(
            rows=Observations.of(evidence, prior=prior),
            tying=cells,
            pseudo_votes=prior_counts(cells, votes.vocabulary, self.accuracy, self.strength),
            pseudo_items=None if share is None else np.full(n_classes, share),
            inference=self.inference,
        )

    def _class_prior(self, n_classes: int, own: Prior) -> ClassPrior:
        return ClassPrior.of(
            self.class_prior, n_classes, self.class_strength, replaced=own is not None
        )

    def _starts(
        self, problem: Problem, vocabulary: Vocabulary, own: Prior = None
    ) -> Iterator[Parameters]:
        prior = self._class_prior(vocabulary.sets.shape[1], own).start
        yield problem.parameters(problem.pseudo_votes, prior)
        chance = check_random_state(self.random_state)
        for _ in range(self.n_starts - 1):
            drawn = chance.beta(
                4.0 * self.accuracy, 4.0 * (1.0 - self.accuracy), len(vocabulary.sources)
            )
            drawn = np.clip(drawn, 0.01, 0.99)
            votes = prior_counts(problem.tying, vocabulary, drawn, self.strength)
            yield problem.parameters(votes, prior)

    def _check_settings(self) -> None:
        check_probability(accuracy=self.accuracy)
        check_positive(strength=self.strength, class_strength=self.class_strength)
        check_count(n_starts=self.n_starts, max_iter=self.max_iter)
        if self.inference not in INFERENCES:
            shown = ", ".join(map(repr, INFERENCES))
            raise InputError(f"`inference` must be one of {shown}; got {self.inference!r}.")


def confusion_under(
    votes: Votes,
    beliefs: NDArray[np.float64],
    *,
    tying: Literal["full", "class", "one"] = "full",
    accuracy: float = 0.7,
    strength: float = 10.0,
) -> Confusion:
    """Give the channel of the votes that beliefs (n_items, n_classes) speak for: one M-step.

    The settings are those of `DawidSkene`.
    """
    vocabulary = votes.vocabulary
    counts = counts_under(votes.indptr, votes.symbol, beliefs, len(vocabulary))
    cells = tied(tying, vocabulary)
    mass = prior_counts(cells, vocabulary, accuracy, strength) + cells.gather(counts)
    return Confusion(vocabulary, cells.table(cells.normalised(mass)))
