"""The models that an ensemble begins with, networks among them."""

from typing import Any

from partlabel.learn.members import default_members as without_torch
from partlabel.learn.members import scaled
from partlabel.train.soft_network import SoftNetwork


def default_members() -> dict[str, Any]:
    """Name to classifier: those of `AutoPartialLabelClassifier`, and batch-norm networks.

    Pass them as its `members`. Networks take several times as long as all others together; they
    find more where rows are many.
    """
    networks = {f"network, {s}": scaled(s, SoftNetwork()) for s in ("row norm", "z-score")}
    return {**without_torch(), **networks}
