"""The sections of the audits show what was found, and what a user's text holds stays text."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from partlabel.evaluate import audit_rule_copying, error_slices, group_audit, missingness
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace
from partlabel.report import Report, audited
from partlabel.rules import keywords

LABELS = LabelSpace(["ham", "spam"])


@pytest.fixture(scope="module")
def report() -> Report:
    """A model that copies its rules and fails one group; spam is labelled more often."""
    chance = np.random.default_rng(0)
    n = 600
    spam = chance.random(n) < 0.5
    word = np.where(spam, "free", "song")
    texts = [f"<script>alert(1)</script> {w} {chance.choice(['now', 'here'])}" for w in word]
    rules = [keywords("spam", ["free"], "text"), keywords("ham", ["song"], "text")]
    names = LABELS.decode(spam.astype(int))
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, names)
    group = np.where(np.arange(n) % 4 == 0, "tv", "phone")
    wrong = (group == "tv") & (chance.random(n) < 0.6)
    probs = np.where((spam ^ wrong)[:, None], [0.1, 0.9], [0.9, 0.1])
    seen = chance.random(n) < np.where(spam, 0.7, 0.2)
    some = [name if there else None for name, there in zip(names, seen, strict=True)]
    X = (spam + chance.normal(size=n))[:, None]
    gold = Candidates.from_labels(some, LABELS)
    return Report(
        "Audited",
        Evidence(gold=gold),
        missingness=missingness(X, gold),
        groups=group_audit(probs, list(names), groups=group, labels=LABELS),
        slices=error_slices(probs, list(names), groups=group, labels=LABELS, depth=1),
        rule_copying=audit_rule_copying(model, texts, rules, retrain=False, random_state=0),
    )


def test_every_audit_has_its_section_and_its_sentence_first(report: Report) -> None:
    page = report.html()
    for section in ("missingness", "groups", "slices", "rule-copying"):
        assert f'<section id="{section}"' in page
    said = [
        sentence.text
        for sentence in audited.sentences(
            report.missingness, report.groups, report.slices, report.rule_copying
        )
    ]
    assert len(said) == 4
    assert "features" in said[0]
    assert "of 'tv' is" in said[1] or "of 'phone' is" in said[1]
    assert "tv" in said[2] or "phone" in said[2]
    assert said[3].startswith("The model copies its rules")


def test_triggers_are_marked_and_texts_stay_texts(report: Report) -> None:
    section = audited.rule_copying(report.rule_copying)
    assert section is not None
    shown = "".join(str(row["text"]) for row in section.data["examples"])
    assert "<mark>" in shown
    assert "<script>" not in shown
    assert "<script>alert(1)" not in report.html()


def test_what_was_not_audited_has_no_section() -> None:
    nothing = Evidence(gold=Candidates.from_labels(["ham", None], LABELS))
    page = Report("Bare", nothing).html()
    for section in ("missingness", "groups", "slices", "rule-copying"):
        assert f'<section id="{section}"' not in page


def test_an_audit_that_was_not_done_says_what_it_needs() -> None:
    nothing = Evidence(gold=Candidates.from_labels(["ham", None], LABELS))
    page = Report("Bare", nothing, needs={"groups": "It needs a column of `groups`."}).html()
    assert '<section id="groups"' in page
    assert "It needs a column of <code>groups</code>." in page
    assert '<section id="slices"' not in page


def test_what_is_believed_of_groups_and_classes_carries_the_verdict_of_gold(
    report: Report,
) -> None:
    assert report.groups is not None
    assert set(report.groups.classes["verdict"]) <= {"uncontradicted", "contradicted"}
    page = report.html()
    groups = page.split('<section id="groups"')[1].split("</section>")[0]
    assert "right if predictions are right" in groups
    assert f">{report.groups.classes['verdict'][0]}</span>" in groups
    assert report.missingness is not None
    shares = report.missingness.class_propensity()
    assert set(shares.filter(basis="assumption")["verdict"]) == {"unverified"}


def test_sources_that_are_no_rules_are_named(report: Report) -> None:
    votes = Votes.from_matrix([[0, 1]], LABELS, sources=["free", "an annotator"])
    section = audited.rule_copying(report.rule_copying, votes)
    assert section is not None
    assert "an annotator" in section.data["others"]


def test_one_slice_alone_is_no_table() -> None:
    probs, gold = np.tile([0.9, 0.1], (80, 1)), ["ham"] * 80
    found = error_slices(probs, gold, groups=["a", "b"] * 40, labels=LABELS, depth=1)
    section = audited.slices(found)
    assert section is not None
    assert (len(found.slices) > 1) == bool(section.data["rows"])
