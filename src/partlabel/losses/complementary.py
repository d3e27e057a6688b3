r"""Complementary labels: classes that a row is known *not* to have.

"Not class 3" is the candidate set of all others, so that `marginal_nll` with
``candidate_log_likelihood(~excluded)`` is its likelihood, and, for one excluded class drawn evenly,
the forward correction of Yu et al. (ECCV 2018, eq. 5) less the constant log(n_classes - 1). Where
some classes are excluded more often than others given the truth, let ``log_likelihood[i, y]`` be
the log of the probability with which that happens. Here are the other published costs.
"""

import torch
from torch import Tensor

from partlabel.losses.expected import expected_loss
from partlabel.losses.marginal import check_classes, log_probs


def negative_nll(logits: Tensor, excluded: Tensor) -> Tensor:
    r"""Negative learning: -log(1 - p) of every excluded class, added up, per row.

    .. math:: -\sum_{k \in \bar Y} \log(1 - p_\theta(k \mid x))

    For one excluded class the same as `marginal_nll`; for several, each is pushed down on its own
    account. Assumes that the excluded classes are wrong. It says little where classes are many (one
    of 100 excluded halves nothing), and is no likelihood where several are excluded; it fails where
    a row's own class is excluded by mistake, which costs more the surer the network is. Costs twice
    what cross-entropy with soft targets does.

    Parameters
    ----------
    logits : (..., n_classes) float
    excluded : (..., n_classes) bool, or float weights
        Rows without any cost nothing.

    Returns
    -------
    (...) float
        In nats; finite however sure the network is of an excluded class, up to its logits' range.

    Raises
    ------
    InputError
        If the two differ in the number of classes.

    Examples
    --------
    >>> negative_nll(torch.zeros(1, 4), torch.tensor([[True, False, False, False]])).exp()
    tensor([1.3333])

    References
    ----------
    Y. Kim et al., NLNL: Negative learning for noisy labels, ICCV 2019, eq. 2. X. Yu et al.,
    Learning with biased complementary labels, ECCV 2018, eq. 5.
    """
    cost = -_log_complement(logits)
    weights = excluded.to(cost.dtype)
    check_classes(logits=logits, excluded=weights)
    return expected_loss(cost, weights)


def unbiased_complementary(elementwise_loss: Tensor, excluded: Tensor) -> Tensor:
    r"""An unbiased estimate of what the true label would cost, from excluded classes, per row.

    .. math:: \sum_{y \notin \bar Y} \ell(f(x), y)
        - \frac{K - 1 - |\bar Y|}{|\bar Y|} \sum_{y \in \bar Y} \ell(f(x), y)

    For any per-class cost. Assumes that the excluded set is drawn evenly from all sets of its size
    that lack the true class. Values can be negative, and with unbounded costs (log loss) the
    network finds a way to make them so without end: take a bounded cost, or correct the risk of
    each class from below, ``complementary_risks(...).clamp(min=0).sum()``. Costs one pass over the
    elementwise losses.

    Parameters
    ----------
    elementwise_loss : (..., n_classes) float
        What the prediction costs if the label is that class, such as ``-log_probs(logits)``.
    excluded : (..., n_classes) bool
        At least one in each row, and not all.

    Returns
    -------
    (...) float

    Raises
    ------
    InputError
        If the two differ in the number of classes.

    Examples
    --------
    >>> loss = torch.tensor([[1.0, 2.0, 3.0]])
    >>> unbiased_complementary(loss, torch.tensor([[False, False, True]]))
    tensor([0.])

    References
    ----------
    T. Ishida et al., Complementary-label learning for arbitrary losses and models, ICML 2019,
    theorem 1 (generalising Ishida et al., NIPS 2017). L. Feng et al., Learning with multiple
    complementary labels, ICML 2020, theorem 3.
    """
    return expected_loss(elementwise_loss, _weights(elementwise_loss, excluded))


def complementary_risks(elementwise_loss: Tensor, excluded: Tensor) -> Tensor:
    r"""The unbiased cost of a batch, by class: what `unbiased_complementary` averages, split up.

    .. math:: R_y = \frac{1}{n} \sum_i w_{iy} \, \ell(f(x_i), y), \quad
        w_{iy} = 1 \text{ for } y \notin \bar Y_i, \text{ else }
        - \frac{K - 1 - |\bar Y_i|}{|\bar Y_i|}

    Each is a mean of costs, so that a negative one is an accident of the sample: add up
    ``.clamp(min=0)`` (non-negative correction) or ``.abs()``. This is a cost of a batch, not a row.
    Assumes what `unbiased_complementary` does. Fails in small batches, which clip by chance. Costs
    one pass over the elementwise losses.

    Parameters
    ----------
    elementwise_loss : (n_rows, n_classes) float
    excluded : (n_rows, n_classes) bool

    Returns
    -------
    (n_classes,) float
        Their sum is the mean of `unbiased_complementary`.

    Raises
    ------
    InputError
        If the two differ in the number of classes.

    References
    ----------
    T. Ishida et al., Complementary-label learning for arbitrary losses and models, ICML 2019,
    section 3.3.
    """
    return (_weights(elementwise_loss, excluded) * elementwise_loss).mean(0)


def _weights(loss: Tensor, excluded: Tensor) -> Tensor:
    out = excluded.bool()
    check_classes(elementwise_loss=loss, excluded=out.to(loss.dtype))
    n_out = out.sum(-1, keepdim=True).to(loss.dtype)
    return torch.where(out, -(loss.shape[-1] - 1 - n_out) / n_out, torch.ones_like(loss))


def _log_complement(logits: Tensor) -> Tensor:
    """(..., n_classes) log(1 - p), exact also where p rounds to 1.

    Only the likeliest class can have more than 1/2; for it, the others are added up.
    """
    log_p = log_probs(logits)
    top = torch.nn.functional.one_hot(log_p.argmax(-1), log_p.shape[-1]).bool()
    others = torch.logsumexp(log_p.masked_fill(top, -torch.inf), -1, keepdim=True)
    return torch.where(top, others, torch.log1p(-log_p.masked_fill(top, -torch.inf).exp()))
