"""Rules: labelling functions, and the votes that they give."""

from partlabel.rules.apply import apply_rules
from partlabel.rules.functions import batch_rule, lookup, row_rule
from partlabel.rules.models import classifier, predictions
from partlabel.rules.patterns import keywords, regex
from partlabel.rules.rule import Rule, rule, threshold
from partlabel.rules.triggers import find_triggers, hide_triggers

__all__ = [
    "Rule",
    "apply_rules",
    "batch_rule",
    "classifier",
    "find_triggers",
    "hide_triggers",
    "keywords",
    "lookup",
    "predictions",
    "regex",
    "row_rule",
    "rule",
    "threshold",
]
