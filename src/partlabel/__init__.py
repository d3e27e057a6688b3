"""partlabel: learn from labels that are only partly known.

The nouns and the few verbs of the quick start; each is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from partlabel.aggregate import GLAD as GLAD
    from partlabel.aggregate import MACE as MACE
    from partlabel.aggregate import DawidSkene as DawidSkene
    from partlabel.aggregate import LabelModel as LabelModel
    from partlabel.aggregate import MajorityVote as MajorityVote
    from partlabel.aggregate import StratifiedDawidSkene as StratifiedDawidSkene
    from partlabel.aggregate import Triplets as Triplets
    from partlabel.aggregate import WeightedVote as WeightedVote
    from partlabel.aggregate import aggregate_parquet as aggregate_parquet
    from partlabel.aggregate import confusion_table as confusion_table
    from partlabel.aggregate import influence as influence
    from partlabel.aggregate import sources_report as sources_report
    from partlabel.beliefs import Beliefs as Beliefs
    from partlabel.channels import Channels as Channels
    from partlabel.channels import Confusion as Confusion
    from partlabel.channels import log_likelihood as log_likelihood
    from partlabel.errors import InputError as InputError
    from partlabel.evidence import Candidates as Candidates
    from partlabel.evidence import Evidence as Evidence
    from partlabel.evidence import Votes as Votes
    from partlabel.labels import LabelSpace as LabelSpace
    from partlabel.learn import PartialLabelClassifier as PartialLabelClassifier
    from partlabel.learn import SoftLogisticRegression as SoftLogisticRegression
    from partlabel.learn import TriggerDropout as TriggerDropout
    from partlabel.report import Report as Report
    from partlabel.rules import apply_rules as apply_rules
    from partlabel.rules import batch_rule as batch_rule
    from partlabel.rules import classifier as classifier
    from partlabel.rules import find_triggers as find_triggers
    from partlabel.rules import hide_triggers as hide_triggers
    from partlabel.rules import keywords as keywords
    from partlabel.rules import lookup as lookup
    from partlabel.rules import predictions as predictions
    from partlabel.rules import regex as regex
    from partlabel.rules import row_rule as row_rule
    from partlabel.rules import rule as rule
    from partlabel.rules import threshold as threshold

_HOME = {
    "Beliefs": "beliefs",
    "Candidates": "evidence",
    "Channels": "channels",
    "Confusion": "channels",
    "DawidSkene": "aggregate",
    "Evidence": "evidence",
    "GLAD": "aggregate",
    "InputError": "errors",
    "LabelModel": "aggregate",
    "LabelSpace": "labels",
    "MACE": "aggregate",
    "MajorityVote": "aggregate",
    "PartialLabelClassifier": "learn",
    "Report": "report",
    "SoftLogisticRegression": "learn",
    "StratifiedDawidSkene": "aggregate",
    "TriggerDropout": "learn",
    "Triplets": "aggregate",
    "Votes": "evidence",
    "WeightedVote": "aggregate",
    "aggregate_parquet": "aggregate",
    "apply_rules": "rules",
    "batch_rule": "rules",
    "classifier": "rules",
    "confusion_table": "aggregate",
    "find_triggers": "rules",
    "hide_triggers": "rules",
    "influence": "aggregate",
    "keywords": "rules",
    "log_likelihood": "channels",
    "lookup": "rules",
    "predictions": "rules",
    "regex": "rules",
    "row_rule": "rules",
    "rule": "rules",
    "sources_report": "aggregate",
    "threshold": "rules",
}

__all__ = [*sorted(_HOME)]  # noqa: PLE0604 - one list of names, so that none is forgotten


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'partlabel' has no attribute {name!r}")
    return getattr(import_module(f"partlabel.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
