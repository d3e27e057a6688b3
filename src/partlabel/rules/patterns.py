"""Rules that search a text: for keywords, or for a regular expression."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from partlabel.errors import InputError
from partlabel.rules.rule import Condition, Rule, spoken


def keywords(
    label: Any,
    words: Iterable[str],
    column: str,
    *,
    whole_words: bool = True,
    ignore_case: bool = True,
    name: str | None = None,
) -> Rule:
    r"""Make a rule that says `label` where a text holds one of some words or phrases.

    Parameters
    ----------
    label : class name, coarse name, or a collection of them
    words : iterable of str
        Words, phrases or signs, taken literally.
    column : str
        The column of texts; a null says nothing.
    whole_words : bool, default True
        Whether a word must stand by itself: "win" isn't found in "window". Pass False for languages
        that are written without spaces, and for stems.
    ignore_case : bool, default True
    name : str, default None
        None gives a name such as ``"text has free, win"``.

    Returns
    -------
    Rule

    Raises
    ------
    TypeError
        If `words` is a single string.
    InputError
        If there is no word, or an empty one.

    Examples
    --------
    >>> keywords("spam", ["free", "check out"], "text").patterns
    ('(?i)\\b(?:check out|free)\\b',)
    """
    if isinstance(words, str):
        raise TypeError(
            f"`words` must be a list of words; got the string {words!r}. Pass [{words!r}]."
        )
    words = list(words)
    if not words or "" in words:
        raise InputError(f"`words` must hold at least one word, and no empty one; got {words!r}.")
    pattern = ("(?i)" if ignore_case else "") + _one_of(words, whole_words)
    return _search(
        label, pattern, column, f"{column} has {', '.join(words)}" if name is None else name
    )


def regex(label: Any, pattern: str, column: str, *, name: str | None = None) -> Rule:
    """Make a rule that says `label` where a regular expression occurs in a text.

    Parameters
    ----------
    label : class name, coarse name, or a collection of them
    pattern : str
        In the syntax that polars knows, which is Python's without look-around and back-references.
        Begin it with ``(?i)`` to ignore case.
    column : str
        The column of texts; a null says nothing.
    name : str, default None
        None gives a name such as ``"text ~ (?i)https?://"``.

    Returns
    -------
    Rule

    Raises
    ------
    InputError
        If `pattern` is no such regular expression.

    Examples
    --------
    >>> regex("spam", r"https?://", "text").name
    'text ~ https?://'
    """
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.PolarsError as reason:
        raise InputError(
            "`pattern` must be a regular expression without look-around and back-references; got "
            f"{pattern!r}, of which polars says: {str(reason).strip()}"
        ) from None
    return _search(label, pattern, column, f"{column} ~ {pattern}" if name is None else name)


def searched_column(rule: Condition) -> str:
    """Give the column that a rule with patterns searches."""
    return (rule.reads or ("",))[0]


def joint_search(rules: Sequence[Condition]) -> Condition:
    """Give a condition that holds wherever a pattern of one of these rules occurs."""
    column = searched_column(rules[0])
    patterns = "|".join(f"(?:{pattern})" for rule in rules for pattern in rule.patterns)
    return Condition(
        name=rules[0].name,
        reads=(column,),
        says=None,
        condition=pl.col(column).str.contains(patterns),
    )


def _search(label: Any, pattern: str, column: str, name: str) -> Rule:
    return Condition(
        name=name,
        reads=(column,),
        says=(spoken(label),),
        patterns=(pattern,),
        condition=pl.col(column).str.contains(pattern),
    )


def _one_of(words: list[str], whole_words: bool) -> str:
    """A pattern of all words, the longest first, so that the longest is what is found."""
    longest_first = sorted(words, key=len, reverse=True)
    if not whole_words:
        return f"(?:{'|'.join(map(pl.escape_regex, longest_first))})"
    if all(_begins_and_ends_as_word(word) for word in words):
        return rf"\b(?:{'|'.join(map(pl.escape_regex, longest_first))})\b"
    return f"(?:{'|'.join(map(_by_itself, longest_first))})"


def _begins_and_ends_as_word(word: str) -> bool:
    return bool(re.match(r"\w", word) and re.match(r"\w", word[-1]))


def _by_itself(word: str) -> str:
    """A word with boundaries where it begins or ends with a letter; beside a sign there is none."""
    begin = r"\b" if re.match(r"\w", word) else ""
    end = r"\b" if re.match(r"\w", word[-1]) else ""
    return f"{begin}{pl.escape_regex(word)}{end}"
