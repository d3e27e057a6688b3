r"""Candidate sets: as a log-likelihood, an even split, running beliefs, and pruned.

The cost of a set S is `marginal_nll` (classifier-consistent), or `expected_nll` with beliefs that
are held elsewhere: an even split for the naive average, `updated_beliefs` for PRODEN and the
risk-consistent cost. Robust ones are `bounded(log_marginal(...), q)`.
"""

import math

import torch
from torch import Tensor

from partlabel.errors import InputError
from partlabel.losses.expected import expected_nll
from partlabel.losses.marginal import check_classes, posterior


def candidate_log_likelihood(
    candidates: Tensor, *, noise: float = 0.0, dtype: torch.dtype = torch.float32
) -> Tensor:
    """The log-likelihood of candidate sets: 0 for the classes inside, log(noise) for the others.

    Assumes that a set tells nothing of which class inside it is the true one: p(set | class) is the
    same for each of them. Sets drawn with more care for some classes than for others (say, by a
    person to whom the row looked like two of them) break this.

    Parameters
    ----------
    candidates : (..., n_classes) bool, or numbers that are 0 outside
    noise : float in [0, 1), default 0.0
        Likelihood of a set that lacks the true class, against one that has it. Above 0, a wrong set
        costs log(1 / noise) at most.
    dtype : torch.dtype, default torch.float32

    Returns
    -------
    (..., n_classes) of `dtype`, in nats
        A row of zeros for the set of all classes, a row without a finite value for the empty set.

    Raises
    ------
    InputError
        If `noise` is out of range.

    Examples
    --------
    >>> candidate_log_likelihood(torch.tensor([[True, False]]))
    tensor([[0., -inf]])
    """
    if not 0.0 <= noise < 1.0:
        raise InputError(f"`noise` must lie in [0, 1); got {noise}. 0 trusts every set.")
    outside = ~candidates.bool()
    known = torch.zeros(outside.shape, dtype=dtype, device=outside.device)
    return known.masked_fill(outside, math.log(noise) if noise else -math.inf)


def average_nll(logits: Tensor, candidates: Tensor) -> Tensor:
    r"""Cross-entropy averaged over the candidates: the naive cost, per row.

    .. math:: -\frac{1}{|S|} \sum_{y \in S} \log p_\theta(y \mid x)

    Has no early guesses to confirm, and suits a model that would memorise any label. Assumes that
    the true class is in more of the sets of like rows than any other. It asks for an even split
    within the set, so that the model stays unsure, and one candidate without probability costs
    much: `expected_loss` of `bounded` costs doesn't. Fails where sets are large: of ten candidates,
    the true one gets a tenth of the pull. Costs what cross-entropy with soft targets does.

    Parameters
    ----------
    logits : (..., n_classes) float
        Finite.
    candidates : (..., n_classes) bool
        At least one in each row; NaN for a row without.

    Returns
    -------
    (...) float
        In nats. Rows of all classes, about which nothing is known, cost the divergence from
        uniform and log(n_classes); leave them out.

    Raises
    ------
    InputError
        If the two differ in the number of classes.

    Examples
    --------
    >>> average_nll(torch.zeros(1, 4), torch.tensor([[True, True, False, False]])).exp()
    tensor([4.])

    References
    ----------
    E. Hüllermeier and J. Beringer, Learning from ambiguously labeled examples, Intelligent Data
    Analysis 2006. T. Cour, B. Sapp and B. Taskar, Learning from partial labels, JMLR 2011 (naive).
    """
    inside = candidates.to(logits.dtype)
    check_classes(logits=logits, candidates=inside)
    return expected_nll(logits, inside / inside.sum(-1, keepdim=True))


