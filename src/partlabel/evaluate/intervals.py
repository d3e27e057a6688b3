"""Intervals: how far a value may be from what endless data would give.

All of them take the rows as independent draws from the population that the value is about.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from partlabel.errors import InputError
from partlabel.evaluate.metrics import Floats

CHUNK = 4_000_000
"""How many weights a bootstrap holds at once: 32 MB."""


def clopper_pearson(
    successes: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact interval for a share: it covers the true share at least as often as `level` says.

    Parameters
    ----------
    successes, trials : (...) int
        Counts; without a trial the interval is [0, 1].
    level : float in (0, 1), default 0.95

    Returns
    -------
    low, high : (...) float

    References
    ----------
    C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case
    of the binomial", Biometrika 1934.

    Examples
    --------
    >>> low, high = clopper_pearson(10, 10)
    >>> print(f"{low:.3f} {high:.3f}")
    0.692 1.000
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    tail = (1.0 - level) / 2.0
    low = np.where(k > 0, betaincinv(np.maximum(k, 1.0), n - k + 1.0, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 1.0, np.maximum(n - k, 1.0), 1.0 - tail), 1.0)
    return low, high


def bootstrap(
    statistic: Callable[[Floats], Floats], n: int, *, n_bootstrap: int, random_state: Any
) -> Floats:
    """Give a statistic of `n_bootstrap` resamples of `n` rows.

    A resample is a row of weights: how often each row was drawn. Time grows with ``n *
    n_bootstrap``; memory doesn't.

    Parameters
    ----------
    statistic : function of (n_resamples, n) weights that gives (n_resamples, ...) values
    n, n_bootstrap : int
    random_state : int, Generator or None

    Returns
    -------
    (n_bootstrap, ...) float

    References
    ----------
    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979.
    """
    rng = np.random.default_rng(random_state)
    return np.concatenate([statistic(weights) for weights in _resamples(n, n_bootstrap, rng)])


def percentile_interval(resampled: Floats, level: float) -> tuple[Floats, Floats]:
    """The middle `level` of the resampled values (n_bootstrap, ...)."""
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(resampled, [tail, 1.0 - tail], axis=0)
    return low, high


def absolute_sum_interval(gaps: Floats, resampled: Floats, level: float) -> tuple[float, float]:
    """Interval for the sum of absolute gaps, which noise can only raise.

    A resample carries the noise twice, so that the percentile interval lies too high: for a
    calibrated prediction it misses 0 always. Its upper end is kept; the lower one lies as far below
    the value, and is 0 where noise alone may be the reason for the gaps. (heuristic: measured to
    cover at about `level` or above, from calibrated predictions to badly calibrated ones.)

    Parameters
    ----------
    gaps : (n_bins,) float
    resampled : (n_bootstrap, n_bins) float
    level : float in (0, 1)
    """
    value = float(np.abs(gaps).sum())
    upper = (1.0 + level) / 2.0
    high = max(value, float(np.quantile(np.abs(resampled).sum(axis=-1), upper)))
    noise = float(np.quantile(np.abs(resampled - gaps).sum(axis=-1), upper))
    return (0.0 if value <= noise else max(0.0, 2.0 * value - high)), high


def check_level(level: float) -> None:
    """Refuse a level outside (0, 1)."""
    if not 0.0 < level < 1.0:
        raise InputError(
            f"`level` must lie in (0, 1); got {level}. It is a share, such as 0.95 for 95 %."
        )


def _resamples(n: int, n_bootstrap: int, rng: np.random.Generator) -> Iterator[Floats]:
    step = max(1, CHUNK // n)
    for start in range(0, n_bootstrap, step):
        weights = np.empty((min(step, n_bootstrap - start), n))
        for row in weights:
            row[:] = np.bincount(rng.integers(n, size=n), minlength=n)
        yield weights
