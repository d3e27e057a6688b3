r"""Choose an objective by what it makes of evidence that it didn't see; no clean label is needed.

Each way of training is tried on all folds but one, and scored on the last by the likelihood

.. math:: \sum_i w_i \log \sum_y p_T(y | x_i) p(o_i | y), \quad p_T \propto p_\theta^{1/T}

at the temperature T that suits it best. Without the temperature, how sure a model is counts for
more than which class it prefers: a forest trained on averaged candidates hardly commits itself, and
would lose to a worse one that does. The temperature is one number for all rows (Guo et al., On
calibration of modern neural networks, ICML 2017, section 4.2), so that fitting it where it is
scored does no harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from partlabel.aggregate.sources import averaged
from partlabel.evidence import Evidence
from partlabel.learn.objectives import OBJECTIVES, Settings
from partlabel.learn.soft import probabilities
from partlabel.learn.training import Data, folds, smoothed

N_FOLDS = 3
MOST_ROWS = 2_000  # of which a mean log-likelihood is known to a few hundredths of a nat
LOG_SHARPNESS = (-3.0, 3.0)  # of 1/T


@dataclass(frozen=True, slots=True)
class Way:
    """An objective, and whether the rows' own predictions come from out of their fold."""

    objective: str
    out_of_fold: bool

    def __str__(self) -> str:
        if self.objective not in ("em", "pseudo"):
            return f"'{self.objective}'"
        return f"'{self.objective}' {'out of fold' if self.out_of_fold else 'in sample'}"


def ways(evidence: Evidence) -> list[Way]:
    """What is worth trying on this evidence, simplest first."""
    ways = [Way("average", False), Way("em", True), Way("em", False)]
    if evidence.votes is not None:
        ways.insert(1, Way("expected", False))
    return ways


def choose(
    tried: Sequence[Way], data: Data, settings: Settings, *, n_folds: int, seed: int
) -> tuple[Way, str]:
    """Give the way whose held-out marginal likelihood is highest, and a sentence that says so.

    Parameters
    ----------
    tried : sequence of Way
        Of equal ones the first is taken.
    data : Data
        Of many rows, `MOST_ROWS` are drawn.
    n_folds : int
        Folds within the training rows, for the ways that predict out of fold.
    seed : int
    """
    if len(data) > MOST_ROWS:
        drawn = np.random.default_rng(seed).choice(len(data), MOST_ROWS, replace=False)
        data = data.select(np.sort(drawn))
    fold = folds(averaged(data.evidence), min(N_FOLDS, len(data)), seed)
    scores = {way: _held_out(way, data, settings, fold, n_folds, seed) for way in tried}
    best = max(scores, key=scores.__getitem__)
    others = ", ".join(f"{way} {score:.3f}" for way, score in scores.items() if way != best)
    return best, (
        f"{best}, because the marginal log-likelihood of held-out evidence is highest with it: "
        f"{scores[best]:.3f} nats per row ({others}; {len(data)} rows in {fold.max() + 1} folds, "
        "each way at its best temperature)."
    )


def _held_out(
    way: Way, data: Data, settings: Settings, fold: NDArray[np.int64], n_folds: int, seed: int
) -> float:
    probs = np.empty((len(data), len(data.classes)))
    likelihood = np.empty_like(probs)
    for k in range(int(fold.max()) + 1):
        here, rest = data.select(np.flatnonzero(fold == k)), data.select(np.flatnonzero(fold != k))
        task = rest.task(min(n_folds, len(rest)) if way.out_of_fold else None, seed)
        trained = OBJECTIVES[way.objective](task, settings)
        probs[fold == k] = probabilities(trained.estimator, here.X, data.classes)
        likelihood[fold == k] = trained.sources.log_likelihood(here.evidence)
    return tempered_marginal(smoothed(probs), likelihood, data.weight)


def tempered_marginal(
    probs: NDArray[np.float64],
    likelihood: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
) -> float:
    """Mean log p(evidence), in nats per row, at the temperature that suits the predictions best."""
    log_probs = np.log(probs)

    def cost(log_sharpness: float) -> float:
        sharpened = log_softmax(np.exp(log_sharpness) * log_probs, axis=1)
        return -float(np.average(logsumexp(sharpened + likelihood, axis=1), weights=weight))

    found = minimize_scalar(cost, bounds=LOG_SHARPNESS, method="bounded")
    return -min(float(found.fun), cost(0.0))
