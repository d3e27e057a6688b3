"""TemperatureScaling: the temperature with the lowest log loss, and what follows from it."""

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from partlabel.beliefs import Beliefs
from partlabel.errors import InputError
from partlabel.evaluate import TemperatureScaling, TemperatureStatus, evaluate, metrics
from partlabel.labels import LabelSpace

LABELS = LabelSpace(["ant", "bee", "cow"])


def drawn(n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes drawn from their softmax."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=1.5, size=(n, 3))
    return logits, np.array([rng.choice(3, p=row) for row in softmax(logits, axis=1)])


def beliefs_of(logits: np.ndarray) -> Beliefs:
    return Beliefs(softmax(logits, axis=1), LABELS)


def test_no_temperature_on_a_grid_does_better() -> None:
    logits, codes = drawn()
    beliefs = beliefs_of(logits * 3)
    fitted = TemperatureScaling().fit(beliefs, codes)
    best = metrics.log_loss(fitted.transform(beliefs).probs, codes)
    for temperature in np.geomspace(0.1, 10, 101):
        other = softmax(logits * 3 / temperature, axis=1)
        assert best <= metrics.log_loss(other, codes) + 1e-9


@pytest.mark.parametrize("factor", [0.3, 2.0, 3.0])
def test_scaling_logits_multiplies_the_temperature(factor: float) -> None:
    logits, codes = drawn()
    one = TemperatureScaling().fit(beliefs_of(logits), codes)
    scaled = TemperatureScaling().fit(beliefs_of(logits * factor), codes)
    assert scaled.temperature_ == pytest.approx(factor * one.temperature_, rel=1e-5)
    assert scaled.transform(beliefs_of(logits * factor)).probs == pytest.approx(
        one.transform(beliefs_of(logits)).probs, abs=1e-6
    )


def test_calibrated_predictions_keep_their_temperature() -> None:
    logits, codes = drawn(20_000)
    fitted = TemperatureScaling().fit(beliefs_of(logits), codes)
    assert fitted.temperature_ == pytest.approx(1.0, abs=0.03)


def test_temperature_one_changes_nothing() -> None:
    logits, codes = drawn()
    fitted = TemperatureScaling().fit(beliefs_of(logits), codes)
    fitted.temperature_ = 1.0
    probs = np.vstack([softmax(logits, axis=1), [[1.0, 0.0, 0.0]]])
    ids = np.arange(len(probs)) + 7
    same = fitted.transform(Beliefs(probs, LABELS, ids))
    assert same.probs == pytest.approx(probs, abs=1e-14)
    assert same.item_ids is not None
    assert (same.item_ids == ids).all()


def test_renaming_classes_changes_nothing() -> None:
    logits, codes = drawn()
    renamed = Beliefs(softmax(logits, axis=1), LabelSpace(["x", "y", "z"]))
    one = TemperatureScaling().fit(beliefs_of(logits), LABELS.decode(codes))
    assert TemperatureScaling().fit(renamed, codes).temperature_ == one.temperature_


def test_overconfidence_is_cured_on_other_rows_and_the_ranking_stays() -> None:
    logits, codes = drawn(2000)
    beliefs = beliefs_of(logits * 4)
    fitted = TemperatureScaling().fit(beliefs.select(slice(1000)), codes[:1000])
    before = beliefs.select(slice(1000, None))
    after = fitted.transform(before)
    assert (after.probs.argmax(axis=1) == before.probs.argmax(axis=1)).all()
    old, new = evaluate(before, codes[1000:]), evaluate(after, codes[1000:])
    assert new["log_loss"].high < old["log_loss"].low
    assert new["ece"].low == 0.0 < old["ece"].low


def test_certain_mistakes_can_be_softened() -> None:
    probs = np.eye(3)[[0] * 20]
    fitted = TemperatureScaling().fit(probs, [0] * 14 + [1] * 3 + [2] * 3, labels=LABELS)
    assert fitted.transform(probs).confidence[0] == pytest.approx(0.7, abs=1e-4)


def test_temperature_is_one_where_none_makes_a_difference() -> None:
    fitted = TemperatureScaling().fit(np.full((2, 3), 1 / 3), [0, 1], labels=LABELS)
    assert fitted.temperature_ == 1.0


def test_dtype_is_kept() -> None:
    logits, codes = drawn()
    beliefs = Beliefs(softmax(logits, axis=1).astype(np.float32), LABELS)
    assert TemperatureScaling().fit(beliefs, codes).transform(beliefs).probs.dtype == np.float32


@pytest.mark.parametrize(
    ("gold", "status", "temperature"),
    [([0, 1], TemperatureStatus.LOWEST, 0.01), ([1, 0], TemperatureStatus.HIGHEST, 100.0)],
)
def test_ending_at_a_bound_is_said(
    gold: list[int], status: TemperatureStatus, temperature: float
) -> None:
    probs = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]
    with pytest.warns(ConvergenceWarning, match=status.value.split(":", maxsplit=1)[0]):
        fitted = TemperatureScaling().fit(probs, gold, labels=LABELS)
    assert fitted.status_ is status
    assert fitted.temperature_ == temperature


def test_estimator_keeps_its_promises() -> None:
    logits, codes = drawn()
    scaling = TemperatureScaling(bounds=(0.5, 2.0))
    assert clone(scaling).get_params() == {"bounds": (0.5, 2.0)}
    with pytest.raises(NotFittedError):
        scaling.transform(beliefs_of(logits))
    assert scaling.fit(beliefs_of(logits), codes) is scaling
    assert (scaling.n_gold_, scaling.labels_) == (500, LABELS)
    assert scaling.status_ is TemperatureStatus.FOUND


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (2.0, 1.0), (1.0, np.inf), (np.nan, 1.0)])
def test_bounds_are_refused(bounds: Any) -> None:
    logits, codes = drawn()
    with pytest.raises(InputError, match="`bounds` must be two positive numbers, the lower one"):
        TemperatureScaling(bounds=bounds).fit(beliefs_of(logits), codes)


def test_other_classes_are_refused() -> None:
    logits, codes = drawn()
    fitted = TemperatureScaling().fit(beliefs_of(logits), codes)
    with pytest.raises(InputError, match=r"`predicted` must have the classes \('ant', 'bee', 'co"):
        fitted.transform(Beliefs(np.array([[0.5, 0.5]]), LabelSpace(["ant", "bee"])))


def test_nothing_to_fit_on_is_refused() -> None:
    logits, _ = drawn()
    with pytest.raises(InputError, match="`gold` must name the class of at least one"):
        TemperatureScaling().fit(beliefs_of(logits), [None] * 500)
