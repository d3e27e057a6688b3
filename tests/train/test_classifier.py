"""TorchPartialLabelClassifier: what it learns from which evidence, and what it accounts for."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch import nn

from partlabel import Candidates, Evidence, InputError, LabelSpace, MajorityVote, Votes
from partlabel.losses import marginal_nll
from partlabel.train import Ending, TorchPartialLabelClassifier, mlp

from .conftest import LABELS, Blobs, biased_votes, blobs

QUICK = {"max_epochs": 15, "batch_size": 32, "learning_rate": 0.02}


def net(**settings: object) -> TorchPartialLabelClassifier:
    return TorchPartialLabelClassifier(**{**QUICK, **settings})


@pytest.mark.parametrize("objective", ["marginal", "expected", "em", "pseudo", marginal_nll])
def test_every_objective_learns_from_candidates(objective: object, narrowed: Blobs) -> None:
    fitted = net(objective=objective, threshold=(0.6, 0.6)).fit(narrowed.X, narrowed.candidates)
    fresh = blobs(300, extra=0.0, seed=1)
    assert (fitted.predict(fresh.X) == fresh.names).mean() > 0.9


def test_em_without_momentum_is_the_descent_of_the_marginal(narrowed: Blobs) -> None:
    one = net(objective="marginal", max_epochs=3).fit(narrowed.X, narrowed.candidates)
    two = net(objective="em", max_epochs=3).fit(narrowed.X, narrowed.candidates)
    assert np.allclose(one.predict_proba(narrowed.X), two.predict_proba(narrowed.X), atol=1e-4)


def test_exact_labels_alone_are_plain_training(narrowed: Blobs) -> None:
    fitted = net(max_epochs=2, early_stopping=None).fit(narrowed.X, narrowed.names)
    assert fitted.classes_.tolist() == ["blue", "green", "red"]
    assert fitted.score(narrowed.X, narrowed.names) == pytest.approx(
        (fitted.predict(narrowed.X) == narrowed.names).mean(), abs=1e-6
    )


def test_minus_one_and_nulls_are_gaps() -> None:
    X, y = np.repeat([[0.0], [4.0], [2.0]], [20, 20, 2], axis=0), [0] * 20 + [1] * 20 + [-1] * 2
    fitted = net(early_stopping=None).fit(X, y)
    assert fitted.evidence_summary_["nothing"] == 2
    assert fitted.predict([[0.0], [4.0]]).tolist() == [0, 1]


def test_every_row_is_accounted_for(narrowed: Blobs) -> None:
    said = np.where(np.arange(240)[:, None] % 4 == 0, narrowed.truth[:, None], -1)
    mask = narrowed.mask.copy()
    mask[:100] = True
    gold = [LABELS.classes[k] if i < 10 else None for i, k in enumerate(narrowed.truth)]
    evidence = Evidence(
        votes=Votes.from_matrix(np.repeat(said, 3, axis=1), LABELS),
        candidates=Candidates.from_mask(mask, LABELS),
        gold=Candidates.from_labels(gold, LABELS),
    )
    fitted = net(max_epochs=3).fit(narrowed.X, evidence)
    table = fitted.contributions_
    assert dict(zip(table["kind"], table["rows"], strict=True)) == evidence.counts()
    assert (table["trained"] + table["held_out"] + table["left_out"] == table["rows"]).all()
    assert table["pull"].sum() == pytest.approx(1.0)
    nothing = table.filter(pl.col("kind") == "nothing").row(0, named=True)
    assert nothing["left_out"] == nothing["rows"] > 0
    assert nothing["loss"] is None
    assert len(fitted.beliefs_) == 240
    assert fitted.beliefs_.probs[np.arange(10), narrowed.truth[:10]] == pytest.approx(1.0)


def test_rows_without_evidence_train_by_pseudo_labels(narrowed: Blobs) -> None:
    y = np.where(np.arange(240) < 24, narrowed.names, None)
    fitted = net(objective="pseudo", threshold=0.7).fit(narrowed.X, Candidates.from_labels(y))
    nothing = fitted.contributions_.filter(pl.col("kind") == "nothing").row(0, named=True)
    assert nothing["trained"] == 216
    assert nothing["pull"] > 0.1


def test_a_kind_can_weigh_less_or_be_left_out(narrowed: Blobs) -> None:
    pulls = {}
    for weight in (1.0, 0.1, 0.0):
        fitted = net(max_epochs=3, kind_weights={"partial": weight})
        table = fitted.fit(narrowed.X, narrowed.candidates).contributions_
        pulls[weight] = table.filter(pl.col("kind") == "partial")["pull"].item()
    assert pulls[1.0] > 2 * pulls[0.1] > 0
    assert pulls[0.0] == 0.0


@pytest.mark.parametrize("of", [np.asarray, torch.tensor, pl.DataFrame, pd.DataFrame])
def test_features_of_any_kind_give_one_model(of: object, narrowed: Blobs) -> None:
    X = narrowed.X.astype(np.float32)
    table = of(X) if of in (np.asarray, torch.tensor) else of({"a": X[:, 0], "b": X[:, 1]})
    one = net(max_epochs=2).fit(X, narrowed.candidates)
    two = net(max_epochs=2).fit(table, narrowed.candidates)
    assert np.array_equal(one.predict_proba(X), two.predict_proba(table))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(5, 3, mode="sum")

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.words(ids)


class Rows(torch.utils.data.Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 40

    def __getitem__(self, row: int) -> torch.Tensor:
        return torch.full((2, 2), float(row % 2))


def test_a_mapping_goes_to_the_network_by_name() -> None:
    ids = torch.arange(60)[:, None] % 5
    y = ["a", "b", "c", "a", "b"] * 12
    fitted = net(module=Tokens(), early_stopping=None, learning_rate=0.3).fit({"ids": ids}, y)
    assert fitted.predict({"ids": ids[:5]}).tolist() == ["a", "b", "c", "a", "b"]


def test_a_dataset_is_read_item_by_item() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    fitted = net(module=module, early_stopping=None, learning_rate=0.2).fit(Rows(), [0, 1] * 20)
    assert (fitted.predict(Rows()) == [0, 1] * 20).all()


def test_training_is_repeatable_and_leaves_the_chance_of_torch_alone(narrowed: Blobs) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    module = lambda d, k: mlp(d, k, hidden=(16,), dropout=0.3)  # noqa: E731 - users write it so
    one = net(module=module, max_epochs=3).fit(narrowed.X, narrowed.candidates)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    two = net(module=module, max_epochs=3).fit(narrowed.X, narrowed.candidates)
    other = net(module=module, max_epochs=3, random_state=1).fit(narrowed.X, narrowed.candidates)
    assert np.array_equal(one.predict_proba(narrowed.X), two.predict_proba(narrowed.X))
    assert not np.array_equal(one.predict_proba(narrowed.X), other.predict_proba(narrowed.X))


def test_the_module_of_the_user_is_not_trained(narrowed: Blobs) -> None:
    module = nn.Linear(2, 3)
    before = module.weight.detach().clone()
    net(module=module, max_epochs=1).fit(narrowed.X, narrowed.candidates)
    assert torch.equal(module.weight, before)


def test_nothing_is_printed_and_progress_is_told(
    narrowed: Blobs, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, float]] = []
    fitted = net(max_epochs=2, progress=seen.append).fit(narrowed.X, narrowed.candidates)
    assert [record["epoch"] for record in seen] == [0.0, 1.0]
    assert fitted.history_["held_out"].to_list() == [record["held_out"] for record in seen]
    assert capsys.readouterr().out == ""


def test_bfloat16_learns_as_well(narrowed: Blobs) -> None:
    fitted = net(precision="bfloat16").fit(narrowed.X, narrowed.candidates)
    assert (fitted.predict(narrowed.X) == narrowed.names).mean() > 0.9


def test_a_label_model_without_channel_lends_its_beliefs() -> None:
    data = blobs(300, extra=0.0)
    fitted = net(label_model=MajorityVote()).fit(data.X, biased_votes(data.truth))
    assert fitted.label_model_ is not None
    assert fitted.reliability_ is not None
    assert fitted.score(data.X, biased_votes(data.truth)) > 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "best"}, r"`objective` must be one of 'marginal', .* got 'best'"),
        ({"precision": "int8"}, "`precision` must be one of 'float32'"),
        ({"channel": "own"}, "`channel` must be one of 'fixed', 'learnt'"),
        ({"max_epochs": 0}, "`max_epochs` must be at least 1; got 0"),
        ({"validation_share": 1.0}, r"`validation_share` must lie in \(0, 1\); got 1.0"),
        ({"early_stopping": "gold"}, "`early_stopping='gold'` must have gold to hold out; 0 rows"),
        ({"kind_weights": {"good": 1.0}}, "`kind_weights` must be one of 'gold'"),
        ({"kind_weights": {"gold": -1.0}}, "`kind_weights` must be at least 0; got -1.0"),
        ({"kind_weights": {"partial": 0, "exact": 0}}, "`kind_weights` must leave some row"),
        ({"objective": "em", "momentum": 1.0}, r"`momentum` must lie in \[0, 1\); got 1.0"),
        ({"objective": "pseudo", "threshold": 2.0}, r"`threshold` must lie in \[0, 1\]; got 2.0"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0; got 0.0"),
        ({"optimizer": "lion"}, "`optimizer` must be 'adamw', 'sgd' or a function; got 'lion'"),
        ({"schedule": "wave"}, "`schedule` must be 'constant', 'cosine' or a function"),
    ],
)
def test_settings_are_refused(settings: dict[str, object], message: str, narrowed: Blobs) -> None:
    with pytest.raises(InputError, match=message):
        net(**settings).fit(narrowed.X, narrowed.candidates)


def test_rows_must_match(narrowed: Blobs) -> None:
    with pytest.raises(InputError, match="`X` and `y` must be about the same rows; they have 5"):
        net().fit(narrowed.X[:5], narrowed.candidates)


def test_evidence_that_says_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="`evidence` must say something about the class"):
        net().fit(np.zeros((2, 1)), Candidates.from_lists([None, None], LABELS))


def test_a_loss_that_is_no_number_is_told(narrowed: Blobs) -> None:
    with pytest.raises(FloatingPointError, match=r"NaN in epoch 0\. Lower `learning_rate`"):
        net(objective=lambda z, _: z.sum(1) * torch.nan).fit(narrowed.X, narrowed.candidates)


def test_a_network_must_give_logits(narrowed: Blobs) -> None:
    with pytest.raises(TypeError, match=r"`module` must give logits .* got \(\d+,\)"):
        net(module=nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))).fit(
            narrowed.X, narrowed.candidates
        )


def test_ends_are_told(narrowed: Blobs) -> None:
    fitted = net(max_epochs=1).fit(narrowed.X, narrowed.candidates)
    assert fitted.status_ is Ending.BEST
    fitted = net(max_epochs=1, early_stopping=None).fit(narrowed.X, narrowed.candidates)
    assert fitted.status_ is Ending.LAST
    assert "held_out" not in fitted.history_.columns


def test_names_of_mixed_kinds_are_kept() -> None:
    labels = LabelSpace(["one", 2])
    evidence = Candidates.from_lists(["one", 2] * 10, labels)
    fitted = net(early_stopping=None).fit(np.array([[0.0], [1.0]] * 10), evidence)
    assert fitted.predict([[0.0], [1.0]]).tolist() == ["one", 2]


def test_a_weight_of_zero_leaves_a_row_out(narrowed: Blobs) -> None:
    kept = np.arange(len(narrowed.X)) % 3 > 0
    weighed = net(early_stopping=None).fit(narrowed.X, narrowed.candidates, 2.0 * kept)
    some = Candidates.from_mask(narrowed.mask[kept], LABELS)
    alone = net(early_stopping=None).fit(narrowed.X[kept], some)
    assert np.array_equal(weighed.predict_proba(narrowed.X), alone.predict_proba(narrowed.X))


def test_weights_of_one_over_the_propensity_restore_the_class_shares() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.5).astype(int)
    propensity = np.where(y == 1, 0.1, 0.8)
    seen = np.where(rng.random(4000) < propensity, y, -1)
    X = rng.normal(size=(4000, 2)) + y[:, None]  # no threshold is right in every row
    plain = net().fit(X, seen).predict_proba(X)[:, 1].mean()
    weighed = net().fit(X, seen, 1.0 / propensity).predict_proba(X)[:, 1].mean()
    assert plain < 0.25
    assert weighed == pytest.approx(0.5, abs=0.06)


def test_weights_that_are_not_one_for_each_row_are_refused(narrowed: Blobs) -> None:
    with pytest.raises(InputError, match="`sample_weight` must be one number for each of the 240"):
        net().fit(narrowed.X, narrowed.candidates, np.ones(3))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"objective": lambda logits, known: marginal_nll(logits, known).mean()}, "Take no mean"),
        ({"module": nn.Linear(2, 4)}, "`module` must give logits for the 3 classes"),
        ({"device": "gpu"}, "`device` must be one that torch can use here; 'gpu' isn't"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: object, complaint: str, narrowed: Blobs
) -> None:
    with pytest.raises(InputError, match=complaint):
        net(**settings).fit(narrowed.X, narrowed.candidates)


def test_masks_and_beliefs_are_no_labels(narrowed: Blobs) -> None:
    with pytest.raises(InputError, match=r"Candidates.from_mask"):
        net().fit(narrowed.X, narrowed.mask)
    beliefs = net(max_epochs=1).fit(narrowed.X, narrowed.candidates).beliefs_
    with pytest.raises(InputError, match="got Beliefs"):
        net().fit(narrowed.X, beliefs)


def test_tensors_that_are_not_finite_are_refused_by_row(narrowed: Blobs) -> None:
    X = torch.as_tensor(narrowed.X).float()
    X[7, 1] = torch.nan
    with pytest.raises(InputError, match="`X` must be finite; it isn't at row 7"):
        net().fit(X, narrowed.candidates)
    with pytest.raises(InputError, match=r"`X\['image'\]` must be finite"):
        net(module=nn.Linear(2, 3)).fit({"image": X}, narrowed.candidates)
