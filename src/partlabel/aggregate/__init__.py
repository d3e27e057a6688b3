"""The label models: evidence in, beliefs and each source's reliability out."""

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.dawid_skene import DawidSkene
from partlabel.aggregate.em import Outcome, Run, run_em
from partlabel.aggregate.majority import MajorityVote
from partlabel.aggregate.reliability import Verdict, clopper_pearson, reliability_table

__all__ = [
    "Aggregator",
    "DawidSkene",
    "MajorityVote",
    "Outcome",
    "Run",
    "Verdict",
    "clopper_pearson",
    "reliability_table",
    "run_em",
]
