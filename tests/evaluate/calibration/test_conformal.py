"""ConformalSets: the true class is in the set as often as promised."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate import ConformalSets
from partlabel.evaluate.calibration.conformal import aps, lac, weighted_quantile
from partlabel.evidence import Candidates, Evidence

from .conftest import World


def held(fitted: ConformalSets, world: World, rows: slice) -> np.ndarray:
    """(n,) Whether the set holds the true class."""
    mask = fitted.predict(world.predicted(2.5)[rows]).mask()
    return mask[np.arange(len(mask)), world.codes[rows]]


FIT, TEST = slice(0, 99), slice(99, 1099)


@pytest.mark.parametrize("score", ["lac", "aps"])
@pytest.mark.parametrize("level", [0.8, 0.9])
def test_gold_keeps_the_promise(score: Any, level: float) -> None:
    covered = []
    for seed in range(60):
        world = World.drawn(1099, seed=seed)
        fitted = ConformalSets(level=level, score=score).fit(
            world.predicted(2.5)[FIT], world.codes[FIT], labels=world.labels
        )
        covered.append(held(fitted, world, TEST).mean())
    assert np.mean(covered) > level - 0.012
    if score == "lac":  # no ties, so that it isn't kept by too much
        assert np.mean(covered) < level + 0.012 + 1 / 100


def test_worst_candidate_keeps_it_by_more() -> None:
    world = World.drawn(3000)
    predicted, rows = world.predicted(2.5), slice(0, 1000)
    gold = ConformalSets().fit(predicted[rows], world.codes[rows], labels=world.labels)
    sets = world.sets_of_alike(0.3).select(rows)
    weak = ConformalSets().fit(predicted[rows], sets)
    assert (weak.thresholds_ >= gold.thresholds_).all()
    assert held(weak, world, slice(1000, None)).mean() >= 0.9
    assert (gold.basis_, weak.basis_) == ("gold", "assumption")


def test_each_class_keeps_its_promise() -> None:
    world = World.drawn(6000, n_classes=3)
    skewed = world.predicted(2.5) * [1.0, 1.0, 0.05]
    skewed /= skewed.sum(axis=1, keepdims=True)
    fit, test = slice(0, 3000), slice(3000, None)
    shares = {}
    for per_class in (False, True):
        fitted = ConformalSets(per_class=per_class).fit(
            skewed[fit], world.codes[fit], labels=world.labels
        )
        right = fitted.predict(skewed[test]).mask()[np.arange(3000), world.codes[test]]
        shares[per_class] = [right[world.codes[test] == k].mean() for k in range(3)]
    assert min(shares[False]) < 0.85
    assert shares[True] == pytest.approx([0.9] * 3, abs=0.03)


def test_shift_of_the_classes_is_found_and_taken_into_account() -> None:
    with_shift, without = [], []
    for seed in range(10):
        world = World.drawn(6000, n_classes=3, seed=seed, scale=1.0)
        predicted = world.predicted(1.0) * [1.0, 1.0, 0.1]  # bad at the class that will be frequent
        predicted /= predicted.sum(axis=1, keepdims=True)
        keep = np.array([1.0, 1.0, 0.1])
        gold = np.flatnonzero(world.rng.random(6000) < 0.5 * keep[world.codes])
        rest = np.setdiff1d(np.arange(6000), gold)
        come = rest[world.rng.random(len(rest)) < keep[::-1][world.codes[rest]]]
        rows = np.concatenate([gold, come])
        names = [*world.labels.decode(world.codes[gold]).to_list(), *[None] * len(come)]
        for shift, covered in ((True, with_shift), (False, without)):
            fitted = ConformalSets(label_shift=shift).fit(
                predicted[rows], names, labels=world.labels
            )
            mask = fitted.predict(predicted[come]).mask()
            covered.append(mask[np.arange(len(come)), world.codes[come]].mean())
    share = np.bincount(world.codes[come]) / len(come)
    true_shift = share / (np.bincount(world.codes[gold]) / len(gold))
    shifted = ConformalSets(label_shift=True).fit(predicted[rows], names, labels=world.labels)
    assert shifted.shift_ == pytest.approx(true_shift, rel=0.3, abs=0.15)
    assert shifted.basis_ == "assumption"
    assert np.mean(without) < 0.85
    assert np.mean(with_shift) == pytest.approx(0.9, abs=0.025)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=20),
    st.integers(1, 3),
    st.sampled_from([0.1, 0.5, 0.8, 0.9]),
)
def test_quantile_is_the_least_score_with_enough_weight(
    rows: list[tuple[int, int]], own: int, level: float
) -> None:
    scores, weights = np.array(rows, dtype=float).T
    total = weights.sum() + own
    enough = [s for s in scores if weights[scores <= s].sum() >= level * total - 1e-9]
    expected = min(enough, default=np.inf)
    assert weighted_quantile(scores, weights, float(own), level) == expected


def test_scores_are_worked_out() -> None:
    probs = np.array([[0.5, 0.2, 0.3]])
    assert lac(probs)[0] == pytest.approx([0.5, 0.8, 0.7])
    assert aps(probs)[0] == pytest.approx([0.5, 1.0, 0.8])


def test_no_set_is_empty() -> None:
    world = World.drawn(300)
    fitted = ConformalSets(level=0.05).fit(world.probs, world.codes, labels=world.labels)
    sets = fitted.predict(Beliefs(world.probs, world.labels, np.arange(300) + 5))
    assert sets.sizes.min() == 1
    assert (sets.codes() == world.probs.argmax(axis=1))[sets.exact].all()
    assert sets.item_ids is not None
    assert sets.item_ids[0] == 5


def test_too_little_gold_leaves_every_class_possible() -> None:
    world = World.drawn(8)
    fitted = ConformalSets(level=0.9).fit(world.probs, world.codes, labels=world.labels)
    assert np.isinf(fitted.thresholds_).all()
    assert fitted.predict(world.probs).unknown.all()


def test_votes_beside_gold_are_left_out() -> None:
    world = World.drawn(50)
    votes, _ = world.votes([0.7])
    gold = Candidates.from_labels(world.codes, world.labels)
    one = ConformalSets().fit(world.probs, Evidence(votes=votes, gold=gold))
    assert one.thresholds_.tolist() == ConformalSets().fit(world.probs, gold).thresholds_.tolist()


def test_arguments_are_refused() -> None:
    world = World.drawn(30)
    probs, sets, (votes, _) = world.probs, world.blind_sets(), world.votes([0.7])
    with pytest.raises(NotFittedError):
        ConformalSets().predict(probs)
    with pytest.raises(InputError, match=r"`level` must lie in \(0, 1\); got 1.0"):
        ConformalSets(level=1.0).fit(probs, world.codes, labels=world.labels)
    with pytest.raises(InputError, match="`score` must be one of 'lac', 'aps'; got 'raps'"):
        ConformalSets(score="raps").fit(probs, world.codes, labels=world.labels)
    with pytest.raises(TypeError, match="`evidence` must be gold or candidate sets; got Votes"):
        ConformalSets().fit(probs, votes)
    for option in ("per_class", "label_shift"):
        with pytest.raises(InputError, match=r"`evidence` must be gold with .* \(\d+ of \d+ items"):
            ConformalSets(**{option: True}).fit(probs, sets)
    with pytest.raises(InputError, match="`predicted` must have items without gold with"):
        ConformalSets(label_shift=True).fit(probs, world.codes, labels=world.labels)
