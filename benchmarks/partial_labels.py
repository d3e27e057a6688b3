"""Training on candidate sets: PartialLabelClassifier against averaging and exact rows alone.

Ten-fold cross-validation (shuffled, seed 0): standardise on the training folds, train on their
candidates, test on the true labels, which nothing else sees. "auto" is the default; "supervised"
trains on the true labels, as a ceiling. `candidate_recipes.py` measures `default_recipe`.
Data: `candidates/NAME/data.npz` with X (n_rows, n_features), candidates (n_rows, n_classes) and y
(n_rows,) codes, in the folder that PARTLABEL_DATA names.

    python benchmarks/partial_labels.py [--sets lost MSRCv2 BirdSong]
                                        [--models linear trees]
                                        [--ways auto average "exact rows only"] [--folds 10]
"""

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from real_votes import DATA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from partlabel import Candidates, LabelSpace
from partlabel.learn import PartialLabelClassifier

MODELS = {
    "linear": lambda: LogisticRegression(max_iter=500),
    "trees": lambda: ExtraTreesClassifier(n_estimators=100, random_state=0),
}
WAYS: dict[str, dict[str, Any]] = {
    "auto": {},
    "average": {"objective": "average", "out_of_fold": False},
    "exact rows only": {"objective": "hard", "out_of_fold": False},
    "em": {"objective": "em"},
    "em in sample": {"objective": "em", "out_of_fold": False},
}


def load(folder: Path, name: str) -> tuple[np.ndarray, Candidates, np.ndarray]:
    with np.load(folder / "candidates" / name / "data.npz") as held:
        X, mask, y = held["X"].astype(float), held["candidates"], held["y"].ravel()
    return X, Candidates.from_mask(mask, LabelSpace(range(mask.shape[1]))), y


def measure(
    X: np.ndarray, seen: Candidates, y: np.ndarray, model: str, ways: list[str], n_folds: int
) -> None:
    found: dict[str, list[float]] = {way: [] for way in [*ways, "supervised"]}
    seconds: Counter[str] = Counter()
    chosen: Counter[str] = Counter()
    splits = list(KFold(10, shuffle=True, random_state=0).split(X))[:n_folds]
    for train, test in splits:
        scaler = StandardScaler().fit(X[train])
        A, B = scaler.transform(X[train]), scaler.transform(X[test])
        for way in ways:
            start = time.perf_counter()
            clf = PartialLabelClassifier(MODELS[model](), **WAYS[way]).fit(A, seen.select(train))
            seconds[way] += time.perf_counter() - start
            found[way].append(float(np.mean(clf.predict(B) == y[test])))
            if way == "auto":
                chosen[f"{clf.objective_}{' out of fold' * clf.out_of_fold_}"] += 1
        found["supervised"].append(MODELS[model]().fit(A, y[train]).score(B, y[test]))
    for way, scores in found.items():
        mean, spread = 100 * np.mean(scores), 100 * np.std(scores)
        print(
            f"  {way:16s} {mean:5.1f} ± {spread:4.1f}   {seconds[way] / len(splits):6.1f} s a fit"
        )
    print(
        "  auto chose",
        ", ".join(f"{way} ({n} of {len(splits)})" for way, n in chosen.items()),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--sets", nargs="+", default=["lost", "MSRCv2", "BirdSong"])
    parser.add_argument("--models", nargs="+", default=[*MODELS], choices=[*MODELS])
    parser.add_argument("--ways", nargs="+", default=[*WAYS], choices=[*WAYS])
    parser.add_argument(
        "--folds", type=int, default=10, help="how many of the ten folds to test on"
    )
    parser.add_argument("--data", type=Path, default=DATA)
    args = parser.parse_args()
    if not (args.data / "candidates").is_dir():
        print("The real sets aren't there; set PARTLABEL_DATA to their folder.")
        return
    for name in args.sets:
        X, seen, y = load(args.data, name)
        for model in args.models:
            print(f"{name}, {model}: accuracy in % over {args.folds} folds", flush=True)
            measure(X, seen, y, model, args.ways, args.folds)


if __name__ == "__main__":
    main()
