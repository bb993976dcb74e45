"""What was read from the list of prices before, kept in the user's own cache folder beside the
copies of registries: reading the whole list takes a fifth of a second of every process that asks a
model, and the interpreter's end takes longer with its objects.

It holds for one file of the list: another release, an edited list, or one that this process brought
up to date is read itself. What is missing, damaged or could be somebody else's is as if it were not
there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ..registry import saved_copy

__all__ = ["keep", "kept"]

_FORMAT = 1  # raised when something else is kept of a model, or is worked out otherwise
_MOST = 1000  # models; beyond that it starts over


def kept(model: str) -> tuple[Mapping[str, Any] | None] | None:
    """What was kept of a model, in a tuple: None in it if the list has no such model; None instead
    of it if the list has to be read.
    """
    try:
        found = _models(_list(), _place()).get(model, ())
        return (found,) if found is None or isinstance(found, dict) else None
    except Exception:  # what is kept is a help, never a fault
        return None


def keep(model: str, facts: Mapping[str, Any] | None) -> None:
    """Keep what the list says of a model, or that it has none; never raises."""
    try:
        listed, place = _list(), _place()
        if listed is None or place is None:
            return
        try:
            models = _models(listed, place)
        except (OSError, ValueError):  # there is no file yet, or it is damaged
            models = {}
        models = models if len(models) < _MOST else {}
        document = {"format": _FORMAT, "list": listed, "models": {**models, model: facts}}
        saved_copy.put(place, json.dumps(document).encode())
    except Exception:  # what is kept is a help, never a fault
        return


def _place() -> str | None:
    folder = saved_copy.folder()
    return None if folder is None else os.path.join(folder, "prices.json")


def _models(listed: list[object] | None, place: str | None) -> dict[str, Any]:
    """What is kept for this list."""
    found = None if listed is None or place is None else saved_copy.trusted(place)
    document = None if found is None else json.loads(found[0])
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        return {}
    models = document.get("models")
    return models if document.get("list") == listed and isinstance(models, dict) else {}


def _list() -> list[object] | None:
    """Which list is installed: the place, time and size of its file; None if there is none, or if
    this process has another one than the file's.
    """
    read = sys.modules.get("genai_prices.data_snapshot")
    if read is not None:
        data = sys.modules.get("genai_prices.data")
        if data is None or read.get_snapshot().providers is not data.providers:
            return None
    spec = find_spec("genai_prices")
    if spec is None or spec.origin is None:
        return None
    file = os.path.join(os.path.dirname(spec.origin), "data.py")
    found = os.stat(file)
    return [file, found.st_mtime_ns, found.st_size]
