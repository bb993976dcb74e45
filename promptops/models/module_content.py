"""What a module of the user's own holds, where code takes it whole: `getattr(prompts, name)`."""

from __future__ import annotations

import types
from weakref import WeakKeyDictionary

from .object_state import PLAIN
from .surroundings import installed

__all__ = ["code_in", "values_in"]

_CONTAINERS = (list, tuple, dict, set, frozenset)
_CODE = (types.FunctionType, types.MethodType, type)


def code_in(module: types.ModuleType) -> dict[str, object]:
    """Its functions, classes and the modules below it, which were there when it was first seen: a
    call may import others.
    """
    own = _own(module)
    below = {
        name
        for name, each in own.items()
        if isinstance(each, types.ModuleType) and each.__name__.startswith(f"{module.__name__}.")
    }
    below = _BELOW.setdefault(module, below)
    code = {
        name: each for name, each in own.items() if isinstance(each, _CODE) and not installed(each)
    }
    return {**code, **{name: own[name] for name in sorted(below & own.keys())}}


def values_in(module: types.ModuleType) -> dict[str, object]:
    """Its plain values and containers."""
    return {
        name: each
        for name, each in _own(module).items()
        if type(each) in PLAIN or type(each) in _CONTAINERS
    }


def _own(module: types.ModuleType) -> dict[str, object]:
    return {name: each for name, each in sorted(vars(module).items()) if name[:2] != "__"}


_BELOW: WeakKeyDictionary[types.ModuleType, set[str]] = WeakKeyDictionary()
