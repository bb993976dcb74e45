"""Which version of itself a user's function is, read again after it was redefined."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from ..models.function_definition import Definition

__all__ = ["FunctionVersion"]


class FunctionVersion:
    """8 hex digits over what a function does: its code, defaults and captured values, and how its
    values are read.

    It becomes another version when a cell of a notebook redefines a function that it calls, or a
    list that it reads. A memo that it fills itself does not count.
    """

    def __init__(
        self,
        function: Callable[..., object],
        at_least: float | None = None,
        labels: Mapping[str, float] | None = None,
    ) -> None:
        self._read = repr(at_least), repr(sorted((labels or {}).items()))
        self._defined: Definition | None = None
        self._version = ""
        self._read_again(function)

    def __getstate__(self) -> dict[str, object]:
        """Without what it holds of this process (a lock, a client), which no other process has."""
        return {**vars(self), "_defined": None}

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

        with suppress(RuntimeError):  # another thread, where the function works, filled its memo
            if definition(function) != self._defined:
                self._read_again(function)
        return self._version

    def _read_again(self, function: Callable[..., object]) -> None:
        from ..models.function_definition import definition
        from ..models.function_identity import identify

        found, copied = identify(function, programs=False), self._defined is None and self._version
        self._defined = definition(function)
        if copied and found.opaque:  # new in every process, though nobody changed it
            return
        text = "\n".join((found.digest, *self._read)).encode("utf-8", "surrogatepass")
        self._version = hashlib.sha256(text).hexdigest()[:8]


_KNOWN: WeakKeyDictionary[types.FunctionType, FunctionVersion] = WeakKeyDictionary()
