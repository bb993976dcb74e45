"""A file counts however its path is opened: `path.open()`, and a path that settings have."""

from __future__ import annotations

import collections
import functools
import gzip
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.models.function_identity import identify


class Paths:
    PROMPT = Path("prompt.txt")


class Settings:
    def __init__(self) -> None:
        self.prompt, self.log = Path("prompt.txt"), Path("log.txt")

    @property
    def made(self) -> Path:
        return Path("prompt.txt")

    @functools.cached_property
    def kept(self) -> Path:
        return Path("prompt.txt")


class Slots:
    __slots__ = ("prompt",)

    def __init__(self) -> None:
        self.prompt = Path("prompt.txt")


class Door:
    def open(self) -> str:
        return "a"


FOLDER, PROMPT, LOG, PACKED = Path(), Path("prompt.txt"), Path("log.txt"), Path("prompt.gz")
SETTINGS, SLOTS, DOOR = Settings(), Slots(), Door()
SPACE = types.SimpleNamespace(prompt=PROMPT, door=DOOR)
Named = collections.namedtuple("Named", "prompt")
NAMED = Named(PROMPT)

KNOWN = {
    "a path": lambda q: PROMPT.open().read(),
    "a path, as bytes": lambda q: PROMPT.open("rb").read(),
    "a path with an encoding": lambda q: PROMPT.open(encoding="utf-8").read(),
    "a path that is made": lambda q: Path("prompt.txt").open().read(),  # noqa: SIM115
    "an attribute": lambda q: SETTINGS.prompt.read_text(),
    "an attribute, opened": lambda q: SETTINGS.prompt.open().read(),
    "a class's": lambda q: Paths.PROMPT.read_bytes(),
    "a namespace's": lambda q: SPACE.prompt.read_text(),
    "a packed file": lambda q: gzip.open("prompt.gz").read(),  # noqa: SIM115
}
TOLD_BY_THE_RUN = {
    "a folder and a name": lambda q: (FOLDER / f"{q}.txt").open().read(),
    "a folder, a name and a mode": lambda q: (FOLDER / f"{q}.txt").open("r").read(),
    "a folder, a name and an encoding": lambda q: (FOLDER / q).open(encoding="utf-8").read(),
    "an argument": lambda q, path=PROMPT: path.open().read(),
    "a property": lambda q: SETTINGS.made.read_text(),
    "a property that is kept": lambda q: Settings().kept.open().read(),
    "a slot": lambda q: SLOTS.prompt.read_text(),
    "a tuple's name": lambda q: NAMED.prompt.open().read(),
    "each path": lambda q: "".join(map(Path.read_text, [PROMPT])),
}
OTHER = {
    "a log": lambda q: LOG.open("a").write(q),
    "a log with an encoding": lambda q: LOG.open(encoding="utf-8", mode="a").write(q),
    "a log in a folder": lambda q: (FOLDER / "log.txt").open("a", encoding="utf-8").write(q),
    "settings' log": lambda q: SETTINGS.log.open("w").write(q),
    "a method of that name": lambda q: DOOR.open(),
    "a namespace's method": lambda q: SPACE.door.open(),
    "an archive's part": lambda q: zipfile.ZipFile(q).open(q),  # noqa: SIM115
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    PROMPT.write_text("a")
    PACKED.write_bytes(gzip.compress(b"a"))


@pytest.mark.parametrize("kind", KNOWN)
def test_an_edit_of_a_file_counts(kind: str) -> None:
    """The answers of the text before had been reused, also in the next kernel."""
    before = identify(KNOWN[kind])
    assert before.opaque == ()
    assert identify(KNOWN[kind]) == before
    PROMPT.write_text("b")
    PACKED.write_bytes(gzip.compress(b"b"))
    assert identify(KNOWN[kind]).digest != before.digest


@pytest.mark.parametrize("kind", TOLD_BY_THE_RUN)
def test_a_file_whose_path_only_the_run_tells_is_named(kind: str) -> None:
    assert any("a file that" in place for place in identify(TOLD_BY_THE_RUN[kind]).opaque)


@pytest.mark.parametrize("kind", OTHER)
def test_what_reads_no_file_is_not_hidden(kind: str) -> None:
    function: Callable[..., Any] = OTHER[kind]
    assert identify(function).opaque == ()
