"""Section: one part of the page, as data for its template."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from partlabel.report.figures import Chart


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One part of the page; the template ``<id>.html`` turns it into text.

    Attributes
    ----------
    id, title : str
    data : mapping of str to whatever the template shows
    charts : mapping of str to Chart
    missing : str or None
        What would have to be given for more to be said, in one sentence.
    """

    id: str
    title: str
    data: Mapping[str, Any] = field(default_factory=dict)
    charts: Mapping[str, Chart] = field(default_factory=dict)
    missing: str | None = None
