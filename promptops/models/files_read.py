"""The files that a function reads by paths which only the run tells (`load(name)` that joins a
folder and a name): noted while it is called, so that an edit of one counts in this process.

The interpreter tells of each file that is opened. What a call also writes, such as a cache, is the
function's own, and so is code, whose edits count where it is loaded.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import time
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .surroundings import installed_file

__all__ = ["FilesRead", "files_read_by", "heard_elsewhere"]

_MOST = 2_000  # files of one function
_LARGE = 64_000_000  # bytes above which a file is known by its size and time
_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd")
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_WRITES = os.O_WRONLY | os.O_RDWR
_Seen = tuple[tuple[int, int, int], str]  # what the file system says of a file, and its digest


class FilesRead:
    """The files that the calls of one function opened, as they were at first.

    earlier: of what the function was before it was edited: where its calls open nothing, a helper
        may have kept (`lru_cache`) what it read for those.
    """

    def __init__(self, earlier: FilesRead | None = None) -> None:
        self._first: dict[str, str] = {}
        self._newest: dict[str, _Seen] = {}
        self._earlier = {path: self._digest(path) for path in earlier.paths} if earlier else {}
        self._written: set[str] = set()
        self._met: list[str] = []  # opened, and not looked at yet
        _listen()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is opened meanwhile in this thread or task is noted."""
        token, began = _READER.set(self), time.time()
        try:
            yield
        finally:
            _READER.reset(token)
            while self._met:
                with suppress(IndexError):  # another call took it
                    path = self._met.pop()
                    digest = self._digest(path)
                    self._first.setdefault(path, self._earlier.get(path, digest))
                    if path in self._newest and self._newest[path][0][0] > began * 1e9:
                        self._written.add(path)  # a program that the call started made it

    @property
    def paths(self) -> set[str]:
        """Those that it does not write."""
        return (self._first or self._earlier).keys() - self._written

    def edited(self) -> list[str]:
        """Those that differ from what they were at first, with what they are now."""
        first = self._first or self._earlier
        now = {path: self._digest(path) for path in self.paths}
        return sorted(f"{path}={text}" for path, text in now.items() if text != first[path])

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        """A file is opened or takes another's place."""
        given = args[1 if event == "os.rename" else 0]
        if not isinstance(given, (str, bytes, os.PathLike)):
            return
        path = os.path.abspath(os.fsdecode(given))
        if event == "os.rename" or args[2] & _WRITES:
            self._written.add(path)
            return
        new = path not in self._first and len(self._first) < _MOST
        if new and _is_data(path) and _is_read_for(sys._getframe(2), path):
            self._met.append(path)

    def told(self, opened: Iterable[tuple[str, bool]]) -> None:
        """Another process opened files for a call, and wrote some of them."""
        for path, writes in opened:
            if writes:
                self._written.add(path)
            elif _is_near(path) and path not in self._first and _is_data(path):
                self._met.append(path)

    def _digest(self, path: str) -> str:
        try:
            about = os.stat(path)
            seen = about.st_mtime_ns, about.st_size, about.st_ino
            if (known := self._newest.get(path)) is not None and known[0] == seen:
                return known[1]
            text = repr(seen)
            if about.st_size <= _LARGE:
                text = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError:
            return ""
        self._newest[path] = seen, text
        return text


def files_read_by(function: object, key: tuple[str, ...]) -> FilesRead:
    """What the calls of a function open. key: of all that it is."""
    name = str(getattr(function, "__qualname__", type(function)))
    found = _FILES.get(key) or FilesRead(_LATEST.get(name))
    _FILES[key] = _LATEST[name] = found
    return found


def heard_elsewhere(opened: Iterable[tuple[str, bool]]) -> None:
    """The call that is under way here had files opened in another process."""
    with suppress(OSError):  # the working folder is gone
        if (reader := _READER.get()) is not None:
            reader.told(opened)


def _is_data(path: str) -> bool:
    return not (path.endswith(_CODE) or path.startswith(_SYSTEM) or installed_file(path))


def _is_read_for(frame: types.FrameType | None, path: str) -> bool:
    """Whether the function's own code opens a file, or a library one of the project's; not
    what this package reads, such as the registry, nor a library's cache or credentials.
    """
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package == __name__.partition(".")[0]:
            return False
        if package not in sys.stdlib_module_names:
            library = installed_file(frame.f_code.co_filename)
            return not library or _is_near(path)
        frame = frame.f_back
    return True


def _is_near(path: str) -> bool:
    """Whether a file is one of the project's: of a notebook in a folder of it, too."""
    return path.startswith(os.path.join(_project_of(os.getcwd()), ""))


@functools.lru_cache
def _project_of(folder: str) -> str:
    """The nearest folder above that is a repository, a package or a lab; else the folder itself."""
    for each in (Path(folder), *Path(folder).parents):
        if any(
            os.path.exists(each / name) for name in (".git", "pyproject.toml", "promptops.json")
        ):
            return str(each)
    return folder


def _listen() -> None:
    """Hear of files that are opened, from now on: a hook of the interpreter's cannot be removed."""
    if not _HEARING:
        _HEARING.append(True)
        sys.addaudithook(_heard)


def _heard(event: str, args: tuple[Any, ...]) -> None:
    if event not in ("open", "os.rename"):
        return
    with suppress(Exception):  # opening a path that is odd raises by itself
        if (reader := _READER.get()) is not None:
            reader.heard(event, args)


_FILES: dict[tuple[str, ...], FilesRead] = {}
_LATEST: dict[str, FilesRead] = {}  # by the function's name
_HEARING: list[bool] = []
_READER: ContextVar[FilesRead | None] = ContextVar("files_read", default=None)
