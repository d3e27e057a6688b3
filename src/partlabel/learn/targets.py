"""targets: what `fit` was given as its second argument, as evidence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from partlabel.errors import InputError
from partlabel.evidence import Candidates, ClassSets, Evidence, Votes, as_evidence
from partlabel.labels import LabelSpace
from partlabel.tables import is_null


def read_targets(y: Any, missing: Any) -> tuple[Evidence, NDArray[np.generic]]:
    """Give the evidence, and the class names as scikit-learn would hold them.

    Parameters
    ----------
    y : Evidence, Votes, Candidates, or (n_rows,) labels with gaps
    missing : value
        What stands for "no label" among plain labels; None, NaN and other nulls always do.

    Raises
    ------
    InputError
        If `y` is None, or names fewer than two classes.
    ValueError
        If plain labels are no classes, as scikit-learn says it.
    """
    if isinstance(y, Evidence | Votes | Candidates):
        evidence = as_evidence(y)
        return evidence, names_of(evidence.labels)
    if isinstance(y, np.ndarray) and y.dtype == bool and y.ndim == 2 and y.shape[1] > 1:
        raise InputError(
            f"`y` must be one label per row, or evidence; got a mask of shape {y.shape}. "
            "Read it with `Candidates.from_mask(y, labels)`."
        )
    codes, classes = coded(y, missing)
    if len(classes) < 2:
        got = f"one class, {classes.tolist()[0]!r}," if len(classes) else "no label"
        raise InputError(
            f"`y` must name at least two classes; got {got} in {len(codes)} rows. "
            "Add labels of others, or pass Candidates, whose label space names them."
        )
    labels = LabelSpace(tuple(classes.tolist()))
    table = np.vstack([np.eye(len(labels), dtype=bool), np.ones((1, len(labels)), dtype=bool)])
    sets = ClassSets(table, np.where(codes < 0, len(labels), codes).astype(np.int32))
    return Evidence(candidates=Candidates(sets, labels)), classes


def coded(y: Any, missing: Any) -> tuple[NDArray[np.int64], NDArray[np.generic]]:
    """Plain labels as codes, -1 where there is none, and the classes."""
    if y is None:
        raise InputError(
            "`fit` requires y to be passed, but the target y is None. Pass Evidence, or labels."
        )
    plain = np.asarray(y)
    if plain.dtype.kind == "f":
        check_array(plain, ensure_2d=False, ensure_all_finite="allow-nan", input_name="y")
    plain = column_or_1d(plain, warn=True)
    known = ~_gaps(plain, missing)
    labelled = plain[known]
    if labelled.dtype.kind == "O" and not any(isinstance(name, str) for name in labelled):
        labelled = np.array(labelled.tolist())  # numbers beside None
    check_classification_targets(labelled)
    classes, code = np.unique(labelled, return_inverse=True)
    codes = np.full(len(plain), -1, dtype=np.int64)
    codes[known] = code
    return codes, classes


def _gaps(y: NDArray[Any], missing: Any) -> NDArray[np.bool_]:
    if y.dtype.kind == "O":
        return np.array([is_null(v) or (not is_null(missing) and v == missing) for v in y], bool)
    gaps = np.isnan(y) if y.dtype.kind == "f" else np.zeros(len(y), dtype=bool)
    comparable = isinstance(missing, str) == (y.dtype.kind == "U") and y.dtype.kind != "b"
    return gaps | (y == missing) if comparable and not is_null(missing) else gaps


def names_of(labels: LabelSpace) -> NDArray[np.generic]:
    """The class names as an array; of objects where they are of mixed kinds."""
    mixed = len({type(name) for name in labels.classes}) > 1
    return np.array(labels.classes, dtype=object if mixed else None)
