"""Which version of itself a user's function is, read again after it was redefined."""

from __future__ import annotations

import hashlib
import inspect
import types
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

if TYPE_CHECKING:
    from ..models.function_definition import Definition

__all__ = ["FunctionVersion"]

_T = TypeVar("_T")
_Held = Mapping[tuple[int, str], str]


class FunctionVersion:
    """8 hex digits over what a function does: its code, defaults and captured values, and how its
    values are read.

    It becomes another version when a cell of a notebook redefines a function that it calls, or a
    list that it reads. A memo that it fills itself does not count. What an object of a library's
    holds counts as well, apart from whatever has once changed while the function was called.
    """

    def __init__(
        self,
        function: Callable[..., object],
        at_least: float | None = None,
        labels: Mapping[str, float] | None = None,
    ) -> None:
        self._read = repr(at_least), repr(sorted((labels or {}).items()))
        self._defined: Definition | None = None
        self._first: _Held = {}  # what libraries' objects held when first seen
        self._kept: frozenset[tuple[int, str]] = frozenset()  # what of that changes by itself
        self._calls, self._took, self._call_took = 0, 0.0, 0.0
        self._version = ""
        self._read_again(function)

    def __getstate__(self) -> dict[str, object]:
        """Without what it holds of this process (a lock, a client), which no other process has."""
        calls = {"_calls": 0, "_took": 0.0, "_call_took": 0.0}
        return {**vars(self), **calls, "_defined": None, "_first": {}, "_kept": frozenset()}

    @classmethod
    def known(cls, function: Callable[..., object]) -> FunctionVersion:
        """The version of a function that is passed as it is, the same object each time."""
        if not isinstance(function, types.FunctionType):
            return cls(function)
        if (found := _KNOWN.get(function)) is None:
            found = _KNOWN[function] = cls(function)
        return found

    def now(self, function: Callable[..., object]) -> str:
        """The version of the function at this moment."""
        # the built-in scorers need nothing that reads code
        from ..models.function_definition import definition

        large = self._defined.states.large if self._defined is not None else frozenset()
        with suppress(RuntimeError):  # another thread, where the function works, filled its memo
            if self.while_still(definition(function, large)) is None:
                self._read_again(function)
        return self._version

    def calling(self, call: Callable[[], _T]) -> _T:
        """What a call of the function gives, awaitable where that is. What changes meanwhile in a
        library's object is the function's own: a cookie, a counter, a cache.
        """
        if self._defined is None or not self._defined.states:
            return call()
        with self._watched():
            given = call()
        if inspect.isawaitable(given):
            return self._awaited(given)  # type: ignore[return-value]
        return given

    async def _awaited(self, given: Awaitable[_T]) -> _T:
        with self._watched():
            return await given

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Look before and after a call: the first, second, fourth, eighth ... of a quick function,
        so that somebody's edit meanwhile is rarely taken for its own, and each of one that takes
        long, whose judgements may be paid for.
        """
        self._calls += 1
        defined, began = self._defined, perf_counter()
        if self._calls & (self._calls - 1) and self._call_took < 100 * self._took:
            defined = None
        before = defined.states_now() if defined is not None else None
        self._took, called = max(self._took, perf_counter() - began), perf_counter()
        try:
            yield
        finally:
            self._call_took = perf_counter() - called
            if defined is not None and before is not None:
                self._kept |= _changed(before, defined.states_now())

    def _edited(self, now: Definition, before: _Held) -> list[str]:
        """What differs from before, apart from what changes by itself."""
        changed = _changed(before, now.states) - self._kept
        return sorted(f"{key[1]}={now.states.get(key)}" for key in changed)

    def while_still(self, now: Definition) -> tuple[str, _Held, frozenset[tuple[int, str]]] | None:
        """The version, and what it knows of libraries' objects; None if somebody edited since."""
        if now != self._defined or self._edited(now, self._defined.states):
            return None
        return self._version, self._first, self._kept

    def _read_again(self, function: Callable[..., object]) -> None:
        from ..models.function_definition import definition
        from ..models.function_identity import identify

        copied = self._defined is None and self._version
        self._defined = definition(function)
        self._calls, states = 0, self._defined.states
        key = self._defined.digest, *self._read
        known, _LIVE[key] = _LIVE.get(key), self
        other = None if copied or known is self else known
        if other is not None and (held := other.while_still(self._defined)) is not None:
            # its cell was run again: what it has counted or kept since is its own
            self._version, self._first, self._kept = held
            return
        found = identify(function, programs=False)
        self._first = {key: self._first.get(key, held) for key, held in states.items()}
        self._kept &= states.keys()
        if copied and found.opaque:  # new in every process, though nobody changed it
            return
        edited = self._edited(self._defined, self._first) if found.opaque else ()
        text = "\n".join((found.digest, *self._read, *edited)).encode("utf-8", "surrogatepass")
        self._version = hashlib.sha256(text).hexdigest()[:8]


def _changed(before: _Held, now: _Held) -> set[tuple[int, str]]:
    return {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}


_LIVE: WeakValueDictionary[tuple[str, ...], FunctionVersion] = WeakValueDictionary()
_KNOWN: WeakKeyDictionary[types.FunctionType, FunctionVersion] = WeakKeyDictionary()
