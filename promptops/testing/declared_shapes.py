"""What kind of value each key of a study file holds: checked before anything reads one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import StudyError
from ..markup import shorten

__all__ = ["check_shapes"]

_TEXT, _LIST, _TABLE, _WHOLE = "a text", "a list", "a table", "a whole number"
_SHAPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "prompt": (str, _TEXT),
    "candidate": (str, _TEXT),
    "baseline": (str, _TEXT),
    "dataset": ((str, dict), f"{_TEXT}, or {_TABLE} of tasks"),
    "name": (str, _TEXT),
    "split": (str, _TEXT),
    "scorers": (list, f"{_LIST}, the first of which decides"),
    "repeats": (int, _WHOLE),
    "columns": (dict, _TABLE),
    "policy": (dict, _TABLE),
    "options": (dict, _TABLE),
    "optimize": (dict, _TABLE),
}


def check_shapes(path: Path, document: Mapping[str, object]) -> None:
    """Whether each key holds what it is for. A version may be a number, as in candidate = 2.

    Raises:
        StudyError: one does not; names it and what it takes.
    """
    for key, found in document.items():
        kind, called = _SHAPES.get(key, (object, ""))
        number = isinstance(found, int) and not isinstance(found, bool)
        fits = number if kind is int else isinstance(found, kind)
        if not fits and not (number and key in ("candidate", "baseline")):
            raise StudyError(
                f"{path.name}: {key} is {shorten(repr(found), 80)}; expected {called}."
            )
