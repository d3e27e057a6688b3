from itertools import combinations, product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from partlabel.aggregate import (
    DawidSkene,
    MajorityVote,
    dependent_groups,
    dependent_pairs,
    merge_groups,
    speaks_selectively,
)
from partlabel.aggregate.agreement import _median
from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evidence import Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["no", "yes"])
ABC = LabelSpace(["a", "b", "c"])
Matrix = NDArray[np.int64]


def workers(truth: Matrix, accuracies: list[float], seed: int, n_classes: int = 2) -> Matrix:
    """One column per worker, who errs evenly over the other classes."""
    rng = np.random.default_rng(seed)
    off = rng.integers(1, n_classes, (len(truth), len(accuracies)))
    right = rng.random(off.shape) < accuracies
    return np.where(right, truth[:, None], (truth[:, None] + off) % n_classes)


def near_copies(seed: int, n_items: int = 1000) -> tuple[Matrix, Matrix]:
    """Five sources of accuracy 0.75, and three near-copies of one of 0.58."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n_items)
    good, poor = np.split(workers(truth, [0.75] * 5 + [0.58], seed), [5], axis=1)
    flips = rng.random((n_items, 3)) < [0.02, 0.035, 0.05]
    return np.hstack([good, np.where(flips, 1 - poor, poor)]), truth


def rules(seed: int, n_items: int = 3000) -> tuple[Matrix, Matrix]:
    """Nine rules, three for each class, that speak of a third of it and are right nine in ten."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n_items)
    own = np.arange(9) % 3
    speaks = rng.random((n_items, 9)) < np.where(truth[:, None] == own, 0.33, 0.02)
    return np.where(speaks, own, -1), truth


def copied(matrix: Matrix, source: int, n: int = 5) -> Matrix:
    return np.hstack([matrix, np.repeat(matrix[:, [source]], n, axis=1)])


def votes_of(matrix: Matrix, labels: LabelSpace = LABELS) -> Votes:
    return Votes.from_matrix(matrix, labels)


def groups_in(votes: Votes) -> list[tuple[str, ...]]:
    return dependent_groups(dependent_pairs(votes), votes.sources)


def accuracy(model: MajorityVote | DawidSkene, votes: Votes, truth: Matrix) -> float:
    probs = model.fit_aggregate(votes).probs
    best = probs >= probs.max(axis=1, keepdims=True) - 1e-9
    return float((best[np.arange(len(truth)), truth] / best.sum(axis=1)).mean())


@pytest.mark.parametrize("seed", range(5))
def test_near_copies_of_a_poor_source_are_found_and_disarmed(seed: int) -> None:
    matrix, truth = near_copies(seed)
    votes = votes_of(matrix)
    assert accuracy(MajorityVote(), votes, truth) < 0.80
    assert accuracy(DawidSkene(), votes, truth) < 0.65  # hijacked by the copies
    groups = groups_in(votes)
    assert groups == [("source_5", "source_6", "source_7")]
    merged = merge_groups(votes, groups)
    assert accuracy(MajorityVote(), merged, truth) > 0.85
    assert accuracy(DawidSkene(), merged, truth) > 0.85
    assert accuracy(DawidSkene(inference="loo"), merged, truth) > 0.85


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_classes", [2, 4])
def test_independent_sources_raise_no_alarm(seed: int, n_classes: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, 600)
    matrix = workers(truth, list(rng.uniform(0.4, 0.97, 25)), seed, n_classes)
    matrix[rng.random(matrix.shape) < 0.5] = -1
    pairs = dependent_pairs(votes_of(matrix, LabelSpace([str(k) for k in range(n_classes)])))
    assert len(pairs) >= 5
    assert not pairs["dependent"].any()


def test_what_is_explained_is_the_product_of_what_each_knows() -> None:
    accuracies = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65]
    truth = np.random.default_rng(0).integers(0, 2, 50_000)
    pairs = dependent_pairs(votes_of(workers(truth, accuracies, 0)), effect=0.1)
    assert len(pairs) >= 15
    for a, b, explained in pairs.select("source_a", "source_b", "explained").rows():
        known = np.array([2 * accuracies[int(name[-1])] - 1 for name in (a, b)])
        assert explained == pytest.approx(known.prod(), abs=0.02)


@pytest.mark.parametrize("source", range(9))
def test_copies_of_a_rule_are_found(source: int) -> None:
    matrix, _ = rules(0)
    votes = votes_of(copied(matrix, source), ABC)
    names = (f"source_{source}", *(f"source_{j}" for j in range(9, 14)))
    assert groups_in(votes) == [names]


