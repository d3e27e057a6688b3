"""How good predictions are on gold, with intervals, and whether they mean what they say."""

from partlabel.evaluate.audit_sample import audit_probability
from partlabel.evaluate.best_basis import best_evaluation
from partlabel.evaluate.calibrator import Calibrator
from partlabel.evaluate.comparison import Comparison, compare
from partlabel.evaluate.conformal import ConformalSets
from partlabel.evaluate.contradiction import Audit, audit
from partlabel.evaluate.copying_verdict import RuleCopying
from partlabel.evaluate.estimate import Basis, Estimate, Verdict
from partlabel.evaluate.evaluation import Evaluation, evaluate
from partlabel.evaluate.expected import expected_metrics, joint_beliefs
from partlabel.evaluate.gold_plan import GoldPlan, plan_gold
from partlabel.evaluate.group_audit import GroupAudit, group_audit
from partlabel.evaluate.group_weights import group_samples, group_weights
from partlabel.evaluate.isotonic import IsotonicCalibration
from partlabel.evaluate.missingness import Missingness, missingness
from partlabel.evaluate.overfitting import Overfitting, overfitting, training_curve
from partlabel.evaluate.partial_accuracy import covering_metrics, positive_metrics
from partlabel.evaluate.propensity import InverseWeights
from partlabel.evaluate.reliability import ReliabilityDiagram, reliability_diagram
from partlabel.evaluate.rule_copying import RuleCopyingAudit, audit_rule_copying
from partlabel.evaluate.search import PartialLabelSearchCV
from partlabel.evaluate.set_generation import SetGeneration, set_generation
from partlabel.evaluate.slices import Slice, Slices, error_slices
from partlabel.evaluate.standings import Standings
from partlabel.evaluate.temperature import TemperatureScaling, TemperatureStatus
from partlabel.evaluate.vector_scaling import VectorScaling
from partlabel.evaluate.venn_abers import VennAbers

__all__ = [
    "Audit",
    "Basis",
    "Calibrator",
    "Comparison",
    "ConformalSets",
    "Estimate",
    "Evaluation",
    "GoldPlan",
    "GroupAudit",
    "InverseWeights",
    "IsotonicCalibration",
    "Missingness",
    "Overfitting",
    "PartialLabelSearchCV",
    "ReliabilityDiagram",
    "RuleCopying",
    "RuleCopyingAudit",
    "SetGeneration",
    "Slice",
    "Slices",
    "Standings",
    "TemperatureScaling",
    "TemperatureStatus",
    "VectorScaling",
    "VennAbers",
    "Verdict",
    "audit",
    "audit_probability",
    "audit_rule_copying",
    "best_evaluation",
    "compare",
    "covering_metrics",
    "error_slices",
    "evaluate",
    "expected_metrics",
    "group_audit",
    "group_samples",
    "group_weights",
    "joint_beliefs",
    "missingness",
    "overfitting",
    "plan_gold",
    "positive_metrics",
    "reliability_diagram",
    "set_generation",
    "training_curve",
]
