"""The charts of the report, as plotly figures.

Names stand on axes as text at numbered positions, so that plotly neither reads them as dates or
markup nor joins two that are cut to the same length. Colours are those of Okabe & Ito (2008), which
people with any colour vision can tell apart; verdicts differ in shape too.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
from numpy.typing import NDArray

from partlabel.aggregate import Verdict
from partlabel.evaluate import Evaluation, ReliabilityDiagram
from partlabel.report.wording import count, decimal, interval, share, shortened

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7A6A00", "#5B3A8C")
GREY, INK, GRID = "#8A93A0", "#1B2430", "#E4E8ED"
REST = ("#5D6673", "#B4BCC6")
BLUES = [[0, "#E3EEF7"], [0.5, "#6BAED6"], [1, "#08306B"]]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MARKS: Mapping[str, tuple[str, str]] = {
    Verdict.HARMFUL.value: (PALETTE[5], "x"),
    Verdict.TRUST.value: (PALETTE[0], "circle"),
    Verdict.CARE.value: (PALETTE[1], "diamond"),
    Verdict.NOTHING.value: (GREY, "square-open"),
}
UNIT = (-0.03, 1.04)  # a share, with room for a mark at either end
SHARES_OF_MOST = 12  # above this many sources, a heat map has no room for numbers


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A figure with the place that it needs and the sentence that stands for it.

    Attributes
    ----------
    id : str
    figure : plotly Figure
    label : str
        What a person who doesn't see the chart is told.
    height, min_width : int
        Pixels; a screen narrower than `min_width` scrolls the chart, not the page.
    """

    id: str
    figure: go.Figure
    label: str
    height: int
    min_width: int = 0

    def json(self) -> str:
        """Give the figure as JSON that may stand inside a script element."""
        return str(self.figure.to_json())


def sources(table: pl.DataFrame) -> Chart:
    """Accuracy of each source with its interval, against chance; one row each."""
    figure = _figure(
        xaxis={"title": {"text": "accuracy"}, "range": list(UNIT), "tickformat": ".1f"}
    )
    rows = table.with_row_index("place")
    for verdict, (colour, symbol) in MARKS.items():
        part = rows.filter(pl.col("verdict") == verdict)
        if len(part):
            figure.add_trace(_intervals(part, verdict, colour, symbol))
    figure.add_trace(
        go.Scatter(
            x=rows["chance"], y=rows["place"], mode="markers", name="chance",
            marker={"symbol": "line-ns-open", "size": 12, "color": INK, "line": {"width": 1.5}},
            hovertemplate="chance %{x:.2f}<extra></extra>",
        )
    )  # fmt: skip
    checked = rows.filter(pl.col("gold_votes") > 0)
    if len(checked):
        figure.add_trace(
            go.Scatter(
                x=checked["gold_accuracy"], y=checked["place"], mode="markers", name="on gold",
                marker={"symbol": "circle-open", "size": 13, "color": INK, "line": {"width": 1.5}},
                customdata=checked["gold_votes"].to_list(),
                hovertemplate="%{x:.2f} on %{customdata:,} gold votes<extra></extra>",
            )
        )  # fmt: skip
    _name_rows(figure, table["source"])
    return Chart(
        "chart-sources", figure,
        f"Accuracy with interval of {count(len(table))} sources, grouped by verdict. "
        "The table below holds the same numbers.",
        height=120 + 24 * len(table),
    )  # fmt: skip


