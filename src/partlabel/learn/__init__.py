"""Evidence and features in, a trained model out, with any scikit-learn classifier."""

from partlabel.learn.class_prior import class_prior, mark_propensity
from partlabel.learn.classifier import PartialLabelClassifier
from partlabel.learn.ensemble import AutoPartialLabelClassifier
from partlabel.learn.recipe import default_recipe
from partlabel.learn.soft_forest import SoftForest
from partlabel.learn.soft_logistic import SoftLogisticRegression
from partlabel.learn.trigger_dropout import TriggerDropout

__all__ = [
    "AutoPartialLabelClassifier",
    "PartialLabelClassifier",
    "SoftForest",
    "SoftLogisticRegression",
    "TriggerDropout",
    "class_prior",
    "default_recipe",
    "mark_propensity",
]
