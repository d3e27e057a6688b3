"""The sections about what was observed: evidence, sources, conflicts, and what was ignored.

Each is a pure function of the user's data. It gives None where there is nothing to say.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from partlabel.aggregate import Verdict
from partlabel.aggregate.reliability import ENOUGH_GOLD
from partlabel.beliefs import Beliefs
from partlabel.evidence import KINDS, Candidates, Evidence, Votes
from partlabel.report import conflicts as pairs
from partlabel.report import figures
from partlabel.report.section import Section
from partlabel.report.wording import count, listed, named, shortened

PLOTTED_SOURCES = 40
LISTED_SOURCES = 1000
COMPARED_SOURCES = 40
EXAMPLES = 5
SHOWN_COLUMNS = 6
SHOWN_CLASSES = 30
VOTE_STEPS = (0, 1, 2, 3, 4, 5, 10, 20, 50, 100)

KIND_WORDS: Mapping[str, str] = {
    "gold": "a verified (gold) label",
    "exact": "one candidate left",
    "partial": "several candidates left",
    "voted": "only votes",
    "nothing": "nothing at all",
}
VERDICTS = (Verdict.HARMFUL, Verdict.TRUST, Verdict.CARE, Verdict.NOTHING)


def evidence(observed: Evidence, choice: str | None) -> Section:
    """What is known about how many items, and by whom."""
    counts, n = observed.counts(), len(observed)
    kinds = [kind for kind in KINDS if counts[kind] or kind in ("gold", "nothing")]
    data = {
        "kinds": [(KIND_WORDS[kind], counts[kind], counts[kind] / max(n, 1)) for kind in kinds],
        "classes": listed(observed.labels.classes, SHOWN_CLASSES),
        "n_classes": len(observed.labels),
        "coarse": listed(observed.labels.coarse, SHOWN_CLASSES),
        "spread": [] if observed.votes is None else _spread(observed.votes),
        "mean_size": None if observed.candidates is None else _mean_size(observed.candidates),
        "choice": choice,
    }
    return Section("evidence", "The evidence", data)


def sources(observed: Evidence, reliability: pl.DataFrame | None) -> Section | None:
    """What each source is worth: sure verdicts first, then by number of votes."""
    title = "What each source is worth"
    if reliability is None or not len(reliability):
        if observed.votes is None:
            return None
        missing = "No reliability was given: a fitted label model has it as `reliability_`."
        return Section("sources", title, missing=missing)
    rank = {verdict.value: place for place, verdict in enumerate(VERDICTS)}
    verdict = pl.col("verdict").replace_strict(rank, default=len(rank))
    order = (verdict, -pl.col("votes"), pl.col("source"))
    table = reliability.sort(*order)
    loudest = table.sort(verdict > 0, -pl.col("votes"), maintain_order=True).head(PLOTTED_SOURCES)
    tally = {v.value: int((table["verdict"] == v.value).sum()) for v in VERDICTS}
    data = {
        "rows": table.head(LISTED_SOURCES).to_dicts(),
        "n_sources": len(table),
        "tally": tally,
        "n_plotted": len(loudest),
        "has_gold": bool((table["gold_votes"] > 0).any()),
        "enough_gold": ENOUGH_GOLD,
        "judged": "identifiable" in table.columns,
        "untold": _untold(table),
    }
    return Section("sources", title, data, {"sources": figures.sources(loudest.sort(*order))})


def _untold(table: pl.DataFrame) -> list[tuple[str, str]]:
    """Why the votes can't tell how good some sources are, and which."""
    if "identifiable" not in table.columns:
        return []
    unclear = table.filter((pl.col("identifiable") != "yes") & (pl.col("votes") > 0))
    groups = unclear.group_by("reason", maintain_order=True)
    return [(str(reason), listed(rows["source"])) for (reason,), rows in groups]


