"""Multi-label costs where labels are missing: mean average precision, P@1, predicted number.

Four ways to hide labels of the training rows: half of all entries (the others are seen to be there
or not); half of the positives; all positives but one of each row; positives by popularity (kept
from 10% for the rarest label to 90% for the commonest). In the last three nothing is seen to be
absent. A linear model, or one hidden layer, on standardised features, or on 128 principal
components where there are over a thousand binary ones; AdamW, 12 epochs of 16 batches, rate 0.01
(0.1 for the last bias and for propensities; 1 for ROLE's table, which at 0.1 has not learnt by
then). Of delicious, 5000 of the training rows.

For each cost alike, weight decay and the number of epochs are chosen by the average precision of
the labels that are *seen* on a fifth of the training rows; the true labels of the test rows are
read for the table alone. Costs marked "told" know how many labels a row has on average, the others
don't: "likelihood, not told" learns a propensity for each label, starting at a half (at the share
of entries that are seen, where some are seen to be absent), as `TorchMultiLabelClassifier` does. It
was chosen among propensities that are fixed, common or by label by that same average precision of
seen labels, linear models on the first four sets.
"number" is the sum of predicted probabilities over the true number of labels: 1 is right; "off by"
the factor by which it is wrong, either way. Means over seeds; the spread is that of the seeds,
averaged over sets and ways to hide.

    python benchmarks/multilabel_losses.py [--sets emotions scene yeast bibtex] [--seeds 2]
                                           [--hide entries positives single popularity]
                                           [--costs AN Hill "likelihood, not told"] [--hidden 0]
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from joblib import Parallel, delayed
from real_votes import DATA
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from partlabel import losses
from partlabel.train.multilabel_costs import Likelihood

DECAYS = (0.01, 0.3)
ROWS = 5000  # of a set, to train on
EPOCHS, BATCHES, RATE, COMPONENTS = 12, 16, 0.01, 128


@dataclass
class Batch:
    """What a cost is given for some rows."""

    logits: Tensor
    present: Tensor
    absent: Tensor
    expected: float  # labels of a row, on average, hidden or not
    marked: float  # of these, how many are seen to be present
    progress: float  # from 0 to 1, through the epochs
    beliefs: Tensor  # ROLE's table for these rows
    chance: Tensor  # (n_labels,) log-odds of learnt propensities, told where they start
    own: Likelihood  # propensities learnt without being told


Cost = Callable[[Batch], Tensor]


def on_marks(loss: Callable[..., Tensor], **settings: float) -> Cost:
    """A cost of the logits and the positives alone."""
    return lambda b: loss(b.logits, b.present, **settings)


def weak(b: Batch) -> Tensor:
    weight = 1.0 / (b.logits.shape[1] - 1)
    return losses.assume_negative(b.logits, b.present, negative_weight=weight)


def self_paced(b: Batch) -> Tensor:
    threshold = 0.6 if b.progress > 0 else 1.0
    return losses.self_paced_correction(b.logits, b.present, threshold=threshold)


def masked(b: Batch) -> Tensor:
    return losses.masked_bce(b.logits, b.present, b.absent)


def fixed_large(b: Batch) -> Tensor:
    """Large-Loss as published: each epoch gives up 1% more of all entries of the batch."""
    given_up = 0.01 * round(b.progress * EPOCHS) * b.present.numel()
    return losses.large_loss(b.logits, b.present, given_up / max(int(b.present.sum()), 1))


def large(b: Batch) -> Tensor:
    missing = min(1.0, 2 * b.progress) * (b.expected / b.marked - 1.0)
    return losses.large_loss(b.logits, b.present, missing)


def role(b: Batch) -> Tensor:
    return losses.role_loss(b.logits, b.beliefs, b.present, b.expected)


def expected_positives(b: Batch) -> Tensor:
    marks = losses.assume_negative(b.logits, b.present, negative_weight=0.0).mean()
    return marks + losses.expected_positives_penalty(b.logits, b.expected)


def likelihood(b: Batch) -> Tensor:
    """Ours: one propensity for all labels, the share of the known number that is marked."""
    return under(b, min(b.marked / b.expected, 1.0))


def learnt(b: Batch) -> Tensor:
    """Ours, with a propensity for each label, drawn towards the common one."""
    common = torch.logit(torch.tensor(min(b.marked / b.expected, 0.99)))
    prior = 0.003 * ((b.chance - common) ** 2).mean()
    return under(b, torch.sigmoid(b.chance)).mean() + prior


def untold(b: Batch) -> Tensor:
    """Ours, with nothing told: what is seen says how much of it is."""
    return b.own.held_out(b.logits, b.present, b.absent)


def under(b: Batch, seen_present: Tensor | float) -> Tensor:
    """The likelihood; what is seen to be absent tells how much of it is."""
    share = float(b.absent.float().mean()) / (1.0 - b.expected / b.logits.shape[1])
    return losses.missing_label_nll(
        b.logits, b.present, b.absent, seen_present=seen_present, seen_absent=min(share, 1.0)
    )


COSTS: dict[str, Cost] = {
    "AN": on_marks(losses.assume_negative),
    "weak AN": weak,
    "smooth AN": on_marks(losses.assume_negative, smoothing=0.1),
    "masked BCE": masked,
    "ASL": on_marks(losses.asymmetric_loss),
    "Hill": on_marks(losses.hill_loss),
    "SPLC": self_paced,
    "Large-Loss, published": fixed_large,
    "likelihood, not told": untold,
    "Large-Loss, told": large,
    "ROLE, told": role,
    "EPR, told": expected_positives,
    "likelihood, told": likelihood,
    "likelihood, told, by label": learnt,
}
PEERS = ("AN", "ASL", "Hill", "SPLC", "ROLE, told")
OURS = ("likelihood, not told", "likelihood, told")


def load(folder: Path, name: str) -> tuple[list[Tensor], list[Tensor]]:
    """Features and true labels of the training and the test rows."""
    X = [sp.load_npz(folder / name / f"X_{part}.npz").toarray() for part in ("trn", "tst")]
    Y = [sp.load_npz(folder / name / f"Y_{part}.npz").toarray() > 0 for part in ("trn", "tst")]
    if X[0].shape[1] > 1000:
        leading = TruncatedSVD(COMPONENTS, random_state=0).fit(X[0])
        X = [leading.transform(part) for part in X]
        X = [part / X[0].std() for part in X]
    else:
        scaler = StandardScaler().fit(X[0])
        X = [scaler.transform(part) for part in X]
    if X[0].shape[0] > ROWS:
        some = np.random.default_rng(0).permutation(len(X[0]))[:ROWS]
        X[0], Y[0] = X[0][some], Y[0][some]
    return [torch.tensor(x, dtype=torch.float32) for x in X], [torch.tensor(y) for y in Y]


def hidden(truth: Tensor, how: str, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """(n_rows, n_labels) what is seen to be present, and to be absent."""
    Y, chance = truth.numpy(), rng.random(truth.shape)
    if how == "entries":
        return torch.tensor(Y & (chance < 0.5)), torch.tensor(~Y & (chance < 0.5))
    if how == "positives":
        seen = Y & (chance < 0.5)
    elif how == "single":
        rank = np.where(Y, chance, -1.0)
        seen = Y & (rank == rank.max(axis=1, keepdims=True))
    else:
        popularity = np.argsort(np.argsort(Y.sum(axis=0))) / (Y.shape[1] - 1)
        seen = Y & (chance < 0.1 + 0.8 * popularity)
    return torch.tensor(seen), torch.zeros_like(truth)


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """Mean over labels that occur."""
    ranked = truth.gather(0, scores.argsort(dim=0, descending=True)).float()
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)[:, None]
    occurs = ranked.sum(0)
    each = (precision * ranked).sum(0)[occurs > 0] / occurs[occurs > 0]
    return float(each.mean())


def rated(scores: Tensor, present: Tensor, absent: Tensor) -> float:
    """Average precision by what is seen: of the seen entries, or of marks against all others."""
    if absent.any():
        scores = scores.masked_fill(~(present | absent), -torch.inf)
    return average_precision(scores, present)


def network(n_features: int, n_labels: int, width: int, marked: Tensor) -> torch.nn.Sequential:
    """The last layer starts at the share of rows for which each label is marked."""
    layers = [torch.nn.Linear(n_features, width), torch.nn.ReLU()] if width else []
    last = torch.nn.Linear(width or n_features, n_labels)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.logit(marked.float().mean(0).clamp(0.001, 0.999)))
    return torch.nn.Sequential(*layers, last)


def scores_of(
    cost: Cost, X: list[Tensor], Y: list[Tensor], how: str, seed: int, width: int
) -> Tensor:
    """Test logits of the epoch and weight decay that rate best on the held-out rows."""
    rng = np.random.default_rng(seed)
    present, absent = hidden(Y[0], how, rng)
    order = torch.tensor(rng.permutation(len(present)))
    held, rest = order[: len(order) // 5], order[len(order) // 5 :]
    expected, marked = float(Y[0].float().sum(1).mean()), float(present.float().sum(1).mean())
    best, chosen = -1.0, torch.empty(0)
    for decay in DECAYS:
        torch.manual_seed(seed)
        net = network(X[0].shape[1], present.shape[1], width, present[rest])
        table = torch.where(present, 5.3, 0.8 * torch.rand(present.shape) - 0.4).requires_grad_()
        odds = torch.logit(torch.tensor(min(marked / expected, 0.99)))
        chance = torch.full((present.shape[1],), float(odds), requires_grad=True)
        own = Likelihood("learnt", "learnt", present[rest], absent[rest])
        *slow, quick = net.parameters()  # the last bias sets the number of labels
        optimiser = torch.optim.AdamW(
            [
                {"params": slow, "weight_decay": decay},
                {"params": [chance], "weight_decay": 0.0},
                {"params": own.parameters(), "weight_decay": 0.0, "lr": 10 * RATE},
                {"params": [quick], "weight_decay": 0.0, "lr": 10 * RATE},
                {"params": [table], "weight_decay": 0.0, "lr": 100 * RATE},
            ],
            lr=RATE,
        )
        falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, EPOCHS)
        for epoch in range(EPOCHS):
            for rows in rest[torch.randperm(len(rest))].chunk(BATCHES):
                seen = (present[rows], absent[rows], expected, marked, epoch / EPOCHS)
                batch = Batch(net(X[0][rows]), *seen, table[rows], chance, own)
                optimiser.zero_grad()
                cost(batch).mean().backward()
                optimiser.step()
            falling.step()
            with torch.no_grad():
                rating = rated(net(X[0][held]), present[held], absent[held])
                if rating > best:
                    best, chosen = rating, net(X[1])
    return chosen


def measured(logits: Tensor, truth: Tensor) -> tuple[float, float, float]:
    """Mean average precision and P@1 in %, predicted over true number of labels."""
    first = truth.gather(1, logits.argmax(1, keepdim=True)).float().mean()
    number = torch.sigmoid(logits).sum() / truth.sum()
    return 100 * average_precision(logits, truth), 100 * float(first), float(number)


def trial(
    cost: str, X: list[Tensor], Y: list[Tensor], how: str, seed: int, width: int
) -> tuple[float, float, float]:
    """One training, measured on the test rows."""
    torch.set_num_threads(1)  # the tensors are small
    return measured(scores_of(COSTS[cost], X, Y, how, seed, width), Y[1])


def table(found: dict[str, list[np.ndarray]], title: str) -> None:
    """One line for each cost: the mean over cells of the means over seeds."""
    print(title)
    for name, cells in found.items():
        mean = np.mean([cell.mean(axis=0) for cell in cells], axis=0)
        spread = np.mean([cell.std(axis=0) for cell in cells], axis=0)
        off = np.exp(np.mean([abs(np.log(cell[:, 2].mean())) for cell in cells]))
        print(
            f"  {name:26s} mAP {mean[0]:5.1f} ± {spread[0]:3.1f}   P@1 {mean[1]:5.1f} ± "
            f"{spread[1]:3.1f}   number {mean[2]:5.2f}, off by {off:4.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    ways = ["entries", "positives", "single", "popularity"]
    parser.add_argument("--sets", nargs="+", default=["emotions", "scene", "yeast", "bibtex"])
    parser.add_argument("--hide", nargs="+", default=ways, choices=ways)
    parser.add_argument("--costs", nargs="+", default=[*COSTS], choices=[*COSTS])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=0, help="width of a hidden layer; 0: none")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--data", type=Path, default=DATA)
    args = parser.parse_args()
    if not (args.data / "multilabel").is_dir():
        print("The real sets aren't there; set PARTLABEL_DATA to their folder.")
        return
    begun = time.perf_counter()
    every: dict[str, list[np.ndarray]] = defaultdict(list)
    by_way: dict[str, dict[str, list[np.ndarray]]] = {how: defaultdict(list) for how in args.hide}
    for name in args.sets:
        X, Y = load(args.data / "multilabel", name)
        for how in args.hide:
            jobs = [(cost, seed) for cost in args.costs for seed in range(args.seeds)]
            done = Parallel(n_jobs=args.jobs)(
                delayed(trial)(cost, X, Y, how, seed, args.hidden) for cost, seed in jobs
            )
            results = np.array(done).reshape(len(args.costs), args.seeds, 3)
            cell = dict(zip(args.costs, results, strict=True))
            table({cost: [values] for cost, values in cell.items()}, f"{name}, {how} hidden")
            for cost, values in cell.items():
                every[cost].append(values)
                by_way[how][cost].append(values)
    for how, found in by_way.items():
        table(found, f"\nmean over sets, {how} hidden")
    table(every, "\nmean over all")
    scored = {cost: np.mean([c[:, 0].mean() for c in cells]) for cost, cells in every.items()}
    peers = [cost for cost in PEERS if cost in scored]
    for ours in [cost for cost in OURS if cost in scored and peers]:
        peer = max(peers, key=scored.__getitem__)
        print(f"\n{ours} {scored[ours]:.2f}, best peer {peer} {scored[peer]:.2f}")
    print(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