def disagreement(names: Sequence[str], shares: NDArray[np.float64], both: NDArray[Any]) -> Chart:
    """Heat map of how often each pair of sources contradict each other."""
    n = len(names)
    labels = [_plain(name, 18) for name in names]
    hover = [
        [
            f"{labels[i]} and {labels[j]}: against each other on {share(shares[i, j])} "
            f"of {count(both[i, j])} shared items"
            for j in range(n)
        ]
        for i in range(n)
    ]
    texts = [[share(value) if not np.isnan(value) else "" for value in row] for row in shares]
    figure = _figure(xaxis={"side": "bottom", "tickangle": -45 if n <= SHARES_OF_MOST else -90})
    figure.add_trace(
        go.Heatmap(
            z=shares, zmin=0, zmax=1, colorscale=BLUES, xgap=1, ygap=1, hoverongaps=False,
            hovertext=hover, hoverinfo="text", text=texts,
            texttemplate="%{text}" if n <= SHARES_OF_MOST else "", textfont={"size": 11},
            colorbar={"tickformat": ".0%", "thickness": 12, "outlinewidth": 0},
        )
    )  # fmt: skip
    ticks = {"tickvals": list(range(n)), "ticktext": labels, "showgrid": False, "ticks": ""}
    figure.update_xaxes(**ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    side = 34 if n <= SHARES_OF_MOST else 17
    return Chart(
        "chart-disagreement", figure,
        f"Share of shared items on which each pair of {n} sources contradict each other.",
        height=150 + side * n, min_width=200 + side * n,
    )  # fmt: skip


def confidence(
    edges: NDArray[np.float64], counts: Mapping[str, NDArray[np.int64]], n_classes: int
) -> Chart:
    """Histogram of the confidence in the likeliest class, stacked by that class.

    The first `n_classes` groups are classes; what follows them is grey.
    """
    centres, width = (edges[:-1] + edges[1:]) / 2, float(edges[1] - edges[0])
    figure = _figure(
        barmode="stack",
        legend_traceorder="normal",
        bargap=0.04,
        xaxis={
            "title": {"text": "probability of the likeliest class"},
            "range": [edges[0], edges[-1]],
        },
        yaxis={"title": {"text": "items"}},
    )
    for place, (name, n) in enumerate(counts.items()):
        colour = PALETTE[place] if place < n_classes else REST[place - n_classes]
        figure.add_trace(
            go.Bar(
                x=centres, y=n, width=width * 0.96, name=_plain(name, 24), marker={"color": colour},
                hovertemplate="%{y:,} items at %{x:.2f}<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    label = "Histogram: how sure the belief about each item is, by its likeliest class."
    return Chart("chart-confidence", figure, label, height=360)


def quality(evaluations: Mapping[str, Evaluation], metrics: Mapping[str, str]) -> Chart:
    """The metrics in [0, 1] where 1 is best, with intervals, for each evaluation."""
    figure = _figure(xaxis={"range": list(UNIT), "tickformat": ".1f"})
    step = 0.7 / max(len(evaluations), 1)
    for place, (name, evaluation) in enumerate(evaluations.items()):
        found = [(y, evaluation[m]) for y, m in enumerate(metrics) if m in evaluation.estimates]
        values = np.array([[e.value, e.low, e.high] for _, e in found]).reshape(-1, 3)
        figure.add_trace(
            go.Scatter(
                x=values[:, 0],
                y=[y + step * (place - (len(evaluations) - 1) / 2) for y, _ in found],
                error_x=_whiskers(values[:, 0], values[:, 1], values[:, 2]),
                mode="markers", name=_plain(name, 32),
                marker={
                    "size": 9, "color": PALETTE[place % len(PALETTE)],
                    "symbol": ["circle-open" if e.assumption else "circle" for _, e in found],
                },
                customdata=[interval(*row) for row in values],
                hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    _name_rows(figure, list(metrics.values()))
    label = "Quality with intervals, open circles by assumption; the table has the same numbers."
    rows = len(metrics) * max(len(evaluations), 2)
    return Chart("chart-quality", figure, label, height=130 + 24 * rows)


def calibration(diagrams: Mapping[str, ReliabilityDiagram]) -> Chart:
    """Accuracy against confidence, with intervals, beside the line of perfect calibration."""
    lowest = min((float(d.confidence.min()) for d in diagrams.values() if len(d)), default=0.0)
    start = max(0.0, np.floor(lowest * 10 - 0.5) / 10)
    figure = _figure(
        xaxis={
            "title": {"text": "how sure it was"},
            "range": [start, UNIT[1]],
            "tickformat": ".1f",
        },
        yaxis={
            "title": {"text": "how often it was right"},
            "range": list(UNIT),
            "tickformat": ".1f",
        },
    )
    figure.add_trace(
        go.Scatter(
            x=[0, 1], y=[0, 1], mode="lines", name="perfect", hoverinfo="skip",
            line={"color": GREY, "dash": "dash", "width": 1.5},
        )
    )  # fmt: skip
    for place, (name, diagram) in enumerate(diagrams.items()):
        colour = PALETTE[place % len(PALETTE)]
        figure.add_trace(
            go.Scatter(
                x=diagram.confidence, y=diagram.accuracy,
                mode="lines+markers", name=_plain(name, 32),
                line={"color": colour, "width": 1.5}, marker={"size": 8, "color": colour},
                error_y=_whiskers(diagram.accuracy, diagram.low, diagram.high),
                customdata=[
                    f"sure {decimal(row[1])}, right {interval(*row[2:])} of {count(row[0])} items"
                    for row in diagram.to_polars().iter_rows()
                ],
                hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    label = "How often predictions are right against how sure they are, in bins of confidence."
    return Chart("chart-calibration", figure, label, height=400)


def _figure(**layout: Any) -> go.Figure:
    axis = {
        "gridcolor": GRID, "zeroline": False, "linecolor": GREY, "automargin": True,
        "title": {"font": {"size": 13}},
        "fixedrange": True,  # a finger on the chart scrolls the page
    }  # fmt: skip
    figure = go.Figure()
    figure.update_layout(
        template="none", font={"family": FONT, "size": 13, "color": INK}, dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 12, "t": 8, "b": 8}, hoverlabel={"font": {"family": FONT}},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom"},
        xaxis=axis, yaxis=axis,
    )  # fmt: skip
    return figure.update_layout(**layout)


def _intervals(part: pl.DataFrame, verdict: str, colour: str, symbol: str) -> go.Scatter:
    accuracy, low, high = (
        part[c].to_numpy() for c in ("accuracy", "accuracy_low", "accuracy_high")
    )
    return go.Scatter(
        x=accuracy, y=part["place"], mode="markers", name=verdict,
        error_x=_whiskers(accuracy, low, high),
        marker={"color": colour, "symbol": symbol, "size": 9},
        customdata=[
            f"{_plain(name, 60)}: {interval(*values)} from {count(votes)} votes"
            for name, votes, *values in part.select(
                "source", "votes", "accuracy", "accuracy_low", "accuracy_high"
            ).iter_rows()
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def _whiskers(value: Any, low: Any, high: Any) -> dict[str, Any]:
    up, down = np.maximum(high - value, 0.0), np.maximum(value - low, 0.0)
    return {"array": up, "arrayminus": down, "symmetric": False, "thickness": 1.5, "width": 0}


def _name_rows(figure: go.Figure, names: Sequence[str] | pl.Series) -> None:
    """Write names beside the rows 0, 1, ..., the first on top."""
    n = len(names)
    figure.update_yaxes(
        tickvals=list(range(n)), ticktext=[_plain(name, 22) for name in names],
        range=[n - 0.4, -0.6], ticks="",
    )  # fmt: skip


def _plain(name: Any, most: int) -> str:
    """A name that plotly shows as it is, where it would read markup."""
    return html.escape(shortened(name, most), quote=False)
