r"""Class selection: the classes of unlabelled items, where labelling depends on the class alone.

======================  ==================  ====================================================
symbol                  code                shape, meaning
======================  ==================  ====================================================
:math:`p_1(y \mid x)`   ``outcome``         (n_items, n_classes) classifier of labelled items
:math:`q_1, q_0`        ``seen, unseen``    (n_classes,) class shares with and without a label
:math:`e_y`             (from these)        p(labelled | y)
:math:`b_i(y)`          ``beliefs``         (n_unlabelled, n_classes)
======================  ==================  ====================================================

Two ways to find :math:`q_0`. EM believes the classifier:

.. math:: b_i(y) \propto p(y \mid x_i) (1 - e_y) \propto p_1(y \mid x_i) \frac{q_0(y)}{q_1(y)},
          \qquad q_0 = \text{mean}_i \, b_i

It is sharp, and confidently wrong where the classifier isn't calibrated. Moments only need the
classifier to be of some use: its mean score over unlabelled items is the mixture, by :math:`q_0`,
of its mean scores over the labelled items of each class,

.. math:: \text{mean}_{R=0} \, p_1(x) = \sum_y q_0(y) \, \text{mean}_{R=1, y} \, p_1(x).

Where the two disagree, the classifier isn't calibrated, or labelling depends on more than class.

M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori
probabilities", Neural Computation 2002, eq. 2.9 (EM). Z. C. Lipton, Y.-X. Wang, A. Smola,
"Detecting and correcting for label shift with black box predictors", ICML 2018, prop. 2 (moments).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from partlabel.evaluate.metrics import Floats

MAX_ITER = 2000
TOL = 1e-7


def seen_shares(codes: NDArray[np.integer], n_classes: int) -> NDArray[np.float64]:
    """(n_classes,) Shares of the classes among labelled items; codes below 0 are unlabelled."""
    count = np.bincount(codes[codes >= 0], minlength=n_classes)
    return np.asarray(count / count.sum())


def shares_by_em(outcome: Floats, codes: NDArray[np.integer]) -> NDArray[np.float64]:
    """(n_classes,) Shares of the classes among unlabelled items, trusting the classifier.

    Right where it is calibrated for labelled items, and labelling depends on the class alone.

    Examples
    --------
    >>> outcome = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9]])
    >>> shares_by_em(outcome, np.array([0, 1, -1, -1])).round(3)
    array([0., 1.])
    """
    seen = seen_shares(codes, outcome.shape[1])
    unseen, score = seen, outcome[codes < 0]
    for _ in range(MAX_ITER):
        fresh = tilted(score, tilt_of(seen, unseen)).mean(axis=0)
        moved = float(np.abs(fresh - unseen).sum())
        unseen = fresh
        if moved < TOL:
            break
    return np.asarray(unseen)


def shares_by_moments(outcome: Floats, codes: NDArray[np.integer]) -> NDArray[np.float64]:
    """(n_classes,) Shares of the classes among unlabelled items, whatever the classifier is worth.

    Right where labelling depends on the class alone; sharper, the better the classifier.

    Examples
    --------
    >>> outcome = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    >>> shares_by_moments(outcome, np.array([0, 1, -1, -1])).round(3)
    array([0.5, 0.5])
    """
    n_classes = outcome.shape[1]
    there = np.flatnonzero(seen_shares(codes, n_classes))
    mixture = np.stack([outcome[codes == k].mean(axis=0) for k in there], axis=1)
    found, _ = nnls(mixture, outcome[codes < 0].mean(axis=0))
    unseen = np.zeros(n_classes)
    unseen[there] = found / found.sum()
    return unseen


def tilt_of(seen: Floats, unseen: Floats) -> NDArray[np.float64]:
    """(n_classes,) How many times as large a class is without label; 0 where none is labelled."""
    return np.asarray(np.divide(unseen, seen, out=np.zeros_like(seen), where=seen > 0))


def tilted(outcome: Floats, tilt: Floats) -> NDArray[np.float64]:
    """(n, n_classes) What to believe of unlabelled items, given the classifier of labelled ones."""
    joint = outcome * tilt
    total = joint.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(joint, total, out=outcome.copy(), where=total > 0))
