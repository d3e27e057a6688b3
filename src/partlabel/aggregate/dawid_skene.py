"""DawidSkene: learn each source's confusion and the labels together; the steps are in `steps`."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.balance import balance_of
from partlabel.aggregate.em import Outcome, run_em
from partlabel.aggregate.kernels import counts_under
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.posed import check_settings, posed
from partlabel.aggregate.prior import Prior, checked
from partlabel.aggregate.reliability import table_of
from partlabel.aggregate.settings import ClassPrior, accuracies, votes_of
from partlabel.aggregate.shards import Shards
from partlabel.aggregate.starts import starts
from partlabel.aggregate.steps import Inference, Parameters, Problem, far
from partlabel.aggregate.streaming import after, check_forget, check_streamed, in_one_vocabulary
from partlabel.aggregate.subtypes import States
from partlabel.aggregate.tally import Tally
from partlabel.channels import (
    Confusion,
    prior_counts,
    tied,
)
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Vocabulary, Votes


class DawidSkene(Aggregator):
    """Learn how each source confuses the classes, and what the labels are, from their agreement.

    Right where sources err independently of each other given the label. Gold labels and candidate
    sets take part as evidence; items about which nobody spoke keep the class prior.

    Parameters
    ----------
    tying : {"full", "class", "one"}, default "full"
        "full" learns a confusion table per source, "class" an accuracy per class, "one" a single
        accuracy. Fewer parameters need fewer votes per source.
    accuracy : float in (0, 1), or dict of source to float, default 0.7
        Prior accuracy of a source. Above chance, it keeps EM from swapping the classes' names. Say
        more where you know more: sources that a dict doesn't name have 0.7.
    strength : float, default 10.0
        Pseudo-votes behind it, per class ("one": per source). Higher trusts small sources less.
    class_prior : "uniform", "learnt", "auto" or (n_classes,), default "uniform"
        Share of each class before any vote. "learnt" suits dense votes whose sources say every
        class; from rules that only ever say one class it can't be learnt, and EM drives it to a
        single class. "auto" learns it as far as the votes identify it: from items about which
        three sources spoke that say several classes.
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
    accelerate : bool, default True
        Leap ahead along the path of "em" and "vb" (SQUAREM): several times fewer passes over the
        votes where EM is slow. The objective still never falls.
    pool : float, default None
        Pseudo-votes with which a source is taken to be like all others, instead of `strength` votes
        of the prior accuracy, which are then behind the pool. For crowds in which many workers have
        few votes; not for rules, which differ by design. The pool is re-estimated in each step (by
        empirical Bayes), so that with "em" no objective is sure to rise: it runs until nothing
        moves.
    subtypes : int, default 1
        Kinds of items within each class, told apart by the errors that sources make together
        (EBCC). 2 or 3 for crowds whose mistakes are correlated; needs dense votes.
    abstention : {"ignore", "observed"}, default "ignore"
        "observed" takes a source's silence as an observation: p(it speaks | class) is learnt, with
        `strength` pseudo-items behind its coverage. Right where whether a source speaks depends on
        the class, and on little else: then even rules that each say one class show the class
        balance. Wrong for crowds, where silence means "wasn't asked", and for rules that fire on
        the same kind of item: EM takes who speaks for the class, and drifts.
    annealing : float in (0, 1], default 1.0
        Power of the probabilities at which EM begins, rising to 1. Below 1 the first steps are less
        sure of the labels, which may find a higher top where many sources mostly err; 0.2 is worth
        trying. It takes more passes, and melts subtypes together.
    random_state : int, RandomState or None, default 0
        Draws the further starts.

    Attributes
    ----------
    confusion_ : Confusion
        What each source says, by true class.
    class_prior_ : (n_classes,) float
    class_prior_choice_ : str
        Whether it was learnt, and why.
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
    classifier combination, AISTATS 2012. R. Varadhan and C. Roland, Simple and globally convergent
    methods for accelerating the convergence of any EM algorithm, Scandinavian Journal of Statistics
    2008.
    """

    confusion_: Confusion
    class_prior_: NDArray[np.float64]
    class_prior_choice_: str
    status_: Outcome
    objective_path_: list[float]
    start_: int

    def __init__(
        self,
        *,
        tying: Literal["full", "class", "one"] = "full",
        accuracy: float | Mapping[str, float] = 0.7,
        strength: float = 10.0,
        class_prior: Literal["uniform", "learnt", "auto"] | ArrayLike = "uniform",
        class_strength: float = 10.0,
        inference: Inference = "em",
        n_starts: int = 1,
        max_iter: int = 200,
        tol: float = 1e-7,
        accelerate: bool = True,
        pool: float | None = None,
        subtypes: int = 1,
        abstention: Literal["ignore", "observed"] = "ignore",
        annealing: float = 1.0,
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
        self.accelerate = accelerate
        self.pool = pool
        self.subtypes = subtypes
        self.abstention = abstention
        self.annealing = annealing
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

    def partial_fit(
        self,
        evidence: Evidence | Votes | Candidates,
        prior: ArrayLike | None = None,
        *,
        forget: float = 1.0,
    ) -> Self:
        """Learn from one more batch of items, on top of all that was learnt before.

        For votes that arrive over time: only expected counts are kept, so that a batch costs what
        its own items cost. Sources and words may be new. The first batch is fitted as by `fit`;
        after `fit`, a batch adds to what that learnt.

        Parameters
        ----------
        evidence : Evidence, Votes or Candidates
            The new items alone. An item that is given twice counts twice.
        prior : (n_items, n_classes) float, default None
            As in `fit`, of these items.
        forget : float in (0, 1], default 1.0
            How much of the past still counts, from batch to batch. 1 weighs all batches alike, for
            sources that stay as they are. Lower follows sources that change, and knows each of
            them less well: at 0.9 about the last ten batches count.

        Raises
        ------
        InputError
            As in `fit`, if `forget` is out of range, the label space is another than before, a
            source has other confidence bins, or sources are pooled, classes have subtypes or
            silence is observed: these are learnt by `fit` alone.

        Examples
        --------
        >>> from partlabel.labels import LabelSpace
        >>> labels, model = LabelSpace(["ham", "spam"]), DawidSkene()
        >>> for night in ([[0, 0, 1], [1, 1, 0]], [[0, 0, 0], [1, 1, 1]]):
        ...     model = model.partial_fit(Votes.from_matrix(night, labels))
        >>> model.reliability_["votes"].to_list()
        [4, 4, 4]
        """
        check_forget(forget)
        check_streamed(pool=self.pool, subtypes=self.subtypes, abstention=self.abstention)
        if not self.__sklearn_is_fitted__():
            return self.fit(evidence, prior)
        taken = self._of_the_same_labels(evidence)
        batch, past = in_one_vocabulary(taken, self._tally * forget)
        self._learn(batch, checked(prior, taken), past)
        return self

    def fit_parts(self, parts: Iterable[Evidence], *, scratch: Path) -> Self:
        """Learn from evidence that comes in parts; gives what `fit` gives on all of it.

        What a setting reads off the votes beforehand (class_prior="auto", the usual coverage for
        abstention="observed") is read off the first part, which should be a random sample.

        Parameters
        ----------
        parts : iterable of Evidence
            About different items, with the words of all parts in the vocabulary of each.
        scratch : path
            A folder for temporary files, which the caller removes: rows that few items share.
        """
        check_settings(self)
        rows, seen, first = Shards(), None, None
        for part in parts:
            votes, own = votes_of(part), Observations.of(part)
            rows, tally = rows.joined(own, scratch), Tally.of(part, votes, own)
            first, seen = first or part, tally if seen is None else seen + tally
        if first is None or seen is None:
            raise InputError("`parts` must hold evidence; there is none. Pass at least one.")
        votes = votes_of(first)
        problem = replace(self._problem(first, votes), rows=rows)
        self.labels_, self.class_prior_choice_ = first.labels, self._balance(votes, None)[1]
        self._climb(problem, self._starts(problem, votes.vocabulary), seen)
        return self

    def _learn(self, evidence: Evidence, prior: Prior, past: Tally | None = None) -> None:
        check_settings(self)
        votes = votes_of(evidence)
        problem = self._problem(evidence, votes, prior)
        self.class_prior_choice_ = self._balance(votes, prior)[1]
        begin = self._starts(problem, votes.vocabulary)
        if past is not None:
            problem = after(past, problem)
            items = problem.pseudo_items
            before = problem.start if items is None else items
            begin = iter([problem.parameters(problem.pseudo_votes, before)])
        assert isinstance(problem.rows, Observations)
        self._climb(problem, begin, Tally.of(evidence, votes, problem.rows), past)

    def _climb(
        self, problem: Problem, begin: Iterator[Parameters], seen: Tally, past: Tally | None = None
    ) -> None:
        """Run EM and read off what it learnt; `seen` lacks the expected counts only."""
        run = run_em(
            problem.step,
            begin,
            max_iter=self.max_iter,
            tol=self.tol,
            scale=problem.rows.n_items,
            far=None if problem.climbs else far,
            chart=problem if self.accelerate and problem.climbs else None,
        )
        if run.outcome is Outcome.MAX_ITER:
            warnings.warn(f"DawidSkene: {run.outcome.value}", ConvergenceWarning, stacklevel=3)
        self.status_, self.objective_path_, self.start_ = run.outcome, run.path, run.start
        self._states = States.of(run.state, seen.vocabulary, self.subtypes)
        self.class_prior_ = self._states.by_class(self._states.prior)
        self.confusion_ = self._states.confusion(problem, run.state)
        counts, totals, _ = problem.e_step(run.state)
        heard = problem.gathered(run.state)[0] if self.inference == "loo" else counts
        tally = seen.counting(*map(self._states.by_class, (counts, totals, heard)))
        self._tally = tally if past is None else past + tally
        pool = problem.pool
        sure = accuracies(self.accuracy, self._tally.vocabulary.sources)
        self.reliability_ = table_of(
            self._tally,
            prior_accuracy=pool.accuracy(run.state.pseudo_votes) if pool else sure,
            prior_strength=pool.strength if pool else self.strength,
        )

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        return self._states.beliefs(evidence, prior)

    def _problem(self, evidence: Evidence, votes: Votes, prior: Prior = None) -> Problem:
        balance, _ = self._balance(votes, prior)
        return posed(self, Observations.of(evidence, prior=prior), votes, balance)

    def _balance(self, votes: Votes, own: Prior) -> tuple[ClassPrior, str]:
        return balance_of(self.class_prior, votes, self.class_strength, replaced=own is not None)

    def _starts(self, problem: Problem, vocabulary: Vocabulary) -> Iterator[Parameters]:
        return starts(self, problem, vocabulary)


def confusion_under(
    votes: Votes,
    beliefs: NDArray[np.float64],
    *,
    tying: Literal["full", "class", "one"] = "full",
    accuracy: float | Mapping[str, float] = 0.7,
    strength: float = 10.0,
) -> Confusion:
    """Give the channel of the votes that beliefs (n_items, n_classes) speak for: one M-step.

    The settings are those of `DawidSkene`.
    """
    vocabulary = votes.vocabulary
    counts = counts_under(votes.indptr, votes.symbol, beliefs, len(vocabulary))
    cells = tied(tying, vocabulary)
    sure = accuracies(accuracy, vocabulary.sources)
    mass = prior_counts(cells, vocabulary, sure, strength) + cells.gather(counts)
    return Confusion(vocabulary, cells.table(cells.normalised(mass)))
