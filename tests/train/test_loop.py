"""The training loop: it stops early, goes on from a checkpoint, and keeps chance to itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from partlabel import Candidates, Evidence, InputError
from partlabel.train import Ending, TorchPartialLabelClassifier, mlp
from partlabel.train.loop import chance, minibatches

from .conftest import LABELS, Blobs, biased_votes, blobs


def dropping(n_features: int, n_classes: int) -> torch.nn.Sequential:
    return mlp(n_features, n_classes, hidden=(16,), dropout=0.3)


def test_early_stopping_stops_and_keeps_the_best_epoch() -> None:
    data = blobs(120, extra=0.5, spread=3.0)
    fitted = TorchPartialLabelClassifier(
        max_epochs=200, patience=5, learning_rate=0.1, validation_share=0.3
    ).fit(data.X, data.candidates)
    assert fitted.status_ is Ending.EARLY
    scores = fitted.history_["held_out"].to_list()
    assert len(scores) < 200
    assert np.argmax(scores) == len(scores) - 6


def test_early_stopping_on_gold_looks_at_gold_alone() -> None:
    data = blobs(300, extra=0.3)
    lies = np.array(LABELS.classes)[(data.truth + 1) % 3]
    gold = [LABELS.classes[k] if i < 100 else None for i, k in enumerate(data.truth)]
    evidence = Evidence(
        candidates=Candidates.from_labels(lies, LABELS),
        gold=Candidates.from_labels(gold, LABELS),
        conflicts="relax",
    )
    told = TorchPartialLabelClassifier(
        early_stopping="gold", validation_share=0.5, learning_rate=0.01, patience=3
    ).fit(data.X, evidence)
    assert told.history_["held_out"].max() > told.history_["held_out"].to_list()[-1]
    assert told.contributions_["held_out"].to_list() == [50, 0, 0, 0, 0]


class Gone(Exception):  # noqa: N818 - an interruption, no error
    """Stands for a machine that is taken away."""


def stop_after(n: int) -> object:
    def progress(record: dict[str, float]) -> None:
        if record["epoch"] == n - 1:
            raise Gone

    return progress


@pytest.mark.parametrize("objective", ["em", "pseudo"])
def test_a_resumed_run_is_an_uninterrupted_one(objective: str, tmp_path: Path) -> None:
    data = blobs(150, extra=0.0)
    settings = {
        "module": dropping,
        "objective": objective,
        "channel": "learnt",
        "momentum": 0.5,
        "schedule": "cosine",
        "max_epochs": 6,
        "batch_size": 32,
        "threshold": 0.6,
    }
    votes = biased_votes(data.truth)
    whole = TorchPartialLabelClassifier(**settings).fit(data.X, votes)
    file = tmp_path / "state.pt"
    with pytest.raises(Gone):
        TorchPartialLabelClassifier(**settings, checkpoint=file, progress=stop_after(3)).fit(
            data.X, votes
        )
    resumed = TorchPartialLabelClassifier(**settings, checkpoint=file, resume=True)
    resumed.fit(data.X, votes)
    assert resumed.history_.equals(whole.history_)
    assert resumed.contributions_.equals(whole.contributions_)
    assert np.array_equal(resumed.predict_proba(data.X), whole.predict_proba(data.X))
    assert np.array_equal(resumed.beliefs_.probs, whole.beliefs_.probs)


def test_a_checkpoint_of_other_rows_is_refused(tmp_path: Path, narrowed: Blobs) -> None:
    file = tmp_path / "state.pt"
    net = TorchPartialLabelClassifier(max_epochs=1, checkpoint=file, resume=True)
    net.fit(narrowed.X, narrowed.candidates)
    with pytest.raises(InputError, match="`checkpoint` must have been made by the same settings"):
        net.fit(narrowed.X[:99], narrowed.candidates.select(slice(99)))


@pytest.mark.parametrize(("n", "size"), [(1, 4), (4, 4), (5, 4), (9, 4), (100, 7)])
def test_minibatches_hold_every_row_once_and_none_is_left_alone(n: int, size: int) -> None:
    rows = torch.arange(n) * 3
    parts = minibatches(rows, size, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(parts).tolist()) == rows.tolist()
    lengths = [len(part) for part in parts]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


def test_chance_within_is_that_of_the_seed_and_outside_untouched() -> None:
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    with chance(5, torch.device("cpu")):
        one = torch.rand(2)
    with chance(5, torch.device("cpu")):
        assert torch.equal(torch.rand(2), one)
    assert torch.equal(torch.rand(3), expected)
