"""The real Trainer, on a tiny model that is built from its configuration."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from partlabel import (
    Beliefs,
    Candidates,
    Channels,
    Confusion,
    Evidence,
    InputError,
    LabelSpace,
    Votes,
)
from partlabel.losses import evidence_tensors
from partlabel.train import (
    Forgetting,
    Memorising,
    RowCost,
    RunningBeliefs,
    Unfreezing,
    hugging_face_callback,
    hugging_face_loss,
    hugging_face_rows,
    l2_sp,
    label_column,
    layer_groups,
    parameter_groups,
)

from .conftest import LABELS

transformers = pytest.importorskip("transformers", reason="needs Hugging Face's Trainer")


def model() -> Any:
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=12,
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=1,
            intermediate_size=8,
            max_position_embeddings=8,
            num_labels=3,
        )
    )


def texts(n: int = 12) -> tuple[dict[str, torch.Tensor], Evidence]:
    """The class is the first word; one wrong class is a candidate too, and some rows have none."""
    code = np.arange(n) % 3
    words = torch.randint(5, 12, (n, 4), generator=torch.Generator().manual_seed(0))
    words[:, 0] = torch.as_tensor(code) + 1
    mask = np.eye(3, dtype=bool)[code] | np.eye(3, dtype=bool)[(code + np.arange(n) // 3) % 3]
    mask[-1] = True
    return {"input_ids": words}, Evidence(candidates=Candidates.from_mask(mask, LABELS))


def trainer(net: Any, rows: list[Any], folder: Path, loss: Any, **settings: Any) -> Any:
    more = {key: settings.pop(key) for key in ("callbacks", "optimizers") if key in settings}
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        logging_strategy="epoch",
        dataloader_pin_memory=False,
        **{
            "num_train_epochs": 2,
            "per_device_train_batch_size": 4,
            "save_strategy": "no",
            **settings,
        },
    )
    return transformers.Trainer(
        model=net,
        args=arguments,
        train_dataset=rows,
        eval_dataset=rows,
        compute_loss_func=loss,
        **more,
    )


def by_hand(net: Any, inputs: Any, known: torch.Tensor, size: int) -> list[torch.Tensor]:
    """The weights after one epoch of plain steps over batches of this size, in order."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    net.eval()
    for rows in torch.arange(len(known)).split(size):
        optimizer.zero_grad()
        probs = torch.softmax(net(**{k: v[rows] for k, v in inputs.items()}).logits, 1)
        (-(probs * known[rows].exp()).sum(1).log()).mean().backward()
        optimizer.step()
    return [parameter.detach() for parameter in net.parameters()]


