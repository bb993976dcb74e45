"""What a user's function takes from around it: modules of the user's own, environment variables and
files, by what they hold at this moment.

What the code names is known by value. What it only finds while it runs (a file by a path that is
put together, another program) is hidden: its place is named, and the function is new in every
process, and where the environment or a file that may be meant changes.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import inspect
import io
import os
import runpy
import subprocess
import sys
import sysconfig
import types
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec, resolve_name
from pathlib import Path, PurePath
from typing import Any
from weakref import WeakKeyDictionary

from ..redact import named_like_a_secret
from .code_reads import MISSING, WRITING, CodeReads, Look, Use, codes
from .object_state import attribute
from .templates_read import loads_templates, templates_of

__all__ = ["Found", "Surroundings", "installed", "installed_file", "mark_of"]

_PROCESS = uuid.uuid4().hex
_INSTALLED = tuple(
    {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_OPENERS = (builtins.open, io.open_code)
_READERS = {"read_text", "read_bytes", "read_csv", "read_json", "read_parquet", "read_table"}
_READERS |= {"read_excel", "read_jsonl", "read_ndjson", "read_pickle", "loadtxt", "genfromtxt"}
_OF_PATHS = {*_READERS, "open"}
_COMPRESSED = {"gzip", "bz2", "lzma", "codecs"}
_PROGRAMS = (os.system, os.popen, runpy.run_path, runpy.run_module)
_BY_NAME = (builtins.globals, builtins.__import__, importlib.import_module)
_LARGE = 64_000_000  # bytes above which a file is known by its size and time
Found = tuple[str, object]  # a text, and a value to describe or MISSING


class Surroundings:
    """What one function takes from around it.

    function: whose code it is; look: values of its names; programs: whether a program that it
    starts is hidden; files: whether the content of files counts.
    unread: of each file whose content does not, a name, and what gives it.
    """

    def __init__(
        self, function: types.FunctionType, look: Look, *, programs: bool, files: bool = True
    ) -> None:
        self.hidden: list[str] = []
        self.unread: list[tuple[str, Callable[[], str]]] = []
        self._function = function
        self._look = look
        self._programs, self._files = programs, files

    def of(self, reads: CodeReads, name: str) -> Iterator[Found]:
        """What the code takes from one global or enclosed name."""
        value = self._look(name)
        if value is MISSING:
            value = getattr(builtins, name, MISSING)
        if name not in reads.written:
            for use in reads.of(name):
                yield from self._taken(value, use)

    def imported(self, reads: CodeReads) -> Iterator[tuple[str, str, object]]:
        """(name, text, value) of what the code imports while it runs."""
        for each in reads.imported:
            module = self._module(each.module, each.level)
            value: Any = module
            if module is not None and each.name:
                below = sys.modules.get(f"{module.__name__}.{each.name}", MISSING)
                value = getattr(module, each.name, below)
            if value is None or value is MISSING:
                continue
            for use in each.uses or [Use(each.name or each.module, ())]:
                for text, found in self._taken(value, use):
                    if found is MISSING or not installed(module):  # may not be loaded yet
                        yield use.name, text, found

    def loose(self, reads: CodeReads) -> Iterator[str]:
        """The files that it reads by `Path(...).read_text()` and the like."""
        for name, given in reads.loose:
            yield self._file(name, given)

    def _taken(self, value: object, use: Use) -> Iterator[Found]:
        path, module = list(use.path), None
        while isinstance(value, types.ModuleType) and path:
            module = value
            value = attribute(module, path.pop(0), MISSING)
        text = ".".join(use.path[: len(use.path) - len(path)])
        if value is os.environ or value is os.getenv:
            yield f"{text}{self._variable(use, path)}", MISSING
        elif any(value is each for each in _OPENERS) or _reads_files(value):
            if not WRITING.fullmatch(use.mode):
                yield f"{text}{self._file(use.name, use.first)}", MISSING
        elif path and path[-1] in _OF_PATHS and (at := _path_at(value, path[:-1])) is not None:
            if not use.writes:
                yield f"{text}{self._file('.'.join((use.name, *use.path)), at)}", MISSING
            if not isinstance(value, PurePath):  # settings that have the path
                yield text, value
        elif loads_templates(value):
            yield self._templates(value, use), MISSING
        elif _by_name(value) or (self._programs and _starts_programs(value)):
            yield self._hide(".".join((use.name, *use.path))), MISSING
        elif value is not MISSING and (module is None or not installed(module)):
            yield text, value

    def _variable(self, use: Use, path: list[str]) -> str:
        """An environment variable by its value, a secret one by its name alone."""
        name = use.first
        if not isinstance(name, str) or path not in ([], ["get"], ["setdefault"], ["pop"]):
            names = sorted(name for name in os.environ if not named_like_a_secret(name))
            held = repr([(name, os.environ[name]) for name in names])
            place = "environment variables by names that only the run tells"
            return self._hide(place, hashlib.sha256(held.encode()).hexdigest())
        value = "" if named_like_a_secret(name) else repr(os.environ.get(name))
        return f"variable:{name}={value}"

    def _file(self, place: str, given: object) -> str:
        """A file by its content; hidden where the path is only known to the run: then by whatever
        is found at the paths that the code has.
        """
        if not self._files:
            known = isinstance(given, (str, PurePath))
            name = f"file {given}" if known else f"{place}() of {self._function.__qualname__}"
            self.unread.append((name, lambda: self._content(given)))
            return "file"
        if isinstance(given, (str, PurePath)):
            return f"file:{self._content(given)}"
        return self._hide(f"a file that {place}(...) reads", self._content(given))

    def _templates(self, loader: Any, use: Use) -> str:
        """What a loader of templates that the code makes will find; hidden as a file is."""
        known = isinstance(use.first, (str, PurePath)) and loader.__name__ == "FileSystemLoader"
        found = templates_of(loader(use.first)) if known else None
        return f"templates:{found}" if found else self._hide(".".join((use.name, *use.path)))

    def _content(self, given: object) -> str:
        """What a file has, or whatever it may be."""
        if isinstance(given, (str, PurePath)):
            return _content(Path(given))
        near = [Path.cwd(), Path(self._function.__code__.co_filename).parent]
        texts = [text for code in codes(self._function.__code__) for text in code.co_consts]
        names = self._function.__code__.co_names + self._function.__code__.co_freevars
        held = [value for name in names if isinstance(value := self._look(name), PurePath)]
        near += map(Path, held)
        tried = [
            _content(folder / text)
            for folder in near
            for text in texts
            if isinstance(text, str) and 0 < len(text) < 200 and "\0" not in text
        ]
        return repr([*map(_content, near), *tried])

    def _hide(self, place: str, state: str = "") -> str:
        self.hidden.append(place)
        return f"hidden:{_PROCESS}:{place}:{state}"

    def _module(self, name: str, level: int) -> types.ModuleType | None:
        """The module of an import: loaded already, or the user's own; None for a library's that
        nobody loaded.
        """
        package = self._function.__globals__.get("__package__") or ""
        try:
            full = resolve_name("." * level + name, package) if level else name
            if full not in sys.modules:
                top = find_spec(full.partition(".")[0])
                if top is None or _of_library(top.origin, full):
                    return None
                importlib.import_module(full)
        except Exception as error:  # whatever the user's module raises when it is loaded
            self._hide(f"the module {name}, which raised {type(error).__name__}")
            return None
        return sys.modules.get(full)


def _reads_files(value: object) -> bool:
    name = attribute(value, "__name__")
    if name == "open":
        return attribute(value, "__module__") in _COMPRESSED
    return isinstance(name, str) and name in _READERS and installed(value)


def _path_at(value: object, names: list[str]) -> object:
    """The path that is found under these attributes; MISSING if only the run tells it, None for
    another thing, which has an `open` of its own.
    """
    for name in names:
        value = inspect.getattr_static(value, name, MISSING)
    if isinstance(value, PurePath):
        return value
    if isinstance(value, type):  # map(Path.read_text, files)
        return MISSING if issubclass(value, PurePath) else None
    made = hasattr(type(value), "__get__") and not callable(value)  # a property's
    return MISSING if made or value is MISSING else None


def _by_name(value: object) -> bool:
    """Whether it finds things by names that only the run tells."""
    return value is sys.modules or any(value is each for each in _BY_NAME)


def _starts_programs(value: object) -> bool:
    if any(value is each for each in _PROGRAMS):
        return True
    return callable(value) and getattr(value, "__module__", "") in (
        subprocess.__name__,
        "asyncio.subprocess",
    )


def _content(path: Path) -> str:
    """A digest of a file; of its size and time if it is large, or ""."""
    try:
        if not path.is_file():
            return ""
        about = path.stat()
        if about.st_size > _LARGE:
            return f"{about.st_size}:{about.st_mtime_ns}"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""


def mark_of(value: object) -> str:
    """A mark of an opaque object in this process, stable while it lives; a new one at each call
    where no weak reference to it can be.
    """
    try:
        return _MARKS.setdefault(value, f"{_PROCESS}-{uuid.uuid4().hex}")
    except TypeError:
        return f"{_PROCESS}-{uuid.uuid4().hex}"


_MARKS: WeakKeyDictionary[object, str] = WeakKeyDictionary()


def installed(what: object) -> bool:
    """Whether it is of the standard library or of an installed package, not the user's own code."""
    if isinstance(what, types.ModuleType):
        return _of_library(getattr(what, "__file__", None), what.__name__)
    named = getattr(what, "__module__", None) or ""
    if named == "__main__":  # even where a library's program runs it, as pytest does
        return False
    if isinstance(what, types.FunctionType):
        return _of_library(what.__code__.co_filename, named)
    module = inspect.getmodule(what)
    package = named.partition(".")[0]  # of an extension whose parts have no file
    file = getattr(module, "__file__", None) or getattr(sys.modules.get(package), "__file__", None)
    if file is None:  # typed in a cell, run by a tool in a module that it made, or built in
        return module is not None and package in sys.stdlib_module_names
    return _of_library(file, named)


def _of_library(file: str | None, module: str) -> bool:
    if module.partition(".")[0] == __name__.partition(".")[0]:
        return True
    if file is None or file in ("built-in", "frozen"):
        return module.partition(".")[0] in sys.stdlib_module_names
    return file.startswith("<frozen") or installed_file(file)


def installed_file(path: str) -> bool:
    """Whether a file is of the standard library or of an installed package."""
    packaged = {"site-packages", "dist-packages"} & set(PurePath(path).parts)
    return bool(packaged) or path.startswith(_INSTALLED)
