"""One cell as one field of an example.

Each reader raises ValueError, whose text is the fault alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..canonical import MAX_DEPTH, MAX_INTEGER
from ..errors import VersionError
from ..version import PromptVersion
from . import strict
from .split import SPLITS

__all__ = ["as_checks", "as_history", "as_split", "as_tags", "as_text", "fault_of"]

_SPLIT_WORDS = {
    **{name: name for name in SPLITS},
    "training": "train",
    "validation": "val",
    "valid": "val",
    "dev": "val",
    "development": "val",
    "testing": "test",
}
_HISTORY = [{"role": "history"}]


def as_text(value: object) -> str | None:
    """An id or cluster: text as it is, whole numbers as their digits, or None."""
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"it holds {_shown(value)}; expected text or a whole number")
    text = str(value)
    if not text.strip():
        raise ValueError("it holds white space alone; expected text")
    return _sound(text)


def as_split(value: object) -> str | None:
    """ "train", "val" or "test" (also by their usual other names), or None."""
    if value is None or value == "":
        return None
    split = _SPLIT_WORDS.get(str(value).strip().casefold())
    if split is None:
        raise ValueError(f"it holds {_shown(value)}; the splits are {', '.join(SPLITS)}")
    return split


def as_tags(value: object) -> tuple[str, ...]:
    """A list of texts, or text cut at commas and semicolons; each tag once."""
    parts = _list_of(value, lambda text: re.split(r"[,;]", text))
    tags = []
    for part in parts:
        if isinstance(part, (dict, list)) or part is None:
            raise ValueError(f"it holds {_shown(part)}; expected a list of texts")
        tags.append(_sound(str(part).strip()))
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def as_checks(value: object) -> tuple[str, ...]:
    """A list of texts, or text of one check per line."""
    checks = _list_of(value, str.splitlines)
    for check in checks:
        if not isinstance(check, str):
            raise ValueError(f"it holds {_shown(check)}; expected texts such as 'contains: refund'")
    return tuple(_sound(check.strip()) for check in checks if check.strip())


def as_history(value: Any) -> tuple[Mapping[str, object], ...]:
    """Messages, as a list or as JSON text of one; checked as a version checks them before it
    splices them in.
    """
    if value is None or value == "":
        return ()
    messages = strict.parse(value) if isinstance(value, str) else value
    if messages:
        try:
            PromptVersion(_HISTORY).render({"history": messages})
        except VersionError as error:
            raise ValueError(str(error).rstrip(".")) from None
    return tuple(messages or ())


def fault_of(value: object, depth: int = 0) -> str | None:
    """Why JSON cannot hold a value (the first fault in it), or None if it can."""
    if depth > MAX_DEPTH:
        return "is nested too deep to be data; flatten it"
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return (
            None
            if value.isascii() or _is_sound(value)
            else "holds a lone surrogate (half a character), which is not text; clean it"
        )
    if isinstance(value, int):
        return (
            None
            if abs(value) <= MAX_INTEGER
            else "holds an integer beyond 2^53 - 1, which JSON readers do not keep; give it as text"
        )
    if isinstance(value, float):
        return (
            None
            if math.isfinite(value)
            else f"holds {value!r}, which is not a number of JSON; leave it out or give text"
        )
    if isinstance(value, Mapping):
        odd = next((name for name in value if not isinstance(name, str)), None)
        return (
            _first([*value, *value.values()], depth)
            if odd is None
            else f"holds the key {_shown(odd)}; JSON keys are text"
        )
    if isinstance(value, (list, tuple)):
        return _first(value, depth)
    return f"holds a {type(value).__name__}; give text, a number, a list or a dict"


def _first(values: Iterable[object], depth: int) -> str | None:
    return next((fault for value in values if (fault := fault_of(value, depth + 1))), None)


def _is_sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _list_of(value: object, cut: Callable[[str], list[str]]) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                found = strict.parse(value)
            except ValueError:
                return cut(value)
            return found if isinstance(found, list) else cut(value)
        return cut(value)
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _sound(text: str) -> str:
    if not text.isascii() and not _is_sound(text):
        raise ValueError("it holds a lone surrogate (half a character), which is not text")
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
