"""Beliefs from files, part by part, are those of one fit in memory."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from partlabel.aggregate import Aggregator, DawidSkene, LabelModel, MajorityVote, aggregate_parquet
from partlabel.aggregate.kernels import expected_counts, peer_counts
from partlabel.aggregate.observations import Observations
from partlabel.aggregate.shards import Shards
from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["a", "b", "c"])
QUICK = {"tol": 1e-12, "max_iter": 2000}


def crowd(n_items: int = 3000, n_sources: int = 6, coverage: float = 0.6) -> pl.DataFrame:
    """A shuffled long table with some null labels, and some items about which nobody speaks."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, n_items)
    wrong = rng.random((n_items, n_sources)) > rng.uniform(0.5, 0.95, n_sources)
    said = (truth[:, None] + wrong * rng.integers(1, 3, wrong.shape)) % 3
    rows = pl.DataFrame(
        {
            "item": np.repeat([f"i{i:05}" for i in range(n_items)], n_sources),
            "source": np.tile([f"s{j:03}" for j in range(n_sources)], n_items),
            "label": pl.Series(LABELS.classes).gather(said.ravel()),
        }
    )
    spoke = pl.Series(rng.random(len(rows)) < coverage)
    null = pl.when(pl.Series(rng.random(len(rows)) < 0.1)).then(None).otherwise(pl.col("label"))
    return rows.with_columns(label=null).filter(spoke).sample(fraction=1, shuffle=True, seed=0)


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return crowd()


