"""Evidence and features in, a trained model out, with any scikit-learn classifier."""

from partlabel.learn.classifier import PartialLabelClassifier

__all__ = ["PartialLabelClassifier"]
