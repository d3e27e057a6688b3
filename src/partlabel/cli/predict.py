"""`partlabel predict`: what a run's model says about new rows."""

from pathlib import Path

import sklearn

from partlabel.beliefs import Beliefs
from partlabel.cli import runs, show
from partlabel.cli.columns import present
from partlabel.cli.features import Features
from partlabel.cli.fitting import probabilities
from partlabel.cli.formats import check_free, read_table, write_table
from partlabel.cli.model_file import read_model
from partlabel.cli.sources import decided
from partlabel.errors import InputError
from partlabel.labels import LabelSpace


def predict(folder: Path, path: Path, *, output: Path, force: bool, as_json: bool) -> None:
    """Write the class of each row of a table, and how sure that is."""
    check_free(output, force=force)
    with show.steps(3) as step:
        with step("reading the model"):
            facts = runs.read_facts(folder)
            _check_version(facts["versions"]["scikit-learn"])
            model = read_model(folder / runs.MODEL)
        with step("reading the table"):
            frame = read_table(path)
            table = Features(**{k: tuple(v) for k, v in facts["features"].items()}).table(frame)
        with step("predicting"):
            said = probabilities(model, table, LabelSpace(tuple(facts["classes"])))
            item = facts["settings"]["columns"]["item"]
            if item is not None:
                ids = frame[present(frame, item, "item column of the run")]
                said = Beliefs(said.probs, said.labels, ids.to_numpy())
            write_table(said.to_polars(), output)
    if as_json:
        show.write_json({"n_items": len(said), "output": str(output)})
    else:
        show.say(f"Wrote {output}: {decided(said)}")


def _check_version(written_by: str) -> None:
    """scikit-learn promises to read models of its own version only."""
    if written_by.split(".")[:2] != sklearn.__version__.split(".")[:2]:
        raise InputError(
            f"The model was written with scikit-learn {written_by}, but {sklearn.__version__} is "
            "installed, which may read it wrongly. Install the former, or fit again."
        )
