"""How a function is defined, apart from what it keeps while it works."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from .code_reads import MISSING, looking
from .code_writes import writes_of
from .function_identity import CODE, FunctionWalk
from .library_state import LibraryStates, keeps_settings
from .module_content import values_in
from .object_state import attribute, edited_in, settings_in, state_of
from .parts_left import Parts
from .reached_code import (
    MAKING,
    ClassMember,
    MetFunctions,
    default_of,
    fills_itself,
    functions_of,
    is_plain_class,
)
from .surroundings import Found, Surroundings, installed
from .templates_read import templates_of
from .written_state import WrittenPlace

__all__ = ["Definition", "definition", "holder_of"]

_CONTAINERS = (list, tuple, dict, set, frozenset, types.MappingProxyType)
_FILLED = (list, dict, set)
_NAMED = (
    *(types.BuiltinFunctionType, types.BuiltinMethodType, types.ModuleType),
    *(staticmethod, classmethod, property, functools.cached_property, PurePath, re.Pattern),
)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a function was when it was read, apart from what it has written since.

    digest: over its code and the plain values, containers, tables and attributes that it captures,
        but for what its own code or that of its helpers changes; held: other objects, which are
        known by which one it is (what they keep while they work, a cache or a counter, is their
        own), and are kept for that; states: what those of a library's own classes hold, which may
        be settings (`ConfigParser`) or what they keep while they work: the caller finds out;
        places: what the code writes to, of which the same is true.
    """

    digest: str
    held: tuple[object, ...] = field(compare=False, repr=False)
    states: LibraryStates = field(compare=False, repr=False)
    places: tuple[WrittenPlace, ...] = field(compare=False, repr=False)

    @property
    def changing(self) -> bool:
        """Whether anything may change while the function is called."""
        return bool(self.states or self.places)

    @property
    def written_to(self) -> set[tuple[int, str]]:
        """The places that the code writes to."""
        return {(id(place.holder), place.name) for place in self.places}

    def states_now(self, *, whole: bool = True) -> LibraryStates:
        """What the same library's objects hold now, apart from the code of the user's own, and
        what is where the code writes to; without whole: only the latter.
        """
        found = LibraryStates(self.states.large)
        read = {at for at, _ in self.states} if whole else set[int]()
        for value in self.held:
            if id(value) in read:
                found.add(value, _by_place)
        found.own = _parts(self.places)
        return found


def definition(function: Callable[..., object], large: frozenset[int] = frozenset()) -> Definition:
    """How a function is defined at this moment: equal as long as nobody else changes what it is
    made of, whatever it keeps in a memo, a log or a counter of its own.

    large: ids of objects that were found too large to be compared each time.
    """
    # kept, since it keeps what is known by its id
    first = _DefinitionWalk(_Written(), None)
    first.value(function, "", 0)
    states = LibraryStates(large)
    reading = _DefinitionWalk(_Written.of(first.met), states)
    text = reading.value(function, "", 0)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    states.own = _parts(reading.places)
    return Definition(digest, tuple(reading.held), states, tuple(reading.places))


def _parts(places: Iterable[WrittenPlace]) -> Parts:
    return {key: text for place in places for key, text in place.parts().items()}


def _by_place(value: object) -> str | None:
    return f"at:{id(value)}" if _own(value) else None


def _own(value: object) -> bool:
    return isinstance(value, CODE) and not installed(value)


