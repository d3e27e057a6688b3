r"""Expected costs: the cost under beliefs about the label, which bounds the marginal one (EM)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses.marginal import check_classes, log_marginal, log_probs


class PseudoLabelled(NamedTuple):
    """What `hard_nll` gives back.

    Attributes
    ----------
    cost : (...) float
        In nats; 0 for the rows that took no part.
    took_part : (...) bool
        True where the belief reached the threshold.
    """

    cost: Tensor
    took_part: Tensor


def expected_nll(logits: Tensor, beliefs: Tensor) -> Tensor:
    r"""Cross-entropy under beliefs about the label, per row.

    .. math:: -\sum_y b(y) \log p_\theta(y \mid x)

    With the `posterior` of the last step as beliefs, this is the M-step of EM, PRODEN and the
    risk-consistent cost; with an even split over the candidates, the naive average; with the
    beliefs of a label model, two-step weak supervision.

    Assumes that the beliefs are calibrated, and fixed while the network trains on them. Where they
    are flat, it teaches the network to be unsure: a row about which nothing is known costs
    log(n_classes) at least, where `marginal_nll` costs nothing. Leave such rows out, or give them a
    row of zeros. Fails where beliefs are sure and wrong, which it teaches as they are.

    Parameters
    ----------
    logits : (..., n_classes) float
        Finite.
    beliefs : (..., n_classes) float
        Rows add up to 1, or to the weight of the row.

    Returns
    -------
    (...) float
        In nats.

    Raises
    ------
    InputError
        If the two differ in the number of classes.
    TypeError
        If one isn't of a floating dtype.

    Notes
    -----
    Costs what `torch.nn.functional.cross_entropy` with soft targets does.

    Examples
    --------
    >>> expected_nll(torch.zeros(1, 2), torch.tensor([[0.8, 0.2]]))
    tensor([0.6931])

    References
    ----------
    A. P. Dempster, N. Laird and D. Rubin, Maximum likelihood from incomplete data via the EM
    algorithm, JRSS B 1977, eq. 2.17. J. Lv et al., Progressive identification of true labels for
    partial-label learning, ICML 2020, section 3.
    """
    check_classes(logits=logits, beliefs=beliefs)
    return -(beliefs * log_probs(logits)).sum(-1)


def expected_loss(elementwise_loss: Tensor, beliefs: Tensor) -> Tensor:
    r"""Any cost under beliefs about the label, per row.

    .. math:: \sum_y b(y) \, \ell(f_\theta(x), y)

    For costs other than log loss: squared error, hinge, a table of what mistakes cost, or
    ``bounded(log_probs(logits), q)``. Assumes what `expected_nll` does,
    and fails as it does. Costs one pass over the elementwise losses.

    Parameters
    ----------
    elementwise_loss : (..., n_classes) float
        What the prediction costs if the label is that class. A class without belief may cost inf.
    beliefs : (..., n_classes) float
        Rows add up to 1, or to the weight of the row.

    Returns
    -------
    (...) float

    Raises
    ------
    InputError
        If the two differ in the number of classes.
    TypeError
        If one isn't of a floating dtype.

    Examples
    --------
    >>> mistakes = torch.tensor([[0.0, 10.0]])  # missing a spam costs nothing, a ham lost 10
    >>> expected_loss(mistakes, torch.tensor([[0.9, 0.1]]))
    tensor([1.])

    References
    ----------
    L. Feng et al., Provably consistent partial-label learning, NeurIPS 2020, section 3 (the
    risk-consistent cost).
    """
    check_classes(elementwise_loss=elementwise_loss, beliefs=beliefs)
    return (beliefs * elementwise_loss.masked_fill(beliefs == 0, 0.0)).sum(-1)


def tempered_nll(logits: Tensor, log_likelihood: Tensor, temperature: float) -> Tensor:
    r"""Between `marginal_nll` (temperature 1) and `expected_nll` (inf): annealed EM, per row.

    .. math::
        -\log W - T \log \sum_y b_0(y) \, p_\theta(y \mid x)^{1/T}, \quad
        W = \sum_y p(o \mid y), \; b_0(y) = p(o \mid y) / W

    Its gradient is the softmax less beliefs in which the network's word counts 1/T, and the
    evidence's fully. Start hot, where an untrained network has no say in its own targets, and cool
    to 1 within some epochs. On candidate sets T = inf is the divergence of the softmax from an even
    split.

    Assumes what `marginal_nll` does; hot, it assumes besides that evidence weighs more than the
    network, and pulls rows about which nothing is known towards uniform. Fails as `average_nll`
    does where it stays hot. Costs about twice what `marginal_nll` does.

    Parameters
    ----------
    logits : (..., n_classes) float
        Finite.
    log_likelihood : (..., n_classes) float
        As for `marginal_nll`.
    temperature : float in [1, inf]
        In float32, rounding grows with it: to 0.001 nats at 1,000 (the gradient is not touched).

    Returns
    -------
    (...) float
        In nats.

    Raises
    ------
    InputError
        If `temperature` is below 1, or the two differ in the number of classes.
    TypeError
        If one isn't of a floating dtype.

    Examples
    --------
    >>> logits, either = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, -torch.inf]])
    >>> [round(float(tempered_nll(logits, either, t)), 3) for t in (1.0, 10.0, torch.inf)]
    [0.113, 0.496, 0.546]

    References
    ----------
    N. Ueda and R. Nakano, Deterministic annealing EM algorithm, Neural Networks 1998,
    section 3.
    R. Samdani, M.-W. Chang and D. Roth, Unified expectation maximization, NAACL 2012, section 3.
    """
    if not temperature >= 1.0:
        raise InputError(
            f"`temperature` must be at least 1; got {temperature}. "
            "1 is `marginal_nll`; for surer targets see `hard_nll`."
        )
    if temperature == 1.0:
        return -log_marginal(logits, log_likelihood)
    check_classes(logits=logits, log_likelihood=log_likelihood)
    log_p = log_probs(logits)
    log_beliefs = log_probs(log_likelihood)
    log_weight = torch.logsumexp(log_likelihood, -1)
    if math.isinf(temperature):
        return -log_weight - (log_beliefs.exp() * log_p).sum(-1)
    return -log_weight - temperature * torch.logsumexp(log_beliefs + log_p / temperature, -1)


def hard_nll(logits: Tensor, beliefs: Tensor, threshold: float | Tensor = 0.95) -> PseudoLabelled:
    r"""Cross-entropy with the likeliest class, in rows that are sure enough: pseudo-labels.

    .. math:: [\max_y b(y) \ge \tau] \cdot (-\log p_\theta(\hat y \mid x)), \quad
        \hat y = \operatorname{argmax}_y b(y)

    The beliefs may come from the network itself (``posterior(logits.detach(), log_likelihood)``),
    from an easier view of the row (FixMatch), from a running mean, or from a label model.

    Assumes that beliefs above the threshold are right. A network that is sure of its mistakes
    confirms them, and easy classes crowd out the others: give a threshold for each class, and watch
    `took_part`. Costs what cross-entropy with exact labels does.

    Parameters
    ----------
    logits : (..., n_classes) float
    beliefs : (..., n_classes) float
    threshold : float, or (n_classes,) float, default 0.95
        Higher takes fewer, surer rows; 0 takes all. One for each class is compared by the class
        that is believed.

    Returns
    -------
    PseudoLabelled
        The cost of each row, and which rows took part.

    Raises
    ------
    InputError
        If the number of classes differs.
    TypeError
        If one isn't of a floating dtype.

    Examples
    --------
    >>> sure = torch.tensor([[0.99, 0.01], [0.6, 0.4]])
    >>> hard_nll(torch.zeros(2, 2), sure)
    PseudoLabelled(cost=tensor([0.6931, 0.0000]), took_part=tensor([ True, False]))

    References
    ----------
    D.-H. Lee, Pseudo-label, ICML workshop 2013, eq. 15. K. Sohn et al., FixMatch, NeurIPS 2020,
    eq. 4. B. Zhang et al., FlexMatch, NeurIPS 2021 (a threshold for each class).
    """
    check_classes(logits=logits, beliefs=beliefs)
    belief, label = beliefs.max(-1)
    if isinstance(threshold, Tensor):
        check_classes(logits=logits, threshold=threshold)
        threshold = threshold[label]
    took_part = belief >= threshold
    nll = -log_probs(logits).gather(-1, label.unsqueeze(-1)).squeeze(-1)
    return PseudoLabelled(torch.where(took_part, nll, torch.zeros_like(nll)), took_part)
