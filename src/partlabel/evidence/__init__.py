"""What was observed about the items: votes, candidate sets, gold labels, and all together."""

from partlabel.evidence.candidates import Candidates
from partlabel.evidence.evidence import KINDS, Evidence, as_evidence
from partlabel.evidence.sets import ClassSets
from partlabel.evidence.vocabulary import Vocabulary
from partlabel.evidence.votes import Votes

__all__ = ["KINDS", "Candidates", "ClassSets", "Evidence", "Vocabulary", "Votes", "as_evidence"]
