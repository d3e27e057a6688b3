"""DawidSkene against plain-Python enumeration, and the laws of EM."""

import itertools
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from partlabel.aggregate import DawidSkene, MajorityVote, Outcome
from partlabel.aggregate.steps import Parameters
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
BINARY = LabelSpace(["no", "yes"])
QUICK = {"tol": 1e-10, "max_iter": 500}


def planted(
    accuracies: list[float],
    *,
    n_items: int = 2000,
    labels: LabelSpace = LABELS,
    coverage: float = 1.0,
    balance: list[float] | None = None,
    seed: int = 0,
) -> tuple[Votes, np.ndarray]:
    """Independent sources of given accuracies, errors spread evenly."""
    rng = np.random.default_rng(seed)
    n_classes = len(labels)
    truth = rng.choice(n_classes, n_items, p=balance)
    shift = rng.integers(1, n_classes, (n_items, len(accuracies)))
    wrong = rng.random((n_items, len(accuracies))) > accuracies
    said = (truth[:, None] + wrong * shift) % n_classes
    said[rng.random(said.shape) > coverage] = -1
    return Votes.from_matrix(said, labels), truth


def random_case(seed: int, n_items: int = 3) -> Evidence:
    rng = np.random.default_rng(seed)
    votes = Votes.from_matrix(rng.integers(-1, 3, (n_items, 3)), LABELS)
    mask = rng.random((n_items, 3)) < 0.8
    mask[np.arange(n_items), rng.integers(0, 3, n_items)] = True
    return Evidence(votes=votes, candidates=Candidates.from_mask(mask, LABELS))


def matrix_of(votes: Votes) -> list[list[int | None]]:
    rows: list[list[int | None]] = [[None] * votes.n_sources for _ in range(votes.n_items)]
    for item, source, symbol in zip(votes.item, votes.source, votes.symbol, strict=True):
        rows[item][source] = int(symbol) - len(votes.labels) * int(source)
    return rows


def by_enumeration(
    evidence: Evidence, confusion: dict[tuple[int, int, int], float], prior: list[float]
) -> tuple[np.ndarray, float]:
    """Posterior marginals and log-likelihood from every labelling of all items."""
    said, mask = matrix_of(evidence.votes), evidence.candidates.mask()
    n, n_classes = len(said), len(prior)
    marginals, total = np.zeros((n, n_classes)), 0.0
    for labelling in itertools.product(range(n_classes), repeat=n):
        p = 1.0
        for i, y in enumerate(labelling):
            p *= prior[y] * mask[i, y]
            for j, word in enumerate(said[i]):
                if word is not None:
                    p *= confusion[j, word, y]
        total += p
        for i, y in enumerate(labelling):
            marginals[i, y] += p
    return marginals / total, math.log(total)


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_beliefs_and_likelihood_agree_with_enumeration(seed: int) -> None:
    evidence = random_case(seed)
    model = DawidSkene(max_iter=3, tol=1e-300, class_prior=[0.5, 0.3, 0.2])
    with pytest.warns(ConvergenceWarning):
        model.fit(evidence)
    confusion = {
        (j, word, y): model.confusion_.probs[3 * j + word, y]
        for j, word, y in itertools.product(range(3), repeat=3)
    }
    expected, total = by_enumeration(evidence, confusion, [0.5, 0.3, 0.2])
    np.testing.assert_allclose(model.aggregate(evidence).probs, expected, rtol=0, atol=1e-9)
    problem = model._problem(evidence, evidence.votes)
    probs = model.confusion_.probs
    at = replace(problem.parameters(problem.pseudo_votes, model.class_prior_), table=probs)
    assert problem.e_step(at)[2] == pytest.approx(total, abs=1e-9)


