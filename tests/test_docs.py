"""The Python blocks of README.md and docs/ run, page by page, from top to bottom.

The blocks of a page share their names and a temporary working directory. A block is left out when
the line before it (blank lines aside) is `<!-- no-run: reason -->`.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("README.md"), *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"(?P<indent>\s*)(?P<ticks>`{3,}|~{3,})\s*(?P<language>[\w+-]*)")
NO_RUN = re.compile(r"<!--\s*no-run\b:?\s*(?P<reason>.*?)\s*-->")


def python_blocks(markdown: str) -> list[tuple[int, str]]:
    """The blocks to run: the line number of each one's first line, and its code."""
    blocks = []
    lines = markdown.splitlines()
    before, number = "", 0
    while number < len(lines):
        line = lines[number]
        number += 1
        fence = FENCE.match(line)
        if fence is None:
            before = line.strip() or before
            continue
        start = number
        while number < len(lines) and lines[number].strip() != fence["ticks"]:
            number += 1
        if number == len(lines):
            raise ValueError(f"line {start}: this block is never closed")
        if fence["language"] in ("py", "python3"):
            raise ValueError(f"line {start}: write `python`, so that the block is run")
        if fence["language"] == "python" and not _is_left_out(before, start):
            indent = len(fence["indent"])
            code = [text[indent:] for text in lines[start:number]]
            blocks.append((start + 1, "\n".join(code) + "\n"))
        before = ""
        number += 1
    return blocks


def _is_left_out(before: str, line: int) -> bool:
    no_run = NO_RUN.fullmatch(before)
    if no_run is not None and not no_run["reason"]:
        raise ValueError(f"line {line}: say why, as in <!-- no-run: needs a cluster -->")
    return no_run is not None


def run(blocks: list[tuple[int, str]], page: str) -> dict[str, object]:
    """The names that the blocks leave behind."""
    names: dict[str, object] = {"__name__": "__docs__"}
    for line, code in blocks:
        # The blank lines make a traceback give the line of the page.
        exec(compile("\n" * (line - 1) + code, page, "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_python_blocks_of_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = python_blocks(page.read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    run(blocks, str(page))


def test_blocks_share_names_and_run_in_order() -> None:
    page = "```python\nx = 1\n```\ntext\n```python\nx += 1\n```\n"
    assert run(python_blocks(page), "page")["x"] == 2


def test_error_in_a_block_gives_the_line_of_the_page() -> None:
    page = "# Title\n\n```python\nx = 1\n1 / 0\n```\n"
    with pytest.raises(ZeroDivisionError) as error:
        run(python_blocks(page), "page.md")
    frame = error.traceback[-1]
    assert (str(frame.path).endswith("page.md"), frame.lineno + 1) == (True, 5)


def test_indented_block_is_dedented() -> None:
    page = "1. Step\n\n    ```python\n    if True:\n        x = 1\n    ```\n"
    assert python_blocks(page) == [(4, "if True:\n    x = 1\n")]


def test_block_with_a_title_is_run() -> None:
    assert python_blocks('```python title="fit.py"\nx = 1\n```\n') == [(2, "x = 1\n")]


def test_other_languages_are_not_run() -> None:
    assert python_blocks("```console\n$ partlabel demo\n```\n```\nplain\n```\n") == []


def test_python_block_shown_inside_another_block_is_not_run() -> None:
    assert python_blocks("````markdown\n```python\nx = 1\n```\n````\n") == []


def test_no_run_leaves_out_the_next_block_only() -> None:
    page = "<!-- no-run: needs a cluster -->\n\n```python\nx = 1\n```\n\n```python\ny = 2\n```\n"
    assert python_blocks(page) == [(8, "y = 2\n")]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<!-- no-run -->\n```python\nx = 1\n```\n", "line 2: say why"),
        ("<!-- no-run: -->\n```python\nx = 1\n```\n", "line 2: say why"),
        ("```python\nx = 1\n", "line 1: this block is never closed"),
        ("```py\nx = 1\n```\n", "line 1: write `python`"),
    ],
)
def test_page_is_refused(page: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        python_blocks(page)
