"""One self-contained HTML page about evidence, sources, beliefs and models, for people to read."""

from partlabel.report.report import Report

__all__ = ["Report"]
