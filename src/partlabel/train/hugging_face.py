"""Hugging Face's Trainer on labels that are only partly known; imports it where it is used."""

import json
import math
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from partlabel.channels import Channels
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.files import replacing
from partlabel.losses import evidence_tensors
from partlabel.train.epochs import EachEpoch, Together
from partlabel.train.objectives import Function
from partlabel.train.row_cost import RowCost

IGNORED = -100.0  # what the Trainer leaves out when it counts labels


def label_column(
    evidence: Evidence | Votes | Candidates, channels: Channels | None = None
) -> NDArray[np.float32]:
    """Give what is known of each row as a column "labels" of a dataset.

    For datasets that travel without their evidence: shards, streams. Otherwise let "labels" be the
    positions of rows, and give `RowCost` the table.

    Parameters
    ----------
    evidence, channels
        As for `partlabel.losses.evidence_tensors`.

    Returns
    -------
    (n_items, n_classes) float32
        Log-likelihoods in nats. Exactly -100, which the Trainer would take for "no label", becomes
        the float beside it.
    """
    known = evidence_tensors(evidence, channels).log_likelihood.numpy()
    beside = np.nextafter(np.float32(IGNORED), np.float32(0.0))
    return np.where(known == np.float32(IGNORED), beside, known)


def hugging_face_rows(
    inputs: Mapping[str, Any], labels: ArrayLike | Tensor
) -> list[dict[str, Any]]:
    """Give rows as the Trainer takes them, for those who don't use `datasets`.

    Parameters
    ----------
    inputs : mapping of names to sequences
        What a tokeniser gives; rows may differ in length, if the collator pads them.
    labels : (n_rows,) positions or classes, or (n_rows, n_classes) as `label_column` gives

    Returns
    -------
    list of dict
        One for each row, with its "labels".

    Raises
    ------
    InputError
        If a part differs in length from the labels.

    Examples
    --------
    >>> hugging_face_rows({"input_ids": [[5, 6], [7]]}, [0, 1])[1]
    {'input_ids': [7], 'labels': 1}
    """
    known = torch.as_tensor(labels).tolist()  # collators that pad take no rows of tensors
    for name, part in inputs.items():
        if len(part) != len(known):
            raise InputError(
                f"`inputs` must have an entry for each of the {len(known)} labels; {name!r} has "
                f"{len(part)}."
            )
    return [
        {name: part[row] for name, part in inputs.items()} | {"labels": known[row]}
        for row in range(len(known))
    ]


def hugging_face_loss(
    cost: RowCost | Function | None = None,
) -> Callable[..., Tensor]:
    """Make a `compute_loss_func` for Hugging Face's Trainer.

    The mean over rows, also over the minibatches that make up one step: with
    `gradient_accumulation_steps` the Trainer counts labels, and would count a row of floats once
    for each class.

    Parameters
    ----------
    cost : RowCost, or function of (logits, log_likelihood), default None
        None is ``RowCost()``. What "labels" may be is said there. In data-parallel training each
        process has its own running beliefs: `merge` them after each epoch.

    Returns
    -------
    function of (outputs, labels, num_items_in_batch) to a tensor of no dimension

    Raises
    ------
    InputError
        When called, if a minibatch has no "labels".

    Examples
    --------
    >>> loss = hugging_face_loss()
    >>> loss({"logits": torch.zeros(2, 2)}, torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]))
    tensor(0.3466)
    """
    row_cost = cost if isinstance(cost, RowCost) else RowCost(cost or "marginal")

    def compute_loss(
        outputs: Any, labels: Tensor | None, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        if labels is None:
            raise InputError(
                "`labels` must be in every minibatch; there are none. Name the column 'labels', "
                "and see that the collator keeps it."
            )
        logits = outputs["logits"] if isinstance(outputs, Mapping) else outputs[0]
        costs = row_cost(logits, labels)
        if num_items_in_batch is None:
            return costs.mean()
        per_row = labels.shape[1] if labels.ndim > 1 else 1
        return costs.sum() * per_row / num_items_in_batch

    return compute_loss


def hugging_face_callback(*each_epoch: EachEpoch) -> Any:
    """Make a TrainerCallback that calls these around each epoch, and stops as they say.

    What they keep is saved into each of the Trainer's checkpoints, as "partlabel.pt" (by process,
    where there are several), and read when the Trainer resumes, which then ends as if it hadn't
    been broken off. The Trainer doesn't tell callbacks from where it resumes: where that isn't in
    its `output_dir`, set `resume_from_checkpoint` of its arguments too.

    Parameters
    ----------
    each_epoch : `Unfreezing`, `Forgetting`, `Memorising`, `RowCost` and the like

    Returns
    -------
    transformers.TrainerCallback
        Its `reasons` are the sentences of those that stopped training.

    Raises
    ------
    ModuleNotFoundError
        If `transformers` isn't installed.
    InputError
        In training, if the checkpoint to resume from can't be found, or isn't of these.
    """
    base: Any = import_module("transformers").TrainerCallback
    together = Together(each_epoch)

    class Callback(base):
        resumed: dict[str, Any] | None = None

        @property
        def reasons(self) -> list[str]:
            return together.reasons

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if together and state.global_step > 0:
                self.resumed = _read(_resumed_from(args, state) / _name(args))
                together.load_state_dict(self.resumed)
                if together.catch_up(math.floor(state.epoch)) is not None:
                    control.should_training_stop = True

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            together.begin(math.floor(state.epoch))
            if self.resumed is not None and state.epoch % 1 > 0:
                together.load_state_dict(self.resumed)  # as this epoch began, not as it is now
            self.resumed = None

        def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if together.end(math.ceil(state.epoch) - 1) is not None:
                control.should_training_stop = True

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if together and not state.is_hyper_param_search:  # whose runs aren't resumed
                with replacing(_folder(args, state) / _name(args)) as fresh:
                    torch.save(together.state_dict(), fresh)

    return Callback()


def _folder(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _name(args: Any) -> str:
    return "partlabel.pt" if args.world_size == 1 else f"partlabel_{args.process_index}.pt"


def _resumed_from(args: Any, state: Any) -> Path:
    """The checkpoint that the Trainer has taken up: the one that logged what `state` has logged."""
    named = [Path(args.resume_from_checkpoint)] if args.resume_from_checkpoint else []
    for folder in (*named, _folder(args, state)):
        file = folder / "trainer_state.json"
        if file.is_file():
            logged = json.loads(file.read_text(encoding="utf-8"))["log_history"]
            if json.dumps(logged) == json.dumps(state.log_history):
                return folder
    raise InputError(
        f"`resume_from_checkpoint` of `TrainingArguments` must name the checkpoint of step "
        f"{state.global_step} that training resumes from, where it isn't in {args.output_dir!r}. "
        "Set it beside that of `train`."
    )


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise InputError(
            f"`resume_from_checkpoint` must be of a run with the same `hugging_face_callback`; "
            f"{file.parent.name} has no {file.name!r}. Without what that kept, training would "
            "silently begin anew: resume from another checkpoint, or train from the start."
        )
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state
