r"""The marginal likelihood: the probability of what was observed, the unknown label summed out.

=========================  ==================  ====================================================
symbol                     code                shape, meaning
=========================  ==================  ====================================================
:math:`p_\theta(y|x)`      log_probs(logits)   (n, n_classes) what the network says, in nats
:math:`p(o|y)`             log_likelihood      (n, n_classes) what the observations say, in nats
:math:`p(o|x)`             log_marginal        (n,) the sum over y of the product of the two
:math:`p(y|x,o)`           posterior           (n, n_classes) their product, normalised
=========================  ==================  ====================================================

Of Jin & Ghahramani, *Learning with multiple labels*, NIPS 2002, section 3.
"""

from typing import Any

import torch
from torch import Tensor

from partlabel.errors import InputError

CACHED = 2**18  # values of which a few tensors fit into a processor's cache together


def marginal_nll(logits: Tensor, log_likelihood: Tensor) -> Tensor:
    r"""-log p(what was observed), per row: the cost for any evidence whose channel is known.

    .. math:: -\log \sum_y p_\theta(y \mid x) \, p(o \mid y)

    An exact label makes it cross-entropy; a candidate set the classifier-consistent cost of
    partial-label learning; a noisy label with its transition probabilities forward correction; a
    vote count the crowd layer. Its gradient by the logits is the softmax less the `posterior`, so
    that its descent is EM with a gradient step for an M-step.

    Assumes that `log_likelihood` is right: how an observation came about depends on the class
    alone, not on other features of the row. It fails where a wrong class is in the candidates
    of nearly every row of a class, since nothing then tells the two apart, and it believes its own
    early guesses: start from a network that has seen some labels, or anneal with `tempered_nll`.
    One wrong set can cost arbitrarily much; see `bounded`.

    Parameters
    ----------
    logits : (..., n_classes) float
        -inf rules a class out.
    log_likelihood : (..., n_classes) float
        log p(observed | class) in nats, up to a constant per row; -inf rules a class out. Zeros
        where nothing is known: such a row costs nothing and pulls nowhere, exactly. Another
        constant moves the cost alone; it isn't taken off, since a channel that learns needs it.

    Returns
    -------
    (...) float
        In nats. Where every class is ruled out, inf, with a gradient of NaN:
        `evidence_tensors` refuses such evidence, and sees it before training.

    Raises
    ------
    InputError
        If the two differ in the number of classes.
    TypeError
        If one isn't of a floating dtype.

    Notes
    -----
    Costs up to a fifth more than `torch.nn.functional.cross_entropy` with soft targets. Can be
    differentiated twice, and goes through `torch.compile` and `torch.func`. Rounded as
    the logits are: to about 1e-7 of the largest in float32.

    Examples
    --------
    >>> logits = torch.tensor([[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    >>> not_the_first = torch.tensor([float("-inf"), 0.0, 0.0])
    >>> nothing_known = torch.zeros(3)
    >>> cost = marginal_nll(logits, torch.stack([not_the_first, nothing_known]))
    >>> torch.exp(-cost)  # how likely the network makes what was observed
    tensor([0.2130, 1.0000])

    References
    ----------
    R. Jin and Z. Ghahramani, Learning with multiple labels, NIPS 2002, section 3. L. Feng et al.,
    Provably consistent partial-label learning, NeurIPS 2020, section 4. G. Patrini et al., Making
    deep neural networks robust to label noise, CVPR 2017, theorem 2 (forward correction).
    """
    return -log_marginal(logits, log_likelihood)


def log_marginal(logits: Tensor, log_likelihood: Tensor) -> Tensor:
    """Log p(what was observed), per row, in nats; `bounded` and its like are functions of it.

    Parameters, refusals and sources are those of `marginal_nll`.
    """
    check_classes(logits=logits, log_likelihood=log_likelihood)
    logits = _at_least_single(logits)
    inputs = torch.broadcast_tensors(logits, log_likelihood)
    parts = _LogMarginal.apply(*inputs, log_likelihood.requires_grad)
    log_p: Tensor = parts[0]
    return log_p


def posterior(logits: Tensor, log_likelihood: Tensor) -> Tensor:
    r"""What network and observations together say of the class: the E-step, per row.

    .. math:: p_\theta(y \mid x, o) = \frac{p_\theta(y \mid x) \, p(o \mid y)}
        {\sum_z p_\theta(z \mid x) \, p(o \mid z)}

    Assumes what `marginal_nll` does, and fails as it does; costs one softmax. Within a candidate
    set this is the network's softmax, renormalised: the weights of PRODEN and of the
    risk-consistent cost, in log space, so that a set to which the network gives no probability is
    no 0/0. Detach it where it is to be a target.

    Returns
    -------
    (..., n_classes) float
        Rows add up to 1.

    References
    ----------
    J. Lv et al., Progressive identification of true labels for partial-label learning, ICML 2020,
    section 3. L. Feng et al., Provably consistent partial-label learning, NeurIPS 2020, section 3.
    """
    check_classes(logits=logits, log_likelihood=log_likelihood)
    return torch.softmax(_at_least_single(logits) + log_likelihood, -1)


