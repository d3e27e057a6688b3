"""Overfitting: curves that turn are told from curves that don't, and the turn is found."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from partlabel.errors import InputError
from partlabel.evaluate import overfitting, training_curve
from partlabel.evaluate.audits.overfitting import drop_p_value, noise_of, unimodal
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ham", "spam"])


def turning(rng: np.random.Generator, n: int, peak: float, fall: float) -> np.ndarray:
    """An accuracy that rises fast up to a peak, then falls steadily; with noise of 0.01."""
    epoch = np.arange(n)
    rise = 0.85 - 0.3 * np.exp(-epoch / 2.0)
    return rise - fall * np.maximum(epoch - peak, 0) + 0.01 * rng.normal(size=n)


def test_no_curve_with_one_peak_is_nearer() -> None:
    rng = np.random.default_rng(0)
    value = rng.normal(size=9)
    best = unimodal(value)
    peak = int(best.argmax())
    assert (np.diff(best[: peak + 1]) >= 0).all()
    assert (np.diff(best[peak:]) <= 0).all()
    cost = ((best - value) ** 2).sum()
    for _ in range(3000):
        place = rng.integers(9)
        steps = rng.exponential(size=9)
        other = np.r_[steps[:place].cumsum(), steps[place:][::-1].cumsum()[::-1]]
        scale, shift = np.polyfit(other, value, 1)
        if scale > 0:
            assert ((scale * other + shift - value) ** 2).sum() >= cost - 1e-12


def test_a_steady_trend_is_no_noise() -> None:
    rng = np.random.default_rng(0)
    flat = 0.01 * rng.normal(size=400)
    assert noise_of(flat) == pytest.approx(0.01, rel=0.15)
    assert noise_of(flat + 0.1 * np.arange(400)) == pytest.approx(noise_of(flat))


@pytest.mark.parametrize("n", [6, 15, 40])
def test_flat_and_rising_curves_are_called_degraded_as_rarely_as_promised(n: int) -> None:
    rng = np.random.default_rng(n)
    flat = [drop_p_value(rng.normal(size=n)) < 0.05 for _ in range(100)]
    rising = [drop_p_value(turning(rng, n, n, 0.0)) < 0.05 for _ in range(100)]
    assert binomtest(sum(flat), 100, 0.05, alternative="greater").pvalue > 0.01
    assert sum(rising) <= sum(flat) + 2


def test_the_turn_is_found() -> None:
    rng = np.random.default_rng(0)
    found = [
        overfitting(
            {"epoch": range(30), "told": range(30), "held_out": turning(rng, 30, 10.0, 0.008)}
        )
        for _ in range(20)
    ]
    assert all(one.degraded == ("all",) for one in found)
    assert 5 <= np.mean([one.stop for one in found]) <= 11
    assert all(one.fit_rose for one in found)


def test_the_subset_that_is_harmed_is_named() -> None:
    rng = np.random.default_rng(1)
    history = {
        "epoch": range(30),
        "loss": np.linspace(1.0, 0.1, 30),
        "held_out": turning(rng, 30, 30.0, 0.0),
        "north": turning(rng, 30, 30.0, 0.0),
        "south": turning(rng, 30, 6.0, 0.015),
    }
    found = overfitting(history, fit="loss", subsets=["north", "south"])
    assert found.degraded == ("south",)
    assert "'south' falls from 0." in found.sentence
    assert "while the fit to the labels rose on" in found.sentence
    table = found.to_polars()
    assert table["subset"].to_list() == ["all", "north", "south"]
    assert table["stop"][2] < 10
    assert len(found.curves) == 90
    assert json.loads(json.dumps(found.to_dict()))["stop"] == found.stop


def test_epochs_may_come_in_any_order() -> None:
    rng = np.random.default_rng(2)
    value, order = turning(rng, 20, 8.0, 0.01), rng.permutation(20)
    sorted_, mixed = (
        overfitting({"epoch": rows, "told": rows, "held_out": value[rows]})
        for rows in (np.arange(20), order)
    )
    assert sorted_.to_dict() == mixed.to_dict()


def test_nothing_found_is_said_too() -> None:
    rng = np.random.default_rng(3)
    found = overfitting(
        {"epoch": range(12), "told": range(12), "held_out": turning(rng, 12, 12.0, 0.0)}
    )
    assert found.sentence.startswith("No held-out curve falls by more than its noise; epoch ")


def test_a_history_is_read_off_predictions() -> None:
    epochs = [[[0.6, 0.4]] * 4, [[0.1, 0.9]] * 4]
    told, gold = [[0.0, 1.0]] * 4, ["ham", "spam", None, "spam"]
    table = training_curve(epochs, told, gold, groups=["a", "a", "b", "c"], labels=LABELS)
    assert table.columns == ["epoch", "told", "held_out", "a", "c"]  # no gold in b
    assert table["told"].to_list() == pytest.approx([np.log(0.4), np.log(0.9)])
    assert table["held_out"].to_list() == pytest.approx([1 / 3, 2 / 3])
    assert table["a"].to_list() == [0.5, 0.5]
    assert table["c"].to_list() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epoch": [0, 1, 2, 3], "told": [1] * 4, "held_out": [1] * 4}, "at least 5 epochs; got 4"),
        ({"held_out": [0.1, None, 0.2, 0.3, 0.4]}, r"`held_out` must be finite .* row 1"),
    ],
)
def test_histories_that_are_refused(changed: dict, message: str) -> None:
    history = {"epoch": range(5), "told": range(5), "held_out": range(5), **changed}
    with pytest.raises(InputError, match=message):
        overfitting(history)


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="`subsets` must name a column of the table; got 'north'"):
        overfitting({"epoch": range(5), "told": range(5), "held_out": range(5)}, subsets=["north"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gold": ["ham"]}, "`gold` must be about the 2 items of `told`; got 1"),
        ({"gold": [None, None]}, "`gold` must name the class of at least one item"),
        ({"predictions": [[[0.5, 0.5]]]}, "`predictions` must be about the 2 items"),
        ({"groups": ["told", "a"]}, r"`groups` must not be named as the columns .*\['told'\]"),
    ],
)
def test_predictions_that_are_refused(changed: dict, message: str) -> None:
    half = [[0.5, 0.5]] * 2
    given = {"predictions": [half], "told": half, "gold": ["ham", "spam"], **changed}
    with pytest.raises(InputError, match=message):
        training_curve(labels=LABELS, **given)
