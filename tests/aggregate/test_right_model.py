"""Each label model has a world of its own assumptions, and wins in it.

A world draws its votes one by one, in plain python, as the model says that they come about. A
model's lead is how far it is ahead of the best of its rivals, on the mean of a few draws: in
accuracy (ties at their expected value), or in log loss (nats per item).
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import clone

from partlabel.aggregate import (
    GLAD,
    MACE,
    Aggregator,
    DawidSkene,
    LabelModel,
    MajorityVote,
    Triplets,
    WeightedVote,
)
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

Draws = np.random.Generator
Says = Callable[[Draws, int, int, int], int]  # (chance, item, source, its class) -> a class, or -1

MODELS: dict[str, Aggregator] = {
    "majority": MajorityVote(),
    "weighted": WeightedVote(n_rounds=20),
    "full": DawidSkene(),
    "per class": DawidSkene(tying="class"),
    "one coin": DawidSkene(tying="one"),
    "vb": DawidSkene(inference="vb"),
    "loo": DawidSkene(inference="loo"),
    "MACE": MACE(),
    "GLAD": GLAD(),
    "triplets": Triplets(),
    "default": LabelModel(),
}
BY_LIKELIHOOD = ["full", "per class", "one coin", "vb", "MACE", "GLAD"]  # of independent errors


def drawn(
    chance: Draws,
    says: Says,
    *,
    n_items: int,
    n_sources: int,
    per_item: int,
    shares: Sequence[float],
) -> tuple[Votes, np.ndarray]:
    """Votes of some sources about each item, and the truth of the items that got any."""
    labels = LabelSpace(list("abcdefgh"[: len(shares)]))
    rows, truth = [], []
    for item in range(n_items):
        y = int(chance.choice(len(shares), p=shares))
        row = [-1] * n_sources
        for j in chance.permutation(n_sources)[:per_item]:
            row[j] = says(chance, item, int(j), y)
        if max(row) >= 0:
            rows.append(row)
            truth.append(y)
    return Votes.from_matrix(rows, labels), np.array(truth)


def another(chance: Draws, y: int, n_classes: int) -> int:
    """Any of the other classes, each alike."""
    return int((y + chance.integers(1, n_classes)) % n_classes)


def even(n_classes: int) -> list[float]:
    return [1 / n_classes] * n_classes


def equal_skill(seed: int) -> tuple[Votes, np.ndarray]:
    """Sixty items, five votes each, of fifteen sources that are all right in 45%."""
    chance = np.random.default_rng(seed)

    def says(chance: Draws, _item: int, _j: int, y: int) -> int:
        return y if chance.random() < 0.45 else another(chance, y, 3)

    return drawn(chance, says, n_items=60, n_sources=15, per_item=5, shares=even(3))


def shared_mistakes(seed: int) -> tuple[Votes, np.ndarray]:
    """Sources of different skill; on two items of five, half the votes fall for one wrong class."""
    chance = np.random.default_rng(seed)
    skill = chance.uniform(0.3, 0.95, 40)
    trap = [another(chance, 0, 4) if chance.random() < 0.4 else 0 for _ in range(300)]

    def says(chance: Draws, item: int, j: int, y: int) -> int:
        if trap[item] and chance.random() < 0.5:
            return (y + trap[item]) % 4
        return y if chance.random() < skill[j] else another(chance, y, 4)

    return drawn(chance, says, n_items=300, n_sources=40, per_item=5, shares=even(4))


def one_coin(seed: int) -> tuple[Votes, np.ndarray]:
    """An accuracy per source, errors alike over five other classes."""
    chance = np.random.default_rng(seed)
    skill = chance.uniform(0.3, 0.9, 20)

    def says(chance: Draws, _item: int, j: int, y: int) -> int:
        return y if chance.random() < skill[j] else another(chance, y, 6)

    return drawn(chance, says, n_items=300, n_sources=20, per_item=6, shares=even(6))


def knows_some_classes(seed: int) -> tuple[Votes, np.ndarray]:
    """Each source knows some classes and guesses at the others."""
    chance = np.random.default_rng(seed)
    skill = chance.choice([0.25, 0.95], (12, 4))

    def says(chance: Draws, _item: int, j: int, y: int) -> int:
        return y if chance.random() < skill[j, y] else another(chance, y, 4)

    return drawn(chance, says, n_items=600, n_sources=12, per_item=5, shares=even(4))


def takes_one_for_another(seed: int) -> tuple[Votes, np.ndarray]:
    """Each source takes some classes for a certain other one, most of the time."""
    chance = np.random.default_rng(seed)
    taken = np.where(chance.random((8, 4)) < 0.4, chance.integers(1, 4, (8, 4)), 0)

    def says(chance: Draws, _item: int, j: int, y: int) -> int:
        seen = int((y + taken[j, y]) % 4)
        return seen if chance.random() < 0.8 else int(chance.integers(4))

    return drawn(chance, says, n_items=1200, n_sources=8, per_item=5, shares=even(4))


def few_votes_each(seed: int) -> tuple[Votes, np.ndarray]:
    """Sixty sources, five votes each, every one with a confusion table of its own."""
    chance = np.random.default_rng(seed)
    mass = np.where(np.eye(3) == 1, 7.0, 1.5)
    tables = [[chance.dirichlet(mass[y]) for y in range(3)] for _ in range(60)]

    def says(chance: Draws, _item: int, j: int, y: int) -> int:
        return int(chance.choice(3, p=tables[j][y]))

    return drawn(chance, says, n_items=100, n_sources=60, per_item=3, shares=even(3))


def sparse_rules(seed: int) -> tuple[Votes, np.ndarray]:
    """Twenty rules that say one class each, of one item in twelve; some are worse than chance."""
    chance = np.random.default_rng(seed)
    precision = chance.uniform(0.35, 0.98, 20)

    def says(chance: Draws, _item: int, j: int, y: int) -> int:
        rate = precision[j] if y == j % 2 else 1 - precision[j]
        return j % 2 if chance.random() < 0.16 * rate else -1

    return drawn(chance, says, n_items=2000, n_sources=20, per_item=20, shares=even(2))


def spammers(seed: int) -> tuple[Votes, np.ndarray]:
    """Half of the sources click by habit, without looking."""
    chance = np.random.default_rng(seed)
    copies = chance.choice([0.05, 0.9], 40)
    habit = [chance.dirichlet(np.full(5, 0.15)) for _ in range(40)]

    def says(chance: Draws, _item: int, j: int, y: int) -> int:
        return y if chance.random() < copies[j] else int(chance.choice(5, p=habit[j]))

    return drawn(chance, says, n_items=400, n_sources=40, per_item=5, shares=even(5))


def hard_and_easy(seed: int) -> tuple[Votes, np.ndarray]:
    """Abilities and easiness as GLAD has them."""
    chance = np.random.default_rng(seed)
    ability, easiness = chance.normal(1, 1, 15), np.exp(chance.normal(0, 1, 1000))

    def says(chance: Draws, item: int, j: int, y: int) -> int:
        return y if chance.random() < expit(ability[j] * easiness[item]) else 1 - y

    return drawn(chance, says, n_items=1000, n_sources=15, per_item=15, shares=even(2))


def rare_classes(seed: int) -> tuple[Votes, np.ndarray]:
    """One coin per source, where one class is four items of five; nobody knows that."""
    chance = np.random.default_rng(seed)
    skill = chance.uniform(0.45, 0.9, 6)

    def says(chance: Draws, _item: int, j: int, y: int) -> int:
        return y if chance.random() < skill[j] else another(chance, y, 3)

    return drawn(chance, says, n_items=3000, n_sources=6, per_item=6, shares=[0.8, 0.15, 0.05])


WORLDS = [
    equal_skill,
    shared_mistakes,
    one_coin,
    knows_some_classes,
    takes_one_for_another,
    few_votes_each,
    sparse_rules,
    spammers,
    hard_and_easy,
    rare_classes,
]
World = Callable[[int], tuple[Votes, np.ndarray]]


def judged(model: Aggregator, votes: Votes, truth: np.ndarray) -> tuple[float, float]:
    """Accuracy, ties at their expected value; and log loss."""
    probs, rows = clone(model).fit_aggregate(votes).probs, np.arange(len(truth))
    top = probs >= probs.max(axis=1, keepdims=True) - 1e-9
    right = (top[rows, truth] / top.sum(axis=1)).mean()
    return float(right), float(-np.log(np.maximum(probs[rows, truth], 1e-3)).mean())


@cache
def scores(world: World, n_draws: int) -> dict[str, tuple[float, float]]:
    """Of each model: the mean accuracy and the mean log loss over the draws of a world."""
    cases = [world(seed) for seed in range(n_draws)]
    return {
        name: tuple(np.mean([judged(model, *case) for case in cases], axis=0))
        for name, model in MODELS.items()
    }


def lead(
    mine: str, world: World, *, rivals: Sequence[str] = (), n_draws: int = 3
) -> tuple[float, float]:
    """How far a model is ahead of the best rival, the default aside: accuracy, and log loss."""
    found = scores(world, n_draws)
    others = [found[name] for name in rivals or found if name not in (mine, "default")]
    accuracy, loss = found[mine]
    best = np.array(others)
    return accuracy - best[:, 0].max(), best[:, 1].min() - loss


def test_majority_vote_is_right_for_few_votes_of_equal_sources() -> None:
    """Then every difference in skill that a model finds is noise."""
    accuracy, _ = lead("majority", equal_skill, n_draws=16)
    assert accuracy > -0.005
    accuracy, _ = lead("majority", equal_skill, n_draws=16, rivals=["one coin", "MACE", "GLAD"])
    assert accuracy > 0.01


def test_weighted_vote_is_right_where_skills_differ_and_mistakes_are_shared() -> None:
    """Models of independent errors take what is shared for certain; triplets go no such way."""
    accuracy, _ = lead("weighted", shared_mistakes, rivals=["majority"])
    _, loss = lead("weighted", shared_mistakes, rivals=["loo", *BY_LIKELIHOOD])
    assert accuracy > 0.02
    assert loss > 0.25


def test_one_coin_is_right_for_a_single_accuracy_per_source() -> None:
    _, loss = lead("one coin", one_coin)
    assert loss > 0.005
    _, loss = lead("one coin", one_coin, rivals=["full", "vb", "loo", "per class", "MACE"])
    assert loss > 0.03


def test_per_class_is_right_where_sources_know_some_classes() -> None:
    accuracy, loss = lead("per class", knows_some_classes)
    assert accuracy > 0.001
    assert loss > 0.005


def test_full_confusion_is_right_where_classes_are_taken_for_others() -> None:
    _, loss = lead("full", takes_one_for_another)
    assert loss > 0.001
    accuracy, loss = lead(
        "full", takes_one_for_another, rivals=["weighted", "per class", "one coin", "MACE"]
    )
    assert accuracy > 0.05
    assert loss > 0.15


def test_vb_is_right_for_few_votes_per_source_under_a_weak_prior() -> None:
    """In accuracy; its probabilities are too sharp there, so raise `strength` for those."""
    cases = [few_votes_each(seed) for seed in range(8)]
    averaged, best = (
        np.mean([judged(DawidSkene(strength=1.0, inference=how), *case)[0] for case in cases])
        for how in ("vb", "em")
    )
    assert averaged > best + 0.03


def test_loo_is_right_for_rules_that_overlap_little() -> None:
    accuracy, loss = lead("loo", sparse_rules)
    assert accuracy > 0.005
    assert loss > 0.005
    _, loss = lead("loo", sparse_rules, rivals=BY_LIKELIHOOD)
    assert loss > 0.05


def test_mace_is_right_for_spammers() -> None:
    accuracy, loss = lead("MACE", spammers)
    assert accuracy > 0.01
    assert loss > 0.03


def test_glad_is_right_where_items_differ_in_difficulty() -> None:
    _, loss = lead("GLAD", hard_and_easy)
    assert loss > 0.02


def test_triplets_are_right_for_many_votes_of_one_coins_whatever_the_class_shares() -> None:
    """No iteration, yet as good as EM on one coin, which has the likelihood of this world."""
    accuracy, loss = lead("triplets", rare_classes)
    assert min(accuracy, loss) > -0.002
    accuracy, loss = lead("triplets", rare_classes, rivals=["full", "per class", "loo", "MACE"])
    assert min(accuracy, loss) > 0.1


def test_the_default_is_never_far_from_the_best_and_the_best_on_the_whole() -> None:
    """Over all these worlds: the smallest greatest loss, and the highest mean accuracy."""
    rows = [scores(world, 16 if world is equal_skill else 3) for world in WORLDS]
    accuracy = {name: np.array([row[name][0] for row in rows]) for name in MODELS}
    best = np.max(list(accuracy.values()), axis=0)
    missed = {name: (best - found).max() for name, found in accuracy.items()}
    mean = {name: found.mean() for name, found in accuracy.items()}
    mine, mean_of_mine = missed.pop("default"), mean.pop("default")
    assert mine < 0.12
    assert mine < min(missed.values()) - 0.02
    assert mean_of_mine > max(mean.values()) + 0.005


def dense(
    seed: int, tables: np.ndarray, n_items: int = 6000, shares: Sequence[float] | None = None
) -> tuple[Votes, np.ndarray]:
    """Every source speaks about every item by its (n_classes, n_classes) table."""
    chance, k = np.random.default_rng(seed), tables.shape[1]
    truth = chance.choice(k, n_items, p=shares)
    said = np.empty((n_items, len(tables)), dtype=int)
    for j, y in np.ndindex(len(tables), k):
        said[truth == y, j] = chance.choice(k, (truth == y).sum(), p=tables[j, y])
    return Votes.from_matrix(said, LabelSpace(list("abcdefgh"[:k]))), truth


def coins(accuracy: np.ndarray, n_classes: int = 3) -> np.ndarray:
    """Tables with (n_sources, n_classes) accuracies, errors alike over the other classes."""
    wrong = ((1 - accuracy) / (n_classes - 1))[:, :, None]
    return np.where(np.eye(n_classes) == 1, accuracy[:, :, None], wrong)


ACCURACY = np.array([0.9, 0.8, 0.75, 0.6, 0.5])


@pytest.mark.parametrize("model", [DawidSkene(tying="one"), Triplets(), GLAD()], ids=str)
def test_planted_accuracies_are_recovered(model: Aggregator) -> None:
    votes, _ = dense(0, coins(np.repeat(ACCURACY[:, None], 3, axis=1)))
    found = clone(model).fit(votes).reliability_["accuracy"].to_numpy()
    np.testing.assert_allclose(found, ACCURACY, atol=0.03)


def test_the_default_ranks_planted_accuracies_and_its_intervals_hold_them() -> None:
    """Its mean beliefs are too careful for the accuracies themselves: good sources look worse."""
    votes, _ = dense(0, coins(np.repeat(ACCURACY[:, None], 3, axis=1)))
    found = LabelModel().fit(votes).reliability_
    assert found["accuracy"].is_sorted(descending=True)
    np.testing.assert_array_less(found["accuracy_low"], ACCURACY)
    np.testing.assert_array_less(ACCURACY, found["accuracy_high"])


def test_triplets_recover_accuracies_whatever_the_class_shares() -> None:
    tables = coins(np.repeat(ACCURACY[:, None], 3, axis=1))
    votes, _ = dense(0, tables, n_items=20_000, shares=[0.9, 0.07, 0.03])
    np.testing.assert_allclose(Triplets().fit(votes).accuracy_, ACCURACY, atol=0.01)


def test_planted_accuracies_per_class_are_recovered() -> None:
    accuracy = np.array([[0.9, 0.5, 0.7], [0.6, 0.9, 0.8], [0.8, 0.7, 0.9], [0.7, 0.8, 0.6]])
    votes, _ = dense(1, coins(accuracy))
    table = DawidSkene(tying="class").fit(votes).confusion_.probs.reshape(4, 3, 3)
    np.testing.assert_allclose(np.diagonal(table, axis1=1, axis2=2), accuracy, atol=0.04)


@pytest.mark.parametrize("inference", ["em", "vb", "loo"])
def test_planted_confusions_are_recovered(inference: str) -> None:
    chance = np.random.default_rng(2)
    tables = np.array(
        [[chance.dirichlet(1 + 12 * np.eye(3)[y]) for y in range(3)] for _ in "12345"]
    )
    votes, _ = dense(2, tables)
    found = DawidSkene(inference=inference).fit(votes).confusion_.probs.reshape(5, 3, 3)
    np.testing.assert_allclose(found.transpose(0, 2, 1), tables, atol=0.05)


def test_planted_copying_and_habits_are_recovered() -> None:
    copying = np.array([0.9, 0.7, 0.5, 0.1])
    habit = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]])
    votes, _ = dense(
        3, copying[:, None, None] * np.eye(3) + (1 - copying[:, None, None]) * habit[:, None]
    )
    model = MACE().fit(votes)
    np.testing.assert_allclose(model.copying_, copying, atol=0.03)
    np.testing.assert_allclose(model.spam_.reshape(4, 3)[1:], habit[1:], atol=0.06)


def test_planted_abilities_are_recovered_up_to_their_prior() -> None:
    chance = np.random.default_rng(4)
    ability = np.linspace(-0.5, 2.5, 20)
    truth, easiness = chance.integers(0, 2, 3000), np.exp(chance.normal(0, 1, 3000))
    right = chance.random((3000, 20)) < expit(ability * easiness[:, None])
    said = np.where(right, truth[:, None], 1 - truth[:, None])
    model = GLAD().fit(Votes.from_matrix(said, LabelSpace(["a", "b"])))
    assert np.corrcoef(model.ability_, ability)[0, 1] > 0.99
    assert np.corrcoef(np.log(model.easiness_), np.log(easiness))[0, 1] > 0.5


def test_weights_are_agreement_with_the_vote_they_weigh() -> None:
    """With hardly any item on which the vote is wrong, that is accuracy."""
    accuracy = np.repeat(np.append(ACCURACY, [0.9] * 8)[:, None], 3, axis=1)
    votes, _ = dense(5, coins(accuracy))
    found = WeightedVote(n_rounds=20).fit(votes).weight_
    np.testing.assert_allclose(found, accuracy[:, 0], atol=0.02)
