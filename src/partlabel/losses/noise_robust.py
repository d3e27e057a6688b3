r"""Costs for exact labels that are sometimes wrong, when nothing is known about how.

They differ in how much a row whose label the model doubts may pull: bounded losses let go of it
(GCE, symmetric cross-entropy), early-learning regularisation pulls towards what the model said
early on. All in terms of :math:`\log p_y`, so that none takes the logarithm of a rounded zero.
"""

import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses.bounded import bounded
from partlabel.losses.marginal import log_probs
from partlabel.losses.noise import check_labels

SURE = 1e-4  # how far from one an early-learning target stays: it bounds the cost from below


def generalised_cross_entropy(logits: Tensor, labels: Tensor, *, q: float = 0.7) -> Tensor:
    r"""A bridge from cross-entropy (q = 0) to the mean absolute error (q = 1).

    :math:`(1 - p_y^q) / q`. Bounded by 1/q, so that a wrong label costs little. Right for noise
    that is the same for all classes; at q = 1 the risk's minimiser is the clean one whatever
    such noise below a half says. Fails where one class takes most of another's labels, and
    underfits many classes at a high q. Costs what cross-entropy does.

    Parameters
    ----------
    logits : (n_rows, n_classes) float
    labels : (n_rows,) int64, each in [0, n_classes)
    q : float in [0, 1], default 0.7
        Up: more robust, slower to learn rare or hard rows.

    Returns
    -------
    (n_rows,) in [0, 1 / q], nats at q = 0.

    Raises
    ------
    InputError
        If `q` is out of range, or the shapes don't belong together.

    Examples
    --------
    >>> generalised_cross_entropy(torch.zeros(1, 2), torch.tensor([0]), q=1.0)
    tensor([0.5000])

    References
    ----------
    Zhang & Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy
    labels", NeurIPS 2018, eq. 6.
    """
    return bounded(_log_p(logits, labels), q)


def symmetric_cross_entropy(
    logits: Tensor, labels: Tensor, *, forward: float = 0.1, reverse: float = 1.0, floor: float = -4
) -> Tensor:
    r"""Cross-entropy, plus the one with the roles of label and prediction exchanged.

    :math:`-\alpha \log p_y - \beta A (1 - p_y)`: the reverse term is the mean absolute error, as
    :math:`\log 0` of the label's distribution is set to A. The first learns, the second is robust
    to noise that is the same for all classes. Fails as `generalised_cross_entropy` does, and is
    unbounded: with a large share :math:`\alpha` it fits wrong labels in the end. Costs what
    cross-entropy does.

    Parameters
    ----------
    logits : (n_rows, n_classes) float
    labels : (n_rows,) int64, each in [0, n_classes)
    forward, reverse : float >= 0, default 0.1 and 1.0
        :math:`\alpha` and :math:`\beta`; the paper takes 0.1 and 1 for 10 classes, 6 and 0.1 for
        100.
    floor : float < 0, default -4
        A, in nats.

    Returns
    -------
    (n_rows,) nats.

    Raises
    ------
    InputError
        If a weight is negative or `floor` is not, or the shapes don't belong together.

    References
    ----------
    Wang, Ma, Chen, Luo, Yi & Bailey, "Symmetric cross entropy for robust learning with noisy
    labels", ICCV 2019, eqs. 5, 6 and 9.
    """
    if min(forward, reverse) < 0 or floor >= 0:
        raise InputError(
            "`forward` and `reverse` must be at least 0 and `floor` below 0; "
            f"got {forward}, {reverse} and {floor}."
        )
    log_p = _log_p(logits, labels)
    return -forward * log_p + reverse * floor * torch.expm1(log_p)


def early_learning(
    logits: Tensor,
    labels: Tensor,
    targets: Tensor,
    *,
    weight: float = 3.0,
    momentum: float = 0.7,
) -> tuple[Tensor, Tensor]:
    r"""Cross-entropy that is held to what the model said of each row so far.

    :math:`-\log p_y + \lambda \log(1 - \langle p, t \rangle)` with the running target
    :math:`t \leftarrow \beta t + (1 - \beta) p`. Right where a model learns the clean rows first
    and memorises the wrong ones later, as large networks with many epochs do. Fails where there is
    no such phase: small or linear models, few epochs, noise that looks like signal. Costs one
    softmax more than cross-entropy, and a table of n_rows_in_all x n_classes.

    The published form clips :math:`p` and takes the logarithm of a difference; here the sum runs
    over :math:`p (1 - t)` in logs, with t kept below 1 - 1e-4, so that it stays finite.

    Parameters
    ----------
    logits : (n_rows, n_classes) float
    labels : (n_rows,) int64, each in [0, n_classes)
    targets : (n_rows, n_classes) float
        The rows' running targets as returned last time; zeros at first.
    weight : float >= 0, default 3.0
        :math:`\lambda`. Up: holds on to early predictions more, fits labels less.
    momentum : float in [0, 1), default 0.7
        :math:`\beta`. Up: the target remembers longer.

    Returns
    -------
    (n_rows,) nats, may be negative; and (n_rows, n_classes) the new targets, without gradient, to
    be kept by row.

    Raises
    ------
    InputError
        If a setting is out of range, or the shapes don't belong together.

    Examples
    --------
    >>> kept = torch.zeros(10, 2)  # one line for each row of the training set
    >>> rows = torch.tensor([3, 7])
    >>> cost, kept[rows] = early_learning(torch.zeros(2, 2), torch.tensor([0, 1]), kept[rows])

    References
    ----------
    Liu, Niles-Weed, Razavian & Fernandez-Granda, "Early-learning regularization prevents
    memorization of noisy labels", NeurIPS 2020, eqs. 6 and 9.
    """
    if weight < 0 or not 0.0 <= momentum < 1.0:
        raise InputError(
            "`weight` must be at least 0 and `momentum` lie in [0, 1); "
            f"got {weight} and {momentum}."
        )
    check_labels(logits, labels)
    if targets.shape != logits.shape:
        raise InputError(
            f"`targets` must have the shape of `logits`, {tuple(logits.shape)}; "
            f"got {tuple(targets.shape)}. Start with zeros."
        )
    log_p = log_probs(logits)
    new = momentum * targets + (1.0 - momentum) * log_p.detach().exp().to(targets.dtype)
    against = torch.log1p(-new.to(log_p.dtype).clamp(0.0, 1.0 - SURE))
    cost = -log_p.gather(-1, labels[:, None]).squeeze(-1)
    return cost + weight * torch.logsumexp(log_p + against, -1), new


def _log_p(logits: Tensor, labels: Tensor) -> Tensor:
    """(n_rows,) Log-probability of the label."""
    check_labels(logits, labels)
    return log_probs(logits).gather(-1, labels[:, None]).squeeze(-1)