@given(st.integers(0, 10_000))
def test_one_step_agrees_with_a_textbook(seed: int) -> None:
    """Counts and their shares in plain Python, from beliefs by enumeration."""
    evidence = random_case(seed)
    model = DawidSkene(max_iter=1, accuracy=0.7, strength=10.0)
    with pytest.warns(ConvergenceWarning):
        model.fit(evidence)
    start = {
        (j, w, y): 0.7 if w == y else 0.15 for j, w, y in itertools.product(range(3), repeat=3)
    }
    beliefs, _ = by_enumeration(evidence, start, [1 / 3] * 3)
    said = matrix_of(evidence.votes)
    for j, y in itertools.product(range(3), repeat=2):
        mass = [10.0 * start[j, w, y] for w in range(3)]
        for i, row in enumerate(said):
            if row[j] is not None:
                mass[row[j]] += beliefs[i, y]
        shares = [m / sum(mass) for m in mass]
        found = model.confusion_.probs[3 * j : 3 * j + 3, y]
        np.testing.assert_allclose(found, shares, rtol=0, atol=1e-9)


@given(
    st.integers(0, 10_000),
    st.sampled_from(["full", "class", "one"]),
    st.sampled_from(["uniform", "learnt"]),
    st.sampled_from(["em", "vb"]),
)
def test_the_objective_never_falls(seed: int, tying: str, class_prior: str, inference: str) -> None:
    evidence = random_case(seed, n_items=12)
    model = DawidSkene(
        tying=tying, class_prior=class_prior, inference=inference, strength=1.0, **QUICK
    ).fit(evidence)
    path = np.array(model.objective_path_)
    assert (np.diff(path) >= -1e-9 * np.abs(path[:-1])).all()


@pytest.mark.parametrize("tying", ["full", "class", "one"])
def test_the_m_step_beats_its_neighbours(tying: str) -> None:
    evidence = random_case(1, n_items=30)
    model = DawidSkene(tying=tying, class_prior="learnt")
    problem = model._problem(evidence, evidence.votes)
    start = next(model._starts(problem, evidence.votes.vocabulary))
    counts, totals, _ = problem.e_step(start)

    def expected_objective(at: Parameters) -> float:
        complete = (counts * np.log(at.table)).sum() + totals @ np.log(at.class_prior)
        return float(complete + at.bonus)

    best = problem.m_step(counts, totals, start)
    votes = problem.tying.gather(counts) + problem.pseudo_votes
    rng = np.random.default_rng(0)
    for _ in range(50):
        near = votes * np.exp(0.05 * rng.normal(size=len(votes)))
        neighbour = problem.parameters(near, best.class_prior * np.exp(0.05 * rng.normal(size=3)))
        assert expected_objective(neighbour) <= expected_objective(best) + 1e-9


def test_shares_of_halves_add_up() -> None:
    evidence = random_case(5, n_items=20)
    model = DawidSkene()
    problem = model._problem(evidence, evidence.votes)
    start = next(model._starts(problem, evidence.votes.vocabulary))
    whole = problem.e_step(start)
    halves = [evidence.select(np.arange(9)), evidence.select(np.arange(9, 20))]
    parts = [model._problem(half, half.votes).e_step(start) for half in halves]
    for n in range(3):
        np.testing.assert_allclose(whole[n], parts[0][n] + parts[1][n], atol=1e-9)


