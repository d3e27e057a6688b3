"""How good a run is, on the rows that trained nothing, by the best that is known of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from partlabel.beliefs import Beliefs
from partlabel.cli.columns import nearest, spoken
from partlabel.cli.formats import read_table
from partlabel.cli.runs import Run
from partlabel.errors import InputError
from partlabel.evaluate import (
    Evaluation,
    ReliabilityDiagram,
    best_evaluation,
    joint_beliefs,
    reliability_diagram,
)
from partlabel.evaluate.best_basis import FEWEST_GOLD
from partlabel.evidence import Candidates

MODEL, LABEL_MODEL = "model", "label model"


@dataclass(frozen=True, slots=True, eq=False)
class Aside:
    """The rows of a run that trained nothing.

    Attributes
    ----------
    said : mapping of a way to predict to Beliefs
        "model", and "label model" where there are votes.
    gold : (n_aside,) class names, null where the label isn't known
    candidates : Candidates or None
    rows : (n_aside,) int
        Where these rows stand among those of the run.
    n_unused : int
        Gold labels that were given for other rows.
    """

    said: dict[str, Beliefs]
    gold: pl.Series
    candidates: Candidates | None
    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    n_unused: int = 0

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
        parts = {
            str(what): table for (what,), table in run.checks.group_by("what", maintain_order=True)
        }
        labels = run.evidence.labels
        first = parts[MODEL]
        known, n_unused = first["gold"], 0
        if gold is not None:
            added = first.select("item").join(gold, on="item", how="left", maintain_order="left")
            known = added["label"].fill_null(known)
            n_unused = len(gold) - int(added["label"].is_not_null().sum())
        rows = _rows(run, first["item"])
        sets = run.evidence.candidates
        return cls(
            said={what: Beliefs.from_polars(table, labels) for what, table in parts.items()},
            gold=known,
            candidates=None if sets is None else _without_ids(sets.select(rows)),
            rows=rows,
            n_unused=n_unused,
        )

    @property
    def n_gold(self) -> int:
        """Rows whose class is known."""
        return len(self.gold) - self.gold.null_count()

    def evaluations(self, groups: pl.Series | None = None) -> dict[str, Evaluation]:
        """Measure each way to predict by the best that is known; nothing where nothing is.

        Raises
        ------
        InputError
            If `groups` are given and there is too little gold to tell them apart.
        """
        votes = self.said.get(LABEL_MODEL)
        if groups is not None and (votes is None or self.n_gold < FEWEST_GOLD):
            raise InputError(
                f"`--groups` must come with votes and {FEWEST_GOLD} gold rows among those that "
                f"were kept out of training; there are {self.n_gold}. Label more of them, and "
                "pass them as --gold."
            )
        sets = self.candidates
        if not self.n_gold and votes is None and (sets is None or sets.unknown.all()):
            return {}
        gold = self.gold if self.n_gold else None
        both = None if votes is None else joint_beliefs(self.said[MODEL], votes)
        # without gold, what votes say of themselves would measure nothing
        measured = self.said if self.n_gold else {MODEL: self.said[MODEL]}
        return {
            what: best_evaluation(
                said,
                gold=gold,
                beliefs=both if self.n_gold else votes,
                candidates=sets,
                groups=groups,
                joint=not self.n_gold,
            )
            for what, said in measured.items()
        }

    def diagrams(self) -> dict[str, ReliabilityDiagram]:
        """Compare confidence with accuracy on gold."""
        if not self.n_gold:
            return {}
        return {what: reliability_diagram(said, self.gold) for what, said in self.said.items()}


def read_gold(path: Path, run: Run) -> pl.DataFrame:
    """Read labels of items: a table with the columns item and label.

    Raises
    ------
    InputError
        If a column isn't there, an item is named twice, or a label is no class of the run.
    """
    table = read_table(path)
    for name in ("item", "label"):
        if name not in table.columns:
            raise InputError(
                f"The gold file must have a column {name!r}; {str(path)!r} has "
                f"{', '.join(map(repr, table.columns[:12]))}. Rename its columns."
            )
    gold = table.select("item", label=spoken(table["label"])).drop_nulls()
    if gold["item"].is_duplicated().any():
        twice = gold.filter(pl.col("item").is_duplicated())["item"][0]
        raise InputError(f"The gold file must name an item once; {twice!r} is there twice.")
    classes = [str(name) for name in run.evidence.labels.classes]
    for name in gold["label"].unique(maintain_order=True):
        if name not in classes:
            raise InputError(
                f"The gold file must hold classes of the run; got {name!r}. "
                f"{nearest(str(name), classes)}"
            )
    wanted = ids_of(run).dtype
    if gold["item"].dtype != wanted:
        try:
            return gold.with_columns(pl.col("item").cast(wanted))
        except pl.exceptions.InvalidOperationError:
            raise InputError(
                f"The items of the gold file must be those of the run, of type {wanted}; got "
                f"{gold['item'][0]!r}. Use the ids, or the row numbers where the run has none."
            ) from None
    return gold


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


def ids_of(run: Run) -> pl.Series:
    """(n_items,) What the items are called; row numbers where they have no ids."""
    ids = run.evidence.item_ids
    return pl.Series("item", np.arange(len(run.evidence)) if ids is None else ids)


def _rows(run: Run, items: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(n_aside,) Where the items stand in the run."""
    place = ids_of(run).to_frame().with_row_index("row")
    return np.asarray(
        items.to_frame().join(place, on="item", how="left", maintain_order="left")["row"],
        dtype=np.int64,
    )


def _without_ids(sets: Candidates) -> Candidates:
    return Candidates(sets.sets, sets.labels)
