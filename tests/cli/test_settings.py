import pytest

from partlabel.cli.settings import OBJECTIVES, parse_settings, read_settings
from partlabel.errors import InputError
from partlabel.learn.objectives import OBJECTIVES as LEARNT


def test_one_name_is_a_list_of_one() -> None:
    one = parse_settings({"columns": {"text": "body"}, "classes": [0, 1]}, "here")
    assert one.columns.text == ("body",)
    assert one.classes == ("0", "1")


def test_to_dict_gives_plain_values() -> None:
    content = {"rules": [{"name": "r", "label": "a", "column": "x", "above": 1}]}
    plain = parse_settings(content, "here").to_dict()
    assert plain["rules"][0]["above"] == 1
    assert plain["model"] == {"estimator": "logistic", "objective": "auto", "seed": 0}


def test_options_that_were_not_given_change_nothing() -> None:
    given = {"text": ["body"], "gold": "gold", "numeric": None, "classes": ()}
    settings = read_settings(None, given)
    assert settings.columns.numeric == ()
    assert settings.columns.gold == "gold"


def test_the_objectives_are_those_of_learn() -> None:
    assert set(OBJECTIVES) == {"auto", *LEARNT}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"colums": {}}, "here has an unknown key 'colums'. Did you mean 'columns'?"),
        ({"columns": {"text": 1.5}}, "`text` must be a name or a list of names; got 1.5"),
        ({"columns": {"gold": 3}}, r"`gold` must be a string in \[columns\] of here; got 3"),
        ({"columns": "text"}, r"\[columns\] of here must be a table of keys; got 'text'"),
        ({"model": {"seed": True}}, "`seed` must be a whole number"),
        ({"rules": [{"label": "a", "column": "x"}]}, "`name` must be given in rule 1 of here"),
        (
            {"rules": [{"name": "r", "label": "a", "column": "x", "above": "1"}]},
            "`above` must be a number in rule 1 of here; got '1'",
        ),
        (
            {"rules": [{"name": "r", "label": "a", "column": "x", "kewords": ["b"]}]},
            "rule 1 of here has an unknown key 'kewords'. Did you mean 'keywords'?",
        ),
    ],
)
def test_refused_content(content: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_settings(content, "here")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"estimator": "forest"}, "`estimator` must be one of logistic, extra-trees; got 'forest'"),
        ({"objective": "best"}, "`objective` must be one of auto, em, expected"),
    ],
)
def test_refused_choice(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_settings(None, {"text": ["x"], "gold": "y", **given})
