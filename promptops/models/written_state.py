"""What a function writes to, part by part: beside a counter that it raises, the same object may
hold settings, which another cell of the notebook edits.
"""

from __future__ import annotations

import collections
import functools
import hashlib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .code_reads import MISSING
from .library_state import LargeError, digest_of, keeps_settings
from .object_state import PLAIN, state_of
from .parts_left import ANY, Parts
from .still_table import is_frame, still_frame
from .surroundings import installed

__all__ = ["LARGEST", "WIDE", "WrittenPlace", "frame_of", "set_by_code"]

_Part = tuple[int, str]
WIDE = 20  # items that are parts of their own also in a large place
LARGEST = 20_000  # values of one place: a memo of more has no settings beside it
_MOST = 400  # parts of one place; where it has more, the items of wide containers are one
_LARGEST_FRAME = 4_000_000  # bytes
_DEEPEST = 6
_LISTS = (list, tuple, collections.deque)
_MAPS = (dict, collections.OrderedDict, collections.Counter, collections.defaultdict)
_CODE = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial, type)


@dataclass(frozen=True, slots=True)
class WrittenPlace:
    """One place that code writes to. holder: the object that has it, kept for its id; now: gives
    the value; keys: of a map, those that the code sets, None for all.
    """

    holder: object
    name: str
    now: Callable[[], object]
    keys: frozenset[str] | None = None

    def parts(self) -> Parts:
        """The digest of each part of the value, of what can be compared; of a large value, the
        parts of one name in a table's rows are one; none if it is larger than that.
        """
        for together in (False, True):
            reading = _Reading(self.keys or frozenset(), together)
            try:
                reading.read(self.now(), self.name, 0)
            except _ManyError:
                continue
            except Exception:  # another thread fills it; or what an object of theirs raises
                break
            return {(id(self.holder), path): text for path, text in reading.found.items()}
        return {}


def set_by_code(parts: Set[_Part], places: Iterable[WrittenPlace]) -> set[_Part]:
    """Those parts that the code of these places may have changed; a setting beside a counter is
    changed by somebody else.
    """
    known = list(places)
    keyed = {id(place.holder) for place in known if place.keys is not None}
    near = [place for place in known if id(place.holder) in keyed]
    return {part for part in parts if part[0] not in keyed or _is_set(part, near)}


def _is_set(part: _Part, places: Iterable[WrittenPlace]) -> bool:
    at, path = part
    for place in places:
        if id(place.holder) == at and path.startswith(place.name):
            below = path[len(place.name) :]
            if place.keys is None or not below:
                return True
            if any(below.startswith(_item(key)) for key in place.keys):
                return True
    return False


def _item(key: object) -> str:
    return f"[{repr(key)[:200]}]"


class _ManyError(Exception):
    """There are more parts than are compared each time."""


class _Reading:
    """together: whether the items of a wide container are one part, but for those of these keys
    in the outermost one, which code sets by name.
    """

    def __init__(self, keys: Set[str], together: bool) -> None:
        self.found: dict[str, str] = {}
        self._named, self._together, self._most = {*map(_item, keys)}, together, _MOST
        if together:
            self._most = LARGEST
        self._above, self._seen = list[int](), 0

    def read(self, value: Any, path: str, depth: int) -> None:
        """Note what a value is, and what is below it."""
        self._seen += 1
        if self._seen > self._most:
            raise _ManyError
        if id(value) in self._above or depth > _DEEPEST or value is MISSING:
            return
        if type(value) in PLAIN:
            self._note(path, repr(value))
            return
        frame = frame_of(value)
        below = _below(value, frame, self._most)
        if below is None:
            if not isinstance(value, _CODE) and not keeps_settings(value):
                return  # what moves with each use, such as an iterator
            with suppress(LargeError):
                self._note(path, digest_of(value, _by_place))
            return
        rows = "" if frame is None else digest_of(frame.index, _by_place)
        self._note(path, f"{type(value).__qualname__}:{sorted(below)}{rows}")
        self._above.append(id(value))
        wide = self._together and len(below) > WIDE
        first = next(iter(below), "")  # another one tells of another container
        for name, item in below.items():
            named = name == first or name[0] == "." or (depth == 0 and name in self._named)
            alone = not wide or named
            self.read(item, f"{path}{name if alone else ANY}", depth + 1)
        self._above.pop()

    def _note(self, path: str, text: str) -> None:
        self.found[path] = _digest(f"{self.found.get(path, '')}{text}")


def _below(value: Any, frame: Any, most: int) -> Mapping[str, object] | None:
    """The parts of an object by name; None if it counts as a whole."""
    if isinstance(value, _CODE) or type(value) in (set, frozenset):
        return None
    attributes = False
    if frame is not None:
        held: Iterator[tuple[object, object]] = iter(list(frame.items()))
    elif type(value) in _MAPS:
        held = iter(list(value.items()))
    elif type(value) in _LISTS:
        held = enumerate(list(value))
    elif not installed(type(value)) or isinstance(value, types.SimpleNamespace):
        attributes, held = True, iter((state_of(value) or {}).items())
    else:
        return None
    found: dict[str, object] = {}
    for name, item in held:
        if len(found) > most:
            raise _ManyError
        found[f".{name}" if attributes else _item(name)] = item
    return found


def frame_of(value: Any) -> Any:
    """A table of pandas as it is now, if each of its columns has a name of its own and is a part of
    it; None for others.
    """
    if not is_frame(value):
        return None
    frame = still_frame(value)
    names = frame.columns.tolist()
    is_small = frame.memory_usage().sum() < _LARGEST_FRAME
    return frame if is_small and len(set(names)) == len(names) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _by_place(value: object) -> str | None:
    own = isinstance(value, (types.FunctionType, type)) and not installed(value)
    return f"at:{id(value)}" if own else None
