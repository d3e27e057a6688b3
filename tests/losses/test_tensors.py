"""The door from evidence: what comes through, and what is refused there."""

import numpy as np
import pytest
import torch

from partlabel import Candidates, Channels, Confusion, Evidence, InputError, LabelSpace, Votes
from partlabel.losses import evidence_tensors, marginal_nll

LABELS = LabelSpace(["a", "b", "c"])
VOTES = Votes.from_matrix([[0, 0], [1, -1], [-1, -1], [2, 0]], LABELS, sources=["s", "t"])
CONFUSION = Confusion.known({name: 0.7 * np.eye(3) + 0.1 for name in ("s", "t")}, VOTES)
EVIDENCE = Evidence(
    votes=VOTES,
    candidates=Candidates.from_labels([None, ["a", "b"], None, None], LABELS),
    gold=Candidates.from_labels([None, None, None, "c"], LABELS),
)


def test_rows_say_how_likely_each_class_makes_them() -> None:
    log_likelihood, kind = evidence_tensors(EVIDENCE, Channels(votes=CONFUSION))
    expected = [[1.0, 1 / 64, 1 / 64], [1 / 8, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]]
    torch.testing.assert_close(log_likelihood.exp(), torch.tensor(expected))
    assert kind.tolist() == [3, 2, 4, 0]


def test_a_silent_row_costs_exactly_nothing() -> None:
    confusion = Confusion(CONFUSION.vocabulary, CONFUSION.probs, np.full((2, 3), 0.9))
    log_likelihood, _ = evidence_tensors(VOTES, Channels(votes=confusion))
    assert log_likelihood[2].tolist() == [0.0, 0.0, 0.0]


def test_dtype_and_device_are_those_asked_for() -> None:
    given = evidence_tensors(
        EVIDENCE, Channels(votes=CONFUSION), dtype=torch.float64, device="meta"
    )
    assert given.log_likelihood.dtype == torch.float64
    assert {tensor.device.type for tensor in given} == {"meta"}


def test_candidates_alone_need_no_channels() -> None:
    sets = Candidates.from_labels(["a", None], LABELS)
    cost = marginal_nll(torch.zeros(2, 3), evidence_tensors(sets).log_likelihood)
    torch.testing.assert_close(cost.exp(), torch.tensor([3.0, 1.0]))


def test_votes_without_a_channel_are_refused() -> None:
    with pytest.raises(InputError, match="`channels` must say what votes are worth; got None"):
        evidence_tensors(EVIDENCE)


def test_evidence_that_rules_out_every_class_is_refused() -> None:
    sure = Channels(votes=Confusion.known({"s": np.eye(3), "t": np.eye(3)}, VOTES))
    with pytest.raises(InputError, match="must leave a class possible"):
        evidence_tensors(VOTES, sure)
