"""Evidence and features in, a trained network out; needs PyTorch."""

import partlabel.losses  # noqa: F401 - says what to install where torch is missing
from partlabel.train.channels import FixedVotes, Learnt, LearntVotes
from partlabel.train.classifier import TorchPartialLabelClassifier
from partlabel.train.loop import Ending
from partlabel.train.networks import mlp
from partlabel.train.objectives import Objective
from partlabel.train.observed import Observed, ObservedRows
from partlabel.train.running import RunningBeliefs
from partlabel.train.selection import SmallLoss
from partlabel.train.views import Consistency

__all__ = [
    "Consistency",
    "Ending",
    "FixedVotes",
    "Learnt",
    "LearntVotes",
    "Objective",
    "Observed",
    "ObservedRows",
    "RunningBeliefs",
    "SmallLoss",
    "TorchPartialLabelClassifier",
    "mlp",
]
