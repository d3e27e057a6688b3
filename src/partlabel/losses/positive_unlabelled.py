r"""Costs where some positives are marked, and the rest is a mix of positives and negatives.

====================  ============  ================================================================
symbol                code          shape, meaning
====================  ============  ================================================================
:math:`f(x)`          logits        (n_rows,) log-odds that the row is positive
:math:`s`             positive      (n_rows,) bool, marked as positive
:math:`e(x)`          propensity    p(marked | positive), one number or one for each row
====================  ============  ================================================================

These are likelihoods of the marks, one value per row. Where the positives come from elsewhere than
the unlabelled rows, or no probabilities are needed, take `positive_unlabelled_risk`.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from partlabel.errors import InputError


def positive_unlabelled_nll(logits: Tensor, positive: Tensor, propensity: Tensor | float) -> Tensor:
    r"""Observed likelihood of marks that positives get with a propensity: one sample.

    :math:`-\log \sigma(f) e` where marked, :math:`-\log(1 - \sigma(f) e)` elsewhere. Right where
    no negative is ever marked and `propensity` is that of the row; then :math:`\sigma(f)` is the
    probability of the true label and lies in [0, 1], unlike a classifier of marks that is divided
    by e afterwards. A propensity that is a sigmoid of parameters is learnt with the model (this is
    the likelihood that SAR-EM climbs), but only the product is seen: give it other features than
    the model, or a prior, or else it ends wherever it began. Works for any shape: in multi-label
    data, each label is a problem of its own. Fails where negatives are marked too, each of which
    costs without bound. Costs two softplus for each entry.

    Parameters
    ----------
    logits : (n_rows,) or any shape, float
    positive : bool, the shape of `logits`
    propensity : float in (0, 1], or a tensor that broadcasts against `logits`
        At 1 the cost is the binary cross-entropy that takes all unmarked rows for negative.

    Returns
    -------
    The shape of `logits`, nats.

    Raises
    ------
    InputError
        If the shapes differ, or a propensity that is one number is out of range.

    Examples
    --------
    >>> logits = torch.zeros(2)
    >>> positive_unlabelled_nll(logits, torch.tensor([True, False]), 0.5).exp()
    tensor([4.0000, 1.3333])

    References
    ----------
    Elkan & Noto, "Learning classifiers from only positive and unlabeled data", KDD 2008, lemma 1;
    Bekker, Robberechts & Davis, "Beyond the selected completely at random assumption for learning
    from positive and unlabeled data", ECML-PKDD 2019, section 4.
    """
    check_marks(logits, positive)
    seen, hidden = log_chance(logits, propensity, "propensity")
    log_p = logsigmoid(wide(logits))
    unmarked = torch.logaddexp(logsigmoid(-wide(logits)), hidden + log_p)
    return -torch.where(positive, log_p + seen, unmarked)


def positive_posterior(logits: Tensor, positive: Tensor, propensity: Tensor | float) -> Tensor:
    r"""Belief that a row is positive, given whether it is marked: the E-step.

    1 where marked, :math:`\sigma(f + \log(1 - e))` elsewhere. It lies in [0, 1] for any logits.
    Assumes and fails as `positive_unlabelled_nll` does. Costs one sigmoid for each entry.

    Parameters
    ----------
    logits, positive, propensity
        As in `positive_unlabelled_nll`.

    Returns
    -------
    The shape of `logits`, probabilities.

    Raises
    ------
    InputError
        As `positive_unlabelled_nll`.

    Examples
    --------
    >>> positive_posterior(torch.zeros(2), torch.tensor([True, False]), 0.5)
    tensor([1.0000, 0.3333])

    References
    ----------
    Elkan & Noto, KDD 2008, section 3.
    """
    check_marks(logits, positive)
    _, hidden = log_chance(logits, propensity, "propensity")
    unmarked = torch.sigmoid(wide(logits) + hidden)
    return torch.where(positive, torch.ones_like(unmarked), unmarked)


def log_chance(
    logits: Tensor, chance: Tensor | float, name: str, *, least: float | None = None
) -> tuple[Tensor, Tensor]:
    """Log of a chance and of its opposite, like `logits`; no gradient is NaN where it is 0 or 1.

    `least` is the lowest value that is taken, else anything above 0 is.
    """
    if not isinstance(chance, Tensor) and not (0.0 < chance <= 1.0 or chance == least):
        raise InputError(
            f"`{name}` must lie in {'(' if least is None else '['}0, 1]; got {chance}."
        )
    held = torch.as_tensor(chance, dtype=wide(logits).dtype, device=logits.device)
    return _log(held), _log1m(held)


def wide(logits: Tensor) -> Tensor:
    """Logits in float32 where they are in half precision, else as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def check_marks(logits: Tensor, marks: Tensor, name: str = "positive") -> None:
    """Refuse marks that are not one bool for each logit."""
    if marks.dtype != torch.bool:
        raise TypeError(f"`{name}` must be bool; got {marks.dtype}. Use `{name} == 1`.")
    if marks.shape != logits.shape:
        raise InputError(
            f"`{name}` must have the shape of `logits`, {tuple(logits.shape)}; "
            f"got {tuple(marks.shape)}."
        )


def _log(chance: Tensor) -> Tensor:
    never = chance <= 0.0
    return chance.masked_fill(never, 1.0).log().masked_fill(never, -torch.inf)


def _log1m(chance: Tensor) -> Tensor:
    always = chance >= 1.0
    return torch.log1p(-chance.masked_fill(always, 0.0)).masked_fill(always, -torch.inf)