@pytest.fixture
def votes(table: pl.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "votes.parquet"
    table.write_parquet(path, row_group_size=1000)
    return path


def assert_same(beliefs: Path, expected: Beliefs, atol: float = 1e-6) -> None:
    one, two = pl.read_parquet(beliefs).sort("item"), expected.to_polars().sort("item")
    assert one.columns == two.columns
    assert one["item"].equals(two["item"])
    for name in one.columns[2:]:
        np.testing.assert_allclose(one[name], two[name], atol=atol)


@pytest.mark.parametrize("at_once", [1_000_000, 2500, 300])
@pytest.mark.parametrize(
    "model",
    [
        DawidSkene(**QUICK),
        DawidSkene(class_prior="learnt", **QUICK),
        DawidSkene(inference="vb", tying="class", **QUICK),
        DawidSkene(inference="loo", max_iter=500),
        DawidSkene(pool=5.0, max_iter=500),
        DawidSkene(abstention="observed", **QUICK),
        DawidSkene(subtypes=2, **QUICK),
    ],
    ids=["em", "learnt", "vb", "loo", "pool", "silence", "subtypes"],
)
def test_beliefs_are_those_of_one_fit_in_memory(
    model: DawidSkene, at_once: int, table: pl.DataFrame, votes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "beliefs.parquet"
    fitted = aggregate_parquet(votes, out, LABELS, model=model, votes_at_once=at_once)
    again = DawidSkene(**model.get_params())
    settles = model.inference == "loo" or model.pool is not None
    # the prior coverage is that of the first part; a fixed point's states settle within 1e-5
    within = {"observed": 1e-3, "ignore": 1e-4 if settles else 1e-6}
    atol = within[model.abstention]
    assert_same(out, again.fit_aggregate(Votes.from_table(table, labels=LABELS)), atol)
    for name in ("votes", "coverage", "overlap", "conflict", "accuracy", "accuracy_low"):
        np.testing.assert_allclose(fitted.reliability_[name], again.reliability_[name], atol=atol)
    assert fitted.reliability_["verdict"].equals(again.reliability_["verdict"])


def test_workers_whose_rows_do_not_collapse(tmp_path: Path) -> None:
    table = crowd(n_items=1500, n_sources=60, coverage=0.15)
    table.write_parquet(tmp_path / "votes.parquet")
    out = tmp_path / "beliefs.parquet"
    aggregate_parquet(
        tmp_path / "votes.parquet", out, LABELS, model=DawidSkene(**QUICK), votes_at_once=3000
    )
    assert_same(out, DawidSkene(**QUICK).fit_aggregate(Votes.from_table(table, labels=LABELS)))


@pytest.mark.parametrize("model", [MajorityVote(), LabelModel()], ids=str)
def test_any_model_in_one_part_is_as_in_memory(
    model: Aggregator, table: pl.DataFrame, votes: Path, tmp_path: Path
) -> None:
    aggregate_parquet(votes, tmp_path / "beliefs.parquet", LABELS, model=model)
    expected = type(model)().fit_aggregate(Votes.from_table(table, labels=LABELS))
    assert_same(tmp_path / "beliefs.parquet", expected)


def test_other_models_learn_from_a_sample_and_believe_about_all(
    table: pl.DataFrame, votes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "beliefs.parquet"
    aggregate_parquet(votes, out, LABELS, model=LabelModel(), votes_at_once=3000)
    expected = LabelModel().fit_aggregate(Votes.from_table(table, labels=LABELS)).to_polars()
    found = pl.read_parquet(out).sort("item")
    assert len(found) == table["item"].n_unique()
    assert (found["label"] == expected.sort("item")["label"]).mean() > 0.97


def test_gold_takes_part(table: pl.DataFrame, votes: Path, tmp_path: Path) -> None:
    names = [f"i{i:05}" for i in range(0, 4000, 7)]  # some of them have no votes
    said = [LABELS.classes[i % 3] for i in range(len(names))]
    gold = Candidates.from_labels(said, LABELS, items=names)
    out = tmp_path / "beliefs.parquet"
    model = DawidSkene(**QUICK)
    found = aggregate_parquet(votes, out, LABELS, model=model, gold=gold, votes_at_once=2000)
    known = Votes.from_table(table, labels=LABELS)
    evidence = Evidence(votes=known, gold=gold, items=known.item_ids, unmatched="drop")
    expected = DawidSkene(**QUICK).fit(evidence)
    assert_same(out, expected.aggregate(evidence))
    for name in ("gold_votes", "gold_accuracy", "gold_low"):
        np.testing.assert_allclose(found.reliability_[name], expected.reliability_[name])


def test_a_folder_of_files_with_sets_and_integer_ids(tmp_path: Path) -> None:
    folder = tmp_path / "votes"
    (folder / "deep").mkdir(parents=True)
    rng = np.random.default_rng(1)
    table = pl.DataFrame(
        {
            "task": np.repeat(np.arange(300), 3),
            "who": pl.Series(np.tile(["x", "y", "z"], 300)).cast(pl.Categorical),
            "answer": [list(rng.choice(LABELS.classes, rng.integers(1, 3), replace=False))
                       for _ in range(900)],
        }
    )  # fmt: skip
    table[:500].write_parquet(folder / "one.parquet")
    table[500:].write_parquet(folder / "deep" / "two.parquet")
    names = {"item": "task", "source": "who", "label": "answer"}
    model = DawidSkene(**QUICK)
    aggregate_parquet(
        folder, tmp_path / "o.parquet", LABELS, model=model, votes_at_once=200, **names
    )
    known = Votes.from_table(table, labels=LABELS, **names)
    assert_same(tmp_path / "o.parquet", DawidSkene(**QUICK).fit_aggregate(known))


def test_repeated_votes(tmp_path: Path) -> None:
    table = pl.concat([crowd(200), crowd(200).with_columns(label=pl.lit("b"))])
    table.write_parquet(tmp_path / "votes.parquet")
    out = tmp_path / "beliefs.parquet"
    for keep in ("first", "last"):
        aggregate_parquet(tmp_path / "votes.parquet", out, LABELS, repeated=keep, votes_at_once=200)
        known = Votes.from_table(table, labels=LABELS, repeated=keep)
        assert_same(out, DawidSkene().fit_aggregate(known), atol=1e-4)
    with pytest.raises(InputError, match=r"one vote per item and source; item .i0.* stand twice"):
        aggregate_parquet(tmp_path / "votes.parquet", out, LABELS)
    assert len(pl.read_parquet(out)) == table["item"].n_unique()  # what was there stays
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beliefs.parquet", "votes.parquet"]


@pytest.mark.parametrize("kernel", [expected_counts, peer_counts])
def test_shards_gather_what_the_whole_gathers(kernel, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    evidence = Evidence(
        votes=Votes.from_matrix(rng.integers(-1, 3, (4000, 3)), LABELS),
        candidates=Candidates.from_labels(rng.integers(-1, 3, 4000), LABELS, missing=-1),
    )
    prior, likelihood = np.array([0.5, 0.3, 0.2]), rng.random((9, 3))
    whole = Observations.of(evidence, collapse=False).passed(kernel, prior, likelihood)
    shards = Shards()
    for n, rows in enumerate(np.array_split(rng.permutation(4000), 4)):
        own = Observations.of(evidence.select(rows), collapse=n != 2)
        shards = shards.joined(own, tmp_path)
    assert [len(part.weight) < 1000 for part in shards.parts] == [True, False]
    assert shards.n_items == 4000
    for found, expected in zip(shards.passed(kernel, prior, likelihood), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"item": "task"}, "`item` must name a column of the table; got 'task'"),
        ({"item": None}, {}, "`item` must not hold nulls; it does in 3 of 3 rows"),
        ({"source": None}, {}, "`source` must not hold nulls; it does in 3 of 3 rows"),
        ({"label": "d"}, {}, "`label` must be one of 'a', 'b', 'c'; got 'd'"),
        ({}, {"votes_at_once": 0}, "`votes_at_once` must be at least 1; got 0"),
        ({}, {"repeated": "no"}, "`repeated` must be 'refuse', 'first' or 'last'; got 'no'"),
        ({}, {"gold": Candidates.from_labels(["a"], LABELS)}, "`gold` must have item ids"),
    ],
)
def test_refusals(change: dict, options: dict, message: str, tmp_path: Path) -> None:
    path = tmp_path / "votes.parquet"
    table = pl.DataFrame({"item": [1, 2, 3], "source": ["x"] * 3, "label": ["a", "b", "c"]})
    table.with_columns(pl.lit(v).alias(k) for k, v in change.items()).write_parquet(path)
    with pytest.raises(InputError, match=message):
        aggregate_parquet(path, tmp_path / "beliefs.parquet", LABELS, **options)


def test_refuses_no_file_and_no_votes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*: there is no such file"):
        aggregate_parquet(tmp_path / "none.parquet", tmp_path / "beliefs.parquet")
    schema = {"item": pl.Int64, "source": pl.String, "label": pl.String}
    pl.DataFrame(schema=schema).write_parquet(tmp_path / "votes.parquet")
    with pytest.raises(InputError, match="must have at least one vote; got no row"):
        aggregate_parquet(tmp_path / "votes.parquet", tmp_path / "beliefs.parquet")
