r"""Costs for exact labels that are sometimes wrong, by a known confusion matrix.

====================  =================  ===========================================================
symbol                code               shape, meaning
====================  =================  ===========================================================
:math:`f(x)`          logits             (n_rows, n_classes)
:math:`\tilde y`      labels             (n_rows,) the class that was said, as a code
:math:`T_{ij}`        confusion          (n_classes, n_classes) p(said j | true i); rows add up to 1
:math:`\ell(i, f)`    elementwise loss   (n_rows, n_classes) the loss if the class were i
====================  =================  ===========================================================

Patrini, Rozza, Menon, Nock & Qu, "Making deep neural networks robust to label noise: a loss
correction approach", CVPR 2017, theorems 1 and 2. Where the matrix is not known, learn it with the
classifier, or take a cost of `partlabel.losses.noise_robust`, which needs none.
"""

import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses.marginal import marginal_nll


def forward_correction(logits: Tensor, labels: Tensor, confusion: Tensor) -> Tensor:
    r"""Cross-entropy of the label that was said, through the confusion that made it.

    :math:`-\log \sum_i p_\theta(i | x) \, T_{i \tilde y}`: `marginal_nll` with the column of the
    matrix as likelihood. Right where the noise depends on the true class alone, not on the row;
    the minimiser is then the clean posterior, if `confusion` has full rank. Fails softly if the
    matrix is wrong: the predictions then are off by what it is off. Costs one logsumexp more than
    cross-entropy. A matrix with gradient is learnt with the model; start it near the identity.

    Parameters
    ----------
    logits : (n_rows, n_classes) float
    labels : (n_rows,) int64, each in [0, n_classes)
    confusion : (n_classes, n_classes) float
        p(said | true): row the true class, column the class said.

    Returns
    -------
    (n_rows,) nats; inf where the matrix says that the label cannot be said.

    Raises
    ------
    InputError
        If the shapes don't belong together.

    Examples
    --------
    >>> confusion = torch.tensor([[0.8, 0.2], [0.0, 1.0]])
    >>> forward_correction(torch.zeros(2, 2), torch.tensor([0, 1]), confusion).exp()
    tensor([2.5000, 1.6667])

    References
    ----------
    Patrini et al., CVPR 2017, theorem 2.
    """
    check_labels(logits, labels)
    _check_confusion(logits, confusion)
    return marginal_nll(logits, confusion.log().T[labels])


def backward_correction(losses: Tensor, labels: Tensor, confusion: Tensor) -> Tensor:
    r"""Unbiased estimate, from noisy labels, of what any loss would be on the clean ones.

    :math:`\sum_i (T^{-1})_{\tilde y i} \, \ell(i, f(x))`, so that the mean over the noise is the
    clean loss exactly, for any model. Right where the noise depends on the true class alone and
    the matrix is known. Its values can be negative and unbounded below: large models drive it
    there, and errors of a badly conditioned matrix are blown up by its inverse; prefer
    `forward_correction` unless the loss is no likelihood. Costs an inverse, O(n_classes^3), in
    each call, and one pass over the elementwise losses.

    Parameters
    ----------
    losses : (n_rows, n_classes) float
        The loss of each row for each class, ``-log_softmax(logits, -1)`` for cross-entropy.
    labels : (n_rows,) int64, each in [0, n_classes)
    confusion : (n_classes, n_classes) float
        p(said | true), invertible.

    Returns
    -------
    (n_rows,) in the loss's unit; may be negative.

    Raises
    ------
    InputError
        If the shapes don't belong together.
    torch.linalg.LinAlgError
        If the matrix is singular: no correction exists, as two classes then look alike.

    Examples
    --------
    >>> confusion = torch.tensor([[0.8, 0.2], [0.2, 0.8]])
    >>> losses = torch.tensor([[0.0, 1.0]])  # right if the class is 0
    >>> backward_correction(losses, torch.tensor([0]), confusion)
    tensor([-0.3333])

    References
    ----------
    Patrini et al., CVPR 2017, theorem 1; Natarajan, Dhillon, Ravikumar & Tewari, "Learning with
    noisy labels", NIPS 2013, lemma 1.
    """
    check_labels(losses, labels)
    _check_confusion(losses, confusion)
    exact = torch.promote_types(losses.dtype, torch.float32)
    inverse = torch.linalg.inv(confusion.to(exact))
    corrected: Tensor = (inverse[labels] * losses.to(exact)).sum(-1)
    return corrected


def check_labels(scores: Tensor, labels: Tensor) -> None:
    """Refuse labels that are not one code for each row; their values stay where they are."""
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise InputError(
            "`labels` must have one code for each row of (n_rows, n_classes) logits; got "
            f"{tuple(labels.shape)} for {tuple(scores.shape)}. Leave rows without a label out."
        )
    if labels.dtype != torch.int64:
        raise TypeError(f"`labels` must be int64 codes; got {labels.dtype}. Use `.long()`.")


def _check_confusion(scores: Tensor, confusion: Tensor) -> None:
    n_classes = scores.shape[1]
    if confusion.shape != (n_classes, n_classes):
        raise InputError(
            f"`confusion` must have the shape ({n_classes}, {n_classes}); "
            f"got {tuple(confusion.shape)}. Give a row for each true class."
        )
