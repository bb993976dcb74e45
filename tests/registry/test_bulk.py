"""Many saves as one write, and a save that renders only what is new: the file is as if it were
written whole each time.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from promptops.errors import Conflict
from promptops.lab import Lab
from promptops.registry import document, file
from promptops.registry.editor import Editor
from promptops.version import PromptVersion


def version(n: object) -> PromptVersion:
    return PromptVersion(f"Say {n} to {{{{name}}}}", model="m", settings={"temperature": 1.0})


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what is written, in order."""
    sizes: list[int] = []
    real = file.replace

    def replace(path: str, data: bytes) -> bool:
        sizes.append(len(data))
        return real(path, data)

    monkeypatch.setattr(file, "replace", replace)
    return sizes


def test_one_write_for_many_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are given as usual, and what was saved in the block is seen there."""
    sizes = counted(monkeypatch)
    lab = Lab(tmp_path)
    prompt = lab.prompt("greeting")
    with lab.bulk():
        saved = [prompt.save(f"Say {n} to {{{{name}}}}", model="m") for n in range(30)]
        assert len(prompt.versions) == 30
        assert sizes == []
        assert not (tmp_path / "promptops.json").exists()
    assert len(sizes) == 1
    assert [each.number for each in saved] == list(range(1, 31))
    assert len(Editor(tmp_path / "promptops.json").versions("greeting")) == 30
    with lab.bulk():
        prompt.save("Say 3 to {{name}}", model="m")
    assert len(sizes) == 1  # nothing new, nothing written


def test_a_block_that_fails_keeps_what_it_saved(tmp_path: Path) -> None:
    """As saves one by one would; and the lock is free again."""
    editor = Editor(tmp_path / "promptops.json")

    def broken() -> None:
        with editor.bulk():
            editor.save("a", version(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert [entry.number for entry in Editor(tmp_path / "promptops.json").versions("a")] == [1]
    editor.save("a", version(2))
    assert len(Editor(tmp_path / "promptops.json").versions("a")) == 2


def test_others_wait_for_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer gets a conflict where it takes too long, and writes behind it."""
    from promptops.registry import write_lock

    editor, other = (Editor(tmp_path / "promptops.json") for _ in range(2))
    real = write_lock._acquire
    monkeypatch.setattr(write_lock, "_acquire", lambda lock, wait_s: real(lock, 0.05))
    with editor.bulk():
        editor.save("a", version(1))
        with pytest.raises(Conflict):
            other.save("a", version(2))
    assert other.save("a", version(2)) == 2
    assert editor.save("a", version(3)) == 3


def test_every_save_leaves_the_canonical_text(tmp_path: Path) -> None:
    """Whatever is saved, promoted and edited by hand in between: the bytes are those of the whole
    document rendered anew, and what the editor remembers is what is there.
    """
    chance, path = random.Random(7), tmp_path / "promptops.json"
    editors = [Editor(path), Editor(path)]
    for turn in range(40):
        editor, name = chance.choice(editors), f"p{chance.randrange(4)}"
        before = path.read_bytes() if path.exists() else b""
        number = editor.save(name, version(chance.randrange(60)), note="ä" * (turn % 3))
        if turn % 5 == 0:
            editor.promote(name, number, "dev", author="ada", force=True, reason="try")
        if turn % 11 == 0:  # another tool rewrites the file with other spaces
            path.write_text(json.dumps(json.loads(path.read_text())))
            continue
        data = path.read_bytes()
        if data == before:
            continue  # it was saved already, and nothing is written
        whole = document.parse(data, "there")
        assert document.render(whole).encode() == data
        assert {each: len(editor.versions(each)) for each in editor.names()} == {
            each: len(prompt["versions"]) for each, prompt in whole["prompts"].items()
        }


def test_a_save_renders_what_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any number of prompts one is written out again, also after a promotion and a discard."""
    editor, rendered = Editor(tmp_path / "promptops.json"), list[object]()
    with editor.bulk():
        for number in range(30):
            editor.save(f"p{number}", version(number))
    real = document._in_order

    def counted(prompt: document.Document) -> document.Document:
        rendered.append(prompt)
        return real(prompt)

    monkeypatch.setattr(document, "_in_order", counted)
    for change in (
        lambda: editor.save("p7", version(99)),
        lambda: editor.promote("p7", 2, "dev", author="ada", force=True, reason="try"),
        lambda: editor.save("p8", version(98)),
        lambda: editor.discard("p8", 2),
    ):
        rendered.clear()
        change()
        assert 1 <= len(rendered) <= 3
        monkeypatch.setattr(document, "_in_order", real)
        data = (tmp_path / "promptops.json").read_bytes()
        assert document.render(document.parse(data, "there")).encode() == data
        monkeypatch.setattr(document, "_in_order", counted)
