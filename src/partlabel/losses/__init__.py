"""One cost per row, from a network's logits and what is known of each label; needs PyTorch.

Each is a pure function of tensors, classes last. Half-precision logits are read in float32 and get
float32 costs, as `torch.nn.functional.cross_entropy` gives them under autocast.
"""

try:
    import torch as _  # noqa: F401 - the one check; below, torch is simply imported
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "`partlabel.losses` and `partlabel.train` need PyTorch, which is not installed. "
        'Type: pip install "partlabel[torch]"',
        name="torch",
    ) from error

from partlabel.losses.bounded import bounded, exponential
from partlabel.losses.candidates import (
    average_nll,
    candidate_log_likelihood,
    pruned,
    updated_beliefs,
)
from partlabel.losses.complementary import (
    complementary_risks,
    negative_nll,
    unbiased_complementary,
)
from partlabel.losses.expected import (
    PseudoLabelled,
    expected_loss,
    expected_nll,
    hard_nll,
    tempered_nll,
)
from partlabel.losses.marginal import log_marginal, log_probs, marginal_nll, posterior
from partlabel.losses.mixed import Contributions, Mixed, mixed_cost
from partlabel.losses.multilabel import (
    expected_bce,
    masked_bce,
    missing_label_nll,
    missing_label_posterior,
)
from partlabel.losses.multilabel_beliefs import expected_positives_penalty, large_loss, role_loss
from partlabel.losses.multilabel_negatives import (
    assume_negative,
    asymmetric_loss,
    hill_loss,
    self_paced_correction,
)
from partlabel.losses.noise import backward_correction, forward_correction
from partlabel.losses.noise_robust import (
    early_learning,
    generalised_cross_entropy,
    symmetric_cross_entropy,
)
from partlabel.losses.positive_unlabelled import positive_posterior, positive_unlabelled_nll
from partlabel.losses.positive_unlabelled_risk import (
    nonnegative_pu_risk,
    nonnegative_pu_risk_one_sample,
    unbiased_pu_risk,
    unbiased_pu_risk_one_sample,
)
from partlabel.losses.regularisers import dispersion, entropy, prior_divergence
from partlabel.losses.tensors import EvidenceTensors, evidence_tensors

__all__ = [
    "Contributions",
    "EvidenceTensors",
    "Mixed",
    "PseudoLabelled",
    "assume_negative",
    "asymmetric_loss",
    "average_nll",
    "backward_correction",
    "bounded",
    "candidate_log_likelihood",
    "complementary_risks",
    "dispersion",
    "early_learning",
    "entropy",
    "evidence_tensors",
    "expected_bce",
    "expected_loss",
    "expected_nll",
    "expected_positives_penalty",
    "exponential",
    "forward_correction",
    "generalised_cross_entropy",
    "hard_nll",
    "hill_loss",
    "large_loss",
    "log_marginal",
    "log_probs",
    "marginal_nll",
    "masked_bce",
    "missing_label_nll",
    "missing_label_posterior",
    "mixed_cost",
    "negative_nll",
    "nonnegative_pu_risk",
    "nonnegative_pu_risk_one_sample",
    "positive_posterior",
    "positive_unlabelled_nll",
    "posterior",
    "prior_divergence",
    "pruned",
    "role_loss",
    "self_paced_correction",
    "symmetric_cross_entropy",
    "tempered_nll",
    "unbiased_complementary",
    "unbiased_pu_risk",
    "unbiased_pu_risk_one_sample",
    "updated_beliefs",
]
