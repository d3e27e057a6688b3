"""What the score of rule-copying means, when it can't tell, and what to do about it."""

from enum import Enum

import numpy as np

from partlabel.evaluate.audits.copying_probes import Alone, Finding
from partlabel.evaluate.powered.measured import Measured

COPIED, LEARNT = 0.65, 0.42
"""A score from the first on is a copy, up to the second a concept. Chosen on the worlds of
`benchmarks/rule_copying.py --tune`, about halfway between neighbours; it measures others."""

FEWEST_ROWS = 30
LEAST_SKILL = 0.2
STRANGE = 0.8
"""Rows that can be told apart so well have hardly anything in common (heuristic)."""

REMEMBERED = 0.2
"""So much more skill than models trained anew, on rows that they weren't trained on, is memory."""


class RuleCopying(Enum):
    """Whether a model copies its rules; the value is the sentence for the user."""

    COPIES = "The model copies its rules: most of what it knows goes with their triggers."
    PARTLY = "The model copies its rules in part: about half of what it knows goes with triggers."
    GENERALISES = "The model generalises: most of what it knows stays when triggers are hidden."
    CANT_TELL = "These rows can't tell whether the model copies its rules."


def judged(score: Measured, level: float) -> tuple[RuleCopying, str]:
    """The verdict on a score, and why these rows can't tell where they can't."""
    low, high = score.interval(level)
    if low < LEARNT and high > COPIED:
        return RuleCopying.CANT_TELL, (
            f"The score lies between {low:.2f} and {high:.2f}; audit more rows."
        )
    if score.value >= COPIED:
        return RuleCopying.COPIES, ""
    return (RuleCopying.GENERALISES if score.value <= LEARNT else RuleCopying.PARTLY), ""


def hindrance(n_scored: int, n_decided: int, n_classes: int, skill: Measured) -> str:
    """Why nothing can be said at all; empty where something can."""
    if n_scored < FEWEST_ROWS:
        return (
            f"Only {n_scored} of {n_decided} decided rows rest on rules whose triggers are known; "
            f"{FEWEST_ROWS} are needed. Write rules as keywords, patterns or conditions on columns."
        )
    if n_classes < 2:
        return "The label model decides for one class only; add rules for others."
    if skill.value - 2.0 * skill.error < LEAST_SKILL:
        return (
            f"The model hardly follows the label model (skill {skill.value:.2f}), so that there is "
            "nothing to ascribe to triggers."
        )
    return ""


def memory(learnable: Finding | None) -> str:
    """Why the rows may have been remembered; empty where nothing speaks for it."""
    if learnable is None:
        return ""
    ahead = learnable.control - learnable.value.value
    if ahead <= max(REMEMBERED, 3.0 * learnable.value.error):
        return ""
    return (
        f"Without triggers the model is far better at these rows (skill {learnable.control:.2f}) "
        f"than models that weren't trained on them ({learnable.value.value:.2f}); it seems to "
        "remember them. Audit rows that it wasn't trained on, and say `held_out=True`."
    )


def otherness(strangeness: Finding | None) -> str:
    """Why skill where rules speak says nothing about other rows; empty where it does."""
    if strangeness is None or strangeness.value.value < STRANGE:
        return ""
    return (
        "The model knows more than the triggers, but even without them the rows where rules speak "
        f"are unlike those where all abstain (skill {strangeness.value.value:.2f} at telling them "
        "apart), so that it needn't hold there; only gold from there can tell."
    )


def remedies(
    verdict: RuleCopying, learnable: Finding | None, alone: list[Alone], n_silent: int, n_gold: int
) -> tuple[str, ...]:
    """What helps, the first first."""
    said: list[str] = []
    if verdict in (RuleCopying.COPIES, RuleCopying.PARTLY):
        said.append(_training(learnable))
        unrelated = [one.rule for one in alone if not _taught_by_others(one)]
        if unrelated:
            said.append(
                "Write more diverse rules: what the others teach says nothing about where "
                f"{', '.join(map(repr, unrelated))} fires alone."
            )
    if n_silent:
        said.append(
            f"Label the {n_gold} rows of `gold_rows`, drawn from the {n_silent} on which all rules "
            "abstain: only gold can tell how good the model is there, and it teaches what the "
            "rules don't."
        )
    return tuple(said)


def _training(learnable: Finding | None) -> str:
    dropout = "Hide triggers while the model trains (`partlabel.learn.TriggerDropout`)"
    if learnable is None:
        return f"{dropout}, and audit again."
    found, error = learnable.value.value, learnable.value.error
    if found > max(LEAST_SKILL, 2.0 * error):
        return f"{dropout}: there is something to learn besides them (skill {found:.2f})."
    return (
        "Hiding triggers in training won't help by itself: without them next to nothing can be "
        f"learnt from these votes (skill {found:.2f}). Give the model more features, or rules that "
        "read something else."
    )


def _taught_by_others(one: Alone) -> bool:
    """Whether agreement is above chance by more than chance."""
    n, rate = len(one.agrees), float(one.agrees.mean())
    error = np.sqrt(max(rate * (1.0 - rate), 0.25 / n) / n)
    return not np.isfinite(one.by_chance) or bool(rate - one.by_chance > 2.0 * error)
