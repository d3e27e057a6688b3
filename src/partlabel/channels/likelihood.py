"""log_likelihood: what all evidence about an item says of its class.

The seam of every cost and every label model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import softmax

from partlabel.channels.confusion import Confusion
from partlabel.compiled import in_blocks, read_only
from partlabel.errors import InputError, rows_named
from partlabel.evidence import Evidence, as_evidence

CHUNK = 65_536
MOST_BLOCKS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """How each kind of evidence comes about, given the class.

    Gold has the identity channel: it is right.

    Parameters
    ----------
    votes : Confusion, default None
        The channel of votes. None ignores votes.
    candidate_noise : float in [0, 1), default 0.0
        Likelihood of a candidate set that lacks the true class, against one that has it. 0 trusts
        the sets.

    Raises
    ------
    InputError
        If `candidate_noise` is out of range.
    """

    votes: Confusion | None = None
    candidate_noise: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.candidate_noise < 1.0:
            raise InputError(f"`candidate_noise` must lie in [0, 1); got {self.candidate_noise}.")

    def set_table(self, evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """What gold and candidates say.

        Returns
        -------
        (n_sets, n_classes) log-likelihood, and (n_items,) the row of it that holds for each item.
        """
        noise = self.candidate_noise
        if noise == 0.0 or evidence.candidates is None:
            sets = evidence.hard_sets()
            return _log(sets.table), sets.which
        gold, noisy = evidence.without("candidates").hard_sets(), evidence.candidates.sets
        pair = gold.which.astype(np.int64) * len(noisy.table) + noisy.which
        keys, which = np.unique(pair, return_inverse=True)
        softened = np.where(noisy.table, 1.0, noise)
        table = gold.table[keys // len(noisy.table)] * softened[keys % len(noisy.table)]
        return _log(table), which.astype(np.int32)


def log_likelihood(
    evidence: Evidence, channels: Channels, *, rows: slice | None = None
) -> NDArray[np.float64]:
    """Give log p(everything observed about the item | class), up to a constant per item.

    Evidence of different kinds is taken as independent given the class.

    Parameters
    ----------
    evidence : Evidence, Votes or Candidates
    channels : Channels
    rows : slice, default None
        Only these items, so that a caller decides how much is in memory; see
        `log_likelihood_chunks`.

    Returns
    -------
    (n_rows, n_classes) float, in nats; -inf where the class is ruled out, zeros where nothing is
    known.

    Raises
    ------
    InputError
        If the evidence rules out every class of an item, or `rows` has steps.
    """
    evidence = as_evidence(evidence)
    table, which = channels.set_table(evidence)
    begin, end, step = (rows or slice(None)).indices(len(evidence))
    if step != 1:
        raise InputError(f"`rows` must be a slice without steps; got {rows}. Use `select` first.")
    return _rows(evidence, channels, table, which, slice(begin, max(begin, end)))


def log_likelihood_chunks(
    evidence: Evidence, channels: Channels, *, size: int = CHUNK
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give `log_likelihood` piece by piece: pairs of the rows and their (n_rows, n_classes) table.

    Parameters
    ----------
    size : int, default 65536
        Items in a piece: memory for one piece is ``8 * size * n_classes`` bytes.
    """
    evidence = as_evidence(evidence)
    table, which = channels.set_table(evidence)
    for start in range(0, len(evidence), size):
        rows = slice(start, min(start + size, len(evidence)))
        yield rows, _rows(evidence, channels, table, which, rows)


def approximated_accuracy(probs: NDArray[np.float64], log_likelihood: NDArray[np.float64]) -> float:
    """Mean belief, given predictions and evidence, in the class that each prediction names.

    Parameters
    ----------
    probs : (n_rows, n_classes) float
        Of a model. A probability of 0 is taken as 1e-12, so that the evidence can speak against it.
    log_likelihood : (n_rows, n_classes) float
        Of evidence that the model has not seen, in nats.

    References
    ----------
    W. Wang et al., Realistic evaluation of deep partial-label learning algorithms, ICLR 2025.
    """
    beliefs = softmax(np.log(probs.clip(1e-12)) + log_likelihood, axis=1)
    return float(beliefs[np.arange(len(probs)), probs.argmax(axis=1)].mean())


def _rows(
    evidence: Evidence,
    channels: Channels,
    table: NDArray[np.float64],
    which: NDArray[np.int32],
    rows: slice,
) -> NDArray[np.float64]:
    out = table[which[rows]]
    if evidence.votes is not None and channels.votes is not None:
        votes = evidence.votes.in_vocabulary(channels.votes.vocabulary)
        out += channels.votes.log_silence()
        add_votes(
            votes.indptr[rows.start : rows.stop + 1], votes.symbol, channels.votes.log_table(), out
        )
    impossible = np.isneginf(out.max(axis=1))
    if impossible.any():
        ids = None if evidence.item_ids is None else evidence.item_ids[rows]
        raise InputError(
            "The evidence must leave a class possible; it rules out all of them at "
            f"{rows_named(impossible, ids)}. Correct it, or give the channel some noise: "
            "no zero in a known matrix, `candidate_noise` above 0."
        )
    return out


def _log(table: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(table.astype(np.float64)))


def add_votes(
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    table: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Add the row of `table` for each word that is said about item ``i`` to ``out[i]``."""
    rows = read_only(indptr, symbol, table)
    in_blocks(
        lambda _, begin, end: _add_votes(begin, end, *(*rows, out)),
        len(out),
        most=MOST_BLOCKS,
        effort=len(symbol) * out.shape[1],
    )


@njit(nogil=True, cache=True)
def _add_votes(
    begin: int,
    end: int,
    indptr: NDArray[np.int64],
    symbol: NDArray[np.int32],
    table: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    for i in range(begin, end):
        for v in range(indptr[i], indptr[i + 1]):
            s = symbol[v]
            for k in range(out.shape[1]):
                out[i, k] += table[s, k]
