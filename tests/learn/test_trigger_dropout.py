"""Triggers are hidden in training and seen in prediction; a model learns what is beside them."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from partlabel import InputError, PartialLabelClassifier
from partlabel.learn import SoftLogisticRegression, TriggerDropout
from partlabel.rules import apply_rules, keywords, regex, row_rule, rule, threshold

FREE = keywords("spam", ["free", "check out"], "text")
LINK = regex("spam", r"https?://\S+", "text")
TEXTS = ["Free beer", "freedom", "see https://a.b now", "check  out", "CHECK OUT free"]


def test_all_triggers_of_a_drawn_row_are_hidden() -> None:
    hidden = TriggerDropout([FREE, LINK], share=1.0, mask="<$1>").fit_transform(TEXTS)
    assert hidden.tolist() == ["<$1> beer", "freedom", "see <$1> now", "check  out", "<$1> <$1>"]


def test_no_rule_speaks_on_a_hidden_row() -> None:
    rules = [FREE, LINK, keywords("ham", ["out", "beer"], "text")]
    hidden = TriggerDropout(rules, share=1.0).fit_transform(TEXTS)
    assert apply_rules(rules, {"text": hidden}).n_votes == 0


def test_prediction_hides_nothing() -> None:
    dropout = TriggerDropout([FREE], share=1.0)
    assert dropout.fit(TEXTS).transform(TEXTS) is TEXTS
    assert TriggerDropout([FREE], share=0.0).fit_transform(TEXTS).tolist() == TEXTS


def test_a_share_of_the_rows_is_drawn_the_same_in_each_fit() -> None:
    texts = np.array(["free"] * 2_000, dtype=object)
    dropout = TriggerDropout([FREE], share=0.3, mask="")
    once = dropout.fit_transform(texts)
    assert np.mean(once == "") == pytest.approx(0.3, abs=0.04)
    assert np.array_equal(dropout.fit_transform(texts), once)
    other = dropout.set_params(random_state=None).fit_transform(texts)
    assert not np.array_equal(dropout.fit_transform(texts), other)


TABLE = pl.DataFrame(
    {"text": ["free", "x", "free"], "links": [1, 5, 9], "price": [0.5, 2.0, 9.0], "own": [1, 2, 3]}
)


@row_rule(reads=["price"], says=["ham"])
def dear(row: dict[str, float]) -> str | None:
    return "ham" if row["price"] > 3 else None


SPEAKERS = [
    FREE,
    threshold("spam", "links", above=3),
    dear,
    rule("ham", pl.col("text").str.len_chars() < 2, name="short"),
]


def test_values_of_columns_are_hidden_where_their_rule_spoke() -> None:
    dropout = TriggerDropout(SPEAKERS, share=1.0, mask="")
    hidden = dropout.fit_transform(TABLE)
    assert hidden.to_dict(as_series=False) == {
        "text": ["", "x", ""],
        "links": [1, None, None],
        "price": [0.5, 2.0, None],
        "own": [1, 2, 3],
    }
    assert dropout.kept_ == ("short",)


@pytest.mark.parametrize("kind", [pl.DataFrame.to_arrow, lambda t: pd.DataFrame(t.to_dicts())])
def test_a_table_comes_back_as_what_it_was(kind: Any) -> None:
    table = kind(TABLE)
    if isinstance(table, pd.DataFrame):
        table.index = [7, 3, 7]
    hidden = TriggerDropout(SPEAKERS, share=1.0, mask="").fit_transform(table)
    assert type(hidden) is type(table)
    columns = hidden.to_pydict() if isinstance(hidden, pa.Table) else hidden.to_dict("list")
    assert columns["text"] == ["", "x", ""]
    assert [None if pd.isna(value) else value for value in columns["links"]] == [1, None, None]
    assert columns["own"] == [1, 2, 3]
    if isinstance(table, pd.DataFrame):
        assert hidden.index.tolist() == [7, 3, 7]


def test_views_are_drawn_one_by_one() -> None:
    dropout = TriggerDropout([FREE], share=0.5, mask="")
    texts = [f"free {row}" for row in range(50)]
    views, row = dropout.views(texts, 40)
    assert row.tolist() == list(range(50)) * 40
    assert all(view.endswith(f" {r}") for view, r in zip(views, row, strict=True))
    hidden = np.array([view.startswith(" ") for view in views]).reshape(40, 50).mean(axis=0)
    assert (np.abs(hidden - 0.5) < 0.35).all()
    table, row = dropout.views(TABLE, 2)
    assert table["own"].to_list() == [1, 2, 3, 1, 2, 3]


def planted(n: int, seed: int, *, triggers: bool) -> tuple[list[str], np.ndarray]:
    """Texts of three genuine words among noise; each class has a trigger, in some of the texts."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    texts = []
    for k in truth:
        own = [f"real{k}x{w}" for w in rng.integers(0, 60, 2)]
        other = [f"real{1 - k}x{rng.integers(0, 60)}"] if rng.random() < 0.5 else []
        noise = [f"noise{w}" for w in rng.integers(0, 300, 8)]
        said = k if rng.random() < 0.95 else 1 - k
        texts.append(" ".join([*own, *other, *noise, *([f"trigger{said}"] * triggers)]))
    return texts, np.array(["ham", "spam"])[truth]


