"""What an object of a library's own class holds, part by part, as a copy of it would have it."""

from __future__ import annotations

import collections
import configparser
import hashlib
import io
import pickle
import random
import time
import types
from collections.abc import Callable, Iterator, Mapping

from .surroundings import installed

__all__ = ["LargeError", "LibraryStates", "digest_of", "keeps_settings"]

_LARGEST = 4_000_000  # bytes of a part's copy
_LONGEST = 0.05  # seconds of work on one object, which is done before each study
_OTHERS = (random.Random, types.SimpleNamespace)  # of a namespace, the attributes count
_SETTINGS = (configparser.RawConfigParser, collections.UserDict, collections.UserList)


class LibraryStates(dict[tuple[int, str], str]):
    """The digests of what objects hold: by the object's id and the name of a part of it.

    An object that cannot be copied, or only with much work, has none; a part that cannot be
    copied, such as a lock, counts by which one it is.
    own: the same of what the function's own code writes to.
    """

    def __init__(self, large: frozenset[int] = frozenset()) -> None:
        super().__init__()
        self.large = large
        self.own: dict[tuple[int, str], str] = {}

    def changed(self, now: LibraryStates) -> set[tuple[int, str]]:
        """What is not now as it was. A part that is new in what the code writes to belongs to the
        list of names there, which is a part as well.
        """
        found = {key for key in self.keys() | now.keys() if self.get(key) != now.get(key)}
        return found | {
            key for key in self.own.keys() & now.own.keys() if self.own[key] != now.own[key]
        }

    def grown_to(self, now: LibraryStates) -> None:
        """Add what the function's code has made since, as it was when that was made, such as a
        client; not what it has added to a list or a map.
        """
        made = {key: text for key, text in now.own.items() if "[" not in key[1]}
        self.own = {**made, **self.own}

    def add(self, value: object, own: Callable[[object], str | None]) -> None:
        """Read what an object holds now. own: the text of a function or class of the user's, None
        for anything else.
        """
        if id(value) in self.large:
            return
        began = time.thread_time()
        try:
            found = {(id(value), name): digest_of(part, own) for name, part in _parts(value)}
        except LargeError:
            found = {}
            self.large |= {id(value)}
        except Exception:  # whatever a library's object raises when it is copied
            return
        if time.thread_time() - began > _LONGEST:
            self.large |= {id(value)}
        else:
            self.update(found)


def keeps_settings(value: object) -> bool:
    """Whether a library's object may be settings that somebody edits: not what moves with each use,
    such as an iterator or a generator of random numbers, nor a version, a lab or a store.
    """
    kind = type(value)
    if isinstance(value, _OTHERS) or hasattr(kind, "__next__"):
        return False
    if kind.__module__.startswith(("numpy.random", "promptops.")):
        return kind.__module__.startswith("promptops.scorers.")
    return installed(kind) or isinstance(value, _SETTINGS)


def _parts(value: object) -> Iterator[tuple[str, object]]:
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):  # known by its name
        return
    _, given, state, items, pairs = (*reduced, None, None, None)[:5]
    yield "given", given
    for each in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(each, Mapping):
            yield from ((str(name), part) for name, part in list(each.items()))
        elif each is not None:
            yield "state", each
    if items is not None:
        yield "items", list(items)
    if pairs is not None:
        yield "pairs", list(pairs)


def digest_of(part: object, own: Callable[[object], str | None]) -> str:
    """The digest of a part's copy; own: as for `LibraryStates.add`."""
    for _ in range(3):  # another thread, where the function works, may be filling it
        sink = _Sink()
        try:
            _Copier(sink, own).dump(part)
        except LargeError:
            raise
        except RuntimeError:
            continue
        except Exception:  # a lock, a socket, a client
            break
        return sink.digest.hexdigest()
    return f"at:{id(part)}"


class LargeError(Exception):
    """A copy is larger than what is compared each time."""


class _Sink(io.RawIOBase):
    def __init__(self) -> None:
        self.digest, self._size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        held = memoryview(data)  # type: ignore[arg-type]
        self._size += held.nbytes
        if self._size > _LARGEST:
            raise LargeError
        self.digest.update(held)
        return held.nbytes


class _Copier(pickle.Pickler):
    def __init__(self, sink: _Sink, own: Callable[[object], str | None]) -> None:
        super().__init__(sink, protocol=4)
        self._own = own

    def persistent_id(self, value: object) -> str | None:
        return self._own(value)
