"""What a user's function is: its code, its defaults, and every value that it captures.

Two functions are the same only if they would answer alike: the code objects of the function and
of the user's own functions that it calls, default arguments, enclosed and global values, and the
state of the object behind a bound method count, by value, and so do the modules of the user's own,
environment variables and files that the code names. Comments, line numbers and file names do not.
What has no value that could be compared (a lock, a socket, a generator, a file by a path that is
put together, another program) is opaque: the function is then a new one in every process, so that
answers of one function are never taken for those of another. What a service or a library does
behind its name is not seen.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import pickle
import re
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import PurePath
from typing import Any

from .code_reads import MISSING, attributes_of, code_text, held_by, looking, only_written, reads_of
from .declared import annotation, declared_by, made_of_it, told_by
from .module_content import code_in, values_in
from .object_state import PLAIN, attribute, client_of, state_of, text_of
from .surroundings import Found, Surroundings, installed, mark_of
from .templates_read import keeps_templates, templates_of

__all__ = ["CODE", "FunctionIdentity", "FunctionWalk", "identify"]

CODE = (types.FunctionType, types.MethodType, functools.partial, type)
_LOCKS = (type(threading.Lock()), type(threading.RLock()))
_GUARDS = (*_LOCKS, threading.local)
_HELD = (list, tuple, dict, set, frozenset, str, bytes, int, float)
_DEPTH = 12


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionIdentity:
    """The digest of what a function is.

    digest: 16 hex digits; opaque: the place of something that could not be compared by value
        (`self.lock`), empty if everything could: the digest is then the same in every process.
    """

    digest: str
    opaque: tuple[str, ...] = ()


def identify(
    function: Callable[..., object], *, programs: bool = True, walk: FunctionWalk | None = None
) -> FunctionIdentity:
    """What this function is at this moment. Runs nothing of it, but imports the user's own modules
    that it would import.

    Args:
        function: a function, bound method, partial, class, or an object that can be called.
        programs: whether starting another program hides what it does; not so for a scorer, which
            starts the program that it is given.
        walk: one that has met nothing yet; None for a plain one.
    """
    reading = walk or FunctionWalk(programs)
    text = reading.value(function, "", 0)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return FunctionIdentity(digest, tuple(dict.fromkeys(reading.opaque)))


class FunctionWalk:
    """One walk over a function and what it refers to; each object is described once.

    files: whether the content of files counts.
    """

    def __init__(self, programs: bool, *, files: bool = True) -> None:
        self.opaque: list[str] = []
        self._programs, self._files = programs, files
        self._seen: dict[int, int] = {}
        self._attributes_read = set[str]()  # by any function that was met
        self._alive: list[object] = []  # an id is unique only while its object lives

    def value(self, value: object, where: str, depth: int) -> str:
        """A text that is equal for equal values, in this process and the next."""
        if type(value) in PLAIN:
            return f"{type(value).__name__}:{text_of(value)}"
        if isinstance(value, memoryview):
            return f"memoryview:{value.tobytes()!r}"
        if id(value) in self._seen:
            return f"seen:{self._seen[id(value)]}"
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        if depth > _DEPTH:
            return self._unknown(value, where)
        return self.described(value, where, depth)

    def described(self, value: object, where: str, depth: int) -> str:
        """What an object is that was not met before."""
        if not isinstance(value, _HELD) or installed(type(value)):
            for kind, describe in _DESCRIBED:
                if isinstance(value, kind):
                    return describe(self, value, where, depth + 1)
        return self.instance(value, where, depth + 1)

    def values(self, values: Iterator[object] | Any, where: str, depth: int) -> str:
        """The text of a list's values, in order."""
        # a copy, here and below: the function may be at work in another thread, and fill it
        return f"[{','.join(self.value(each, where, depth) for each in list(values))}]"

    def mapping(self, values: Mapping[Any, Any], where: str, depth: int) -> str:
        """The text of a map's pairs and of its default factory."""
        pairs = [
            f"{self.value(key, where, depth)}={self.value(item, f'{where}[{text_of(key)}]', depth)}"
            for key, item in list(values.items())
        ]
        factory = getattr(values, "default_factory", None)  # a defaultdict's
        made = self.value(factory, where, depth) if factory is not None else ""
        return f"{type(values).__qualname__}{{{','.join(pairs)}}}{made}"

    def unordered(self, values: Set[object], where: str, depth: int) -> str:
        """The text of a set's values, in the order of their texts."""
        return f"set{{{','.join(sorted(self.value(each, where, depth) for each in list(values)))}}}"

    def function(self, function: types.FunctionType, where: str, depth: int) -> str:
        """Its code and whatever that refers to; a library's function is known by its name."""
        if installed(function) and (depth > 1 or hasattr(function, "__wrapped__")):
            return self._of_decorator(function, where, depth)
        look = looking(function)
        reads = reads_of(function.__code__, look)
        attributes = attributes_of(function.__code__)
        self._attributes_read |= {name for name, only in attributes if not only}
        kept = {"pytestmark"} | ({"statistics"} if hasattr(function, "retry_with") else set())
        held = {name: each for name, each in list(vars(function).items()) if name not in kept}
        own = self.attributes(function, held)
        parts = [
            code_text(function.__code__),
            self.value(function.__defaults__, f"{where}defaults", depth),
            self.value(function.__kwdefaults__, f"{where}defaults", depth),
            self.value(own, f"{where}attributes", depth) if own else "",
        ]
        parts += told_by(function, lambda own: self.value(own, where, depth))
        around = Surroundings(function, look, programs=self._programs, files=self._files)
        for name in reads.names:
            for text, value in self.taken(function, name, around.of(reads, name)):
                parts.append(f"{name}={text}{self._held(value, name, depth)}")
        for name, text, value in around.imported(reads):
            parts.append(f"{name}={text}{self._held(value, name, depth)}")
        parts += around.loose(reads)
        self.opaque += around.hidden
        self.unread(function, around)
        return f"function({';'.join(parts)})"

    def attributes(self, owner: object, own: dict[str, object]) -> dict[str, object]:
        """Those of a function or a class that count."""
        return own

    def unread(self, function: types.FunctionType, around: Surroundings) -> None:
        """What a function reads from files whose content does not count."""

    def state(self, value: object) -> dict[str, object] | None:
        """The attributes of an object that count; None if they cannot be looked at."""
        return state_of(value)

    def taken(
        self, function: types.FunctionType, name: str, found: Iterator[Found]
    ) -> Iterator[Found]:
        """What counts of that which a function takes from one name."""
        return found

    def _held(self, value: object, where: str, depth: int) -> str:
        return "" if value is MISSING else self.value(value, where, depth)

    def _of_decorator(self, function: types.FunctionType, where: str, depth: int) -> str:
        """A library's function by its name and, where it is one around a function of the user's,
        by that and by what it was configured with; not by its locks and caches.
        """
        cells = [held_by(cell) for cell in function.__closure__ or ()]
        around = [*cells, *list(vars(function).values())]
        told = [each for each in around if each is not MISSING and _configures(each)]
        name = f"library:{function.__module__}.{function.__qualname__}"
        return f"{name}{self.values(told, where, depth)}" if told else name

    def method(self, method: types.MethodType, where: str, depth: int) -> str:
        """The text of a bound method: its function and its owner."""
        owner = self.value(method.__self__, "self", depth)
        return f"method({self.value(method.__func__, where, depth)},{owner})"

    def partial(self, partial: functools.partial[object], where: str, depth: int) -> str:
        """The text of a partial: its function and its arguments."""
        parts = (partial.func, partial.args, partial.keywords)
        return f"partial{self.values(parts, where, depth)}"

    def kind(self, kind: type, where: str, depth: int) -> str:
        """A class of the user's by the code of its methods and its values; others by name."""
        if installed(kind):
            return f"library:{kind.__module__}.{kind.__qualname__}"
        own = {
            name: item
            for name, item in list(vars(kind).items())
            if name not in {"__module__", "__dict__", "__weakref__", "__doc__", "__qualname__"}
            and not name.startswith(
                ("__firstlineno__", "__static_attributes__", "_abc_", "__dataclass_", "__annot")
            )
            and not isinstance(item, (types.GetSetDescriptorType, types.MemberDescriptorType))
            and not made_of_it(name, item)
        }
        own = self.attributes(kind, own)
        declared = declared_by(kind, lambda each: self.value(each, where, depth))
        bases = [base for base in kind.__bases__ if base is not object]
        if not installed(type(kind)):  # a metaclass of the user's answers for the class
            bases.append(type(kind))
        text = f"{self.mapping(own, where, depth)},{self.values(bases, where, depth)}"
        return f"class({text},{declared})" if declared else f"class({text})"

    def instance(self, value: object, where: str, depth: int) -> str:
        """Its class and its state; an object of a library's by what pickles of it."""
        kind = type(value)
        if kind.__module__.startswith("promptops."):
            own = getattr(value, "id", None) or getattr(value, "root", None)
            if own is not None or hasattr(value, "project"):  # a version, a lab: known by its id
                return f"promptops:{kind.__qualname__}:{own}"
        if installed(kind):
            return f"{self._of_library(value, where, depth)}{self._templates(value, where)}"
        state = self.state(value)
        if state is None:
            return self._unknown(value, where)
        written = only_written(kind) - self._attributes_read
        parts = [
            f"{name}={self.value(item, f'{where}.{name}', depth)}"
            for name, item in sorted(state.items())
            if name not in written
        ]
        return f"object({self.value(kind, where, depth)},{','.join(parts)})"

    def _of_library(self, value: object, where: str, depth: int) -> str:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        if isinstance(wrapped := attribute(value, "__wrapped__"), CODE):  # a cache
            return f"{kind}({self.value(wrapped, where, depth)})"
        if (client := client_of(value)) is not None:
            return f"client:{kind}:{client}"
        if isinstance(value, _LOCKS) and not self._programs:  # decides nothing of a score
            return f"lock:{kind}"
        if isinstance(value, _GUARDS):
            return self._unknown(value, where)
        if kind == "pydantic.type_adapter.TypeAdapter":
            adapted = attribute(value, "_type")
            return f"{kind}({annotation(adapted, lambda own: self.value(own, where, depth))})"
        try:
            pickled = _OwnCode.dumped(value, lambda own: self.value(own, where, depth))
        except Exception:  # whatever a library's object raises when it is copied
            return self._unknown(value, where)
        return f"pickled:{kind}:{hashlib.sha256(pickled).hexdigest()}"

    def _templates(self, value: object, where: str) -> str:
        if (found := templates_of(value)) == "":
            return self._unknown(value, f"the templates of {where}")
        return f"templates:{found}" if found else ""

    def module(self, module: types.ModuleType, where: str, depth: int) -> str:
        """A library's by its name. What is taken from the user's own is not known here: it counts
        with its code and its values.
        """
        if installed(module):
            return f"module:{module.__name__}"
        text = self._unknown(module, f"the module {module.__name__}")
        if module.__name__ == "__main__":  # a notebook's, where each cell changes something
            return text
        held = {**code_in(module), **self.module_values(module)}
        return f"{text}{self.mapping(held, where, depth)}"

    def module_values(self, module: types.ModuleType) -> dict[str, object]:
        """The values of a module that count."""
        return self.attributes(module, values_in(module))

    def _unknown(self, value: object, where: str) -> str:
        self.opaque.append(where.lstrip(".") or type(value).__qualname__)
        return f"opaque:{mark_of(value)}"


