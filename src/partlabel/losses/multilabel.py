r"""Costs for many labels a row, some of which nobody looked at.

====================  ============  ================================================================
symbol                code          shape, meaning
====================  ============  ================================================================
:math:`f`             logits        (n_rows, n_labels) log-odds that the label is present
:math:`o = +`         present       (n_rows, n_labels) bool, seen to be there
:math:`o = -`         absent        (n_rows, n_labels) bool, seen not to be there
:math:`o = ?`         neither       nobody said
:math:`e_1, e_0`      seen          p(said | present), p(said | absent)
====================  ============  ================================================================

Each label is a channel of its own: p(+ | present) = e_1, p(- | absent) = e_0, p(? | present) =
1 - e_1, p(? | absent) = 1 - e_0. With e_1 = e_0 silence says nothing, and the cost is that of the
labels that were seen; with e_0 = 0 only positives are ever marked; with both 1 it is the binary
cross-entropy. What people call "assume negative" is e_0 = 0 and e_1 = 1, which silence contradicts.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from partlabel.errors import InputError
from partlabel.losses.positive_unlabelled import check_marks, log_chance, wide


def masked_bce(
    logits: Tensor, present: Tensor, absent: Tensor, *, share_power: float = 1.0
) -> Tensor:
    r"""Binary cross-entropy of the labels that were looked at, normalised by their share.

    :math:`\frac{1}{L s^a} \sum_{o \ne ?} -\log p(o | f)` where s is the share of the row's labels
    that were seen. Right where a label is left out for reasons that have nothing to do with it.
    Fails where only positives are marked: everything then looks present. Costs one softplus for
    each entry.

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    present, absent : (n_rows, n_labels) bool
        Never both; neither means that nobody looked.
    share_power : float in [0, 1], default 1.0
        a. At 1 every row weighs the same, whatever was seen of it; at 0 every seen label does.

    Returns
    -------
    (n_rows,) nats for each label; 0 for a row of which nothing was seen.

    Raises
    ------
    InputError
        If the shapes differ or `share_power` is out of range.

    Examples
    --------
    >>> present, absent = torch.tensor([[True, False]]), torch.tensor([[False, False]])
    >>> masked_bce(torch.zeros(1, 2), present, absent).exp()  # one of two labels was seen
    tensor([2.])

    References
    ----------
    Durand, Mehrasa & Mori, "Learning a deep ConvNet for multi-label classification with partial
    labels", CVPR 2019, eqs. 1 and 2.
    """
    if not 0.0 <= share_power <= 1.0:
        raise InputError(f"`share_power` must lie in [0, 1]; got {share_power}.")
    check_marks(logits, present, "present")
    check_marks(logits, absent, "absent")
    logits = wide(logits)
    seen = (present | absent).to(logits.dtype)
    cost = seen * softplus(torch.where(present, -logits, logits))
    share = seen.mean(-1)
    return cost.mean(-1) / share.masked_fill(share == 0.0, 1.0) ** share_power


def missing_label_nll(
    logits: Tensor,
    present: Tensor,
    absent: Tensor,
    *,
    seen_present: Tensor | float,
    seen_absent: Tensor | float,
) -> Tensor:
    r"""Likelihood of what was seen, where a label's presence bears on whether it is.

    :math:`-\log(\sigma(f) \, p(o | 1) + \sigma(-f) \, p(o | 0))`: the sum over what a label may
    be, whose gradient is that of EM. Right where the two chances are, by label or by row; a chance
    that is a sigmoid of parameters is learnt with the model. Where no label is known not to be
    there, what is learnt rests on the model's form, the level at which its probabilities saturate,
    as silence alone does not tell a rare label from an overlooked one. Costs three softplus for
    each entry.

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    present, absent : (n_rows, n_labels) bool
        Never both; neither means that nobody said.
    seen_present : float in [0, 1], or a tensor that broadcasts against `logits`
        p(said | present); (n_labels,) for one for each label.
    seen_absent : float in [0, 1], or a tensor that broadcasts against `logits`
        p(said | absent); 0 where only positives are ever marked.

    Returns
    -------
    (n_rows, n_labels) nats; inf (and a gradient of NaN) where a label was seen that is never said,
    or nobody spoke of one that always is.

    Raises
    ------
    InputError
        If the shapes differ or a chance that is one number is out of range.

    Examples
    --------
    >>> nobody = torch.tensor([[False]])
    >>> missing_label_nll(torch.zeros(1, 1), nobody, nobody, seen_present=0.5, seen_absent=0.0)
    tensor([[0.2877]])

    References
    ----------
    Bekker, Robberechts & Davis, ECML-PKDD 2019, section 4, for each label; with e_0 as well it is
    the channel of Little & Rubin, "Statistical analysis with missing data", 2019, chapter 15.
    """
    if_present, if_absent = _log_likelihood(logits, present, absent, seen_present, seen_absent)
    logits = wide(logits)
    return -torch.logaddexp(logsigmoid(logits) + if_present, logsigmoid(-logits) + if_absent)


def missing_label_posterior(
    logits: Tensor,
    present: Tensor,
    absent: Tensor,
    *,
    seen_present: Tensor | float,
    seen_absent: Tensor | float,
) -> Tensor:
    r"""Belief that each label is present, given what was seen: the E-step.

    :math:`\sigma(f + \log p(o | 1) - \log p(o | 0))`; in [0, 1] for any logits.

    Parameters
    ----------
    logits, present, absent, seen_present, seen_absent
        As in `missing_label_nll`.

    Returns
    -------
    (n_rows, n_labels) probabilities.

    Raises
    ------
    InputError
        As `missing_label_nll`.
    """
    if_present, if_absent = _log_likelihood(logits, present, absent, seen_present, seen_absent)
    unseen = torch.sigmoid(wide(logits) + (if_present - if_absent))
    seen = torch.where(present, 1.0, 0.0).to(unseen.dtype)
    return torch.where(present | absent, seen, unseen)


def expected_bce(logits: Tensor, beliefs: Tensor) -> Tensor:
    r"""Binary cross-entropy expected under beliefs about each label: the M-step.

    :math:`b \cdot (-\log \sigma(f)) + (1 - b) \cdot (-\log \sigma(-f))`. With beliefs from
    `missing_label_posterior` at the same logits its gradient is that of `missing_label_nll`; with
    older ones, kept by row, it is EM over epochs. Only as right as the beliefs.

    Parameters
    ----------
    logits, beliefs : (n_rows, n_labels) float
        Beliefs in [0, 1].

    Returns
    -------
    (n_rows, n_labels) nats.

    Raises
    ------
    InputError
        If the shapes differ.

    References
    ----------
    Dempster, Laird & Rubin, "Maximum likelihood from incomplete data via the EM algorithm", JRSS B
    1977, eq. 2.17, for a Bernoulli label.
    """
    if beliefs.shape != logits.shape:
        raise InputError(
            f"`beliefs` must have the shape of `logits`, {tuple(logits.shape)}; "
            f"got {tuple(beliefs.shape)}."
        )
    logits, beliefs = wide(logits), wide(beliefs)
    return beliefs * softplus(-logits) + (1.0 - beliefs) * softplus(logits)


def _log_likelihood(
    logits: Tensor,
    present: Tensor,
    absent: Tensor,
    seen_present: Tensor | float,
    seen_absent: Tensor | float,
) -> tuple[Tensor, Tensor]:
    """Log-likelihood of what was seen, if the label is there and if it is not."""
    check_marks(logits, present, "present")
    check_marks(logits, absent, "absent")
    said_present, silent_present = log_chance(logits, seen_present, "seen_present", least=0.0)
    said_absent, silent_absent = log_chance(logits, seen_absent, "seen_absent", least=0.0)
    never = torch.full_like(silent_present, -torch.inf)
    if_present = torch.where(present, said_present, torch.where(absent, never, silent_present))
    if_absent = torch.where(absent, said_absent, torch.where(present, never, silent_absent))
    return if_present, if_absent
