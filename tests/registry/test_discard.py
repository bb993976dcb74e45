"""A version that never served can be discarded; what served is history, and a number means one
content for good.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptops import PromptVersion
from promptops.errors import RegistryCorrupt, RegistryError
from promptops.registry import document
from promptops.registry.editor import Editor
from promptops.registry.merge_branches import merge

NAME = "triage"


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    editor = Editor(tmp_path / "promptops.json")
    for number in (1, 2, 3):
        editor.save(NAME, PromptVersion(f"Version {number}: {{{{ticket}}}}"))
    return editor


def numbers(editor: Editor) -> list[int]:
    return [entry.number for entry in editor.versions(NAME)]


def test_a_version_that_never_served_is_discarded(editor: Editor) -> None:
    """By its number, label or id; the others keep their numbers, and the file is as sound as
    before.
    """
    before = {entry.number: entry for entry in editor.versions(NAME)}
    assert editor.discard(NAME, 2).id == before[2].id
    assert numbers(editor) == [1, 3]
    assert editor.discard(NAME, before[1].id[:12]).number == 1
    assert numbers(editor) == [3]
    read = document.parse(Path(editor.path).read_bytes(), editor.path)
    assert list(document.check(read)) == []
    with pytest.raises(RegistryError, match="no version"):
        editor.discard(NAME, 2)


def test_a_number_is_never_given_again(editor: Editor) -> None:
    """The highest one neither, whatever is discarded after it, and the same content may come back
    under the next.
    """
    third = editor.versions(NAME)[2].version
    editor.discard(NAME, "v3")
    assert json.loads(Path(editor.path).read_text(encoding="utf-8"))["prompts"][NAME]["last"] == 3
    editor.discard(NAME, 2)
    assert editor.save(NAME, PromptVersion("Another: {{ticket}}")) == 4
    editor.discard(NAME, 4)
    assert editor.save(NAME, third) == 5
    assert numbers(editor) == [1, 5]


def test_what_served_is_history(editor: Editor) -> None:
    """What serves, served, was a canary or was rolled back stays, and the file with it."""
    editor.promote(NAME, 1, "dev", author="ann")
    editor.promote(NAME, 2, "dev", author="ann")
    editor.rollback(NAME, "dev", author="ann")
    editor.promote(NAME, 3, "dev", author="ann", percent=10)
    before = Path(editor.path).read_bytes()
    for number in (1, 2, 3):
        with pytest.raises(
            RegistryError, match=f"v{number} of {NAME} is part of the history of dev"
        ):
            editor.discard(NAME, number)
    assert Path(editor.path).read_bytes() == before


def test_the_highest_number_survives_a_merge(editor: Editor, tmp_path: Path) -> None:
    """Either side's; a version that one side discarded is back, since the other may use it."""
    base = document.parse(Path(editor.path).read_bytes(), "base")
    editor.discard(NAME, 3)
    ours = document.parse(Path(editor.path).read_bytes(), "ours")
    for sides in ((base, ours, base), (base, base, ours)):
        found = merge(*sides).document["prompts"][NAME]
        assert found["last"] == 3
        assert [entry["number"] for entry in found["versions"]] == [1, 2, 3]


@pytest.mark.parametrize("last", [0, -1, "3", True, 1.5])
def test_a_mark_that_is_no_number_is_refused(editor: Editor, last: object) -> None:
    """It decides which number comes next."""
    path = Path(editor.path)
    read = json.loads(path.read_text(encoding="utf-8"))
    read["prompts"][NAME]["last"] = last
    path.write_text(json.dumps(read), encoding="utf-8")
    with pytest.raises((RegistryCorrupt, RegistryError), match="highest number"):
        Editor(path).save(NAME, PromptVersion("x {{ticket}}"))
