"""`promptops show NAME v3 --edit`: what the editor leaves becomes the next version, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.registry.editor import Editor

NAME = "support-triage"
Run = Callable[..., tuple[int, str, str]]


def test_an_edit_is_the_next_version(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a note and an author; the same text again, or none, writes nothing."""
    monkeypatch.setenv("VISUAL", "sed -i s/Line/LINE/")
    code, out, _ = run("show", NAME, "v3", "--edit", "--note", "louder")
    assert (code, out.startswith(f"saved {NAME} v5 (p1-")) == (0, True)
    saved = Editor(path).versions(NAME)[-1]
    assert saved.version.template[-1]["content"] == "LINE one\nVersion 3: {{ticket}}"
    assert (saved.version.model, saved.note, saved.author) == ("large", "louder", "eve")
    assert "v5 has this content already" in run("show", NAME, "v3", "--edit")[1]
    monkeypatch.setenv("VISUAL", "true")
    assert "was not changed" in run("show", NAME, "--edit")[1]
    assert len(Editor(path).versions(NAME)) == 5


def test_a_text_that_is_no_prompt_is_kept(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work of the editor is not lost, and nothing is saved."""
    monkeypatch.setenv("VISUAL", "sed -i 's/{{ticket}}/{{ ticket | upper }}/'")
    code, _, err = run("show", NAME, "v1", "--edit")
    assert code == 2
    assert f"kept in {NAME}.rejected.md" in err
    assert "| upper" in (path.parent / f"{NAME}.rejected.md").read_text()
    assert len(Editor(path).versions(NAME)) == 4
