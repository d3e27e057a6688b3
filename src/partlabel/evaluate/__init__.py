"""How good predictions are on gold, with intervals, and whether they mean what they say."""

from partlabel.evaluate.audits.audit_sample import audit_probability
from partlabel.evaluate.audits.audit_strata import audit_strata
from partlabel.evaluate.audits.copying_verdict import RuleCopying
from partlabel.evaluate.audits.group_audit import GroupAudit, group_audit
from partlabel.evaluate.audits.group_weights import group_samples, group_weights
from partlabel.evaluate.audits.missingness import Missingness, missingness
from partlabel.evaluate.audits.overfitting import Overfitting, overfitting, training_curve
from partlabel.evaluate.audits.propensity import InverseWeights
from partlabel.evaluate.audits.rule_copying import RuleCopyingAudit, audit_rule_copying
from partlabel.evaluate.audits.slices import Slice, Slices, error_slices
from partlabel.evaluate.best_basis import best_evaluation
from partlabel.evaluate.calibration.calibrator import Calibrator
from partlabel.evaluate.calibration.conformal import ConformalSets
from partlabel.evaluate.calibration.isotonic import IsotonicCalibration
from partlabel.evaluate.calibration.reliability import ReliabilityDiagram, reliability_diagram
from partlabel.evaluate.calibration.set_generation import SetGeneration, set_generation
from partlabel.evaluate.calibration.temperature import TemperatureScaling, TemperatureStatus
from partlabel.evaluate.calibration.vector_scaling import VectorScaling
from partlabel.evaluate.calibration.venn_abers import VennAbers
from partlabel.evaluate.comparison import Comparison, compare
from partlabel.evaluate.covering_accuracy import covering_metrics
from partlabel.evaluate.estimate import Basis, Estimate, Verdict
from partlabel.evaluate.evaluation import Evaluation, evaluate
from partlabel.evaluate.expected import expected_metrics
from partlabel.evaluate.gold_plan import GoldPlan, plan_gold
from partlabel.evaluate.positive_accuracy import positive_metrics
from partlabel.evaluate.powered.contradiction import Audit, audit
from partlabel.evaluate.powered.joint_beliefs import joint_beliefs
from partlabel.evaluate.search import PartialLabelSearchCV
from partlabel.evaluate.standings import Standings

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
    "audit_strata",
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