@pytest.mark.parametrize("carried", ["likelihoods", "positions"])
@pytest.mark.parametrize(("size", "accumulated"), [(4, 1), (2, 2), (4, 2)])
def test_it_trains_as_plain_steps_do_however_minibatches_are_gathered(
    carried: str, size: int, accumulated: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, evidence = texts()
    known = evidence_tensors(evidence).log_likelihood
    if carried == "likelihoods":
        rows, loss = hugging_face_rows(inputs, label_column(evidence)), hugging_face_loss()
    else:
        rows = hugging_face_rows(inputs, np.arange(12))
        loss = hugging_face_loss(RowCost(log_likelihood=known))
    net = model().eval()
    monkeypatch.setattr(net, "train", lambda _=True: net)  # dropout would differ
    made = trainer(
        net,
        rows,
        tmp_path,
        loss,
        num_train_epochs=1,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulated,
        max_grad_norm=0.0,
        train_sampling_strategy="sequential",
        optimizers=(torch.optim.SGD(net.parameters(), lr=0.5), None),
        lr_scheduler_type="constant",
    )
    made.train()
    expected = by_hand(model(), inputs, known, size * accumulated)
    for one, two in zip(net.parameters(), expected, strict=True):
        assert torch.allclose(one, two, atol=1e-5)


def test_evaluation_gives_the_held_out_marginal_cost_per_row(tmp_path: Path) -> None:
    inputs, evidence = texts()
    known = evidence_tensors(evidence).log_likelihood
    net = model().eval()
    made = trainer(
        net,
        hugging_face_rows(inputs, label_column(evidence)),
        tmp_path,
        hugging_face_loss(),
        per_device_eval_batch_size=12,
    )
    with torch.no_grad():
        probs = torch.softmax(net(**inputs).logits, 1)
    expected = -(probs * known.exp()).sum(1).log().mean().item()
    assert made.evaluate()["eval_loss"] == pytest.approx(expected, abs=1e-5)


def test_running_beliefs_learn_the_classes(tmp_path: Path) -> None:
    inputs, evidence = texts(30)
    known = evidence_tensors(evidence).log_likelihood
    start = Beliefs(torch.softmax(known.double(), 1).numpy(), LABELS)
    kept = RunningBeliefs(start)
    cost = RowCost("em", log_likelihood=known, beliefs=kept)
    net = model()
    made = trainer(
        net,
        hugging_face_rows(inputs, np.arange(30)),
        tmp_path,
        hugging_face_loss(cost),
        callbacks=[hugging_face_callback(cost)],
        num_train_epochs=25,
        learning_rate=0.02,
    )
    made.train()
    believed = kept.to_beliefs().probs[:29].argmax(axis=1)
    assert (believed == np.arange(29) % 3).mean() > 0.9


class StopAfter:
    """Says to stop after an epoch, and keeps what it was called with."""

    def __init__(self, last: int) -> None:
        self.last, self.seen = last, list[tuple[str, int]]()

    def begin(self, epoch: int) -> None:
        self.seen.append(("begin", epoch))

    def end(self, epoch: int) -> str | None:
        self.seen.append(("end", epoch))
        return "enough" if epoch >= self.last else None


def test_callbacks_unfreeze_pull_back_and_stop(tmp_path: Path) -> None:
    inputs, evidence = texts()
    net = model()
    groups = layer_groups(net)
    assert [group.name for group in groups] == [
        "bert.embeddings",
        "bert.encoder.layer.0",
        "bert.encoder.layer.1",
        "bert.pooler",
        "classifier",
    ]
    start = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.AdamW(parameter_groups(groups, 0.01, decay=0.5), weight_decay=0.0)
    l2_sp(optimizer, groups[3].parameters, 1000.0)
    stop = StopAfter(1)
    callback = hugging_face_callback(Unfreezing(groups, [9, 9, 1, 0, 0]), stop)
    trainer(
        net,
        hugging_face_rows(inputs, label_column(evidence)),
        tmp_path,
        hugging_face_loss(),
        num_train_epochs=7,
        optimizers=(optimizer, None),
        lr_scheduler_type="constant",
        callbacks=[callback],
    ).train()
    assert stop.seen == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
    assert callback.reasons == ["enough"]
    moved = {name for name, p in net.named_parameters() if not p.equal(start[name])}
    assert moved == {*groups[2].parameters, *groups[4].parameters}


class BreakOff(transformers.TrainerCallback):
    """Fails before a step, as a machine may."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise ConnectionAbortedError


class Run:
    """Twelve texts of four a batch, three steps an epoch, with beliefs, bars and both watches."""

    def __init__(self, folder: Path, *more: Any, **settings: Any) -> None:
        inputs, evidence = texts()
        known = evidence_tensors(evidence).log_likelihood
        start = Beliefs(torch.softmax(known.double(), 1).numpy(), LABELS)
        self.kept = RunningBeliefs(start, momentum=0.5)
        how: dict[str, Any] = {"threshold": (0.5, 0.3), "ramp": 2}
        cost = RowCost("pseudo", log_likelihood=known, beliefs=self.kept, **how)
        net = model()
        self.forgetting = Forgetting(net, layer_groups(net), inputs)
        rows = ({"input_ids": inputs["input_ids"]}, known)
        self.memorising = Memorising(net, rows, rows, patience=99)
        self.watches = (cost, self.forgetting, self.memorising)
        self.trainer = trainer(
            net,
            hugging_face_rows(inputs, np.arange(12)),
            folder,
            hugging_face_loss(cost),
            callbacks=[hugging_face_callback(*self.watches), *more],
            **{"num_train_epochs": 4, "learning_rate": 0.02, **settings},
        )


@pytest.mark.parametrize("every", [3, 2])  # the ends of epochs, or their midst
def test_a_resumed_run_believes_what_an_uninterrupted_one_does(every: int, tmp_path: Path) -> None:
    saved = {"save_strategy": "steps", "save_steps": every}
    whole = Run(tmp_path / "whole", **saved)
    whole.trainer.train()
    broken = Run(tmp_path / "broken", BreakOff(10), **saved)
    with pytest.raises(ConnectionAbortedError):
        broken.trainer.train()
    resumed = Run(tmp_path / "broken", **saved)
    resumed.trainer.train(resume_from_checkpoint=str(tmp_path / f"broken/checkpoint-{2 * every}"))
    assert torch.equal(resumed.kept.probs, whole.kept.probs)
    assert not torch.equal(broken.kept.probs, whole.kept.probs)
    assert resumed.forgetting.history == whole.forgetting.history
    assert resumed.memorising.history == whole.memorising.history
    assert len(whole.memorising.history) == 4
    for one, two in zip(
        resumed.trainer.model.parameters(), whole.trainer.model.parameters(), strict=True
    ):
        assert torch.equal(one, two)


def test_a_checkpoint_elsewhere_is_named_in_the_arguments(tmp_path: Path) -> None:
    told = {"save_strategy": "epoch", "num_train_epochs": 2}
    Run(tmp_path / "a", **told).trainer.train()
    there = str(tmp_path / "a" / "checkpoint-3")
    with pytest.raises(InputError, match="`resume_from_checkpoint` of `TrainingArguments` must"):
        Run(tmp_path / "b", **told).trainer.train(resume_from_checkpoint=there)
    resumed = Run(tmp_path / "b", resume_from_checkpoint=there, **told)
    resumed.trainer.train(resume_from_checkpoint=there)
    assert len(resumed.memorising.history) == 2


def test_a_checkpoint_without_what_was_kept_is_refused(tmp_path: Path) -> None:
    told = {"save_strategy": "epoch", "num_train_epochs": 2}
    Run(tmp_path, **told).trainer.train()
    again, other = Run(tmp_path, **told), Run(tmp_path, **told)
    other.trainer.remove_callback(other.trainer.callback_handler.callbacks[-1])
    other.trainer.add_callback(hugging_face_callback(*reversed(other.watches)))
    with pytest.raises(InputError, match=r"must be of what is called each epoch, .'0 Memorising'"):
        other.trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    (tmp_path / "checkpoint-3" / "partlabel.pt").unlink()
    with pytest.raises(InputError, match=r"checkpoint-3 has no 'partlabel\.pt'"):
        again.trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))


def test_minus_100_is_moved_aside_so_that_the_trainer_counts_it() -> None:
    votes = Votes.from_matrix([[0]], LabelSpace(["a", "b"]), sources=["s"])
    confusion = Confusion.known({"s": [[1.0, 0.0], [np.exp(-100.0), 1.0]]}, votes)
    column = label_column(Evidence(votes=votes), Channels(votes=confusion))
    assert column.dtype == np.float32
    assert column[0] == pytest.approx([0.0, -100.0], abs=1e-3)
    assert not (column == -100.0).any()


def test_neither_trainer_is_imported_before_it_is_asked_for() -> None:
    code = "import sys, partlabel.train; print(*({'transformers', 'lightning'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_refusals() -> None:
    with pytest.raises(InputError, match="`labels` must be in every minibatch"):
        hugging_face_loss()({"logits": torch.zeros(1, 2)}, None)
    with pytest.raises(InputError, match="`inputs` must have an entry for each of the 2 labels"):
        hugging_face_rows({"input_ids": [[1]]}, [0, 1])
