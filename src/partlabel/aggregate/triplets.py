r"""Triplets: accuracies in closed form, from how often each three sources agree.

==============================  ===========  ==================================================
symbol                          code         shape
==============================  ===========  ==================================================
:math:`a_j`                     edge         (n_sources,) accuracy beyond chance, 1 is always
:math:`n_{jk}`                  both         (n_sources, n_sources) items both speak about
:math:`n_{jk} m_{jk}`           excess       (n_sources, n_sources) agreement beyond chance
==============================  ===========  ==================================================

Write a vote for one of K classes as its indicators less :math:`1 / K`, one against the rest for
each class, scaled to length one: with two classes, as -1 or +1. The moment of two sources, the sum
over the classes of their indicators' moments, is their agreement beyond chance,

.. math:: m_{jk} = \frac{K P(o_j = o_k) - 1}{K - 1} = a_j a_k, \qquad
          a_j = \frac{K p_j - 1}{K - 1}

where p_j is the accuracy of a source that errs independently and alike over the other classes;
whatever the shares of the classes are. So each pair of other sources gives

.. math:: a_j^2 = m_{jk} m_{jl} / m_{kl}

(Fu, Chen, Sala, Hooper, Fatahalian & Ré, Fast and three-rious: speeding up weak supervision with
triplet methods, ICML 2020, section 3), and their median is taken, each counting by
:math:`m_{kl}^2 / (1 / n_{jk} + 1 / n_{jl} + 1 / n_{kl})`: little where the overlap is small or the
denominator near zero. Sources that agree with the others more often than chance are better than
chance. The moments are sums over items.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.kernels import counts_under
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.posterior import posterior
from partlabel.aggregate.prior import Prior
from partlabel.aggregate.reliability import reliability_table
from partlabel.aggregate.settings import (
    ClassPrior,
    check_positive,
    check_probability,
    votes_of,
)
from partlabel.channels import Confusion, expected_table
from partlabel.errors import InputError
from partlabel.evidence import Evidence, Vocabulary, Votes

Sparse = Any  # scipy's sparse arrays


class Triplets(Aggregator):
    """Learn each source's accuracy from how often it agrees with the others, without iterating.

    Right where sources err independently and alike over classes, and are silent at random; fast,
    without a start to choose, and unmoved by the shares of the classes. It takes many votes: about
    a thousand on which three sources overlap; `DawidSkene` makes more of fewer.

    Agreement doesn't identify a source that only ever says one class, as most rules do, nor one
    that never meets two others that meet each other: they keep the prior accuracy. Votes for larger
    sets count in the beliefs only. Items whose class gold or candidates give are counted directly;
    agreement is measured on the others.

    Parameters
    ----------
    accuracy : float in (0, 1), default 0.7
        Prior accuracy of a source.
    strength : float, default 10.0
        Pseudo-votes behind it. Higher trusts small sources less.
    class_prior : "uniform" or (n_classes,), default "uniform"
        Share of each class before any vote.

    Attributes
    ----------
    accuracy_ : (n_sources,) float
    identified_ : (n_sources,) bool
        Whether some triplet speaks of the source; where not, its accuracy is the prior's and what
        known items say.
    confusion_ : Confusion
        What each source says, by true class.
    class_prior_ : (n_classes,) float
    reliability_ : polars.DataFrame
        One row per source: see `reliability_table`.
    labels_ : LabelSpace

    Examples
    --------
    >>> from partlabel.labels import LabelSpace
    >>> said = [[0, 0, 0]] * 40 + [[1, 1, 1]] * 40 + [[0, 0, 1]] * 10 + [[1, 1, 0]] * 10
    >>> model = Triplets().fit(Votes.from_matrix(said, LabelSpace(["ham", "spam"])))
    >>> model.accuracy_.round(2)
    array([0.97, 0.97, 0.79])

    References
    ----------
    D. Fu, M. Chen, F. Sala, S. Hooper, K. Fatahalian and C. Ré, Fast and three-rious: speeding up
    weak supervision with triplet methods, ICML 2020, section 3.
    """

    accuracy_: NDArray[np.float64]
    identified_: NDArray[np.bool_]
    confusion_: Confusion
    class_prior_: NDArray[np.float64]

    def __init__(
        self,
        *,
        accuracy: float = 0.7,
        strength: float = 10.0,
        class_prior: Literal["uniform"] | ArrayLike = "uniform",
    ) -> None:
        self.accuracy = accuracy
        self.strength = strength
        self.class_prior = class_prior

    def _learn(self, evidence: Evidence, prior: Prior) -> None:
        check_probability(accuracy=self.accuracy)
        check_positive(strength=self.strength)
        n_classes = len(evidence.labels)
        self.class_prior_ = ClassPrior.of(
            self.class_prior, n_classes, known=("uniform",), replaced=prior is not None
        ).start
        votes = votes_of(evidence)
        if votes.n_sources < 3:
            raise InputError(
                "`evidence` must hold votes of at least three sources for triplets; it has "
                f"{votes.n_sources}. Use `DawidSkene`, or `MajorityVote`."
            )
        rows = Observations.of(evidence, prior=prior)
        known = ((rows.sets > 0).sum(axis=1) == 1)[rows.which]
        both, excess = pairs(rows, votes.vocabulary, comparable(votes), known)
        edge = edges(both, excess)
        right, n_known = on_known(rows, votes.vocabulary, known)
        self.identified_ = ~np.isnan(edge)
        n_votes = np.where(self.identified_, both.diagonal(), 0.0)
        found = (1.0 + (n_classes - 1) * np.nan_to_num(edge)) / n_classes
        mass = n_votes * found + right + self.strength * self.accuracy
        self.accuracy_ = mass / (n_votes + n_known + self.strength)
        self.confusion_ = Confusion(
            votes.vocabulary, expected_table(votes.vocabulary, self.accuracy_)
        )
        self.reliability_ = reliability_table(
            evidence,
            self._believe(evidence, prior),
            rows=rows,
            prior_accuracy=self.accuracy,
            prior_strength=self.strength,
        )

    def _believe(self, evidence: Evidence, prior: Prior) -> NDArray[np.float64]:
        before = self.class_prior_ if prior is None else prior
        return posterior(evidence, self.confusion_, before)


def comparable(votes: Votes) -> NDArray[np.bool_]:
    """(n_symbols,) Words for one class, of sources that say at least two classes."""
    vocabulary = votes.vocabulary
    single = vocabulary.sets.sum(axis=1)[vocabulary.meaning] == 1
    said = np.unique(votes.symbol)
    said = said[single[said]]
    distinct = np.unique(np.stack([vocabulary.source[said], vocabulary.meaning[said]]), axis=1)
    n_said = np.bincount(distinct[0], minlength=votes.n_sources)
    return np.asarray(single & (n_said >= 2)[vocabulary.source])


def pairs(
    rows: Observations,
    vocabulary: Vocabulary,
    used: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> tuple[Sparse, Sparse]:
    """Compare the sources two by two on the unknown rows; both sums add up over rows.

    Parameters
    ----------
    used : (n_symbols,) bool
        The words to compare, each for a single class.
    known : (n_rows,) bool
        The rows to leave out.

    Returns
    -------
    both : (n_sources, n_sources) sparse float
        Items about which both speak.
    excess : (n_sources, n_sources) sparse float
        The moment of each pair times its items.
    """
    shape = (len(vocabulary), len(vocabulary.sources))
    said: Sparse = csr_array(
        (np.ones(len(rows.symbol)), rows.symbol, rows.indptr), (len(rows.weight), shape[0])
    )
    weight = (rows.weight * ~known)[:, None]

    def together(words: NDArray[np.bool_]) -> Sparse:
        chosen = np.flatnonzero(words)
        speaks: Sparse = csr_array(
            (np.ones(len(chosen)), (chosen, vocabulary.source[chosen])), shape
        )
        spoke = said @ speaks
        return spoke.T @ spoke.multiply(weight).tocsr()

    n_classes = vocabulary.sets.shape[1]
    both = together(used)
    agree = sum(together(used & holds) for holds in vocabulary.members().T)
    return both, (n_classes * agree - both) / (n_classes - 1)


def edges(both: Sparse, excess: Sparse) -> NDArray[np.float64]:
    """(n_sources,) Each source's accuracy beyond chance, from `pairs`; NaN where no triplet is."""
    size = np.full(both.shape[0], np.nan)
    for j in range(len(size)):
        n = both[[j]].toarray()[0]
        met = np.flatnonzero((n > 0) & (np.arange(len(n)) != j))
        if len(met) >= 2:
            near = excess[[j]].toarray()[0, met] / n[met]
            n_far, far = both[met][:, met].toarray(), excess[met][:, met].toarray()
            size[j] = np.sqrt(_squared_edge(n[met], near, n_far, far))
    known = np.nan_to_num(size)
    pull = (excess - diags_array(excess.diagonal())) @ known
    pull += both.diagonal() * known**3  # its own moment, so that all weigh the same sum of signs
    return np.where(pull < 0, -size, size)


