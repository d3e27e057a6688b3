r"""Yardsticks: scores of several candidates from what is known of rows that they didn't see.

===============  =============================================================================
gold             a metric, from gold and beliefs where there are votes (`prediction_powered`)
covering         corrected accuracy of candidate sets, :math:`([\hat y_i \in S_i] - f) / (1 - f)`
likelihood       :math:`\log \sum_y p_T(y | x_i)\, p(o_i | y)` in nats, each candidate at the
                 temperature T that suits it best, as how sure it is can be put right afterwards
===============  =============================================================================

W. Wang et al., "Realistic evaluation of deep partial-label learning algorithms", ICLR 2025
(covering rate).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from partlabel.beliefs import Beliefs
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.calibration.scaling import logs
from partlabel.evaluate.calibration.temperature import at_temperature, best_temperature
from partlabel.evaluate.estimate import Basis
from partlabel.evaluate.metrics import FLOOR, Floats
from partlabel.evaluate.powered.influence_functions import HEADLINE, influences, joined
from partlabel.evaluate.powered.population import Population
from partlabel.evaluate.powered.powered_metrics import POSITIVE
from partlabel.evaluate.powered.prediction_powered import powered
from partlabel.evaluate.standings import Standings
from partlabel.evidence import Candidates
from partlabel.labels import LabelSpace

METRICS = HEADLINE
TEMPERATURES = (0.05, 20.0)
SMOOTHED = 1e-3  # share of a uniform guess: a forest's 0 rules nothing out


def by_gold(
    predicted: Sequence[Floats],
    gold: Candidates,
    beliefs: Beliefs | None,
    metric: str,
    level: float,
) -> Standings:
    """Compare by a metric; one that is better when lower is taken with a minus."""
    sign = -1.0 if metric in POSITIVE else 1.0
    populations = [
        Population.match(Beliefs(probs, gold.labels), gold, beliefs=beliefs) for probs in predicted
    ]
    found = powered(
        populations[0],
        joined(
            [
                replace(influences(one).pick([metric]), columns={str(k): slice(0, 1)})
                for k, one in enumerate(populations)
            ]
        ),
    )
    basis = Basis.GOLD if beliefs is None else Basis.GOLD_AND_MODEL
    n = populations[0].n_gold
    return Standings(
        sign * found.value,
        found.covariance,
        float(found.freedom.min()),
        n,
        metric,
        basis,
        level=level,
    )


def by_candidates(predicted: Sequence[Floats], sets: Candidates, level: float) -> Standings:
    """Compare by how often the likeliest class is among the candidates, less what chance gives."""
    told = ~sets.unknown
    mask = sets.mask()[told]
    f = float((mask.sum(axis=1).mean() - 1.0) / (mask.shape[1] - 1))
    guesses = [probs[told].argmax(axis=1) for probs in predicted]
    scores = np.stack([(mask[np.arange(len(mask)), g] - f) / (1.0 - f) for g in guesses], axis=1)
    assumption = f"a wrong prediction is a candidate with chance {f:.3g}"
    return _of_rows(scores, "corrected_accuracy", assumption, level)


def by_likelihood(
    predicted: Sequence[Floats],
    log_likelihood: NDArray[np.float64],
    labels: LabelSpace,
    level: float,
) -> Standings:
    """Compare by the log-likelihood of the evidence of rows, (n_rows, n_classes) by class."""
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    told = likelihood.min(axis=1) < 1.0
    scores = np.stack([_log_evidence(p[told], likelihood[told], labels) for p in predicted], axis=1)
    assumption = "sources err apart from the features and from each other"
    return _of_rows(scores, "log_likelihood", assumption, level)


def _log_evidence(
    probs: Floats, likelihood: NDArray[np.float64], labels: LabelSpace
) -> NDArray[np.float64]:
    """(n_rows,) Log-likelihood at the best temperature."""
    smooth = (1.0 - SMOOTHED) * probs + SMOOTHED / probs.shape[1]
    exact = (likelihood > 0).sum(axis=1) == 1
    observed = Observed(smooth, likelihood, labels, exact, None, "assumption")
    scaled = at_temperature(logs(smooth), best_temperature(observed, *TEMPERATURES))
    return np.asarray(np.log(np.maximum((scaled * likelihood).sum(axis=1), FLOOR)))


def _of_rows(scores: NDArray[np.float64], metric: str, assumption: str, level: float) -> Standings:
    """Means of scores (n_rows, n_candidates)."""
    n = len(scores)
    covariance = np.atleast_2d(np.cov(scores, rowvar=False)) / n
    value = scores.mean(axis=0)
    return Standings(value, covariance, n - 1.0, n, metric, Basis.ASSUMPTION, assumption, level)
