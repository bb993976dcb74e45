"""The manual's pages are one compressed file in the installed package."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from promptops.cli import help_command

from .conftest import Run


def test_the_manual_is_read_from_an_archive_as_from_its_files(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, shown = run("help"), run("help", "drift")
    package = tmp_path / "package"
    (package / "guide").mkdir(parents=True)
    source = Path(help_command.__file__).parents[1] / "guide"
    with zipfile.ZipFile(package / "guide" / "pages.zip", "w") as archive:
        for page in source.glob("*.md"):
            archive.write(page, f"promptops/guide/{page.name}")
    monkeypatch.setattr(help_command, "files", lambda name: package)
    assert run("help") == listed
    assert run("help", "drift") == shown
    assert "one false alarm per year" in run("help", "--search", "one false alarm")[1]
    assert len(listed[1].splitlines()) > 25
