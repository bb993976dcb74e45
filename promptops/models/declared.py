"""What a class of the user's declares for the library that makes it, such as the fields of a model
of pydantic's.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

from .object_state import PLAIN, attribute
from .surroundings import installed

__all__ = ["annotation", "declared_by", "made_of_it", "told_by"]

# a library makes these of the rest, with ids of this process
_MADE = {
    "__signature__",
    "__parameters__",
    "__orig_bases__",
    "__class_vars__",
    "__private_attributes__",
}
_QUIET = {"abc", "enum", "typing", "builtins"}  # these do not read what a class says of itself
_DEPTH = 12
_SCHEMA = re.compile(r"\b(?:Literal|Annotated)\[")

Describe = Callable[[Any], str]  # the text of a class or function of the user's


def made_of_it(name: str, item: object) -> bool:
    """Whether a library made an item of a class from what the class declares."""
    is_code = inspect.isroutine(item) or isinstance(item, (classmethod, staticmethod, property))
    return name in _MADE or (name.startswith("__pydantic_") and not is_code)


def declared_by(kind: type, describe: Describe) -> str:
    """The types and fields that a class declares, if a library reads them; "" if none does."""
    own = vars(kind)
    fields = own.get("__pydantic_fields__")
    bases = own.get("__orig_bases__")
    parts = [_text(bases, describe, 0)] if bases else []
    if fields is None and not (type(kind) is not type and installed(type(kind))):
        return "".join([*parts, *told_by(kind, describe)])
    if annotations := attribute(kind, "__annotations__"):
        parts.append(_text(annotations, describe, 0))
    if fields:
        parts.append(_text(fields, describe, 0))
    if private := own.get("__private_attributes__"):
        parts += [
            f"{name}={_text(attribute(one, given), describe, 0)}"
            for name, one in private.items()
            for given in ("default", "default_factory")
        ]
    for group in _parts(own.get("__pydantic_decorators__")).values():  # validators and such
        if isinstance(group, dict) and group:
            said = {name: attribute(one, "info") for name, one in group.items()}
            parts.append(_text(said, describe, 0))
    loud = type(kind).__module__.partition(".")[0] not in _QUIET or fields is not None
    loud = loud or typing.is_typeddict(kind)  # whose words are a schema's description
    if loud and (doc := own.get("__doc__")):
        parts.append(inspect.cleandoc(str(doc)))
    return ";".join(parts)


def told_by(value: object, describe: Describe) -> list[str]:
    """The annotations of a function or a plain class that name values or descriptions, which
    nothing but a schema reads: a tool's parameter `Literal["kg", "g"]`.
    """
    told = attribute(value, "__annotations__")
    if not isinstance(told, Mapping):
        return []
    held = {name: each for name, each in told.items() if _SCHEMA.search(_own_text(each))}
    return [_text(held, describe, 0)] if held else []


def annotation(value: object, describe: Describe) -> str:
    """The text of a type as annotations write it, such as `list[Verdict]`."""
    return _text(value, describe, 0)


def _text(value: Any, describe: Describe, depth: int) -> str:
    """An annotation, or the description of a field, equal in every process."""

    def inner(part: object) -> str:
        return _text(part, describe, depth + 1) if depth < _DEPTH else ""

    if type(value) in PLAIN:
        return f"{type(value).__name__}:{value!r}"
    if (origin := typing.get_origin(value)) is not None:
        return f"{inner(origin)}[{','.join(map(inner, typing.get_args(value)))}]"
    if isinstance(value, type) or inspect.isroutine(value):
        return _named(value) if installed(value) else describe(value)
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{inner(key)}={inner(item)}' for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"({','.join(map(inner, value))})"
    if isinstance(value, (set, frozenset)):
        return f"set({','.join(sorted(map(inner, value)))})"
    if isinstance(said := attribute(value, "_attributes_set"), dict):  # a pydantic field
        return f"field({inner(said)},{inner(attribute(value, 'metadata') or ())})"
    if parts := _parts(value):
        return f"{_named(type(value))}{inner(parts)}"
    return f"{_named(type(value))}:{attribute(value, '__name__') or _own_text(value)}"


def _parts(value: object) -> dict[str, object]:
    if not dataclasses.is_dataclass(value):
        return {}
    return {each.name: attribute(value, each.name) for each in dataclasses.fields(value)}


def _named(value: object) -> str:
    return f"{attribute(value, '__module__')}.{attribute(value, '__qualname__')}"


def _own_text(value: object) -> str:
    try:
        shown = repr(value)
    except Exception:  # whatever a library's object raises
        return ""
    return "" if " at 0x" in shown else shown
