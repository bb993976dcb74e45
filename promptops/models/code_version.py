"""Which version of itself a user's function is, read again after it was redefined."""

from __future__ import annotations

import hashlib
import inspect
import types
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Self, TypeVar
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from .edit_meanwhile import EditMeanwhile
from .parts_left import Parts, PartsLeft

if TYPE_CHECKING:
    from .files_read import FilesRead
    from .first_values import FirstValues
    from .function_definition import Definition
    from .written_state import WrittenPlace

__all__ = ["CodeVersion"]

_T = TypeVar("_T")
_Held = Mapping[tuple[int, str], str]
_Known = tuple[str, tuple[str, ...], _Held, frozenset[tuple[int, str]]]


class CodeVersion:
    """8 hex digits over what a function does: its code, defaults and captured values, and `read`.

    It becomes another version when a cell of a notebook redefines a function that it calls, or a
    list that it reads. A memo that it fills itself does not count. What it writes to and what an
    object of a library's holds counts as well, apart from whatever has once changed while the
    function was called.
    read: texts on how its values are read; target: whether it answers examples: a program that it
        starts is opaque then, and what it writes to counts before it was ever called here (a
        scorer may have been called by hand since).
    """

    def __init__(
        self, function: Callable[..., object], read: tuple[str, ...] = (), *, target: bool = False
    ) -> None:
        self._read, self._target = read, target
        self._defined: Definition | None = None
        self._first: _Held = {}  # what libraries' objects held when first seen
        self._kept: frozenset[tuple[int, str]] = frozenset()  # what changes by itself
        self._edits = frozenset[tuple[int, str]]()  # what somebody else has changed
        self._calls, self._took, self._call_took = [0, 0], 0.0, 0.0
        self._watching, self._called, self.asking = 0.0, False, 0  # seconds; calls in flight
        self._next_rest, self._resting = 0.0, 0.0  # as `_next_reading`; seconds
        self.left = PartsLeft()  # what its calls have left where its code writes to
        self._files: FilesRead | None = None  # where only a call tells which files it reads
        self._edits_of_files: list[str] = []
        self._next_reading = 0.0  # while it is asked, of the clock `perf_counter`
        self._meanwhile = EditMeanwhile()
        with _KEEPING:
            _ALIVE.add(self)
        self._version, self.opaque = "", tuple[str, ...]()
        self.first_values: FirstValues = {}  # of what its code writes to
        self._read_again(function)

    def __getstate__(self) -> dict[str, object]:
        """Without what it holds of this process (a lock, a client), which no other process has."""
        calls = {"_calls": [0, 0], "_took": 0.0, "_call_took": 0.0, "_watching": 0.0, "asking": 0}
        calls |= {"_next_reading": 0.0, "_next_rest": 0.0, "_resting": 0.0}
        none = frozenset[object]()
        known: dict[str, object] = dict.fromkeys(("_defined", "_files"))
        known |= {
            "_meanwhile": EditMeanwhile(),
            "left": PartsLeft(),
            "_first": {},
            "first_values": {},
        }
        return {**vars(self), **calls, **known, "_kept": none, "_edits": none}

    @classmethod
    def known(cls, function: Callable[..., object]) -> Self:
        """The version of a function that is passed as it is, the same object each time."""
        if not isinstance(function, types.FunctionType):
            return cls(function)
        found = _KNOWN.setdefault(function, {}).get(cls)
        if not isinstance(found, cls):
            found = _KNOWN[function][cls] = cls(function)
        return found

    @property
    def version(self) -> str:
        """The version of the function when it was last read."""
        return self._version

    @property
    def places(self) -> tuple[WrittenPlace, ...]:
        """What its code writes to."""
        return self._defined.places if self._defined is not None else ()

    @property
    def kept(self) -> frozenset[tuple[int, str]]:
        """What changes by itself."""
        return self._kept

    def edits(self, now: Definition) -> frozenset[tuple[int, str]]:
        """What somebody else has changed of what code writes to, by another reading."""
        if self._defined is None:
            return self._edits
        changed = self._defined.states.changed(now.states) - self._kept
        return (self._edits | changed) & now.states.own.keys()

    def now(self, function: Callable[..., object]) -> str:
        """The version of the function at this moment."""
        # the built-in scorers need nothing that reads code
        from .function_definition import definition

        large = self._defined.states.large if self._defined is not None else frozenset()
        with suppress(RuntimeError):  # another thread, where the function works, filled its memo
            if self.while_still(definition(function, large)) is None:
                self._read_again(function)
        return self._version

    def after_call(self, function: Callable[..., object], asked_at: float) -> str:
        """The version after a call of a run, which began at a time of `perf_counter`: read again as
        often as it costs little, since an edit of the code or of a setting meanwhile makes the next
        answers another function's.
        """
        from .function_definition import definition

        began = perf_counter()
        if self._defined is None or began < self._next_reading:
            return self._version
        self._next_reading = float("inf")  # for the other calls meanwhile
        with suppress(RuntimeError):
            now = definition(function, self._defined.states.large)
            if self._is_edited_meanwhile(now, asked_at):
                self._read_again(function)
        ended = perf_counter()
        if ended - began < _LONGEST:
            self._next_reading = ended + _BETWEEN * (ended - began)
        return self._version

    def _is_edited_meanwhile(self, now: Definition, asked_at: float) -> bool:
        if self._defined is None or self._meanwhile.is_one(now, asked_at):
            return True
        changed = self._defined.states.changed(now.states) & now.states.own.keys()
        changed -= _kept_by(_alive())
        return bool(changed - _set_by_code(changed))

    def calling(self, call: Callable[[], _T]) -> _T:
        """What a call of the function gives, awaitable where that is. What changes meanwhile in a
        library's object is the function's own: a cookie, a counter, a cache.
        """
        with self._watched(waiting=False):
            given = call()
        if inspect.isawaitable(given):
            return self._awaited(given)  # type: ignore[return-value]
        return given

    async def _awaited(self, given: Awaitable[_T]) -> _T:
        with self._watched(waiting=True):
            return await given

    @contextmanager
    def _watched(self, waiting: bool) -> Iterator[None]:
        """Look before and after a call: the first, second, fourth, eighth ... of a quick function,
        so that somebody's edit meanwhile is rarely taken for its own, and each of one that takes
        long, whose answers may be paid for. What the code itself writes to, such as a tally, may
        change at any of the others: that is looked at as long as it costs little.
        """
        with _KEEPING:
            self._called, self.asking = True, self.asking + 1
        try:
            with self._looking(waiting), self._reading():
                yield
        finally:
            with _KEEPING:
                self.asking -= 1
                _ENDED[0] += 1

    def _reading(self) -> AbstractContextManager[None]:
        return self._files.reading() if self._files is not None else nullcontext()

    def _edited_files(self) -> list[str]:
        return self._files.edited() if self._files is not None else []

    @contextmanager
    def _looking(self, waiting: bool) -> Iterator[None]:
        self._calls[waiting] += 1
        calls, defined, began = self._calls[waiting], self._defined, perf_counter()
        whole = not calls & (calls - 1) or self._call_took >= 100 * self._took
        if (
            defined is None
            or not defined.changing
            or not (whole or (defined.places and self._watching < _LONGEST))
        ):
            try:
                yield
            finally:
                self._look_at_rest(defined)
            return
        before, called = defined.states_now(whole=whole), perf_counter()
        try:
            yield
        finally:
            ended = perf_counter()
            now = defined.states_now(whole=whole)
            changed, own = before.changed(now), now.own
            changed = (changed - own.keys()) | _set_by_code(changed & own.keys())
            with _KEEPING:
                self._kept |= changed
                defined.states.grown_to(now)
            self._saw(before.own, own)
            self._call_took = ended - called
            self._watching += called - began + perf_counter() - ended
            if whole:
                self._took = max(self._took, called - began)

    def _look_at_rest(self, defined: Definition | None) -> None:
        """Look at what the last of several calls at once has left, as often as it costs little."""
        began = perf_counter()
        soon = began < self._next_rest and self._resting > _LONGEST
        if defined is None or not defined.places or self.asking > 1 or soon:
            return
        self._saw({}, defined.states_now(whole=False).own)
        took = perf_counter() - began
        self._resting, self._next_rest = self._resting + took, began + _BETWEEN * took

    def _saw(self, before: Parts, own: Parts) -> None:
        self.left.saw(before, own, _ENDED[0] + 1, at_rest=self.asking == 1)

    def _replaced(self, now: Definition) -> set[tuple[int, str]]:
        """What somebody else has replaced since the last call, of what code once wrote to."""
        alive, own = _alive(), now.states.own
        if any(each.asking for each in alive):
            return set()
        return {part for each in alive for part in each.left.replaced(own, each.kept, _ENDED[0])}

    def own_no_more(self, parts: set[tuple[int, str]]) -> None:
        """What somebody has replaced is no longer its own."""
        with _KEEPING:
            self._kept -= parts
            self.left.forget(parts)

    def _edited(self, now: Definition, before: _Held) -> list[str]:
        """What libraries' objects hold that differs from before, apart from what changes by
        itself.
        """
        changed = _changed(before, now.states) - self._kept
        return sorted(f"{key[1]}={now.states.get(key)}" for key in changed)

    def while_still(self, now: Definition, *, elsewhere: bool = False) -> _Known | None:
        """The version, and what it knows of what changes; None if somebody edited since.

        elsewhere: whether `now` is of another function, which may write to other places.
        """
        if now != self._defined or (elsewhere and now.written_to != self._defined.written_to):
            return None
        if self._edited_files() != self._edits_of_files:
            return None
        changed = self._defined.states.changed(now.states) - self._kept
        if changed:  # maybe by the calls of another function that shares a client
            changed -= _kept_by(_alive()) & now.states.own.keys()
        if self.asking or not (self._target or self._called):
            # what its calls change is not known yet
            changed -= _set_by_code(changed & now.states.own.keys())
        changed |= self._replaced(now)
        return None if changed else (self._version, self.opaque, self._first, self._kept)

    def _read_again(self, function: Callable[..., object]) -> None:
        from .first_values import FirstWalk, first_values
        from .function_definition import definition
        from .function_identity import identify

        copied = self._defined is None and self._version
        defined = definition(function)
        alive = [self, *(each for each in _alive() if each is not self)]
        replaced = self._replaced(defined)
        for each in alive:
            each.own_no_more(replaced)
        edited_parts = [replaced, *(each.edits(defined) for each in alive)]
        self._defined, self._meanwhile = defined, EditMeanwhile()
        self._calls, states = [0, 0], self._defined.states
        key = self._defined.digest, *self._read
        known, _LIVE[key] = _LIVE.get(key), self
        other = None if copied or known is self else known
        known_first = [each.first_values for each in alive]
        self.first_values = first_values(self._defined.places, known_first)
        held = other.while_still(self._defined, elsewhere=True) if other is not None else None
        if other is not None and held is not None:
            # its cell was run again: what it has counted or kept since is its own
            self.left = other.left
            self._version, self.opaque, self._first, self._kept = held
            self._read_files(function, key)
            return
        # what the calls of another function have changed there changes by itself
        self._kept = _kept_by(alive) & (states.keys() | states.own.keys())
        self._edits = frozenset[tuple[int, str]]().union(*edited_parts) - self._kept
        walk = FirstWalk(self._target, self.first_values, self._kept, self._edits)
        found = identify(function, walk=walk)
        self._first = {key: self._first.get(key, held) for key, held in states.items()}
        if copied and found.opaque:  # new in every process, though nobody changed it
            return
        self._version, self.opaque = found.digest[:8], found.opaque
        self._read_files(function, key)
        edited = self._edited(self._defined, self._first) if found.opaque else []
        edited += self._edits_of_files
        if edited or self._read:
            text = "\n".join((found.digest, *self._read, *edited)).encode("utf-8", "surrogatepass")
            self._version = hashlib.sha256(text).hexdigest()[:8]

    def _read_files(self, function: object, key: tuple[str, ...]) -> None:
        """Hear of the files that its calls read, where the code does not tell which."""
        self._files, self._edits_of_files = None, []
        if self.opaque:
            from .files_read import files_read_by

            self._files = files_read_by(function, key)
            self._edits_of_files = self._files.edited()


def _alive() -> list[CodeVersion]:
    with _KEEPING:
        return list(_ALIVE)


def _set_by_code(parts: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those parts that the code of any function which is asked may have changed."""
    from .written_state import set_by_code

    return set_by_code(parts, [place for each in _alive() for place in each.places])


def _kept_by(alive: Iterable[CodeVersion]) -> frozenset[tuple[int, str]]:
    return frozenset[tuple[int, str]]().union(*(each.kept for each in alive))


def _changed(before: _Held, now: _Held) -> set[tuple[int, str]]:
    return {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}


_LONGEST = 0.5  # seconds of looking at what all calls of a quick function change
_BETWEEN = 50  # times what a reading took, until the next one while the function is asked
_ENDED = [0]  # calls of all functions
_KEEPING = Lock()
_ALIVE: WeakSet[CodeVersion] = WeakSet()
_LIVE: WeakValueDictionary[tuple[str, ...], CodeVersion] = WeakValueDictionary()
_KNOWN: WeakKeyDictionary[types.FunctionType, dict[type, CodeVersion]] = WeakKeyDictionary()