@dataclass(slots=True)
class _Written:
    """What a function and its helpers change. places: of names, by the cell or the globals that
    hold them; containers: by id; kinds: classes that are containers which their methods fill;
    settings: attributes that change after an object was made; others, any_attribute: whether
    containers or attributes of which that is not known.
    """

    places: set[tuple[int, str]] = field(default_factory=set)
    stored: set[tuple[int, str]] = field(default_factory=set)
    keys: dict[int, set[str | None]] = field(default_factory=dict)
    containers: set[int] = field(default_factory=set)
    kinds: tuple[type, ...] = ()
    attributes: set[str] = field(default_factory=set)
    settings: set[str] = field(default_factory=set)
    others: bool = False
    files: bool = False
    any_attribute: bool = False

    @classmethod
    def of(cls, met: MetFunctions) -> _Written:
        """What the code that runs changes, and what making an object does."""
        found, reached = cls(), met.reached()
        for function in reached:
            found.add(function, met.members.get(id(function), []))
        runs = set(map(id, reached))
        for one, function in met.functions.items():
            if one not in runs and function.__name__ in MAKING:
                found.add_named(function)
        return found

    def add(self, function: types.FunctionType, members: Sequence[ClassMember]) -> None:
        """Count in what a function that runs changes."""
        self.add_named(function)
        found = writes_of(function.__code__)
        if function.__name__ not in MAKING:
            self.settings |= found.attributes
            by_name = function.__name__ == "__setattr__"  # called where code names an attribute
            self.any_attribute |= found.any_attribute and not by_name
        self.others |= found.others
        self.files |= found.files
        own = function.__code__.co_varnames[:1] if members else ()
        for name in found.given:
            default = default_of(function, name)
            self.containers |= {id(default)} if isinstance(default, _FILLED) else set()
            if name not in own:
                self.others |= not isinstance(default, _FILLED)
        if (own and own[0] in found.given) or (members and fills_itself(function)):
            self.kinds += tuple(member.kind for member in members)

    def keys_of(self, place: tuple[int, str], value: object) -> frozenset[str] | None:
        """The keys of a map that the code sets, where it sets no others."""
        keys = self.keys.get(id(value), {None})
        if type(value) is not dict or place in self.stored or self.others or None in keys:
            return None
        return frozenset(str(key) for key in keys)

    def sets_variable(self, name: str) -> bool:
        """Whether the code that sets environment variables may set this one."""
        keys = self.keys.get(id(os.environ), {None})
        return name in keys or None in keys

    def add_named(self, function: types.FunctionType) -> None:
        """What this function's own code changes of what it names."""
        found, look = writes_of(function.__code__), looking(function)
        self.stored |= {_place(function, name) for name in found.stored}
        for dotted, key in found.keys:
            name, *path = dotted.split(".")
            self.keys.setdefault(id(_reached(look(name), path)), set()).add(key)
        filled_names = {name for name in found.names if not _has_own_methods(look(name))}
        self.places |= {_place(function, name) for name in found.stored | filled_names}
        self.attributes |= found.attributes
        filled = [_reached(look(name), path) for name, *path in found.paths]
        self.containers |= {id(each) for each in filled if isinstance(each, _FILLED)}
        self.containers |= {id(look(name)) for name, *path in found.paths if path}  # a table's rows


def _has_own_methods(value: object) -> bool:
    """Whether what `value.update(...)` does is the user's own code, which is read itself."""
    kind = type(value)
    return not (installed(kind) or isinstance(value, _FILLED)) and is_plain_class(kind)


def _read(function: types.FunctionType, name: str, path: list[str]) -> object:
    return _reached(looking(function)(name), path)


def _place(function: types.FunctionType, name: str) -> tuple[int, str]:
    return id(holder_of(function, name)), name


def holder_of(function: types.FunctionType, name: str) -> object:
    """The cell or the globals that hold what a function calls by a name."""
    enclosed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    return enclosed.get(name, function.__globals__)


def _reached(value: Any, path: list[str]) -> object:
    for name in path:
        value = inspect.getattr_static(value, name, MISSING)
    return value


