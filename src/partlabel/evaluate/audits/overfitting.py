r"""Overfitting: where training went on to fit wrong labels, for all rows and for subsets.

A held-out curve is noisy, so that its highest point is no good stop. Here a curve is smoothed to
one that rises up to a peak and falls after it, by least squares over all such curves,

.. math:: \min_t \; \min_{m_1 \le \dots \le m_t \ge \dots \ge m_T} \sum_e (h_e - m_e)^2,

and the suggested stop is the first epoch that is within the noise of the peak. The noise is told by
second differences, which no steady trend moves. Whether the curve falls at all is tested: the drop
from its best to its last epochs, by the noise, against that of flat curves of independent noise.

Q. F. Stout, "Unimodal regression via prefix isotonic regression", Computational Statistics and Data
Analysis 2008 (the smoothing). D. Arpit et al., "A closer look at memorization in deep networks",
ICML 2017, sec. 3 (why curves turn).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from partlabel.errors import InputError, rows_named
from partlabel.evaluate.intervals import check_level
from partlabel.evaluate.metrics import FLOOR, Codes, Floats
from partlabel.evaluate.powered.contradiction import holm
from partlabel.evaluate.powered.population import codes_and_names
from partlabel.evaluate.scored import as_beliefs, as_gold
from partlabel.labels import LabelSpace
from partlabel.tables import as_frame, column

LEAST_EPOCHS = 5
DRAWS = 2000
NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a standard normal number."""


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """Whether training fitted wrong labels in the end, and when it should have stopped.

    Attributes
    ----------
    stop : int or float
        The suggested last epoch, by the held-out curve of all rows.
    table : polars.DataFrame
        One row per curve, that of all rows first: ``subset``; ``stop``, its own best last epoch;
        its smoothed values at its own stop (``best``), at the common one (``at_stop``) and in the
        last epoch (``last``); ``noise``; ``p_value`` that it doesn't fall (Holm); ``degraded``.
    curves : polars.DataFrame
        One row per curve and epoch: subset, epoch, value, smoothed.
    fit_rose : bool
        Whether the fit to the labels that were told went on rising after the stop.
    """

    stop: float
    table: pl.DataFrame
    curves: pl.DataFrame
    fit_rose: bool

    @property
    def degraded(self) -> tuple[str, ...]:
        """Names of the subsets, or "all", that training past the stop has harmed."""
        return tuple(self.table.filter("degraded")["subset"])

    @property
    def sentence(self) -> str:
        """What it means, for the user."""
        if not self.degraded:
            return f"No held-out curve falls by more than its noise; epoch {self.stop:g} is enough."
        worst = (
            self.table.filter("degraded").sort(pl.col("last") - pl.col("best")).row(0, named=True)
        )
        why = "while the fit to the labels rose on: wrong ones are learnt" if self.fit_rose else ""
        return (
            f"Stop after epoch {self.stop:g}. Past its best, {worst['subset']!r} falls from "
            f"{worst['best']:.3f} to {worst['last']:.3f}{', ' * bool(why)}{why}."
        )

    def to_polars(self) -> pl.DataFrame:
        """Give the table of curves."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain values, for JSON."""
        return {
            "sentence": self.sentence,
            "stop": self.stop,
            "fit_rose": self.fit_rose,
            "table": self.table.to_dicts(),
            "curves": self.curves.to_dicts(),
        }


