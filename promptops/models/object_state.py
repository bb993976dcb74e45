"""What an object holds: its attributes, and how a client was configured."""

from __future__ import annotations

import collections
import dis
import functools
import hashlib
import pickle
import types
from collections.abc import Mapping, Set
from pathlib import PurePath
from typing import Any

from ..redact import named_like_a_secret
from .still_table import is_frame, still_frame

__all__ = [
    *("PLAIN", "attribute", "client_of", "edited_in", "settings_in", "settings_of", "state_of"),
    "text_of",
]

PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))


def attribute(value: object, name: str, otherwise: object = None) -> Any:
    """An attribute, or `otherwise` where the object has none: one that takes its own items for
    attributes, or a library that loads its parts when they are named, raises whatever it does.
    """
    try:
        return getattr(value, name, otherwise)
    except Exception:
        return otherwise


def client_of(value: object) -> str | None:
    """Where a client of a service asks and how it was configured, or one of its parts such as
    `client.chat`; None for other objects.
    """
    for owner in (value, attribute(value, "_client"), attribute(value, "_api_client")):
        address = attribute(owner, "base_url")
        if isinstance(address, (str, PurePath)) or type(address).__name__ == "URL":
            return f"{address}:{settings_of(owner)}"
        options = attribute(owner, "_http_options")  # google-genai's
        if isinstance(address := attribute(options, "base_url"), str):
            return f"{address}{attribute(options, 'api_version')}:{settings_of(owner)}"
    if type(value).__module__ == "requests.sessions":
        return str([each for each in settings_of(value) if not each.startswith("cookies=")])
    address = attribute(attribute(value, "meta"), "endpoint_url")  # boto3's
    return address if isinstance(address, str) else None


def settings_of(client: object) -> list[str]:
    """What a client was configured with, without its keys: plain values, and maps and lists of
    such.
    """

    def plain(value: object) -> bool:
        if isinstance(value, Mapping):
            return all(plain(item) for item in value.values())
        if isinstance(value, (list, tuple)):
            return all(map(plain, value))
        return type(value) in PLAIN

    return sorted(
        f"{name}={dict(value) if isinstance(value, Mapping) else value!r}"
        for name, value in vars(client).items()
        if not named_like_a_secret(name) and plain(value) and name != "_platform"  # found late
    )


def state_of(value: object) -> dict[str, object] | None:
    """The attributes of an object; None if it keeps its state where Python cannot look."""
    state = dict(getattr(value, "__dict__", None) or {})
    for kind in type(value).__mro__:
        for name in _slots(kind):
            if hasattr(value, name):
                state[name] = getattr(value, name)
    if state or hasattr(value, "__dict__") or "__slots__" in vars(type(value)):
        if isinstance(value, (dict, list, tuple, set, frozenset)):
            held = list(value.items()) if isinstance(value, dict) else value
            state["()"] = frozenset(held) if isinstance(value, (set, frozenset)) else list(held)
        if isinstance(value, (str, bytes, int, float)):
            plain: Any = next(kind for kind in PLAIN if isinstance(value, kind))
            state["()"] = plain.__repr__(value)
        return state
    return None


def edited_in(value: object) -> list[object] | None:
    """The values of a table, or of a container of the module `collections`; None for others."""
    kind = type(value)
    if isinstance(value, collections.defaultdict):  # reading it adds what its factory makes
        made, empty = _made_by(value.default_factory)
        return [(key, item) for key, item in value.items() if item != empty] if made else None
    if kind in (collections.OrderedDict, collections.Counter):
        return [(key, item) for key, item in value.items()]  # type: ignore[attr-defined]
    if kind in (collections.deque, bytearray):
        return list(value)  # type: ignore[call-overload, no-any-return]
    if (kind.__module__.partition(".")[0], kind.__name__) not in _TABLES:
        return None
    try:  # a copy of a table has one block for each type
        table: Any = still_frame(value) if is_frame(value) else value
        held = pickle.dumps(table.copy(), protocol=4)
    except Exception:  # whatever a cell of it raises, or a table that threads have broken
        return []
    return [hashlib.sha256(held).hexdigest()]


def settings_in(
    value: object, changed: Set[str], named: Set[str] | None, *, content: bool
) -> list[tuple[str, object]]:
    """The attributes of an object, by name, apart from those that code changes.

    named: those that its class names, without the private ones, where a library that this is made
    of may change others; None for all. content: whether what it holds as a container counts.
    """
    held = [
        (name, item)
        for name, item in sorted((state_of(value) or {}).items())
        if name not in changed
        and (named is None or (name in named and not name.startswith("_")))
        and not isinstance(getattr(type(value), name, None), functools.cached_property)
    ]
    filled = not content or hasattr(type(value), "__missing__")
    return [pair for pair in held if pair[0] != "()" or not filled]


def _made_by(factory: object) -> tuple[bool, object]:
    """Whether it is known what a factory makes, and that; none of the user's code is run."""
    if factory is None or factory in _EMPTY:
        return True, factory() if callable(factory) else None
    if not isinstance(factory, types.FunctionType):
        return False, None
    steps = [step for step in dis.get_instructions(factory) if step.opname != "RESUME"]
    constant = [step.opname for step in steps] in (["LOAD_CONST", "RETURN_VALUE"], ["RETURN_CONST"])
    return constant, steps[0].argval if constant else None


_EMPTY = (int, float, str, list, dict, set, bool, tuple, frozenset, bytes, complex)
_TABLES = {
    ("numpy", "ndarray"),
    *(("pandas", name) for name in ("DataFrame", "Series", "Index")),
}


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in {"__dict__", "__weakref__"})


def text_of(value: object) -> str:
    """`repr` of a value, also of an integer of over 4,300 digits; else the name of its type."""
    try:
        return repr(value)
    except Exception:
        if isinstance(value, int):
            return hex(value)
        if isinstance(value, tuple):
            return f"({','.join(map(text_of, value))})"
        return type(value).__qualname__
