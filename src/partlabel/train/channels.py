r"""Channels of votes in torch: known ones, and ones that learn along with the classifier.

=========================  ============  =======================================================
symbol                     code          shape, meaning
=========================  ============  =======================================================
:math:`\log p(s | y)`      log_table     (n_symbols, n_classes) a word, given the class
:math:`\theta`             theta         (n_cells,) free parameters behind the table (see `tied`)
:math:`e_j(y)`             speaks        (n_sources, n_classes) p(source speaks | class)
:math:`c_j(x)`             competence    (n_rows, n_sources) p(source looks at the item | features)
:math:`q_j(s)`             careless      (n_symbols,) what source j says without looking
:math:`t_j`                confidence    (n_sources,) how many votes a vote of source j counts as
=========================  ============  =======================================================

The confusion of each source trained end to end is the crowd layer (Rodrigues & Pereira, Deep
learning from crowds, AAAI 2018), here a distribution over words, so that the cost stays a
likelihood; the trace penalty is Tanno et al., Learning from noisy labels by regularized estimation
of annotator confusion, CVPR 2019, eq. 4. The mixture over features is that of Raykar et al., JMLR
2010, section 6, and of copy-or-spam (Hovy et al., NAACL 2013): :math:`p(s | y, x) = c_j(x) p(s | y)
+ (1 - c_j(x)) q_j(s)`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, logsigmoid

from partlabel.channels import Confusion
from partlabel.channels.tying import Kind, Tying, tied
from partlabel.errors import InputError
from partlabel.train.observed import ObservedRows

FLOOR = 1e-4  # share of even chances in what a channel starts from: a 0 could never be unlearnt
LOOKS = 0.95  # how often a source looks at an item, before anything is learnt


@dataclass(frozen=True)
class Learnt:
    """How the channel of the votes learns.

    Parameters
    ----------
    tying : {"full", "class", "one"}, default "full"
        A free confusion table per source, one accuracy per class, or one per source. Fewer
        parameters for sources with few votes.
    strength : float >= 0, default 10.0
        Pseudo-votes, per source and class, that hold the channel where the label model put it
        (a Dirichlet prior). More trusts the label model more.
    trace : float >= 0, default 0.0
        Nats per row and unit of mean accuracy: presses the sources to be thought no better than
        they need be (Tanno et al. used 0.01), so that the classifier takes on what they share.
    warm_up : int, default 2
        Epochs in which the channel stays as the label model put it, so that a network that knows
        nothing yet can't talk the sources down.
    instances : bool, default False
        Let a source look at some items less than at others, by their features (vectors only).
    silence : bool, default False
        Learn how often each source speaks about each class: right where sources choose what to
        speak about, wrong where they are assigned.
    confidence : bool, default False
        Learn from gold how many votes a vote of each source counts as: below one for sources that
        err together.
    learning_rate : float > 0, default 0.01

    Raises
    ------
    InputError
        If a value is out of range.
    """

    tying: Kind = "full"
    strength: float = 10.0
    trace: float = 0.0
    warm_up: int = 2
    instances: bool = False
    silence: bool = False
    confidence: bool = False
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        for name in ("strength", "trace", "warm_up", "learning_rate"):
            if not getattr(self, name) >= 0:
                raise InputError(f"`{name}` must be at least 0; got {getattr(self, name)}.")


class FixedVotes(nn.Module):
    """A channel of votes that stays as it is; without one, votes say nothing.

    Parameters
    ----------
    confusion : Confusion, default None
    """

    log_table: Tensor
    log_silence: Tensor

    def __init__(self, confusion: Confusion | None = None) -> None:
        super().__init__()
        table = np.zeros((1, 1)) if confusion is None else confusion.log_table()
        silence = np.zeros(1) if confusion is None else confusion.log_silence()
        self.register_buffer("log_table", torch.as_tensor(table, dtype=torch.float32))
        self.register_buffer("log_silence", torch.as_tensor(silence, dtype=torch.float32))

    def forward(
        self, batch: ObservedRows, features: Tensor | None = None, *, weighed: bool = True
    ) -> Tensor:
        """(n_rows, n_classes) Log-likelihood of everything observed; the rest doesn't matter."""
        if len(batch.symbol) == 0:
            return batch.hard + self.log_silence
        return batch.hard + self.log_silence + _bags(self.log_table, batch)


