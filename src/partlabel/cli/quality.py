"""How good a run is, on the rows that trained nothing, by the best that is known of them."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import polars as pl

from partlabel.beliefs import Beliefs
from partlabel.cli.columns import nearest
from partlabel.cli.formats import read_table
from partlabel.cli.gold import some
from partlabel.cli.runs import Run
from partlabel.errors import InputError
from partlabel.evaluate import (
    Evaluation,
    ReliabilityDiagram,
    Verdict,
    best_evaluation,
    expected_metrics,
    joint_beliefs,
    reliability_diagram,
)
from partlabel.evidence import Candidates, Evidence

MODEL, LABEL_MODEL, BY_VOTES = "model", "label model", "model, by the votes alone"
GONE = (
    "the table that the run was fitted on, which isn't where it was, or has changed. Put it back, "
    "or fit again"
)


LEAST_CHECK = 10
"""With fewer gold rows, nothing is said of an assumption."""


class Unseen(Enum):
    """Why a model hasn't seen the rows that it is measured on; the value says so."""

    KEPT = "{rows} that trained nothing"
    LEFT_OUT = "{rows}, each predicted by a model that was trained without it"
    NEW = "{rows} of --data"


@dataclass(frozen=True, slots=True, eq=False)
class Aside:
    """Rows with predictions of models that weren't trained on them.

    Attributes
    ----------
    said : mapping of a way to predict to Beliefs
        "model", and "label model" where there are votes.
    gold : (n_aside,) class names, null where the label isn't known
    candidates : Candidates or None
    rows : (n_aside,) int
        Where these rows stand among those of the run, or of the new table.
    unseen : Unseen
    unused : str
        Which labels of --gold aren't used, and why; empty where all are.
    """

    said: dict[str, Beliefs]
    gold: pl.Series
    candidates: Candidates | None
    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    unseen: Unseen = Unseen.KEPT
    unused: str = ""

    @classmethod
    def of(cls, run: Run, gold: pl.DataFrame | None = None) -> "Aside | None":
        """Read them off a run; None where every row was trained on.

        Parameters
        ----------
        run : Run
        gold : table with the columns item and label, default None
            More labels, which win over those of the run.
        """
        if run.checks is None:
            return None
        unseen = Unseen.LEFT_OUT if run.facts.get("cross_fitted") else Unseen.KEPT
        return cls.predicted(run.checks, ids_of(run.evidence), run.evidence, unseen, gold)

    @classmethod
    def predicted(
        cls,
        checks: pl.DataFrame,
        items: pl.Series,
        evidence: Evidence,
        unseen: Unseen,
        gold: pl.DataFrame | None,
    ) -> "Aside":
        """Put together what was predicted, as in ``checks.parquet``, and what is known of it."""
        parts = {str(what): one for (what,), one in checks.group_by("what", maintain_order=True)}
        first = parts[MODEL]
        known, unused = first["gold"], ""
        if gold is not None:
            added = first.select("item").join(gold, on="item", how="left", maintain_order="left")
            known = added["label"].fill_null(known)
            unused = _trained_on(gold.filter(~pl.col("item").is_in(first["item"].implode())))
        rows, sets = _rows(items, first["item"]), evidence.candidates
        return cls(
            said={what: Beliefs.from_polars(one, evidence.labels) for what, one in parts.items()},
            gold=known,
            candidates=None if sets is None else _without_ids(sets.select(rows)),
            rows=rows,
            unseen=unseen,
            unused=unused,
        )

    @property
    def sentence(self) -> str:
        """On which rows it is measured, and which labels can't be used."""
        n = len(self.gold)
        rows = self.unseen.value.format(rows=f"{n:,} row{'' if n == 1 else 's'}")
        said = f"Measured on {rows}; {self.n_gold:,} of them with gold."
        return f"{said} {self.unused}".strip()

    @property
    def n_gold(self) -> int:
        """Rows whose class is known."""
        return len(self.gold) - self.gold.null_count()

    def evaluations(self, groups: pl.Series | None = None) -> dict[str, Evaluation]:
        """Measure each way to predict by the best that is known; nothing where nothing is."""
        votes = self.said.get(LABEL_MODEL)
        sets = self.candidates
        if not self.n_gold and votes is None and (sets is None or sets.unknown.all()):
            return {}
        if self.n_gold:
            both = None if votes is None else joint_beliefs(self.said[MODEL], votes)
            return {
                what: best_evaluation(
                    said,
                    gold=self.gold,
                    beliefs=votes if what == MODEL else both,
                    candidates=sets,
                    groups=groups,
                    joint=what == MODEL,  # the label model is what these beliefs know already
                )
                for what, said in self.said.items()
            }
        # what votes say of themselves would measure nothing; the model is judged twice, as if it
        # erred apart from the votes, and as if it knew nothing that they don't
        ways = {MODEL: True} if votes is None else {MODEL: True, BY_VOTES: False}
        return {
            what: best_evaluation(
                self.said[MODEL], beliefs=votes, candidates=sets, groups=groups, joint=joint
            )
            for what, joint in ways.items()
        }

    def borne_out(self) -> str:
        """Say what gold of these rows makes of numbers that rest on beliefs; empty without any."""
        votes = self.said.get(LABEL_MODEL)
        if votes is None or self.n_gold < LEAST_CHECK:
            return ""
        assumed = expected_metrics(self.said[MODEL], votes, gold=self.gold)
        measured, said = self.evaluations()[MODEL]["accuracy"], assumed["accuracy"].value
        outside = not measured.low <= said <= measured.high
        contradicted = outside or assumed["accuracy"].verdict is Verdict.CONTRADICTED
        verb = "contradicts" if contradicted else "doesn't contradict"
        return (
            f"On {self.n_gold:,} gold rows of `fit`, gold {verb} the same assumption: "
            f"accuracy {said:.3f} by it, {measured} by gold."
        )

    def diagrams(self) -> dict[str, ReliabilityDiagram]:
        """Compare confidence with accuracy on gold."""
        if not self.n_gold:
            return {}
        return {what: reliability_diagram(said, self.gold) for what, said in self.said.items()}