def test_rows_on_which_all_rules_are_silent_are_predicted_better() -> None:
    rules = [keywords(name, [f"trigger{k}"], "text") for k, name in enumerate(["ham", "spam"])]
    texts, _ = planted(1_500, 0, triggers=True)
    silent, truth = planted(2_000, 1, triggers=False)
    votes = apply_rules(rules, {"text": texts})
    assert apply_rules(rules, {"text": silent}).n_votes == 0

    def accuracy(*steps: Any) -> float:
        model = make_pipeline(*steps, CountVectorizer(), SoftLogisticRegression(C=100.0))
        clf = PartialLabelClassifier(model, objective="expected").fit(texts, votes)
        return float(np.mean(clf.predict(silent) == truth))

    plain, dropped = accuracy(), accuracy(TriggerDropout(rules))
    assert dropped > plain + 0.05
    views, row = TriggerDropout(rules).views(texts, 3)
    model = make_pipeline(CountVectorizer(), SoftLogisticRegression(C=100.0))
    clf = PartialLabelClassifier(model, objective="expected")
    clf.fit(views, votes.select(row), np.full(len(row), 1 / 3))
    assert np.mean(clf.predict(silent) == truth) > plain + 0.05


def test_it_is_cloned_and_must_be_fitted() -> None:
    dropout = clone(TriggerDropout([FREE], share=1.0, mask=""))
    with pytest.raises(NotFittedError):
        dropout.transform(TEXTS)
    assert dropout.fit_transform(["a free b"]).tolist() == ["a  b"]


@pytest.mark.parametrize(
    ("rules", "settings", "X", "message"),
    [
        ([FREE], {"share": 1.5}, TEXTS, r"`share` must lie in \[0, 1\]; got 1.5"),
        ([FREE], {}, pl.DataFrame({"body": TEXTS}), "rule 'text has free, check out' reads 'text'"),
        ([FREE, keywords("ham", ["a"], "title")], {}, TEXTS, r"they search \['text', 'title'\]"),
        (SPEAKERS[3:], {}, TABLE, "of which something can be hidden: .* got short"),
        (SPEAKERS[1:2], {}, TEXTS, r"`X` must be a table .* they search \[\]"),
    ],
)
def test_what_cant_be_hidden_is_refused(
    rules: Any, settings: dict[str, Any], X: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        TriggerDropout(rules, **settings).fit(X)


def test_other_kinds_are_refused() -> None:
    with pytest.raises(TypeError, match="`rules` must hold rules; got str at position 1"):
        TriggerDropout([FREE, "free"]).fit(TEXTS)
    with pytest.raises(TypeError, match="`mask` must be a string; got 0"):
        TriggerDropout([FREE], mask=0).fit(TEXTS)
    with pytest.raises(TypeError, match="`X` must hold texts, or be a table; got Int64"):
        TriggerDropout([FREE]).fit([1, 2])
    with pytest.raises(InputError, match="`copies` must be at least 1; got 0"):
        TriggerDropout([FREE]).views(TEXTS, 0)
