"""Slices: a planted one is found and told in words, and chance isn't."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from partlabel.errors import InputError
from partlabel.evaluate import error_slices
from partlabel.evaluate.audits.slice_columns import slice_columns
from partlabel.evidence import Votes
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])
NAMES = np.array(LABELS.classes)


def world(seed: int, n: int, worse: float) -> tuple[np.ndarray, np.ndarray, dict, np.ndarray]:
    """Predictions that err by `worse` more on long texts in German; and beliefs about them."""
    rng = np.random.default_rng(seed)
    language = rng.choice(["de", "en", "fr"], n)
    length = rng.integers(1, 100, n).astype(float)
    bad = (language == "de") & (length > 50)
    y = rng.integers(2, size=n)
    said = np.where(rng.random(n) < 0.1 + worse * bad, 1 - y, y)
    probs = np.where(np.arange(2) == said[:, None], 0.9, 0.1)
    beliefs = np.where(np.arange(2) == y[:, None], 0.85, 0.15)
    return probs, NAMES[y], {"language": language, "length": length}, beliefs


def test_a_planted_slice_is_found_and_told() -> None:
    probs, gold, features, _ = world(0, 2000, 0.5)
    found = error_slices(probs, gold, features=features, labels=LABELS, depth=2)
    first = found.found[0]
    assert "language is de" in first.rule
    assert "length > " in first.rule
    assert first.error.low < 0.6 < first.error.high
    assert found.sentence.startswith(f"Where {first.rule}, the model errs on 0.")


def test_every_item_is_in_one_slice_and_keeps_its_rule() -> None:
    probs, gold, features, _ = world(1, 1500, 0.5)
    found = error_slices(probs, gold, features=features, labels=LABELS)
    counts = np.bincount(found.member, minlength=len(found.slices))
    assert counts.tolist() == [one.items for one in found.slices]
    for k, one in enumerate(found.slices):
        inside = found.member == k
        if "length > " in one.rule:
            bound = float(one.rule.split("length > ")[1].split(" and ")[0])
            assert (features["length"][inside] > bound).all()
        if "language is de" in one.rule:
            assert (features["language"][inside] == "de").all()


def test_chance_is_found_as_rarely_as_promised() -> None:
    alarms = 0
    for seed in range(60):
        probs, gold, features, _ = world(seed, 300, 0.0)
        alarms += bool(error_slices(probs, gold, features=features, labels=LABELS).found)
    assert binomtest(alarms, 60, 0.05, alternative="greater").pvalue > 0.01


def test_beliefs_make_intervals_narrower_and_leave_the_error_where_it_is() -> None:
    probs, gold, features, beliefs = world(2, 4000, 0.5)
    some = np.where(np.arange(4000) < 800, gold, None)
    given = {"features": features, "labels": LABELS, "depth": 1}
    alone = error_slices(probs, some, **given).slices
    both = error_slices(probs, some, beliefs=beliefs, **given).slices
    assert [one.rule for one in alone] == [one.rule for one in both]
    assert both[0].error.basis == "gold+model"
    for one, other in zip(both, alone, strict=True):
        assert one.error.high - one.error.low < 0.95 * (other.error.high - other.error.low)
        assert one.error.value == pytest.approx(other.error.value, abs=0.08)


def test_votes_and_groups_tell_slices() -> None:
    rng = np.random.default_rng(3)
    votes = rng.integers(-1, 2, size=(1200, 2))
    group = rng.choice(["a", "b"], 1200)
    y = rng.integers(2, size=1200)
    wrong = (votes[:, 0] == 1) & (rng.random(1200) < 0.6)
    probs = np.where(np.arange(2) == np.where(wrong, 1 - y, y)[:, None], 0.9, 0.1)
    held = Votes.from_matrix(votes, LABELS, abstain=-1, sources=["caps", "url"])
    found = error_slices(probs, NAMES[y], groups=group, votes=held, labels=LABELS, depth=1)
    assert found.found[0].rule == "caps says spam"
    assert found.slices[1].rule == "caps doesn't say spam"
    assert found.slices[1].error.value == 0.0


def test_columns_are_what_they_say() -> None:
    votes = Votes.from_matrix([[0, 1], [0, 0], [-1, 1], [-1, -1]], LABELS, sources=["a", "b"])
    features = {"long": [True, False, None, True], "size": [1.0, None, 3.0, 2.0], "flat": [1] * 4}
    columns = slice_columns(4, features, None, votes)
    told = {one.said(1.5, above=True): one.values.tolist() for one in columns}
    assert told["long"] == [1, 0, 0, 1]
    assert told["long is missing"] == [0, 0, 1, 0]
    assert told["size > 1.5"] == [1, 2, 3, 2]
    assert told["size is missing"] == [0, 1, 0, 0]
    assert told["> 1.5 votes"] == [2, 2, 1, 0]
    assert told["sources disagree"] == [1, 0, 0, 0]
    assert told["a speaks"] == [1, 1, 0, 0]
    assert told["b says spam"] == [1, 0, 1, 0]
    assert not any("flat" in words for words in told)
    assert columns[0].said(0.5, above=False) == "long is there"


def test_many_names_are_told_by_the_frequent_ones() -> None:
    names = [f"n{k}" for k in range(50) for _ in range(k + 1)]
    columns = slice_columns(len(names), {"name {}": names})
    assert len(columns) == 20
    assert columns[0].said(0.5, above=True) == "name {} is n49"


def test_it_goes_into_tables_and_json() -> None:
    probs, gold, features, _ = world(4, 400, 0.5)
    found = error_slices(probs, gold, features=features, labels=LABELS)
    table = found.to_polars()
    assert table["items"].sum() == 400
    assert table["p_value"].is_sorted()
    assert json.loads(json.dumps(found.to_dict()))["alpha"] == 0.05


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"features": {"x": [1] * 60}}, InputError, "must tell items apart; got none that does"),
        ({"features": None}, InputError, "must tell items apart"),
        ({"features": {"x": [1, 2]}}, InputError, "`features` must be about the same 60 items"),
        ({"features": {"x": [[1]] * 60}}, TypeError, "column 'x' holds List"),
        ({"gold": ["ham"] * 39 + [None] * 21}, InputError, "at least 40 predicted .* got 39"),
        ({"depth": 0}, InputError, "`depth` must be at least 1; got 0"),
        ({"least": 0}, InputError, "`least` must be at least 1; got 0"),
        ({"votes": Votes.from_matrix([[0]], LABELS)}, InputError, "`votes` must be about the same"),
    ],
)
def test_what_is_refused(changed: dict, error: type[Exception], message: str) -> None:
    given = {"gold": ["ham"] * 60, "features": pl.DataFrame({"x": range(60)}), **changed}
    with pytest.raises(error, match=message):
        error_slices(np.tile([0.9, 0.1], (60, 1)), labels=LABELS, **given)


def test_nothing_found_is_said_too() -> None:
    probs, gold, features, _ = world(5, 100, 0.0)
    assert (
        "No slice was found" in error_slices(probs, gold, features=features, labels=LABELS).sentence
    )
