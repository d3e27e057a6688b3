"""Memorising: told from learning, on labels that are wrong at random."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

from partlabel import InputError
from partlabel.losses import log_marginal, marginal_nll
from partlabel.train import Memorising, fit_to_evidence, memorised_share


def test_the_fit_is_at_the_best_temperature_so_that_mere_certainty_changes_nothing() -> None:
    logits = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    known = torch.log_softmax(torch.randn(30, 3), 1)
    fit = fit_to_evidence(logits, known)
    assert fit >= log_marginal(logits, known).mean().item() - 1e-6
    right = one_hot(torch.arange(30) % 3).float()
    exact = torch.where(right == 1, 0.0, -torch.inf)
    one, two = (fit_to_evidence(scale * (logits + right), exact) for scale in (1.0, 1.3))
    assert one == pytest.approx(two, abs=0.02)
    assert fit_to_evidence(logits, torch.zeros(30, 3)) == pytest.approx(0.0, abs=1e-6)


def test_memorised_share_counts_repeated_mistakes_among_misleading_rows() -> None:
    told = torch.tensor([[0.0, -3.0, -3.0]] * 4)  # all rows are told: class 0
    truth = torch.tensor([0, 1, 2, -1])
    repeats = torch.tensor([[5.0, 0, 0], [5.0, 0, 0], [0, 0, 5.0], [5.0, 0, 0]])
    assert memorised_share(repeats, told, truth) == 0.5
    assert math.isnan(memorised_share(repeats[:1], told[:1], truth[:1]))


def noisy(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, classes, and log-likelihoods of labels of which 3 in 10 are wrong."""
    chance = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 8, generator=chance)
    truth = (X[:, 0] > 0).long()
    wrong = torch.rand(n, generator=chance) < 0.3
    label = torch.where(wrong, 1 - truth, truth)
    return X, truth, torch.log(torch.where(one_hot(label) == 1, 0.95, 0.05))


def run(patience: int, epochs: int = 200) -> tuple[Memorising, nn.Module, list[str]]:
    (X, truth, known), (X_held, truth_held, _) = noisy(150, 0), noisy(300, 1)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
    watch = Memorising(net, (X, known), (X_held, truth_held), gold=truth, patience=patience)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    said = []
    for epoch in range(epochs):
        watch.begin(epoch)
        optimizer.zero_grad()
        marginal_nll(net(X), known).mean().backward()
        optimizer.step()
        reason = watch.end(epoch)
        if reason is not None:
            said.append(reason)
            break
    return watch, net, said


def test_a_network_that_goes_on_memorises_and_one_that_is_stopped_does_not() -> None:
    on, _, said = run(patience=500)
    assert said == []
    assert on.history[-1].memorised is not None
    assert on.history[-1].memorised > 0.8
    early, net, said = run(patience=10)
    assert "being memorised" in said[0]
    early.restore()
    now = early.measure()
    assert now.memorised is not None
    assert now.memorised < 0.6
    assert now.held_out == max(fit.held_out for fit in early.history)
    assert now.held_out > on.history[-1].held_out
    assert net.training


def test_held_out_evidence_tells_as_gold_does_where_mistakes_are_random() -> None:
    X, truth, known = noisy(200, 3)
    good, bad = nn.Linear(8, 2), nn.Linear(8, 2)
    with torch.no_grad():
        for net, sign in ((good, 1.0), (bad, -1.0)):
            net.weight.zero_()
            net.bias.zero_()
            net.weight[:, 0] = sign * torch.tensor([-3.0, 3.0])
    by_evidence = [Memorising(n, (X, known), (X, known)).measure().held_out for n in (good, bad)]
    by_gold = [Memorising(n, (X, known), (X, truth)).measure().held_out for n in (good, bad)]
    assert by_evidence[0] > by_evidence[1]
    assert by_gold[0] > by_gold[1]


def test_the_table_has_a_row_for_each_epoch() -> None:
    watch, _, _ = run(patience=500, epochs=3)
    table = watch.to_polars()
    assert table.columns == ["epoch", "told", "held_out", "memorised"]
    assert table["epoch"].to_list() == [0, 1, 2]


def test_refusals() -> None:
    net, rows = nn.Linear(1, 2), (torch.zeros(1, 1), torch.zeros(1, 2))
    with pytest.raises(InputError, match="`patience` must be at least 1; got 0"):
        Memorising(net, rows, rows, patience=0)
    with pytest.raises(InputError, match="`end` must have been called after some epoch"):
        Memorising(net, rows, rows).restore()


def test_a_twin_that_takes_its_state_counts_on_and_restores_the_same(tmp_path: Path) -> None:
    watch, net, _ = run(patience=500, epochs=6)
    torch.save(watch.state_dict(), tmp_path / "state.pt")
    (X, truth, known), held_out = noisy(150, 0), noisy(300, 1)
    twin = Memorising(net, (X, known), held_out[:2], gold=truth)
    twin.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert twin.history == watch.history
    watch.restore()
    best = [parameter.clone() for parameter in net.parameters()]
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    twin.restore()
    assert all(torch.equal(one, two) for one, two in zip(best, net.parameters(), strict=True))
