"""The model's file: scikit-learn objects in skops' format, with the same bytes for the same model.

skops reads types from a list instead of running code, as a pickle would. It names the parts of a
file at random and stamps them with the time; both are replaced here.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from skops.io import dumps, get_untrusted_types, load

from partlabel.errors import InputError

SCHEMA = "schema.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
TRUSTED = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
)


def write_model(model: Any, path: Path) -> None:
    """Write a model of scikit-learn's objects."""
    path.write_bytes(_canonical(dumps(model)))


def read_model(path: Path) -> Any:
    """Read a model; refuses a file that holds any other type.

    Raises
    ------
    InputError
        If it isn't such a file, or holds types that aren't trusted.
    """
    try:
        unknown = sorted(set(get_untrusted_types(file=path)) - set(TRUSTED))
    except (zipfile.BadZipFile, KeyError, ValueError) as reason:
        raise InputError(f"{str(path)!r} must be a model written by `fit`; {reason}.") from None
    if unknown:
        raise InputError(
            f"{str(path)!r} must hold types of scikit-learn only; it has {', '.join(unknown[:3])}. "
            "Don't use it unless you know where it comes from; fit the model again."
        )
    return load(path, trusted=list(TRUSTED))


def _canonical(data: bytes) -> bytes:
    """The same content with parts named by their order, objects numbered, and no time."""
    with zipfile.ZipFile(io.BytesIO(data)) as given:
        parts = {name: given.read(name) for name in given.namelist()}
    schema = json.loads(parts.pop(SCHEMA))
    names: dict[str, str] = {}
    numbers: dict[int, int] = {}
    _rename(schema, names, numbers)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as fresh:
        _add(fresh, SCHEMA, json.dumps(schema, indent=1).encode())
        for old, new in names.items():
            _add(fresh, new, parts[old])
    return buffer.getvalue()


def _rename(node: Any, names: dict[str, str], numbers: dict[int, int]) -> None:
    """Number the objects and their files in the order in which they stand in the schema."""
    if isinstance(node, list):
        for one in node:
            _rename(one, names, numbers)
    if not isinstance(node, dict):
        return
    if "_stop_words_id" in node:  # a vectoriser remembers the memory address of its stop words
        node["_stop_words_id"]["content"] = "0"
    if "__id__" in node:
        node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
    if "__loader__" in node and isinstance(node.get("file"), str):
        old = node["file"]
        node["file"] = names.setdefault(old, f"{len(names)}{Path(old).suffix}")
    for one in node.values():
        _rename(one, names, numbers)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