def overfitting(
    history: Any,
    *,
    fit: str = "told",
    held_out: str = "held_out",
    subsets: Sequence[str] = (),
    epoch: str = "epoch",
    alpha: float = 0.05,
) -> Overfitting:
    """Read from a training history when to stop, and whom training on has harmed.

    Parameters
    ----------
    history : table, one row per epoch
        As `training_curve` or `partlabel.train.Memorising` gives it, or the `history_` of an
        estimator with ``fit="loss"``.
    fit : str, default "told"
        The column of the fit to the labels that were told. One named "loss" falls as it gets
        better, any other rises.
    held_out : str, default "held_out"
        The column of accuracy on gold, or of the marginal log-likelihood of held-out evidence: more
        is better. Held-out evidence can't see mistakes that sources always make; gold can.
    subsets : sequence of str, default ()
        More such columns, each of a part of the rows.
    epoch : str, default "epoch"
    alpha : float in (0, 1), default 0.05
        How often a curve that never falls may be called degraded.

    Returns
    -------
    Overfitting

    Raises
    ------
    InputError
        If a column is missing or not finite, or there are fewer than five epochs.

    Examples
    --------
    >>> epochs = np.arange(12)
    >>> history = {
    ...     "epoch": epochs, "told": 0.5 + 0.04 * epochs, "held_out": 0.9 - 0.03 * abs(epochs - 4)
    ... }
    >>> found = overfitting(history)
    >>> found.stop, found.degraded, found.fit_rose
    (4.0, ('all',), True)
    """
    frame = as_frame(history, "history")
    epochs = _numbers(frame, epoch, "epoch")
    told = _numbers(frame, fit, "fit") * (-1.0 if fit == "loss" else 1.0)
    if len(epochs) < LEAST_EPOCHS:
        raise InputError(
            f"`history` must hold at least {LEAST_EPOCHS} epochs; got {len(epochs)}. Train longer."
        )
    check_level(1.0 - alpha)
    order = np.argsort(epochs, kind="stable")
    values = {"all": _numbers(frame, held_out, "held_out")[order]}
    values |= {name: _numbers(frame, name, "subsets")[order] for name in subsets}
    epochs, told = epochs[order], told[order]
    curves = {name: Curve.of(value) for name, value in values.items()}
    p_values = holm(np.array([drop_p_value(value) for value in values.values()])).tolist()
    stop = curves["all"].stop
    return Overfitting(
        stop=float(epochs[stop]),
        table=pl.DataFrame(
            [
                {
                    "subset": name,
                    "stop": float(epochs[one.stop]),
                    "best": float(one.smoothed[one.stop]),
                    "at_stop": float(one.smoothed[stop]),
                    "last": float(one.smoothed[-1]),
                    "noise": one.noise,
                    "p_value": p_value,
                    "degraded": p_value < alpha,
                }
                for (name, one), p_value in zip(curves.items(), p_values, strict=True)
            ]
        ),
        curves=pl.concat(
            pl.DataFrame({"epoch": epochs, "value": values[name], "smoothed": one.smoothed}).select(
                pl.lit(name).alias("subset"), pl.all()
            )
            for name, one in curves.items()
        ),
        fit_rose=bool(told[-1] > told[stop]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A held-out curve, smoothed.

    Attributes
    ----------
    smoothed : (n_epochs,) float
        Rises up to a peak, and falls after it.
    noise : float
        Standard deviation of single epochs.
    stop : int
        Position of the first epoch within the noise of the peak.
    """

    smoothed: Floats
    noise: float
    stop: int

    @classmethod
    def of(cls, value: Floats) -> "Curve":
        """Smooth a curve."""
        smoothed, noise = unimodal(value), float(noise_of(value))
        near = smoothed >= smoothed.max() - noise - 1e-12
        return cls(smoothed, noise, int(near.argmax()))


def noise_of(value: Floats) -> Floats:
    """(...) Standard deviation of the noise of curves (..., n_epochs)."""
    second = np.abs(np.diff(value, n=2, axis=-1))
    return np.asarray(np.median(second, axis=-1) / (np.sqrt(6.0) * NORMAL_MEDIAN))


def drop_p_value(value: Floats) -> float:
    """How often flat noise falls by as much, from its best to its last fifth of the epochs."""
    window = max(1, len(value) // 5)

    def ratio(curves: Floats) -> Floats:
        means = np.lib.stride_tricks.sliding_window_view(curves, window, axis=-1).mean(axis=-1)
        noise = np.maximum(noise_of(curves), 1e-12)
        return np.asarray((means.max(axis=-1) - means[..., -1]) / noise)

    flat = np.random.default_rng(0).normal(size=(DRAWS, len(value)))
    return float((1 + (ratio(flat) >= ratio(value)).sum()) / (1 + DRAWS))


def unimodal(value: Floats) -> Floats:
    """(n,) The nearest curve, in squares, that rises up to some place and falls after it."""
    fits = [
        np.concatenate(
            [
                isotonic_regression(value[: peak + 1]),
                isotonic_regression(value[peak + 1 :], increasing=False)
                if peak + 1 < len(value)
                else [],
            ]
        )
        for peak in range(len(value))
    ]
    return min(fits, key=lambda fitted: float(((fitted - value) ** 2).sum()))


def training_curve(
    predictions: Sequence[Any],
    told: Any,
    gold: Any,
    *,
    groups: Any = None,
    labels: LabelSpace | None = None,
) -> pl.DataFrame:
    """Turn predictions after each epoch into a history that `overfitting` reads.

    Parameters
    ----------
    predictions : sequence of Beliefs, or of (n_items, n_classes) probabilities
        After each epoch, about the same items.
    told : Beliefs, or (n_items, n_classes) probabilities
        The labels that are trained on.
    gold : Candidates, or (n_items,) class names with nulls
        Not trained on.
    groups : (n_items,) names, default None
        Give the accuracy on gold of each group too, as a column of its name.
    labels : LabelSpace, default None

    Returns
    -------
    polars.DataFrame
        epoch (from 0); told, the mean log-likelihood of the labels trained on, in nats; held_out,
        accuracy on gold; and the same for each group with gold.

    Raises
    ------
    InputError
        If lengths or classes don't fit, no item has gold, or a group has a name of a column.

    Examples
    --------
    >>> labels = LabelSpace(["ham", "spam"])
    >>> epochs = [[[0.6, 0.4], [0.6, 0.4]], [[0.1, 0.9], [0.2, 0.8]]]
    >>> told = [[0.0, 1.0], [0.0, 1.0]]
    >>> training_curve(epochs, told, [None, "ham"], labels=labels)["held_out"].to_list()
    [1.0, 0.0]
    """
    weak = as_beliefs(told, labels)
    known = as_gold(gold, weak.labels)
    probs = [as_beliefs(one, weak.labels).probs for one in predictions]
    for name, rows in (("gold", len(known)), *(("predictions", len(one)) for one in probs)):
        if rows != len(weak):
            raise InputError(
                f"`{name}` must be about the {len(weak)} items of `told`; got {rows}. "
                "Give the same items in the same order."
            )
    if not known.exact.any():
        raise InputError("`gold` must name the class of at least one item; got none. Label some.")
    table = pl.DataFrame(
        {
            "epoch": np.arange(len(probs)),
            "told": [float(_log_likelihood(one, weak.probs)) for one in probs],
            "held_out": [_accuracy(one, known.codes(), known.exact) for one in probs],
        }
    )
    if groups is None:
        return table
    which, names = codes_and_names(groups, len(weak), "groups")
    parts = {str(name): known.exact & (which == g) for g, name in enumerate(names)}
    taken = sorted(set(parts) & set(table.columns))
    if taken:
        raise InputError(
            f"`groups` must not be named as the columns {table.columns} are; got {taken}. "
            "Rename these groups."
        )
    return table.with_columns(
        pl.Series(name, [_accuracy(one, known.codes(), rows) for one in probs])
        for name, rows in parts.items()
        if rows.any()
    )


def _log_likelihood(probs: Floats, told: Floats) -> Floats:
    return np.asarray((told * np.log(np.maximum(probs, FLOOR))).sum(axis=1).mean())


def _accuracy(probs: Floats, codes: Codes, rows: NDArray[np.bool_]) -> float:
    return float((probs[rows].argmax(axis=1) == codes[rows]).mean())


def _numbers(frame: pl.DataFrame, name: str, role: str) -> Floats:
    """(n_epochs,) A column of finite numbers."""
    values = column(frame, name, role).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    off = ~np.isfinite(values)
    if off.any():
        raise InputError(
            f"`{role}` must be finite in each epoch; column {name!r} isn't at {rows_named(off)}. "
            "Leave these epochs out."
        )
    return np.asarray(values)