def column_of(run: Run, name: str) -> pl.Series:
    """(n_items,) A column of the table that the run was fitted on.

    Raises
    ------
    InputError
        If the run doesn't hold it, and the table isn't what and where it was.
    """
    if name in run.items.columns:
        return run.items[name]
    table, path = table_of(run), run.facts["data"]["path"]
    if table is None:
        raise InputError(
            f"`--groups` must name a column that the run keeps, or of the table that it was "
            f"fitted on, which isn't at {path!r} as it was; got {name!r}. "
            f"{nearest(name, run.items.columns)}"
        )
    if name not in table.columns:
        raise InputError(
            f"`--groups` must name a column of {path!r}; got {name!r}. "
            f"{nearest(name, table.columns)}"
        )
    return table[name]


def table_of(run: Run) -> pl.DataFrame | None:
    """Read the table that the run was fitted on; None where it isn't there as it was."""
    data = run.facts["data"]
    path = Path(data["path"])
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != data["sha256"]:
        return None
    return read_table(path)


def ids_of(evidence: Evidence) -> pl.Series:
    """(n_items,) What the items are called; row numbers where they have no ids."""
    ids = evidence.item_ids
    return pl.Series("item", np.arange(len(evidence)) if ids is None else ids)


def _rows(items: pl.Series, some: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(n_some,) Where some items stand among all."""
    place = items.to_frame().with_row_index("row")
    return np.asarray(
        some.to_frame().join(place, on="item", how="left", maintain_order="left")["row"],
        dtype=np.int64,
    )


def _without_ids(sets: Candidates) -> Candidates:
    return Candidates(sets.sets, sets.labels)


def _trained_on(gold: pl.DataFrame) -> str:
    """Say which labels are about rows that the model was trained on."""
    n = len(gold)
    if not n:
        return ""
    return (
        f"{n:,} label{'' if n == 1 else 's'} of --gold ({some(gold['item'])}) "
        f"{'is' if n == 1 else 'are'} left out: the model was trained on these rows, and looks "
        "better there than it is. --cross-fit predicts them by models that weren't."
    )
