"""How good predictions are on gold, with intervals, and whether they mean what they say."""

from partlabel.evaluate.calibrator import Calibrator
from partlabel.evaluate.conformal import ConformalSets
from partlabel.evaluate.estimate import Estimate
from partlabel.evaluate.evaluation import Evaluation, evaluate
from partlabel.evaluate.isotonic import IsotonicCalibration
from partlabel.evaluate.reliability import ReliabilityDiagram, reliability_diagram
from partlabel.evaluate.set_generation import SetGeneration, set_generation
from partlabel.evaluate.temperature import TemperatureScaling, TemperatureStatus
from partlabel.evaluate.vector_scaling import VectorScaling
from partlabel.evaluate.venn_abers import VennAbers

__all__ = [
    "Calibrator",
    "ConformalSets",
    "Estimate",
    "Evaluation",
    "IsotonicCalibration",
    "ReliabilityDiagram",
    "SetGeneration",
    "TemperatureScaling",
    "TemperatureStatus",
    "VectorScaling",
    "VennAbers",
    "evaluate",
    "reliability_diagram",
    "set_generation",
]
