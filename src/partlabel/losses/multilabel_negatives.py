r"""Costs for many labels a row where only positives are marked: all else is taken for absent.

Which is wrong for some, so that each of these pulls less where the model says otherwise. They need
no propensity, and give no probabilities: the predicted number of labels is too low (or, for Hill
and self-paced correction, wherever their settings put it). Where a propensity or the number of
labels of a row is known, `missing_label_nll` keeps the number right.

====================  ============  ================================================================
symbol                code          shape, meaning
====================  ============  ================================================================
:math:`f`, :math:`p`  logits        (n_rows, n_labels) log-odds; :math:`p = \sigma(f)`
:math:`z`             positive      (n_rows, n_labels) bool, marked as present
====================  ============  ================================================================

Each gives (n_rows, n_labels) costs, one for each label, refuses `positive` of another shape than
`logits` or another dtype than bool, and costs two or three softplus for each entry.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from partlabel.errors import InputError
from partlabel.losses.positive_unlabelled import check_marks, wide


def assume_negative(
    logits: Tensor, positive: Tensor, *, negative_weight: float = 1.0, smoothing: float = 0.0
) -> Tensor:
    r"""Binary cross-entropy that takes what is not marked for absent (AN), or nearly so.

    With `negative_weight` :math:`1 / (L - 1)`, weak assume-negative; with `smoothing`
    :math:`\epsilon`, targets :math:`1 - \epsilon / 2` and :math:`\epsilon / 2`. Right where all
    labels that are there are marked. Elsewhere it ranks the rows of each label well if every label
    is overlooked equally often, and predicts too few.

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    positive : (n_rows, n_labels) bool
    negative_weight : float >= 0, default 1.0
        Down: an unmarked label pulls less, and more labels are predicted.
    smoothing : float in [0, 1), default 0.0

    Returns
    -------
    (n_rows, n_labels) nats.

    Raises
    ------
    InputError
        If a setting is out of range.

    Examples
    --------
    >>> assume_negative(torch.zeros(1, 2), torch.tensor([[True, False]]), negative_weight=0.0)
    tensor([[0.6931, 0.0000]])

    References
    ----------
    Cole, Mac Aodha, Lorieul, Perona, Morris & Jojic, "Multi-label learning from single positive
    labels", CVPR 2021, eqs. 4, 5 and 6.
    """
    if negative_weight < 0 or not 0.0 <= smoothing < 1.0:
        raise InputError(
            "`negative_weight` must be at least 0 and `smoothing` lie in [0, 1); "
            f"got {negative_weight} and {smoothing}."
        )
    check_marks(logits, positive)
    logits = wide(logits)
    right = softplus(torch.where(positive, -logits, logits))
    wrong = softplus(torch.where(positive, logits, -logits))
    weight = torch.where(positive, 1.0, negative_weight).to(logits.dtype)
    return weight * ((1.0 - smoothing / 2) * right + smoothing / 2 * wrong)


def asymmetric_loss(
    logits: Tensor,
    positive: Tensor,
    *,
    focus_positive: float = 0.0,
    focus_negative: float = 4.0,
    shift: float = 0.05,
) -> Tensor:
    r"""ASL: easy negatives fade out, and those below a small probability cost nothing.

    :math:`-(1 - p)^{\gamma_+} \log p` where marked, :math:`-p_m^{\gamma_-} \log(1 - p_m)` with
    :math:`p_m = \max(p - m, 0)` elsewhere. Right for many labels of which few are present, all of
    them marked; an overlooked label that the model is sure of pulls hard. The gradient passes
    through the focus weight too, as in the paper (its code can stop it).

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    positive : (n_rows, n_labels) bool
    focus_positive : float >= 0, default 0.0
        :math:`\gamma_+`.
    focus_negative : float, 0 or at least 1, default 4.0
        :math:`\gamma_-`. Up: easy negatives count less, more labels are predicted.
    shift : float in [0, 1), default 0.05
        m, a probability.

    Returns
    -------
    (n_rows, n_labels) nats.

    Raises
    ------
    InputError
        If a setting is out of range; between 0 and 1 the gradient of `focus_negative` is infinite.

    References
    ----------
    Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter & Zelnik-Manor, "Asymmetric loss for
    multi-label classification", ICCV 2021, eqs. 5 to 7.
    """
    if focus_positive < 0 or (focus_negative != 0 and focus_negative < 1):
        raise InputError(
            "`focus_positive` must be at least 0 and `focus_negative` 0 or at least 1; "
            f"got {focus_positive} and {focus_negative}."
        )
    if not 0.0 <= shift < 1.0:
        raise InputError(f"`shift` must lie in [0, 1); got {shift}.")
    check_marks(logits, positive)
    logits = wide(logits)
    log_p, log_not = logsigmoid(logits), logsigmoid(-logits)
    if_marked = -torch.exp(focus_positive * log_not) * log_p
    shifted = torch.sigmoid(logits) - shift
    # log(1 - p_m) = log(1 - p + m): a sum in logs, finite where 1 - p rounds to zero
    log_rest = torch.logaddexp(log_not, log_not.new_tensor(shift).log()) if shift else log_not
    easy = shifted <= 0.0
    weight = shifted.masked_fill(easy, 0.0) ** focus_negative
    return torch.where(positive, if_marked, -weight * log_rest.masked_fill(easy, 0.0))


def hill_loss(
    logits: Tensor,
    positive: Tensor,
    *,
    ceiling: float = 1.5,
    margin: float = 1.0,
    focus: float = 2.0,
) -> Tensor:
    r"""Hill: an unmarked label of which the model is sure stops pulling, as it is likely there.

    :math:`(\lambda - p) p^2` where unmarked, whose slope in :math:`f` falls back to zero as
    :math:`p \to 1`; :math:`-(1 - p_m)^\gamma \log p_m` with :math:`p_m = \sigma(f - m)` where
    marked. Right where the model learns the marked labels before it fits the overlooked ones. Many
    overlooked labels of one kind, or a model that is sure of wrong ones, defeat it.

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    positive : (n_rows, n_labels) bool
    ceiling : float >= 1.5, default 1.5
        :math:`\lambda`; below 1.5 a sure unmarked label would be pushed up.
    margin : float, default 1.0
        m, in nats of log-odds: up, marked labels pull longer.
    focus : float >= 0, default 2.0
        :math:`\gamma`.

    Returns
    -------
    (n_rows, n_labels), without unit.

    Raises
    ------
    InputError
        If a setting is out of range.

    References
    ----------
    Zhang, Cheng, Huang, Wen, Feng, Li & Guo, "Simple and robust loss design for multi-label
    learning with missing labels", 2021 (arXiv:2112.07368), eqs. 6 and 8.
    """
    if ceiling < 1.5:
        raise InputError(f"`ceiling` must be at least 1.5; got {ceiling}.")
    check_marks(logits, positive)
    logits = wide(logits)
    p = torch.sigmoid(logits)
    return torch.where(positive, _focal(logits - margin, focus), (ceiling - p) * p**2)


def self_paced_correction(
    logits: Tensor,
    positive: Tensor,
    *,
    threshold: float = 0.6,
    margin: float = 1.0,
    focus: float = 2.0,
) -> Tensor:
    r"""SPLC: an unmarked label that the model gives more than a threshold counts as marked.

    :math:`-(1 - p_m)^\gamma \log p_m` where marked; elsewhere :math:`-p^\gamma \log(1 - p)` up to
    :math:`p = \tau`, and :math:`-(1 - p)^\gamma \log p` above. Right where the model is right
    when it is sure: start after some epochs (until then, threshold 1). It confirms its mistakes,
    which many epochs make many.

    Parameters
    ----------
    logits : (n_rows, n_labels) float
    positive : (n_rows, n_labels) bool
    threshold : float in (0, 1], default 0.6
        :math:`\tau`, a probability. Down: more labels are added.
    margin : float, default 1.0
        m, in nats of log-odds.
    focus : float >= 0, default 2.0
        :math:`\gamma`.

    Returns
    -------
    (n_rows, n_labels) nats, with a jump where a label changes sides.

    Raises
    ------
    InputError
        If `threshold` is out of range.

    References
    ----------
    Zhang et al., 2021 (arXiv:2112.07368), eqs. 8 and 10.
    """
    if not 0.0 < threshold <= 1.0:
        raise InputError(f"`threshold` must lie in (0, 1]; got {threshold}.")
    check_marks(logits, positive)
    logits = wide(logits)
    believed = positive | (torch.sigmoid(logits) > threshold)
    signed = torch.where(positive, logits - margin, logits)
    return _focal(torch.where(believed, signed, -signed), focus)


def _focal(logits: Tensor, focus: float) -> Tensor:
    """Focal loss of a label that is there: -(1 - p)^focus log p, all in logs."""
    if focus < 0:
        raise InputError(f"`focus` must be at least 0; got {focus}.")
    return torch.exp(focus * logsigmoid(-logits)) * softplus(-logits)