def test_rules_for_the_same_class_raise_no_alarm() -> None:
    for seed in range(5):
        assert not dependent_pairs(votes_of(rules(seed)[0], ABC), effect=0.2)["dependent"].any()


def test_copies_among_workers_who_share_few_items_are_found() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 800)
    matrix = workers(truth, list(rng.uniform(0.6, 0.9, 120)), 0)
    for item in matrix:  # ten workers each, so that hardly any two share thirty items
        item[rng.permutation(120)[10:]] = -1
    assert groups_in(votes_of(matrix)) == []
    votes = votes_of(copied(matrix, 7))
    assert groups_in(votes) == [("source_7", *(f"source_{j}" for j in range(120, 125)))]


@pytest.mark.parametrize("silence", [False, True])
def test_agreement_is_cohens_kappa(silence: bool) -> None:
    rng = np.random.default_rng(1)
    matrix, _ = rules(1, 400) if silence else (rng.integers(0, 3, (400, 9)), None)
    matrix = copied(matrix, 0, 2)
    matrix[rng.random(matrix.shape) < 0.2] = -1
    votes = votes_of(matrix, ABC)
    assert speaks_selectively(votes) is silence
    pairs = dependent_pairs(votes, effect=0.0)
    assert len(pairs) > 5
    for a, b, items, kappa in pairs.select("source_a", "source_b", "items", "agreement").rows():
        x, y = (matrix[:, int(name.removeprefix("source_"))] for name in (a, b))
        spoke = (x >= 0) | (y >= 0) if silence else (x >= 0) & (y >= 0)
        assert items == spoke.sum()
        at = np.ones(400, dtype=bool) if silence else spoke
        assert kappa == pytest.approx(cohen_kappa_score(x[at], y[at]))


@pytest.mark.parametrize("silence", [False, True])
def test_residual_is_the_mutual_information_given_the_label(silence: bool) -> None:
    rng = np.random.default_rng(2)
    matrix = rules(2, 300)[0] if silence else rng.integers(-1, 3, (300, 5))
    votes = votes_of(copied(matrix, 0, 1), ABC)
    beliefs = Beliefs(rng.dirichlet(np.ones(3), 300), ABC)
    pairs = dependent_pairs(votes, beliefs=beliefs, effect=0.0)
    name = f"source_{matrix.shape[1]}"
    found = pairs.filter(pl.col("source_b") == name, pl.col("source_a") == "source_0")["residual"]
    said = matrix[:, 0]
    at = np.ones(300, dtype=bool) if silence else said >= 0
    expected = 0.0  # of a source and its copy: the entropy of its words given the label
    for word, mass in product(range(-1, 3), beliefs.probs[at].T):
        p = mass[said[at] == word].sum() / at.sum()
        expected -= p * np.log(p / (mass.sum() / at.sum())) if p else 0.0
    assert found.to_list() == pytest.approx([expected])
    assert pairs.drop("residual").equals(dependent_pairs(votes, effect=0.0))


def test_order_and_names_change_nothing_else() -> None:
    rng = np.random.default_rng(3)
    matrix, _ = near_copies(3, 500)
    matrix[rng.random(matrix.shape) < 0.3] = -1
    names = list("hgfedcba")
    items, columns = rng.permutation(500), rng.permutation(8)
    one = dependent_pairs(Votes.from_matrix(matrix, LABELS, sources=list("pqrstuvw")))
    renamed = [names[j] for j in columns]
    two = dependent_pairs(
        Votes.from_matrix(matrix[items][:, columns], LABELS, sources=renamed)
    ).with_columns(pl.col("source_a", "source_b").replace(names, list("pqrstuvw")))

    def by_pair(pairs: pl.DataFrame) -> dict[frozenset[str], tuple[float, ...]]:
        return {frozenset(row[:2]): row[2:] for row in pairs.rows()}

    assert len(one) >= 3
    assert by_pair(one).keys() == by_pair(two).keys()
    for pair, values in by_pair(one).items():
        assert by_pair(two)[pair] == pytest.approx(values)


def test_the_strongest_come_first() -> None:
    matrix = copied(near_copies(0)[0], 0, 1)
    pairs = dependent_pairs(votes_of(matrix), effect=0.1)
    assert pairs["dependent"].to_list() == sorted(pairs["dependent"], reverse=True)
    assert pairs.row(0)[:2] == ("source_0", "source_8")


def test_sources_that_never_vary_agree_by_chance_alone() -> None:
    matrix = np.zeros((200, 4), dtype=np.int64)
    matrix[:100, 3] = 1
    assert len(dependent_pairs(votes_of(matrix))) == 0


