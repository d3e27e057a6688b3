"""Evidence and features in, a trained network out; needs PyTorch."""

import partlabel.losses  # noqa: F401 - says what to install where torch is missing
from partlabel.learn import AutoPartialLabelClassifier as AutoPartialLabelClassifier
from partlabel.train.channels import FixedVotes, Learnt, LearntVotes
from partlabel.train.classifier import TorchPartialLabelClassifier
from partlabel.train.epochs import EachEpoch, Unfreezing
from partlabel.train.forgetting import Drift, Forgetting
from partlabel.train.freezing import freeze, unfreeze
from partlabel.train.hugging_face import (
    hugging_face_callback,
    hugging_face_loss,
    hugging_face_rows,
    label_column,
)
from partlabel.train.l2_sp import l2_sp
from partlabel.train.layers import LayerGroup, layer_groups, parameter_groups
from partlabel.train.lightning import PartialLabelSteps, lightning_callback
from partlabel.train.loop import Ending
from partlabel.train.members import default_members
from partlabel.train.memorising import Fit, Memorising, fit_to_evidence, memorised_share
from partlabel.train.multilabel import TorchMultiLabelClassifier
from partlabel.train.networks import mlp
from partlabel.train.objectives import Objective
from partlabel.train.observed import Observed, ObservedRows
from partlabel.train.row_cost import RowCost
from partlabel.train.running import RunningBeliefs
from partlabel.train.selection import SmallLoss
from partlabel.train.similarity import linear_cka, probe_accuracy
from partlabel.train.views import Consistency

__all__ = [
    "Consistency",
    "Drift",
    "EachEpoch",
    "Ending",
    "Fit",
    "FixedVotes",
    "Forgetting",
    "LayerGroup",
    "Learnt",
    "LearntVotes",
    "Memorising",
    "Objective",
    "Observed",
    "ObservedRows",
    "PartialLabelSteps",
    "RowCost",
    "RunningBeliefs",
    "SmallLoss",
    "TorchMultiLabelClassifier",
    "TorchPartialLabelClassifier",
    "Unfreezing",
    "default_members",
    "fit_to_evidence",
    "freeze",
    "hugging_face_callback",
    "hugging_face_loss",
    "hugging_face_rows",
    "l2_sp",
    "label_column",
    "layer_groups",
    "lightning_callback",
    "linear_cka",
    "memorised_share",
    "mlp",
    "parameter_groups",
    "probe_accuracy",
    "unfreeze",
]
