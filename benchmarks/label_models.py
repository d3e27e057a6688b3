"""Label models on real votes: ours and each peer that is installed, on the same sets in one run.

Accuracy (ties at their expected value), macro F1, log loss (clipped at 1e-6), calibration error (15
equal bins) and seconds, for items with at least one vote; means over rule sets and over crowds.
``--gold N`` adds N random gold labels (``--draws``); ``--copies`` adds five copies of one source;
``--intervals`` asks how often 95% intervals of sources' accuracies hold the accuracy on gold.
``--save FILE`` keeps the numbers as Parquet; ``--figure FILE.html SAVED...`` draws saved ones.

    pip install -r benchmarks/peers.txt    # optional
    python benchmarks/label_models.py
"""

import argparse
import contextlib
import io
import logging
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
from plotly.subplots import make_subplots
from real_votes import RealSet, real_sets

from partlabel import Candidates, DawidSkene, Evidence, MajorityVote, Votes
from partlabel.aggregate import MACE, LabelModel, WeightedVote

Model = Callable[[Votes], np.ndarray]
MAJORITY = "partlabel MajorityVote"


def ours() -> dict[str, Model]:
    """Our label models, with their defaults."""
    models = {
        "partlabel LabelModel": LabelModel(),
        MAJORITY: MajorityVote(),
        "partlabel DawidSkene": DawidSkene(),
        "partlabel DawidSkene loo": DawidSkene(inference="loo"),
        "partlabel MACE": MACE(),
        "partlabel WeightedVote": WeightedVote(),
    }
    return {
        name: lambda votes, model=model: model.fit_aggregate(votes).probs
        for name, model in models.items()
    }


def matrix_of(votes: Votes) -> np.ndarray:
    """(n_items, n_sources) class codes, -1 where a source said nothing."""
    matrix = np.full((votes.n_items, votes.n_sources), -1)
    matrix[votes.item, votes.source] = votes.vocabulary.meaning[votes.symbol]
    return matrix


def by_crowdkit(name: str, **settings: object) -> Model:
    """A model of crowd-kit; what it leaves out of its table has probability 0."""

    def run(votes: Votes) -> np.ndarray:
        import crowdkit.aggregation as crowdkit
        import pandas as pd

        word = votes.vocabulary.meaning[votes.symbol]
        frame = pd.DataFrame({"task": votes.item, "worker": votes.source, "label": word})
        model = getattr(crowdkit, name)(**settings)
        if hasattr(model, "fit_predict_proba"):
            table = model.fit_predict_proba(frame)
            probs = table.reindex(range(votes.n_items), columns=range(len(votes.labels)))
            return probs.fillna(0.0).to_numpy()
        decided = model.fit_predict(frame).reindex(range(votes.n_items)).to_numpy()
        return np.eye(len(votes.labels))[decided.astype(int)]

    return run


def by_cleanlab(votes: Votes) -> np.ndarray:
    """crowdlab, given the majority's shares as the model's predictions."""
    import pandas as pd
    from cleanlab.multiannotator import get_label_quality_multiannotator

    matrix = matrix_of(votes).astype(float)
    matrix[matrix < 0] = np.nan
    spoke = ~np.isnan(matrix).all(axis=0)
    shares = MajorityVote().fit_aggregate(votes).probs
    found = get_label_quality_multiannotator(
        pd.DataFrame(matrix[:, spoke]), shares, verbose=False, return_detailed_quality=False
    )["label_quality"]
    probs = np.zeros_like(shares)
    label = found["consensus_label"].to_numpy().astype(int)
    sure = found["consensus_quality_score"].to_numpy()
    probs += ((1.0 - sure) / (shares.shape[1] - 1))[:, None]
    probs[np.arange(len(label)), label] = sure
    return probs


def by_snorkel(votes: Votes) -> np.ndarray:
    """Snorkel's LabelModel with its defaults."""
    from snorkel.labeling.model import LabelModel as Snorkel

    model = Snorkel(cardinality=len(votes.labels), verbose=False)
    model.fit(matrix_of(votes), n_epochs=500, seed=0, progress_bar=False)
    return model.predict_proba(matrix_of(votes))


def peers() -> dict[str, Model]:
    """The peers that are installed."""
    found: dict[str, Model] = {}
    if find_spec("crowdkit"):
        for name, settings in {
            "MajorityVote": {},
            "DawidSkene": {"n_iter": 100},
            "OneCoinDawidSkene": {"n_iter": 100},
            "GLAD": {"silent": True, "n_iter": 30},
            "Wawa": {},
            "ZeroBasedSkill": {},
            "MACE": {"random_state": 0, "n_restarts": 3},
            "MMSR": {"random_state": 0},
        }.items():
            found[f"crowd-kit {name}"] = by_crowdkit(name, **settings)
    if find_spec("cleanlab"):
        found["cleanlab crowdlab"] = by_cleanlab
    if find_spec("snorkel"):
        found["Snorkel LabelModel"] = by_snorkel
    return found


