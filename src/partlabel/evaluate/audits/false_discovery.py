"""Many groups at once: corrected p-values, and estimates that borrow strength."""

import numpy as np

from partlabel.evaluate.metrics import Floats


def benjamini_hochberg(p_values: Floats) -> Floats:
    """(n_tests,) P-values such that, of those below a bound, at most this share is false.

    NaN takes no part.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3)
    array([0.03, 0.04, 0.04])

    References
    ----------
    Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate: a practical and powerful
    approach to multiple testing", JRSS B 1995.
    """
    p = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested])]
    raised = p[order] * len(order) / np.arange(1, len(order) + 1)
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return corrected


def shrunk(value: Floats, error: Floats) -> tuple[Floats, Floats]:
    r"""Draw the values of groups towards their mean, the more the less is known of a group.

    .. math:: \tilde\theta_g = \mu + \frac{\tau^2}{\tau^2 + s_g^2} (\theta_g - \mu)

    The spread :math:`\tau` of the groups is found by moments; there is none where the groups differ
    by no more than chance. Right on average over groups, not for each of them; the errors take the
    spread as known, and are a little small where there are few groups.

    Parameters
    ----------
    value, error : (n_groups,) float
        With standard errors; groups without either take no part.

    Returns
    -------
    value, error : (n_groups,) float
        The error is that of a group given that groups are like draws from a normal distribution;
        a group of which nothing is known gets the mean.

    References
    ----------
    R. DerSimonian, N. Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 1986,
    eq. 8 and 9. B. Efron, C. Morris, "Stein's estimation rule and its competitors", JASA 1973.
    """
    known = np.isfinite(value) & np.isfinite(error) & (error > 0)
    if known.sum() < 2:
        return np.asarray(value), np.asarray(error)
    theta, variance = value[known], error[known] ** 2
    w = 1.0 / variance
    mean = (w @ theta) / w.sum()
    spread = (w @ (theta - mean) ** 2 - (len(theta) - 1)) / (w.sum() - (w @ w) / w.sum())
    between = max(float(spread), 0.0)
    weight = 1.0 / (variance + between)
    centre, open_ = float(weight @ theta / weight.sum()), float(1.0 / weight.sum())
    own = np.where(known, between / (between + np.where(known, error, 1.0) ** 2), 0.0)
    drawn = np.where(known, own * np.where(known, value, 0.0) + (1.0 - own) * centre, centre)
    left = np.where(known, own * np.where(known, error, 0.0) ** 2, between)
    return np.asarray(drawn), np.asarray(np.sqrt(left + (1.0 - own) ** 2 * open_))
