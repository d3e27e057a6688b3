"""Costs for wrong labels on scikit-learn's digits, against training on clean labels.

20% and 40% of the training labels are replaced, evenly by any other class (symmetric) or by the one
that looks alike (asymmetric: 1 and 7, 2 and 3, 4 and 9, 5 and 6, 0 and 8). One hidden layer of 256,
Adam, 100 epochs, no early stopping, so that memorising shows. Forward and backward correction are
given the true confusion; "forward, learnt" learns it from 90% on the diagonal. Settings are the
papers' for ten classes. Accuracy in % on the clean test half: mean and standard deviation over
seeds, each of which draws split, noise and network.

    python benchmarks/noise_losses.py [--seeds 5] [--epochs 100]
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from partlabel import losses

K = 10
ALIKE = [8, 7, 3, 2, 9, 6, 5, 1, 0, 4]
KINDS = [(kind, share) for kind in ("symmetric", "asymmetric") for share in (0.2, 0.4)]


@dataclass
class Batch:
    """What a cost is given for some rows."""

    logits: Tensor
    labels: Tensor
    confusion: Tensor  # the true one
    learnt: Tensor  # logits of the learnt one
    targets: Tensor  # all running targets, of which these are the rows
    rows: Tensor


Cost = Callable[[Batch], Tensor]


def backward(b: Batch) -> Tensor:
    nll = -torch.log_softmax(b.logits, -1)
    return losses.backward_correction(nll, b.labels, b.confusion)


def early(b: Batch) -> Tensor:
    cost, new = losses.early_learning(b.logits, b.labels, b.targets[b.rows])
    b.targets[b.rows] = new
    return cost


COSTS: dict[str, Cost] = {
    "cross-entropy": lambda b: losses.generalised_cross_entropy(b.logits, b.labels, q=0.0),
    "forward": lambda b: losses.forward_correction(b.logits, b.labels, b.confusion),
    "forward, learnt": lambda b: losses.forward_correction(
        b.logits, b.labels, torch.softmax(b.learnt, -1)
    ),
    "backward": backward,
    "GCE (q = 0.7)": lambda b: losses.generalised_cross_entropy(b.logits, b.labels),
    "MAE (q = 1)": lambda b: losses.generalised_cross_entropy(b.logits, b.labels, q=1.0),
    "symmetric CE": lambda b: losses.symmetric_cross_entropy(b.logits, b.labels),
    "ELR": early,
}


def confusion_of(kind: str, share: float) -> Tensor:
    """(K, K) p(said | true)."""
    wrong = (1 - torch.eye(K)) / (K - 1) if kind == "symmetric" else torch.eye(K)[ALIKE]
    return (1 - share) * torch.eye(K) + share * wrong


def noisy(truth: np.ndarray, confusion: Tensor, seed: int) -> Tensor:
    """(n_rows,) labels drawn through the confusion."""
    drawn = np.random.default_rng(seed).random(len(truth))
    above = np.cumsum(confusion.numpy(), axis=1)[truth, :-1] <= drawn[:, None]
    return torch.tensor(above.sum(axis=1))


def accuracy(cost: Cost, kind: str, share: float, seed: int, epochs: int) -> float:
    """Accuracy in % on the clean half, after the last epoch."""
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16, y, test_size=0.5, random_state=seed, stratify=y)
    X, X_test = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    confusion = confusion_of(kind, share)
    labels = noisy(parts[2], confusion, seed)
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, K))
    learnt = (0.9 * torch.eye(K) + 0.1 / K).log().requires_grad_()
    targets = torch.zeros(len(X), K)
    optimiser = torch.optim.Adam([*net.parameters(), learnt], lr=0.003)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(128):
            batch = Batch(net(X[rows]), labels[rows], confusion, learnt, targets, rows)
            optimiser.zero_grad()
            cost(batch).mean().backward()
            optimiser.step()
    with torch.no_grad():
        right = net(X_test).argmax(-1).numpy() == parts[3]
    return 100 * float(right.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=100)
    args = parser.parse_args()
    seeds = range(args.seeds)
    clean = [accuracy(COSTS["cross-entropy"], "symmetric", 0.0, s, args.epochs) for s in seeds]
    print(f"clean labels, cross-entropy: {np.mean(clean):.1f} ± {np.std(clean):.1f}")
    print(f"{'':16s}" + "".join(f"{f'{kind} {share:.0%}':>18s}" for kind, share in KINDS))
    for name, cost in COSTS.items():
        cells = []
        for kind, share in KINDS:
            found = [accuracy(cost, kind, share, seed, args.epochs) for seed in seeds]
            cells.append(f"{np.mean(found):11.1f} ± {np.std(found):4.1f}")
        print(f"{name:16s}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
