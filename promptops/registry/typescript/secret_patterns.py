"""The redactor's patterns as JavaScript: the observer of a TypeScript application finds what the
Python package finds.

JavaScript has neither possessive quantifiers nor atomic groups: a lookahead replaces each, with a
group that is matched again. Nor has it a flag of a part, whose letters are spelled in both cases.
The one group that a pattern keeps is named `kept`.
"""

from __future__ import annotations

import json
import re

from ...key_shapes import SHAPES, hidden_unless_data
from ...redact import ABROAD, ELSEWHERE, IN_ADDRESS, PART, PARTS

__all__ = ["patterns_in_javascript"]

_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_GROUP = re.compile(r"\(\?(?:[=!:>]|<[=!]|[is]:)|\(")
_QUANTIFIER = re.compile(r"([*+?]|\{[0-9]+(?:,[0-9]*)?\})([?+]?)")


def patterns_in_javascript() -> str:
    """Constants of TypeScript: the shapes of keys, and what names of secrets are made of."""
    shapes = []
    for pattern, replacement in SHAPES:
        rule = "kept" if isinstance(replacement, str) else "place"
        shapes.append(
            [*_javascript(pattern.pattern), "data" if replacement is hidden_unless_data else rule]
        )
    lines = [f"const KEY_SHAPES: [string, string, string][] = {json.dumps(shapes)};"]
    lines += _constant("PARTS", PARTS.pattern, "g")
    lines += _constant("PART", f"^(?:{PART.pattern})$")
    lines += _constant("ABROAD", ABROAD.pattern)
    lines += _constant("IN_ADDRESS", f"^{IN_ADDRESS.pattern}")
    lines.append(f"const ELSEWHERE = new Set({json.dumps(sorted(ELSEWHERE))});")
    return "\n".join([*lines, ""])


def _constant(name: str, text: str, flags: str = "") -> list[str]:
    source, found = _javascript(text)
    return [f"const {name} = new RegExp({json.dumps(source)}, {json.dumps(found + flags)});"]


def _javascript(text: str) -> tuple[str, str]:
    """(source, flags) of a pattern of Python's."""
    flags = "i" if text.startswith("(?i)") else ""
    return _Translation(text.removeprefix("(?i)"), folded=bool(flags)).source(), flags


class _Translation:
    """One pattern on its way. folded: it ignores case as a whole, so that no part has to."""

    def __init__(self, text: str, *, folded: bool) -> None:
        self._text, self._folded = text, folded
        self._out: list[str] = []
        self._open: list[tuple[int, str, str]] = []  # where it began, its end, the flag before it
        self._atom = self._held = 0
        self._flag = ""

    def source(self) -> str:
        """The pattern as JavaScript has it."""
        at = 0
        while at < len(self._text):
            at += self._step(at)
        return "".join(self._out)

    def _step(self, at: int) -> int:
        """Take what begins here; returns how many characters it has."""
        text, char = self._text, self._text[at]
        if char == "(" and (group := _GROUP.match(text, at)):
            self._begin(group[0])
            return len(group[0])
        if char == ")":
            self._atom, end, self._flag = self._open.pop()
            self._out.append(end)
        elif found := _QUANTIFIER.match(text, at):
            if found[2] == "+":
                self._out[self._atom] = f"(?=(?<{self._name()}>{self._out[self._atom]}"
                self._out.append(f"{found[1]}))\\k<p{self._held}>")
            else:
                self._out.append(found[0])
            return len(found[0])
        elif char in "\\[":
            found = _CLASS.match(text, at) if char == "[" else None
            token = found[0] if found else text[at : at + 2]
            self._literal(self._both(token) if found else token)
            return len(token)
        else:
            self._literal("[^]" if char == "." and self._flag == "s" else self._both(char))
        return 1

    def _literal(self, token: str) -> None:
        self._atom = len(self._out)
        self._out.append(token)

    def _begin(self, group: str) -> None:
        start, end = group, ")"
        if group == "(":
            start = "(?<kept>"
        elif group == "(?>":
            start = f"(?=(?<{self._name()}>"
            end = f"))\\k<p{self._held}>"
        elif group[2] in "is":
            start = "(?:"
        self._open.append((len(self._out), end, self._flag))
        self._flag = group[2] if group[2:3] in ("i", "s") else self._flag
        self._out.append(start)

    def _name(self) -> str:
        self._held += 1
        return f"p{self._held}"

    def _both(self, token: str) -> str:
        """A letter or a class in both cases, where a part of the pattern ignores case."""
        if self._folded or self._flag != "i":
            return token
        if token.startswith("["):
            return token.replace("a-z", "a-zA-Z")
        return f"[{token.lower()}{token.upper()}]" if token.isalpha() else token
