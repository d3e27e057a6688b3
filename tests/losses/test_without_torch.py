"""Where PyTorch is missing, the folder says what to type, and the rest works."""

import subprocess
import sys

import pytest

NO_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'torch':
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

sys.meta_path.insert(0, Absent())
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["partlabel.losses", "partlabel.losses.marginal"])
def test_the_missing_extra_is_named(module: str) -> None:
    done = run(f"{NO_TORCH}\nimport {module}")
    assert done.returncode == 1
    assert 'Type: pip install "partlabel[torch]"' in done.stderr.splitlines()[-1]


def test_it_is_an_import_error_about_torch() -> None:
    handled = "try:\n    import partlabel.losses\nexcept ImportError as e:\n    print(e.name)"
    assert run(f"{NO_TORCH}\n{handled}").stdout.strip() == "torch"


def test_the_package_doesnt_import_torch() -> None:
    code = (
        "import sys, partlabel, partlabel.learn, partlabel.aggregate; print('torch' in sys.modules)"
    )
    assert run(code).stdout.strip() == "False"
