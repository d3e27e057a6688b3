r"""Risks from positives and unlabelled rows: what a classifier loses, by a surrogate loss.

====================  ============  ================================================================
symbol                code          shape, meaning
====================  ============  ================================================================
:math:`\pi`           prior         p(positive) in the population
:math:`R_p^\pm`       right, ...    mean loss of the positives, if called positive or negative
:math:`R_u^-`         ...           mean loss of the population, if called negative
====================  ============  ================================================================

Two settings that must not be confused. *One sample*: rows are drawn, then some of the positives
among them are marked, so that what is unmarked has fewer positives than the population. *Two
samples* (case-control): marked positives come from elsewhere, and the unlabelled rows are the
population. The same formula with the wrong one is biased; each has a function of its own here.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from partlabel.errors import InputError
from partlabel.losses.positive_unlabelled import check_marks, wide

Surrogate = Callable[[Tensor], Tensor]


def unbiased_pu_risk(
    positive_logits: Tensor,
    unlabelled_logits: Tensor,
    prior: float,
    *,
    loss: Surrogate = softplus,
) -> Tensor:
    r"""Risk over the population, from positives and an unlabelled sample of it: two samples.

    :math:`\pi R_p^+ + R_u^- - \pi R_p^-` (uPU). Right where the positives are a random sample of
    all positives, the unlabelled rows one of the population, and the prior is known. Unbiased for
    a fixed model, but without lower bound: a model that can tell the marked rows by heart drives
    it below zero; see `nonnegative_pu_risk`. Costs one pass.

    Parameters
    ----------
    positive_logits : (n_positive,) float
    unlabelled_logits : (n_unlabelled,) float
    prior : float in (0, 1)
        Share of positives in the population, hence in the unlabelled sample.
    loss : function of a tensor, default softplus
        Loss of a wrong-way margin: softplus (logistic), or `torch.sigmoid`, which is bounded.

    Returns
    -------
    Scalar: the risk is one of a sample, not of a row.

    Raises
    ------
    InputError
        If a sample is empty or `prior` is out of range.

    Examples
    --------
    >>> unbiased_pu_risk(torch.tensor([9.0]), torch.tensor([9.0, -9.0]), 0.5, loss=torch.sigmoid)
    tensor(0.0001)

    References
    ----------
    Du Plessis, Niu & Sugiyama, "Convex formulation for learning from positive and unlabeled data",
    ICML 2015, eq. 3; Kiryo et al., NIPS 2017, eq. 4.
    """
    right, wrong = _two_samples(positive_logits, unlabelled_logits, prior, loss)
    return right + wrong


def nonnegative_pu_risk(
    positive_logits: Tensor,
    unlabelled_logits: Tensor,
    prior: float,
    *,
    loss: Surrogate = torch.sigmoid,
    slack: float = 0.0,
    ascent: float = 1.0,
) -> Tensor:
    r"""`unbiased_pu_risk` that does not reward a negative part below zero: two samples.

    While the part of the negatives :math:`R_u^- - \pi R_p^-` is at least :math:`-\beta`, the
    unbiased risk; below, :math:`-\gamma` times that part, whose gradient undoes the overfitting.
    Right as `unbiased_pu_risk`; consistent, with a bias that vanishes exponentially. It is what
    the published algorithm descends: watch `unbiased_pu_risk` on held-out rows instead of it.
    Fails where batches hold few positives, as it then clips by chance. Costs one pass.

    Parameters
    ----------
    positive_logits, unlabelled_logits, prior
        As in `unbiased_pu_risk`.
    loss : function of a tensor, default sigmoid
        Loss of a wrong-way margin.
    slack : float >= 0, default 0.0
        :math:`\beta`: how far below zero the part may go.
    ascent : float in [0, 1], default 1.0
        :math:`\gamma`: how hard it is pushed back up.

    Returns
    -------
    Scalar.

    Raises
    ------
    InputError
        As `unbiased_pu_risk`, and if `slack` or `ascent` is out of range.

    References
    ----------
    Kiryo, Niu, du Plessis & Sugiyama, "Positive-unlabeled learning with non-negative risk
    estimator", NIPS 2017, eq. 6 and algorithm 1.
    """
    return _clipped(*_two_samples(positive_logits, unlabelled_logits, prior, loss), slack, ascent)


def unbiased_pu_risk_one_sample(
    logits: Tensor, positive: Tensor, prior: float, *, loss: Surrogate = softplus
) -> Tensor:
    r"""Risk over the population, from one sample in which some positives are marked.

    As `unbiased_pu_risk`, with the negatives' part over *all* rows, the marked ones too, as only
    they together are a sample of the population:
    :math:`\pi R_p^+ + R^- - \pi R_p^-`. Right where every positive has the same chance of being
    marked. Fails as `unbiased_pu_risk` does, and where marks depend on the row. Costs one pass.

    Parameters
    ----------
    logits : (n_rows,) float
    positive : (n_rows,) bool
        Marked. A batch without any counts as one whose positives cost nothing.
    prior : float in (0, 1)
        Share of positives among all rows, marked or not.
    loss : function of a tensor, default softplus

    Returns
    -------
    Scalar.

    Raises
    ------
    InputError
        If the shapes differ, there are no rows, or `prior` is out of range.

    References
    ----------
    Bekker & Davis, "Learning from positive and unlabeled data: a survey", Machine Learning 2020,
    section 5.3.1.
    """
    right, wrong = _one_sample(logits, positive, prior, loss)
    return right + wrong


def nonnegative_pu_risk_one_sample(
    logits: Tensor,
    positive: Tensor,
    prior: float,
    *,
    loss: Surrogate = torch.sigmoid,
    slack: float = 0.0,
    ascent: float = 1.0,
) -> Tensor:
    r"""`nonnegative_pu_risk` from one sample in which some positives are marked.

    As `unbiased_pu_risk_one_sample` while :math:`R^- - \pi R_p^- \ge -\beta`, and
    :math:`-\gamma (R^- - \pi R_p^-)` below. Assumes what the one does, and fails as
    `nonnegative_pu_risk` does. Costs one pass.

    Parameters
    ----------
    logits, positive, prior
        As in `unbiased_pu_risk_one_sample`.
    loss, slack, ascent
        As in `nonnegative_pu_risk`.

    Returns
    -------
    Scalar.

    Raises
    ------
    InputError
        As `unbiased_pu_risk_one_sample`, and if `slack` or `ascent` is out of range.

    References
    ----------
    Kiryo et al., NIPS 2017, eq. 6 and algorithm 1, with the survey's risk for one sample.
    """
    return _clipped(*_one_sample(logits, positive, prior, loss), slack, ascent)


def _two_samples(
    positive: Tensor, unlabelled: Tensor, prior: float, loss: Surrogate
) -> tuple[Tensor, Tensor]:
    _check_prior(prior)
    if positive.numel() == 0 or unlabelled.numel() == 0:
        raise InputError(
            "`positive_logits` and `unlabelled_logits` must each hold a row; "
            f"got {positive.numel()} and {unlabelled.numel()}. Draw both in every batch."
        )
    positive, unlabelled = wide(positive), wide(unlabelled)
    right = prior * loss(-positive).mean()
    return right, loss(unlabelled).mean() - prior * loss(positive).mean()


def _one_sample(
    logits: Tensor, positive: Tensor, prior: float, loss: Surrogate
) -> tuple[Tensor, Tensor]:
    _check_prior(prior)
    check_marks(logits, positive)
    if logits.numel() == 0:
        raise InputError("`logits` must hold a row; got none.")
    logits = wide(logits)
    share = positive.to(logits.dtype) / positive.sum().clamp(min=1)
    right = prior * (share * loss(-logits)).sum()
    return right, loss(logits).mean() - prior * (share * loss(logits)).sum()


def _clipped(right: Tensor, wrong: Tensor, slack: float, ascent: float) -> Tensor:
    if slack < 0 or not 0.0 <= ascent <= 1.0:
        raise InputError(
            f"`slack` must be at least 0 and `ascent` lie in [0, 1]; got {slack} and {ascent}."
        )
    return torch.where(wrong >= -slack, right + wrong, -ascent * wrong)


def _check_prior(prior: float) -> None:
    if not 0.0 < prior < 1.0:
        raise InputError(f"`prior` must lie in (0, 1); got {prior}.")
