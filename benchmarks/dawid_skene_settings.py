"""DawidSkene's further settings on the real sets: passes over the votes, accuracy and log loss.

Passes: crowds, with and without `accelerate`. Accuracy on items with gold and at least one vote;
log loss in nats, beliefs floored at 1e-12. No seeds: nothing here is drawn.
"""

import warnings
from typing import Any

import numpy as np
from real_votes import RealSet, real_sets

from partlabel import DawidSkene
from partlabel.aggregate.observations import Observations

SETTINGS: list[dict[str, Any]] = [
    {},
    {"class_prior": "learnt"},
    {"class_prior": "auto"},
    {"pool": 10.0},
    {"subtypes": 2},
    {"abstention": "observed"},
    {"annealing": 0.2},
]


def passes(crowds: list[RealSet], **settings: Any) -> int:
    """Passes over rows in all fits, without the last of each, which reads the counts off."""
    one_pass, seen = Observations.passed, []

    def counted(rows: Observations, *given: Any) -> Any:
        seen.append(rows)
        return one_pass(rows, *given)

    Observations.passed = counted
    for one in crowds:
        DawidSkene(max_iter=2000, **settings).fit(one.votes)
    Observations.passed = one_pass
    return len(seen) - len(crowds)


def quality(one: RealSet, settings: dict[str, Any]) -> tuple[float, float]:
    probs = DawidSkene(**settings).fit_aggregate(one.votes).probs[one.known]
    truth = one.gold.codes()[one.known]
    told = probs[np.arange(len(truth)), truth]
    return (probs.argmax(axis=1) == truth).mean(), -np.log(np.maximum(told, 1e-12)).mean()


def main() -> None:
    warnings.simplefilter("ignore")
    sets = real_sets()
    crowds = [one for one in sets if one.kind == "crowd"]
    for inference in ("em", "vb"):
        plain, leapt = (passes(crowds, inference=inference, accelerate=on) for on in (False, True))
        print(f"passes over {len(crowds)} crowds, {inference}: {plain} plain, {leapt} accelerated")
    print("accuracy of", *(str(settings) for settings in SETTINGS), sep="; ")
    found = np.array([[quality(one, settings) for settings in SETTINGS] for one in sets])
    for one, row in zip(sets, found, strict=True):
        print(f"{one.kind:6} {one.name:12}", *(f"{accuracy:.3f}" for accuracy, _ in row))
    for kind in ("rules", "crowd"):
        mean = found[[one.kind == kind for one in sets]].mean(axis=0)
        print(f"{kind:6} mean accuracy", *(f"{accuracy:.3f}" for accuracy, _ in mean))
        print(f"{kind:6} mean log loss", *(f"{loss:.3f}" for _, loss in mean))


if __name__ == "__main__":
    main()