@pytest.mark.parametrize("matrix", [[[-1, -1]], [[0, -1]], [[0, 1]] * 40])
def test_little_evidence_gives_an_empty_table(matrix: list[list[int]]) -> None:
    pairs = dependent_pairs(Votes.from_matrix(matrix, LABELS))
    assert len(pairs) == 0
    assert dependent_groups(pairs, ["source_0", "source_1"]) == []


def test_rules_are_told_from_workers() -> None:
    truth = np.random.default_rng(0).integers(0, 2, 60)
    crowd = workers(truth, [0.8] * 6, 0)
    assert not speaks_selectively(votes_of(crowd))
    assert speaks_selectively(votes_of(np.where(crowd == [0, 1] * 3, crowd, -1)))
    assert speaks_selectively(votes_of(np.where(crowd == 1, crowd, -1)))  # they flag, or don't
    assert not speaks_selectively(votes_of(np.full((60, 2), -1)))
    always = np.hstack([crowd, np.ones((60, 9), dtype=np.int64)])
    assert not speaks_selectively(votes_of(always))  # copies count once


def test_a_common_class_makes_no_rule_of_a_worker() -> None:
    rare = (np.arange(400) % 40 == 0).astype(int)
    said = np.full((400, 40), -1)
    for source in range(40):  # ten votes each, mostly all "no"
        said[source * 10 : source * 10 + 10, source] = rare[source * 10 : source * 10 + 10]
    assert not speaks_selectively(votes_of(said))


def linked(*names: str) -> pl.DataFrame:
    pairs = [tuple(pair) for pair in names]
    return pl.DataFrame(pairs, schema=["source_a", "source_b"], orient="row").with_columns(
        dependent=pl.lit(value=True)
    )


def test_groups_are_connected_but_no_chains() -> None:
    assert dependent_groups(linked("ab", "ac", "bc", "xy"), list("yxcba")) == [
        ("y", "x"),
        ("c", "b", "a"),
    ]
    assert dependent_groups(linked("ab", "bc", "cd"), list("abcd")) == [("a", "b"), ("c", "d")]
    most = linked(*("".join(p) for p in combinations("abcde", 2) if p != ("d", "e")))
    assert dependent_groups(most, list("abcde")) == [tuple("abcde")]
    assert dependent_groups(linked("ab").with_columns(dependent=False), list("ab")) == []


def test_a_merged_group_says_what_most_members_say() -> None:
    said = [
        [["a"], ["a"], ["b"], ["c"]],
        [["a"], ["b"], None, ["c"]],
        [["a", "b"], ["b"], ["c"], None],
        [["a", "b"], ["a", "b"], None, None],
        [None, None, None, ["a"]],
    ]
    votes = Votes.from_columns(
        {name: [row[j] for row in said] for j, name in enumerate("xyzw")}, labels=ABC
    )
    merged = merge_groups(votes, [("z", "x", "y")])
    assert merged.sources == ("w", "x + y + z")
    rows = merged.to_polars().filter(source="x + y + z").select("item", "label").rows()
    # item 1: a or b, as x may say; item 2: b has one and a half of three votes
    assert rows == [(0, "a"), (1, "a|b"), (2, "b"), (3, "a|b")]
    assert merged.to_polars().filter(source="w").equals(votes.to_polars().filter(source="w"))


def test_classes_that_tie_are_silence_where_no_member_says_such_a_set() -> None:
    merged = merge_groups(votes_of(np.array([[0, 1], [1, 1]]), ABC), [("source_0", "source_1")])
    assert merged.votes_per_item.tolist() == [0, 1]


def test_merging_copies_gives_the_source_back() -> None:
    matrix, _ = rules(4, 200)
    votes = votes_of(copied(matrix, 2), ABC)
    merged = merge_groups(votes, [[votes.sources[j] for j in (2, 9, 10, 11, 12, 13)]])
    once = votes_of(matrix[:, [0, 1, 3, 4, 5, 6, 7, 8, 2]], ABC)
    assert np.array_equal(merged.indptr, once.indptr)
    assert np.array_equal(merged.symbol, once.symbol)
    assert np.array_equal(merged.vocabulary.meaning, once.vocabulary.meaning)