def score(probs: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Accuracy, macro F1, log loss and calibration error on items with gold."""
    rows = np.arange(len(truth))
    top = probs >= probs.max(axis=1, keepdims=True) - 1e-9
    right = top[rows, truth] / top.sum(axis=1)
    decided = top / top.sum(axis=1, keepdims=True)
    known = np.eye(probs.shape[1])[truth]
    hit = (decided * known).sum(axis=0)
    present = known.any(axis=0)
    f1 = 2 * hit / np.maximum(decided.sum(axis=0) + known.sum(axis=0), 1e-12)
    sure = probs.max(axis=1)
    level = np.clip((sure * 15).astype(int), 0, 14)
    error = sum(
        abs((sure - right)[level == one].mean()) * (level == one).mean() for one in np.unique(level)
    )
    loss = -np.log(np.clip(probs[rows, truth], 1e-6, 1.0)).mean()
    return {"accuracy": right.mean(), "F1": f1[present].mean(), "log loss": loss, "ECE": error}


def run(models: dict[str, Model], sets: list[RealSet]) -> pl.DataFrame:
    """One row per model and set; a model that fails on a set has nulls there."""
    rows = []
    for data in sets:
        truth = data.gold.codes()[data.known]
        for name, model in models.items():
            begun, cpu = time.perf_counter(), time.process_time()
            row = {"model": name, "kind": data.kind, "set": data.name}
            try:
                quiet = io.StringIO()
                with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                    probs = model(data.votes)
                row |= score(np.nan_to_num(probs[data.known], nan=0.0), truth)
            except Exception as error:  # noqa: BLE001 - a peer's failure is a result
                row["failed"] = type(error).__name__
            row["seconds"] = time.perf_counter() - begun
            row["cpu"] = time.process_time() - cpu
            rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def show(found: pl.DataFrame) -> None:
    """Accuracy for each set, then the means."""
    pl.Config.set_tbl_rows(60).set_tbl_cols(40).set_tbl_width_chars(240).set_float_precision(3)
    pl.Config.set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True)
    for kind in found["kind"].unique(maintain_order=True):
        part = found.filter(pl.col("kind") == kind)
        wide = part.pivot("set", index="model", values="accuracy")
        means = part.group_by("model", maintain_order=True).agg(
            pl.col("accuracy", "F1", "log loss", "ECE", "seconds").mean(),
            sets=pl.col("accuracy").count(),
        )
        print(f"\n{kind}: accuracy on each set\n{wide}")
        print(f"{kind}: means\n{means.sort('accuracy', descending=True)}")


def draw(found: pl.DataFrame, page: Path) -> None:
    """A dot for each model and set: accuracy beyond majority vote, against log loss."""
    majority = found.filter(pl.col("model") == MAJORITY).select("set", before="accuracy")
    beyond = found.join(majority, on="set").with_columns(
        gain=100 * (pl.col("accuracy") - pl.col("before"))
    )
    order = beyond.group_by("model").agg(pl.col("gain").mean()).sort("gain")["model"].drop_nulls()
    figure = make_subplots(
        rows=2, cols=2, shared_yaxes=True, horizontal_spacing=0.03, vertical_spacing=0.12,
        subplot_titles=[
            f"{kind}: {what}"
            for kind in ("rules", "crowds")
            for what in ("points of accuracy beyond majority vote", "log loss (nats)")
        ],
    )  # fmt: skip
    for row, kind in enumerate(("rules", "crowd"), start=1):
        part = beyond.filter((pl.col("kind") == kind) & (pl.col("model") != MAJORITY))
        for name in order.filter(order != MAJORITY):
            one = part.filter(pl.col("model") == name)
            colour = "#c2410c" if name == "partlabel LabelModel" else "#64748b"
            for column, value in enumerate(("gain", "log loss"), start=1):
                figure.add_scatter(
                    x=one[value], y=[name] * len(one), mode="markers", text=one["set"],
                    marker={"color": colour, "opacity": 0.5, "size": 8}, row=row, col=column,
                )  # fmt: skip
                figure.add_scatter(
                    x=[one[value].mean()], y=[name], mode="markers", row=row, col=column,
                    marker={"color": colour, "symbol": "line-ns-open", "size": 18, "line_width": 3},
                )  # fmt: skip
        figure.add_vline(0, line_color="#94a3b8", row=row, col=1)
    margin = {"l": 20, "r": 20, "t": 40, "b": 30}
    figure.update_layout(
        showlegend=False, template="plotly_white", width=1100, height=680, margin=margin
    )
    figure.write_html(page, config={"displayModeBar": False})


def with_gold(sets: list[RealSet], n_gold: int, draws: int) -> None:
    """What random gold labels add, on the items that have none of them."""
    rows = []
    for data in sets:
        for draw in range(draws):
            rng = np.random.default_rng(draw)
            known = rng.permutation(data.known)
            given, rest = known[:n_gold], known[n_gold:]
            if len(rest) < n_gold:
                continue
            names = data.votes.labels.decode(data.gold.codes())
            shown = pl.Series(np.isin(np.arange(len(names)), given))
            hidden = pl.select(pl.when(shown).then(names)).to_series()
            gold = Candidates.from_labels(hidden, data.votes.labels)
            truth = data.gold.codes()[rest]
            free = LabelModel().fit_aggregate(data.votes).probs[rest]
            told = LabelModel().fit_aggregate(Evidence(votes=data.votes, gold=gold)).probs[rest]
            for name, probs in (("without gold", free), (f"{n_gold} gold", told)):
                about = {"kind": data.kind, "set": data.name, "model": name}
                rows.append(about | score(probs, truth))
    found = pl.DataFrame(rows)
    by_set = found.group_by("kind", "set", "model", maintain_order=True).agg(
        pl.col("accuracy", "F1", "log loss", "ECE").mean()
    )
    show(by_set.with_columns(seconds=pl.lit(0.0)))


def with_copies(models: dict[str, Model], sets: list[RealSet]) -> None:
    """What five copies of the first, the middle and the last source do to accuracy."""
    rows = []
    for data in sets:
        truth = data.gold.codes()[data.known]
        matrix = matrix_of(data.votes)
        busy = np.argsort(-(matrix >= 0).sum(axis=0), kind="stable")
        for name, model in models.items():
            before = score(model(data.votes)[data.known], truth)["accuracy"]
            for source in (busy[0], busy[len(busy) // 4]):
                more = np.column_stack([matrix, *[matrix[:, source]] * 5])
                votes = Votes.from_matrix(more, data.votes.labels)
                after = score(model(votes)[data.known], truth)["accuracy"]
                rows.append(
                    {"kind": data.kind, "model": name, "set": data.name, "change": after - before}
                )
    found = pl.DataFrame(rows)
    print(
        found.group_by("kind", "model", maintain_order=True).agg(
            mean=pl.col("change").mean(), largest=pl.col("change").abs().max()
        )
    )


def intervals(sets: list[RealSet]) -> None:
    """How often a source's 95% interval, without gold, holds its accuracy on gold."""
    rows = []
    for data in sets:
        estimated = LabelModel().fit(data.votes).reliability_
        checked = MajorityVote().fit(Evidence(votes=data.votes, gold=data.gold)).reliability_
        joined = estimated.select("source", "accuracy_low", "accuracy_high").join(
            checked.select("source", "gold_votes", "gold_accuracy"), on="source"
        )
        enough = joined.filter(pl.col("gold_votes") >= 30)
        held = enough.select(
            pl.col("gold_accuracy").is_between("accuracy_low", "accuracy_high")
        ).to_series()
        width = (enough["accuracy_high"] - enough["accuracy_low"]).mean()
        rows.append({"set": data.name, "sources": len(enough), "held": held.sum(), "width": width})
    found = pl.DataFrame(rows).with_columns(share=pl.col("held") / pl.col("sources"))
    print(found)
    print(f"all sources: {found['held'].sum() / found['sources'].sum():.3f} (bar: 0.90)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--gold", type=int, default=0)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--copies", action="store_true")
    parser.add_argument("--intervals", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--figure", type=Path, nargs="+")
    parser.add_argument("--only-peers", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    pl.Config.set_tbl_rows(60).set_tbl_width_chars(240)
    if arguments.figure:
        page, *saved = arguments.figure
        draw(pl.concat((pl.read_parquet(path) for path in saved), how="diagonal"), page)
        return
    sets = real_sets()
    if not sets:
        print("The real sets aren't there; set PARTLABEL_DATA to their folder.")
        return
    if arguments.gold:
        with_gold(sets, arguments.gold, arguments.draws)
    elif arguments.copies:
        with_copies(ours(), sets)
    elif arguments.intervals:
        intervals(sets)
    else:
        models = ({} if arguments.only_peers else ours()) | ({} if arguments.no_peers else peers())
        found = run(models, sets)
        if arguments.save:
            found.write_parquet(arguments.save)
        show(found)


if __name__ == "__main__":
    main()
