"""TorchMultiLabelClassifier: any torch network, on rows of many labels, some never looked at."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import average_precision_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from partlabel.errors import InputError, rows_named
from partlabel.learn.soft import row_weights
from partlabel.tables import as_frame
from partlabel.train.channels import FixedVotes
from partlabel.train.cost import PRECISIONS, Model
from partlabel.train.epochs import EachEpoch
from partlabel.train.estimator import TorchEstimator, check_choice, check_lengths, held_apart
from partlabel.train.inputs import Inputs
from partlabel.train.loop import chance
from partlabel.train.multilabel_costs import (
    FASTER,
    FUNCTIONS,
    Chance,
    Function,
    LabelCost,
    Likelihood,
    Plain,
    Role,
)
from partlabel.train.networks import mlp

KINDS = ("present", "absent", "unseen")
NAMES = ("masked", "likelihood", "assume_negative", "asymmetric", "hill", "role")


class TorchMultiLabelClassifier(TorchEstimator):
    """Train a torch network on rows of many labels, some of which nobody looked at.

    Parameters
    ----------
    module : nn.Module, or function of (n_features, n_labels) to one, default `mlp`
        Gives log-odds (n_rows, n_labels). A module is copied, not changed.
    objective : str, one of those below, or function, default "masked"
        "masked": the labels that were seen, alike for each row; right where labels are missing for
        reasons that have nothing to do with them.
        "likelihood": the probability of what was seen, given how often a label is, by presence.
        Right where mostly what is present gets marked.
        "assume_negative": what wasn't seen is absent; predicts too few labels where it isn't.
        "asymmetric", "hill": the same, but what the network holds for absent, or is sure of
        nevertheless, pulls less (`asymmetric_loss`, `hill_loss`); they rank, and give no
        probabilities.
        "role": network and a table of beliefs about each label of each row teach each other, held
        to the number of labels (`role_loss`); right where that is known and only positives are
        marked. The table has rows x labels parameters, which the optimiser goes through each step.
        A function gets (logits, present, absent), all (n_rows, n_labels), and gives a cost for
        each row, or for each of its labels.
    seen_present, seen_absent : float in [0, 1], (n_labels,) or "learnt", default 0.5 and 0.0
        For "likelihood": p(said | present), p(said | absent). Learnt along with the network, ten
        times as fast: the first for each label, drawn to their mean; the second for all alike.
        Where nothing is seen to be absent, little but the network's form tells how much is
        overlooked: better say what you know.
    expected_labels : float > 0, default None
        For "role": how many labels a row has on average, seen or not.
    groups, each_epoch, max_epochs, batch_size, learning_rate, weight_decay, optimizer, schedule
        As in `TorchPartialLabelClassifier`.
    early_stopping : bool, default True
        Keep the epoch at which the rows held out cost least.
    validation_share, patience, clip, precision, device, checkpoint, resume, progress, random_state
        As in `TorchPartialLabelClassifier`.
    threshold : float in (0, 1), default 0.5
        Predict the labels with at least this probability.

    Attributes
    ----------
    labels_ : (n_labels,)
        Their names, or positions.
    module_ : the trained network
    cost_ : nn.Module
        The objective: for "likelihood" with its `seen_present` and `seen_absent`, for "role" with
        its `table` of log-odds.
    contributions_ : polars.DataFrame
        One row per kind of entry (present, absent, unseen): entries; trained, held_out and left_out
        (adding up to entries); pull (their share of the gradient by the log-odds, over all epochs).
    history_ : polars.DataFrame
        One row per epoch: epoch (from 0), loss, learning_rate, and held_out (less the mean cost of
        the rows held out; higher is better) where some were.
    n_iter_ : int
        Epochs trained.
    status_ : Ending
        How training ended.
    watches_, reason_ : as in `TorchPartialLabelClassifier`
    n_features_in_, feature_names_in_ : as in scikit-learn, where `X` has them

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 5)
    >>> y = X.copy()
    >>> y[::3] = np.nan  # nobody looked
    >>> net = TorchMultiLabelClassifier(early_stopping=False, learning_rate=0.05).fit(X, y)
    >>> net.predict([[0.0, 1.0]]).tolist()
    [[False, True]]

    References
    ----------
    T. Durand, N. Mehrasa and G. Mori, Learning a deep ConvNet for multi-label classification with
    partial labels, CVPR 2019 ("masked"). E. Cole et al., Multi-label learning from single positive
    labels, CVPR 2021 ("role").
    """

    labels_: NDArray[Any]
    module_: nn.Module
    cost_: LabelCost
    contributions_: pl.DataFrame

    def __init__(
        self,
        module: nn.Module | Callable[[int, int], nn.Module] = mlp,
        *,
        objective: Literal["masked", "likelihood", "assume_negative", "asymmetric", "hill", "role"]
        | Function = "masked",
        seen_present: Chance = 0.5,
        seen_absent: Chance = 0.0,
        expected_labels: float | None = None,
        groups: Callable[[nn.Module], list[dict[str, Any]]] | None = None,
        each_epoch: Callable[[nn.Module], Iterable[EachEpoch]] | None = None,
        max_epochs: int = 100,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        optimizer: Any = "adamw",
        schedule: Any = "constant",
        early_stopping: bool = True,
        validation_share: float = 0.1,
        patience: int = 10,
        clip: float | None = None,
        precision: Literal["float32", "bfloat16", "float16"] = "float32",
        device: str = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: Callable[[Mapping[str, float]], None] | None = None,
        threshold: float = 0.5,
        random_state: Any = 0,
    ) -> None:
        self.module = module
        self.objective = objective
        self.seen_present = seen_present
        self.seen_absent = seen_absent
        self.expected_labels = expected_labels
        self.groups = groups
        self.each_epoch = each_epoch
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.schedule = schedule
        self.early_stopping = early_stopping
        self.validation_share = validation_share
        self.patience = patience
        self.clip = clip
        self.precision = precision
        self.device = device
        self.checkpoint = checkpoint
        self.resume = resume
        self.progress = progress
        self.threshold = threshold
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows and what is known of their labels.

        Parameters
        ----------
        X : features of any kind that `TorchPartialLabelClassifier.fit` takes
        y : (n_rows, n_labels) array or table
            1 where the label is present, 0 where it is absent, NaN or null where nobody looked.
        sample_weight : (n_rows,) float, default None
            How much each row counts in training and early stopping.

        Raises
        ------
        InputError
            If a setting is out of range, X and y differ in length, a value is none of these, or
            nothing is known at all.
        FloatingPointError
            If the loss is no longer a number.
        """
        self._check_training()
        if not 0.0 < self.threshold < 1.0:
            raise InputError(f"`threshold` must lie in (0, 1); got {self.threshold}.")
        values, self.labels_ = _read(y)
        inputs = self._inputs(X, reset=True)
        check_lengths(inputs, len(values))
        if self.objective == "masked" and not (values == 0.0).any():
            raise InputError(
                "`y` must hold a 0 for objective='masked'; it holds ones and gaps alone, from "
                "which everything looks present. Where only what is present gets marked, take "
                "objective='likelihood'."
            )
        weights = row_weights(sample_weight, len(values))
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        with chance(seed, self._device()) as order:
            self._train(inputs, values, weights, seed, order)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n_rows, n_labels) Give the probability that each label is present.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self, "module_")
        inputs = self._inputs(X)
        logits = self._model(self.module_).predicted(inputs, torch.arange(len(inputs)))
        return np.asarray(expit(logits.double().numpy()))

    def predict(self, X: Any) -> NDArray[np.bool_]:
        """(n_rows, n_labels) True where a label reaches the `threshold`."""
        return np.asarray(self.predict_proba(X) >= self.threshold)

    def score(self, X: Any, y: Any) -> float:
        """Give the mean average precision, over the labels seen both present and absent.

        Entries that nobody looked at are left out, so that it compares models only where labels are
        missing at random.

        Raises
        ------
        InputError
            If no label was seen both present and absent.
        """
        (values, _), probs = _read(y), self.predict_proba(X)
        scores = []
        for truth, predicted in zip(values.T, probs.T, strict=True):
            seen = ~np.isnan(truth)
            if 0.0 < truth[seen].sum() < seen.sum():
                scores.append(average_precision_score(truth[seen], predicted[seen]))
        if not scores:
            raise InputError("`y` must have a label that is present in one row, absent in another.")
        return float(np.mean(scores))

    def _train(
        self,
        inputs: Inputs,
        values: NDArray[np.float64],
        weights: NDArray[np.float64],
        seed: int,
        order: torch.Generator,
    ) -> None:
        device, known = self._device(), ~np.isnan(values)
        model = self._model(self._network(inputs, values.shape[1]))
        kind = torch.as_tensor(np.where(known, np.where(values > 0, 0, 1), 2), device=device)
        cost = self._cost(kind == 0, kind == 1, order).to(device)
        pull = _Pull(device)
        looked_at = np.asarray(known.any(axis=1))
        usable = (looked_at | (self.objective != "masked")) & (weights > 0)
        share = self.validation_share if self.early_stopping else 0.0
        rows, kept = held_apart(usable, looked_at, share, seed)
        weight = torch.as_tensor(weights / weights[rows].mean(), dtype=torch.float32, device=device)

        def step(some: Tensor, epoch: int) -> Tensor:  # noqa: ARG001 - every epoch is alike
            here = kind[some.to(device)]
            logits = model.logits(inputs.take(some, device))
            pull.watch(logits, here)
            return _weighed(cost(logits, here == 0, here == 1, some), weight[some.to(device)])

        @torch.no_grad()
        def score() -> float:
            logits, here = model.predicted(inputs, kept).to(device), kind[kept.to(device)]
            costs = cost.held_out(logits, here == 0, here == 1)
            return -float(_weighed(costs, weight[kept.to(device)]))

        self._run(
            {"network": model.network, "cost": cost},
            {"pull": pull},
            rows,
            cost=step,
            score=score if len(kept) else None,
            begin=lambda epoch: None,  # noqa: ARG005 - as above
            data=[*inputs.held(), values, weights, seed],
            order=order,
        )
        self.module_, self.cost_ = model.network, cost.requires_grad_(False)
        self.contributions_ = pull.to_polars(kind.cpu(), rows, kept)

    def _model(self, network: nn.Module) -> Model:
        device = self._device()
        return Model(network, FixedVotes().to(device), device, PRECISIONS[self.precision])

    def _optimizer(self, networks: Mapping[str, nn.Module]) -> torch.optim.Optimizer:
        optimizer = super()._optimizer({"network": networks["network"]})
        if learnt := list(networks["cost"].parameters()):
            rate = FASTER * self.learning_rate
            optimizer.add_param_group({"params": learnt, "lr": rate, "weight_decay": 0.0})
        return optimizer

    def _cost(self, present: Tensor, absent: Tensor, order: torch.Generator) -> LabelCost:
        if callable(self.objective):
            return Plain(self.objective)
        check_choice("objective", self.objective, NAMES)
        if self.objective == "likelihood":
            return Likelihood(self.seen_present, self.seen_absent, present, absent)
        if self.objective == "role":
            return Role(self.expected_labels, present, order)
        return Plain(FUNCTIONS[self.objective])


