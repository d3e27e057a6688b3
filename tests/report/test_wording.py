import pytest

from partlabel.report import wording


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 10, "0%"),
        (1, 1000, "<1%"),
        (1, 3, "33%"),
        (999, 1000, ">99%"),
        (10, 10, "100%"),
        (1, 0, "–"),
        (float("nan"), 1, "–"),
    ],
)
def test_share_is_nothing_or_everything_only_where_it_is(
    part: float, whole: float, shown: str
) -> None:
    assert wording.share(part, whole) == shown


def test_numbers_are_written_for_people() -> None:
    assert wording.count(12345) == "12,345"
    assert wording.interval(0.834, 0.8, 0.861) == "0.83 [0.80, 0.86]"
    assert wording.interval(None, None, None) == "–"
    assert wording.decimal(float("nan")) == "–"
    assert wording.of(12, 48, "item") == "12 of 48 items (25%)"
    assert wording.plural(1, "class", "classes") == "1 class"
    assert wording.plural(1200, "class", "classes") == "1,200 classes"


def test_long_lists_say_how_much_is_left_out() -> None:
    assert wording.listed("abcdef", most=5) == "a, b, c, d, e, f"  # "and 1 more" is no shorter
    assert wording.listed("abcdefg", most=5) == "a, b, c, d, e and 2 more"


def test_long_text_is_cut_to_one_line() -> None:
    assert wording.shortened("a\n b\t c") == "a b c"
    assert wording.shortened("x" * 50, most=10) == "x" * 9 + "…"
    assert wording.named([True, False, True], ["cat", "dog", 3]) == "cat or 3"
