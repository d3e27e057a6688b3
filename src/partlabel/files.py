"""Writing a file or a folder whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    When the block raises, the temporary file or folder is removed and what was at `path` stays.

    Parameters
    ----------
    path : path-like
        The file or folder to write. A folder that exists is replaced as a whole.

    Yields
    ------
    Path
        Where to write: a file name that doesn't exist yet; create a file or a folder there.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fresh = scratch / target.name
        yield fresh
        if target.is_dir() and fresh.is_dir():
            _exchange(fresh, target, scratch)
        else:
            fresh.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _exchange(fresh: Path, target: Path, scratch: Path) -> None:
    """Put a folder into the place of another, which can't be renamed over while it is full."""
    old = scratch / f"{target.name}.old"
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
