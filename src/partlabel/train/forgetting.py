"""Forgetting: how far training has taken a network from where it started."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import polars as pl
import torch
from torch import Tensor, nn

from partlabel.errors import InputError
from partlabel.train.layers import LayerGroup
from partlabel.train.similarity import alignment, centred_gram, probe_accuracy

Inputs: TypeAlias = Tensor | Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a network is from where it started.

    Attributes
    ----------
    score : float or None
        On the retained rows, higher is better.
    distance : dict of group name to float
        Norm of the change of its parameters, as a share of their norm at the start.
    cka : dict of group name to float
        Linear CKA of what it puts out now and at the start: 1 is no change. Without groups whose
        modules weren't called.
    """

    score: float | None
    distance: dict[str, float]
    cka: dict[str, float]


class Forgetting:
    """Watch what a network forgets while it is trained for something else.

    Make it before training. It looks at rows of the old task (or any rows that stand for it): how
    well the old classes are still predicted, or can be read from the features, and how far each
    group of layers has moved in weights and in what it computes. Weights can move far with little
    change of features, and the other way around.

    Parameters
    ----------
    network : nn.Module
    groups : sequence of LayerGroup, from the inputs to the head
    inputs : (n_rows, ...) tensor, or mapping of names to tensors
        The retained rows, some hundreds: they are one batch.
    codes : (n_rows,) int64, default None
        Their old classes: the score is `probe_accuracy` of what the last group is given, that is,
        of what the group before it puts out.
    score : function of the network to a float, default None
        A score of your own instead, such as the accuracy of the old head.
    allowed : float, default None
        How far the score may fall below that of the start before `end` says to stop.

    Attributes
    ----------
    start : Drift
        At the start: the score to keep.
    history : list of Drift
        After each epoch.

    Raises
    ------
    InputError
        If `allowed` is given without a score, or `codes` with too few groups.

    Examples
    --------
    >>> from partlabel.train import layer_groups
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> watch = Forgetting(net, layer_groups(net), torch.randn(8, 2))
    >>> watch.measure().distance
    {'0': 0.0, '2': 0.0}

    References
    ----------
    S. Kornblith et al., Similarity of neural network representations revisited, ICML 2019.
    """

    def __init__(
        self,
        network: nn.Module,
        groups: Sequence[LayerGroup],
        inputs: Inputs,
        *,
        codes: Tensor | None = None,
        score: Callable[[nn.Module], float] | None = None,
        allowed: float | None = None,
    ) -> None:
        if allowed is not None and codes is None and score is None:
            raise InputError("`allowed` must come with a score; got neither `codes` nor `score`.")
        if codes is not None and len(groups) < 2:
            raise InputError(
                "`groups` must have a body before the head to probe; got one group. "
                "Pass `split` to `layer_groups`."
            )
        self._network, self._groups, self._inputs = network, tuple(groups), inputs
        self._codes, self._score, self._allowed = codes, score, allowed
        self._weights = [_copies(group) for group in groups]
        self._grams = {name: centred_gram(one) for name, one in self._features().items()}
        self.start = self.measure()
        self.history: list[Drift] = []

    def measure(self) -> Drift:
        """Compare the network as it is with the start; nothing changes, chance neither."""
        features = self._features()
        alike = {
            name: float(alignment(centred_gram(now), self._grams[name].to(now.device)))
            for name, now in features.items()
            if name in self._grams
        }
        return Drift(self._scored(features), self._distances(), alike)

    def begin(self, epoch: int) -> None:
        """Nothing to do before an epoch."""

    def end(self, epoch: int) -> str | None:
        """Measure; say to stop once the score has fallen by more than is `allowed`."""
        self.history.append(self.measure())
        now, before = self.history[-1].score, self.start.score
        if self._allowed is None or now is None or before is None or now >= before - self._allowed:
            return None
        return (
            f"Stopped after epoch {epoch}: on the retained rows the score has fallen from "
            f"{before:.3f} to {now:.3f}, by more than the {self._allowed} allowed."
        )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs: the history, and where the network started."""
        return {
            "history": [asdict(drift) for drift in self.history],
            "start": asdict(self.start),
            "weights": self._weights,
            "grams": self._grams,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.history = [Drift(**drift) for drift in state["history"]]
        self.start = Drift(**state["start"])
        self._weights, self._grams = state["weights"], state["grams"]

    def to_polars(self) -> pl.DataFrame:
        """Give one row for each epoch and group.

        Returns
        -------
        polars.DataFrame
            epoch (from 0), group, score, distance, cka (null where the group wasn't called).
        """
        columns = {"epoch": pl.Int64, "group": pl.String, "score": pl.Float64}
        rows = [
            (epoch, name, drift.score, distance, drift.cka.get(name))
            for epoch, drift in enumerate(self.history)
            for name, distance in drift.distance.items()
        ]
        schema = columns | {"distance": pl.Float64, "cka": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _scored(self, features: dict[str, Tensor]) -> float | None:
        if self._score is not None:
            with evaluating(self._network):
                return float(self._score(self._network))
        if self._codes is None:
            return None
        return probe_accuracy(features[self._groups[-2].name], self._codes)

    def _distances(self) -> dict[str, float]:
        found = {}
        for group, start in zip(self._groups, self._weights, strict=True):
            if start:
                now = [p.detach().float() for p in group.parameters.values()]
                then = [p.to(q.device) for p, q in zip(start, now, strict=True)]
                moved = torch.stack([(q - p).norm() for q, p in zip(now, then, strict=True)]).norm()
                size = torch.stack([p.norm() for p in then]).norm()
                found[group.name] = float(moved / size.clamp(min=torch.finfo(size.dtype).tiny))
        return found

    def _features(self) -> dict[str, Tensor]:
        """What the last module of each group puts out for the retained rows."""
        found: dict[str, Tensor] = {}

        def keep(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, args: Any, output: Any) -> None:
                del module, args
                tensor = output if isinstance(output, Tensor) else output[0]
                found[name] = tensor.detach()

            return hook

        hooks = [
            group.modules[-1].register_forward_hook(keep(group.name))
            for group in self._groups
            if group.modules
        ]
        try:
            with evaluating(self._network):
                inputs = beside(self._network, self._inputs)
                if isinstance(inputs, Mapping):
                    self._network(**inputs)
                else:
                    self._network(inputs)
        finally:
            for handle in hooks:
                handle.remove()
        return found


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode without gradients, and each part back afterwards."""
    modes = [(part, part.training) for part in network.modules()]
    for part, _ in modes:
        part.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode


def beside(network: nn.Module, inputs: Inputs) -> Inputs:
    """Inputs on the device that a network is on by now: a trainer may have moved it."""
    device = next(network.parameters()).device
    if isinstance(inputs, Mapping):
        return {name: part.to(device) for name, part in inputs.items()}
    return inputs.to(device)


def _copies(group: LayerGroup) -> list[Tensor]:
    return [p.detach().float().clone() for p in group.parameters.values()]
