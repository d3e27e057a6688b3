r"""StratifiedDawidSkene: sources that are good in one place and bad in another.

=======================================  ==============  ==========================================
symbol                                   code            shape
=======================================  ==============  ==========================================
:math:`g(i)`                             stratum         (n_items,) the item's stratum
:math:`p(s | y, g)`                      table           (n_strata * n_symbols, n_classes)
:math:`\bar p(s | y)`                    whole           (n_symbols, n_classes) over all items
:math:`\gamma`                           strength
=======================================  ==============  ==========================================

A source has a channel in each stratum, drawn to its channel over all items by :math:`\gamma`
pseudo-votes:

.. math:: p(s | y, g) \propto \sum_{i: g(i) = g} b_i(y) [s \in o_i] + \gamma \, \bar p(s | y)

which is the mode under a Dirichlet prior around the source's own average (a partly pooled confusion
matrix: Paun, Carpenter, Chamberlain, Hovy, Kruschwitz and Poesio, Comparing Bayesian models of
annotation, TACL 2018, section 3, with strata in place of annotators). :math:`\bar p` is learnt
first, by `DawidSkene`. A source within a stratum is a source of its own to the kernels.
"""

import warnings
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.dawid_skene import DawidSkene, confusion_under
from partlabel.aggregate.em import Outcome, run_em
from partlabel.aggregate.kernels import expected_counts
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.posterior import posterior
from partlabel.aggregate.prior import Prior, checked
from partlabel.aggregate.reliability import reliability_table
from partlabel.aggregate.settings import accuracies, check_count, check_positive, votes_of
from partlabel.beliefs import Beliefs
from partlabel.channels import Confusion, prior_counts, tied
from partlabel.errors import InputError, rows_named
from partlabel.evidence import Candidates, Evidence, Vocabulary, Votes, as_evidence
from partlabel.tables import as_series, distinct, plain


