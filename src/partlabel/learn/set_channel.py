r"""The channel of candidate sets, learnt: which wrong candidates come with which class.

==============================  =========  ======================  =================================
symbol                          code       shape                   meaning
==============================  =========  ======================  =================================
:math:`S_k`                     sets       (n_sets, n_classes)     whether set S holds class k
:math:`b_S(y)`                  mass       (n_sets, n_classes)     beliefs, summed over rows with S
:math:`n_S`                     n_rows     (n_sets,)               rows with S
:math:`a_{yk}`                  shares     (n_classes, n_classes)  p(k is a candidate | class y)
:math:`\tau`                    weight     number in [0, 1]
==============================  =========  ======================  =================================

.. math:: p(S | y) = \frac{n_S w(S, y)}{\sum_T n_T w(T, y)},
   \quad w(S, y) = [y \in S] \prod_k \left(a_{yk}^{S_k} (1 - a_{yk})^{1 - S_k}\right)^\tau

The classes of a set aren't drawn independently, as :math:`\tau = 1` says; at 0 all sets that hold a
class are as likely. It is chosen by the likelihood of held-out sets. A class that is a candidate of
many rows explains each of its sets the less: without that, EM gives common classes too much.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from partlabel.learn.training import posterior

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
PRIOR = 10.0  # rows' worth of belief that a candidate is as common with one class as with another
LEAST = 1e-3  # of shares, and of what they fall short of 1
N_ROUNDS = 8
N_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class SetChannel:
    """How likely each set is, given the class.

    Attributes
    ----------
    shares : (n_classes, n_classes) float
        How often a class (column) is a candidate of rows of a class (row).
    weight : float in [0, 1]
        How much the shares say: 0 is nothing.
    log_likelihood : (n_sets, n_classes) float
        log p(set | class) up to a constant of the set; 0 where the class isn't in it.
    """

    shares: NDArray[np.float64]
    weight: float
    log_likelihood: NDArray[np.float64]


def learn_set_channel(
    sets: NDArray[np.bool_],
    which: NDArray[np.integer[Any]],
    probs: NDArray[np.float64],
    log_likelihood: NDArray[np.float64],
) -> SetChannel:
    """Learn by EM how sets come about, given predictions that did not see the row.

    Parameters
    ----------
    sets : (n_sets, n_classes)
        Those that hold every class say nothing, and teach nothing.
    which : (n_rows,) position of each row's set
    probs : (n_rows, n_classes)
        Above 0.
    log_likelihood : (n_rows, n_classes)
        Of all evidence, each set taken as equally likely given any of its classes.
    """
    fold = np.random.default_rng(0).integers(N_FOLDS, size=len(which))
    tried = []
    for weight in WEIGHTS:
        channel = SetChannel(np.ones(2 * sets.shape[1:]), weight, np.zeros(sets.shape))
        for _ in range(N_ROUNDS):
            beliefs, _ = posterior(probs, log_likelihood + channel.log_likelihood[which])
            channel = estimated(sets, _summed(sets, which, beliefs), weight)
        score = 0.0
        for k in range(N_FOLDS):
            held = fold == k
            mass = _summed(sets, which[~held], beliefs[~held])
            other = estimated(sets, mass, weight, n_rows=_counts(sets, which))
            said = log_likelihood[held] + other.log_likelihood[which[held]]
            score += float(posterior(probs[held], said)[1].sum())
        tried.append((score, channel))
    return max(tried, key=lambda pair: pair[0])[1]


def estimated(
    sets: NDArray[np.bool_],
    mass: NDArray[np.float64],
    weight: float,
    *,
    n_rows: NDArray[np.float64] | None = None,
) -> SetChannel:
    """The channel that beliefs (n_sets, n_classes), summed over rows, speak for."""
    held = sets.astype(np.float64)
    per_class, in_all = mass.sum(axis=0), mass.sum(axis=1) @ held
    together = mass.T @ held
    others = (in_all - per_class) / np.maximum(mass.sum() - per_class, LEAST)
    shares = (together + PRIOR * others) / (per_class[:, None] + PRIOR)
    shares = shares.clip(LEAST, 1.0 - LEAST)
    log_in, log_out = np.log(shares), np.log1p(-shares)
    for of_itself in (log_in, log_out):  # the class is in its sets
        np.fill_diagonal(of_itself, 0.0)
    said = weight * (held @ log_in.T + (1.0 - held) @ log_out.T)
    with np.errstate(divide="ignore"):
        seen = np.log(mass.sum(axis=1) if n_rows is None else n_rows)[:, None]
    among = logsumexp(np.where(sets, said, -np.inf) + seen, axis=0)
    np.fill_diagonal(shares, 1.0)
    known = sets & np.isfinite(among) & ~sets.all(axis=1, keepdims=True)
    return SetChannel(shares, weight, np.where(known, said - among, 0.0))


def _summed(
    sets: NDArray[np.bool_], which: NDArray[np.integer[Any]], beliefs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_sets, n_classes) Beliefs of the rows of each set together; none where all is possible."""
    mass = np.zeros(sets.shape)
    np.add.at(mass, which, beliefs)
    mass[sets.all(axis=1)] = 0.0
    return mass


def _counts(sets: NDArray[np.bool_], which: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """(n_sets,) Rows of each set; none where all is possible."""
    return np.where(sets.all(axis=1), 0.0, np.bincount(which, minlength=len(sets)))
