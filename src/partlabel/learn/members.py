"""The models that an ensemble begins with: scalings, widths and penalties to choose among."""

from typing import Any

from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from partlabel.learn.features import LENGTH, RadialFeatures, Ranks, row_norm
from partlabel.learn.soft_forest import SoftForest
from partlabel.learn.soft_logistic import SoftLogisticRegression

SCALINGS = {
    "row norm": FunctionTransformer(row_norm),
    "z-score": StandardScaler(),
    "ranks": Ranks(),
}


def default_members() -> dict[str, Any]:
    """Name to classifier: linear and radial ones in three scalings, and a forest.

    Which scaling is right depends on what the features are: on some sets, rows of equal length beat
    z-scores by ten points, on others they lose thirty.
    """
    members: dict[str, Any] = {}
    for scaling in SCALINGS:
        for C in (0.3, 3.0):
            members[f"linear, {scaling}, C={C:g}"] = scaled(scaling, _logistic(C))
        for sharpness in (0.5, 2.0):
            for C in (10.0, 100.0):
                name = f"radial {sharpness:g}, {scaling}, C={C:g}"  # C for rows of length 1
                steps = RadialFeatures(sharpness), _logistic(C / LENGTH)
                members[name] = scaled(scaling, *steps)
    members["forest"] = SoftForest()
    return members


def scaled(scaling: str, *steps: Any) -> Any:
    """Steps after one of the scalings, fitted on training rows alone."""
    return make_pipeline(clone(SCALINGS[scaling]), *steps)


def _logistic(C: float) -> SoftLogisticRegression:
    return SoftLogisticRegression(C=C, tol=3e-3)