class StratifiedDawidSkene(Aggregator):
    """Learn how each source confuses the classes in each stratum of the items.

    Right where a source's skill depends on the item by way of something that you can name (a
    language, a device, a topic) or that shows in features. Where it doesn't, little is lost:
    a stratum's channel moves from the source's average only as far as its votes carry it.

    Parameters
    ----------
    strength : float, default 20.0
        Pseudo-votes, per class, behind a source's average in each stratum. Higher needs more votes
        to believe in a difference.
    base : DawidSkene, default None
        Learns the averages, and gives the class prior and the tying. None is `DawidSkene()`.
    n_clusters : int, default 8
        How many strata to make of features.
    max_iter : int, default 200
    tol : float, default 1e-7
        Stop when a step improves the objective by less than this, in nats per item.
    random_state : int, RandomState or None, default 0
        Draws the first clusters.

    Attributes
    ----------
    strata_ : tuple
        The strata: values, or numbers of clusters.
    strata_reliability_ : polars.DataFrame
        One row per stratum and source: stratum, and the columns of `reliability_table`, measured
        within the stratum.
    reliability_ : polars.DataFrame
        One row per source, over all items: see `reliability_table`.
    confusion_ : Confusion
        What each source says over all items; used where the stratum is unknown.
    clusters_ : MiniBatchKMeans or None
    base_ : DawidSkene
    class_prior_ : (n_classes,) float
    status_ : Outcome
    objective_path_ : list of float
    labels_ : LabelSpace

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> votes = Votes.from_matrix([[0, 0, 1], [1, 1, 0], [0, 0, 0]], LabelSpace(["ham", "spam"]))
    >>> model = StratifiedDawidSkene().fit(votes, strata=["en", "en", "de"])
    >>> model.aggregate(votes, strata=["en", "en", "fr"]).decide().to_list()
    ['ham', 'spam', 'ham']
    """

    strata_: tuple[Any, ...]
    strata_reliability_: pl.DataFrame
    confusion_: Confusion
    clusters_: MiniBatchKMeans | None
    base_: DawidSkene
    class_prior_: NDArray[np.float64]
    status_: Outcome
    objective_path_: list[float]

    def __init__(
        self,
        *,
        strength: float = 20.0,
        base: DawidSkene | None = None,
        n_clusters: int = 8,
        max_iter: int = 200,
        tol: float = 1e-7,
        random_state: Any = 0,
    ) -> None:
        self.strength = strength
        self.base = base
        self.n_clusters = n_clusters
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(
        self,
        evidence: Evidence | Votes | Candidates,
        prior: ArrayLike | None = None,
        *,
        strata: Any = None,
        X: ArrayLike | None = None,
    ) -> Self:
        """Learn how reliable each source is in each stratum.

        Parameters
        ----------
        evidence : Evidence, Votes or Candidates
        prior : (n_items, n_classes) float, default None
            As for every label model.
        strata : (n_items,) values, default None
            The stratum of each item.
        X : (n_items, n_features) float, default None
            Features, whose clusters are the strata; scale them first. Either this or `strata`.

        Raises
        ------
        InputError
            As for every label model; if neither or both of `strata` and `X` are given, they don't
            fit the items, or a stratum is null.
        """
        check_positive(strength=self.strength)
        check_count(n_clusters=self.n_clusters, max_iter=self.max_iter)
        taken = as_evidence(evidence)
        own = checked(prior, taken)
        self.base_ = clone(DawidSkene() if self.base is None else self.base).fit(taken, prior)
        self.clusters_, self.strata_, stratum = self._learn_strata(strata, X, len(taken))
        divided = self._divided(taken, stratum)
        super().fit(divided, prior)
        beliefs = self._believe(divided, own)
        self._account(taken, stratum, beliefs)
        return self

    def aggregate(
        self,
        evidence: Evidence | Votes | Candidates,
        prior: ArrayLike | None = None,
        *,
        strata: Any = None,
        X: ArrayLike | None = None,
    ) -> Beliefs:
        """Give the belief about the label of each item.

        Parameters
        ----------
        evidence, prior
            As for every label model.
        strata : (n_items,) values, default None
            As in `fit`; where a value is null or wasn't there, each source's average counts. None
            takes the averages throughout.
        X : (n_items, n_features) float, default None
            As in `fit`.
        """
        taken = self._of_the_same_labels(evidence)
        return super().aggregate(self._divided(taken, self._found(strata, X, len(taken))), prior)

    def fit_aggregate(
        self,
        evidence: Evidence | Votes | Candidates,
        prior: ArrayLike | None = None,
        *,
        strata: Any = None,
        X: ArrayLike | None = None,
    ) -> Beliefs:
        """Learn from the evidence and give the beliefs about the same items."""
        return self.fit(evidence, prior, strata=strata, X=X).aggregate(
            evidence, prior, strata=strata, X=X
        )

    def _learn(self, evidence: Evidence, prior: Prior) -> None:
        """Climb from the averages; the evidence is divided, so that each stratum has its words."""
        votes, rows = votes_of(evidence), Observations.of(evidence, prior=prior)
        cells = tied(self.base_.tying, votes.vocabulary)
        whole = np.tile(self.base_.confusion_.probs, (len(self.strata_) + 1, 1))
        pseudo = cells.normalised(cells.gather(whole)) * self.strength
        self.class_prior_ = self.base_.class_prior_

        def step(theta: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
            counts, _, objective = rows.passed(
                expected_counts, self.class_prior_, cells.table(theta)
            )
            bonus = float(pseudo @ np.log(np.maximum(theta, np.finfo(float).tiny)))
            return cells.normalised(cells.gather(counts) + pseudo), objective + bonus

        # where sources take turns in being right, their averages say nothing: so also begin anew
        sources = self.base_.confusion_.vocabulary.sources
        each = np.broadcast_to(accuracies(self.base_.accuracy, sources), len(sources))
        sure = np.tile(each, len(self.strata_) + 1)
        starts = [pseudo, prior_counts(cells, votes.vocabulary, sure, 1.0)]
        run = run_em(
            step,
            [cells.normalised(mass) for mass in starts],
            max_iter=self.max_iter,
            tol=self.tol,
            scale=rows.n_items,
        )
        if run.outcome is Outcome.MAX_ITER:
            message = f"StratifiedDawidSkene: {run.outcome.value}"
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        self._divided_confusion = Confusion(votes.vocabulary, cells.table(run.state))
        self.status_, self.objective_path_ = run.outcome, run.path

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        before = self.class_prior_ if prior is None else prior
        return posterior(evidence, self._divided_confusion, before)

    def _account(
        self, evidence: Evidence, stratum: NDArray[np.int64], beliefs: NDArray[np.float64]
    ) -> None:
        """Measure each source over all items, and in each stratum; learn the last averages."""
        base = self.base_
        self.confusion_ = confusion_under(
            votes_of(evidence),
            beliefs,
            tying=base.tying,
            accuracy=base.accuracy,
            strength=base.strength,
        )
        n_symbols = len(self.confusion_.vocabulary)
        self._divided_confusion.probs[-n_symbols:] = self.confusion_.probs
        self.reliability_ = reliability_table(
            evidence,
            beliefs,
            prior_accuracy=accuracies(base.accuracy, votes_of(evidence).sources),
            prior_strength=base.strength,
        )
        average = self.reliability_["accuracy"].to_numpy()
        tables = []
        for g, name in enumerate(self.strata_):
            rows = np.flatnonzero(stratum == g)
            table = reliability_table(
                evidence.select(rows),
                beliefs[rows],
                prior_accuracy=average,
                prior_strength=self.strength,
            )
            tables.append(table.select(pl.lit(name).alias("stratum"), pl.all()))
        self.strata_reliability_ = pl.concat(tables)

    def _learn_strata(
        self, strata: Any, X: ArrayLike | None, n_items: int
    ) -> tuple[MiniBatchKMeans | None, tuple[Any, ...], NDArray[np.int64]]:
        if (strata is None) == (X is None):
            given = "neither" if X is None else "both"
            raise InputError(
                f"Either `strata` or `X` must be given; got {given}. Pass the stratum of each "
                "item, or features to find strata in."
            )
        if X is None:
            values = _column(strata, n_items)
            if values.null_count():
                raise InputError(
                    "`strata` must not hold nulls in `fit`; it does at "
                    f"{rows_named(values.is_null().to_numpy())}. Give these items a name of their "
                    "own, such as 'unknown'."
                )
            which, first = distinct(values)
            return None, tuple(plain(values[int(row)]) for row in first), which
        features = _features(X, n_items)
        if n_items < self.n_clusters:
            raise InputError(
                f"`n_clusters` must be at most the number of items, {n_items}; got "
                f"{self.n_clusters}. Lower it."
            )
        clusters = MiniBatchKMeans(self.n_clusters, n_init=3, random_state=self.random_state)
        which = clusters.fit_predict(features).astype(np.int64)
        return clusters, tuple(range(self.n_clusters)), which

    def _found(self, strata: Any, X: ArrayLike | None, n_items: int) -> NDArray[np.int64]:
        """(n_items,) Known strata by their number; the others are the last."""
        unknown = len(self.strata_)
        if X is not None and self.clusters_ is None:
            raise InputError(
                "`X` must not be given; the strata of `fit` were named. Pass `strata`."
            )
        if strata is not None and self.clusters_ is not None:
            raise InputError("`strata` must not be given; those of `fit` were clusters. Pass `X`.")
        if self.clusters_ is not None and X is not None:
            found = self.clusters_.predict(_features(X, n_items))
            return np.asarray(found, dtype=np.int64)
        if strata is None:
            return np.full(n_items, unknown)
        values = _column(strata, n_items)
        which, first = distinct(values)
        number = {name: g for g, name in enumerate(self.strata_)}
        own = [number.get(plain(values[int(row)]), unknown) for row in first]
        return np.array(own, dtype=np.int64)[which]

    def _divided(self, evidence: Evidence, stratum: NDArray[np.int64]) -> Evidence:
        """The same evidence, each vote by its source within the item's stratum."""
        if evidence.votes is None:
            return evidence
        known = self.base_.confusion_.vocabulary
        votes = evidence.votes.in_vocabulary(known)
        divided = Votes(
            indptr=votes.indptr,
            symbol=(votes.symbol + stratum[votes.item] * len(known)).astype(np.int32),
            vocabulary=_times(known, len(self.strata_) + 1),
            labels=votes.labels,
            item_ids=evidence.item_ids,
        )
        return Evidence(votes=divided, candidates=evidence.candidates, gold=evidence.gold)


def _times(vocabulary: Vocabulary, n: int) -> Vocabulary:
    """The words of every source in each of `n` strata."""
    n_sources = len(vocabulary.sources)
    starts = np.repeat(np.arange(n, dtype=np.int32) * n_sources, len(vocabulary))
    return Vocabulary(
        sources=tuple(f"{g}: {name}" for g in range(n) for name in vocabulary.sources),
        source=np.tile(vocabulary.source, n) + starts,
        meaning=np.tile(vocabulary.meaning, n),
        sets=vocabulary.sets,
        level=np.tile(vocabulary.level, n),
    )


def _column(strata: Any, n_items: int) -> pl.Series:
    values = as_series(strata)
    if len(values) != n_items:
        raise InputError(
            f"`strata` must have one value for each of the {n_items} items; got {len(values)}. "
            "Give each item its stratum."
        )
    return values


def _features(X: ArrayLike, n_items: int) -> NDArray[np.float64]:
    features = np.asarray(X, dtype=np.float64)
    if features.ndim != 2 or len(features) != n_items:
        raise InputError(
            f"`X` must have the shape (n_items, n_features) with {n_items} rows; got "
            f"{features.shape}. Give each item its features."
        )
    return features
