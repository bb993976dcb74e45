"""YAML 1.2 as plain values with the line of each, read safely: no tags of any language, no bombs.

`ruamel.yaml` only says what it meets; the values are made here, so that no constructor of it ever
runs. YAML 1.1's surprises (`Yes` is true, `? ` in a flow mapping is a fault) do not occur.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
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
_WORDS: Mapping[str, object] = {
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
    reading = _ValueBuilder(name, YAML(typ="safe", pure=True).parse(text))
    try:
        return Lined(reading.document(), reading.lines)
    except DatasetError:
        raise
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark is not None else name
        fault = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise DatasetError(f"{place} is not YAML 1.2 ({fault}).") from None
    except (RecursionError, ValueError) as error:
        raise DatasetError(
            f"{name} is not YAML that can be read ({type(error).__name__})."
        ) from None


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


class _ValueBuilder:
    """Makes values from the parser's events. Reading stops at the first refused value, before
    the rest of the text is parsed.
    """

    def __init__(self, name: str, events: Iterator[object]) -> None:
        self.name, self.coming = name, events
        self.lines: dict[Path, int] = {}
        self.count = 0
        self.events: list[object] = []
        self.at = 0  # the next event, of those that came or will
        self.anchors: dict[str, int] = {}
        self.open: list[int] = []

    def document(self) -> Any:
        """The value of the one document, or None."""
        value, one = None, False
        while type(event := self._next()).__name__ != "StreamEndEvent":
            if type(event).__name__ != "DocumentStartEvent":
                continue
            if one:
                raise DatasetError(
                    f"{self.name}:{event.start_mark.line + 1} is not YAML 1.2 (but found"
                    " another document)."
                )
            value, one = self.value((), self._next()), True
        return value

    def _next(self) -> Any:
        if self.at == len(self.events):
            self.events.append(next(self.coming))
        self.at += 1
        return self.events[self.at - 1]

    def value(self, path: Path, event: Any) -> Any:
        """The value that begins with the event, of which the rest is read."""
        kind = type(event).__name__
        line = event.start_mark.line + 1
        if kind == "AliasEvent":
            return self._again(path, event.anchor, line)
        self.count += 1
        if self.count > _MOST_NODES or len(path) > _MOST_DEPTH:
            raise self._too_far(line)
        start = self.at - 1
        if event.anchor:
            self.anchors[event.anchor] = start
        self.open.append(start)
        value = self._plain(path, event, kind, line)
        self.open.pop()
        return value

    def _too_far(self, line: int) -> DatasetError:
        return DatasetError(
            f"{self.name}:{line}: its aliases expand to more than {_MOST_NODES:,} values, or"
            f" deeper than {_MOST_DEPTH} levels; it was not read."
        )

    def _plain(self, path: Path, event: Any, kind: str, line: int) -> Any:
        self.lines[path] = line
        tag = str(event.tag or "").removeprefix("tag:yaml.org,2002:")
        if tag not in ("", "!", *_TAGS):
            raise DatasetError(
                f"{self.name}:{line} has the tag {tag!r}; only plain values are read, nothing of a"
                " file is executed."
            )
        if kind == "MappingStartEvent":
            return self._mapping(path)
        if kind == "SequenceStartEvent":
            return list(self._items(path))
        text = str(event.value)
        return text if event.style or tag == "str" else _scalar(text)

    def _again(self, path: Path, anchor: str, line: int) -> object:
        if anchor not in self.anchors:
            raise DatasetError(
                f"{self.name}:{line} is not YAML 1.2 (found undefined alias {anchor!r})."
            )
        if self.anchors[anchor] in self.open:
            raise self._too_far(line)  # it is a part of itself
        after, self.at = self.at, self.anchors[anchor]
        value = self.value(path, self._next())
        self.at = after
        return value

    def _items(self, path: Path) -> Iterator[object]:
        for index in itertools.count():
            event = self._next()
            if type(event).__name__ == "SequenceEndEvent":
                return
            yield self.value((*path, index), event)

    def _mapping(self, path: Path) -> dict[str, object]:
        out: dict[str, Any] = {}
        under: dict[str, object] = {}
        while type(key := self._next()).__name__ != "MappingEndEvent":
            again = type(key).__name__ == "AliasEvent"
            if again and key.anchor in self.anchors:
                key = self.events[self.anchors[key.anchor]]
            elif type(key).__name__ == "ScalarEvent" and key.anchor:
                self.anchors[key.anchor] = self.at - 1
            if type(key).__name__ != "ScalarEvent":
                if not again:  # a fault of the text inside it is the better reason
                    self.value((*path, "?"), key)
                raise DatasetError(
                    f"{self.name}:{key.start_mark.line + 1} has a key that is not a text."
                )
            name = str(key.value)
            found = self.value((*path, name), self._next())
            if name == "<<" and not key.style:
                for below in found if isinstance(found, list) else [found]:
                    under = {**below, **under} if isinstance(below, dict) else under
            else:
                out[name] = found
        return {**under, **out}


def _scalar(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 400:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
