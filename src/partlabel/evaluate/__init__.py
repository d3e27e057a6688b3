"""How good predictions are on gold, with intervals, and whether they mean what they say."""

from partlabel.evaluate.audit_sample import audit_probability
from partlabel.evaluate.calibrator import Calibrator
from partlabel.evaluate.conformal import ConformalSets
from partlabel.evaluate.contradiction import Audit, audit
from partlabel.evaluate.estimate import Basis, Estimate, Verdict
from partlabel.evaluate.evaluation import Evaluation, evaluate
from partlabel.evaluate.isotonic import IsotonicCalibration
from partlabel.evaluate.reliability import ReliabilityDiagram, reliability_diagram
from partlabel.evaluate.set_generation import SetGeneration, set_generation
from partlabel.evaluate.temperature import TemperatureScaling, TemperatureStatus
from partlabel.evaluate.vector_scaling import VectorScaling
from partlabel.evaluate.venn_abers import VennAbers

__all__ = [
    "Audit",
    "Basis",
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
    "Verdict",
    "audit",
    "audit_probability",
    "evaluate",
    "reliability_diagram",
    "set_generation",
]
