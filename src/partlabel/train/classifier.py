"""TorchPartialLabelClassifier: any torch network, on labels that are only partly known."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from partlabel.aggregate import Aggregator
from partlabel.aggregate.sources import Sources
from partlabel.beliefs import Beliefs
from partlabel.channels.likelihood import approximated_accuracy
from partlabel.errors import InputError
from partlabel.evidence import KINDS, Candidates, Evidence, Votes, as_evidence
from partlabel.labels import LabelSpace
from partlabel.learn.soft import row_weights
from partlabel.tables import as_series
from partlabel.train import optimisers
from partlabel.train.account import Account
from partlabel.train.channels import FixedVotes, Learnt, LearntVotes
from partlabel.train.cost import PRECISIONS, Cost, Model, held_out, numpy_probs
from partlabel.train.epochs import EachEpoch
from partlabel.train.estimator import TorchEstimator, check_choice, check_lengths, held_apart
from partlabel.train.input_importance import input_importance
from partlabel.train.inputs import Inputs
from partlabel.train.loop import Ending, chance
from partlabel.train.networks import mlp
from partlabel.train.objectives import Function, made
from partlabel.train.observed import Observed
from partlabel.train.running import RunningBeliefs
from partlabel.train.selection import SmallLoss
from partlabel.train.sources import tensors_of, with_channel
from partlabel.train.views import Consistency


class TorchPartialLabelClassifier(ClassifierMixin, TorchEstimator):
    """Train a torch network on labels that are only partly known.

    A row may have gold, an exact label, candidates, votes of sources, or nothing. Every row appears
    in `contributions_`, which says how many of each kind took part and how much they pulled.

    Parameters
    ----------
    module : nn.Module, or function of (n_features, n_classes) to one, default `mlp`
        Gives logits (n_rows, n_classes). A module is copied, not changed.
    objective : {"marginal", "expected", "em", "pseudo"} or function, default "marginal"
        "marginal": the probability of what was observed, the unknown label summed out.
        "expected": cross-entropy to the label model's beliefs, which stay as they are.
        "em": cross-entropy to beliefs that follow network and evidence with `momentum`.
        "pseudo": the surest class of network and evidence, where it is sure enough; alone in that
        it learns from rows about which nothing is known.
        A function gets (logits, log_likelihood), both (n_rows, n_classes), and gives a cost
        (n_rows,).
    label_model : label model, default None
        What makes beliefs of votes, and their channel; None takes `LabelModel()`.
    channel : {"fixed", "learnt"} or Learnt, default "fixed"
        Whether the confusion of each source stays as the label model put it, or learns along.
    momentum : float in [0, 1), default 0.0
        How much of its old belief a row keeps in "em" and "pseudo".
    threshold : float or (first, last), default (0.95, 0.8)
        How sure "pseudo" must be; from first to last over its first `ramp` epochs.
    ramp : int, default 10
    balanced : bool, default True
        Whether "pseudo" has lower bars for classes that it is seldom sure of.
    mixup : float, default 0.0
        Above 0, rows are mixed in pairs, in shares from a beta distribution of (mixup, mixup).
    consistency : Consistency, default None
        Let the network say the same of changed views of a row; then all rows take part.
    selection : SmallLoss, default None
        Leave out the rows that cost most, as their evidence is likely wrong.
    max_epochs : int, default 100
    batch_size : int, default 128
    learning_rate : float, default 1e-3
    weight_decay : float, default 0.0
        Of the network's parameters.
    groups : function of the network to parameter groups, default None
        Learning rates and weight decays by layer; see `layer_groups` and `parameter_groups`.
    each_epoch : function of the network to a list of EachEpoch, default None
        What acts around each epoch, and may stop training: `Unfreezing`, `Forgetting`,
        `Memorising`. It is made anew for each `fit`, before any training.
    optimizer : {"adamw", "sgd"} or function of parameter groups to an Optimizer, default "adamw"
    schedule : {"constant", "cosine"} or function of (optimizer, n_steps), default "constant"
        Of the learning rate, step by step over all `max_epochs`.
    early_stopping : {"marginal", "gold"} or None, default "marginal"
        What tells the best epoch: the likelihood of held-out evidence, or of held-out gold labels,
        both at their best temperature. None holds nothing out.
    validation_share : float in (0, 1), default 0.1
        Share of the rows with evidence (for "gold": with gold) to hold out.
    patience : int, default 10
        Epochs without a new best before training stops.
    clip : float, default None
        Largest norm of the gradient.
    precision : {"float32", "bfloat16", "float16"}, default "float32"
        What the network computes in; costs are always computed in float32.
    device : str, default "auto"
        "auto" takes a CUDA device where there is one.
    kind_weights : mapping of kind to float, default None
        How much a row counts by what is known of it: "gold", "exact", "partial", "voted",
        "nothing". 1 where not given; 0 leaves rows out.
    missing : value, default -1
        Among plain labels, what stands for "no label"; nulls always do. None where -1 is a class.
    checkpoint : path, default None
        Where to keep the state of training, after every epoch.
    resume : bool, default False
        Go on from `checkpoint`, if it is there; the result is that of an uninterrupted run.
    progress : function of a record, default None
        Called after every epoch with its epoch, loss, learning_rate and held_out.
    random_state : int, RandomState or None, default 0
        torch's own chance is left as it was.

    Attributes
    ----------
    classes_ : (n_classes,) class names
    module_ : the trained network
    channel_ : FixedVotes or LearntVotes
        What each source says, given the class; the `reliability()` of a learnt one is a table.
    label_model_ : the fitted label model, or None without votes
    beliefs_ : Beliefs
        About the rows of `fit`: network and evidence together. The network has trained on these
        rows, so that they are surer than they are right; those of `label_model_` aren't.
    reliability_ : polars.DataFrame or None
        One row per source of votes, judged by `beliefs_`. The intervals are widened by how far the
        label model, without features, disagrees.
    contributions_ : polars.DataFrame
        One row per kind of evidence: see `Account.to_polars`.
    history_ : polars.DataFrame
        One row per epoch: epoch (from 0), loss, learning_rate, and held_out (mean log-likelihood of
        what was held out, in nats; higher is better) where something was.
    n_iter_ : int
        Epochs trained.
    status_ : Ending
        How training ended.
    watches_, reason_
        What `each_epoch` gave, and the sentence with which it stopped training, or None.
    evidence_summary_ : dict
        How many rows have gold, exact, partial, voted and no labels.
    n_features_in_, feature_names_in_ : as in scikit-learn, where `X` has them

    Examples
    --------
    >>> from partlabel import Candidates, LabelSpace
    >>> X = np.array([[0.0], [0.2], [0.4], [2.0], [2.2], [2.4]])
    >>> seen = [["a"], ["a", "c"], ["a", "b"], ["b"], ["b", "c"], None]
    >>> cands = Candidates.from_lists(seen, LabelSpace(["a", "b", "c"]))
    >>> net = TorchPartialLabelClassifier(early_stopping=None, learning_rate=0.01).fit(X, cands)
    >>> net.predict([[0.1], [2.3]]).tolist()
    ['a', 'b']

    References
    ----------
    R. Jin and Z. Ghahramani, Learning with multiple labels, NIPS 2002 (the marginal likelihood).
    J. Lv et al., Progressive identification of true labels, ICML 2020 (running beliefs).
    """

    classes_: NDArray[Any]
    module_: nn.Module
    channel_: FixedVotes | LearntVotes
    label_model_: Aggregator | None
    beliefs_: Beliefs
    reliability_: pl.DataFrame | None
    contributions_: pl.DataFrame
    history_: pl.DataFrame
    n_iter_: int
    status_: Ending
    evidence_summary_: dict[str, int]

    def __init__(
        self,
        module: nn.Module | Callable[[int, int], nn.Module] = mlp,
        *,
        objective: Literal["marginal", "expected", "em", "pseudo"] | Function = "marginal",
        label_model: Aggregator | None = None,
        channel: Literal["fixed", "learnt"] | Learnt = "fixed",
        momentum: float = 0.0,
        threshold: float | tuple[float, float] = (0.95, 0.8),
        ramp: int = 10,
        balanced: bool = True,
        mixup: float = 0.0,
        consistency: Consistency | None = None,
        selection: SmallLoss | None = None,
        max_epochs: int = 100,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        groups: Callable[[nn.Module], list[dict[str, Any]]] | None = None,
        each_epoch: Callable[[nn.Module], Iterable[EachEpoch]] | None = None,
        optimizer: Any = "adamw",
        schedule: Any = "constant",
        early_stopping: Literal["marginal", "gold"] | None = "marginal",
        validation_share: float = 0.1,
        patience: int = 10,
        clip: float | None = None,
        precision: Literal["float32", "bfloat16", "float16"] = "float32",
        device: str = "auto",
        kind_weights: Mapping[str, float] | None = None,
        missing: Any = -1,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: Callable[[Mapping[str, float]], None] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.module = module
        self.objective = objective
        self.label_model = label_model
        self.channel = channel
        self.momentum = momentum
        self.threshold = threshold
        self.ramp = ramp
        self.balanced = balanced
        self.mixup = mixup
        self.consistency = consistency
        self.selection = selection
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.groups = groups
        self.each_epoch = each_epoch
        self.optimizer = optimizer
        self.schedule = schedule
        self.early_stopping = early_stopping
        self.validation_share = validation_share
        self.patience = patience
        self.clip = clip
        self.precision = precision
        self.device = device
        self.kind_weights = kind_weights
        self.missing = missing
        self.checkpoint = checkpoint
        self.resume = resume
        self.progress = progress
        self.random_state = random_state

    def fit(
        self, X: Any, y: Evidence | Votes | Candidates | Any, sample_weight: Any = None
    ) -> Self:
        """Train on rows and what is known of their labels.

        Parameters
        ----------
        X : (n_rows, ...) array, tensor, table, sparse matrix, mapping of tensors, or Dataset
            See `partlabel.train.inputs.read_inputs`.
        y : Evidence, Votes, Candidates, or (n_rows,) labels with gaps (see `missing`)
        sample_weight : (n_rows,) float, default None
            How much each row counts in training and early stopping, on top of `kind_weights`, such
            as one over its chance of being labelled. Rows of weight 0 are left out.

        Raises
        ------
        InputError
            If a setting is out of range, X and the evidence differ in length, or the evidence says
            nothing.
        TypeError
            If the network gives no logits.
        FloatingPointError
            If the loss is no longer a number.
        """
        self._check()
        evidence, self.classes_ = self._read(y)
        inputs = self._inputs(X, reset=True)
        check_lengths(inputs, len(evidence))
        weights = self._weights()[evidence.kind()] * row_weights(sample_weight, len(evidence))
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self._sources = Sources.learnt(self.label_model, evidence)
        with chance(seed, self._device()) as order:
            self._train(inputs, evidence, weights, seed, order)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Give the probability of each class.

        Returns
        -------
        (n_rows, n_classes) float, columns as in `classes_`.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        """
        check_is_fitted(self, "module_")
        inputs = self._inputs(X)
        return numpy_probs(self._model().predicted(inputs, torch.arange(len(inputs))))

    def predict(self, X: Any) -> NDArray[Any]:
        """(n_rows,) Give the name of the likeliest class. Raises as `predict_proba` does."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def input_importance(self, X: Any) -> NDArray[np.float64]:
        """Give the mean absolute contribution of each feature to the predicted class.

        By integrated gradients where captum is installed, else by gradient times input.

        Parameters
        ----------
        X : (n_rows, n_features) features

        Returns
        -------
        (n_features,) float, in logits.

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        InputError
            If rows aren't vectors.
        """
        check_is_fitted(self, "module_")
        return input_importance(self.module_, self._inputs(X), self._device())

    def score(self, X: Any, y: Any) -> float:
        """Give the accuracy, approximated where labels are only partly known.

        A row counts as right by the belief in the predicted class, given the network and the row's
        evidence; with an exact label that is plain accuracy. Rows about which nothing is known are
        left out. It flatters a network that is too sure of itself: compare settings with it, and
        report accuracy on gold.

        Parameters
        ----------
        X : features
        y : Evidence, Votes, Candidates, or labels with gaps

        Returns
        -------
        float in [0, 1]

        Raises
        ------
        NotFittedError
            If `fit` wasn't called.
        InputError
            If the label space differs from that of `fit`, or nothing is known of any row.

        References
        ----------
        W. Wang et al., Realistic evaluation of deep partial-label learning algorithms, ICLR 2025
        (approximated accuracy).
        """
        probs = self.predict_proba(X)
        if isinstance(y, Evidence | Votes | Candidates):
            evidence = as_evidence(y)
        else:
            evidence = _of_labels(y, self.missing, self.beliefs_.labels)
        if evidence.labels != self.beliefs_.labels:
            raise InputError(
                f"`y` must have the label space of `fit`; it has {evidence.labels.classes} instead "
                f"of {self.beliefs_.labels.classes}."
            )
        inputs = self._inputs(X)
        check_lengths(inputs, len(evidence))
        likelihood = self._likelihood(inputs, tensors_of(self._sources, evidence))
        spoken = np.ptp(softmax(likelihood, axis=1), axis=1) > 0
        if not spoken.any():
            raise InputError(f"`y` must say something of a row; it doesn't of {len(spoken)} rows.")
        return approximated_accuracy(probs[spoken], likelihood[spoken])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _train(
        self,
        inputs: Inputs,
        evidence: Evidence,
        weights: NDArray[np.float64],
        seed: int,
        order: torch.Generator,
    ) -> None:
        device = self._device()
        model = self._made(inputs, evidence, device)
        start = Beliefs(self._sources.beliefs(evidence), evidence.labels, evidence.item_ids)
        objective = made(
            self.objective,
            lambda: RunningBeliefs(start, momentum=self.momentum, device=device),
            threshold=self.threshold,
            ramp=self.ramp,
            balanced=self.balanced,
        )
        observed = tensors_of(self._sources, evidence).to(device)
        kind = evidence.kind()
        told = self._sources.spoken(evidence) | objective.on_all_rows
        usable = (told | (self.consistency is not None)) & (weights > 0)
        rows, kept = self._split(usable, evidence, seed)
        account = Account(torch.as_tensor(kind.astype(np.int64)), rows, kept, device)
        gold = np.full(len(evidence), -1)
        if evidence.gold is not None:
            gold = np.where(evidence.gold.exact, evidence.gold.codes(), -1)
        cost = Cost(
            model=model,
            inputs=inputs,
            observed=observed,
            objective=objective,
            account=account,
            weight=torch.as_tensor(
                weights / weights[rows].mean(), dtype=torch.float32, device=device
            ),
            told=torch.as_tensor(told, dtype=torch.float32, device=device),
            gold=torch.as_tensor(gold, dtype=torch.int64, device=device),
            n_trained=len(rows),
            mixup=self.mixup,
            consistency=self.consistency,
            selection=self.selection,
            peer=self._peer(model, inputs),
        )
        networks = {"network": model.network, "channel": model.channel}
        if cost.peer is not None:
            networks["peer"] = cost.peer.network
        self._run(
            networks,
            {"objective": objective, "account": account},
            rows,
            cost=cost,
            score=self._score(cost, evidence, kept) if len(kept) else None,
            begin=cost.begin,
            data=[*inputs.held(), *observed.held(), evidence.labels.classes, weights, gold, seed],
            order=order,
        )
        self.module_, self.channel_ = model.network, model.channel
        self.contributions_ = account.to_polars()
        self._remember(inputs, observed, evidence)

    def _remember(self, inputs: Inputs, observed: Observed, evidence: Evidence) -> None:
        everything = torch.arange(len(inputs))
        logits = self._model().predicted(inputs, everything).double().numpy()
        likelihood = self._likelihood(inputs, observed)
        probs = softmax(log_softmax(logits, axis=1) + likelihood, axis=1)
        self.beliefs_ = Beliefs(probs, evidence.labels, evidence.item_ids)
        self.label_model_ = self._sources.label_model
        self.evidence_summary_ = evidence.counts()
        self.reliability_ = self._sources.reliability(evidence, probs)

    def _likelihood(self, inputs: Inputs, observed: Observed) -> NDArray[np.float64]:
        model = self._model()
        found = model.observed(inputs, observed.to(model.device), torch.arange(len(inputs)))
        return np.asarray(found.double().numpy())

    def _made(self, inputs: Inputs, evidence: Evidence, device: torch.device) -> Model:
        network = self._network(inputs, len(self.classes_))
        channel = self._channel(inputs, evidence).to(device)
        return Model(network, channel, device, PRECISIONS[self.precision])

    def _model(self) -> Model:
        return Model(self.module_, self.channel_, self._device(), PRECISIONS[self.precision])

    def _channel(self, inputs: Inputs, evidence: Evidence) -> FixedVotes | LearntVotes:
        if self.channel == "fixed" or evidence.votes is None:
            return FixedVotes(self._sources.confusion)
        settings = self.channel if isinstance(self.channel, Learnt) else Learnt()
        self._sources = with_channel(self._sources, evidence, silence=settings.silence)
        confusion = self._sources.confusion
        assert confusion is not None
        return LearntVotes(confusion, settings, n_features=inputs.width)

    def _peer(self, model: Model, inputs: Inputs) -> Model | None:
        if self.selection is None or not self.selection.peer:
            return None
        network = self._network(inputs, len(self.classes_))
        if isinstance(self.module, nn.Module):
            optimisers.restart(network)  # else the two would be one
        return replace(model, network=network)

    def _split(
        self, usable: NDArray[np.bool_], evidence: Evidence, seed: int
    ) -> tuple[Tensor, Tensor]:
        """Positions to train on, and to hold out."""
        known = evidence.kind() != KINDS.index("nothing")
        if self.early_stopping == "gold":
            known = np.zeros(len(usable), bool) if evidence.gold is None else evidence.gold.exact
        share = 0.0 if self.early_stopping is None else self.validation_share
        rows, kept = held_apart(usable, known, share, seed)
        if self.early_stopping == "gold" and len(kept) == 0:
            raise InputError(
                f"`early_stopping='gold'` must have gold to hold out; {(usable & known).sum()} "
                f"rows have any, and {share:.0%} of them are none. Add gold, raise "
                "`validation_share`, or stop early on 'marginal'."
            )
        if len(rows) == 0:
            raise InputError(
                "`kind_weights` must leave some row to train on; none with evidence is left. "
                "Raise one of them."
            )
        return rows, kept

    def _score(self, cost: Cost, evidence: Evidence, kept: Tensor) -> Callable[[], float]:
        model, observed, weight = cost.model, cost.observed, cost.weight[kept].cpu()
        if self.early_stopping == "gold":
            gold = evidence.without("votes").without("candidates")
            observed = Observed.of(gold, votes=False).to(model.device)
            model = Model(model.network, FixedVotes().to(model.device), model.device, model.half)
        return lambda: held_out(model, cost.inputs, observed, kept, weight)

    def _weights(self) -> NDArray[np.float64]:
        weights = dict.fromkeys(KINDS, 1.0) | dict(self.kind_weights or {})
        return np.array([weights[kind] for kind in KINDS])

    def _read(self, y: Any) -> tuple[Evidence, NDArray[Any]]:
        if isinstance(y, Evidence | Votes | Candidates):
            evidence = as_evidence(y)
        else:
            evidence = _of_labels(y, self.missing)
        names = evidence.labels.classes
        mixed = len({type(name) for name in names}) > 1
        return evidence, np.array(names, dtype=object if mixed else None)

    def _check(self) -> None:
        self._check_training()
        check_choice("early_stopping", self.early_stopping, ("marginal", "gold", None))
        if not self.mixup >= 0:
            raise InputError(f"`mixup` must be at least 0; got {self.mixup}.")
        if not isinstance(self.channel, Learnt):
            check_choice("channel", self.channel, ("fixed", "learnt"))
        for kind, weight in dict(self.kind_weights or {}).items():
            check_choice("kind_weights", kind, KINDS)
            if not weight >= 0:
                raise InputError(f"`kind_weights` must be at least 0; got {weight} for {kind!r}.")


def _of_labels(y: Any, missing: Any, labels: LabelSpace | None = None) -> Evidence:
    """Plain labels with gaps, as candidates; without `labels`, their classes are inferred."""
    if y is None:
        raise InputError(
            "`fit` requires y to be passed, but the target y is None. Pass Evidence, or labels."
        )
    shape = () if isinstance(y, Beliefs) else np.asarray(y).shape
    if isinstance(y, Beliefs) or (len(shape) > 1 and shape[1] > 1):
        got = f"a table of the shape {shape}" if shape else "Beliefs"
        raise InputError(
            f"`y` must be Evidence, Votes, Candidates, or one label for each row; got {got}. For a "
            "mask of candidates, pass `Candidates.from_mask`; for votes, `Votes.from_matrix`. "
            "`SoftLogisticRegression` of `partlabel.learn` trains on `probs` of beliefs."
        )
    plain = column_or_1d(y, warn=True)
    if plain.dtype.kind == "f":
        check_array(plain, ensure_2d=False, ensure_all_finite="allow-nan", input_name="y")
    series = as_series(plain)
    check_classification_targets(series.drop_nulls().to_numpy())
    said = series.n_unique() - (series.null_count() > 0)
    if labels is None and said < 2:
        raise InputError(
            f"`y` must name at least two classes; got {'one class' if said else 'no label'} in "
            f"{len(series)} rows. Add labels of others, or pass Candidates with a label space."
        )
    return Evidence(candidates=Candidates.from_labels(series, labels, missing=missing))
