"""Nothing that the write side takes makes a file that the read side refuses for its size."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from promptops.errors import RegistryError
from promptops.registry import document, source
from promptops.registry.editor import Editor
from promptops.registry.loader import Loader
from promptops.version import PromptVersion


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """A registry that serves v1 of "a", where no registry may have more than 8,000 bytes."""
    for module in (document, source):
        monkeypatch.setattr(module, "MAX_BYTES", 8_000)
    editor = Editor(tmp_path / "promptops.json")
    editor.save("a", PromptVersion("q {{x}}"))
    editor.promote("a", 1, "prod", author="me", force=True, reason="first")
    return editor


@pytest.mark.parametrize("bulk", [False, True])
def test_a_file_that_no_reader_would_take_is_not_written(editor: Editor, bulk: bool) -> None:
    """The save is refused, the file stays as it was and serves, and what is smaller lands."""
    path = Path(editor.path)
    before = path.read_bytes()

    def save_much() -> None:
        with editor.bulk() if bulk else nullcontext():
            for number in range(9) if bulk else (0,):
                editor.save("b", PromptVersion(f"{number} " * (500 if bulk else 5_000) + "{{x}}"))

    with pytest.raises(RegistryError, match="more than the limit of 8,000"):
        save_much()
    assert path.read_bytes() == before
    assert editor.save("b", PromptVersion("short {{x}}")) == 1
    assert Loader(path, saved_copy=False).get("a", "prod").number == 1


def test_notes_and_reasons_have_a_length(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every application reads them with the file: 20,000 characters are kept, more is refused."""
    for module in (document, source):
        monkeypatch.setattr(module, "MAX_BYTES", 1 << 20)
    path, fits = Path(editor.path), "x" * 20_000
    before = path.read_bytes()
    with pytest.raises(RegistryError, match="the note has 20,001 characters"):
        editor.save("b", PromptVersion("b {{x}}"), note=fits + "x")
    with pytest.raises(RegistryError, match="the reason has 20,001 characters"):
        editor.promote("a", 1, "dev", author="me", force=True, reason=fits + "x")
    assert path.read_bytes() == before
    editor.save("b", PromptVersion("b {{x}}"), note=fits)
    editor.promote("b", 1, "prod", author="me", force=True, reason=fits)
    assert Loader(path, saved_copy=False).get("b", "prod").number == 1
