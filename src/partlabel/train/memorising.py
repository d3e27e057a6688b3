r"""Memorising: a network that fits its weak labels better and better, and the truth no longer.

Networks learn what rows have in common first and single wrong labels later (Arpit et al., *A closer
look at memorization in deep networks*, ICML 2017, section 3): the fit to the labels of training
rows goes on rising after that to held-out rows, or to gold, has turned.
"""

import copy
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from partlabel.errors import InputError
from partlabel.losses import log_marginal
from partlabel.train.cost import SHARPNESS
from partlabel.train.forgetting import Inputs, beside, evaluating
from partlabel.train.inputs import apply


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a network fits what it is told, and what it isn't.

    Attributes
    ----------
    told : float
        Mean log-likelihood of the evidence of training rows, in nats, at its best temperature.
    held_out : float
        The same of held-out rows; or accuracy, where these have gold.
    memorised : float or None
        See `memorised_share`; None where no gold of training rows is given.
    """

    told: float
    held_out: float
    memorised: float | None


def fit_to_evidence(logits: Tensor, log_likelihood: Tensor) -> float:
    r"""Mean log-likelihood of evidence, the network's certainty scaled as suits it best.

    .. math:: \max_T \frac{1}{n} \sum_i \log \sum_y
        \operatorname{softmax}(f(x_i) / T)_y \, p(o_i \mid y)

    Without the temperature, a network that merely grows too sure of itself would look as if it
    memorised. Rows about which nothing is known add 0.

    Parameters
    ----------
    logits, log_likelihood : (n_rows, n_classes) float

    Returns
    -------
    float, in nats

    References
    ----------
    C. Guo et al., On calibration of modern neural networks, ICML 2017, section 4.2 (temperature).
    """
    scores = [log_marginal(sharp * logits, log_likelihood).mean() for sharp in SHARPNESS.tolist()]
    return float(torch.stack(scores).max())


def memorised_share(logits: Tensor, log_likelihood: Tensor, codes: Tensor) -> float:
    """Of the training rows whose evidence is misleading, the share the network repeats it for.

    A row misleads where its evidence alone prefers a class to the true one. A network that learns
    the common pattern contradicts such rows; one that memorises repeats them.

    Parameters
    ----------
    logits, log_likelihood : (n_rows, n_classes) float
    codes : (n_rows,) int64
        The true class, below 0 where it isn't known.

    Returns
    -------
    float in [0, 1]; NaN where no row misleads.

    References
    ----------
    S. Liu et al., Early-learning regularization prevents memorization of noisy labels, NeurIPS
    2020, figure 1.
    """
    of_truth = log_likelihood.gather(1, codes.clamp(min=0)[:, None])[:, 0]
    misled = (codes >= 0) & (log_likelihood.amax(1) > of_truth)
    repeated = log_likelihood.gather(1, logits.argmax(1, keepdim=True))[:, 0] > of_truth
    return float(repeated[misled].double().mean())


class Memorising:
    """Watch whether a network has begun to memorise wrong labels, and stop it.

    Hold some rows out of training: with their evidence, or better with gold. Each epoch compares
    the fit to the evidence of training rows (a sample is enough) with that to the held-out rows.

    Held-out evidence can only tell if its mistakes are made row by row. Where a source is wrong in
    the same way everywhere, the network learns its mistake as a pattern, held-out evidence agrees,
    and gold alone shows it.

    Parameters
    ----------
    network : nn.Module
        Gives logits, or an output that has them as `logits`.
    trained : (inputs, log_likelihood)
        Training rows: a tensor or mapping of tensors, and (n_rows, n_classes) what is known of
        them.
    held_out : (inputs, log_likelihood or codes)
        Rows that aren't trained on; with (n_rows,) int64 codes, these are gold.
    gold : (n_rows,) int64, default None
        The true classes of the training rows, below 0 where not known: for `memorised`.
    patience : int, default 5
        Epochs without a new best on the held-out rows before `end` says to stop.

    Attributes
    ----------
    history : list of Fit
        After each epoch.
    best : int or None
        The epoch whose network `restore` brings back.

    Raises
    ------
    InputError
        If `patience` is below 1.

    Examples
    --------
    >>> net, x = nn.Linear(1, 2), torch.tensor([[-1.0], [1.0]])
    >>> told = torch.tensor([[0.0, -3.0], [-3.0, 0.0]])
    >>> watch = Memorising(net, (x, told), (x, torch.tensor([0, 1])))
    >>> watch.end(0) is None, len(watch.history)
    (True, 1)
    """

    def __init__(
        self,
        network: nn.Module,
        trained: tuple[Inputs, Tensor],
        held_out: tuple[Inputs, Tensor],
        *,
        gold: Tensor | None = None,
        patience: int = 5,
    ) -> None:
        if patience < 1:
            raise InputError(f"`patience` must be at least 1; got {patience}.")
        self._network, self._trained, self._held_out = network, trained, held_out
        self._gold, self._patience = gold, patience
        self._state: dict[str, Any] = {}
        self.history: list[Fit] = []
        self.best: int | None = None

    def measure(self) -> Fit:
        """Look at the network as it is; nothing changes."""
        with evaluating(self._network):
            told = apply(self._network, beside(self._network, self._trained[0])).cpu()
            other = apply(self._network, beside(self._network, self._held_out[0])).cpu()
        known, truth = self._trained[1].cpu(), self._held_out[1].cpu()
        if truth.is_floating_point():
            held_out = fit_to_evidence(other, truth)
        else:
            held_out = float((other.argmax(1) == truth).double().mean())
        memorised = None if self._gold is None else memorised_share(told, known, self._gold.cpu())
        return Fit(fit_to_evidence(told, known), held_out, memorised)

    def begin(self, epoch: int) -> None:
        """Nothing to do before an epoch."""

    def end(self, epoch: int) -> str | None:
        """Measure; say to stop once the held-out fit hasn't risen for `patience` epochs."""
        self.history.append(self.measure())
        last = len(self.history) - 1
        if self.best is None or self.history[last].held_out > self.history[self.best].held_out:
            self.best = last
            self._state = copy.deepcopy(self._network.state_dict())
        if last - self.best < self._patience:
            return None
        risen = self.history[last].told > self.history[self.best].told
        told = "rose on: it is being memorised" if risen else "didn't either"
        return (
            f"Stopped after epoch {epoch}: the fit to held-out rows hasn't risen for "
            f"{self._patience} epochs; that to the evidence of training rows {told}."
        )

    def restore(self) -> None:
        """Give the network the weights of the best epoch back.

        Raises
        ------
        InputError
            If no epoch has ended yet.
        """
        if self.best is None:
            raise InputError("`end` must have been called after some epoch; it wasn't.")
        self._network.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """What training changes: the history, and the weights of the best epoch."""
        history = [asdict(fit) for fit in self.history]
        return {"history": history, "best": self.best, "weights": self._state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.history = [Fit(**fit) for fit in state["history"]]
        self.best, self._state = state["best"], state["weights"]

    def to_polars(self) -> pl.DataFrame:
        """Give one row per epoch: epoch (from 0), told, held_out, memorised."""
        schema = {"told": pl.Float64, "held_out": pl.Float64, "memorised": pl.Float64}
        table = pl.DataFrame([asdict(fit) for fit in self.history], schema=schema)
        return table.with_row_index("epoch").with_columns(pl.col("epoch").cast(pl.Int64))
