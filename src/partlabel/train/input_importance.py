r"""Input importance: which inputs a network's predictions rest on.

With captum (``pip install captum``) the contribution of input :math:`j` is that of integrated
gradients from an input of zeros,

.. math:: c_j = x_j \int_0^1 \partial_j z(\alpha x) \, d\alpha;

without it the gradient at the input itself, times the input, :math:`x_j \, \partial_j z(x)`, which
is the same for a network that is linear between 0 and :math:`x`. Here :math:`z` is the logit of the
predicted class less the mean of all.

M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017, eq. 1.
A. Shrikumar et al., "Not just a black box", 2016, arXiv 1605.01713 (gradient times input).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from partlabel.errors import InputError
from partlabel.train.inputs import Inputs, apply

try:
    from captum.attr import IntegratedGradients
except ImportError:  # it is optional
    IntegratedGradients = None

BATCH = 64


def input_importance(
    network: nn.Module, inputs: Inputs, device: torch.device
) -> NDArray[np.float64]:
    """Give the mean absolute contribution of each input to the predicted class.

    Parameters
    ----------
    network : nn.Module
        On the device, as it predicts.
    inputs : Inputs of vectors
    device : torch.device

    Returns
    -------
    (n_features,) float, in logits

    Raises
    ------
    InputError
        If rows aren't vectors.
    """
    if inputs.width is None:
        raise InputError(
            "`X` must have a number for each feature; its rows aren't vectors. Ask of what the "
            "first layers make of them."
        )
    total = torch.zeros(inputs.width, dtype=torch.float64, device=device)
    for rows in torch.split(torch.arange(len(inputs)), BATCH):
        total += contributions(network, inputs.take(rows, device)).abs().sum(0)
    return np.asarray((total / len(inputs)).cpu())


def contributions(network: nn.Module, batch: Tensor) -> Tensor:
    """(n_rows, n_features) What each input adds to the logit of the predicted class."""

    def centred(values: Tensor) -> Tensor:
        logits = apply(network, values)
        return logits - logits.mean(dim=1, keepdim=True)

    with torch.no_grad():
        predicted = centred(batch).argmax(dim=1)
    if IntegratedGradients is not None:
        found: Tensor = IntegratedGradients(centred).attribute(batch, target=predicted)
        return found.detach()
    inputs = batch.detach().requires_grad_()
    (slope,) = torch.autograd.grad(centred(inputs).gather(1, predicted[:, None]).sum(), inputs)
    return slope * batch