@settings(max_examples=20)
@given(st.permutations(range(3)), st.integers(0, 1000))
def test_renaming_classes_renames_beliefs(order: list[int], seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(-1, 3, (15, 4))
    renamed = np.where(matrix >= 0, np.array(order)[matrix], -1)
    one = DawidSkene(**QUICK).fit_aggregate(Votes.from_matrix(matrix, LABELS)).probs
    two = DawidSkene(**QUICK).fit_aggregate(Votes.from_matrix(renamed, LABELS)).probs
    np.testing.assert_allclose(two[:, order], one, atol=1e-6)


@settings(max_examples=20)
@given(st.permutations(range(15)), st.permutations(range(4)), st.integers(0, 1000))
def test_order_of_items_and_sources_is_only_an_order(
    items: list[int], sources: list[int], seed: int
) -> None:
    matrix = np.random.default_rng(seed).integers(-1, 3, (15, 4))
    one = DawidSkene(**QUICK).fit_aggregate(Votes.from_matrix(matrix, LABELS)).probs
    shuffled = matrix[np.ix_(items, sources)]
    two = DawidSkene(**QUICK).fit_aggregate(Votes.from_matrix(shuffled, LABELS)).probs
    np.testing.assert_allclose(two, one[items], atol=1e-6)


def test_one_candidate_each_is_full_supervision() -> None:
    votes, truth = planted([0.8, 0.6, 0.4], n_items=300)
    known = Candidates.from_labels(truth, LABELS)
    model = DawidSkene(strength=1e-9, **QUICK).fit(Evidence(votes=votes, candidates=known))
    said = np.array(matrix_of(votes))
    for j, y in itertools.product(range(3), repeat=2):
        share = np.bincount(said[truth == y, j], minlength=3) / (truth == y).sum()
        np.testing.assert_allclose(model.confusion_.probs[3 * j : 3 * j + 3, y], share, atol=1e-6)
    probs = model.aggregate(Evidence(votes=votes, gold=known)).probs
    assert (probs[np.arange(300), truth] == 1).all()


def test_finds_the_liar_and_the_expert() -> None:
    votes, truth = planted([0.95, 0.7, 0.7, 0.7, 0.1], coverage=0.8)
    model = DawidSkene(**QUICK).fit(votes)
    verdicts = dict(model.reliability_.select("source", "verdict").iter_rows())
    assert verdicts["source_0"] == "trust"
    assert verdicts["source_4"] == "worse than chance"
    right = (model.aggregate(votes).probs.argmax(axis=1) == truth).mean()
    majority = (MajorityVote().fit_aggregate(votes).probs.argmax(axis=1) == truth).mean()
    assert right > majority + 0.05


def test_recovers_planted_confusions() -> None:
    votes, _ = planted([0.9, 0.8, 0.7, 0.6], n_items=20_000)
    found = DawidSkene(tying="one", **QUICK).fit(votes)
    accuracies = [np.diag(found.confusion_.matrix(name)).mean() for name in votes.sources]
    np.testing.assert_allclose(accuracies, [0.9, 0.8, 0.7, 0.6], atol=0.015)


def test_learns_an_uneven_class_prior_from_dense_votes() -> None:
    votes, _ = planted([0.8] * 5, labels=BINARY, balance=[0.85, 0.15], n_items=20_000)
    model = DawidSkene(class_prior="learnt", **QUICK).fit(votes)
    np.testing.assert_allclose(model.class_prior_, [0.85, 0.15], atol=0.02)


def test_names_are_not_swapped_where_most_sources_are_weak() -> None:
    votes, truth = planted([0.55] * 5 + [0.8], labels=BINARY, n_items=5000)
    beliefs = DawidSkene(**QUICK).fit_aggregate(votes)
    assert (beliefs.probs.argmax(axis=1) == truth).mean() > 0.7


def test_unipolar_rules_do_not_pull_everything_into_one_class() -> None:
    """Three rules that only say yes, one that only says no; a learnt class prior would collapse."""
    rng = np.random.default_rng(0)
    truth = rng.random(5000) < 0.3
    fires = rng.random((5000, 4)) < np.where(
        truth[:, None], [0.5, 0.5, 0.5, 0.1], [0.1, 0.1, 0.1, 0.6]
    )
    votes = Votes.from_matrix(np.where(fires, [1, 1, 1, 0], -1), BINARY)
    covered = votes.votes_per_item > 0
    decided = DawidSkene(**QUICK).fit_aggregate(votes).probs.argmax(axis=1)[covered]
    assert 0.2 < decided.mean() < 0.8
    assert (decided == truth[covered]).mean() > 0.7
    collapsed = DawidSkene(class_prior="learnt", **QUICK).fit_aggregate(votes)
    assert collapsed.probs.argmax(axis=1)[covered].mean() == 1.0  # the danger that the docs name


def others_judge(said: list[list[int | None]], table: dict[tuple[int, int, int], float]) -> dict:
    """Counts of each vote by the belief of the others, in plain Python."""
    counts = dict.fromkeys(itertools.product(range(3), repeat=3), 0.0)
    for row in said:
        for j, word in enumerate(row):
            if word is None:
                continue
            belief = [
                math.prod(
                    table[k, other, y]
                    for k, other in enumerate(row)
                    if other is not None and k != j
                )
                for y in range(3)
            ]
            belief = [p / sum(belief) for p in belief]
            known = 1.0 + sum(p * math.log(p) for p in belief if p > 0) / math.log(3)
            for y in range(3):
                counts[j, word, y] += known * belief[y]
    return counts


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_left_out_each_source_is_judged_by_the_others(seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(-1, 3, (10, 3))
    if (matrix < 0).all():
        return
    votes = Votes.from_matrix(matrix, LABELS)
    model = DawidSkene(inference="loo", max_iter=1)
    with pytest.warns(ConvergenceWarning):
        model.fit(votes)
    start = {
        (j, w, y): 0.7 if w == y else 0.15 for j, w, y in itertools.product(range(3), repeat=3)
    }
    counts = others_judge(matrix_of(votes), start)
    for j, y in itertools.product(range(3), repeat=2):
        mass = [10.0 * start[j, w, y] + counts[j, w, y] for w in range(3)]
        found = model.confusion_.probs[3 * j : 3 * j + 3, y]
        np.testing.assert_allclose(found, np.array(mass) / sum(mass), rtol=0, atol=1e-9)


def test_left_out_rules_that_overlap_little_do_not_echo_themselves() -> None:
    """One rule fires alone and at random; EM believes it, its peers don't."""
    rng = np.random.default_rng(1)
    truth = rng.random(6000) < 0.5
    good = np.where(rng.random((6000, 4)) < 0.9, truth[:, None], ~truth[:, None]).astype(int)
    good[rng.random((6000, 4)) > 0.3] = -1
    noise = np.where(rng.random(6000) < 0.5, 1, -1)
    votes = Votes.from_matrix(np.column_stack([good, noise]), BINARY)
    echo, peers = DawidSkene(strength=1.0), DawidSkene(strength=1.0, inference="loo")
    contested = (noise == 1) & (good[:, 0] == 0) & (good[:, 1:] == -1).all(axis=1)
    right = {}
    for name, model in (("em", echo), ("loo", peers)):
        decided = model.fit_aggregate(votes).probs.argmax(axis=1)
        right[name] = (decided == truth)[contested].mean()
    assert right["loo"] > 0.8
    assert right["loo"] >= right["em"]


def test_averaging_over_tables_spares_probability_for_what_is_not_known() -> None:
    """Expected logs add up to less than one, the more so the fewer votes a source has."""
    votes, _ = planted([0.8, 0.8, 0.8, 0.8], n_items=300)
    matrix = np.array(matrix_of(votes))
    matrix[3:, 3] = -1  # three votes of the last one
    model = DawidSkene(inference="vb", strength=1.0, **QUICK).fit(Votes.from_matrix(matrix, LABELS))
    np.testing.assert_allclose(model.confusion_.probs[9:].sum(axis=0), 1.0)
    kept = model._states.channel.probs.reshape(4, 3, 3).sum(axis=1)
    assert (kept < 1.0).all()
    assert kept[3].max() < kept[:3].min()


def test_an_item_nobody_spoke_about_keeps_the_prior() -> None:
    votes = Votes.from_matrix([[0, 0], [-1, -1]], LABELS)
    beliefs = DawidSkene(class_prior=[0.5, 0.3, 0.2]).fit_aggregate(votes)
    np.testing.assert_allclose(beliefs.probs[1], [0.5, 0.3, 0.2])


def test_a_source_without_votes_keeps_its_prior() -> None:
    votes = Votes.from_matrix([[0, -1], [1, -1]], LABELS)
    model = DawidSkene().fit(votes)
    np.testing.assert_allclose(np.diag(model.confusion_.matrix("source_1")), 0.7)
    assert model.reliability_["verdict"][1] == "says nothing"


def test_votes_for_sets_narrow_the_label() -> None:
    either = [["a", "b"]] * 60 + [["c"]] * 60
    exact = ["a"] * 30 + ["b"] * 30 + ["c"] * 60
    votes = Votes.from_columns({"coarse": either, "fine": exact}, labels=LABELS)
    new = Votes.from_columns({"coarse": [["a", "b"]], "fine": [None]}, labels=LABELS)
    model = DawidSkene(**QUICK).fit(votes)
    belief = model.aggregate(new.in_vocabulary(votes.vocabulary)).probs[0]
    assert belief[2] < 0.1
    assert belief[0] == pytest.approx(belief[1], abs=1e-6)


def test_what_confidence_is_worth_is_learnt() -> None:
    """A model that is right as often at .6 as at .99 gets the same weight for both."""
    rng = np.random.default_rng(0)
    others, truth = planted([0.85] * 4, labels=BINARY, n_items=4000)
    said = np.where(rng.random(4000) < 0.7, truth, 1 - truth)
    stated = np.where(rng.random(4000) < 0.5, 0.6, 0.99)
    probs = np.where(np.arange(2) == said[:, None], stated[:, None], 1 - stated[:, None])
    boastful = Votes.from_probabilities(probs, BINARY, source="llm", bins=2)
    model = DawidSkene(**QUICK).fit(Votes.joined([others, boastful]))
    table = model.confusion_.probs[model.confusion_.vocabulary.source == 4]
    odds = table[:, 1] / table[:, 0]
    np.testing.assert_allclose(odds[1] / odds[3], 1.0, atol=0.35)  # "yes" at the two levels


def test_several_starts_are_never_worse() -> None:
    evidence = random_case(8, n_items=40)
    one = DawidSkene(strength=0.5, **QUICK).fit(evidence)
    many = DawidSkene(strength=0.5, n_starts=5, **QUICK).fit(evidence)
    assert many.objective_path_[-1] >= one.objective_path_[-1]
    assert many.start_ in range(5)


def test_says_when_it_did_not_converge() -> None:
    votes, _ = planted([0.7, 0.6, 0.5], n_items=200)
    model = DawidSkene(max_iter=2, tol=1e-300)
    with pytest.warns(ConvergenceWarning, match="raise `max_iter`"):
        model.fit(votes)
    assert model.status_ is Outcome.MAX_ITER


def test_keeps_scikit_learns_promises() -> None:
    model = DawidSkene(tying="one", strength=3.0)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.aggregate(Votes.from_matrix([[0]], LABELS))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"tying": "both"}, "`tying` must be one of"),
        ({"accuracy": 1.0}, r"`accuracy` must lie in \(0, 1\); got 1.0"),
        ({"strength": 0.0}, "`strength` must be positive; got 0.0"),
        ({"class_strength": -1.0}, "`class_strength` must be positive"),
        ({"inference": "mcmc"}, "`inference` must be one of 'em', 'vb', 'loo'; got 'mcmc'"),
        ({"n_starts": 0}, "`n_starts` must be at least 1; got 0"),
        ({"max_iter": 0}, "`max_iter` must be at least 1; got 0"),
        (
            {"class_prior": "flat"},
            "`class_prior` must be 'uniform', 'learnt', 'auto' or an array; got 'flat'",
        ),
        ({"class_prior": [0.5, 0.5]}, "must be 3 positive shares that add up to 1"),
    ],
)
def test_refuses_settings_out_of_range(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DawidSkene(**setting).fit(Votes.from_matrix([[0, 1]], LABELS))


def test_refuses_evidence_without_votes() -> None:
    with pytest.raises(InputError, match="`evidence` must hold votes for a label model"):
        DawidSkene().fit(Candidates.from_labels(["a"], LABELS))


def test_refuses_another_label_space() -> None:
    model = DawidSkene().fit(Votes.from_matrix([[0, 1]], LABELS))
    with pytest.raises(InputError, match="must have the label space of `fit`"):
        model.aggregate(Votes.from_matrix([[0, 1]], BINARY))


def test_refuses_sources_that_it_never_saw() -> None:
    model = DawidSkene().fit(Votes.from_matrix([[0, 1]], LABELS))
    with pytest.raises(InputError, match="'stranger'"):
        model.aggregate(Votes.from_matrix([[0]], LABELS, sources=["stranger"]))


def test_crowd_votes_on_real_data(shared_data) -> None:
    """On bluebird a learnt confusion is worth twelve points over the majority."""
    folder = shared_data / "crowd" / "bluebird"
    gold = pl.read_csv(folder / "gold.csv")
    labels = LabelSpace([0, 1])
    votes = Votes.from_table(pl.read_csv(folder / "votes.csv"), labels=labels)
    truth = Evidence(
        votes=votes, gold=Candidates.from_labels(gold["label"], labels, items=gold["item"])
    ).gold
    right = {
        type(model).__name__: (
            model.fit_aggregate(votes).probs.argmax(axis=1) == truth.codes()
        ).mean()
        for model in (MajorityVote(), DawidSkene())
    }
    assert right["DawidSkene"] > right["MajorityVote"] + 0.08


def test_what_is_known_of_a_source_decides_where_votes_tell_nothing() -> None:
    """Two sources that always differ: the one that is known to be good is believed."""
    votes = Votes.from_matrix([[0, 1], [1, 0]] * 20, BINARY, sources=["x", "y"])
    for good, wanted in (("x", [0, 1]), ("y", [1, 0])):
        model = DawidSkene(accuracy={good: 0.95}, strength=100.0)
        assert model.fit_aggregate(votes).probs[:2].argmax(axis=1).tolist() == wanted
        row = model.reliability_.row(by_predicate=pl.col("source") == good, named=True)
        assert row["accuracy"] > 0.9


def test_a_dict_of_the_usual_accuracies_changes_nothing() -> None:
    votes = Votes.from_matrix([[0, 1, 1], [1, 0, 1], [0, 0, 1]], BINARY, sources=["x", "y", "z"])
    named = DawidSkene(accuracy={"x": 0.7, "z": 0.7}).fit_aggregate(votes).probs
    np.testing.assert_array_equal(named, DawidSkene().fit_aggregate(votes).probs)


def test_accuracies_of_unknown_sources_or_out_of_range_are_refused() -> None:
    votes = Votes.from_matrix([[0, 1]], BINARY, sources=["x", "y"])
    with pytest.raises(InputError, match=r"must name sources that have votes; got 'ex' \(1 such"):
        DawidSkene(accuracy={"ex": 0.9}).fit(votes)
    with pytest.raises(InputError, match=r"`accuracy\['x'\]` must lie in \(0, 1\); got 1"):
        DawidSkene(accuracy={"x": 1.0}).fit(votes)


@pytest.mark.parametrize("setting", [{"strength": "x"}, {"pool": True}, {"accuracy": "high"}])
def test_settings_that_are_no_numbers_are_named(setting: dict) -> None:
    votes = Votes.from_matrix([[0, 1]], BINARY)
    with pytest.raises(TypeError, match=f"`{next(iter(setting))}` must be a number; got"):
        DawidSkene(**setting).fit(votes)


def test_a_fraction_of_a_subtype_is_refused() -> None:
    with pytest.raises(InputError, match=r"`subtypes` must be a whole number; got 2\.5"):
        DawidSkene(subtypes=2.5).fit(Votes.from_matrix([[0, 1]], BINARY))
