from typing import Any

import numpy as np
import polars as pl

from partlabel.beliefs import Beliefs
from partlabel.evaluate import evaluate, expected_metrics
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.labels import LabelSpace
from partlabel.report import Report, summary
from partlabel.report.summary import Sentence

LABELS = LabelSpace(["ham", "spam"])


def sources(**verdicts: list[str]) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {"source": name, "verdict": verdict.replace("_", " ")}
        for verdict, names in verdicts.items()
        for name in names
    ]
    empty = dict.fromkeys(("accuracy_low", "accuracy_high", "gold_low", "gold_high"), pl.Float64)
    return pl.DataFrame(rows, schema={"source": pl.String, "verdict": pl.String, **empty})


def test_items_without_evidence_are_counted() -> None:
    votes = Votes.from_matrix([[0], [-1], [-1], [-1]], LABELS)
    assert summary.about_evidence(Evidence(votes=votes)) == [
        Sentence("3 of 4 items (75%) have no evidence at all.", "warning")
    ]
    assert summary.about_evidence(Evidence(votes=votes.select([0]))) == [
        Sentence("Every item has some evidence.", "good")
    ]


def test_harmful_sources_are_named() -> None:
    table = sources(trust=["d"], use_with_care=["e"] * 69, worse_than_chance=["a", "b", "c"])
    assert summary.about_sources(table) == [
        Sentence("3 of 73 sources are worse than chance: a, b, c.", "warning"),
        Sentence("1 of 73 sources can be trusted on what is known so far.", "good"),
    ]


def test_sources_that_gold_contradicts_are_named() -> None:
    table = sources(trust=["a", "b", "c"]).with_columns(
        accuracy_low=pl.Series([0.8, 0.8, 0.8]),
        accuracy_high=pl.Series([0.9, 0.9, 0.9]),
        gold_low=pl.Series([0.2, 0.85, None]),
        gold_high=pl.Series([0.3, 0.95, None]),
    )
    assert (
        summary.about_sources(table)[0].text
        == "Gold contradicts what was learnt about 1 source: a."
    )


def test_conflicts_are_a_share_of_the_items_that_could_have_one() -> None:
    several = Evidence(votes=Votes.from_matrix([[0, 1], [0, 0], [0, -1]], LABELS))
    alone = Evidence(votes=Votes.from_matrix([[0, -1], [-1, 0]], LABELS))
    assert summary.about_conflicts(several, 1)[0].text == (
        "Sources contradict each other on 1 of 2 items (50%) with several votes."
    )
    assert summary.about_conflicts(alone, 0)[0].tone == "warning"
    gold = Evidence(gold=Candidates.from_labels(["ham", None], LABELS))
    assert summary.about_conflicts(gold, 0) == []


def test_sure_beliefs_are_counted() -> None:
    beliefs = Beliefs(np.array([[0.9, 0.1], [0.5, 0.5]]), LABELS)
    assert summary.about_beliefs(beliefs)[0].text == (
        "For 1 of 2 items (50%) one class has a probability of at least 0.90."
    )


def test_accuracy_comes_with_its_interval_and_number_of_items() -> None:
    truth = np.tile(["ham", "spam"], 100)
    right = np.arange(200) >= 14
    p_ham = np.where((truth == "ham") == right, 0.8, 0.2)
    evaluation = evaluate(np.column_stack([p_ham, 1 - p_ham]), truth, labels=LABELS, n_bootstrap=9)
    evidence = Evidence(gold=Candidates.from_labels(truth, LABELS))
    assert summary.about_quality(evidence, {"model": evaluation}) == [
        Sentence("Accuracy of “model” is 0.93 [0.89, 0.96], measured on 200 gold items.")
    ]


def test_accuracy_no_better_than_one_class_for_all_is_a_warning() -> None:
    truth = ["ham"] * 9 + ["spam"]
    evaluation = evaluate(np.full((10, 2), 0.5), truth, labels=LABELS, n_bootstrap=9)
    evidence = Evidence(gold=Candidates.from_labels(truth, LABELS))
    said = summary.about_quality(evidence, {"model": evaluation})
    assert said[0].tone == "warning"
    assert said[0].text.endswith("That isn't surely better than always saying ham (0.90).")


def test_what_was_not_measured_is_said() -> None:
    votes = Votes.from_matrix([[0], [1]], LABELS)
    gold = Candidates.from_labels(["ham", None], LABELS)
    assert "can't be measured" in summary.about_quality(Evidence(votes=votes), {})[0].text
    assert (
        "hasn't been measured"
        in summary.about_quality(Evidence(votes=votes, gold=gold), {})[0].text
    )


def test_numbers_that_nobody_verified_ask_for_gold_and_stand_beside_their_assumption() -> None:
    probs = np.tile([[0.8, 0.2], [0.3, 0.7]], (50, 1))
    found = {
        "apart": expected_metrics(probs, probs, labels=LABELS),
        "alone": expected_metrics(probs, probs, joint=False, labels=LABELS),
    }
    evidence = Evidence(votes=Votes.from_matrix([[0], [1]], LABELS))
    said = [one.text for one in summary.about_quality(evidence, found)]
    assert len(said) == 3
    assert all(text.endswith("unverified.") for text in said[:2])
    assert said[2].startswith("Only gold can tell how good it is")
    page = Report("Unverified", evidence, evaluations=found).html()
    quality = page.split('<section id="quality"')[1].split("</section>")[0]
    n_numbers = sum(len(one.estimates) for one in found.values())
    assert quality.count('<span class="badge unverified">') == n_numbers
    assert "“apart”: right only if beliefs are right, and the model errs apart" in quality
    assert "“alone”: right only if beliefs are right, also given" in quality
