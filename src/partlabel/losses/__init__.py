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
from partlabel.losses.regularisers import dispersion, entropy, prior_divergence
from partlabel.losses.tensors import EvidenceTensors, evidence_tensors

__all__ = [
    "Contributions",
    "EvidenceTensors",
    "Mixed",
    "PseudoLabelled",
    "average_nll",
    "bounded",
    "candidate_log_likelihood",
    "complementary_risks",
    "dispersion",
    "entropy",
    "evidence_tensors",
    "expected_loss",
    "expected_nll",
    "exponential",
    "hard_nll",
    "log_marginal",
    "log_probs",
    "marginal_nll",
    "mixed_cost",
    "negative_nll",
    "posterior",
    "prior_divergence",
    "pruned",
    "tempered_nll",
    "unbiased_complementary",
    "updated_beliefs",
]
