import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# No deadline: the first call of a compiled function is slow. Derandomised: a run can be repeated.
settings.register_profile("partlabel", deadline=None, derandomize=True)
settings.load_profile("partlabel")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, which is not part of the repository."""
    folder = Path(os.environ.get("PARTLABEL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            "the real data are not here: set PARTLABEL_DATA to their folder, "
            "or put them into ../shared/data beside the repository"
        )
    return folder
