"""Each kind of rule says what its definition says, row by row."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from partlabel.errors import InputError
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace
from partlabel.rules import (
    Rule,
    apply_rules,
    batch_rule,
    classifier,
    lookup,
    predictions,
    row_rule,
    rule,
    threshold,
)

LABELS = LabelSpace(["cat", "dog", "car"], parents={"cat": "animal", "dog": "animal"})


def said(one: Rule, **columns: object) -> list[str | None]:
    """What a rule says about each row, sets as "a|b"."""
    votes = apply_rules([one], columns, LABELS).to_polars()
    by_item = dict(zip(votes["item"], votes["label"], strict=True))
    return [by_item.get(i) for i in range(len(next(iter(columns.values()))))]


def test_condition_speaks_where_it_is_true_and_not_where_it_is_null() -> None:
    assert said(rule("dog", pl.col("x") > 1), x=[1, 2, None, 3]) == [None, "dog", None, "dog"]


@pytest.mark.parametrize("label", ["animal", ["dog", "cat"], {"cat", "dog"}, ("animal", "cat")])
def test_rule_may_vote_for_a_set(label: object) -> None:
    assert said(rule(label, pl.col("x")), x=[True, False]) == ["cat|dog", None]


def test_rule_knows_what_it_reads() -> None:
    one = rule("cat", (pl.col("b") > pl.col("a")) | pl.col("b").is_null())
    assert one.reads == ("b", "a")


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [(2, None, [3, 4]), (None, 2, [0, 1]), (1, 3, [2])],
)
def test_threshold_leaves_out_its_bounds(
    above: float | None, below: float | None, expected: list[int]
) -> None:
    one = threshold("cat", "x", above=above, below=below)
    answers = said(one, x=[0, 1, 2, 3, 4])
    assert [i for i, answer in enumerate(answers) if answer] == expected


def test_threshold_says_nothing_about_nan_and_null() -> None:
    frame = pl.DataFrame({"x": [math.nan, None, math.inf, -math.inf]})
    high, low = threshold("cat", "x", above=1.5), threshold("cat", "x", below=1.5)
    votes = apply_rules([high, low], frame, LABELS)
    assert (votes.item.tolist(), votes.source.tolist()) == ([2, 3], [0, 1])


def test_threshold_takes_dates() -> None:
    day = dt.date
    one = threshold("cat", "day", above=day(2020, 1, 1))
    assert said(one, day=[day(2019, 1, 1), day(2021, 1, 1)]) == [None, "cat"]


def test_lookup_says_what_the_dictionary_says() -> None:
    mapping = {"a": "cat", "b": ["car", "dog"], "c": "animal", "d": "cat"}
    values = ["d", "c", None, "x", "b", "a"]
    expected = ["cat", "cat|dog", None, None, "dog|car", "cat"]
    assert said(lookup("x", mapping), x=values) == expected
    assert said(lookup("n", {1: "dog"}), n=[1, 2, None]) == ["dog", None, None]


def test_functions_of_a_row_and_of_a_batch_say_what_they_give_back() -> None:
    answers = ["cat", None, ["dog", "cat"], "animal", "car"]
    expected = ["cat", None, "cat|dog", "cat|dog", "car"]

    @row_rule
    def by_row(row: dict[str, int]) -> object:
        return answers[row["x"]]

    @batch_rule(reads=["x"], name="by batch")
    def by_batch(batch: pl.DataFrame) -> list[object]:
        return [answers[x] for x in batch["x"]]

    assert said(by_row, x=range(5)) == expected
    assert said(by_batch, x=range(5)) == expected
    assert (by_row.name, by_batch.name) == ("by_row", "by batch")


def test_row_function_is_given_only_the_columns_that_it_reads() -> None:
    seen: list[dict[str, int]] = []

    @row_rule(reads=["b"])
    def watch(row: dict[str, int]) -> None:
        seen.append(row)

    apply_rules([watch], {"a": [1, 2], "b": [3, 4]}, LABELS)
    assert seen == [{"b": 3}, {"b": 4}]


@pytest.mark.parametrize("kind", [list, np.array, pl.Series, pd.Series])
def test_batch_function_may_give_any_kind_of_column(kind: object) -> None:
    one = batch_rule(lambda batch: kind(["cat"] * len(batch)), name="all")
    assert said(one, x=[1, 2]) == ["cat", "cat"]


def test_predicted_classes_are_said_as_they_stand() -> None:
    one = predictions("bert")
    assert (one.name, said(one, bert=["dog", None, "animal"])) == ("bert", ["dog", None, "cat|dog"])


def test_probabilities_are_read_as_votes_reads_them() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), size=50)
    probs[7] = np.nan
    frame = pl.DataFrame(probs, schema=["p_cat", "p_dog", "p_car"]).fill_nan(None)
    # in another order than that of the label space
    columns = {"car": "p_car", "cat": "p_cat", "dog": "p_dog"}
    one = predictions(columns, name="bert", bins=4)
    votes = apply_rules([one], frame, LABELS, batch_size=8)
    expected = Votes.from_probabilities(probs, LABELS, source="bert", bins=4)
    assert np.array_equal(votes.indptr, expected.indptr)
    assert np.array_equal(votes.symbol, expected.symbol)
    assert votes.vocabulary.same_as(expected.vocabulary)


def test_classifier_is_asked_batch_by_batch() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.choice(["cat", "car"], size=60)
    frame = pl.DataFrame(X, schema=["a", "b"])
    model = LogisticRegression().fit(X, y)
    votes = apply_rules([classifier(model, ["a", "b"])], frame, LABELS, batch_size=7)
    probs = np.insert(model.predict_proba(X)[:, ::-1], 1, 0.0, axis=1)
    expected = Votes.from_probabilities(probs, LABELS, source="LogisticRegression")
    assert np.array_equal(votes.symbol, expected.symbol)
    named = LogisticRegression().fit(frame, y)
    again = apply_rules([classifier(named, ["a", "b"])], frame, LABELS)
    assert np.array_equal(again.symbol, expected.symbol)


def test_classifier_without_probabilities_says_its_prediction() -> None:
    X, y = [[0.0], [1.0], [2.0], [3.0]], ["cat", "cat", "dog", "dog"]
    model = RidgeClassifier().fit(X, y)
    assert said(classifier(model, ["x"]), x=[0.0, 3.0]) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: rule("cat", pl.lit(value=True)),
            "`condition` must name the columns that it reads",
        ),
        (lambda: rule("cat", pl.all() > 1), "`condition` must name the columns that it reads"),
        (lambda: threshold("cat", "x"), "`threshold` must have a bound"),
        (
            lambda: threshold("cat", "x", above=2, below=2),
            "`above` must lie below `below`; got abo",
        ),
        (lambda: lookup("x", {}), "`mapping` must hold at least one value"),
        (
            lambda: predictions({"cat": "p", "dog": "p"}, name="m"),
            "`columns` must name one column for each class; got 'p' for 'cat' and for 'dog'",
        ),
        (lambda: predictions({"cat": "p"}), "`name` must name the model whose probabilities"),
        (
            lambda: classifier(LogisticRegression(), ["x"]),
            "`estimator` must be a fitted classifier",
        ),
        (lambda: row_rule(str, reads=[], name="r"), "Rule 'r' must read at least one column"),
    ],
)
def test_rule_is_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rule("cat", "x > 1"), "`condition` must be a polars expression; got str"),
        (lambda: rule("cat", pl.col("x"), name=3), "`name` must be a string; got 3"),
    ],
)
def test_wrong_kind_is_refused(make: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()
