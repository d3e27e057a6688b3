r"""Bounded costs: outer functions of log P(S), so that no single row can cost arbitrarily much.

Each takes the log-probability of what was observed (`log_marginal`, or `log_probs` for the costs of
all classes) and stays finite where that is -10,000, or -inf.
"""

import torch
from torch import Tensor

from partlabel.errors import InputError


def bounded(log_p: Tensor, q: float) -> Tensor:
    r"""Generalised cross-entropy of an observation's probability P: (1 - P^q) / q.

    .. math:: -\operatorname{expm1}(q \log P) / q

    Between -log P (q = 0) and 1 - P (q = 1, half the mean absolute error). The gradient is that of
    -log P, times P^q: rows in which the network disbelieves the observation count less, so that
    wrong labels, or sets that lack the true class, are outvoted.

    Assumes that most observations of each class are right. Fails early on when q is near 1: rows
    that are not yet believed don't pull, so many classes are learnt slowly or never. Start with
    q = 0, or warm up. With likelihoods of votes, make the largest of each row 0 (as
    `evidence_tensors` does), since products of many are small however right the network is. Costs
    one `expm1` for each row beside `log_marginal`.

    Parameters
    ----------
    log_p : (...) float
        Log-probabilities, at most 0: `log_marginal(logits, log_likelihood)` for sets, or
        `log_probs(logits)` for the costs of all classes, to be averaged by `expected_loss`.
    q : float in [0, 1]
        Higher is more robust and slower; 0.7 is usual.

    Returns
    -------
    (...) float in [0, 1/q]

    Raises
    ------
    InputError
        If `q` is outside [0, 1].

    Examples
    --------
    >>> bounded(torch.tensor([-120.0, -torch.inf]), q=0.5)
    tensor([2., 2.])

    References
    ----------
    Z. Zhang and M. Sabuncu, Generalized cross entropy loss for training deep neural networks with
    noisy labels, NeurIPS 2018, eq. 6. J. Lv et al., On the robustness of average losses for
    partial-label learning, TPAMI 2023. L. Feng et al., Learning with multiple
    complementary labels, ICML 2020, section 4 (bounded costs of sets).
    """
    if not 0.0 <= q <= 1.0:
        raise InputError(f"`q` must lie in [0, 1]; got {q}. 0 is -log P, 1 is 1 - P.")
    return -log_p if q == 0 else -torch.expm1(q * log_p) / q


def exponential(log_p: Tensor) -> Tensor:
    r"""exp(-P): the bounded cost EXP of candidate sets and complementary labels.

    .. math:: \exp(-P) = \exp(-e^{\log P})

    Assumes and fails as `bounded` with q = 1, from which it differs in that sure rows pull less.
    Costs two exponentials for each row beside `log_marginal`.

    Parameters
    ----------
    log_p : (...) float
        Log-probabilities, at most 0, such as `log_marginal(logits, log_likelihood)`.

    Returns
    -------
    (...) float in [1/e, 1]

    References
    ----------
    L. Feng et al., Learning with multiple complementary labels, ICML 2020, section 4.
    """
    return torch.exp(-torch.exp(log_p))
