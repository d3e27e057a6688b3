"""Intervals: how far a value may be from what endless data would give.

All of them take the rows as independent draws from the population that the value is about.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import betaincinv, expit, logit
from scipy.stats import chi2

from partlabel.errors import InputError
from partlabel.evaluate.metrics import Floats

CHUNK = 4_000_000
"""How many weights a bootstrap holds at once: 32 MB."""

SHARES = 40
"""How many shares of noise are told apart."""


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
    statistic: Callable[[Floats], Floats],
    n: int,
    *,
    n_bootstrap: int,
    random_state: Any,
    progress: Callable[[int], None] | None = None,
) -> Floats:
    """Give a statistic of `n_bootstrap` resamples of `n` rows.

    A resample is a row of weights: how often each row was drawn. Time grows with ``n *
    n_bootstrap``; memory doesn't.

    Parameters
    ----------
    statistic : function of (n_resamples, n) weights that gives (n_resamples, ...) values
    n, n_bootstrap : int
    random_state : int, Generator or None
    progress : function, default None
        Called with the number of resamples done, again and again.

    Returns
    -------
    (n_bootstrap, ...) float

    References
    ----------
    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979.
    """
    rng = np.random.default_rng(random_state)
    found: list[Floats] = []
    for weights in _resamples(n, n_bootstrap, rng):
        found.append(statistic(weights))
        if progress is not None:
            progress(sum(map(len, found)))
    return np.concatenate(found)


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


def mixture_share(one: Floats, other: Floats, level: float) -> tuple[float, float, float]:
    r"""The likeliest share a in the mixture :math:`a f_1 + (1 - a) f_0`, and its interval.

    The interval holds the shares that the likelihood ratio doesn't refuse.

    Parameters
    ----------
    one, other : (n,) float
        Likelihood of each row under the two parts; not both 0.
    level : float in (0, 1)

    Returns
    -------
    share, low, high : float

    References
    ----------
    S. S. Wilks, "The large-sample distribution of the likelihood ratio", Annals of Mathematical
    Statistics 1938.
    """

    def loss(share: float) -> float:
        with np.errstate(divide="ignore"):
            return float(-np.log(share * one + (1.0 - share) * other).sum())

    found = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-6})
    best = min(0.0, 1.0, float(found.x), key=loss)
    most = loss(best) + 0.5 * float(chi2.ppf(level, df=1))

    def beyond(share: float) -> float:
        return min(loss(share), most + 1.0) - most  # finite, as the search wants it

    low = 0.0 if beyond(0.0) <= 0 else float(brentq(beyond, 0.0, best))
    high = 1.0 if beyond(1.0) <= 0 else float(brentq(beyond, best, 1.0))
    return best, low, high


def absolute_sum_of_normal(
    gaps: Floats, variance: Floats, level: float, random_state: Any, draws: int = 2000
) -> tuple[float, float, float]:
    r"""Estimate :math:`\sum_b |g_b|` from normal estimates of the gaps, with its interval.

    The sum of the absolute estimates lies above it, as noise only adds. So gaps, by their noise,
    are taken as alike: normal about a mean, which may be anything, of a variance such that the
    share of noise may be anything from 0 to 1. The interval holds the middle `level` of the sums
    that these and the estimates leave; it begins at 0 where noise alone may be the reason. The
    value is the sum for the gaps to expect. (heuristic: exact where gaps are as they are taken to
    be.)

    Parameters
    ----------
    gaps, variance : (n_bins,) float
        Estimates, and their variance.
    level : float in (0, 1)
    random_state : int, Generator or None
    draws : int, default 2000

    Returns
    -------
    value, low, high : float

    References
    ----------
    M. J. Daniels, "A prior for the variance in hierarchical models", Canadian Journal of Statistics
    1999 (uniform shrinkage).
    """
    spread, n = np.sqrt(variance), len(gaps)
    if not spread.all():
        seen = float(np.abs(gaps).sum())
        return seen, seen, seen
    rng, tail = np.random.default_rng(random_state), (1.0 - level) / 2.0
    z = gaps / spread
    centre = z.mean()
    noise = (np.arange(SHARES) + 0.5) / SHARES
    likelihood = (n - 1) / 2.0 * np.log(noise) - noise / 2.0 * ((z - centre) ** 2).sum()
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    share = rng.choice(noise, p=weight, size=(draws, 1))
    mean = centre + rng.standard_normal((draws, 1)) / np.sqrt(n * share)
    chance = rng.standard_normal((draws, n))
    likely = (1.0 - share) * z + share * mean + np.sqrt(1.0 - share) * chance
    low, high = np.quantile(np.abs(likely) @ spread, [tail, 1.0 - tail])
    by_noise = np.quantile(np.abs(chance) @ spread, 1.0 - tail)
    low = 0.0 if np.abs(gaps).sum() <= by_noise else float(low)
    shrunk = centre + (z - centre) * (1.0 - weight @ noise)
    return min(max(float(np.abs(shrunk) @ spread), low), float(high)), low, float(high)


def on_logit_scale(value: Floats, reach: Floats, least: Floats | float) -> tuple[Floats, Floats]:
    """Ends of intervals of shares, as far from a share near 0 or 1 as few rows make them.

    The interval is even on the logit scale, so that it stays in (0, 1) and is longer on the side
    away from the bound. It ends at the bound where a share is too near to it to tell them apart.

    Parameters
    ----------
    value, reach : (...) float
        Shares, and how far a symmetric interval would go.
    least : (...) float
        Shares count as at least this, and as at most 1 less this.
    """
    share = np.clip(value, least, 1.0 - least)
    far = reach / (share * (1.0 - share))
    low, high = (np.asarray(expit(logit(share) + side)) for side in (-far, far))
    low = np.where(value < least, 0.0, np.minimum(low, value))
    high = np.where(value > 1.0 - least, 1.0, np.maximum(high, value))
    return low, high


def on_log_scale(value: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """Ends of intervals of positive numbers, even on the log scale: longer above."""
    far = np.exp(reach / np.maximum(value, 1e-12))
    return value / far, value * far


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
