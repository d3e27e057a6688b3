"""What several label models take alike, checked once and refused in the same words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partlabel.errors import InputError
from partlabel.evidence import Evidence, Votes

USUAL_ACCURACY = 0.7  # what is expected of a source before anything is known of it


@dataclass(frozen=True, slots=True, eq=False)
class ClassPrior:
    """Share of each class before any vote: given, or learnt with pseudo-items behind it.

    Attributes
    ----------
    start : (n_classes,) float
        The given shares, or those at which learning starts.
    pseudo_items : float or None
        Pseudo-items behind each class; None where the shares are given.
    """

    start: NDArray[np.float64]
    pseudo_items: float | None = None

    @classmethod
    def of(
        cls,
        setting: Any,
        n_classes: int,
        strength: float = 1.0,
        *,
        known: Sequence[str] = ("uniform", "learnt"),
        replaced: bool = False,
    ) -> "ClassPrior":
        """Read the setting `class_prior`: one of the `known` words, or shares.

        It is checked and then even where a prior of each item's own has `replaced` it.

        Raises
        ------
        InputError
            If it is another word, or no distribution over the classes without zeros.
        """
        even = np.full(n_classes, 1.0 / n_classes)
        if isinstance(setting, str):
            if setting not in known:
                words = ", ".join(map(repr, known))
                raise InputError(f"`class_prior` must be {words} or an array; got {setting!r}.")
            learnt = setting == "learnt" and not replaced
            return cls(even, strength / n_classes if learnt else None)
        shares = np.asarray(setting, dtype=np.float64)
        if shares.shape != (n_classes,) or not abs(shares.sum() - 1) <= 1e-6 or shares.min() <= 0:
            raise InputError(
                f"`class_prior` must be {n_classes} positive shares that add up to 1; "
                f"got {shares.tolist()}."
            )
        return cls(even if replaced else shares)

    def updated(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_classes,) Shares that the expected class totals speak for."""
        if self.pseudo_items is None:
            return self.start
        mass = totals + self.pseudo_items
        return np.asarray(mass / mass.sum())

    def log_density(self, shares: NDArray[np.float64]) -> float:
        """Log of the Dirichlet prior's density at some shares, up to a constant (nats)."""
        return 0.0 if self.pseudo_items is None else float(self.pseudo_items * np.log(shares).sum())


def accuracies(
    setting: float | Mapping[str, float], sources: Sequence[str]
) -> float | NDArray[np.float64]:
    """Read the setting `accuracy`: one number, or (n_sources,) of which some are named.

    Raises
    ------
    InputError
        If it names a source that isn't there, or is outside (0, 1).
    """
    if not isinstance(setting, Mapping):
        check_probability(accuracy=setting)
        return setting
    unknown = [name for name in setting if name not in set(sources)]
    if unknown:
        raise InputError(
            f"`accuracy` must name sources that have votes; got {unknown[0]!r} "
            f"({len(unknown)} such). The sources are {', '.join(map(repr, sources[:5]))}"
            f"{', ...' if len(sources) > 5 else ''}."
        )
    for name, value in setting.items():
        check_probability(**{f"accuracy[{name!r}]": value})
    return np.array([setting.get(name, USUAL_ACCURACY) for name in sources])


def votes_of(evidence: Evidence) -> Votes:
    """The votes that a label model learns from; refused where there are none."""
    if evidence.votes is None:
        raise InputError(
            "`evidence` must hold votes for a label model; it has none. "
            "Candidate sets and gold alone need no label model: train on them."
        )
    return evidence.votes


def check_positive(**settings: float) -> None:
    """Refuse settings that are not above zero."""
    for name, value in settings.items():
        if not _number(name, value) > 0:
            raise InputError(f"`{name}` must be positive; got {value}. Use a small one for little.")


def check_probability(**settings: float) -> None:
    """Refuse settings outside (0, 1)."""
    for name, value in settings.items():
        if not 0.0 < _number(name, value) < 1.0:
            raise InputError(f"`{name}` must lie in (0, 1); got {value}.")


def check_count(**settings: int) -> None:
    """Refuse settings below one, and fractions."""
    for name, value in settings.items():
        if _number(name, value) < 1:
            raise InputError(f"`{name}` must be at least 1; got {value}.")
        if value != int(value):
            raise InputError(f"`{name}` must be a whole number; got {value}.")


def _number(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number; got {value!r}, a {type(value).__name__}.")
    return value
