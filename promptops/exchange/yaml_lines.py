"""YAML 1.2 as plain values with the line of each, read safely: no tags of any language, no bombs.

`ruamel.yaml` only composes the nodes; the values are made here, so that no constructor of it ever
runs. YAML 1.1's surprises (`Yes` is true, `? ` in a flow mapping is a fault) do not occur.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..errors import DatasetError

__all__ = ["Lined", "json_lined", "read_yaml"]

Path: TypeAlias = tuple[str | int, ...]
_MOST_NODES = 100_000  # values after aliases are followed; more is a bomb
_MOST_DEPTH = 60
_MOST_FOR_LINES = 20_000  # values of a JSON text whose lines are looked up
_TEXT = 1 << 20  # characters; the reader takes a second for that many
_MARKS = ("\n", ",", "[", "{", "? ", "- ")  # a value begins after one of these, or after a key
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS = ("str", "int", "float", "bool", "null", "seq", "map", "merge", "value", "timestamp")


@dataclass(slots=True)
class Lined:
    """A YAML document: its value, and where each part of it begins.

    lines: path of keys and indexes -> line, counted from 1.
    """

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, *path: str | int) -> int | None:
        """The line of a path, or of the nearest part that holds it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


def read_yaml(text: str, name: str) -> Lined:
    """The one document of a YAML 1.2 text (JSON is YAML).

    Raises DatasetError naming the line, for a fault, a language's tag (`!!python/...`), or a bomb.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    reason = _too_large(text, name)
    if reason:
        raise DatasetError(reason)
    reader = YAML(typ="safe", pure=True)
    try:
        node = reader.compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark is not None else name
        fault = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise DatasetError(f"{place} is not YAML 1.2 ({fault}).") from None
    except (RecursionError, ValueError) as error:
        raise DatasetError(
            f"{name} is not YAML that can be read ({type(error).__name__})."
        ) from None
    found = _Reading(name)
    value = None if node is None else found.value(node, ())
    return Lined(value, found.lines)


def json_lined(value: object, text: str, name: str) -> Lined:
    """A JSON document with the line of each part; without lines if it is large. value: of it."""
    long = _marks(text) > _MOST_FOR_LINES or _too_large(text, name)
    return Lined(value) if long else read_yaml(text, name)


def _marks(text: str) -> int:
    return sum(map(text.count, _MARKS))


def _too_large(text: str, name: str) -> str:
    """Why a text is not parsed as YAML, found out without parsing it; "" if it is."""
    marks = _marks(text)
    if marks <= _MOST_NODES and len(text) <= _TEXT:
        return ""
    return (
        f"{name} has {len(text):,} characters and up to {marks:,} values of YAML, more than the"
        f" {_TEXT:,} and {_MOST_NODES:,} that an import reads; export it as JSON, or in parts."
    )


class _Reading:
    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Path, int] = {}
        self.count = 0

    def value(self, node: Any, path: Path) -> Any:
        self.count += 1
        line = node.start_mark.line + 1
        if self.count > _MOST_NODES or len(path) > _MOST_DEPTH:
            raise DatasetError(
                f"{self.name}:{line}: its aliases unfold to more than {_MOST_NODES:,} values, or"
                f" deeper than {_MOST_DEPTH} levels; it was not read."
            )
        self.lines[path] = line
        tag = str(node.tag or "").removeprefix("tag:yaml.org,2002:")
        if tag not in _TAGS:
            raise DatasetError(
                f"{self.name}:{line} has the tag {tag!r}; only plain values are read, nothing of a"
                " file is executed."
            )
        kind = type(node).__name__
        if kind == "MappingNode":
            return self._mapping(node, path)
        if kind == "SequenceNode":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return node.value if node.style or tag == "str" else _scalar(node.value)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        under: dict[str, Any] = {}
        for key, item in node.value:
            name = str(key.value) if isinstance(key.value, str) else ""
            if type(key).__name__ != "ScalarNode":
                raise DatasetError(
                    f"{self.name}:{key.start_mark.line + 1} has a key that is not a text."
                )
            found = self.value(item, (*path, name))
            if name == "<<" and not key.style:
                for below in found if isinstance(found, list) else [found]:
                    under = {**below, **under} if isinstance(below, dict) else under
            else:
                out[name] = found
        return {**under, **out}


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 400:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