def log_probs(logits: Tensor) -> Tensor:
    """log_softmax over the last dimension, in float32 where the logits are in half precision."""
    return torch.log_softmax(_at_least_single(logits), -1)


def check_classes(**named: Tensor) -> None:
    """Refuse tensors that are not about the classes of the first, or not of a floating dtype.

    Only shapes and dtypes are looked at, so that nothing waits for the device.
    """
    first, *_ = named
    for name, tensor in named.items():
        if not isinstance(tensor, Tensor):
            hint = " Pass its `log_likelihood`." if hasattr(tensor, "log_likelihood") else ""
            raise TypeError(f"`{name}` must be a tensor; got {type(tensor).__name__}.{hint}")
        if not tensor.is_floating_point():
            raise TypeError(
                f"`{name}` must be of a floating dtype; got {tensor.dtype}. "
                "For a mask of candidates, see `candidate_log_likelihood`."
            )
        n_classes = named[first].shape[-1]
        if tensor.shape[-1:] != (n_classes,):
            raise InputError(
                f"`{name}` must have the {n_classes} classes of `{first}` in its last dimension; "
                f"got the shape {tuple(tensor.shape)}. Give one value for each class."
            )


def _at_least_single(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _difference(
    logits: Tensor, log_likelihood: Tensor, pull: Tensor | None, kept: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """logsumexp(logits + log_likelihood) - logsumexp(logits), with what `_LogMarginal` keeps.

    The difference of the softmaxes is written to `pull`, that of the sum to `kept`, where they are
    given. All are exactly 0 where the likelihood is.
    """
    joint = logits + log_likelihood
    prior, posterior = torch.softmax(logits, -1), torch.softmax(joint, -1, out=kept)
    top = joint.amax(-1)  # the likeliest class has the probability exp(top - logsumexp)
    log_p = top - logits.amax(-1) + (prior.amax(-1) / posterior.amax(-1)).log()
    log_p = torch.where(top > -torch.inf, log_p, top)
    return log_p, torch.sub(posterior, prior, out=pull), posterior


class _LogMarginal(torch.autograd.Function):
    """logsumexp(logits + log_likelihood) - logsumexp(logits), and the softmaxes of both.

    Half the work of two `torch.logsumexp`. Only the difference of the softmaxes is kept for the
    backward pass, or both where the likelihood is learnt; a second derivative computes them once
    more. Without a compiler that fuses, a processor takes a few rows at a time, so that what is
    computed on the way never leaves its cache: half the time.
    """

    @staticmethod
    def forward(
        logits: Tensor, log_likelihood: Tensor, learnt: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        small = logits.dim() == 1 or logits.numel() <= CACHED
        if small or logits.device.type != "cpu" or torch.compiler.is_compiling():
            log_p, pull, posterior = _difference(logits, log_likelihood, None, None)
            return log_p, pull, posterior if learnt else None
        at_once = max(1, CACHED * len(logits) // logits.numel())
        pull = torch.empty_like(logits, dtype=torch.result_type(logits, log_likelihood))
        kept = torch.empty_like(pull) if learnt else pull
        log_p = pull.new_empty(logits.shape[:-1])
        for start in range(0, len(logits), at_once):
            at = slice(start, start + at_once)
            log_p[at], _, _ = _difference(logits[at], log_likelihood[at], pull[at], kept[at])
        return log_p, pull, kept if learnt else None

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, pull, posterior = output
        ctx.mark_non_differentiable(*(kept for kept in (pull, posterior) if kept is not None))
        ctx.save_for_backward(*inputs[:2], pull, posterior)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        logits, log_likelihood, pull, posterior = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is asked for
            posterior = torch.softmax(logits + log_likelihood, -1)
            pull = posterior - torch.softmax(logits, -1)
        grad = grads[0].unsqueeze(-1)
        by_logits, by_likelihood, _ = ctx.needs_input_grad
        return pull * grad if by_logits else None, posterior * grad if by_likelihood else None, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], logits: Tensor, likelihood: Tensor, learnt: bool
    ) -> tuple[Any, tuple[int, int, int | None]]:
        batched = [
            tensor.expand(info.batch_size, *tensor.shape) if at is None else tensor.movedim(at, 0)
            for tensor, at in zip((logits, likelihood), in_dims, strict=False)
        ]
        parts = _LogMarginal.apply(*batched, learnt)
        return parts, (0, 0, 0 if learnt else None)
