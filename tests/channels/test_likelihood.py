"""log_likelihood against a loop that looks at one item, one vote and one class at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.channels import Channels, Confusion, log_likelihood, log_likelihood_chunks
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])


def random_evidence(seed: int, n_items: int = 6) -> tuple[Evidence, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    votes = Votes.from_matrix(rng.integers(-1, 3, (n_items, 3)), LABELS)
    matrices = {name: rng.dirichlet(np.ones(3), 3) for name in votes.sources}
    truth = rng.integers(0, 3, n_items)
    mask = rng.random((n_items, 3)) < 0.5
    mask[np.arange(n_items), truth] = True
    gold = np.where(rng.random(n_items) < 0.3, truth, -1)
    evidence = Evidence(
        votes=votes,
        candidates=Candidates.from_mask(mask, LABELS),
        gold=Candidates.from_labels(gold, LABELS, missing=-1),
    )
    return evidence, matrices


def slowly(evidence: Evidence, confusion: Confusion, noise: float) -> list[list[float]]:
    table = []
    for i in range(len(evidence)):
        row = []
        for y in range(3):
            p = 1.0
            for j, name in enumerate(evidence.votes.sources):
                spoken = [
                    int(s) - 3 * j
                    for s in evidence.votes.symbol[slice(*evidence.votes.indptr[i : i + 2])]
                    if 3 * j <= s < 3 * j + 3
                ]
                speaks = None if confusion.speaks is None else confusion.speaks[j, y]
                if spoken:
                    p *= confusion.matrix(name)[y, spoken[0]] * (1.0 if speaks is None else speaks)
                elif speaks is not None:
                    p *= 1.0 - speaks
            if not evidence.candidates.mask()[i, y]:
                p *= noise
            if evidence.gold.exact[i] and evidence.gold.codes()[i] != y:
                p = 0.0
            row.append(math.log(p) if p > 0 else -math.inf)
        table.append(row)
    return table


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1]), st.booleans())
def test_agrees_with_the_loop(seed: int, noise: float, silence_speaks: bool) -> None:
    evidence, matrices = random_evidence(seed)
    known = Confusion.known(matrices, evidence.votes)
    speaks = np.random.default_rng(seed).uniform(0.2, 0.8, (3, 3)) if silence_speaks else None
    confusion = Confusion(known.vocabulary, known.probs, speaks)
    found = log_likelihood(evidence, Channels(votes=confusion, candidate_noise=noise))
    np.testing.assert_allclose(found, slowly(evidence, confusion, noise), rtol=0, atol=1e-9)


def test_pieces_add_up_to_the_whole() -> None:
    evidence, matrices = random_evidence(3, n_items=11)
    channels = Channels(votes=Confusion.known(matrices, evidence.votes))
    whole = log_likelihood(evidence, channels)
    for rows, piece in log_likelihood_chunks(evidence, channels, size=4):
        np.testing.assert_array_equal(piece, whole[rows])
    np.testing.assert_array_equal(log_likelihood(evidence, channels, rows=slice(2, 5)), whole[2:5])


@pytest.mark.parametrize(
    "rows", [slice(None), slice(2, None), slice(-2, None), slice(4, 2), slice(3, 99)]
)
def test_a_slice_of_rows_means_what_it_means_for_arrays(rows: slice) -> None:
    evidence, matrices = random_evidence(0)
    channels = Channels(votes=Confusion.known(matrices, evidence.votes))
    whole = log_likelihood(evidence, channels)
    np.testing.assert_array_equal(log_likelihood(evidence, channels, rows=rows), whole[rows])


def test_refuses_rows_with_steps() -> None:
    with pytest.raises(InputError, match="`rows` must be a slice without steps"):
        log_likelihood(random_evidence(0)[0], Channels(), rows=slice(0, 4, 2))


def test_knowing_nothing_says_nothing() -> None:
    nothing = Candidates.from_labels([None, None], LABELS)
    assert (log_likelihood(Evidence(candidates=nothing), Channels()) == 0).all()


def test_votes_without_a_channel_say_nothing() -> None:
    votes = Votes.from_matrix([[0], [1]], LABELS)
    assert (log_likelihood(Evidence(votes=votes), Channels()) == 0).all()


def test_refuses_an_item_with_no_class_left() -> None:
    votes = Votes.from_matrix([[0], [1]], LABELS, sources=["sure"])
    confusion = Confusion.known({"sure": np.eye(3)}, votes)
    gold = Candidates.from_labels(["a", "c"], LABELS)
    with pytest.raises(InputError, match=r"rules out all of them at row 1 \(1 of 2 rows\)"):
        log_likelihood(Evidence(votes=votes, gold=gold), Channels(votes=confusion))


def test_refuses_noise_out_of_range() -> None:
    with pytest.raises(InputError, match=r"`candidate_noise` must lie in \[0, 1\); got 1.5"):
        Channels(candidate_noise=1.5)
