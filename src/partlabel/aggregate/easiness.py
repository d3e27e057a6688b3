r"""The passes of GLAD over rows, compiled: beliefs, each row's easiness, sums for the abilities.

=========================  ==============  ===============================================
symbol                     code            shape
=========================  ==============  ===============================================
:math:`\alpha_j`           ability         (n_sources,)
:math:`\delta_i`           log_easiness    (n_rows,) logarithm of :math:`\beta_i > 0`
:math:`x_{ij}`             x               :math:`\alpha_j e^{\delta_i}`
:math:`b_i(y)`             belief          (n_classes,) of the row at hand
:math:`g_{ij}`             right           belief in the classes that the vote's word holds
=========================  ==============  ===============================================

A row's easiness takes a Newton step that is halved until it climbs. For the abilities a pass gives
gradient and curvature of the quadratic that touches :math:`\log \sigma` from below at x: its
curvature is :math:`\tanh(x / 2) / 2x` (Jaakkola & Jordan, Bayesian parameter estimation via
variational methods, Statistics and Computing 2000), so that a step to its top can't fall.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from partlabel.aggregate.kernels import MOST_BLOCKS, blocks
from partlabel.compiled import in_blocks, read_only

HALVINGS = 30
AT_REST = 1e-6  # a row's easiness rests once it moves by less
MOST_STEPS = 500
EFFORT = 32  # of a vote, in additions: exponentials and logarithms


def passed_over(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    weight: NDArray[np.float64],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    source: NDArray[np.int32],
    holds: NDArray[np.bool_],
    log_share: NDArray[np.float64],
    ability: NDArray[np.float64],
    log_easiness: NDArray[np.float64],
) -> tuple[
    NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float
]:
    """E-step, a step of each row's easiness, and the sums for the abilities' step after it.

    `start` is (n_sets, n_classes), the logarithm of the class prior where the class is possible.

    Returns
    -------
    (n_rows,) log easiness; (n_sources,) gradient and curvature in the abilities, without their
    prior; (n_classes,) expected class totals; the log-likelihood (nats).
    """
    fresh, most = np.array(log_easiness), blocks(len(ability), 2)
    sums = np.zeros((most, 2, len(ability)))
    totals = np.zeros((most, start.shape[1]))
    rows = read_only(indptr, symbol, which, start, source, holds, log_share, ability, weight)
    objective = in_blocks(
        lambda block, begin, end: _pass(begin, end, *(*rows, fresh, sums[block], totals[block])),
        len(which),
        most=most,
        effort=EFFORT * len(symbol),
    )
    gradient, curvature = sums.sum(axis=0)
    return fresh, gradient, curvature, totals.sum(axis=0), float(np.sum(objective))


def settled(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    source: NDArray[np.int32],
    holds: NDArray[np.bool_],
    log_share: NDArray[np.float64],
    ability: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Beliefs of each row and the log easiness at which EM on its own votes comes to rest."""
    beliefs, log_easiness = np.empty((len(which), start.shape[1])), np.zeros(len(which))
    rows = read_only(indptr, symbol, which, start, source, holds, log_share, ability)
    in_blocks(
        lambda _, begin, end: _settle(begin, end, *(*rows, beliefs, log_easiness)),
        len(which),
        most=MOST_BLOCKS,
        effort=EFFORT * len(symbol),
    )
    return beliefs, log_easiness


