"""The page in a browser: charts are drawn, nothing is loaded, and all fits a phone's screen.

The page stands in a frame of the wanted width, as a headless window has a least width of its own.
It measures itself and tells the page around it, whose document the browser then prints.
"""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from partlabel.aggregate import DawidSkene
from partlabel.evaluate import evaluate, reliability_diagram
from partlabel.evidence import Candidates, Evidence, Votes
from partlabel.report import Report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--virtual-time-budget=10000",
)  # fmt: skip
WATCH = """<script>
window.found = {errors: [], alerts: 0};
window.alert = () => { window.found.alerts += 1; };
addEventListener("error", (event) => window.found.errors.push(event.message));
addEventListener("securitypolicyviolation", (event) => window.found.errors.push(event.blockedURI));
</script>"""
MEASURE = """<script>
setTimeout(() => {
  const page = document.documentElement, found = window.found;
  const width = (node) => node.getBoundingClientRect().width;
  found.overflow = page.scrollWidth - page.clientWidth;
  found.plots = [...document.querySelectorAll(".plot")].map((plot) => ({
    id: plot.id, drawn: plot.querySelectorAll(".cartesianlayer :is(.trace, .hm image)").length,
    spill: width(plot.querySelector(".main-svg")) - width(plot)}));
  found.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  parent.postMessage(JSON.stringify(found), "*");
}, 2000);
</script>"""
AROUND = """<!doctype html><body style="margin:0"><pre id="found"></pre><script>
addEventListener("message", (event) => {
  document.getElementById("found").textContent = event.data;
});
</script><iframe src="report.html" style="border:0;width:%dpx;height:4000px"></iframe>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on the PATH"),
]


def measured(page: str, width: int, folder: Path) -> dict[str, Any]:
    """What the page says of itself at a width in pixels."""
    page = page.replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{MEASURE}</body>", 1)
    (folder / "report.html").write_text(page, encoding="utf-8")
    (folder / "around.html").write_text(AROUND % width, encoding="utf-8")
    command = [
        CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width + 500},4100", "--dump-dom", (folder / "around.html").as_uri(),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="found">(.+?)</pre>', run.stdout, re.DOTALL)
    assert found is not None, run.stderr[-2000:]
    return dict(json.loads(unescape(found[1])))


def check(found: dict[str, Any], n_plots: int) -> None:
    assert found["errors"] == []
    assert found["alerts"] == 0
    assert found["requests"] == []
    assert found["overflow"] == 0
    assert len(found["plots"]) == n_plots
    for plot in found["plots"]:
        assert plot["drawn"] >= 1, plot
        assert abs(plot["spill"]) < 1, plot


@pytest.mark.parametrize("width", [390, 1280])
def test_full_page_is_drawn_and_fits_the_screen(page: str, width: int, tmp_path: Path) -> None:
    check(measured(page, width, tmp_path), n_plots=5)


def test_page_of_a_large_crowd_fits_a_phone(shared_data: Path, tmp_path: Path) -> None:
    votes = Votes.from_table(pl.read_csv(shared_data / "crowd/CF/votes.csv"))
    table = pl.read_csv(shared_data / "crowd/CF/gold.csv")
    gold = Candidates.from_labels(table["label"], votes.labels, items=table["item"].to_numpy())
    model = DawidSkene(tying="one")
    beliefs = model.fit_aggregate(votes)
    report = Report(
        "A crowd of hundreds",
        Evidence(votes=votes, gold=gold),
        beliefs,
        model.reliability_,
        evaluations={"beliefs": evaluate(beliefs, gold, n_bootstrap=50)},
        diagrams={"beliefs": reliability_diagram(beliefs, gold)},
    )
    check(measured(report.html(), 390, tmp_path), n_plots=5)
