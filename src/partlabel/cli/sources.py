"""`partlabel sources` and `partlabel aggregate`: which sources to trust, and what to believe."""

from pathlib import Path
from typing import Any

from partlabel.aggregate import Aggregator, DawidSkene, LabelModel, MajorityVote
from partlabel.beliefs import Beliefs
from partlabel.cli import show
from partlabel.cli.evidence import VoteOptions, read_evidence
from partlabel.cli.formats import check_free, write_table
from partlabel.evidence import Evidence, Votes

MODELS: dict[str, type[Aggregator]] = {
    "label-model": LabelModel,
    "dawid-skene": DawidSkene,
    "majority": MajorityVote,
}
SURE = 0.9


def sources(path: Path, options: VoteOptions, *, model: str, every: bool, as_json: bool) -> None:
    """Say which sources to trust."""
    with show.steps(2) as step:
        with step("reading the votes"):
            evidence, notes = read_evidence(path, options)
        with step("learning how reliable each source is"):
            fitted = MODELS[model]().fit(evidence)
    table, choice = fitted.reliability_, getattr(fitted, "choice_", None)
    facts = _facts(evidence, model, notes)
    if as_json:
        show.write_json({**facts, "choice": choice, "sources": table.to_dicts()})
        return
    show.reliability(table, every=every, others="--all shows them all")
    show.tell(f"{_sentence(facts)} {show.verdicts(table)}")
    if choice is not None:
        show.tell(choice)


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


def decided(beliefs: Beliefs) -> str:
    """Say how many items each class has, and how sure that is."""
    shares = sorted(_shares(beliefs).items(), key=lambda one: -one[1])
    listed = ", ".join(f"{name}: {n:,}" for name, n in shares[:6])
    more = f", {len(shares) - 6} more classes" if len(shares) > 6 else ""
    sure = float((beliefs.confidence >= SURE).mean())
    return f"{listed}{more}. For {sure:.0%} of the items one class is at least {SURE:.0%} sure."


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
