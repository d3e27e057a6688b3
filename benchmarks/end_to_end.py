"""Votes and features: two steps (aggregate, then train) against one, and the end model's worth.

Crowd (labelme: 1000 training images, votes of workers, 1188 test images with gold): an MLP trained
on majority votes; in two steps, on a label model's beliefs or through the channel that it learnt;
and end to end with a learnt confusion per worker.
Seeds draw initial weights, order and held-out rows; accuracy in % on the test images.

Rules (youtube, sms, trec: training texts with rules' votes): the label model applied to the votes
about the test texts, against linear models of TF-IDF features that see the test texts alone.
Accuracy and macro F1 in %; where no rule fires, the label model says what its class prior says.

Overhead: what `RunningBeliefs` adds to an epoch of an MLP, timed inside it and against epochs on
beliefs that stay as they are, turn by turn.

    python benchmarks/end_to_end.py [--seeds 5] [--parts crowd rules overhead] [--threads 1]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from real_votes import DATA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor, nn

from partlabel import Beliefs, DawidSkene, LabelModel, LabelSpace, MajorityVote, Votes
from partlabel.learn import PartialLabelClassifier
from partlabel.losses import expected_nll, posterior
from partlabel.train import Learnt, RunningBeliefs, TorchPartialLabelClassifier, mlp

CROWD: dict[str, dict[str, Any]] = {
    "majority vote, then train": {"objective": "expected", "label_model": MajorityVote()},
    "label model, then train": {"objective": "expected"},
    "label model's channel, fixed": {},
    "Dawid-Skene, then train": {"objective": "expected", "label_model": DawidSkene()},
    "Dawid-Skene's channel, fixed": {"label_model": DawidSkene()},
    "end to end": {"channel": Learnt()},
}


def network(n_features: int, n_classes: int) -> nn.Module:
    return mlp(n_features, n_classes, hidden=(128,), dropout=0.5)


def crowd(seeds: int) -> None:
    """Accuracy on the test images of labelme, by way and seed."""
    folder = DATA / "crowd" / "labelme"
    with np.load(folder / "features.npz") as held:
        X, X_test, y_test = held["X_train"], held["X_test"], held["y_test"]
    table = pl.read_csv(folder / "votes.csv")
    labels = LabelSpace(range(int(y_test.max()) + 1))
    votes = Votes.from_table(table, labels=labels, n_items=len(X), repeated="last")
    print(f"labelme: accuracy in % on the test images, {seeds} seeds", flush=True)
    for way, settings in CROWD.items():
        found = []
        for seed in range(seeds):
            net = TorchPartialLabelClassifier(network, random_state=seed, **settings)
            found.append(100 * float(np.mean(net.fit(X, votes).predict(X_test) == y_test)))
        each = " ".join(f"{score:.1f}" for score in found)
        print(f"  {way:30s} {np.mean(found):5.1f} ± {np.std(found):3.1f}   ({each})", flush=True)


def linear(n_features: int, n_classes: int) -> nn.Module:
    """No scaling: TF-IDF rows are of length one."""
    return nn.Linear(n_features, n_classes)


def end_models(seed: int) -> dict[str, Any]:
    torch_settings = {"learning_rate": 0.02, "max_epochs": 40, "random_state": seed}
    return {
        "label model, then LR": PartialLabelClassifier(
            LogisticRegression(C=10.0, max_iter=1000), objective="expected"
        ),
        "torch, fixed channel": TorchPartialLabelClassifier(linear, **torch_settings),
        "torch, end to end": TorchPartialLabelClassifier(
            linear, channel=Learnt(), **torch_settings
        ),
    }


def rules(name: str, seeds: int) -> None:
    """Score the label model and the end models on the test split."""
    parts = {
        split: pl.read_parquet(DATA / "rules" / name / f"{split}.parquet")
        for split in ("train", "test")
    }
    frame = pl.concat(parts.values())
    columns = [column for column in frame.columns if column.startswith("lf_")]
    labels = LabelSpace.infer(pl.concat([frame["label"], *(frame[c] for c in columns)]))
    votes = {s: Votes.from_columns(part, columns, labels=labels) for s, part in parts.items()}
    truth = parts["test"]["label"].to_numpy()
    words = TfidfVectorizer(ngram_range=(1, 2), max_features=3000, sublinear_tf=True)
    X = words.fit_transform(parts["train"]["text"].to_list())
    X_test = words.transform(parts["test"]["text"].to_list())
    covered = np.mean(votes["test"].votes_per_item > 0)
    print(f"{name}: test texts {len(truth)}, with a vote {covered:.0%}; accuracy, macro F1 in %")
    names = np.array(labels.classes)
    for title, model in {"majority vote": MajorityVote(), "label model": LabelModel()}.items():
        beliefs = model.fit(votes["train"]).aggregate(votes["test"])
        shown(title, [scores(truth, names[beliefs.probs.argmax(axis=1)])])
    for title in end_models(0):
        found = []
        for seed in range(seeds if title.startswith("torch") else 1):
            clf = end_models(seed)[title].fit(X, votes["train"])
            found.append(scores(truth, clf.predict(X_test)))
        shown(title, found)


def scores(truth: np.ndarray, said: np.ndarray) -> tuple[float, float]:
    return 100 * accuracy_score(truth, said), 100 * f1_score(truth, said, average="macro")


def shown(title: str, found: list[tuple[float, float]]) -> None:
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0)
    cells = " | ".join(f"{m:5.1f} ± {s:3.1f}" for m, s in zip(mean, spread, strict=True))
    print(f"  {title:22s} {cells}   ({len(found)} seeds)", flush=True)


def overhead(repeats: int = 15, n: int = 20_000, n_features: int = 100, k: int = 10) -> None:
    """Time an epoch on beliefs that stay against one on beliefs that are kept up to date."""
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(n, n_features, generator=rng)
    known = torch.zeros(n, k).masked_fill_(torch.rand(n, k, generator=rng) < 0.5, -torch.inf)
    known[torch.arange(n), torch.randint(k, (n,), generator=rng)] = 0.0
    start = posterior(torch.zeros(n, k), known)
    running = RunningBeliefs(Beliefs(start.double().numpy(), LabelSpace(range(k))), momentum=0.9)
    net = mlp(n_features, k, hidden=(256, 256))
    optimizer = torch.optim.AdamW(net.parameters())

    def fixed(_: Tensor, rows: Tensor) -> Tensor:
        return start[rows]

    def kept(logits: Tensor, rows: Tensor) -> Tensor:
        return running.update(rows, posterior(logits.detach(), known.index_select(0, rows)))

    shares = []
    for _ in range(repeats):
        plain, _ = epoch_seconds(net, optimizer, inputs, fixed)
        whole, inside = epoch_seconds(net, optimizer, inputs, kept)
        shares.append((inside / (whole - inside), whole / plain - 1, plain))
    inside, whole, plain = np.median(shares, axis=0)
    print(
        f"RunningBeliefs: an epoch of {n:,} rows, {n_features} features, 2 x 256 units, batches "
        f"of 128: {plain:.2f} s of CPU without; posterior and update add {inside:.1%}; epochs "
        f"in turn differ by {whole:+.1%} (medians of {repeats})"
    )


def epoch_seconds(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    beliefs: Callable[[Tensor, Tensor], Tensor],
) -> tuple[float, float]:
    """CPU seconds of an epoch, and of its beliefs; they don't count what else the machine does."""
    begun, inside = time.process_time(), 0.0
    for rows in torch.randperm(len(inputs)).split(128):
        logits = net(inputs[rows])
        before = time.process_time()
        believed = beliefs(logits, rows)
        inside += time.process_time() - before
        loss = expected_nll(logits, believed).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.process_time() - begun, inside


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", default=["crowd", "rules", "overhead"])
    parser.add_argument("--sets", nargs="+", default=["youtube", "sms", "trec"])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if "overhead" in args.parts:
        overhead()
    if not Path(DATA).is_dir():
        print("The real sets aren't there; set PARTLABEL_DATA to their folder.")
        return
    if "crowd" in args.parts:
        crowd(args.seeds)
    if "rules" in args.parts:
        for name in args.sets:
            rules(name, args.seeds)


if __name__ == "__main__":
    main()
