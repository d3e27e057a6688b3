r"""set_generation: whether the wrong classes of candidate sets depend on the item.

======================  ==================  ====================================================
symbol                  code                shape, meaning
======================  ==================  ====================================================
:math:`q_{ik}`          ``probs``           (n, n_classes) calibrated probability of class k
:math:`S_i, m_i`        ``sets``, ``size``  (n, n_classes) bool, the set; (n,) how many it holds
:math:`r_{ik}`          ``posterior``       (n, n_classes) belief, given all the evidence
:math:`s_{ik}`          ``likely``          :math:`\log q_{ik}`, less its mean over the classes
:math:`\beta`           ``tilt``            0: any wrong class is as apt to be in the set
:math:`U_i`             ``score``           (n,) slope of the log-likelihood in the tilt, at 0
======================  ==================  ====================================================

Marginal likelihood takes a set as :math:`p(S \mid x, y) \propto [y \in S]`: among sets of one
size, all that hold the true class are as likely. The alternative lets the wrong classes that the
model finds likely be in the set more often,

.. math:: p(S \mid x, y, m) \propto [y \in S] \, \exp\big(\beta \textstyle\sum_{k \in S \setminus y}
          s_k\big), \qquad U_i = \sum_{k \in S_i} s_{ik} - \frac{K - m_i}{K - 1} \sum_k r_{ik}
          s_{ik},

and Rao's score test asks whether :math:`\beta` is 0. The probabilities are first calibrated by
vector scaling on the same sets, and what that explains is taken out of the score by regression
(C. R. Rao, Proc. Cambridge Phil. Soc. 1948; J. Neyman, 1959, C(alpha)). Given the size of the sets
nothing is assumed about what that depends on but that it isn't the true class.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from partlabel.channels import Channels
from partlabel.errors import InputError
from partlabel.evaluate.calibration.observed import Observed
from partlabel.evaluate.calibration.scaling import fitted_scaling, scaled, scores
from partlabel.labels import LabelSpace

ALARM = 0.01
"""Calibrators warn below this p-value: rarer false alarms than at the usual 0.05."""

LEAST = 1e-6
"""Probabilities below count as this, lest a few certain rows decide."""


@dataclass(frozen=True, slots=True)
class SetGeneration:
    """Whether candidate sets look as though their wrong classes were drawn with a view to the item.

    Attributes
    ----------
    tilt : float
        One-step estimate of how the log-odds of a wrong class to be in the set grow with its log
        probability; 0 where the wrong classes are drawn blindly.
    z : float
        Standard normal where they are; above 0 where likely wrong classes are too often in sets.
    p_value : float
        Of the two-sided test.
    n_sets : int
        Sets with several, but not all classes.
    """

    tilt: float
    z: float
    p_value: float
    n_sets: int

    @property
    def sentence(self) -> str:
        """What it means, for the user."""
        if self.p_value >= ALARM:
            return "The candidate sets look as though their wrong classes were drawn blindly."
        more, sure = ("more", "too sure") if self.z > 0 else ("less", "not sure enough")
        return (
            f"The candidate sets look instance-dependent (z = {self.z:.1f}): wrong classes that "
            f"the predictions find likely are in them {more} often than by chance. What is fitted "
            f"to them is likely to be {sure}. Check it on gold, or fit on gold."
        )


def set_generation(
    predicted: Any, evidence: Any, *, labels: LabelSpace | None = None
) -> SetGeneration:
    """Test whether candidate sets were drawn with a view to the item.

    A temperature that is fitted to sets whose wrong classes were drawn blindly is right. Where
    people or models name the classes that look alike, likely wrong classes are in the sets, which
    passes for the model being right: what is fitted over-sharpens. The sets alone can't tell this
    from a model that no vector scaling calibrates; both are a reason to calibrate on gold.

    Parameters
    ----------
    predicted : Beliefs, or (n_items, n_classes) probabilities
        Of a model that wasn't trained on these sets.
    evidence : Candidates, or Evidence with candidates; gold in it sharpens the test
    labels : LabelSpace, default None
        As in `Calibrator.fit`.

    Returns
    -------
    SetGeneration

    Raises
    ------
    InputError
        If no set has several, but not all classes, and as `Calibrator.fit` refuses.

    Examples
    --------
    >>> from partlabel.evidence import Candidates
    >>> labels = LabelSpace(["cat", "dog", "car"])
    >>> rng = np.random.default_rng(0)
    >>> probs = rng.dirichlet(np.ones(3), size=500)
    >>> truth = np.array([rng.choice(3, p=row) for row in probs])
    >>> blind = (rng.random((500, 3)) < 0.3) | np.eye(3, dtype=bool)[truth]
    >>> set_generation(probs, Candidates.from_mask(blind, labels)).p_value > 0.05
    True
    """
    observed = Observed.match(predicted, evidence, labels, Channels())
    if observed.sets is None:
        raise InputError(
            "`evidence` must hold a set with several, but not all classes; got none. "
            "There is nothing to test where every set names one class, or any."
        )
    return generation_of(observed)


def generation_of(observed: Observed) -> SetGeneration:
    """Test the sets of what was observed; there must be some."""
    assert observed.sets is not None
    sets, n_classes = observed.sets, observed.probs.shape[1]
    parameters = fitted_scaling(observed)
    probs = scaled(observed.probs, parameters)
    posterior = observed.posterior(probs)
    likely = np.log(np.maximum(probs, LEAST))
    likely -= likely.mean(axis=1, keepdims=True)
    size = sets.sum(axis=1)
    score = np.einsum("ik,ik->i", sets, likely)
    score -= (n_classes - size) / (n_classes - 1) * np.einsum("ik,ik->i", posterior, likely)
    nuisance = scores(observed, probs, posterior)
    effective = score - nuisance @ np.linalg.lstsq(nuisance, score, rcond=None)[0]
    slope, information = float(effective.sum()), float(effective @ effective)
    z = float(slope / np.sqrt(information)) if information > 0 else 0.0
    n_sets = int(((size > 1) & (size < n_classes)).sum())
    return SetGeneration(
        slope / information if information > 0 else 0.0, z, float(2 * norm.sf(abs(z))), n_sets
    )