def _weighed(costs: Tensor, weight: Tensor) -> Tensor:
    """() The mean over rows, of a cost for each or for each of its labels."""
    return (costs.flatten(1).mean(1) if costs.ndim > 1 else costs).mul(weight).mean()


class _Pull:
    """How much entries of each kind pulled at the log-odds: the L1 norm of the gradient."""

    def __init__(self, device: torch.device) -> None:
        self.total = torch.zeros(len(KINDS), device=device)

    def watch(self, logits: Tensor, kind: Tensor) -> None:
        logits.register_hook(lambda gradient: self._add(gradient.detach().float().abs(), kind))

    def to_polars(self, kind: Tensor, trained: Tensor, held_out: Tensor) -> pl.DataFrame:
        def counted(some: Tensor) -> NDArray[np.int64]:
            return np.asarray(torch.bincount(some.flatten(), minlength=len(KINDS)).numpy())

        total = self.total.double().cpu().numpy()
        entries, out = counted(kind), counted(kind[held_out])
        left = entries - out - counted(kind[trained])
        columns = {"kind": KINDS, "entries": entries, "trained": counted(kind[trained])}
        columns |= {"held_out": out, "left_out": left, "pull": total / max(total.sum(), 1e-30)}
        return pl.DataFrame(columns)

    def state_dict(self) -> dict[str, Tensor]:
        return {"total": self.total}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.total.copy_(state["total"])

    def _add(self, pulls: Tensor, kind: Tensor) -> None:
        pulls = pulls / pulls.sum().clamp(min=torch.finfo(torch.float32).tiny)
        self.total.index_add_(0, kind.flatten(), pulls.flatten())


def _read(y: Any) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """What is known of each label of each row, NaN where nobody looked; and their names."""
    if hasattr(y, "columns"):
        frame = as_frame(y, "y")
        values, names = frame.to_numpy(), np.array(frame.columns)
    else:
        values = np.asarray(y)
        names = np.arange(values.shape[1] if values.ndim == 2 else 0)
    values = values.astype(np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise InputError(
            f"`y` must have the shape (n_rows, n_labels); got {values.shape}. "
            "Give one column for each label."
        )
    odd = ~(np.isin(values, (0.0, 1.0)) | np.isnan(values)).all(axis=1)
    if odd.any():
        raise InputError(
            f"`y` must hold 1, 0 and NaN alone; it doesn't at {rows_named(odd)}. "
            "1 is present, 0 absent, and NaN where nobody looked."
        )
    if np.isnan(values).all():
        raise InputError(f"`y` must say something; nobody looked at any of {len(values)} rows.")
    return values, names
