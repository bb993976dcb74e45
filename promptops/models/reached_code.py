"""Which of the functions around a function run when it is called: a method that only another cell
of the notebook calls, to set something, does not count.
"""

from __future__ import annotations

import functools
import types
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .code_reads import codes
from .code_writes import FILLS, writes_of
from .surroundings import installed

__all__ = [
    "MAKING",
    "ClassMember",
    "MetFunctions",
    "default_of",
    "fills_itself",
    "functions_of",
    "is_plain_class",
]

MAKING = {"__init__", "__post_init__", "__new__", "__init_subclass__", "__set_name__"}
_SHOWING = {"__repr__", "__str__", "__getstate__", "__setstate__", "__reduce__", "__reduce_ex__"}
_BY_NAME = {"getattr", "methodcaller", "attrgetter", "eval", "exec"}
_PLAIN = {"builtins", "abc", "typing", "enum", "collections"}  # their code fills containers alone
_KEPT = {"UserDict", "UserList", "UserString"}  # which keep theirs in an attribute


@dataclass(frozen=True, slots=True)
class ClassMember:
    """A function of a class of the user's: the name that code reaches it by, and whether it does so
    by assigning that.
    """

    kind: type
    name: str
    assigned: bool = False


@dataclass(slots=True)
class MetFunctions:
    """The functions that a walk met, by id. met: how often each was; members: of which classes each
    is; called: those of bound methods.
    """

    functions: dict[int, types.FunctionType] = field(default_factory=dict)
    met: Counter[int] = field(default_factory=Counter)
    members: dict[int, list[ClassMember]] = field(default_factory=dict)
    called: set[int] = field(default_factory=set)

    def add(self, value: object) -> None:
        """What the walk comes to, each time that it does."""
        if isinstance(value, types.FunctionType):
            self.functions[id(value)] = value
            self.met[id(value)] += 1
        elif isinstance(value, types.MethodType):
            self.called.add(id(value.__func__))

    def add_class(self, kind: type) -> None:
        """The functions that a class defines itself."""
        for name, item in list(vars(kind).items()):
            for function, assigned in functions_of(item):
                member = ClassMember(kind, name, assigned)
                self.members.setdefault(id(function), []).append(member)

    def reached(self) -> list[types.FunctionType]:
        """Those that may run when the function is called: by its code and whatever that names."""
        left, found = dict(self.functions), list[types.FunctionType]()
        loads, stores = set[str](), set[str]()
        while True:
            now = [one for one in left if self._runs(one, loads, stores)]
            if not now:
                return found
            for one in now:
                function = left.pop(one)
                found.append(function)
                for code in codes(function.__code__):
                    loads.update(code.co_names)
                stores |= writes_of(function.__code__).assigned

    def _runs(self, one: int, loads: set[str], stores: set[str]) -> bool:
        members = self.members.get(one, [])
        if one in self.called or self.met[one] > len(members) or not _BY_NAME.isdisjoint(loads):
            return True
        return any(_named(member, loads, stores) for member in members)


def _named(member: ClassMember, loads: set[str], stores: set[str]) -> bool:
    """Whether code of these names reaches a method."""
    if not is_plain_class(member.kind):
        return True  # a library that it is made of calls it
    if member.name in MAKING:
        return member.kind.__name__ in loads
    special = member.name.startswith("__") and member.name.endswith("__")
    return member.name in (stores if member.assigned else loads) or (
        special and member.name not in _SHOWING
    )


def functions_of(item: object) -> Iterator[tuple[types.FunctionType, bool]]:
    """The functions of a class's item, and whether each runs where the item is assigned."""
    found: list[tuple[object, bool]]
    if isinstance(item, property):
        found = [(item.fget, False), (item.fset, True), (item.fdel, True)]
    elif isinstance(item, (staticmethod, classmethod)):
        found = [(item.__func__, False)]
    elif isinstance(item, functools.cached_property):
        found = [(item.func, False)]
    else:
        found = [(item, False)]
    for function, assigned in found:
        if isinstance(function, types.FunctionType):
            yield function, assigned


def is_plain_class(kind: type) -> bool:
    """Whether all that changes its objects is the user's own code: no library's class is among its
    bases, and no library's decorator or descriptor in it.
    """
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in _PLAIN and base.__name__ not in _KEPT:
            continue
        if installed(base):
            return False
        for name, item in vars(base).items():
            if name.startswith("__"):  # as `dataclass` makes them
                continue
            plain = isinstance(item, _DESCRIPTORS) or not hasattr(type(item), "__get__")
            if not plain and installed(type(item)):
                return False
            if any(installed(function) for function, _ in functions_of(item)):
                return False
    return True


_DESCRIPTORS = (
    *(types.FunctionType, staticmethod, classmethod, property, functools.cached_property, type),
    *(types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType),
    *(types.MethodDescriptorType, types.BuiltinFunctionType),
)


def fills_itself(function: types.FunctionType) -> bool:
    """Whether a method fills the container that its class is by its base's own methods."""
    names = {name for code in codes(function.__code__) for name in code.co_names}
    return "super" in names and not names.isdisjoint(FILLS | {"__setitem__", "__delitem__"})


def default_of(function: types.FunctionType, name: str) -> object:
    """The default of an argument; None without one."""
    code, defaults = function.__code__, function.__defaults__ or ()
    taken = code.co_varnames[: code.co_argcount]
    found = dict(zip(taken[len(taken) - len(defaults) :], defaults, strict=True))
    return {**found, **(function.__kwdefaults__ or {})}.get(name)
