"""What a user's function is: its code, its defaults, and every value that it captures.

Two functions are the same only where they would answer alike: the code objects of the function and
of the user's own functions that it calls, default arguments, enclosed and global values, and the
state of the object behind a bound method count, by value. Comments, line numbers and file names do
not. What has no value that could be compared (a lock, a socket, a generator) is opaque: the
function is then a new one in every process, so that answers of one function are never taken for
those of another.
"""

from __future__ import annotations

import dataclasses
import dis
import functools
import hashlib
import inspect
import pickle
import re
import sysconfig
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import PurePath
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["FunctionIdentity", "identify"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))
# A container that a function only writes to (a log, a counter) does not change what it answers.
_WRITES = {"append", "add", "extend", "update", "put", "put_nowait", "set", "write", "clear"}
_LOADS = {"LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_NAME"}
_ATTRIBUTES = {"LOAD_METHOD", "LOAD_ATTR"}
_INSTALLED = tuple(
    {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_PROCESS = uuid.uuid4().hex
_DEPTH = 12


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionIdentity:
    """The digest of what a function is.

    digest: 16 hex digits; opaque: the place of something that could not be compared by value
        (`self.lock`), empty where everything could: the digest is then the same in every process.
    """

    digest: str
    opaque: tuple[str, ...] = ()


def identify(function: Callable[..., Any]) -> FunctionIdentity:
    """What this function is at this moment. Runs nothing of it.

    Args:
        function: a function, bound method, partial, class, or an object that can be called.
    """
    reading = _Reading()
    text = reading.value(function, "", 0)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return FunctionIdentity(digest, tuple(dict.fromkeys(reading.opaque)))


class _Marks:
    """A mark per opaque object of this process, stable while the object lives."""

    def __init__(self) -> None:
        self._marks: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    def of(self, value: Any) -> str:
        """The mark of the object; a new one at each call where no weak reference to it can be."""
        try:
            return self._marks.setdefault(value, f"{_PROCESS}-{uuid.uuid4().hex}")
        except TypeError:
            return f"{_PROCESS}-{uuid.uuid4().hex}"


_MARKS = _Marks()


class _Reading:
    """One walk over a function and what it refers to; each object is described once."""

    def __init__(self) -> None:
        self.opaque: list[str] = []
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []  # an id is unique only while its object lives

    def value(self, value: Any, where: str, depth: int) -> str:
        """A text that is equal for equal values, in this process and the next."""
        if isinstance(value, _PLAIN):
            return f"{type(value).__name__}:{value!r}"
        if id(value) in self._seen:
            return f"seen:{self._seen[id(value)]}"
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        if depth > _DEPTH:
            return self._unknown(value, where)
        for kind, describe in _DESCRIBED:
            if isinstance(value, kind):
                return describe(self, value, where, depth + 1)
        return self.instance(value, where, depth + 1)

    def values(self, values: Iterator[Any] | Any, where: str, depth: int) -> str:
        return f"[{','.join(self.value(each, where, depth) for each in values)}]"

    def mapping(self, values: Mapping[Any, Any], where: str, depth: int) -> str:
        pairs = [
            f"{self.value(key, where, depth)}={self.value(item, f'{where}[{key!r}]', depth)}"
            for key, item in values.items()
        ]
        return f"{type(values).__qualname__}{{{','.join(pairs)}}}"

    def unordered(self, values: Set[Any], where: str, depth: int) -> str:
        return f"set{{{','.join(sorted(self.value(each, where, depth) for each in values))}}}"

    def function(self, function: types.FunctionType, where: str, depth: int) -> str:
        """Its code and whatever that refers to; a library's function is known by its name."""
        if depth > 1 and _installed(function):
            return f"library:{function.__module__}.{function.__qualname__}"
        names = _names(function)
        parts = [
            _code(function.__code__),
            self.value(function.__defaults__, f"{where}defaults", depth),
            self.value(function.__kwdefaults__, f"{where}defaults", depth),
        ]
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            if name not in names.written and (held := _held(cell)) is not _EMPTY:
                parts.append(f"{name}={self.value(held, name, depth)}")
        for name in sorted(names.read - names.written):
            if name in function.__globals__:
                parts.append(f"{name}={self.value(function.__globals__[name], name, depth)}")
        wrapped = getattr(function, "__wrapped__", None)
        return f"function({';'.join(parts)};{self.value(wrapped, where, depth)})"

    def method(self, method: types.MethodType, where: str, depth: int) -> str:
        owner = self.value(method.__self__, "self", depth)
        return f"method({self.value(method.__func__, where, depth)},{owner})"

    def partial(self, partial: functools.partial[Any], where: str, depth: int) -> str:
        parts = (partial.func, partial.args, partial.keywords)
        return f"partial{self.values(parts, where, depth)}"

    def kind(self, kind: type, where: str, depth: int) -> str:
        """A class of the user's by the code of its methods and its values; others by name."""
        if _installed(kind):
            return f"library:{kind.__module__}.{kind.__qualname__}"
        own = {
            name: item
            for name, item in vars(kind).items()
            if name not in {"__module__", "__dict__", "__weakref__", "__doc__", "__qualname__"}
            and not name.startswith(
                ("__firstlineno__", "__static_attributes__", "_abc_", "__dataclass_", "__annot")
            )
            and not isinstance(item, (types.GetSetDescriptorType, types.MemberDescriptorType))
        }
        bases = [base for base in kind.__bases__ if base is not object]
        return f"class({self.mapping(own, where, depth)},{self.values(bases, where, depth)})"

    def instance(self, value: Any, where: str, depth: int) -> str:
        """Its class and its state; an object of a library's by what pickles of it."""
        kind = type(value)
        if kind.__module__.startswith("promptops."):
            own = getattr(value, "id", None) or getattr(value, "root", None)
            if own is not None or hasattr(value, "project"):  # a version, a lab: known by its id
                return f"promptops:{kind.__qualname__}:{own}"
        if _installed(kind):
            return self._of_library(value, where)
        state = _state(value)
        if state is None:
            return self._unknown(value, where)
        written = _only_written(kind)
        parts = [
            f"{name}={self.value(item, f'{where}.{name}', depth)}"
            for name, item in sorted(state.items())
            if name not in written
        ]
        return f"object({self.value(kind, where, depth)},{','.join(parts)})"

    def _of_library(self, value: Any, where: str) -> str:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        address = getattr(value, "base_url", None)
        if isinstance(address, (str, PurePath)) or type(address).__name__ == "URL":
            return f"client:{kind}:{address}"
        try:
            return f"pickled:{kind}:{hashlib.sha256(pickle.dumps(value, protocol=4)).hexdigest()}"
        except Exception:  # whatever a library's object raises when it is copied
            return self._unknown(value, where)

    def _unknown(self, value: Any, where: str) -> str:
        self.opaque.append(where.lstrip(".") or type(value).__qualname__)
        return f"opaque:{_MARKS.of(value)}"


_DESCRIBED: tuple[tuple[Any, Callable[[_Reading, Any, str, int], str]], ...] = (
    (types.FunctionType, _Reading.function),
    (types.MethodType, _Reading.method),
    (functools.partial, _Reading.partial),
    ((types.BuiltinFunctionType, types.BuiltinMethodType), lambda r, v, w, d: _builtin(r, v, w, d)),
    (types.ModuleType, lambda _r, v, _w, _d: f"module:{v.__name__}"),
    ((staticmethod, classmethod), lambda r, v, w, d: r.value(v.__func__, w, d)),
    (property, lambda r, v, w, d: r.values((v.fget, v.fset), w, d)),
    (functools.cached_property, lambda r, v, w, d: r.value(v.func, w, d)),
    (type, _Reading.kind),
    ((list, tuple), _Reading.values),
    ((dict, types.MappingProxyType), _Reading.mapping),
    ((set, frozenset), _Reading.unordered),
    (PurePath, lambda _r, v, _w, _d: f"path:{v}"),
    (re.Pattern, lambda _r, v, _w, _d: f"pattern:{v.pattern!r}:{v.flags}"),
)


def _builtin(reading: _Reading, value: Any, where: str, depth: int) -> str:
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return f"builtin:{value.__module__}.{value.__qualname__}"
    return f"builtin:{value.__qualname__}({reading.value(owner, where, depth)})"


@dataclasses.dataclass(frozen=True, slots=True)
class _Names:
    read: frozenset[str]
    written: frozenset[str]  # of those: names of containers that are only written to


def _names(function: types.FunctionType) -> _Names:
    """Global and enclosed names that the code refers to, in nested functions too."""
    loads: dict[str, list[bool]] = {}
    for code in _codes(function.__code__):
        steps = list(dis.get_instructions(code))
        for step, after in zip(steps, [*steps[1:], None], strict=True):
            if step.opname in _LOADS:
                writes = (
                    after is not None and after.opname in _ATTRIBUTES and after.argval in _WRITES
                )
                loads.setdefault(str(step.argval), []).append(writes)
    return _Names(frozenset(loads), frozenset(name for name, uses in loads.items() if all(uses)))


def _only_written(kind: type) -> frozenset[str]:
    """Attributes of `self` that the methods of a class only write to."""
    uses: dict[str, list[bool]] = {}
    for item in [each for base in kind.__mro__ for each in vars(base).values()]:
        function = getattr(item, "__func__", item)
        if not isinstance(function, types.FunctionType) or function.__name__ == "__init__":
            continue
        for code in _codes(function.__code__):
            steps = list(dis.get_instructions(code))
            for step, after in zip(steps, [*steps[1:], None], strict=True):
                if step.opname == "LOAD_ATTR":
                    writes = (
                        after is not None
                        and after.opname in _ATTRIBUTES
                        and after.argval in _WRITES
                    )
                    uses.setdefault(str(step.argval), []).append(writes)
    return frozenset(name for name, each in uses.items() if all(each))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _codes(const)


def _code(code: types.CodeType) -> str:
    consts = [
        _code(const) if isinstance(const, types.CodeType) else _const(const)
        for const in code.co_consts
    ]
    names = (code.co_names, code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    return f"code({code.co_code.hex()},{names},{code.co_flags},{consts})"


def _const(const: Any) -> str:
    if isinstance(const, frozenset):
        return f"frozenset({sorted(map(repr, const))})"
    return f"{type(const).__name__}:{const!r}"


def _state(value: Any) -> dict[str, Any] | None:
    """The attributes of an object; None where it keeps its state where Python cannot look."""
    state = dict(getattr(value, "__dict__", None) or {})
    for kind in type(value).__mro__:
        for name in _slots(kind):
            if hasattr(value, name):
                state[name] = getattr(value, name)
    if state or hasattr(value, "__dict__") or "__slots__" in vars(type(value)):
        if isinstance(value, (dict, list, tuple, set)):
            state["()"] = list(value.items()) if isinstance(value, dict) else list(value)
        return state
    return None


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in {"__dict__", "__weakref__"})


def _installed(what: Any) -> bool:
    """Whether it is of the standard library or of an installed package, not the user's own code."""
    if (getattr(what, "__module__", None) or "").startswith("promptops."):
        return True
    module = inspect.getmodule(what) if not isinstance(what, types.FunctionType) else None
    file = (
        what.__code__.co_filename
        if isinstance(what, types.FunctionType)
        else getattr(module, "__file__", None)
    )
    if file is None:  # typed in a cell, or built in
        return getattr(what, "__module__", None) not in {"__main__", None} and module is not None
    return file.startswith(("<frozen", *_INSTALLED))


_EMPTY = object()


def _held(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return _EMPTY
