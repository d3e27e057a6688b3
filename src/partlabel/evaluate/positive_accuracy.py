r"""How good a two-class model is where only some positives are known: `positive_metrics`.

===========  ===========  =====================================================
symbol       code         meaning
===========  ===========  =====================================================
:math:`\pi`  ``prior``    share of items that are positive
:math:`q`    ``called``   share of items that are predicted positive
:math:`r`    ``recall``   share of known positives that are predicted positive
===========  ===========  =====================================================

C. Elkan, K. Noto, "Learning classifiers from only positive and unlabeled data", KDD 2008 (positives
selected at random). A. Menon et al., "Learning from corrupted binary labels via class-probability
estimation", ICML 2015, eq. 3 (ROC AUC).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, fisher_exact, mannwhitneyu

from partlabel.errors import InputError
from partlabel.evaluate.covering_accuracy import ALPHA, assumed
from partlabel.evaluate.estimate import Estimate, Verdict
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.metrics import Floats
from partlabel.evaluate.powered.contradiction import verdict_of
from partlabel.evaluate.powered.ranking import Ranks, auc


def positive_metrics(
    score: Any,
    positive: Any,
    prior: float,
    *,
    gold: Any = None,
    threshold: float = 0.5,
    level: float = 0.95,
) -> Mapping[str, Estimate]:
    """Say how good a two-class model is, where only some positives are known.

    Parameters
    ----------
    score : (n_items,) float
        The model's probability of the positive class.
    positive : (n_items,) bool
        True where the item is known to be positive; the others may be either.
    prior : float in (0, 1)
        The share of all items that are positive. What comes out moves with it.
    gold : (n_items,) of True, False or null, default None
        Whether each item is positive, where a person has said so about a random sample. It doesn't
        enter the values, but judges the assumptions: whether known positives are like the others,
        and whether the prior is right.
    threshold : float, default 0.5
        Predict positive at this score or more.
    level : float in (0, 1), default 0.95

    Returns
    -------
    mapping of name to Estimate
        recall, precision, f1, accuracy and auc; basis "assumption", each with gold's verdict;
        without gold they are unverified.

    Raises
    ------
    InputError
        If the lengths differ, no item is known to be positive or all are, gold says that a known
        positive isn't one, or `prior` or `level` is outside (0, 1).

    Examples
    --------
    >>> found = positive_metrics([0.9, 0.8, 0.6, 0.2], [True, False, False, False], 0.5)
    >>> found["precision"].value.__round__(3)
    0.667
    """
    check_level(level)
    s, known = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    if s.shape != known.shape or s.ndim != 1:
        raise InputError(
            f"`positive` must have one entry for each score; got the shapes {s.shape} and "
            f"{known.shape}. Give both in the same order."
        )
    if not 0 < known.sum() < len(s):
        raise InputError(
            f"`positive` must mark some items, but not all; got {int(known.sum())} of {len(s)}."
        )
    if not 0.0 < prior < 1.0:
        raise InputError(f"`prior` must lie in (0, 1); got {prior}. It is a share.")
    truth, called = _truth(gold, known), s >= threshold
    n, c, r, q = len(s), known.mean(), float(called[known].mean()), float(called.mean())
    of_recall, of_called = known / c * (called - r), called - q
    ranked = auc(Ranks.of(s, known.astype(np.float64)))
    rest = max(prior - c, 0.0) / (1.0 - c)  # share of positives among those not known
    numbers: dict[str, tuple[float, Floats]] = {
        "recall": (r, of_recall),
        "precision": (
            prior * r / q if q else 0.0,
            prior * (of_recall * q - r * of_called) / max(q, 1e-300) ** 2,
        ),
        "f1": (
            2 * prior * r / (prior + q),
            2 * prior * (of_recall / (prior + q) - r * of_called / (prior + q) ** 2),
        ),
        "accuracy": (1.0 - prior - q + 2 * prior * r, 2 * prior * of_recall - of_called),
        "auc": (
            (ranked.value - rest / 2) / (1.0 - rest),
            (ranked.constant + known * ranked.slope) / (1.0 - rest),
        ),
    }
    assumption = f"known positives are a random sample of all, which are {prior:.3g} of the items"
    verdicts = _verdicts(truth, known, s, called, prior)
    return {
        name: replace(
            assumed(value, moved.std() / np.sqrt(n), n, assumption, level), verdict=verdicts[name]
        )
        for name, (value, moved) in numbers.items()
    }


def _truth(gold: Any, known: NDArray[np.bool_]) -> Floats:
    """(n_items,) 1 and 0 where gold speaks, else NaN."""
    if gold is None:
        return np.full(len(known), np.nan)
    truth = np.array([np.nan if said is None else float(said) for said in gold])
    if len(truth) != len(known):
        raise InputError(
            f"`gold` must have one entry for each of the {len(known)} scores; got {len(truth)}. "
            "Leave None where nobody looked."
        )
    wrong = known & (truth == 0.0)
    if wrong.any():
        raise InputError(
            f"`positive` must mark positives alone; gold says that row {int(wrong.argmax())} isn't "
            f"one ({int(wrong.sum())} such). Take the mark away."
        )
    return truth


def _verdicts(
    truth: Floats, known: NDArray[np.bool_], s: Floats, called: NDArray[np.bool_], prior: float
) -> dict[str, Verdict]:
    """What gold says of the assumptions behind each number: exact tests, with Holm's correction."""
    said, others = ~np.isnan(truth), (truth == 1.0) & ~known
    prior_right = _p(
        said.any(), lambda: binomtest(int(truth[said].sum()), int(said.sum()), prior).pvalue
    )
    calls = np.array([(called[rows].sum(), (~called[rows]).sum()) for rows in (known, others)])
    alike = _p(others.any(), lambda: fisher_exact(calls).pvalue)
    ranked_alike = _p(others.any(), lambda: mannwhitneyu(s[known], s[others]).pvalue)
    by_class = _verdict(alike, prior_right)
    return {
        "recall": _verdict(alike),
        "precision": by_class,
        "f1": by_class,
        "accuracy": by_class,
        "auc": _verdict(ranked_alike, prior_right),
    }


def _p(there: np.bool_, test: Callable[[], float]) -> float:
    """A p-value; NaN where gold can't tell."""
    return float(test()) if there else np.nan


def _verdict(*ps: float) -> Verdict:
    """That of the test which says most against an assumption; of none, while one is untested."""
    least = len(ps) * float(np.nanmin(ps)) if np.isfinite(ps).any() else np.nan
    found = verdict_of(least, ALPHA)
    return found if found is Verdict.CONTRADICTED or np.isfinite(ps).all() else Verdict.UNVERIFIED