def conflicts(
    observed: Evidence,
    contested: NDArray[np.int64],
    beliefs: Beliefs | None,
    items: pl.DataFrame | None,
) -> Section | None:
    """Which pairs of sources contradict each other, and on which items most."""
    votes = observed.votes
    if votes is None:
        return None
    title = "Where sources contradict each other"
    if not (votes.votes_per_item > 1).any():
        missing = "No item has votes of two sources, so no source can be compared with another."
        return Section("conflicts", title, missing=missing)
    spoken = np.bincount(votes.source, minlength=votes.n_sources)
    meeting = np.bincount(
        votes.source, np.repeat(votes.votes_per_item > 1, votes.votes_per_item), votes.n_sources
    )
    loudest = np.argsort(-meeting, kind="stable")[:COMPARED_SOURCES]
    compared = pairs.disagreement(votes, np.sort(loudest[spoken[loudest] > 0]))
    names = [votes.sources[j] for j in compared.sources]
    data = {
        "n_contested": int((contested > 0).sum()),
        "n_several": int((votes.votes_per_item > 1).sum()),
        "n_compared": len(names),
        "n_sources": votes.n_sources,
        "examples": [
            _example(observed, votes, item, beliefs, items)
            for item in pairs.most_contested(votes, contested, EXAMPLES)
        ],
        "hint": items is None,
    }
    chart = figures.disagreement(names, compared.share(), compared.both)
    return Section("conflicts", title, data, {"disagreement": chart})


def ignored(observed: Evidence, left_out: Sequence[tuple[str, int, str]]) -> Section:
    """What was left out, and why: what the caller says, and what the evidence knows itself."""
    rows = [row for row in left_out if row[1]]
    rows += [
        (f"items of `{part}`", found["dropped"], "they are not among the given items")
        for part, found in observed.alignment.items()
        if found["dropped"]
    ]
    if observed.n_conflicts:
        rows.append(("candidate sets", observed.n_conflicts, "the gold label lies outside them"))
    return Section("ignored", "What was ignored, and why", {"rows": rows})


def _mean_size(candidates: Candidates) -> float | None:
    """How many classes are left, on average, where the candidates say anything."""
    sizes = candidates.sizes[~candidates.unknown]
    return float(sizes.mean()) if len(sizes) else None


def _spread(votes: Votes) -> list[tuple[str, int, float]]:
    """How many items have no vote, one, two, ...; coarser where there are many votes."""
    ends = [*(start - 1 for start in VOTE_STEPS[1:]), None]
    n = np.bincount(
        np.searchsorted(VOTE_STEPS, votes.votes_per_item, side="right") - 1, minlength=len(ends)
    )
    return [
        (_span(start, end), int(found), float(found / votes.n_items))
        for start, end, found in zip(VOTE_STEPS, ends, n, strict=True)
        if found or start == 0
    ]


def _span(start: int, end: int | None) -> str:
    if end is None:
        return f"{count(start)} or more"
    return count(start) if start == end else f"{count(start)} to {count(end)}"


def _example(
    observed: Evidence, votes: Votes, item: int, beliefs: Beliefs | None, items: pl.DataFrame | None
) -> dict[str, Any]:
    """An item with everything that is known about it."""
    vocabulary, classes = votes.vocabulary, votes.labels.classes
    said: dict[str, list[str]] = {}
    for symbol in votes.symbol[votes.indptr[item] : votes.indptr[item + 1]]:
        word = named(vocabulary.sets[vocabulary.meaning[symbol]], classes)
        said.setdefault(word, []).append(votes.sources[vocabulary.source[symbol]])
    gold = observed.gold
    return {
        "name": item if observed.item_ids is None else observed.item_ids[item],
        "fields": [] if items is None else _fields(items, item, votes.sources),
        "votes": sorted(
            ((word, len(by), listed(by, 8)) for word, by in said.items()), key=lambda row: -row[1]
        ),
        "belief": [] if beliefs is None else _leading(beliefs, item),
        "gold": None if gold is None or not gold.exact[item] else classes[gold.codes()[item]],
    }  # fmt: skip


def _fields(items: pl.DataFrame, item: int, sources: Sequence[str]) -> list[tuple[str, str]]:
    """What the user's table says about an item; columns of votes are shown as votes already."""
    known = set(sources)
    columns = [name for name in items.columns if name not in known][:SHOWN_COLUMNS]
    values = ((name, items[name][item]) for name in columns)
    return [(name, shortened(value)) for name, value in values if value is not None]


def _leading(beliefs: Beliefs, item: int, most: int = 3) -> list[tuple[str, float]]:
    probs = beliefs.probs[item]
    top = np.argsort(-probs, kind="stable")[:most]
    return [(str(beliefs.labels.classes[k]), float(probs[k])) for k in top]
