"""Contributions add up to what a network says, and give a network away that copies its rules."""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from torch import nn

from partlabel.errors import InputError
from partlabel.evaluate import audit_rule_copying
from partlabel.rules import keywords
from partlabel.train import TorchPartialLabelClassifier
from partlabel.train import input_importance as module
from partlabel.train.input_importance import contributions, input_importance
from partlabel.train.inputs import read_inputs

CPU = torch.device("cpu")


@pytest.fixture
def rows() -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(0).normal(size=(50, 4)), dtype=torch.float32)


def network(seed: int = 0, *, bias: bool = False) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 8, bias=bias), nn.ReLU(), nn.Linear(8, 3, bias=bias))


@pytest.fixture(params=["gradients", "captum"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without captum, and with it where it is installed."""
    if request.param == "gradients":
        monkeypatch.setattr(module, "IntegratedGradients", None)
    elif module.IntegratedGradients is None:
        pytest.skip("needs captum, which no extra brings")


@pytest.mark.usefixtures("either_way")
def test_contributions_to_a_linear_network_are_weights_times_inputs(rows: torch.Tensor) -> None:
    linear = nn.Linear(4, 3)
    weight = linear.weight.detach() - linear.weight.detach().mean(0)
    predicted = linear(rows).argmax(1)
    torch.testing.assert_close(contributions(linear, rows), rows * weight[predicted])


@pytest.mark.usefixtures("either_way")
def test_contributions_add_up_to_the_logit(rows: torch.Tensor) -> None:
    """Exactly for a network of ReLUs without biases, which is linear along every ray from zero."""
    net = network()
    logits = net(rows).detach()
    said = (logits - logits.mean(1, keepdim=True)).max(1).values
    torch.testing.assert_close(contributions(net, rows).sum(1), said, rtol=1e-3, atol=1e-4)


def test_with_biases_integrated_gradients_still_add_up_to_the_change_from_zero(
    rows: torch.Tensor,
) -> None:
    if module.IntegratedGradients is None:
        pytest.skip("needs captum, which no extra brings")
    net = network(bias=True)
    logits, nothing = net(rows).detach(), net(torch.zeros(1, 4)).detach()
    predicted = logits.argmax(1, keepdim=True)
    change = (logits - logits.mean(1, keepdim=True)) - (nothing - nothing.mean())
    found = contributions(net, rows).sum(1)
    torch.testing.assert_close(found, change.gather(1, predicted)[:, 0], rtol=0.05, atol=0.02)


@pytest.mark.usefixtures("either_way")
def test_an_input_that_is_not_used_has_no_importance(rows: torch.Tensor) -> None:
    net = network()
    with torch.no_grad():
        net[0].weight[:, 2] = 0.0
    found = input_importance(net, read_inputs(rows), CPU)
    assert found.shape == (4,)
    assert found[2] == 0.0
    assert (np.delete(found, 2) > 0).all()


@pytest.mark.usefixtures("either_way")
def test_importance_is_the_same_in_batches_and_sparse() -> None:
    table = np.random.default_rng(1).normal(size=(150, 4)).astype(np.float32)
    net = network()
    by_row = contributions(net, torch.as_tensor(table)).abs().mean(0)
    found = input_importance(net, read_inputs(table), CPU)
    np.testing.assert_allclose(found, by_row, rtol=1e-4)
    inputs = read_inputs(pl.DataFrame(table).to_numpy())
    np.testing.assert_allclose(input_importance(net, inputs, CPU), found, rtol=1e-6)


def test_rows_must_be_vectors() -> None:
    with pytest.raises(InputError, match="must have a number for each feature"):
        input_importance(network(), read_inputs(torch.zeros(2, 3, 4)), CPU)


def test_a_network_that_only_sees_triggers_is_given_away() -> None:
    rng = np.random.default_rng(0)
    rules = [keywords("spam", ["free"], "text", name="f"), keywords("ham", ["song"], "text")]
    spam = rng.random(300) < 0.5
    texts = [
        " ".join(["free" if s else "song", *rng.choice(["oh", "well", "you", "see"], 3)])
        for s in spam
    ]
    names = np.where(spam, "spam", "ham")
    net = TorchPartialLabelClassifier(max_epochs=30, early_stopping=None, learning_rate=0.02)
    for vocabulary, low, high in ((["free", "song"], 0.99, 1.0), (None, 0.5, 0.99)):
        bag = CountVectorizer(vocabulary=vocabulary, dtype=np.float32)
        model = make_pipeline(bag, net).fit(texts, names)
        found = audit_rule_copying(model, texts, rules, retrain=False, random_state=0)
        shares = dict(found.evidence.select("probe", "value").iter_rows())
        assert low < shares["network"] <= high
