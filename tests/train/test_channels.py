"""Channels of votes: likelihoods that add up, learnt from where the label model put them."""

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from partlabel import (
    Candidates,
    Channels,
    Confusion,
    DawidSkene,
    Evidence,
    InputError,
    LabelSpace,
    MajorityVote,
    Votes,
    log_likelihood,
)
from partlabel.train import FixedVotes, Learnt, LearntVotes, Observed, TorchPartialLabelClassifier
from partlabel.train.channels import segment_log_softmax

from .conftest import LABELS, biased_votes, blobs

TWO = LabelSpace(["no", "yes"])


def random_votes(n: int = 30, seed: int = 0) -> Votes:
    said = np.random.default_rng(seed).integers(-1, 3, (n, 4))
    return Votes.from_matrix(said, LABELS)


def a_confusion(votes: Votes, *, speaks: bool = False, seed: int = 0) -> Confusion:
    rng = np.random.default_rng(seed)
    n_classes = len(votes.labels)
    tables = rng.dirichlet(np.full(n_classes, 3.0), (votes.n_sources, n_classes)).transpose(0, 2, 1)
    rates = rng.uniform(0.2, 0.8, (votes.n_sources, n_classes)) if speaks else None
    return Confusion(votes.vocabulary, tables.reshape(-1, n_classes), rates)


def perturbed(channel: LearntVotes, seed: int = 0) -> LearntVotes:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in channel.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    return channel


@pytest.mark.parametrize("speaks", [True, False])
def test_a_fixed_channel_is_that_of_numpy(speaks: bool) -> None:
    votes = random_votes()
    mask = np.random.default_rng(1).random((30, 3)) < 0.7
    mask[~mask.any(axis=1)] = True
    evidence = Evidence(votes=votes, candidates=Candidates.from_mask(mask, LABELS))
    confusion = a_confusion(votes, speaks=speaks)
    rows = torch.tensor([3, 29, 0, 7, 7])
    found = FixedVotes(confusion)(Observed.of(evidence).take(rows))
    expected = log_likelihood(evidence, Channels(votes=confusion))[rows]
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("silence", [True, False])
def test_a_learnt_channel_starts_where_the_label_model_put_it(silence: bool) -> None:
    votes = random_votes()
    confusion = a_confusion(votes, speaks=silence)
    channel = LearntVotes(confusion, Learnt(silence=silence))
    found = channel(Observed.of(Evidence(votes=votes)).take(torch.arange(30)))
    expected = log_likelihood(votes, Channels(votes=confusion))
    assert np.allclose(found.detach(), expected, atol=0.02)
    assert channel.confusion().vocabulary is votes.vocabulary
    assert channel.reliability()["moved"].max() < 1e-6


def test_votes_are_cut_into_minibatches_as_they_stand() -> None:
    votes = random_votes()
    rows = torch.tensor([5, 2, 2, 28])
    batch = Observed.of(Evidence(votes=votes)).take(rows)
    cut = votes.select(rows.numpy())
    assert batch.symbol.tolist() == cut.symbol.tolist()
    assert batch.row.tolist() == cut.item.tolist()


@pytest.mark.parametrize("tying", ["full", "class", "one"])
def test_the_words_of_a_source_add_up_to_one_wherever_the_parameters_go(tying: str) -> None:
    votes = random_votes()
    channel = perturbed(LearntVotes(a_confusion(votes), Learnt(tying=tying)))
    table = channel.log_table().exp().detach().numpy()
    for j in range(votes.n_sources):
        own = votes.vocabulary.source == j
        assert table[own].sum(axis=0) == pytest.approx(np.ones(3))


@pytest.mark.parametrize("instances", [True, False])
def test_all_that_sources_may_say_of_an_item_has_probability_one(instances: bool) -> None:
    said = np.array(list(product([-1, 0, 1], repeat=3)))  # every silence and word of 3 sources
    votes = Votes.from_matrix(said, TWO)
    confusion = a_confusion(votes, speaks=True)
    settings = Learnt(silence=True, instances=instances)
    channel = perturbed(LearntVotes(confusion, settings, n_features=2))
    batch = Observed.of(Evidence(votes=votes)).take(torch.arange(len(said)))
    features = torch.tensor([[0.3, -1.0]]).expand(len(said), 2) if instances else None
    total = channel(batch, features).exp().sum(dim=0)
    assert total.detach().numpy() == pytest.approx(np.ones(2), abs=1e-5)


