"""Tables in files: Parquet, CSV or JSON Lines, told by the file's ending."""

from pathlib import Path

import polars as pl

from partlabel.errors import InputError
from partlabel.files import replacing

ENDINGS = {".parquet": "Parquet", ".csv": "CSV", ".jsonl": "JSON Lines", ".ndjson": "JSON Lines"}


def read_table(path: Path) -> pl.DataFrame:
    """Read a table.

    Raises
    ------
    InputError
        If there is no such file, its ending is unknown, it can't be read, or it holds no row.
    """
    kind = _kind(path)
    if not path.is_file():
        what = "it is a folder" if path.is_dir() else "there is no such file"
        raise InputError(f"cannot read {str(path)!r}: {what}. Correct the path.")
    try:
        if kind == "Parquet":
            frame = pl.read_parquet(path)
        elif kind == "CSV":
            # whole columns decide their type: a code such as "07-b" may first stand in row 10,000
            frame = pl.read_csv(path, infer_schema_length=None)
        else:
            frame = pl.read_ndjson(path, infer_schema_length=None)
    except pl.exceptions.NoDataError:
        raise InputError(f"{str(path)!r} must hold a table; it is empty.") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as reason:
        first = str(reason).strip().splitlines()[0]
        raise InputError(
            f"{str(path)!r} must be a {kind} file; it can't be read as one ({first}). "
            "Correct the file, or its ending."
        ) from None
    if frame.is_empty():
        raise InputError(f"{str(path)!r} must hold at least one row; it has none.")
    return frame


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a table whole or not at all.

    Raises
    ------
    InputError
        If the ending is unknown.
    """
    kind = _kind(path)
    with replacing(path) as fresh:
        if kind == "Parquet":
            frame.write_parquet(fresh)
        elif kind == "CSV":
            frame.write_csv(fresh)
        else:
            frame.write_ndjson(fresh)


def check_free(path: Path, *, force: bool) -> None:
    """Refuse an output file whose ending is unknown, or that is there already.

    Raises
    ------
    InputError
    """
    _kind(path)
    if path.is_dir():
        raise InputError(
            f"`--output` must name a file; {str(path)!r} is a folder. Add a file name."
        )
    if path.exists() and not force:
        raise InputError(
            f"`--output` must not exist yet; {str(path)!r} does. "
            "Name another file, or replace it with --force."
        )


def _kind(path: Path) -> str:
    try:
        return ENDINGS[path.suffix.lower()]
    except KeyError:
        raise InputError(
            f"{str(path)!r} must end in one of {', '.join(ENDINGS)}, which tells its format. "
            "Rename or convert it."
        ) from None