class _DefinitionWalk(FunctionWalk):
    """A walk that leaves out what is known to be written. met: the functions that it comes to."""

    def __init__(self, written: _Written, states: LibraryStates | None) -> None:
        super().__init__(False, files=not written.files)
        self.held: list[object] = []
        self.places: list[WrittenPlace] = []
        self.met = MetFunctions()
        self._written, self._states = written, states

    def value(self, value: object, where: str, depth: int) -> str:
        self.met.add(value)
        return super().value(value, where, depth)

    def described(self, value: object, where: str, depth: int) -> str:
        if isinstance(value, type) and not installed(value):
            self.met.add_class(value)
        written = self._written
        filled = id(value) in written.containers or isinstance(value, written.kinds)
        filled = filled or written.others
        kept = (filled and isinstance(value, _FILLED)) or not _defines(value)
        if isinstance(value, CODE) or not kept:
            return super().described(value, where, depth)
        self.held.append(value)
        found = edited_in(value)
        edited = [] if filled or found is None else found
        if filled and (found is not None or isinstance(value, _FILLED)):
            self._written_to(value, "", lambda: value)
        if found is None and self._states is not None and keeps_settings(value):
            self._states.add(
                value, lambda each: self.value(each, where, depth + 1) if _own(each) else None
            )
        edited += [*self._settings(value, filled), templates_of(value)]
        kind = self.value(type(value), where, depth + 1)
        return f"at:{id(value)}:{kind}{self.values(edited, where, depth + 1)}"

    def _settings(self, value: object, filled: bool) -> list[tuple[str, object]]:
        kind = type(value)
        own = not installed(kind) or isinstance(value, types.SimpleNamespace)
        if not own or isinstance(value, threading.local):
            return []
        found: list[tuple[str, object]] = []
        if not self._written.any_attribute:
            named = None if installed(kind) or is_plain_class(kind) else _named_by(kind)
            found = settings_in(value, self._written.settings, named, content=not filled)
        known = {name for name, _ in found}

        def others() -> object:
            held = state_of(value) or {}
            return types.SimpleNamespace(**{name: held[name] for name in held.keys() - known})

        self._written_to(value, "", others)
        return found

    def _written_to(
        self,
        holder: object,
        name: str,
        now: Callable[[], object],
        keys: frozenset[str] | None = None,
    ) -> None:
        if self._states is not None:
            self.places.append(WrittenPlace(holder, name, now, keys))

    def unread(self, function: types.FunctionType, around: Surroundings) -> None:
        for name, content in around.unread:
            self._written_to(function.__globals__, name, content)

    def module_values(self, module: types.ModuleType) -> dict[str, object]:
        self._written_to(module, "", lambda: types.SimpleNamespace(**values_in(module)))
        return {}

    def attributes(self, owner: object, own: dict[str, object]) -> dict[str, object]:
        changed = [name for name in own if name in self._written.attributes]
        if changed := [name for name in changed if not (name[:2] == "__" or _is_code(own[name]))]:
            self._written_to(
                owner,
                "",
                lambda: types.SimpleNamespace(
                    **{name: vars(owner).get(name, MISSING) for name in changed}
                ),
            )
        return {
            name: value
            for name, value in own.items()
            if _is_code(value) or not (name in self._written.attributes or name.startswith("__"))
        }

    def taken(
        self, function: types.FunctionType, name: str, found: Iterator[Found]
    ) -> Iterator[Found]:
        written = _place(function, name) in self._written.places
        for text, value in found:
            path_text, _, variable = text.partition("variable:")
            own = written or path_text.rpartition(".")[2] in self._written.attributes
            if variable and not self._written.sets_variable(variable.partition("=")[0]):
                own = False
            if _is_code(value) or not own:
                yield text, value
            elif value is not MISSING:
                path = text.split(".") if text else []
                read = functools.partial(_read, function, name, path)
                keys = None if text else self._written.keys_of(_place(function, name), value)
                self._written_to(holder_of(function, name), f"{name}.{text}", read, keys)


def _named_by(kind: type) -> set[str]:
    """The attributes that a class of the user's, and those of the user's that it is made of, assign
    or annotate.
    """
    found = set[str]()
    for base in [each for each in kind.__mro__ if not installed(each)]:
        found.update(vars(base).get("__annotations__") or ())
        for item in vars(base).values():
            for function, _ in functions_of(item):
                found |= writes_of(function.__code__).attributes
    return found


def _is_code(value: object) -> bool:
    return isinstance(value, (*CODE, staticmethod, classmethod, property))


def _defines(value: object) -> bool:
    """Whether an object is known by what it holds even while it works: a plain container, or what
    is described by code, a name or an address.
    """
    if type(value) in _CONTAINERS or isinstance(attribute(value, "__wrapped__"), CODE):
        return True
    return isinstance(value, _NAMED)
