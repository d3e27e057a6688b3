"""Rules that search a text agree with Python's `re`, one text at a time."""

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partlabel.errors import InputError
from partlabel.labels import LabelSpace
from partlabel.rules import Rule, apply_rules, keywords, regex

LABELS = LabelSpace(["ham", "spam"])
TEXTS = st.lists(st.text("abAB é$1_-. \n", max_size=12) | st.none(), min_size=1, max_size=30)
WORDS = st.lists(st.text("abAB é$1_-", min_size=1, max_size=3), min_size=1, max_size=4)


def rows_of(rules: list[Rule], texts: list[str | None]) -> list[set[int]]:
    votes = apply_rules(rules, pl.DataFrame({"text": texts}, schema={"text": pl.String}), LABELS)
    return [set(votes.item[votes.source == j].tolist()) for j in range(len(rules))]


def stands_by_itself(text: str, start: int, end: int) -> bool:
    """Whether no letter of the text continues a letter of the word."""

    def is_letter(place: int) -> bool:
        return 0 <= place < len(text) and (text[place].isalnum() or text[place] == "_")

    begins = is_letter(start) and is_letter(start - 1)
    ends = is_letter(end - 1) and is_letter(end)
    return not begins and not ends


def has_word(text: str | None, words: list[str], whole_words: bool, ignore_case: bool) -> bool:
    if text is None:
        return False
    if ignore_case:
        text, words = text.lower(), [word.lower() for word in words]
    return any(
        text[start : start + len(word)] == word
        and (not whole_words or stands_by_itself(text, start, start + len(word)))
        for word in words
        for start in range(len(text))
    )


@given(TEXTS, WORDS, WORDS, st.booleans(), st.booleans())
def test_keywords_are_found_where_a_scan_of_the_text_finds_them(
    texts: list[str | None],
    words: list[str],
    others: list[str],
    whole_words: bool,
    ignore_case: bool,
) -> None:
    how = {"whole_words": whole_words, "ignore_case": ignore_case}
    rules = [keywords("spam", ws, "text", name=n, **how) for n, ws in (("a", words), ("b", others))]
    expected = [
        {i for i, text in enumerate(texts) if has_word(text, ws, whole_words, ignore_case)}
        for ws in (words, others)
    ]
    assert rows_of(rules, texts) == expected


@given(TEXTS, st.lists(st.sampled_from(["a+b", "^a", "(?i)b$", "a|", r"\s", "é"]), min_size=1))
def test_regexes_are_found_where_python_finds_them(
    texts: list[str | None], patterns: list[str]
) -> None:
    rules = [regex("ham", pattern, "text", name=str(n)) for n, pattern in enumerate(patterns)]
    # `$` of Python also matches before a final line break, `\Z` doesn't
    python = [re.compile(pattern.replace("$", r"\Z")) for pattern in patterns]
    expected = [
        {i for i, text in enumerate(texts) if text is not None and one.search(text)}
        for one in python
    ]
    assert rows_of(rules, texts) == expected


def test_patterns_find_the_longest_keyword() -> None:
    (pattern,) = keywords("spam", ["check", "check out"], "text").patterns
    match = re.search(pattern, "Please CHECK OUT this")
    assert match is not None
    assert match.group() == "CHECK OUT"


def test_many_keywords_are_one_pattern() -> None:
    words = [f"word{n}x" for n in range(20_000)]
    rules = [keywords("spam", words, "text", name="many"), keywords("ham", ["no"], "text")]
    assert rows_of(rules, ["a word19999x here", "word", "no"]) == [{0}, {2}]


def test_rules_that_search_different_columns_keep_their_rows_apart() -> None:
    frame = pl.DataFrame({"title": ["win", "no", "x"], "text": ["no", "win", "win"]})
    rules = [
        keywords("spam", ["win"], column, name=f"{n}{column}")
        for n in range(2)
        for column in ("title", "text")
    ]
    votes = apply_rules(rules, frame, LABELS)
    found = [votes.item[votes.source == j].tolist() for j in range(4)]
    assert found == [[0], [1, 2], [0], [1, 2]]


def test_one_string_of_words_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`words` must be a list of words; got the string 'win'"):
        keywords("spam", "win", "text")


@pytest.mark.parametrize("words", [[], ["win", ""]])
def test_no_word_is_refused(words: list[str]) -> None:
    with pytest.raises(InputError, match=r"`words` must hold at least one word, and no empty one"):
        keywords("spam", words, "text")


@pytest.mark.parametrize("pattern", ["(", "(?=a)"])
def test_pattern_that_polars_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match=r"`pattern` must be a regular expression without look-"):
        regex("spam", pattern, "text")
