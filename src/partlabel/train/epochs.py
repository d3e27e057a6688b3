"""What acts between the epochs of training, whichever loop trains."""

from collections.abc import Sequence
from typing import Protocol

from partlabel.errors import InputError
from partlabel.train.layers import LayerGroup


class EachEpoch(Protocol):
    """Something to call before and after each epoch: unfreezing, or a watch that may stop training.

    Your own loop calls it itself; `hugging_face_callback` and `lightning_callback` let these
    trainers do it.
    """

    def begin(self, epoch: int) -> None:
        """Get ready for an epoch, counted from 0; also for one to resume at."""
        ...

    def end(self, epoch: int) -> str | None:
        """Look at what an epoch has done; a sentence if training should stop, and why."""
        ...


class Unfreezing:
    """Let groups of layers begin to learn at different epochs.

    Fine-tuning all at once bends pretrained features while the new head is still random: the head's
    first, wrong gradients pass through them. Freezing holds batch norm and dropout too.

    It loses where the features are poor for the new task, so that the head alone overfits to them,
    and where there are labels enough to learn new ones. In data-parallel training, `begin` must
    come before the network is wrapped, or the wrapper must look for unused parameters.

    Parameters
    ----------
    groups : sequence of LayerGroup, from the inputs to the head
    start : sequence of int
        The epoch at which each group begins to learn; those past the end never do.

    Raises
    ------
    InputError
        If the two differ in length, or nothing learns in epoch 0.

    Examples
    --------
    >>> from torch import nn
    >>> from partlabel.train import layer_groups
    >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    >>> Unfreezing.gradual(layer_groups(net), every=3).start
    (3, 0)
    """

    def __init__(self, groups: Sequence[LayerGroup], start: Sequence[int]) -> None:
        if len(groups) != len(start) or min(start, default=1) > 0:
            raise InputError(
                f"`start` must have an epoch for each of the {len(groups)} groups, 0 among them; "
                f"got {list(start)}."
            )
        self.groups, self.start = tuple(groups), tuple(start)

    @classmethod
    def gradual(cls, groups: Sequence[LayerGroup], *, every: int = 1) -> "Unfreezing":
        """Begin with the head, and let one more group learn every so many epochs.

        References
        ----------
        J. Howard and S. Ruder, Universal language model fine-tuning for text classification, ACL
        2018, section 3.3.
        """
        return cls(groups, [every * depth for depth in reversed(range(len(groups)))])

    @classmethod
    def probe_first(cls, groups: Sequence[LayerGroup], *, epochs: int = 5) -> "Unfreezing":
        """Train the head alone for some epochs (a linear probe), and then everything (LP-FT).

        Once the head fits the frozen features, its gradients barely bend them: in two-layer linear
        networks the features change less, and predictions far from the training data stay better.
        Take as many epochs as the head needs to converge, and a lower learning rate for the rest.

        References
        ----------
        A. Kumar et al., Fine-tuning can distort pretrained features and underperform
        out-of-distribution, ICLR 2022, section 3.
        """
        return cls(groups, [epochs] * (len(groups) - 1) + [0])

    def begin(self, epoch: int) -> None:
        """Freeze and unfreeze what this epoch asks for."""
        for group, start in zip(self.groups, self.start, strict=True):
            if epoch >= start:
                group.unfreeze()
            else:
                group.freeze()

    def end(self, epoch: int) -> str | None:
        """Never stops training."""
        return None
