r"""Standings: which of several candidates is best, and how sure that is.

A candidate is surely the best if it is better than every other by more than chance. With
:math:`K` candidates each of the :math:`K - 1` intervals has the level
:math:`1 - \alpha / (K - 1)`, so that a worse one is called surely the best with a chance of at
most :math:`\alpha`, although the one in front was picked by the same numbers.

J. C. Hsu, "Multiple comparisons: theory and methods", 1996, ch. 4 (comparisons with the best).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student

from partlabel.evaluate.estimate import Basis, Estimate, Verdict
from partlabel.evaluate.metrics import Floats

N_DRAWS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Standings:
    """Scores of candidates on the same rows.

    Attributes
    ----------
    value : (n_candidates,) float
        Higher is better.
    covariance : (n_candidates, n_candidates) float
        Of the values, for chance in the rows.
    freedom : float
        Degrees of freedom of the covariance.
    n : int
        Rows that they rest on: gold rows, or rows with evidence.
    metric : str
    basis : Basis
    assumption : str
        Empty where the values rest on gold.
    level : float
    """

    value: Floats
    covariance: Floats
    freedom: float
    n: int
    metric: str
    basis: Basis
    assumption: str = ""
    level: float = 0.95

    @property
    def best(self) -> int:
        """The candidate with the highest value; of equals the first."""
        return int(self.value.argmax())

    @property
    def estimates(self) -> list[Estimate]:
        """Each candidate's value; that of the best one is biased upwards, as it was picked."""
        return [
            self._estimate(float(value), float(error), self.level)
            for value, error in zip(self.value, np.sqrt(np.diagonal(self.covariance)), strict=True)
        ]

    @property
    def behind(self) -> list[Estimate]:
        """How far each candidate is behind the best, with intervals that hold all at once."""
        one, cov, k = self.best, self.covariance, len(self.value)
        variance = cov[one, one] + np.diagonal(cov) - 2.0 * cov[one]
        level = 1.0 - (1.0 - self.level) / max(k - 1, 1)
        errors = np.sqrt(np.maximum(variance, 0.0))
        return [
            self._estimate(float(value), float(error), level)
            for value, error in zip(self.value[one] - self.value, errors, strict=True)
        ]

    @property
    def sure(self) -> bool:
        """Whether the best one is better than every other by more than chance."""
        behind = self.behind
        return all(behind[k].low > 0 for k in range(len(behind)) if k != self.best)

    def chance_best(self, random_state: int | np.random.Generator | None = 0) -> Floats:
        """(n_candidates,) How often each would be in front if the rows were drawn anew."""
        rng = np.random.default_rng(random_state)
        drawn = rng.multivariate_normal(self.value, self.covariance, N_DRAWS, method="eigh")
        return np.bincount(drawn.argmax(axis=1), minlength=len(self.value)) / N_DRAWS

    def _estimate(self, value: float, error: float, level: float) -> Estimate:
        reach = float(student.ppf((1.0 + level) / 2.0, self.freedom)) * error
        method: Literal["influence"] = "influence"
        verdict = Verdict.UNVERIFIED if self.basis is Basis.ASSUMPTION else None
        return Estimate(
            value,
            value - reach,
            value + reach,
            self.n,
            level,
            self.basis,
            method,
            self.assumption,
            verdict,
        )
