"""What acts between the epochs of training, whichever loop trains."""

from collections.abc import Sequence
from typing import Any, Protocol

from partlabel.errors import InputError
from partlabel.train.layers import LayerGroup
from partlabel.train.loop import Stateful


class EachEpoch(Protocol):
    """Something to call before and after each epoch: unfreezing, or a watch that may stop training.

    Your own loop calls it itself; `hugging_face_callback` and `lightning_callback` let these
    trainers do it. One that has `state_dict` and `load_state_dict`, of tensors and plain values, is
    kept in checkpoints.
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


class Together:
    """Several of them, called as one and kept in checkpoints as one.

    Attributes
    ----------
    reasons : list of str
        What those that would stop training said after the last epoch.
    """

    def __init__(self, parts: Sequence[EachEpoch]) -> None:
        self.parts = tuple(parts)
        self.reasons: list[str] = []
        self._stateful = {
            f"{place} {type(part).__name__}": part
            for place, part in enumerate(self.parts)
            if isinstance(part, Stateful)
        }
        self._ended = 0

    def __bool__(self) -> bool:
        """Whether any of them has a state."""
        return bool(self._stateful)

    def begin(self, epoch: int) -> None:
        """Get all ready for an epoch."""
        for part in self.parts:
            part.begin(epoch)

    def end(self, epoch: int) -> str | None:
        """Let each look, also after one has spoken; what the first says."""
        said = [part.end(epoch) for part in self.parts]
        self.reasons = [reason for reason in said if reason is not None]
        self._ended = epoch + 1
        return next(iter(self.reasons), None)

    def catch_up(self, epoch: int) -> str | None:
        """End the epoch before this one, if the checkpoint taken up was saved just before that."""
        return self.end(epoch - 1) if self._ended < epoch else None

    def state_dict(self) -> dict[str, Any]:
        """The states of those that have one."""
        parts = {name: part.state_dict() for name, part in self._stateful.items()}
        return {"ended": self._ended, "parts": parts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Raises
        ------
        InputError
            If it is the state of others than these.
        """
        if list(state["parts"]) != list(self._stateful):
            raise InputError(
                f"The checkpoint must be of what is called each epoch, {list(self._stateful)}; it "
                f"is of {list(state['parts'])}. Give the same, in the same order."
            )
        for name, part in self._stateful.items():
            part.load_state_dict(state["parts"][name])
        self.reasons, self._ended = [], state["ended"]
