r"""Costs for many labels a row where only positives are marked, from what the model itself says.

====================  ==================  ==========================================================
symbol                code                shape, meaning
====================  ==================  ==========================================================
:math:`f`             logits              (n_rows, n_labels) log-odds of the model
:math:`\tilde y`      belief_logits       (n_rows, n_labels) log-odds kept for each row, a parameter
:math:`z`             positive            (n_rows, n_labels) bool, marked as present
:math:`k`             expected_positives  how many labels a row has on average, marked or not
:math:`L`             n_labels
====================  ==================  ==========================================================
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from partlabel.errors import InputError
from partlabel.losses.multilabel import expected_bce
from partlabel.losses.positive_unlabelled import check_marks, wide


def expected_positives_penalty(logits: Tensor, expected_positives: float) -> Tensor:
    r"""How far the batch's mean number of predicted labels is from the known one, squared.

    :math:`((\frac{1}{B} \sum_{n} \sum_l \sigma(f_{nl}) - k) / L)^2`. With the marked labels'
    :math:`-\log \sigma(f)` alone (EPR) it is what keeps everything from looking present. Right
    where k is known and batches are large; says nothing of *which* labels are overlooked. Costs one
    sigmoid for each entry.

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    expected_positives : float > 0
        k; an average over rows, from a small clean sample.

    Returns
    -------
    Scalar in [0, 1]: it is the batch's, not a row's.

    Raises
    ------
    InputError
        If `expected_positives` is not above 0.

    Examples
    --------
    >>> expected_positives_penalty(torch.zeros(3, 4), 1.0)  # says 2 of 4
    tensor(0.0625)

    References
    ----------
    Cole et al., "Multi-label learning from single positive labels", CVPR 2021, eqs. 8 and 9.
    """
    if not expected_positives > 0:
        raise InputError(f"`expected_positives` must be above 0; got {expected_positives}.")
    predicted = torch.sigmoid(wide(logits)).sum(-1).mean()
    return ((predicted - expected_positives) / logits.shape[-1]) ** 2


def role_loss(
    logits: Tensor, belief_logits: Tensor, positive: Tensor, expected_positives: float
) -> Tensor:
    r"""ROLE: the model and a table of running beliefs teach each other, held to a known number.

    The mean of :math:`\ell(f | \tilde y)` and :math:`\ell(\tilde y | f)`, where
    :math:`\ell(a | b) = \frac{1}{L} \sum_l [BCE(a_l, \sigma(b_l)) - z_l \log \sigma(a_l)] + R(a)`,
    b without gradient, R as `expected_positives_penalty`. The table is a parameter: start it at 5.3
    where marked and near 0 elsewhere, with a learning rate some ten times the model's. Right where
    k is known; both sides can agree on something wrong, and nothing of the number of labels of a
    *label* is kept. Costs four softplus for each entry, and a table of all rows x labels.

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    belief_logits : (n_rows, n_labels) float
        The table's lines for these rows, with gradient.
    positive : (n_rows, n_labels) bool
    expected_positives : float > 0

    Returns
    -------
    (n_rows,) nats for each label; the penalty is the batch's and the same in every row.

    Raises
    ------
    InputError
        If the shapes differ or `expected_positives` is not above 0.

    References
    ----------
    Cole et al., CVPR 2021, eqs. 10 and 11.
    """
    check_marks(logits, positive)
    model = _taught(logits, belief_logits, positive, expected_positives)
    beliefs = _taught(belief_logits, logits, positive, expected_positives)
    return (model + beliefs) / 2


def large_loss(
    logits: Tensor, positive: Tensor, missing_per_positive: float, *, correct: bool = False
) -> Tensor:
    r"""Large-Loss: binary cross-entropy that gives up the unmarked labels with the highest cost.

    The :math:`\lfloor \rho \sum z \rfloor` unmarked labels of the batch that cost most are left out
    (LL-R) or taken for present (LL-Ct): they are likely overlooked, as models learn what is right
    first. The published budget is a share of *all* labels of the batch, which takes most of the
    true ones where labels are many and rare; here it is scaled to the marked ones. Raise it from 0
    over the first epochs. Ties are kept. Costs one softplus and a sort of the batch's entries.

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    positive : (n_rows, n_labels) bool
    missing_per_positive : float >= 0
        :math:`\rho`: overlooked labels for each marked one. (1 - e) / e for a propensity e.
    correct : bool, default False
        Take them for present rather than leave them out.

    Returns
    -------
    (n_rows, n_labels) nats; 0 where left out.

    Raises
    ------
    InputError
        If the shapes differ or `missing_per_positive` is negative.

    Examples
    --------
    >>> logits, positive = torch.tensor([[0.0, 9.0, 0.0]]), torch.tensor([[True, False, False]])
    >>> large_loss(logits, positive, 1.0)
    tensor([[0.6931, 0.0000, 0.6931]])

    References
    ----------
    Kim, Kim, Akata & Lee, "Large loss matters in weakly supervised multi-label classification",
    CVPR 2022, eqs. 4 to 7.
    """
    if missing_per_positive < 0:
        raise InputError(f"`missing_per_positive` must be at least 0; got {missing_per_positive}.")
    check_marks(logits, positive)
    logits = wide(logits)
    large = _largest_unmarked(logits.detach(), positive, missing_per_positive)
    signed = torch.where(positive | large, -logits, logits)
    cost = softplus(signed)
    return cost if correct else cost.masked_fill(large, 0.0)


def _taught(pupil: Tensor, teacher: Tensor, positive: Tensor, expected: float) -> Tensor:
    marked = softplus(-wide(pupil)).masked_fill(~positive, 0.0)
    cross = expected_bce(pupil, torch.sigmoid(wide(teacher).detach()))
    return (cross + marked).mean(-1) + expected_positives_penalty(pupil, expected)


def _largest_unmarked(logits: Tensor, positive: Tensor, rate: float) -> Tensor:
    """(n_rows, n_labels) bool; the budget stays on the device, so that nothing waits for it."""
    ranked = logits.masked_fill(positive, -torch.inf).flatten().sort(descending=True).values
    budget = (rate * positive.sum()).long().clamp(max=max(ranked.numel() - 1, 0))
    bar = ranked.gather(0, budget.reshape(1)) if ranked.numel() else ranked.sum()
    return ~positive & (logits > bar)
