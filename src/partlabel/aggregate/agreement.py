r"""Agreement: how any two sources agree beyond chance, and how much of it the label explains.

================================  =============  ===============================================
symbol                            code           shape, meaning
================================  =============  ===============================================
:math:`n_{jk}`                    compared       (J, J) items on which two sources are compared
:math:`A_{jk}`                    equal          (J, J) of these, where both say the same
:math:`e_{jk}`                    luck           (J, J) share of agreement by chance
:math:`\kappa_{jk}`               kappa          (J, J) agreement beyond chance, eq. (1)
:math:`\hat\kappa_{jk}`           explained      (n_pairs,) what the label explains, eq. (2)
================================  =============  ===============================================

.. math:: \kappa = \frac{A / n - e}{1 - e} \quad (1) \qquad
          \hat\kappa_{jk} = \operatorname*{median}_{l, m}
              \frac{\kappa_{jl} \kappa_{km}}{\kappa_{lm}} \quad (2)

(1) is Cohen's kappa (Educational and Psychological Measurement 1960). Sources that err
independently given the label agree by the product of what each has to do with it,
:math:`\kappa_{jk} = a_j a_k`, so that third parties foretell how well two of them agree: Spearman's
tetrads (General intelligence, objectively determined and measured, American Journal of Psychology
1904). It is exact for the covariances of two classes, and for errors spread evenly over more
classes. Varma, Sala, He, Ratner & Re (Learning dependency structures for weak supervision models,
ICML 2019) read the same structure off the inverse covariance, as a low-rank part plus a sparse one.
The median needs no beliefs, which copies would hijack. Third parties are those with the most clear
links to others; left out are those that nearly equal one of the two, so that copies don't vouch for
each other. Where too few tetrads are clear, as among crowd workers who share few items, all third
parties are pooled into one that stands for both :math:`l` and :math:`m`. Where these are few too,
an agreement of 0.9 is taken as explained.

Rules have a bound besides. A rule that speaks of a share :math:`c_j` of all items, for a class that
has a share :math:`\pi`, agrees with another at best as if neither were ever wrong: they speak
together on :math:`c_j c_k / \pi` of the items.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import rel_entr

from partlabel.aggregate.kernels import MOST_BLOCKS
from partlabel.aggregate.observations import Observations
from partlabel.compiled import in_blocks, read_only
from partlabel.evidence import Vocabulary, Votes, as_evidence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TWINS = 0.8  # "almost perfect" (Landis & Koch, Biometrics 1977): may be one more copy
CLEAR = 3.0  # standard errors above zero
THIRD_PARTIES = 16  # for each pair; their 240 tetrads are plenty for a median
FEWEST_TETRADS = 6
ENOUGH_TO_POOL = 10  # third parties
UNFORETOLD = 0.9  # heuristic: independent sources hardly agree better
UPPER = 1.645  # standard errors up to the 95% limit of what is explained
MEDIAN_ERROR = 1.2533 * 1.4826  # of a median, from the median distance to it (normal errors)
TINY = 1e-9
DENSE = 0.1  # share of entries from which a dense product is faster
ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """How any two of J sources agree.

    Attributes
    ----------
    compared, equal : (J, J)
        Items on which they are compared, and of these the ones where both say the same.
    luck : (J, J)
        Share of agreement that their words' shares give by chance.
    items : (J, J)
        Items that count as evidence; where silence is a word, those where one of the two speaks.
    like : (J, J) bool
        Whether they speak of the same thing; always so where silence isn't a word.
    most : (J, J)
        The most that the label can explain.
    """

    compared: Floats
    equal: Floats
    luck: Floats
    items: Floats
    like: NDArray[np.bool_]
    most: Floats

    @property
    def kappa(self) -> Floats:
        """(J, J) Agreement beyond chance."""
        return (self._share - self.luck) / np.maximum(1.0 - self.luck, TINY)

    @property
    def error(self) -> Floats:
        """(J, J) Its standard error; half a failure stands in where agreement never fails."""
        n = np.maximum(self.compared, 1.0)
        variance = np.maximum(self._share * (1.0 - self._share), 0.5 / n) / n
        return np.sqrt(variance) / np.maximum(1.0 - self.luck, TINY)

    @property
    def _share(self) -> Floats:
        return self.equal / np.maximum(self.compared, 1.0)

    def comparable(self, min_items: int) -> NDArray[np.bool_]:
        """(J, J) Whether there are enough items, and the words on them vary."""
        enough = (self.items >= min_items) & (self.luck < 1.0 - TINY)
        return enough & ~np.eye(len(enough), dtype=bool)

    def explained(
        self, a: Ints, b: Ints, min_items: int, linked: NDArray[np.bool_]
    ) -> tuple[Floats, Floats]:
        """What the label explains of the kappa of some pairs, and its upper 95% limit.

        Parameters
        ----------
        a, b : (n_pairs,)
        min_items : int
        linked : (J, J) bool
            Sources taken to depend on each other: none is a third party to another, and one of
            them stands for all.
        """
        kappa, comparable = np.ascontiguousarray(self.kappa), self.comparable(min_items)
        apart = self.like & ~linked & ~(comparable & (kappa >= TWINS))
        third = np.ascontiguousarray(apart & comparable)
        clear = np.ascontiguousarray(third & (kappa > CLEAR * self.error))
        # most links first; ties are broken by what depends on no name or place
        order = np.lexsort((-kappa.sum(axis=1), -self.items.diagonal(), -clear.sum(axis=1)))
        stands = np.empty(len(order), dtype=bool)
        stands[order] = ~np.tril(linked[np.ix_(order, order)]).any(axis=1)
        middle, upper = _tetrads(a, b, kappa, third, clear, order[stands[order]])
        bare = np.isnan(middle)
        middle[bare], upper[bare] = self._pooled(a[bare], b[bare], apart & stands)
        most = self.most[a, b]
        return np.minimum(middle, most), np.minimum(upper, most)

    def _pooled(self, a: Ints, b: Ints, third: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """The tetrad of a pair in which all third parties together are one."""
        third = third & ~np.eye(len(third), dtype=bool)
        excess, room = self.equal - self.luck * self.compared, (1.0 - self.luck) * self.compared
        # numerator and denominator of kappa, and the most that the former may vary
        terms = np.stack([excess, room, self.compared / 4.0]) * third
        of_source = terms.sum(axis=2)
        link_a, error_a = _ratio(of_source[:, a] - terms[:, a, b])
        link_b, error_b = _ratio(of_source[:, b] - terms[:, b, a])
        among, error = _ratio(of_source[:, third.any(axis=0)].sum(axis=1))
        n_third = (terms[1] > 0).sum(axis=1)
        if not among > CLEAR * error:
            among, n_third = 1.0, np.zeros_like(n_third)
        known = np.minimum(n_third[a], n_third[b]) >= ENOUGH_TO_POOL
        middle = np.maximum(link_a, 0.0) * np.maximum(link_b, 0.0) / among
        link_a, link_b = link_a + UPPER * error_a, link_b + UPPER * error_b
        upper = np.maximum(link_a, 0.0) * np.maximum(link_b, 0.0) / among
        unknown = np.full(len(a), UNFORETOLD)
        return (
            np.where(known, np.minimum(middle, 1.0), unknown),
            np.where(known, np.minimum(upper, 1.0), unknown),
        )


def _ratio(terms: Floats) -> tuple[Any, Any]:
    """Kappa and its standard error from numerators, denominators and variances."""
    room = np.maximum(terms[1], TINY)
    return terms[0] / room, np.sqrt(terms[2]) / room


def _tetrads(
    a: Ints,
    b: Ints,
    kappa: Floats,
    third: NDArray[np.bool_],
    clear: NDArray[np.bool_],
    order: Ints,
) -> tuple[Floats, Floats]:
    """Median of the tetrads of each pair (eq. 2), and its upper limit; NaN where they are few."""
    middle, upper = np.full(len(a), np.nan), np.full(len(a), np.nan)
    read = read_only(a, b, kappa, third, clear, order)
    in_blocks(
        lambda _, begin, end: _tetrads_of(begin, end, *(*read, middle, upper)),
        len(a),
        most=MOST_BLOCKS,
        effort=len(a) * (len(order) + THIRD_PARTIES**2),
    )
    return middle, upper


@njit(nogil=True, cache=True)
def _tetrads_of(
    begin: int,
    end: int,
    a: Ints,
    b: Ints,
    kappa: Floats,
    third: NDArray[np.bool_],
    clear: NDArray[np.bool_],
    order: Ints,
    middle: Floats,
    upper: Floats,
) -> None:
    parties, found = np.empty(THIRD_PARTIES, np.int64), np.empty(THIRD_PARTIES**2)
    for pair in range(begin, end):
        j, k, n, n_found, n_used = a[pair], b[pair], 0, 0, 0
        for party in order:
            if n < THIRD_PARTIES and third[j, party] and third[k, party]:
                parties[n] = party
                n += 1
        for one in parties[:n]:
            before = n_found
            for two in parties[:n]:
                if clear[one, two]:
                    found[n_found] = kappa[j, one] * kappa[k, two] / kappa[one, two]
                    n_found += 1
            n_used += n_found > before
        if n_found >= FEWEST_TETRADS:
            median = _median(found, n_found)
            for t in range(n_found):
                found[t] = abs(found[t] - median)
            error = MEDIAN_ERROR * _median(found, n_found) / np.sqrt(n_used)
            middle[pair] = min(max(median, 0.0), 1.0)
            upper[pair] = min(middle[pair] + UPPER * error, 1.0)


@njit(nogil=True, cache=True)
def _median(values: Floats, n: int) -> float:
    """Median of the first n values, which change places (numpy's takes a second to compile)."""
    return 0.5 * (_ranked(values, n, (n - 1) // 2) + _ranked(values, n, n // 2))


@njit(nogil=True, cache=True)
def _ranked(values: Floats, n: int, rank: int) -> float:
    """The value of a rank from 0 among the first n (Hoare's selection, Algorithm 65, CACM 1961)."""
    low, high = 0, n - 1
    while low < high:
        pivot, i, j = values[rank], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if j < rank:
            low = i
        if i > rank:
            high = j
    return float(values[rank])


def words_said(votes: Votes) -> Floats:
    """(n_sources, n_sets) How often each source said each set of classes, at any level."""
    vocabulary = votes.vocabulary
    said = np.zeros((votes.n_sources, len(vocabulary.sets)))
    times = np.bincount(votes.symbol, minlength=len(vocabulary))
    np.add.at(said, (vocabulary.source, vocabulary.meaning), times)
    return said


def agreement(votes: Votes, kept: Ints, *, silence: bool) -> Agreement:
    """Count how the kept sources agree, on items about which both spoke.

    With `silence`, saying nothing is one more word, and all items are compared.
    """
    rows, vocabulary = Observations.of(as_evidence(votes)), votes.vocabulary
    said = words_said(votes)[kept]
    row, meaning = _row_of_votes(rows), vocabulary.meaning[rows.symbol]
    column = np.full(votes.n_sources, -1)
    column[kept] = np.arange(len(kept))
    source = column[vocabulary.source[rows.symbol]]
    root = np.sqrt(rows.weight)

    def who(says: NDArray[np.bool_]) -> Any:
        at = np.flatnonzero(says & (source >= 0))
        return csr_array((root[row[at]], (row[at], source[at])), shape=(len(root), len(kept)))

    anyone = who(np.ones(len(row), dtype=bool))
    both = _counts(anyone, anyone)
    equal, luck = np.zeros_like(both), np.zeros_like(both)
    for word in np.flatnonzero(said.any(axis=0)):
        saying = who(meaning == word)
        equal += _counts(saying, saying)
        times = said[:, [word]] if silence else _counts(saying, anyone)
        luck += times * times.T
    if not silence:
        luck /= np.maximum(both, 1.0) ** 2
        return Agreement(
            both, equal, luck, both, like=np.ones_like(both, dtype=bool), most=np.ones_like(both)
        )
    n, spoken, word = rows.n_items, said.sum(axis=1), said.argmax(axis=1)
    either = spoken[:, None] + spoken - both
    return Agreement(
        compared=np.full_like(both, n),
        equal=equal + n - either,
        luck=(luck + np.outer(n - spoken, n - spoken)) / n**2,
        items=either,
        like=word[:, None] == word,
        most=_most(spoken / n, (vocabulary.sets @ _class_shares(rows, vocabulary))[word]),
    )


def _row_of_votes(rows: Observations) -> Ints:
    return np.repeat(np.arange(len(rows.weight)), np.diff(rows.indptr))


def _counts(left: Any, right: Any) -> Floats:
    """(J, J) Items on which one says this and the other that: whole numbers."""
    n_rows, n_sources = left.shape
    if left.nnz < DENSE * n_rows * n_sources:
        return np.asarray((left.T @ right).toarray()).round()
    counts = np.zeros((n_sources, n_sources))
    for start in range(0, n_rows, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        counts += left[rows].toarray().T @ right[rows].toarray()
    return counts.round()


def _most(covered: Floats, share: Floats) -> Floats:
    """(J, J) Kappa of rules that are never wrong, cover so much, and choose independently."""
    by_luck = np.outer(covered, covered)
    together = by_luck / np.maximum(np.minimum(share[:, None], share), TINY)
    together = np.minimum(together, np.minimum(covered[:, None], covered))
    mean = (covered[:, None] + covered) / 2
    return np.clip((together - by_luck) / np.maximum(mean - by_luck, TINY), 0.0, 1.0)


def _class_shares(rows: Observations, vocabulary: Vocabulary) -> Floats:
    """(n_classes,) The least share of each class: of items where it has the most votes."""
    row, members = _row_of_votes(rows), vocabulary.members()
    part = (members / members.sum(axis=1, keepdims=True))[rows.symbol]
    n = len(rows.weight)
    votes = np.column_stack([np.bincount(row, weights=one, minlength=n) for one in part.T])
    leads = (votes >= votes.max(axis=1, keepdims=True) - TINY) & (votes > 0)
    lead = leads / np.maximum(leads.sum(axis=1, keepdims=True), 1)
    return np.asarray(rows.weight @ lead / rows.n_items)


def information_given(votes: Votes, probs: Floats, a: Ints, b: Ints, *, silence: bool) -> Floats:
    r"""(n_pairs,) Mutual information of two sources' words given the label, in nats per item.

    .. math:: \sum_y \sum_{s, t} p(s, t, y) \log \frac{p(s, t, y) \, p(y)}{p(s, y) \, p(t, y)}

    with the beliefs `probs` for the label. Beliefs that the sources have hijacked hide it.
    """
    item, n_words = votes.item, len(votes.vocabulary.sets) + 1
    word = votes.vocabulary.meaning[votes.symbol] + 1
    by_source = np.argsort(votes.source, kind="stable")
    own = np.split(by_source, np.cumsum(np.bincount(votes.source, minlength=votes.n_sources)))

    def words(source: int) -> Ints:
        said = np.zeros(votes.n_items, dtype=np.int64)  # 0 is silence
        said[item[own[source]]] = word[own[source]]
        return said

    found = np.zeros(len(a))
    for pair, (one, two) in enumerate(zip(a, b, strict=True)):
        x, y = words(one), words(two)
        at = np.flatnonzero(silence | ((x > 0) & (y > 0)))
        cell = x[at] * n_words + y[at]
        for mass in probs[at].T:
            joint = np.bincount(cell, weights=mass, minlength=n_words**2) / len(at)
            joint = joint.reshape(n_words, n_words)
            apart = np.outer(joint.sum(axis=1), joint.sum(axis=0)) / max(joint.sum(), TINY)
            found[pair] += rel_entr(joint, apart).sum()
    return found
