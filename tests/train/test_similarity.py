"""CKA and the probe, against their definitions written out, and against refits."""

import pytest
import torch
from sklearn.linear_model import Ridge

from partlabel import InputError
from partlabel.train import linear_cka, probe_accuracy


def by_columns(x: torch.Tensor, y: torch.Tensor) -> float:
    """The other formula: from features by features, not rows by rows."""
    x, y = x - x.mean(0), y - y.mean(0)
    return float((y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm()))


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_cka_is_its_formula_from_columns_also_for_layers_of_other_widths() -> None:
    x, y = features(20, 4), features(20, 3, 2, seed=1)
    assert linear_cka(x, y).item() == pytest.approx(by_columns(x, y.flatten(1)))


def test_cka_does_not_mind_rotation_shift_and_scale_but_does_mind_other_maps() -> None:
    x = features(30, 4)
    rotation = torch.linalg.qr(features(4, 4, seed=2)).Q
    assert linear_cka(x, 3.0 * x @ rotation - 7.0).item() == pytest.approx(1.0)
    assert linear_cka(x, x * torch.tensor([10.0, 1, 1, 1])).item() < 0.9


def test_cka_of_a_constant_layer_is_0_and_half_precision_is_read_in_float32() -> None:
    x = features(10, 3)
    assert linear_cka(x, torch.ones(10, 2, dtype=torch.float64)).item() == 0.0
    assert linear_cka(x.bfloat16(), x.bfloat16()).dtype == torch.float32


def test_the_probe_is_a_ridge_regression_refitted_without_each_row() -> None:
    codes = torch.tensor([0, 1, 2] * 8)
    x = features(24, 5) + torch.nn.functional.one_hot(codes, 5)
    centred = x - x.mean(0)
    penalty = 0.1 * float(centred.square().sum(1).mean())
    targets = torch.nn.functional.one_hot(codes).double().numpy()
    right = 0
    for row in range(24):
        rest = [other for other in range(24) if other != row]
        refit = Ridge(alpha=penalty).fit(x[rest].numpy(), targets[rest])
        right += int(refit.predict(x[[row]].numpy()).argmax()) == int(codes[row])
    assert 8 < right < 24
    assert probe_accuracy(x, codes, ridge=0.1) == pytest.approx(right / 24)


def test_refusals() -> None:
    with pytest.raises(InputError, match="features of the same rows; got 3 and 2"):
        linear_cka(torch.zeros(3, 1), torch.zeros(2, 1))
    with pytest.raises(InputError, match=r"one class for each of the 3 rows; got the shape \(2,\)"):
        probe_accuracy(torch.zeros(3, 1), torch.tensor([0, 1]))
