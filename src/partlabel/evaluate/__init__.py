"""How good predictions are on gold, with intervals, and whether they mean what they say."""

from partlabel.evaluate.estimate import Estimate
from partlabel.evaluate.evaluation import Evaluation, evaluate
from partlabel.evaluate.reliability import ReliabilityDiagram, reliability_diagram
from partlabel.evaluate.temperature import TemperatureScaling, TemperatureStatus

__all__ = [
    "Estimate",
    "Evaluation",
    "ReliabilityDiagram",
    "TemperatureScaling",
    "TemperatureStatus",
    "evaluate",
    "reliability_diagram",
]