class LearntVotes(nn.Module):
    """A channel of votes that learns with the classifier, from where a label model put it.

    Parameters
    ----------
    confusion : Confusion
        Where it starts.
    settings : Learnt
    n_features : int, default None
        Length of the features of an item; needed where `settings.instances`.

    Attributes
    ----------
    start : (n_symbols, n_classes)
        The table it started from.

    Raises
    ------
    InputError
        If `instances` is asked for, and the features are no vectors.
    """

    start: Tensor
    cell: Tensor
    group: Tensor
    log_share: Tensor
    prior: Tensor
    right: Tensor
    source: Tensor

    def __init__(
        self, confusion: Confusion, settings: Learnt, *, n_features: int | None = None
    ) -> None:
        super().__init__()
        if settings.instances and n_features is None:
            raise InputError(
                "`instances` must have features that are vectors; the inputs are none. "
                "Leave it out, or give a table of features."
            )
        self.settings, self.vocabulary = settings, confusion.vocabulary
        self.n_sources, self.n_classes = len(self.vocabulary.sources), confusion.probs.shape[1]
        tying = tied(settings.tying, self.vocabulary)
        theta = _started(confusion, tying)
        self.n_groups = int(tying.group.max()) + 1
        self._keep("start", tying.table(theta))
        self._keep("cell", tying.cell)
        self._keep("group", tying.group)
        self._keep("log_share", np.log(tying.share))
        self._keep("prior", settings.strength * theta)
        self._keep("right", self.vocabulary.members())
        self._keep("source", self.vocabulary.source.astype(np.int64))
        self.theta = nn.Parameter(torch.as_tensor(np.log(theta), dtype=torch.float32))
        self.speaks = nn.Parameter(_logit(_speaking(confusion))) if settings.silence else None
        self.log_confidence = (
            nn.Parameter(torch.zeros(self.n_sources)) if settings.confidence else None
        )
        self.competence: nn.Linear | None = None
        if settings.instances:
            self.competence = nn.Linear(int(n_features or 0), self.n_sources)
            nn.init.zeros_(self.competence.weight)
            nn.init.constant_(self.competence.bias, float(np.log(LOOKS / (1 - LOOKS))))
            said = torch.as_tensor(tying.table(theta).mean(axis=1), dtype=torch.float32)
            self.careless = nn.Parameter(said.log())

    def forward(
        self, batch: ObservedRows, features: Tensor | None = None, *, weighed: bool = True
    ) -> Tensor:
        """Give log p(everything observed | class).

        Parameters
        ----------
        batch : ObservedRows
        features : (n_rows, n_features), default None
            Needed where reliability depends on them.
        weighed : bool, default True
            Let each vote count as its source's confidence says. Then it is no longer the logarithm
            of a probability, and can't be compared from epoch to epoch.

        Returns
        -------
        (n_rows, n_classes), in nats
        """
        weights = self._weights(batch) if weighed else None
        return batch.hard + self._votes(batch, features, self.log_table(), weights)

    def log_table(self) -> Tensor:
        """(n_symbols, n_classes) log p(word | class, the source spoke)."""
        log_theta = segment_log_softmax(self.theta, self.group, self.n_groups)
        return log_theta[self.cell] + self.log_share

    def regulariser(self, batch: ObservedRows, gold: Tensor, n_rows: int) -> Tensor:
        """() Nats per row, besides the likelihood: priors, trace, and what gold says of confidence.

        Parameters
        ----------
        batch : ObservedRows
        gold : (n_batch,) int64
            The verified class, -1 where there is none.
        n_rows : int
            Rows that train: a prior counts once for all of them.
        """
        cost = self.penalty() / n_rows + self.settings.trace * self.trace()
        if self.log_confidence is None:
            return cost
        checked = torch.nonzero(gold >= 0)[:, 0]
        return cost + self.gold_cost(batch)[checked, gold[checked]].sum() / len(gold)

    def penalty(self) -> Tensor:
        """() Nats that its priors cost, for all rows together."""
        cost = -(self.prior * segment_log_softmax(self.theta, self.group, self.n_groups)).sum()
        if self.log_confidence is not None:
            cost = cost + 0.5 * self.log_confidence.square().sum()
        if self.competence is not None:
            cost = cost + 0.5 * self.competence.weight.square().sum()
        return cost

    def trace(self) -> Tensor:
        """() Mean probability of a right word, over classes and sources."""
        return self._accuracies(self.log_table().exp()).mean()

    def gold_cost(self, batch: ObservedRows) -> Tensor:
        """(n_rows, n_classes) -log p(class | votes alone); it teaches the confidence alone."""
        assert self.log_confidence is not None
        weights = self.log_confidence.exp()[self.source[batch.symbol]]
        votes = self._votes(batch, None, self.log_table().detach(), weights)
        return -torch.log_softmax(votes, dim=1)

    def confusion(self) -> Confusion:
        """Give what was learnt, without what depends on features, as numpy's `Confusion`."""
        probs = _numpy(self.log_table().exp())
        speaks = None if self.speaks is None else _numpy(self.speaks.sigmoid())
        return Confusion(self.vocabulary, probs, speaks)

    def reliability(self) -> pl.DataFrame:
        """Give one row per source: what the channel has come to think of it.

        Returns
        -------
        polars.DataFrame
            source; accuracy (mean over the classes of saying a right word); started (the same, as
            the label model put it); moved (mean total variation between the two tables, a share);
            and, where they are learnt, speaks (mean over classes), confidence (votes that a vote
            counts as), looks (of an item of average features).
        """
        with torch.no_grad():
            table = self.log_table().exp()
            moved = (table - self.start).abs().mean(dim=1)
            columns: dict[str, Any] = {
                "source": list(self.vocabulary.sources),
                "accuracy": self._accuracies(table),
                "started": self._accuracies(self.start),
                "moved": 0.5 * moved.new_zeros(self.n_sources).index_add(0, self.source, moved),
            }
            if self.speaks is not None:
                columns["speaks"] = self.speaks.sigmoid().mean(dim=1)
            if self.log_confidence is not None:
                columns["confidence"] = self.log_confidence.exp()
            if self.competence is not None:
                columns["looks"] = self.competence.bias.sigmoid()
        return pl.DataFrame({k: _numpy(v) if k != "source" else v for k, v in columns.items()})

    def _weights(self, batch: ObservedRows) -> Tensor | None:
        """(n_votes,) What each vote counts. The likelihood must not teach it: it would say 0."""
        if self.log_confidence is None:
            return None
        return self.log_confidence.detach().exp()[self.source[batch.symbol]]

    def _votes(
        self, batch: ObservedRows, features: Tensor | None, table: Tensor, weights: Tensor | None
    ) -> Tensor:
        silence = table.new_zeros(self.n_classes)
        if self.speaks is not None:
            table = table + self.speaks[self.source]  # the logit is log p(speaks) - log p(silent)
            silence = logsigmoid(-self.speaks).sum(dim=0)
        if self.competence is None or features is None:
            return silence + _bags(table, batch, weights)
        row, source = batch.row, self.source[batch.symbol]
        looks = self.competence(features.to(self.competence.weight.dtype))[row, source][:, None]
        careless = segment_log_softmax(self.careless, self.source, self.n_sources)
        careless = careless[batch.symbol][:, None]
        if self.speaks is not None:
            careless = careless + self.speaks[source]
        said = torch.logaddexp(
            logsigmoid(looks) + table[batch.symbol], logsigmoid(-looks) + careless
        )
        said = said if weights is None else said * weights[:, None]
        return silence + said.new_zeros(len(batch.hard), self.n_classes).index_add(0, row, said)

    def _accuracies(self, table: Tensor) -> Tensor:
        """(n_sources,) Probability of a word that holds the class, averaged over classes."""
        right = (table * self.right).mean(dim=1)
        return right.new_zeros(self.n_sources).index_add(0, self.source, right)

    def _keep(self, name: str, values: NDArray[Any]) -> None:
        tensor = torch.as_tensor(values)
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        self.register_buffer(name, tensor)


