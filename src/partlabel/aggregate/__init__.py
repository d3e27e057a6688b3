"""The label models: evidence in, beliefs and each source's reliability out."""

from partlabel.aggregate.aggregator import Aggregator
from partlabel.aggregate.confusions import confusion_table
from partlabel.aggregate.dawid_skene import DawidSkene
from partlabel.aggregate.dependence import (
    dependent_groups,
    dependent_pairs,
    merge_groups,
)
from partlabel.aggregate.dropped_sources import influence
from partlabel.aggregate.em import Outcome, Run, run_em
from partlabel.aggregate.glad import GLAD
from partlabel.aggregate.habits import speaks_selectively
from partlabel.aggregate.identifiable import identifiability, sources_report
from partlabel.aggregate.label_model import LabelModel
from partlabel.aggregate.larger_than_memory import aggregate_parquet
from partlabel.aggregate.mace import MACE
from partlabel.aggregate.majority import MajorityVote
from partlabel.aggregate.reliability import Verdict, clopper_pearson, reliability_table
from partlabel.aggregate.strata import StratifiedDawidSkene
from partlabel.aggregate.triplets import Triplets
from partlabel.aggregate.weighted_vote import WeightedVote

__all__ = [
    "GLAD",
    "MACE",
    "Aggregator",
    "DawidSkene",
    "LabelModel",
    "MajorityVote",
    "Outcome",
    "Run",
    "StratifiedDawidSkene",
    "Triplets",
    "Verdict",
    "WeightedVote",
    "aggregate_parquet",
    "clopper_pearson",
    "confusion_table",
    "dependent_groups",
    "dependent_pairs",
    "identifiability",
    "influence",
    "merge_groups",
    "reliability_table",
    "run_em",
    "sources_report",
    "speaks_selectively",
]
