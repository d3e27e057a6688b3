from pathlib import Path

import pytest

from partlabel.files import replacing


def test_a_new_file_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "table.csv"
    with replacing(target) as fresh:
        assert fresh.suffix == ".csv"
        fresh.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_an_exception_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write_half() -> None:
        with replacing(str(target)) as fresh:
            fresh.write_text("half of the n")
            raise KeyError("n")

    with pytest.raises(KeyError):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["run", "replaced", "run.old"])
def test_a_folder_is_replaced_as_a_whole(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    for content in ("first", "second"):
        with replacing(target) as fresh:
            fresh.mkdir()
            (fresh / content).write_text(content)
    assert [path.name for path in target.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [target]


def test_an_exception_keeps_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    (target / "model").write_text("old")

    def write_half() -> None:
        with replacing(target) as fresh:
            fresh.mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert (target / "model").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(target):
        pass
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    (target / "model").write_text("old")
    with pytest.raises(OSError, match="run"), replacing(target) as fresh:
        fresh.write_text("a file")
    assert (target / "model").read_text() == "old"
