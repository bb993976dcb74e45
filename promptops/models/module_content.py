"""What a module of the user's own holds, where code takes it whole: `getattr(prompts, name)`."""

from __future__ import annotations

import types
from collections.abc import Iterator

from .code_writes import writes_of
from .object_state import PLAIN
from .surroundings import installed

__all__ = ["content_of"]

_CONTAINERS = (list, tuple, dict, set, frozenset)
_CODE = (types.FunctionType, types.MethodType, type)


def content_of(module: types.ModuleType) -> dict[str, object]:
    """Its functions, classes, plain values and containers by name, and the modules below it, apart
    from what its own functions change, such as a counter.
    """
    held = {name: each for name, each in list(vars(module).items()) if name[:2] != "__"}
    changed = {
        name
        for each in held.values()
        for function in _functions(each)
        if function.__globals__ is vars(module)
        for name in writes_of(function.__code__).names
    }
    return {
        name: each
        for name, each in sorted(held.items())
        if name not in changed and _counts(each, module)
    }


def _counts(value: object, module: types.ModuleType) -> bool:
    if isinstance(value, types.ModuleType):
        return value.__name__.startswith(f"{module.__name__}.")
    if type(value) in PLAIN or type(value) in _CONTAINERS:
        return True
    return isinstance(value, _CODE) and not installed(value)


def _functions(value: object) -> Iterator[types.FunctionType]:
    for each in vars(value).values() if isinstance(value, type) else [value]:
        function = getattr(each, "__func__", each)
        if isinstance(function, types.FunctionType):
            yield function
