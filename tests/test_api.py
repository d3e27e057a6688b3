"""The public names: those that `partlabel` exports are those that the API page describes."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import partlabel

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"


def described(module: str) -> set[str]:
    """What the page says is in a module, or below it."""
    pattern = rf"^::: {module}(?:\.\w+)*\.(\w+)$"
    return set(re.findall(pattern, PAGE.read_text(), flags=re.MULTILINE))


def test_the_page_describes_every_export() -> None:
    of_modules = {"AutoPartialLabelClassifier", "breast_cancer", "class_prior", "default_recipe"}
    of_modules |= {"SoftForest", "mark_propensity"}
    of_modules |= described("partlabel.evaluate")
    with_torch = described("partlabel.losses") | described("partlabel.train")
    assert described("partlabel") - of_modules - with_torch == set(partlabel.__all__)


@pytest.mark.parametrize("module", ["partlabel.losses", "partlabel.train"])
def test_the_page_describes_what_needs_torch(module: str) -> None:
    assert described(module) == set(import_module(module).__all__)


@pytest.mark.parametrize("name", partlabel.__all__)
def test_every_export_is_there_and_documented(name: str) -> None:
    assert getattr(partlabel, name).__doc__


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Vote'"):
        partlabel.Vote  # noqa: B018 - reading it is what is refused


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'polars', 'sklearn', 'numba', 'torch'}"
    assert run(f"import sys, partlabel; print(*({heavy} & set(sys.modules)))") == ""


NONE_OF_THESE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('pandas', 'pyarrow', 'torch'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

sys.meta_path.insert(0, Absent())
import partlabel
print(all(getattr(partlabel, name) for name in partlabel.__all__))
"""


def test_neither_pandas_nor_pyarrow_nor_torch_is_needed() -> None:
    assert run(NONE_OF_THESE) == "True"
