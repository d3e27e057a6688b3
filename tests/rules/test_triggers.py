"""Triggers: found where Python's own regular expressions find them, and hidden nowhere else."""

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.errors import InputError
from partlabel.rules import find_triggers, hide_triggers, keywords, regex, threshold

RULES = [
    keywords("spam", ["free", "check out"], "text", name="shop"),
    regex("ham", r"(?i)out my|é+", "text", name="mine"),
]
PIECES = ["free", "Check out", " my ", "é", "éé", "freedom", " ", "x", "\n", "🎉", "out my", "﷐"]
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=4)


def found_by_python(texts: list[str]) -> list[tuple[int, str, int, int, str]]:
    return [
        (row, rule.name, match.start(), match.end(), match.group())
        for rule in RULES
        for row, text in enumerate(texts)
        for match in re.finditer(rule.patterns[0], text)
    ]


@given(TEXTS)
def test_triggers_are_where_python_finds_them(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    found = find_triggers(RULES, frame).select("row", "rule", "start", "stop", "trigger")
    assert found.rows() == found_by_python(texts)


@given(TEXTS)
def test_hiding_replaces_every_character_of_a_trigger_and_no_other(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    hidden = hide_triggers(RULES, frame, mask="")["text"].to_list()
    for row, text in enumerate(texts):
        covered = {
            place
            for one, _, start, stop, _ in found_by_python(texts)
            if one == row
            for place in range(start, stop)
        }
        assert hidden[row] == "".join(c for n, c in enumerate(text) if n not in covered)


def test_leaves_nulls_and_other_columns_as_they_are() -> None:
    frame = pl.DataFrame({"text": [None, "free"], "links": [1, 5]})
    hidden = hide_triggers([*RULES, threshold("spam", "links", above=3)], frame)
    assert hidden["text"].to_list() == [None, " "]
    assert hidden["links"].equals(frame["links"])


def test_rules_that_search_no_text_have_no_triggers() -> None:
    found = find_triggers([threshold("spam", "links", above=3)], {"links": [5]})
    assert found.is_empty()
    assert found.columns == ["row", "rule", "column", "start", "stop", "trigger"]


def test_an_empty_match_is_no_trigger() -> None:
    assert find_triggers([regex("spam", "z*", "text")], {"text": ["a", "zz"]}).rows() == [
        (1, "text ~ z*", "text", 0, 2, "zz")
    ]


def test_refuses_a_column_that_is_not_there() -> None:
    with pytest.raises(InputError, match="`rules` must name a column of the table; got 'text'"):
        find_triggers(RULES, {"body": ["free"]})