def updated_beliefs(
    beliefs: Tensor, logits: Tensor, log_likelihood: Tensor, *, momentum: float = 0.0
) -> Tensor:
    r"""Running beliefs after one more look: momentum * beliefs + (1 - momentum) * posterior.

    .. math:: b \leftarrow m \, b + (1 - m) \, p_\theta(y \mid x, o), \quad
        p_\theta(y \mid x, o) \propto p_\theta(y \mid x) \, p(o \mid y)

    With momentum 0 and candidate sets this is PRODEN's update and the weight of the risk-consistent
    cost, p(y) / sum of p over S, in log space: where the network gives the whole set no
    probability, it is no 0/0. Train on it with `expected_nll` or `expected_loss`; begin with
    ``torch.softmax(log_likelihood, -1)``, an even split.

    Assumes what `marginal_nll` does. Fails where the network's first guesses are wrong in a way
    that its features confirm: without momentum they become its targets at once. Costs a softmax and
    a pass over the table; `RunningBeliefs` of `partlabel.train` keeps that.

    Parameters
    ----------
    beliefs : (..., n_classes) float
        Those held for these rows so far.
    logits : (..., n_classes) float
        Gradients don't flow through them.
    log_likelihood : (..., n_classes) float
        As for `marginal_nll`.
    momentum : float in [0, 1), default 0.0
        Higher forgets early mistakes of the network later, and takes longer to leave the start.

    Returns
    -------
    (..., n_classes) float
        Detached, in the dtype of `beliefs`.

    Raises
    ------
    InputError
        If `momentum` is out of range, or the number of classes differs.

    Examples
    --------
    >>> either = torch.tensor([[0.0, 0.0, -torch.inf]])
    >>> logits = torch.tensor([[-500.0, 0.0, 900.0]])
    >>> updated_beliefs(torch.tensor([[0.5, 0.5, 0.0]]), logits, either)
    tensor([[0., 1., 0.]])

    References
    ----------
    J. Lv et al., Progressive identification of true labels for partial-label learning (PRODEN),
    ICML 2020, section 3. H. Wang et al., PiCO, ICLR 2022, section 3.2 (momentum).
    """
    if not 0.0 <= momentum < 1.0:
        raise InputError(f"`momentum` must lie in [0, 1); got {momentum}. 0 keeps no memory.")
    check_classes(logits=logits, beliefs=beliefs)
    seen = posterior(logits.detach(), log_likelihood.detach()).to(beliefs.dtype)
    return torch.lerp(seen, beliefs.detach(), momentum) if momentum else seen


def pruned(candidates: Tensor, logits: Tensor, margin: float) -> Tensor:
    r"""POP's purification: the candidates without those that trail the best one by `margin`.

    .. math:: S \leftarrow \{ y \in S : \max_{z \in S} p_\theta(z \mid x)
        - p_\theta(y \mid x) < m \}

    Call it once an epoch on the sets of the last one, with a margin that falls whenever an epoch
    prunes nothing (POP: from a start near 1 towards an end, in small steps). Meant for sets that
    depend on the row, where the posterior keeps believing in look-alikes.

    Assumes that where the network prefers one candidate by that much, the other is wrong: it must
    have been trained without pruning for some epochs. Fails where it is sure of a mistake: what is
    pruned doesn't come back. Costs a softmax.

    Parameters
    ----------
    candidates : (..., n_classes) bool
    logits : (..., n_classes) float
    margin : float in (0, 1]
        Difference of probabilities, over all classes. Lower prunes more.

    Returns
    -------
    (..., n_classes) bool
        The best candidate of a row always stays.

    Raises
    ------
    InputError
        If `margin` is out of range, or the number of classes differs.

    Examples
    --------
    >>> pruned(torch.tensor([[True, True, False]]), torch.tensor([[2.0, 0.0, 1.0]]), margin=0.5)
    tensor([[ True, False, False]])

    References
    ----------
    N. Xu et al., Progressive purification for instance-dependent partial label learning, ICML 2023,
    algorithm 1.
    """
    if not 0.0 < margin <= 1.0:
        raise InputError(
            f"`margin` must lie in (0, 1]; got {margin}. It is a difference of probabilities."
        )
    inside = candidates.bool()
    check_classes(logits=logits, candidates=inside.to(logits.dtype))
    probs = torch.softmax(logits.detach(), -1).masked_fill(~inside, 0.0)
    return inside & (probs.amax(-1, keepdim=True) - probs < margin)