def test_the_gradient_is_that_of_finite_differences() -> None:
    votes = random_votes(6)
    settings = Learnt(silence=True, instances=True)
    channel = perturbed(LearntVotes(a_confusion(votes), settings, n_features=2)).double()
    batch = Observed.of(Evidence(votes=votes)).take(torch.arange(6))
    features = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)).double()
    parts = dict(channel.named_parameters())

    def likelihood(*values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(parts, values, strict=True))
        return torch.func.functional_call(channel, given, (batch,), {"features": features})

    assert torch.autograd.gradcheck(
        likelihood, tuple(p.detach().requires_grad_() for p in parts.values()), atol=1e-4
    )


def test_segments_add_up_to_one_even_where_values_are_extreme() -> None:
    values, group = torch.tensor([1e4, -1e4, 0.0, 5.0, 5.0]), torch.tensor([0, 0, 1, 2, 2])
    found = segment_log_softmax(values, group, 3)
    assert found.tolist() == pytest.approx([0.0, -2e4, 0.0, -np.log(2), -np.log(2)])


def fitted_on(votes: Votes, X: NDArray[np.float64], **settings: object) -> LearntVotes:
    net = TorchPartialLabelClassifier(
        max_epochs=25, learning_rate=0.01, early_stopping=None, label_model=DawidSkene(), **settings
    )
    channel = net.fit(X, votes).channel_
    assert isinstance(channel, LearntVotes)
    return channel


def test_biased_workers_are_found_out_and_the_network_beats_that_of_the_majority() -> None:
    data, fresh = blobs(500, extra=0.0), blobs(1000, extra=0.0, seed=7)
    votes = biased_votes(data.truth)

    def accuracy(**settings: object) -> float:
        net = TorchPartialLabelClassifier(max_epochs=25, learning_rate=0.01, **settings)
        return float((net.fit(data.X, votes).predict(fresh.X) == fresh.names).mean())

    two_step = accuracy(objective="expected", label_model=MajorityVote())
    assert accuracy(channel="learnt") > max(two_step + 0.03, 0.92)
    table = fitted_on(votes, data.X, channel="learnt").reliability()
    assert table["accuracy"][:4].min() > table["accuracy"][4:].max()


def test_a_strong_prior_and_a_warm_up_hold_the_channel() -> None:
    data = blobs(200, extra=0.0)
    votes = biased_votes(data.truth)
    moved = {
        name: fitted_on(votes, data.X, channel=how).reliability()["moved"].mean()
        for name, how in {
            "free": Learnt(strength=0.0),
            "held": Learnt(strength=1e4),
            "waiting": Learnt(warm_up=99),
        }.items()
    }
    assert moved["waiting"] < 1e-6
    assert moved["held"] < 0.01 < moved["free"]


def test_the_trace_presses_the_sources_down() -> None:
    data = blobs(200, extra=0.0)
    votes = biased_votes(data.truth)
    plain, pressed = (
        fitted_on(votes, data.X, channel=Learnt(trace=trace)).reliability()["accuracy"].mean()
        for trace in (0.0, 1.0)
    )
    assert pressed < plain - 0.02


def test_gold_tells_sources_that_err_together_from_those_that_do_not() -> None:
    rng = np.random.default_rng(0)
    data = blobs(600, extra=0.0)
    said = np.stack(
        [np.where(rng.random(600) < 0.75, data.truth, rng.integers(0, 3, 600)) for _ in range(4)], 1
    )
    votes = Votes.from_matrix(said[:, [0, 0, 0, 0, 1, 2, 3]], LABELS)
    gold = Candidates.from_labels(data.names, LABELS)
    X = np.zeros((600, 1))  # features say nothing
    X[0] = 1.0
    evidence = Evidence(votes=votes, gold=gold)
    how = Learnt(confidence=True, learning_rate=0.05)
    confidence = fitted_on(evidence, X, channel=how).reliability()["confidence"]
    assert confidence[:4].max() < 0.6
    assert confidence[4:].min() > 0.7


def test_a_source_may_look_at_some_items_only() -> None:
    rng = np.random.default_rng(0)
    data = blobs(800, extra=0.0)
    X = np.column_stack([data.X, rng.choice([-1.0, 1.0], 800)])
    careless = rng.integers(0, 3, (800, 2))
    said = np.where((X[:, 2:] > 0) | (rng.random((800, 1)) < 0.1), data.truth[:, None], careless)
    votes = Votes.from_matrix(np.column_stack([said, data.truth]), LABELS)
    channel = fitted_on(votes, X, channel=Learnt(instances=True, learning_rate=0.05))
    assert channel.competence is not None
    slope = channel.competence.weight[:, 2].tolist()
    assert min(slope[:2]) > 1.0 > abs(slope[2])


def test_refusals() -> None:
    with pytest.raises(InputError, match="`strength` must be at least 0; got -1"):
        Learnt(strength=-1)
    with pytest.raises(InputError, match="`instances` must have features that are vectors"):
        LearntVotes(a_confusion(random_votes()), Learnt(instances=True))
