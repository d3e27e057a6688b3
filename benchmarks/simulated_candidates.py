"""The default recipe on candidate sets made from labelled data, where the mechanism is known.

Data: scikit-learn's digits, coarsened and blurred; and classes of unequal size with three clusters
each. Sets: "together", the classes of all rows of a scene, in which some classes meet often (as
in pictures with captions); "alike", classes that look like the row. The recipe's settings were
chosen on sets made so. Accuracy in % on a third of the rows, mean and standard deviation over
seeds, of `AutoPartialLabelClassifier` with and without learning how sets come about, of averaging
and of EM with one linear model, and of the linear model on the true labels.

    python benchmarks/simulated_candidates.py [--seeds 3]
"""

import argparse
import time
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from partlabel import Candidates, LabelSpace, PartialLabelClassifier
from partlabel.learn import AutoPartialLabelClassifier, SoftLogisticRegression


def digits(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    coarse = X.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(len(y), 16)
    return coarse + rng.normal(scale=2.5, size=coarse.shape), y


def clusters(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    sizes = 1 / np.arange(1, 19) ** 0.8
    y = rng.choice(18, size=1500, p=sizes / sizes.sum())
    centres = rng.normal(size=(18, 3, 12))
    inner = centres[y, rng.integers(3, size=1500)] + rng.normal(size=(1500, 12))
    X = 0.5 * inner @ rng.normal(size=(12, 40)) + rng.normal(scale=0.7, size=(1500, 40))
    return np.where(rng.random(40) < 0.5, np.exp(X / 2), X), y


def together(_: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n_classes = y.max() + 1
    left = [list(rng.permutation(np.flatnonzero(y == k))) for k in range(n_classes)]
    topics = rng.dirichlet(np.full(n_classes, 0.3), size=n_classes) + 0.01
    mask = np.zeros((len(y), n_classes), dtype=bool)
    while any(left):
        topic, rows = topics[rng.integers(n_classes)], []
        for _ in range(1 + rng.poisson(2)):
            chance = topic * [len(rest) for rest in left]
            if chance.any():
                rows.append(left[rng.choice(n_classes, p=chance / chance.sum())].pop())
        mask[np.ix_(rows, y[rows])] = True
    return mask


def alike(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    Z = StandardScaler().fit_transform(X)
    centres = np.array([Z[y == k].mean(axis=0) for k in range(y.max() + 1)])
    far = ((Z[:, None] - centres) ** 2).mean(axis=2)
    near = np.exp((far.min(axis=1, keepdims=True) - far) / far.std())
    mask = rng.random(near.shape) < 0.7 * near
    mask[np.arange(len(y)), y] = True
    return mask


def scores(X: np.ndarray, y: np.ndarray, mask: np.ndarray, train: np.ndarray) -> dict[str, float]:
    labels = LabelSpace(range(mask.shape[1]))
    seen = Candidates.from_mask(mask[train], labels)
    linear = make_pipeline(StandardScaler(), SoftLogisticRegression())
    models: dict[str, Any] = {
        "recipe": AutoPartialLabelClassifier(),
        "recipe, sets not learnt": AutoPartialLabelClassifier(learn_sets=False),
        "linear, average": PartialLabelClassifier(linear, objective="average"),
        "linear, em": PartialLabelClassifier(linear, objective="em", tol=5e-3),
    }
    fitted = {name: model.fit(X[train], seen) for name, model in models.items()}
    fitted["linear, true labels"] = linear.fit(X[train], y[train])
    return {
        name: 100 * float(np.mean(model.predict(X[~train]) == y[~train]))
        for name, model in fitted.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    for data in (digits, clusters):
        for sets in (together, alike):
            begun, found = time.process_time(), []
            for seed in range(args.seeds):
                rng = np.random.default_rng(seed)
                X, y = data(rng)
                mask = sets(X, y, rng)
                found.append(scores(X, y, mask, rng.random(len(y)) < 2 / 3))
            seconds = (time.process_time() - begun) / args.seeds
            print(f"{data.__name__}, {sets.__name__}: {seconds:.0f} s of CPU a seed")
            for name in found[0]:
                each = [one[name] for one in found]
                print(f"  {name:24s} {np.mean(each):5.1f} ± {np.std(each):.1f}", flush=True)


if __name__ == "__main__":
    main()
