from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from partlabel.aggregate import MajorityVote, sources_report
from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate import reliability_diagram
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace
from partlabel.report import Report

LABELS = LabelSpace(["ham", "spam"])
VOTES = Votes.from_matrix([[0, 0], [0, 1], [-1, -1]], LABELS)


class Outline(HTMLParser):
    """The tags, ids, links and text of a page, scripts and styles left out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._raw = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._raw = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._raw else data

    def all(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(attribute))]


@pytest.fixture(scope="session")
def outline(page: str) -> Outline:
    return Outline(page)


def test_all_sections_are_there_and_the_contents_lead_to_them(outline: Outline) -> None:
    wanted = "summary evidence sources conflicts beliefs quality calibration ignored reproduce"
    found = [attrs["id"] for tag, attrs in outline.tags if tag == "section"]
    assert found == wanted.split()
    ids = outline.all("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in outline.all("href")} == set(found)


def test_page_loads_nothing(outline: Outline, page: str) -> None:
    assert not outline.all("src")
    assert not {"link", "iframe", "img", "object"} & {tag for tag, _ in outline.tags}
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(attrs["content"] for _, attrs in outline.tags if "http-equiv" in attrs)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_plotly_is_inlined_once(page: str) -> None:
    assert page.count("plotly.js v") == 1


def test_user_text_is_never_markup(outline: Outline, page: str) -> None:
    assert "<script>alert('x')</script>" not in page
    assert "<b>bold" not in page
    assert "<i>more" not in page
    assert "<script>alert('x')</script>" in outline.text
    assert "Comments & <i>more</i>" in outline.text
    assert "partlabel fit 'a & b.csv' -o run/" in outline.text


def test_same_input_gives_the_same_bytes(full: dict[str, Any], page: str) -> None:
    assert Report(**full).html() == page


def test_charts_have_text_for_those_who_do_not_see_them(outline: Outline) -> None:
    plots = [attrs for _, attrs in outline.tags if attrs.get("class") == "plot"]
    assert len(plots) == 5
    assert all(attrs["aria-label"] and attrs["role"] == "img" for attrs in plots)


def test_headings_descend_one_level_at_a_time(outline: Outline) -> None:
    levels = [int(tag[1]) for tag, _ in outline.tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_parts_given_are_shown(outline: Outline, full: dict[str, Any]) -> None:
    for text in ("Votes of several sources.", "rows without text", "9f9f", "liar", "seed"):
        assert text in outline.text
    assert "word word" in outline.text
    assert "word " * 100 not in outline.text  # long text is shortened
    nothing = full["evidence"].counts()["nothing"]
    assert f"{nothing} of 200 items" in outline.text


def test_what_is_missing_is_named_with_the_way_to_get_it() -> None:
    text = Outline(Report("Votes", Evidence(votes=VOTES)).html()).text
    assert "a fitted label model has it as reliability_" in text
    assert "No beliefs were given" in text
    assert "Nothing was evaluated" in text
    assert "Whether confidence can be believed" not in text
    assert "How to get this again" not in text


def test_evidence_without_votes_has_no_sections_about_sources() -> None:
    candidates = Candidates.from_lists([["ham"], None], LABELS)
    page = Report("Candidates", Evidence(candidates=candidates)).html()
    outline = Outline(page)
    assert "sources" not in outline.all("id")
    assert "conflicts" not in outline.all("id")
    assert "one candidate left" in outline.text
    assert "plotly" not in page.lower()  # no chart, no script


def test_candidates_that_say_nothing_are_no_average() -> None:
    nothing = Candidates.from_lists([None, None], LABELS)
    assert "on average" not in Report("Nothing", Evidence(candidates=nothing)).html()


def test_items_that_evidence_dropped_are_ignored_with_a_reason() -> None:
    gold = Candidates.from_labels(["ham", "spam"], LABELS, items=["a", "z"])
    votes = Votes.from_table({"item": ["a"], "source": ["s"], "label": ["ham"]}, labels=LABELS)
    evidence = Evidence(votes=votes, gold=gold, items=np.array(["a"]), unmatched="drop")
    assert "items of `gold`" in Report("Dropped", evidence).html()


def test_examples_name_items_as_the_user_does() -> None:
    votes = replace(VOTES, item_ids=np.array(["x1", "x2", "x3"]))
    items = pl.DataFrame({"text": ["one", None, "three"], "source_0": ["?", "?", "?"]})
    text = Outline(Report("Ids", Evidence(votes=votes), items=items).html()).text
    assert "Item x2" in text
    assert "?" not in text  # votes aren't told twice


def test_hundreds_of_sources_stay_readable() -> None:
    rng = np.random.default_rng(0)
    matrix = np.where(rng.random((60, 1200)) < 0.1, rng.integers(2, size=(60, 1200)), -1)
    votes = Votes.from_matrix(matrix, LABELS)
    reliability = MajorityVote().fit(votes).reliability_
    outline = Outline(Report("Crowd", Evidence(votes=votes), reliability=reliability).html())
    assert "The chart shows 40 of 1,200 sources" in outline.text
    assert "The table holds the first 1,000." in outline.text
    assert "compares the 40 sources (of 1,200)" in outline.text


def test_sources_that_the_votes_tell_nothing_about_are_named() -> None:
    said = np.full((40, 4), -1)
    said[:30, :3], said[30:, 3] = np.arange(30)[:, None] % 2, 1
    votes = Votes.from_matrix(said, LABELS, sources=["a", "b", "c", "lonely"])
    model = MajorityVote().fit(votes)
    plain = Report("Votes", Evidence(votes=votes), reliability=model.reliability_).html()
    assert "Not told" not in plain
    reliability = sources_report(model, votes)
    text = Outline(Report("Votes", Evidence(votes=votes), reliability=reliability).html()).text
    assert "Not told, or hardly: lonely. No other source speaks about its items." in text


def test_written_file_is_the_page(tmp_path: Path) -> None:
    report = Report("Votes", Evidence(votes=VOTES))
    report.write(tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == report.html()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"beliefs": Beliefs(np.array([[0.5, 0.5]]), LABELS)},
            "`beliefs` must be about the 3 items of `evidence`; got 1 rows.",
        ),
        (
            {"items": {"text": ["one", "two"]}},
            "`items` must be about the 3 items of `evidence`; got 2 rows.",
        ),
        (
            {"beliefs": Beliefs(np.full((3, 2), 0.5), LabelSpace(["a", "b"]))},
            "`beliefs` must have the label space of `evidence`; it has",
        ),
        (
            {"reliability": pl.DataFrame({"source": ["a"]})},
            "`reliability` must have the columns of `reliability_table`; it lacks votes, ",
        ),
    ],
)
def test_parts_about_something_else_are_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        Report("Votes", Evidence(votes=VOTES), **parts)
    assert str(refusal.value).startswith(message)


def test_votes_alone_are_refused() -> None:
    with pytest.raises(TypeError, match="Wrap votes or candidates"):
        Report("Votes", VOTES)


@pytest.mark.parametrize(
    ("confidence", "told"),
    [(0.9, "is too sure: it says 0.90"), (0.5, "as sure as it should be"), (0.2, "too careful")],
)
def test_the_page_says_whether_confidence_is_too_high_and_what_to_do(
    confidence: float, told: str
) -> None:
    """Half of 200 predictions are right."""
    labels = LabelSpace([f"c{k}" for k in range(10)])
    probs = np.full((200, 10), (1.0 - confidence) / 9)
    probs[:, 0] = confidence
    gold = ["c0", "c1"] * 100
    diagram = reliability_diagram(probs, gold, labels=labels)
    evidence = Evidence(gold=Candidates.from_labels(gold, labels))
    page = Report("Sure", evidence, diagrams={"the model": diagram}).html()
    assert told in page
    assert "of 200 gold items." in page
    assert ("TemperatureScaling" in page) == (confidence != 0.5)
