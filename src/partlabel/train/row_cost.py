"""RowCost: what the rows of a minibatch cost, for loops that hand over logits and labels alone."""

from typing import Any, Literal

import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses import marginal_nll
from partlabel.train.objectives import Expected, Function, made
from partlabel.train.running import RunningBeliefs
from partlabel.train.selection import SmallLoss


class RowCost:
    """A cost per row, from logits and "labels" that are whatever a trainer can carry.

    The labels of a minibatch may be

    - floats (n_rows, n_classes): the log-likelihood of each row itself, as `label_column` gives;
    - integers (n_rows,): positions in the `log_likelihood` or `beliefs` given here, so that
      minibatches stay small and beliefs can be kept row by row;
    - integers (n_rows,) where neither is given: classes, below 0 where not known.

    Parameters
    ----------
    objective : {"marginal", "expected", "em", "pseudo"} or function, default "marginal"
        As for `TorchPartialLabelClassifier`. A function of (logits, what the labels stand for)
        gives a cost (n_rows,): with `expected_nll`, the floats are beliefs.
    log_likelihood : (n_all_rows, n_classes) float, default None
        What is known of each row, as `partlabel.losses.evidence_tensors` gives.
    beliefs : RunningBeliefs, default None
        For "expected", "em" and "pseudo". "em" and "pseudo" change them in training, and leave them
        alone where no gradient is wanted: there, the cost is the marginal one.
    threshold, ramp, balanced
        Of "pseudo", as for `TorchPartialLabelClassifier`.
    selection : SmallLoss, default None
        Leave out the rows of each minibatch that cost most: they cost 0, and the others as much
        more as keeps the mean that over them. Not where no gradient is wanted. ``peer=False``, as
        there is one network here.
    gold : (n_all_rows,) bool, default None
        Rows that the selection never leaves out, such as ``known.kind == KINDS.index("gold")``
        of `partlabel.losses.evidence_tensors`; for labels that are positions.

    Raises
    ------
    InputError
        If the objective is unknown, or lacks the beliefs or likelihoods that it needs; if the
        selection asks for a peer.

    Examples
    --------
    >>> cost = RowCost(log_likelihood=torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]))
    >>> cost(torch.zeros(2, 2), torch.tensor([1, 0]))
    tensor([-0.0000, 0.6931])
    """

    def __init__(
        self,
        objective: Literal["marginal", "expected", "em", "pseudo"] | Function = "marginal",
        *,
        log_likelihood: Tensor | None = None,
        beliefs: RunningBeliefs | None = None,
        threshold: float | tuple[float, float] = (0.95, 0.8),
        ramp: int = 10,
        balanced: bool = True,
        selection: SmallLoss | None = None,
        gold: Tensor | None = None,
    ) -> None:
        def given() -> RunningBeliefs:
            if beliefs is None or (log_likelihood is None and objective != "expected"):
                raise InputError(
                    f"`objective={objective!r}` must have `beliefs` to keep, and unless it is "
                    "'expected' the `log_likelihood` to update them by. Pass them."
                )
            return beliefs

        if selection is not None and selection.peer:
            raise InputError(
                "`selection` must have peer=False: a RowCost sees one network. Pass "
                "SmallLoss(peer=False), or train both with TorchPartialLabelClassifier."
            )
        if gold is not None and log_likelihood is None and beliefs is None:
            raise InputError(
                "`gold` must come with `log_likelihood` or `beliefs`: without them, integers are "
                "classes, not positions. Pass either."
            )
        self.objective = made(objective, given, threshold=threshold, ramp=ramp, balanced=balanced)
        self.log_likelihood, self.selection, self.gold = log_likelihood, selection, gold
        self._epoch: int | None = None

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(n_rows,) The cost of each row.

        Raises
        ------
        InputError
            If the labels are floats and the objective keeps beliefs by position, or the selection
            wasn't told which epoch it is.
        """
        cost = self._cost(logits, labels)
        if self.selection is None or not torch.is_grad_enabled():
            return cost
        if self._epoch is None:
            raise InputError(
                "`begin` must be called before each epoch, as `selection` grows with them; it "
                "wasn't. Give the cost to `hugging_face_callback`, or call it in your loop."
            )
        kept = self.selection.kept(cost, self._checked(labels), self._epoch) > 0
        return cost.masked_fill(~kept, 0.0) * (len(kept) / kept.sum())

    def begin(self, epoch: int) -> None:
        """Get ready for an epoch ("pseudo" moves its threshold, a selection its share)."""
        self._epoch = epoch
        self.objective.begin(epoch)

    def end(self, epoch: int) -> str | None:
        """Never stops training."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """What training changes: the beliefs, and the epoch."""
        return {**self.objective.state_dict(), "epoch": self._epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Raises
        ------
        InputError
            If it is that of another objective.
        """
        if state.keys() != self.state_dict().keys():
            raise InputError(
                "`state` must be that of the same objective; it holds "
                f"{', '.join(state) or 'nothing'} instead of "
                f"{', '.join(self.state_dict()) or 'nothing'}. Resume with the objective that it "
                "was saved with."
            )
        self.objective.load_state_dict(state)
        self._epoch = state["epoch"]

    def _cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        if labels.is_floating_point():
            if isinstance(self.objective, Expected):
                raise InputError(
                    "`labels` must be the positions of rows, for an objective that keeps beliefs "
                    f"about them; got {labels.dtype}. Carry integers."
                )
            return self.objective(logits, labels, labels)
        if self.log_likelihood is None:
            known = self._classes(logits, labels)
        else:
            known = self.log_likelihood[labels.to(self.log_likelihood.device)].to(logits.device)
        if self.objective.keeps_beliefs and not torch.is_grad_enabled():
            return marginal_nll(logits, known)
        self.objective.hear(logits.detach(), known, labels)
        return self.objective(logits, known, labels)

    def _checked(self, labels: Tensor) -> Tensor:
        """(n_rows,) Whether a row has gold."""
        if self.gold is None:
            return torch.zeros(len(labels), dtype=torch.bool, device=labels.device)
        if labels.is_floating_point():
            raise InputError(
                f"`labels` must be the positions of rows, for `gold` to be found; got "
                f"{labels.dtype}. Carry integers."
            )
        return self.gold[labels.to(self.gold.device)].to(labels.device)

    def _classes(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(n_rows, n_classes) 0 for the class, and for all where it isn't known; -inf elsewhere."""
        if isinstance(self.objective, Expected):
            return torch.zeros_like(logits)  # it looks at its beliefs alone
        known = torch.zeros_like(logits).masked_fill_((labels >= 0)[:, None], -torch.inf)
        return known.scatter_(1, labels.clamp(min=0)[:, None], 0.0)
