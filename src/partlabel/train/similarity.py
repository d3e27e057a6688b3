r"""How alike two sets of features are, and what can be read from them.

==========================  ===============  ==============================================
symbol                      code             shape
==========================  ===============  ==============================================
:math:`X`                   features         (n_rows, ...), flattened and centred by column
:math:`K = X X^T`           centred_gram     (n_rows, n_rows)
==========================  ===============  ==============================================
"""

import torch
from torch import Tensor

from partlabel.errors import InputError


def linear_cka(one: Tensor, two: Tensor) -> Tensor:
    r"""How alike two layers see the same rows: linear centred kernel alignment.

    .. math::
        \frac{\lVert Y^T X \rVert_F^2}{\lVert X^T X \rVert_F \, \lVert Y^T Y \rVert_F}
        = \frac{\langle K, L \rangle_F}{\lVert K \rVert_F \, \lVert L \rVert_F}

    1 if one is the other up to rotation, shift and scale; near 0 if they have nothing in common.
    The layers may differ in width.

    It is led by the directions of largest variance: a layer can lose what a rare class needs at
    0.99, and a few outlying rows can move it. With fewer rows than features it is biased upwards,
    towards 1; use a few hundred rows, and compare over time rather than with a bar.

    Parameters
    ----------
    one, two : (n_rows, ...) float
        Features of the same rows; dimensions beyond the first are flattened.

    Returns
    -------
    () float in [0, 1]; 0 where one is constant.

    Raises
    ------
    InputError
        If they differ in rows.

    Notes
    -----
    Memory and time grow with the square of the rows.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
    >>> round(linear_cka(x, 3 * x.flip(1) + 1).item(), 4)
    1.0

    References
    ----------
    S. Kornblith et al., Similarity of neural network representations revisited, ICML 2019,
    section 3.
    """
    if len(one) != len(two):
        raise InputError(
            f"`one` and `two` must be features of the same rows; got {len(one)} and {len(two)}."
        )
    return alignment(centred_gram(one), centred_gram(two))


def alignment(one: Tensor, two: Tensor) -> Tensor:
    """() The cosine between two centred Gram matrices; 0 where one is 0."""
    size = one.norm() * two.norm()
    cosine: Tensor = (one * two).sum() / size.clamp(min=torch.finfo(size.dtype).tiny)
    return cosine


def centred_gram(features: Tensor) -> Tensor:
    """(n_rows, n_rows) Inner products of rows, once each column has mean 0; at least float32."""
    flat = features.flatten(1)
    wide = flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat
    centred = wide - wide.mean(0)
    return centred @ centred.T


def probe_accuracy(features: Tensor, codes: Tensor, *, ridge: float = 0.01) -> float:
    r"""How well the classes can still be read from the features: accuracy of a linear probe.

    A ridge regression on the classes as 0 and 1, each row predicted by the others. Leaving each row
    out needs no refit: :math:`\hat y_{-i} = y_i - (y_i - \hat y_i) / (1 - h_{ii})` with the hat
    matrix :math:`h = \frac{1}{n} + K (K + \lambda I)^{-1}`.

    It measures what the features hold, not what a head makes of them: for the score of the old head
    itself, pass your own function to `Forgetting`.

    Parameters
    ----------
    features : (n_rows, ...) float
    codes : (n_rows,) int64
        The classes, from 0.
    ridge : float above 0, default 0.01
        :math:`\lambda`, as a share of the rows' mean squared length.

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        If `codes` isn't about these rows.

    Notes
    -----
    Time grows with the cube of the rows: use some hundreds.

    References
    ----------
    R. Rifkin and A. Klautau, In defense of one-vs-all classification, JMLR 2004 (regularised least
    squares as a classifier, and its leave-one-out error).
    """
    if codes.shape != (len(features),):
        raise InputError(
            f"`codes` must have one class for each of the {len(features)} rows; got the shape "
            f"{tuple(codes.shape)}."
        )
    gram = centred_gram(features).double().cpu()
    n = len(gram)
    penalty = (ridge * gram.diagonal().mean()).clamp(min=torch.finfo(gram.dtype).tiny)
    hat = torch.linalg.solve(gram + penalty * torch.eye(n, dtype=gram.dtype), gram) + 1.0 / n
    truth = torch.nn.functional.one_hot(codes.cpu()).double()
    left_out = truth - (truth - hat @ truth) / (1.0 - hat.diagonal())[:, None]
    return float((left_out.argmax(1) == codes.cpu()).double().mean())
