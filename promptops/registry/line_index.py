"""The line of each part of a registry in its file, for remarks beside it on a code host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["LineIndex"]

_TOKEN = re.compile(r'"(?>[^"\\\n]+|\\[^\n])*+"?|[{}\[\]:,]|\n')
_DEEPEST = 6  # prompts, NAME, environments, ENV, deployments, NUMBER
Path = tuple[str | int, ...]


class LineIndex:
    """The lines of a registry's text, counted from 1. A text that is not
    JSON has its parts up to the fault.
    """

    def __init__(self, text: str, document: Mapping[str, Any]) -> None:
        self._lines = dict(_lines(text))
        self._prompts: Mapping[str, Any] = document.get("prompts", {})

    def prompt(self, name: str) -> int:
        """The line on which a prompt begins; 1 if no prompt has that name."""
        return self._line("prompts", name)

    def version(self, name: str, version_id: str) -> int:
        """The line on which a version begins, else that of its prompt."""
        return self._member(name, ("versions",), "id", version_id)

    def deployment(self, name: str, env: str, digest: str | None = None) -> int:
        """The line of a deployment, or of the environment, else that of its prompt."""
        return self._member(name, ("environments", env, "deployments"), "digest", digest)

    def mentioned(self, name: str, sentence: str) -> int:
        """The line of the environment or the version that a sentence about a prompt names, else
        that of the prompt.
        """
        for env in self._prompts.get(name, {}).get("environments", {}):
            if re.search(rf"(?<![\w/-]){re.escape(env)}(?![\w/-])", sentence.replace(name, "")):
                return self._line("prompts", name, "environments", env)
        for index, version in enumerate(self._prompts.get(name, {}).get("versions", ())):
            if not isinstance(version, Mapping):
                continue
            named = re.search(rf"\bv{version.get('number')}\b", sentence)
            if named or str(version.get("id"))[:11] in sentence:
                return self._line("prompts", name, "versions", index)
        return self.prompt(name)

    def _member(self, name: str, below: tuple[str, ...], key: str, wanted: str | None) -> int:
        found: Any = self._prompts.get(name, {})
        for step in below:
            found = found.get(step, {}) if isinstance(found, Mapping) else {}
        for index, each in enumerate(found if isinstance(found, list) else ()):
            if isinstance(each, Mapping) and each.get(key) == wanted:
                return self._line("prompts", name, *below, index)
        return self._line("prompts", name, *below[:2])

    def _line(self, *path: str | int) -> int:
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 1


def _lines(text: str) -> Iterator[tuple[Path, int]]:
    """(path, line) of each member of an object or a list, down to the deployments."""
    line, path = 1, list[str | int]()
    opened = False  # a list was just opened, or a comma came before its next member
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token == "\n":
            line += 1
            continue
        if opened and token != "]" and path and isinstance(path[-1], int):
            yield tuple(path), line
        opened = False
        if token[0] == '"':
            if path and path[-1] == "" and len(path) <= _DEEPEST:  # a key: a value comes after one
                path[-1] = _text(token)
                yield tuple(path), line
        elif token in "{[":
            path.append("" if token == "{" else 0)
            opened = token == "["
        elif token in "}]":
            if path:
                path.pop()
        elif token == "," and path:
            opened = isinstance(path[-1], int)
            path[-1] = path[-1] + 1 if isinstance(path[-1], int) else ""


def _text(token: str) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token[1:-1]
