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
from numba import njit, prange
from numpy.typing import NDArray

HALVINGS = 30
AT_REST = 1e-6  # a row's easiness rests once it moves by less
MOST_STEPS = 500


@njit(parallel=True, cache=True)
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
    n_blocks: int,
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
    n_rows, n_classes, n_sources = len(which), start.shape[1], len(ability)
    fresh = np.empty(n_rows)
    gradient, curvature = np.zeros((n_blocks, n_sources)), np.zeros((n_blocks, n_sources))
    totals, objective = np.zeros((n_blocks, n_classes)), np.zeros(n_blocks)
    for block in prange(n_blocks):
        belief = np.empty(n_classes)
        for i in range(block * n_rows // n_blocks, (block + 1) * n_rows // n_blocks):
            said, w = symbol[indptr[i] : indptr[i + 1]], weight[i]
            belief[:] = start[which[i]]
            objective[block] += w * _believed(
                said, source, holds, log_share, ability, log_easiness[i], belief
            )
            right = _right(said, holds, belief)
            skill = ability[source[said]]
            fresh[i] = _climbed(skill, right, log_easiness[i])
            easiness = np.exp(fresh[i])
            for k in range(n_classes):
                totals[block, k] += w * belief[k]
            for v in range(len(said)):
                x, j = skill[v] * easiness, source[said[v]]
                gradient[block, j] += w * (right[v] - _sigmoid(x)) * easiness
                bend = 0.25 if abs(x) < 1e-4 else np.tanh(x / 2) / (2 * x)
                curvature[block, j] += w * bend * easiness * easiness
    return (
        fresh, gradient.sum(axis=0), curvature.sum(axis=0), totals.sum(axis=0), objective.sum(),
    )  # fmt: skip


@njit(parallel=True, cache=True)
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
    n_rows, n_classes = len(which), start.shape[1]
    beliefs, log_easiness = np.empty((n_rows, n_classes)), np.zeros(n_rows)
    for i in prange(n_rows):
        said, belief = symbol[indptr[i] : indptr[i + 1]], beliefs[i]
        skill = ability[source[said]]
        for _ in range(MOST_STEPS):
            belief[:] = start[which[i]]
            _believed(said, source, holds, log_share, ability, log_easiness[i], belief)
            before = log_easiness[i]
            log_easiness[i] = _climbed(skill, _right(said, holds, belief), before)
            if abs(log_easiness[i] - before) < AT_REST:
                break
    return beliefs, log_easiness


@njit(cache=True)
def _believed(
    said: NDArray[np.int32],
    source: NDArray[np.int32],
    holds: NDArray[np.bool_],
    log_share: NDArray[np.float64],
    ability: NDArray[np.float64],
    log_easiness: float,
    belief: NDArray[np.float64],
) -> float:
    """Turn a row's log prior into its belief; give its log-likelihood."""
    n_classes, easiness = len(belief), np.exp(log_easiness)
    for s in said:
        x = ability[source[s]] * easiness
        if_right, if_wrong = _log_sigmoid(x), _log_sigmoid(-x)
        for k in range(n_classes):
            belief[k] += log_share[s, k] + (if_right if holds[s, k] else if_wrong)
    top, norm = belief.max(), 0.0
    for k in range(n_classes):
        belief[k] = np.exp(belief[k] - top)
        norm += belief[k]
    for k in range(n_classes):
        belief[k] /= norm
    return float(top + np.log(norm))


@njit(cache=True)
def _right(
    said: NDArray[np.int32], holds: NDArray[np.bool_], belief: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_votes,) Belief that each vote of a row is right."""
    right = np.zeros(len(said))
    for v in range(len(said)):
        for k in range(len(belief)):
            if holds[said[v], k]:
                right[v] += belief[k]
    return right


@njit(cache=True)
def _climbed(skill: NDArray[np.float64], right: NDArray[np.float64], log_easiness: float) -> float:
    """A log easiness at which the row's expected objective is no lower: a damped Newton step."""
    slope, bend, easiness = -log_easiness, 1.0, np.exp(log_easiness)
    for v in range(len(skill)):
        x = skill[v] * easiness
        p = _sigmoid(x)
        slope += (right[v] - p) * x
        bend += p * (1.0 - p) * x * x + abs((right[v] - p) * x)
    here, step = _expected(skill, right, log_easiness), slope / bend
    for _ in range(HALVINGS):
        if _expected(skill, right, log_easiness + step) >= here:
            return float(log_easiness + step)
        step /= 2
    return log_easiness


@njit(cache=True)
def _expected(skill: NDArray[np.float64], right: NDArray[np.float64], log_easiness: float) -> float:
    """What depends on a row's easiness in the expected objective."""
    value, easiness = -0.5 * log_easiness * log_easiness, np.exp(log_easiness)
    for v in range(len(skill)):
        x = skill[v] * easiness
        value += right[v] * _log_sigmoid(x) + (1.0 - right[v]) * _log_sigmoid(-x)
    return float(value)


@njit(cache=True)
def _sigmoid(x: float) -> float:
    return float(np.exp(_log_sigmoid(x)))


@njit(cache=True)
def _log_sigmoid(x: float) -> float:
    return float(min(x, 0.0) - np.log1p(np.exp(-abs(x))))
