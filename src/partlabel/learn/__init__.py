"""Evidence and features in, a trained model out, with any scikit-learn classifier."""

from partlabel.learn.class_prior import class_prior, mark_propensity
from partlabel.learn.classifier import PartialLabelClassifier

__all__ = ["PartialLabelClassifier", "class_prior", "mark_propensity"]
