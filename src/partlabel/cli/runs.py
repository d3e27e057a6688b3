"""The run folder: what `fit` leaves behind, written whole or not at all.

=====================  ============================================================================
model.skops            a scikit-learn pipeline, from the columns to the classes
beliefs.parquet        what is believed about each item
reliability.parquet    what each source is worth (where there are votes)
evidence.parquet       what was known of each item: gold, candidates, and a column for each source
items.parquet          a few columns of each item, for the report's examples
checks.parquet         predictions for the items that trained nothing; of a small table for all
                       items, each by a model that was trained without it
report.html            all of it for people
run.json               versions, options, data, seed and metrics; what differs between two runs
                       of one command, the time, stands under "time" alone
=====================  ============================================================================
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from partlabel.beliefs import Beliefs
from partlabel.cli.settings import Settings, parse_settings
from partlabel.errors import InputError
from partlabel.evidence import Candidates, ClassSets, Evidence, Votes
from partlabel.files import replacing
from partlabel.labels import LabelSpace

FACTS = "run.json"
MODEL = "model.skops"
PAGE = "report.html"
SHOWN_COLUMNS = 6
VOTE, GOLD, CANDIDATES = "votes of ", "gold", "candidates"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a run folder says, but for the model.

    Attributes
    ----------
    facts : dict
        The content of ``run.json``.
    evidence : Evidence
    items : polars.DataFrame
    beliefs : Beliefs
    reliability : polars.DataFrame or None
    checks : polars.DataFrame or None
        For each way to predict (``what``) and each item that trained nothing (or was left out of
        the training that predicts it): its gold, or null, and ``p_<class>``.
    """

    facts: dict[str, Any]
    evidence: Evidence
    items: pl.DataFrame
    beliefs: Beliefs
    reliability: pl.DataFrame | None
    checks: pl.DataFrame | None

    @property
    def settings(self) -> Settings:
        """What `fit` was told."""
        return parse_settings(self.facts["settings"], FACTS)


def check_free(folder: Path, *, force: bool) -> None:
    """Refuse to write into a folder that holds something; --force may replace a run, nothing else.

    Raises
    ------
    InputError
    """
    if folder.is_file():
        raise InputError(f"`--output` must name a folder; {str(folder)!r} is a file. Name another.")
    if Path.cwd().is_relative_to(folder.resolve()):
        raise InputError(
            f"`--output` must not be the folder that you are in; {str(folder)!r} is, or holds it, "
            "and would be replaced. Name a new folder in it."
        )
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not force:
        raise InputError(
            f"`--output` must be a new or empty folder; {str(folder)!r} isn't empty. "
            "Name another one, or replace an old run with --force."
        )
    if not (folder / FACTS).is_file():
        raise InputError(
            f"--force replaces old runs only; {str(folder)!r} holds no {FACTS}, so it isn't one. "
            "Name another folder, or remove it yourself."
        )


@contextmanager
def new_run(folder: Path) -> Iterator[Path]:
    """Give a folder to fill, which takes the place of `folder` once it is whole."""
    with replacing(folder) as fresh:
        fresh.mkdir()
        yield fresh


def write_parts(folder: Path, run: Run) -> None:
    """Write everything but the model and the page."""
    run.beliefs.write_parquet(folder / "beliefs.parquet")
    if run.reliability is not None:
        run.reliability.write_parquet(folder / "reliability.parquet")
    _evidence_table(run.evidence).write_parquet(folder / "evidence.parquet")
    run.items.write_parquet(folder / "items.parquet")
    if run.checks is not None:
        run.checks.write_parquet(folder / "checks.parquet")
    text = json.dumps(run.facts, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / FACTS).write_text(text + "\n", encoding="utf-8")


def read_facts(folder: Path) -> dict[str, Any]:
    """Read `run.json`.

    Raises
    ------
    InputError
        If the folder is no run.
    """
    path = folder / FACTS
    if not path.is_file():
        what = f"it holds no {FACTS}" if folder.is_dir() else "there is no such folder"
        what = "it is a file" if folder.is_file() else what
        raise InputError(f"{str(folder)!r} must be a folder written by `fit`; {what}.")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(f"{str(path)!r} must be JSON; it is damaged. Fit again.") from None
    if not isinstance(facts, dict) or "partlabel" not in facts.get("versions", {}):
        raise InputError(f"{str(path)!r} must be written by `fit`; it isn't. Fit again.")
    return facts


def read_run(folder: Path) -> Run:
    """Read what the report is made of.

    Raises
    ------
    InputError
        If the folder is no run, or a part of it is missing.
    """
    facts = read_facts(folder)
    labels = LabelSpace(tuple(facts["classes"]))
    evidence = _evidence_from(_part(folder, "evidence"), labels)
    return Run(
        facts=facts,
        evidence=evidence,
        items=_part(folder, "items"),
        beliefs=Beliefs.from_polars(_part(folder, "beliefs"), labels),
        reliability=None if evidence.votes is None else _part(folder, "reliability"),
        checks=_part(folder, "checks") if _n_checks(facts) else None,
    )


def _n_checks(facts: dict[str, Any]) -> int:
    """How many items were predicted by a model that wasn't trained on them."""
    others = int(facts.get("others_held_out", 0)) + int(facts.get("cross_fitted", 0))
    return int(facts["held_out"]["n"]) + others


def _part(folder: Path, name: str) -> pl.DataFrame:
    path = folder / f"{name}.parquet"
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        raise InputError(f"{str(path)!r} must be there and whole; it isn't. Fit again.") from None


def _evidence_table(evidence: Evidence) -> pl.DataFrame:
    """One row per item: id, gold, candidates, and what each source said, as lists of classes."""
    n_items = len(evidence)
    ids = np.arange(n_items) if evidence.item_ids is None else evidence.item_ids
    columns: dict[str, Any] = {"item": ids}
    for name, part in ((GOLD, evidence.gold), (CANDIDATES, evidence.candidates)):
        if part is not None:
            columns[name] = _names(part.sets, ~part.unknown, evidence.labels)
    votes = evidence.votes
    if votes is not None:
        vocabulary, item, source = votes.vocabulary, votes.item, votes.source
        words = _names(
            ClassSets(vocabulary.sets, vocabulary.meaning),
            np.ones(len(vocabulary.meaning), dtype=bool),
            votes.labels,
        )
        for j, name in enumerate(votes.sources):
            said = source == j
            place = np.full(n_items, -1)
            place[item[said]] = votes.symbol[said]
            columns[f"{VOTE}{name}"] = words.gather(pl.Series(place).replace(-1, None))
    return pl.DataFrame(columns)


def _names(sets: ClassSets, there: Any, labels: LabelSpace) -> pl.Series:
    listed = [[str(labels.classes[k]) for k in np.flatnonzero(one)] for one in sets.table]
    which = pl.Series(np.where(there, sets.which, -1)).replace(-1, None)
    return pl.Series(listed, dtype=pl.List(pl.String)).gather(which)


def _evidence_from(table: pl.DataFrame, labels: LabelSpace) -> Evidence:
    items = table["item"].to_numpy()
    parts: dict[str, Any] = {
        name: Candidates.from_lists(table[name], labels)
        for name in (GOLD, CANDIDATES)
        if name in table.columns
    }
    named = {c: c.removeprefix(VOTE) for c in table.columns if c.startswith(VOTE)}
    if named:
        said = table.select(list(named)).rename(named)
        parts["votes"] = Votes.from_columns(said, labels=labels)
    return Evidence(**parts, items=items)