def segment_log_softmax(values: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """(n,) Logs of what adds up to one within each group (n,), numbered from 0."""
    top = values.detach().new_full((n_groups,), -torch.inf)
    top = top.scatter_reduce(0, group, values.detach(), "amax")
    shifted = values - top[group]
    total = values.new_zeros(n_groups).index_add(0, group, shifted.exp())
    return shifted - total.log()[group]


def _bags(table: Tensor, batch: ObservedRows, weights: Tensor | None = None) -> Tensor:
    """(n_rows, n_classes) The rows of `table` for the words about each item, added up."""
    if len(batch.symbol) == 0:
        return table.new_zeros(len(batch.offsets), table.shape[1])
    return embedding_bag(batch.symbol, table, batch.offsets, mode="sum", per_sample_weights=weights)


def _started(confusion: Confusion, tying: Tying) -> NDArray[np.float64]:
    """(n_cells,) The parameters that come closest to a confusion, none of them 0."""
    theta = tying.normalised(tying.gather(confusion.probs))
    even = 1.0 / np.bincount(tying.group)[tying.group]
    return np.asarray((1.0 - FLOOR) * theta + FLOOR * even)


def _speaking(confusion: Confusion) -> NDArray[np.float64]:
    """(n_sources, n_classes) How often each source speaks, before anything is learnt."""
    if confusion.speaks is not None:
        return np.clip(confusion.speaks, FLOOR, 1.0 - FLOOR)
    return np.full((len(confusion.vocabulary.sources), confusion.probs.shape[1]), 0.5)


def _logit(probs: NDArray[np.float64]) -> Tensor:
    return torch.as_tensor(np.log(probs) - np.log1p(-probs), dtype=torch.float32)


def _numpy(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.detach().cpu().numpy(), dtype=np.float64)