@njit(nogil=True, cache=True)
def _pass(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    source: NDArray[np.int32],
    holds: NDArray[np.bool_],
    log_share: NDArray[np.float64],
    ability: NDArray[np.float64],
    weight: NDArray[np.float64],
    log_easiness: NDArray[np.float64],
    sums: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> float:
    """Step from `log_easiness`, in place; add up gradient and curvature in `sums`."""
    belief, objective = np.empty(start.shape[1]), 0.0
    skill, right = np.empty(len(source)), np.empty(len(source))
    for i in range(begin, end):
        first, last, w = indptr[i], indptr[i + 1], weight[i]
        objective += w * _believed(
            first, last, symbol, start[which[i]], source, holds, log_share, ability,
            log_easiness[i], belief, skill, right,
        )  # fmt: skip
        log_easiness[i] = _climbed(last - first, skill, right, log_easiness[i])
        easiness = np.exp(log_easiness[i])
        for k in range(len(belief)):
            totals[k] += w * belief[k]
        for v in range(last - first):
            x, j = skill[v] * easiness, source[symbol[first + v]]
            sums[0, j] += w * (right[v] - _sigmoid(x)) * easiness
            bend = 0.25 if abs(x) < 1e-4 else np.tanh(x / 2) / (2 * x)
            sums[1, j] += w * bend * easiness * easiness
    return objective


@njit(nogil=True, cache=True)
def _settle(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    which: NDArray[np.int32],
    start: NDArray[np.float64],
    source: NDArray[np.int32],
    holds: NDArray[np.bool_],
    log_share: NDArray[np.float64],
    ability: NDArray[np.float64],
    beliefs: NDArray[np.float64],
    log_easiness: NDArray[np.float64],
) -> None:
    skill, right = np.empty(len(source)), np.empty(len(source))
    for i in range(begin, end):
        for _ in range(MOST_STEPS):
            before = log_easiness[i]
            _believed(
                indptr[i], indptr[i + 1], symbol, start[which[i]], source, holds, log_share,
                ability, before, beliefs[i], skill, right,
            )  # fmt: skip
            log_easiness[i] = _climbed(indptr[i + 1] - indptr[i], skill, right, before)
            if abs(log_easiness[i] - before) < AT_REST:
                break


@njit(nogil=True, cache=True)
def _believed(
    first: int,
    last: int,
    symbol: NDArray[np.int32],
    start: NDArray[np.float64],
    source: NDArray[np.int32],
    holds: NDArray[np.bool_],
    log_share: NDArray[np.float64],
    ability: NDArray[np.float64],
    log_easiness: float,
    belief: NDArray[np.float64],
    skill: NDArray[np.float64],
    right: NDArray[np.float64],
) -> float:
    """Write a row's belief, each vote's skill and the belief that it is right.

    Gives the row's log-likelihood.
    """
    easiness, n_classes = np.exp(log_easiness), len(belief)
    for k in range(n_classes):
        belief[k] = start[k]
    for v in range(last - first):
        s = symbol[first + v]
        skill[v] = ability[source[s]]
        x = skill[v] * easiness
        if_right = _log_sigmoid(x)
        if_wrong = if_right - x
        for k in range(n_classes):
            belief[k] += log_share[s, k] + (if_right if holds[s, k] else if_wrong)
    top, norm = -np.inf, 0.0
    for k in range(n_classes):
        top = max(top, belief[k])
    for k in range(n_classes):
        belief[k] = np.exp(belief[k] - top)
        norm += belief[k]
    for k in range(n_classes):
        belief[k] /= norm
    for v in range(last - first):
        s, right[v] = symbol[first + v], 0.0
        for k in range(n_classes):
            right[v] += belief[k] if holds[s, k] else 0.0
    return float(top + np.log(norm))


@njit(nogil=True, cache=True)
def _climbed(
    n: int, skill: NDArray[np.float64], right: NDArray[np.float64], log_easiness: float
) -> float:
    """A log easiness at which the row's expected objective is no lower: a damped Newton step."""
    slope, bend, easiness = -log_easiness, 1.0, np.exp(log_easiness)
    for v in range(n):
        x = skill[v] * easiness
        p = _sigmoid(x)
        slope += (right[v] - p) * x
        bend += p * (1.0 - p) * x * x + abs((right[v] - p) * x)
    here, step = _expected(n, skill, right, log_easiness), slope / bend
    for _ in range(HALVINGS):
        if _expected(n, skill, right, log_easiness + step) >= here:
            return float(log_easiness + step)
        step /= 2
    return log_easiness


@njit(nogil=True, cache=True)
def _expected(
    n: int, skill: NDArray[np.float64], right: NDArray[np.float64], log_easiness: float
) -> float:
    """What depends on a row's easiness in the expected objective."""
    value, easiness = -0.5 * log_easiness * log_easiness, np.exp(log_easiness)
    for v in range(n):
        x = skill[v] * easiness
        value += _log_sigmoid(x) - (1.0 - right[v]) * x
    return float(value)


@njit(nogil=True, cache=True)
def _sigmoid(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-x)))


@njit(nogil=True, cache=True)
def _log_sigmoid(x: float) -> float:
    return float(min(x, 0.0) - np.log1p(np.exp(-abs(x))))
