"""`partlabel sources` and `partlabel aggregate`: which sources to trust, and what to believe."""

from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from partlabel.aggregate import (
    Aggregator,
    DawidSkene,
    LabelModel,
    MajorityVote,
    aggregate_parquet,
    influence,
    sources_report,
)
from partlabel.beliefs import Beliefs
from partlabel.cli import show
from partlabel.cli.columns import spoken
from partlabel.cli.evidence import VoteOptions, read_evidence, space_and_gold
from partlabel.cli.formats import check_free, write_table
from partlabel.errors import InputError
from partlabel.evidence import Evidence, Votes

MODELS: dict[str, type[Aggregator]] = {
    "label-model": LabelModel,
    "dawid-skene": DawidSkene,
    "majority": MajorityVote,
}
SURE = 0.9


def sources(
    path: Path, options: VoteOptions, *, model: str, dropped: bool, every: bool, as_json: bool
) -> None:
    """Say which sources to trust, and what dropping each would change."""
    found = None
    with show.steps(2 + dropped) as step:
        with step("reading the votes"):
            evidence, notes = read_evidence(path, options)
        with step("learning how reliable each source is"):
            fitted = MODELS[model]().fit(evidence)
            table, choice = sources_report(fitted, evidence), getattr(fitted, "choice_", None)
        if dropped:
            with step("leaving out each source"):
                # gold judges here, so it can't have taught
                judged = MODELS[model]().fit(evidence.without("gold"))
                found = influence(judged, evidence)
    facts = _facts(evidence, model, notes)
    if as_json:
        changes = {} if found is None else {"influence": found.to_dicts()}
        show.write_json({**facts, "choice": choice, "sources": table.to_dicts(), **changes})
        return
    show.reliability(table, every=every, others="--all shows them all")
    show.tell(f"{_sentence(facts)} {show.verdicts(table)}")
    if choice is not None:
        show.tell(choice)
    if found is not None:
        show.influence(found, every=every, others="--all shows them all")


def aggregate(
    path: Path, options: VoteOptions, *, output: Path, model: str, force: bool, as_json: bool
) -> None:
    """Write what to believe about the label of each item."""
    check_free(output, force=force)
    with show.steps(3) as step:
        with step("reading the votes"):
            evidence, notes = read_evidence(path, options)
        with step("learning the labels"):
            beliefs = MODELS[model]().fit_aggregate(evidence)
        with step("writing the beliefs"):
            write_table(beliefs.to_polars(), output)
    facts = _facts(evidence, model, notes)
    if as_json:
        show.write_json({**facts, "output": str(output), "labels": _shares(beliefs)})
        return
    show.say(_sentence(facts))
    show.say(f"Wrote {output}: {decided(beliefs)}")


def stream(
    path: Path, options: VoteOptions, *, output: Path, model: str, force: bool, as_json: bool
) -> None:
    """Write what to believe about the label of each item, part by part of the items."""
    check_free(output, force=force)
    _check_streamed(path, options, output)
    with show.steps(1) as step, step("learning the labels, part by part"):
        labels, gold = space_and_gold(path, options)
        fitted = aggregate_parquet(
            path,
            output,
            labels,
            model=MODELS[model](),
            item=options.item or "item",
            source=options.source,
            label=options.label,
            gold=gold,
            repeated=options.repeated,
            spoken=partial(spoken, abstain=options.abstain),
        )
    written = pl.scan_parquet(output)
    shares = dict(written.group_by("label").len().collect(engine="streaming").iter_rows())
    facts: dict[str, Any] = {
        "model": model,
        "classes": list(fitted.labels_.classes),
        "n_items": sum(shares.values()),
        "n_sources": len(fitted.reliability_),
        "output": str(output),
        "labels": {str(name): shares.get(name, 0) for name in fitted.labels_.classes},
    }
    if as_json:
        show.write_json(facts)
        return
    show.say(f"{facts['n_sources']:,} sources, {facts['n_items']:,} items.")
    sure = written.select((pl.col("confidence") >= SURE).mean()).collect(engine="streaming").item()
    show.say(f"Wrote {output}: {_listed(facts['labels'], sure)}")


def decided(beliefs: Beliefs) -> str:
    """Say how many items each class has, and how sure that is."""
    return _listed(_shares(beliefs), float((beliefs.confidence >= SURE).mean()))


def _listed(labels: dict[str, int], sure: float) -> str:
    shares = sorted(labels.items(), key=lambda one: -one[1])
    listed = ", ".join(f"{name}: {n:,}" for name, n in shares[:6])
    more = f", {len(shares) - 6} more classes" if len(shares) > 6 else ""
    return f"{listed}{more}. For {sure:.0%} of the items one class is at least {SURE:.0%} sure."


def _check_streamed(path: Path, options: VoteOptions, output: Path) -> None:
    """Refuse what can't be read or written part by part."""
    if options.sources:
        raise InputError(
            "`--stream` must have one row per vote; --sources names columns. Leave out one of them."
        )
    if not path.exists():
        raise InputError(f"cannot read {str(path)!r}: there is no such file. Correct the path.")
    for option, named in (("VOTES", path), ("--output", output)):
        if named.suffix.lower() != ".parquet" and not named.is_dir():
            raise InputError(
                f"`{option}` must be Parquet with --stream; got {str(named)!r}. Convert it, or "
                "leave out --stream."
            )


def _facts(evidence: Evidence, model: str, notes: list[str]) -> dict[str, Any]:
    votes = evidence.votes
    assert isinstance(votes, Votes)
    for note in notes:
        show.say(note)
    return {
        "model": model,
        "classes": list(evidence.labels.classes),
        "n_items": len(evidence),
        "n_votes": votes.n_votes,
        "n_sources": votes.n_sources,
        "n_without_votes": int((votes.votes_per_item == 0).sum()),
        "n_gold": evidence.counts()["gold"],
        "notes": notes,
    }


def _sentence(facts: dict[str, Any]) -> str:
    without = facts["n_without_votes"]
    return (
        f"{facts['n_sources']:,} sources, {facts['n_votes']:,} votes, {facts['n_items']:,} items"
        + (f" ({without:,} of them without a vote)" if without else "")
        + (f", {facts['n_gold']:,} gold labels." if facts["n_gold"] else ".")
    )


def _shares(beliefs: Beliefs) -> dict[str, int]:
    counts = dict(beliefs.decide().value_counts().iter_rows())
    return {str(name): int(counts.get(name, 0)) for name in beliefs.labels.classes}