def test_merged_votes_keep_their_form() -> None:
    rng = np.random.default_rng(5)
    ids = np.array([f"i{k}" for k in range(40)])
    first = Votes.from_matrix(rng.integers(-1, 3, (40, 5)), ABC, items=ids)
    model = Votes.from_probabilities(rng.dirichlet(np.ones(3), 40), ABC, items=ids)
    votes = Votes.joined([first, model])
    merged = merge_groups(votes, [("source_0", "source_3"), ("source_4", "source_1")])
    assert merged.sources == ("source_2", "model", "source_0 + source_3", "source_1 + source_4")
    assert merged.item_ids is votes.item_ids
    assert merged.vocabulary.bins.keys() == {"model"}
    for i in range(40):
        assert (np.diff(merged.symbol[merged.indptr[i] : merged.indptr[i + 1]]) > 0).all()
    stated = votes.to_polars().filter(source="model")
    assert merged.to_polars().filter(source="model").equals(stated)
    everything = merge_groups(first, [first.sources])
    assert everything.n_sources == 1
    assert merge_groups(votes, []) is votes


def test_a_model_of_merged_votes_reads_others_merged_alike() -> None:
    matrix, _ = near_copies(0)
    votes = votes_of(matrix)
    groups = groups_in(votes)
    model = DawidSkene().fit(merge_groups(votes, groups))
    rest = merge_groups(votes.select(slice(0, 3)), groups)
    assert len(model.aggregate(rest)) == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"level": 0.0}, r"`level` must lie in \(0, 1\); got 0\.0"),
        ({"effect": 1.5}, r"`effect` must lie in \[0, 1\]; got 1\.5"),
        ({"min_items": 1}, "`min_items` must be at least 2; got 1"),
        ({"beliefs": Beliefs(np.eye(2), LABELS)}, "`beliefs` must be about the 3 items"),
        ({"beliefs": Beliefs(np.eye(3), ABC)}, "its label space; got 3 items of"),
    ],
)
def test_settings_are_checked(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dependent_pairs(votes_of(np.zeros((3, 2), dtype=int)), **setting)


def test_groups_refuse_tables_that_are_not_theirs() -> None:
    with pytest.raises(InputError, match="`pairs` must have the column 'dependent'"):
        dependent_groups(linked("ab").drop("dependent"), ["a", "b"])
    with pytest.raises(InputError, match=r"about `sources`; got 'b' \(1 unknown\)"):
        dependent_groups(linked("ab"), ["a"])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([("a",)], r"groups of two or more sources; got \('a',\) at position 0"),
        (["ab"], "groups of two or more sources; got 'ab' at position 0"),
        ([("a", "x")], "must name sources of `votes`; got 'x' at position 0"),
        ([("a", "b"), ("c", "a")], "must not share sources; got 'a' at positions 0 and 1"),
        ([("a", "a")], "must not share sources; got 'a' at positions 0 and 0"),
        ([("a", "b")], "`sources` must all differ; got 'a \\+ b'"),
    ],
)
def test_groups_that_cannot_be_merged_are_refused(
    groups: list[tuple[str, ...]], message: str
) -> None:
    votes = Votes.from_matrix(np.zeros((2, 4), int), LABELS, sources=["a", "b", "c", "a + b"])
    with pytest.raises(InputError, match=message):
        merge_groups(votes, groups)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("youtube", []),
        ("hausa", []),
        (
            "trec",
            [  # "which", "what" and their kind, with other words behind them
                ("lf_4", "lf_10"),
                ("lf_8", "lf_39", "lf_63", "lf_64"),
                ("lf_13", "lf_49"),
                ("lf_27", "lf_62"),
                ("lf_28", "lf_31"),
            ],
        ),
    ],
)
def test_real_rules(shared_data: Path, name: str, expected: list[tuple[str, ...]]) -> None:
    parts = ("train", "valid", "test")
    table = pl.concat(
        [pl.read_parquet(shared_data / "rules" / name / f"{p}.parquet") for p in parts]
    )
    columns = [column for column in table.columns if column.startswith("lf_")]
    said = pl.concat([table[c] for c in columns])
    votes = Votes.from_columns(table, columns, labels=LabelSpace.infer(said))
    votes = votes.select(votes.votes_per_item > 0)
    assert speaks_selectively(votes)
    assert groups_in(votes) == expected
    copy = Votes.from_columns(table.select(copy=columns[0]), labels=votes.labels)
    both = Votes.joined([Votes.from_columns(table, columns, labels=votes.labels), copy])
    assert any({columns[0], "copy"} <= set(group) for group in groups_in(both))


def test_evidence_of_merged_votes_is_evidence() -> None:
    votes = votes_of(near_copies(1, 200)[0])
    merged = merge_groups(votes, [votes.sources[5:]])
    assert len(Evidence(votes=merged)) == 200


@given(st.integers(0, 10_000))
def test_the_compiled_median_is_that_of_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=rng.integers(1, 60)).round(int(rng.integers(0, 3)))
    n = int(rng.integers(1, len(values) + 1))
    assert _median(values.copy(), n) == np.median(values[:n])
