"""Unfreezing, and the scenario: what keeps the old task while a new one is learnt."""

from pathlib import Path

import pytest
import torch
from torch import nn

from partlabel import InputError
from partlabel.train import (
    EachEpoch,
    Ending,
    Forgetting,
    Memorising,
    TorchPartialLabelClassifier,
    Unfreezing,
    l2_sp,
    layer_groups,
    mlp,
    parameter_groups,
)

from .conftest import Blobs
from .planted import Planted, descend, planted


def learning(groups: tuple[object, ...], unfreezing: Unfreezing, epoch: int) -> list[bool]:
    unfreezing.begin(epoch)
    return [all(p.requires_grad for p in group.parameters.values()) for group in groups]


def test_gradual_unfreezing_goes_from_the_head_to_the_inputs() -> None:
    groups = layer_groups(nn.Sequential(*[nn.Linear(2, 2) for _ in range(3)]))
    plan = Unfreezing.gradual(groups, every=2)
    seen = [learning(groups, plan, epoch) for epoch in range(5)]
    assert seen == [[False, False, True]] * 2 + [[False, True, True]] * 2 + [[True] * 3]
    assert plan.end(4) is None


def test_probing_comes_first_and_resuming_finds_its_place() -> None:
    groups = layer_groups(nn.Sequential(*[nn.Linear(2, 2) for _ in range(3)]))
    plan = Unfreezing.probe_first(groups, epochs=3)
    assert learning(groups, plan, 2) == [False, False, True]
    assert learning(groups, plan, 7) == [True] * 3
    assert learning(groups, plan, 0) == [False, False, True]


def test_what_begins_to_learn_in_an_epoch_is_in_training_mode_in_it() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.Linear(2, 2))
    plan = Unfreezing.gradual(layer_groups(net))
    for epoch, training in ((0, False), (1, True)):
        net.train()
        plan.begin(epoch)
        assert net[1].training is training


def fine_tuned(how: str) -> tuple[Planted, nn.Sequential]:
    task = planted()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = task.fresh()
    groups = layer_groups(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    plan = Unfreezing(groups, [0] * len(groups))
    if how == "l2_sp":
        body = {name: p for group in groups[:-1] for name, p in group.parameters.items()}
        l2_sp(optimizer, body, 0.2)
    elif how == "probe first":
        plan = Unfreezing.probe_first(groups, epochs=60)
    elif how == "gradual":
        plan = Unfreezing.gradual(groups, every=40)
    elif how == "discriminative":
        optimizer = torch.optim.SGD(parameter_groups(groups, 1.0, decay=0.1))
    descend(net, task.new, optimizer, epochs=120, begin=plan.begin)
    return task, net


def test_full_fine_tuning_forgets_the_old_task() -> None:
    task, net = fine_tuned("full")
    before = task.old_score(planted().fresh())
    assert before > 0.9
    assert task.old_score(net) < 0.6
    assert (net(task.new.X).argmax(1) == task.new.codes).all()


@pytest.mark.parametrize("how", ["l2_sp", "probe first", "gradual", "discriminative"])
def test_what_keeps_the_old_task_learns_the_new_one_too(how: str) -> None:
    task, net = fine_tuned(how)
    assert task.old_score(net) > 0.9
    assert (net(task.new.X).argmax(1) == task.new.codes).all()


def test_refusals() -> None:
    groups = layer_groups(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    for start in ([0], [1, 2]):
        with pytest.raises(InputError, match="`start` must have an epoch for each of the 2 groups"):
            Unfreezing(groups, start)


def test_the_estimator_unfreezes_watches_and_stops(narrowed: Blobs) -> None:
    module = mlp(2, 3, hidden=(8,))
    X = torch.as_tensor(narrowed.X, dtype=torch.float32)

    def each_epoch(network: nn.Module) -> list[EachEpoch]:
        groups = layer_groups(network)
        watch = Forgetting(network, groups, X, score=lambda net: -float(net(X).var()), allowed=0.0)
        return [Unfreezing.probe_first(groups, epochs=2), watch]

    told = {"early_stopping": None, "learning_rate": 0.1, "max_epochs": 8, "batch_size": 32}
    fitted = TorchPartialLabelClassifier(
        module,
        each_epoch=each_epoch,
        groups=lambda network: parameter_groups(layer_groups(network), 0.1, decay=0.5),
        **told,
    ).fit(narrowed.X, narrowed.candidates)
    assert fitted.status_ is Ending.STOPPED
    assert fitted.reason_ is not None
    assert fitted.reason_.startswith("Stopped after epoch 0: on the retained rows")
    assert fitted.n_iter_ == 1
    trained, start = fitted.module_.state_dict(), module.state_dict()
    assert torch.equal(trained["0.running_mean"], start["0.running_mean"])
    assert torch.equal(trained["1.weight"], start["1.weight"])
    assert not torch.equal(trained["4.weight"], start["4.weight"])
    assert len(fitted.watches_) == 2


def test_the_watches_of_a_resumed_estimator_go_on_counting(narrowed: Blobs, tmp_path: Path) -> None:
    X = torch.as_tensor(narrowed.X, dtype=torch.float32)

    def fitted(epochs: int, **settings: object) -> list[EachEpoch]:
        told = (X, torch.zeros(len(X), 3))

        def each_epoch(network: nn.Module) -> list[EachEpoch]:
            groups = layer_groups(network)
            watch = Forgetting(network, groups, X, score=lambda net: float(net(X).var()))
            return [Unfreezing(groups, [0] * len(groups)), Memorising(network, told, told), watch]

        return (
            TorchPartialLabelClassifier(
                mlp(2, 3, hidden=(8,)),
                each_epoch=each_epoch,
                early_stopping=None,
                max_epochs=epochs,
                **settings,
            )
            .fit(narrowed.X, narrowed.candidates)
            .watches_
        )

    torch.manual_seed(0)
    state = torch.get_rng_state()
    whole = fitted(4)
    torch.set_rng_state(state)
    fitted(2, checkpoint=tmp_path / "state.pt")
    torch.set_rng_state(state)
    resumed = fitted(4, checkpoint=tmp_path / "state.pt", resume=True)
    for one, two in zip(whole[1:], resumed[1:], strict=True):
        assert one.history == two.history
        assert len(two.history) == 4
