import json
from typing import Any

import numpy as np
import pytest

from partlabel.aggregate import Verdict
from partlabel.report import figures, observed, predicted
from partlabel.report.section import Section


@pytest.fixture(scope="session")
def sections(full: dict[str, Any]) -> dict[str, Section]:
    evidence = full["evidence"]
    nothing = np.zeros(len(evidence), dtype=np.int64)
    found = [
        observed.sources(evidence, full["reliability"]),
        observed.conflicts(evidence, nothing, None, None),
        predicted.beliefs(full["beliefs"], evidence),
        predicted.quality(full["evaluations"]),
        predicted.calibration(full["diagrams"]),
    ]
    return {section.id: section for section in found if section is not None}


def test_every_verdict_has_a_mark_of_its_own() -> None:
    assert set(figures.MARKS) == {verdict.value for verdict in Verdict}
    assert len({symbol for _, symbol in figures.MARKS.values()}) == len(Verdict)


def test_sources_stand_on_numbered_rows_whatever_their_names(sections: dict[str, Section]) -> None:
    layout = json.loads(sections["sources"].charts["sources"].json())["layout"]
    assert layout["yaxis"]["tickvals"] == list(range(6))
    assert "&lt;b&gt;bold&lt;/b&gt;" in layout["yaxis"]["ticktext"]
    assert all(len(text) <= 40 for text in layout["yaxis"]["ticktext"])


def test_histogram_counts_every_item_once(sections: dict[str, Section], full: Any) -> None:
    figure = sections["beliefs"].charts["confidence"].figure
    assert sum(np.sum(trace.y) for trace in figure.data) == len(full["beliefs"])


def test_items_without_a_leading_class_are_counted_apart(
    sections: dict[str, Section], full: Any
) -> None:
    top_two = np.sort(full["beliefs"].probs, axis=1)[:, -2:]
    ties = int((top_two[:, 0] == top_two[:, 1]).sum())
    data = sections["beliefs"].data
    assert data["n_ties"] == ties
    assert ties + sum(row["n"] for row in data["classes"]) == len(full["beliefs"])
    assert sum(row["share"] for row in data["classes"]) == pytest.approx(1)


def test_charts_ask_no_more_width_than_a_phone_has_unless_they_scroll(
    sections: dict[str, Section],
) -> None:
    for section in sections.values():
        for chart in section.charts.values():
            assert chart.figure.layout.width is None
            assert chart.label


def test_chart_json_can_stand_in_a_script(sections: dict[str, Section]) -> None:
    for section in sections.values():
        for chart in section.charts.values():
            assert "<" not in chart.json()