class _OwnCode(pickle.Pickler):
    """Pickles an object of a library's, with the user's own functions and classes by what they are
    instead of by their names.
    """

    def __init__(self, out: io.BytesIO, describe: Callable[[object], str]) -> None:
        super().__init__(out, protocol=4)
        self._describe = describe

    def persistent_id(self, value: object) -> object:
        held: Any = value
        if type(value) in (set, frozenset):  # each process has an order of its own
            texts = all(type(each) is str for each in held)
            return "set", sorted(
                held if texts else (self.dumped(each, self._describe) for each in held)
            )
        if isinstance(value, _GUARDS) or keeps_templates(value):
            return "guard", type(value).__qualname__
        if not isinstance(value, CODE):
            return None
        module = str(attribute(value, "__module__")).partition(".")[0]
        unnamed = module == "tenacity" or "<locals>" in attribute(value, "__qualname__", "")
        own = unnamed or not installed(value)
        return self._describe(value) if own else None

    @classmethod
    def dumped(cls, value: object, describe: Callable[[object], str]) -> bytes:
        """The bytes of the object; raises whatever it raises when it is copied."""
        out = io.BytesIO()
        cls(out, describe).dump(value)
        return out.getvalue()


_DESCRIBED: tuple[tuple[Any, Callable[[FunctionWalk, Any, str, int], str]], ...] = (
    (types.FunctionType, FunctionWalk.function),
    (types.MethodType, FunctionWalk.method),
    (functools.partial, FunctionWalk.partial),
    ((types.BuiltinFunctionType, types.BuiltinMethodType), lambda r, v, w, d: _builtin(r, v, w, d)),
    (types.ModuleType, FunctionWalk.module),
    ((staticmethod, classmethod), lambda r, v, w, d: r.value(v.__func__, w, d)),
    (property, lambda r, v, w, d: r.values((v.fget, v.fset), w, d)),
    (functools.cached_property, lambda r, v, w, d: r.value(v.func, w, d)),
    (type, FunctionWalk.kind),
    ((list, tuple), FunctionWalk.values),
    ((dict, types.MappingProxyType), FunctionWalk.mapping),
    ((set, frozenset), FunctionWalk.unordered),
    (PurePath, lambda _r, v, _w, _d: f"path:{v}"),
    (re.Pattern, lambda _r, v, _w, _d: f"pattern:{v.pattern!r}:{v.flags}"),
)


def _builtin(reading: FunctionWalk, value: Any, where: str, depth: int) -> str:
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return f"builtin:{value.__module__}.{value.__qualname__}"
    return f"builtin:{value.__qualname__}({reading.value(owner, where, depth)})"


def _configures(value: object) -> bool:
    """Whether what a library's decorator holds is a part of what it does."""
    if isinstance(value, types.MethodType):  # of its own cache, say
        return not installed(type(value.__self__))
    return isinstance(value, (*CODE, *PLAIN, types.MappingProxyType, tuple, list)) or not (
        isinstance(value, types.ModuleType) or installed(type(value))
    )