def _squared_edge(
    n_near: NDArray[np.float64],
    near: NDArray[np.float64],
    n_far: NDArray[np.float64],
    far_excess: NDArray[np.float64],
) -> float:
    """Median over the pairs of a source's neighbours, within [0, 1]; NaN where none have met.

    `n_near` and `near` are the overlap and moment with each neighbour (n,); `n_far` and
    `far_excess` the overlap of two neighbours, and that times their moment (n, n).
    """
    k, m = np.triu_indices(len(near), 1)
    there = far_excess[k, m] != 0
    if not there.any():
        return np.nan
    k, m = k[there], m[there]
    n, far = n_far[k, m], far_excess[k, m] / n_far[k, m]
    # the paper takes the absolute value; a square below zero is noise around zero, and counts so
    squared = near[k] * near[m] / far
    sure = far**2 / (1 / n_near[k] + 1 / n_near[m] + 1 / n)
    return float(np.clip(_weighted_median(squared, sure), 0.0, 1.0))


def _weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def on_known(
    rows: Observations, vocabulary: Vocabulary, known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each source, how many of its votes on known rows hold the label, and how many it has."""
    truth = (rows.sets > 0)[rows.which] * (rows.weight * known)[:, None]
    members, n_sources = vocabulary.members(), len(vocabulary.sources)
    counts = counts_under(rows.indptr, rows.symbol, truth, len(members))
    right = np.bincount(
        vocabulary.source, weights=(counts * members).sum(axis=1), minlength=n_sources
    )
    n_known = np.bincount(vocabulary.source, weights=counts.sum(axis=1), minlength=n_sources)
    return right.astype(np.float64), n_known.astype(np.float64)
