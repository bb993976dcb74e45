"""A small registry, and the command line in its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptops import PromptVersion
from promptops.cli.__main__ import main
from promptops.registry.editor import Editor

NAME = "support-triage"
V = [
    PromptVersion(f"Line one\nVersion {number}: {{{{ticket}}}}", model="large")
    for number in range(1, 5)
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """v1 then v2 in prod, forced; v3 beside it as a canary in dev; another prompt that serves
    nowhere.
    """
    editor = Editor(tmp_path / "project" / "promptops.json")
    Path(editor.path).parent.mkdir()
    for version in V:
        editor.save(NAME, version, note="the note", author="ann")
    editor.save("plain", PromptVersion("Hello"))
    for number in (1, 2):
        editor.promote(NAME, number, "prod", author="ann", force=True, reason="first days")
    editor.promote(NAME, 2, "dev", author="ann")
    editor.promote(NAME, 3, "dev", author="bob", percent=20)
    return Path(editor.path)


@pytest.fixture
def run(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in the project's folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("PROMPTOPS_USER", "eve")

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call
