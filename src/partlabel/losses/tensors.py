"""The door from evidence (numpy) to tensors."""

from typing import NamedTuple

import torch
from torch import Tensor

from partlabel.channels import Channels, log_likelihood
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes, as_evidence


class EvidenceTensors(NamedTuple):
    """What `evidence_tensors` gives back.

    Attributes
    ----------
    log_likelihood : (n_items, n_classes) float
        In nats; the largest value of each row is 0.
    kind : (n_items,) int64
        The surest thing known about each item, as a position in `partlabel.evidence.KINDS`.
    """

    log_likelihood: Tensor
    kind: Tensor


def evidence_tensors(
    evidence: Evidence | Votes | Candidates,
    channels: Channels | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> EvidenceTensors:
    """What evidence says of each item's class, for `marginal_nll` and `mixed_cost`.

    The largest value of each row is made 0, in double precision: with known channels, a constant
    per row teaches a network nothing, and without it a row about which nothing is known costs
    exactly nothing and costs of different rows compare. For channels that learn, see
    `partlabel.train`.

    Parameters
    ----------
    evidence : Evidence, Votes or Candidates
    channels : Channels, default None
        How observations come about. None trusts the candidates, and refuses votes.
    dtype : torch.dtype, default torch.float32
    device : torch.device or str, default None

    Raises
    ------
    InputError
        If the evidence rules out every class of an item, or there are votes and no channel for
        them.
    TypeError
        If `evidence` is something else.

    Examples
    --------
    >>> from partlabel import Candidates, LabelSpace
    >>> sets = Candidates.from_labels(["ham", None], LabelSpace(["ham", "spam"]))
    >>> evidence_tensors(sets)
    EvidenceTensors(log_likelihood=tensor([[0., -inf],
            [0., 0.]]), kind=tensor([1, 4]))
    """
    evidence = as_evidence(evidence)
    if channels is None and evidence.votes is not None:
        raise InputError(
            "`channels` must say what votes are worth; got None for evidence with votes. Pass "
            "Channels(votes=...), such as a label model's `confusion_`, or Channels() to ignore "
            "them."
        )
    table = torch.from_numpy(log_likelihood(evidence, channels or Channels()))
    table = table - table.amax(dim=-1, keepdim=True)
    kind = torch.from_numpy(evidence.kind()).to(torch.int64)
    return EvidenceTensors(table.to(device=device, dtype=dtype), kind.to(device))
