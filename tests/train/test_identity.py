"""A checkpoint is taken up by the run that it is of, and by no other."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import KFold, cross_val_score

from partlabel import InputError, MajorityVote
from partlabel.train import SmallLoss, TorchMultiLabelClassifier, TorchPartialLabelClassifier, mlp
from partlabel.train.identity import described, identity

from .conftest import Blobs

REFUSED = "`checkpoint` must have been made by the same settings and rows"


def net(file: Path, **settings: Any) -> TorchPartialLabelClassifier:
    quick = {"max_epochs": 2, "batch_size": 64, "checkpoint": file, "resume": True}
    return TorchPartialLabelClassifier(**{**quick, **settings})


def test_settings_are_described_alike_in_any_process() -> None:
    made = described({"a": partial(mlp, hidden=(3,)), "b": SmallLoss(0.3), "c": MajorityVote()})
    assert "0x" not in made
    assert "mlp" in made
    assert "0.3" in made


def test_where_and_how_long_may_change() -> None:
    one = identity({"max_epochs": 3, "device": "cpu", "batch_size": 8}, [np.arange(3)])
    assert one == identity({"max_epochs": 9, "device": "cuda", "batch_size": 8}, [np.arange(3)])
    assert one != identity({"max_epochs": 3, "device": "cpu", "batch_size": 9}, [np.arange(3)])
    assert one != identity({"max_epochs": 3, "device": "cpu", "batch_size": 8}, [np.arange(4)])


@pytest.mark.parametrize(
    "changed",
    [
        {"learning_rate": 0.5},
        {"objective": "em"},
        {"optimizer": "sgd"},
        {"schedule": "cosine"},
        {"mixup": 0.3},
        {"kind_weights": {"partial": 0.5}},
        {"module": partial(mlp, hidden=(4,))},
    ],
)
def test_other_settings_are_refused(changed: Any, narrowed: Blobs, tmp_path: Path) -> None:
    net(tmp_path / "kept.pt").fit(narrowed.X, narrowed.candidates)
    with pytest.raises(InputError, match=REFUSED):
        net(tmp_path / "kept.pt", **changed).fit(narrowed.X, narrowed.candidates)


def test_other_rows_and_labels_are_refused(narrowed: Blobs, tmp_path: Path) -> None:
    net(tmp_path / "kept.pt").fit(narrowed.X, narrowed.names)
    for X, y in [
        (narrowed.X + 1.0, narrowed.names),
        (narrowed.X, np.roll(narrowed.names, 1)),
        (narrowed.X, np.char.add(narrowed.names, "ish")),
    ]:
        with pytest.raises(InputError, match=REFUSED):
            net(tmp_path / "kept.pt").fit(X, y)
    folds, model = KFold(2, shuffle=True, random_state=0), net(tmp_path / "kept.pt")
    with pytest.raises(InputError, match=REFUSED):
        cross_val_score(model, narrowed.X, narrowed.names, cv=folds, error_score="raise")


def test_a_longer_run_goes_on(narrowed: Blobs, tmp_path: Path) -> None:
    net(tmp_path / "kept.pt").fit(narrowed.X, narrowed.candidates)
    longer = net(tmp_path / "kept.pt", max_epochs=4).fit(narrowed.X, narrowed.candidates)
    assert longer.history_["epoch"].to_list() == [0, 1, 2, 3]


def test_a_file_that_is_no_checkpoint_is_refused(narrowed: Blobs, tmp_path: Path) -> None:
    for junk in (b"", b"e,f\n1,2\n"):
        (tmp_path / "kept.pt").write_bytes(junk)
        with pytest.raises(InputError, match=REFUSED):
            net(tmp_path / "kept.pt").fit(narrowed.X, narrowed.candidates)
        assert (tmp_path / "kept.pt").read_bytes() == junk


def test_many_labels_know_their_rows_too(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    quick = {"max_epochs": 2, "checkpoint": tmp_path / "kept.pt", "resume": True}
    TorchMultiLabelClassifier(**quick).fit(X, X > 0)
    with pytest.raises(InputError, match=REFUSED):
        TorchMultiLabelClassifier(**quick).fit(X + 1.0, X > 0)
