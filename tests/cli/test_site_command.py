"""`promptops site` replaces its own folder whole, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptops.cli.site_folder import MARK, write_folder
from promptops.errors import RegistryError

from .conftest import Run


def _tree(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_the_command_writes_the_pages_and_writes_them_again(run: Run, path: Path) -> None:
    """The same bytes, and nothing beside them."""
    code, out, _ = run("site", "public")
    assert code == 0
    assert out.startswith("public/index.html: 3 pages, ")
    folder = path.parent / "public"
    before = _tree(folder)
    assert set(before) == {
        ".nojekyll",
        MARK,
        "index.html",
        "prompts/plain.html",
        "prompts/support-triage.html",
    }
    assert run("site", "public")[0] == 0
    assert _tree(folder) == before
    assert not [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".public")]


@pytest.mark.parametrize("name", ["CNAME", "prompts/notes.txt", ".git/config"])
def test_what_somebody_else_put_there_is_refused_by_name(name: str, run: Run, path: Path) -> None:
    """Exit code 2, and the folder stays as it is: without our mark, and beside our pages."""
    folder = path.parent / "public"
    for _ in range(2):
        foreign = folder / name
        foreign.parent.mkdir(parents=True, exist_ok=True)
        foreign.write_text("mine")
        before = _tree(folder)
        code, _, err = run("site", "public")
        assert code == 2
        assert f"holds {name}, which no earlier" in err
        assert _tree(folder) == before
        foreign.unlink()
        if not any(foreign.parent.iterdir()):
            foreign.parent.rmdir()
        assert run("site", "public")[0] == 0


def test_a_link_in_the_folder_is_foreign(tmp_path: Path) -> None:
    """Nothing behind it is touched."""
    behind = tmp_path / "behind"
    behind.mkdir()
    (behind / "x").write_text("x")
    write_folder(tmp_path / "public", {"index.html": "1"})
    (tmp_path / "public" / "more").symlink_to(behind)
    with pytest.raises(RegistryError, match="holds more"):
        write_folder(tmp_path / "public", {"index.html": "2"})
    assert (behind / "x").read_text() == "x"


def test_an_interrupted_step_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the two renames: the next call finds the pages of before."""
    import os

    folder, real = tmp_path / "public", os.rename
    write_folder(folder, {"index.html": "1"})

    def killed(source: Path, target: Path) -> None:
        if Path(target) == folder:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr("promptops.cli.site_folder.os.rename", killed)
    with pytest.raises(KeyboardInterrupt):
        write_folder(folder, {"index.html": "2"})
    monkeypatch.undo()
    assert not folder.exists()
    write_folder(folder, {"index.html": "3"})
    assert (folder / "index.html").read_text() == "3"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["public"]


def test_a_full_disk_leaves_the_pages_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New pages are written beside, and come in as a whole."""
    folder = tmp_path / "public"
    write_folder(folder, {"index.html": "1"})

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("promptops.cli.site_folder._fill", full)
    with pytest.raises(OSError, match="No space"):
        write_folder(folder, {"index.html": "2"})
    assert (folder / "index.html").read_text() == "1"
