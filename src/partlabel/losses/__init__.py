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
from partlabel.losses.expected import (
    PseudoLabelled,
    expected_loss,
    expected_nll,
    hard_nll,
    tempered_nll,
)
from partlabel.losses.marginal import log_marginal, log_probs, marginal_nll, posterior

__all__ = [
    "PseudoLabelled",
    "bounded",
    "expected_loss",
    "expected_nll",
    "exponential",
    "hard_nll",
    "log_marginal",
    "log_probs",
    "marginal_nll",
    "posterior",
    "tempered_nll",
]
