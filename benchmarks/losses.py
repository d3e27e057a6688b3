"""What a cost costs: forward and backward, against cross-entropy with soft targets.

A batch of 4,096 rows x 1,000 classes in float32 on the CPU; medians of repeats, in which the costs
take turns, with the ratio's median over the repeats (ten candidates a row, beliefs without zeros,
seed 0). In its turn a cost runs three times, as it would in training, and the last is counted: the
first finds memory as another cost has left it. The bar is 1.3. On one thread, then on all: where
others use the machine, threads wait for each other, and the second table counts the waits.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median, quantiles

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from partlabel import losses

PEER = "cross_entropy, soft targets"


def costs(n_rows: int, n_classes: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """What is timed: functions of the logits that give one value per row."""
    chance = torch.Generator().manual_seed(0)
    scores = torch.rand(n_rows, n_classes, generator=chance)
    inside = scores >= scores.topk(min(10, n_classes)).values[:, -1:]
    sets = losses.candidate_log_likelihood(inside)
    votes = -5.0 * scores
    beliefs = torch.softmax(votes, -1)
    return {
        PEER: lambda x: cross_entropy(x, beliefs, reduction="none"),
        "expected_nll": lambda x: losses.expected_nll(x, beliefs),
        "marginal_nll, candidates": lambda x: losses.marginal_nll(x, sets),
        "marginal_nll, votes": lambda x: losses.marginal_nll(x, votes),
        "the same, as torch writes it": lambda x: (
            -torch.logsumexp(torch.log_softmax(x, -1) + votes, -1)
        ),
    }


def seconds(cost: Callable[[Tensor], Tensor], logits: Tensor) -> float:
    """Time of one forward and backward pass."""
    leaf = logits.clone().requires_grad_()
    begun = time.perf_counter()
    cost(leaf).mean().backward()
    return time.perf_counter() - begun


def report_time(n_rows: int, n_classes: int, repeats: int) -> None:
    logits = 3.0 * torch.randn(n_rows, n_classes, generator=torch.Generator().manual_seed(1))
    timed = costs(n_rows, n_classes)
    taken: dict[str, list[float]] = {name: [] for name in timed}
    for repeat in range(repeats + 2):
        for name, cost in timed.items():
            *_, spent = (seconds(cost, logits) for _ in range(3))
            if repeat > 1:  # the first two warm up
                taken[name].append(spent)
    print(f"{n_rows:,} rows x {n_classes:,} classes, threads: {torch.get_num_threads()}")
    print(f"{'cost':32}{'ms':>8}{'ratio':>8}   quartiles of the ratio (bar: 1.3)")
    for name, spent in taken.items():
        ratios = [one / peer for one, peer in zip(spent, taken[PEER], strict=True)]
        low, _, high = quantiles(ratios, n=4)
        print(f"{name:32}{1e3 * median(spent):8.1f}{median(ratios):8.2f}   {low:.2f} to {high:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=40)
    asked = parser.parse_args()
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        report_time(asked.rows, asked.classes, asked.repeats)


if __name__ == "__main__":
    main()
