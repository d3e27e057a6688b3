r"""Regularisers of predictions, to be added to a cost: entropy, dispersion, the class prior."""

import math

import torch
from torch import Tensor

from partlabel.losses.marginal import check_classes, log_probs


def entropy(logits: Tensor) -> Tensor:
    r"""How unsure the prediction is, in nats, per row: 0 to log(n_classes).

    .. math:: -\sum_y p_\theta(y \mid x) \log p_\theta(y \mid x)

    Add it to make predictions surer (entropy minimisation, for rows without labels), subtract it to
    keep them from being too sure (confidence penalty). Added, it assumes that classes are apart,
    and confirms mistakes; a batch without labels then collapses into one class unless
    `prior_divergence` holds it. Costs one softmax and two passes.

    Parameters
    ----------
    logits : (..., n_classes) float
        -inf rules a class out; ``log_probs(logits) + log_likelihood`` gives the entropy of the
        `posterior`, such as that within a candidate set.

    Returns
    -------
    (...) float

    Examples
    --------
    >>> entropy(torch.zeros(1, 2))
    tensor([0.6931])

    References
    ----------
    Y. Grandvalet and Y. Bengio, Semi-supervised learning by entropy minimization, NIPS 2004, eq. 5.
    G. Pereyra et al., Regularizing neural networks by penalizing confident output distributions,
    ICLR workshop 2017.
    """
    log_p = log_probs(logits)
    # the inner mask keeps -inf out of the product and out of its gradient
    finite = log_p.masked_fill(log_p == -torch.inf, 0.0)
    return -(log_p.exp() * finite).sum(-1)


def dispersion(logits: Tensor, beliefs: Tensor) -> Tensor:
    r"""Asks for dispersed predictions where the label is uncertain, per row, in nats.

    .. math:: \frac{H(b)}{\log K} \, \bigl(\log K - H(p_\theta)\bigr)

    The divergence of the prediction from uniform, weighed by how uncertain the beliefs are: nothing
    for an exact label, in full where nothing is known. Keeps networks from talking themselves into
    one of the candidates before features can tell. Assumes that uncertainty of the beliefs says
    that the row is hard; it fails where labels are missing at random, and blurs rows that are easy.
    Costs what `entropy` does.

    Parameters
    ----------
    logits : (..., n_classes) float
    beliefs : (..., n_classes) float
        What is known without the network, such as ``torch.softmax(log_likelihood, -1)``.

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
    >>> sure, unsure = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
    >>> dispersion(torch.tensor([[5.0, 0.0]] * 2), torch.stack([sure, unsure]))
    tensor([0.0000, 0.6530])
    """
    check_classes(logits=logits, beliefs=beliefs)
    most = math.log(logits.shape[-1])
    uncertainty: Tensor = torch.special.entr(beliefs).sum(-1) / most
    return uncertainty * (most - entropy(logits))


def prior_divergence(logits: Tensor, prior: Tensor) -> Tensor:
    r"""How far a batch's mean prediction is from the class prior: one number, in nats.

    .. math:: \sum_y \pi(y) \log \frac{\pi(y)}{\frac{1}{n} \sum_i p_\theta(y \mid x_i)}

    Keeps a network from giving up classes. This is a cost of a batch, not a row. Assumes batches
    drawn at random and large enough to hold every class (several rows of the rarest), and a prior
    that holds where the rows come from; fails where it is that of other rows, whose shares it then
    forces on these. Costs a softmax and a logsumexp over the rows.

    Parameters
    ----------
    logits : (..., n_classes) float
    prior : (n_classes,) float
        Adds up to 1.

    Returns
    -------
    () float

    Raises
    ------
    InputError
        If the two differ in the number of classes.
    TypeError
        If one isn't of a floating dtype.

    Examples
    --------
    >>> prior_divergence(torch.tensor([[900.0, 0.0], [0.0, 900.0]]), torch.tensor([0.5, 0.5]))
    tensor(0.)

    References
    ----------
    D. Tanaka et al., Joint optimization framework for learning with noisy labels, CVPR 2018, eq. 7.
    """
    check_classes(logits=logits, prior=prior)
    log_p = log_probs(logits).flatten(end_dim=-2)
    log_mean = torch.logsumexp(log_p, 0) - math.log(log_p.shape[0])
    cross: Tensor = (prior * log_mean.masked_fill(prior == 0, 0.0)).sum()
    own: Tensor = torch.special.entr(prior).sum()
    return -cross - own
