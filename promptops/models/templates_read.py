"""The templates that jinja2 reads from files when they are named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .object_state import attribute

__all__ = ["keeps_templates", "loads_templates", "templates_of"]

_MOST = 500  # templates of one loader
_OF_FILES = {"FileSystemLoader", "PackageLoader"}


def templates_of(value: object) -> str | None:
    """A digest of all templates that an environment, a loader or a template of jinja2's may read
    from files, None if it reads no file; "" for a loader of the working folder's own files, or of
    very many.
    """
    if type(value).__module__.partition(".")[0] != "jinja2":
        return None
    environment = attribute(value, "environment", value)
    loader: Any = attribute(environment, "loader", environment)
    parts = list(_parts(loader))
    if not any(loads_templates(type(each)) for each in parts):
        return None
    folders = [folder for each in parts for folder in attribute(each, "searchpath") or ()]
    if any(Path.cwd().is_relative_to(Path(folder).resolve()) for folder in folders):
        return ""
    try:
        names = loader.list_templates()
    except Exception:  # whatever a loader of theirs raises
        return ""
    if len(names) > _MOST:
        return ""
    texts = [(name, _text(loader, environment, name)) for name in names]
    return hashlib.sha256(repr(texts).encode("utf-8", "surrogatepass")).hexdigest()


def loads_templates(kind: object) -> bool:
    """Whether a class is a loader of jinja2's that reads files."""
    named = attribute(kind, "__module__"), attribute(kind, "__name__")
    return named[0] == "jinja2.loaders" and named[1] in _OF_FILES


def keeps_templates(value: object) -> bool:
    """Whether it holds what an environment has read so far."""
    return type(value).__module__ == "jinja2.utils" and type(value).__name__ == "LRUCache"


def _parts(loader: Any) -> Iterator[object]:
    """The loaders that one is made of."""
    below = [*(attribute(loader, "loaders") or ())]
    mapping = attribute(loader, "mapping")
    below += mapping.values() if isinstance(mapping, Mapping) else ()
    yield loader
    for each in below:
        if type(each).__module__ == "jinja2.loaders":  # not the texts of a `DictLoader`
            yield from _parts(each)


def _text(loader: Any, environment: object, name: str) -> str:
    try:
        return str(loader.get_source(environment, name)[0])
    except Exception:  # an image beside the templates
        return ""
