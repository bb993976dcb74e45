"""Steps that take the part of an answer that is to be judged: out of code fences, out of prose,
after a model's thinking, after a marker.

Each is a value with a name and a version, so that a scorer behind it is named and versioned by it.
A step never raises on any text; it gives None if what it looks for is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import ScorerError
from ..signatures import explained
from . import fences
from .chosen import text_after
from .function_version import FunctionVersion
from .rule import spelled

__all__ = [
    "Transform",
    "answer_part",
    "extract_json",
    "last_line",
    "strip_fences",
    "strip_thinking",
]

_OPENED = re.compile(r"[{\[]")
_THINKING = r"(?:seed:|ant)?(?:think|thinking|thought|reasoning)"
_OPENS_THINKING = re.compile(
    rf"\s*(?:<(?P<tag>{_THINKING})\s*>|(?P<mark>\[THINK\]|◁think▷|<unused94>))", re.I
)
_CLOSES_THINKING = re.compile(
    rf"</(?P<tag>{_THINKING})\s*>|(?P<mark>\[/THINK\]|◁/think▷|<unused95>)", re.I
)
_MARKS = {"[/think]": "[think]", "◁/think▷": "◁think▷", "<unused95>": "<unused94>"}
# gpt-oss: a message for each channel, of which "final" is the answer
_CHANNEL = re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>")
_FINAL = re.compile(r"<\|channel\|>final[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_ENDED = re.compile(r"<\|(?:return|end)\|>")
# characters that a search for JSON reads in all, however often a text opens a bracket
_EFFORT = 5_000_000


@dataclass(frozen=True, slots=True)
class Transform:
    """A named transformation of an answer's text.

    Args:
        name: the display name, part of the scorer's name.
        step: text -> text, or None if it finds nothing.
        version: the version of the step; "" for a built-in one, which its name identifies.
        code: whose version it has; None for a built-in step.
    """

    name: str
    step: Callable[[str], str | None] = field(compare=False, repr=False)
    version: str = ""
    code: FunctionVersion | None = field(default=None, compare=False, repr=False)

    def __call__(self, text: str) -> str | None:
        if self.code is None:
            return self.step(text)
        return self.code.calling(lambda: self.step(text))

    def version_now(self) -> str:
        """The version of what the step is now: a function that it calls may have been edited."""
        return self.version if self.code is None else self.code.now(self.step)

    @classmethod
    def of(cls, function: Callable[[str], str | None]) -> Transform:
        """A transform from a function of the text, versioned by its source.

        Raises ScorerError if it is not a named function.
        """
        name = getattr(function, "__name__", "<lambda>")
        if not callable(function) or name == "<lambda>":
            raise ScorerError(
                "after takes a transform such as strip_fences, or a function of the text that has a"
                " name."
            )
        code = FunctionVersion(function)
        return cls(name, function, code.now(function), code)


def _strip_fences(text: str) -> str:
    inside = fences.unfenced(text)
    return text.strip() if inside is None else inside


def _strip_thinking(text: str) -> str | None:
    """The text after the thinking that it begins with, also where only the closing tag came; None
    if the thinking never ended. Tags further on belong to the answer.
    """
    if _CHANNEL.match(text):
        final = list(_FINAL.finditer(text))
        return _ENDED.split(text[final[-1].end() :], maxsplit=1)[0].strip() if final else None
    rest = text
    while opened := _OPENS_THINKING.match(rest):
        closed = _closed(opened, rest)
        if closed is None:
            return None
        rest = rest[closed.end() :]
    if rest == text:
        closed = _CLOSES_THINKING.search(text)
        if closed is None or _opener(closed) in text[: closed.start()].lower():
            return text
        rest = text[closed.end() :]
    return rest.strip()


def _closed(opened: re.Match[str], text: str) -> re.Match[str] | None:
    """The closing tag of the same kind as the one that opened."""
    begun = f"<{opened['tag']}" if opened["tag"] else opened["mark"]
    found = _CLOSES_THINKING.finditer(text, opened.end())
    return next((each for each in found if _opener(each) == begun.lower()), None)


def _opener(closed: re.Match[str]) -> str:
    """How the tag begins that a closing one belongs to, in small letters."""
    return f"<{closed['tag'].lower()}" if closed["tag"] else _MARKS[closed["mark"].lower()]


def _last_line(text: str) -> str | None:
    tail = text.rstrip()
    return tail[tail.rfind("\n") + 1 :].strip() or None


def _extract_json(text: str) -> str | None:
    """The first JSON object or list of the last code block that holds one, else of the whole
    text; what a model thought before its answer does not count.
    """
    answer = _strip_thinking(text)
    if answer is None:
        return None
    text = answer
    for block in reversed(fences.blocks(text)[-20:]):
        if (found := _first_json(block)) is not None:
            return found
    return _first_json(text)


def _first_json(text: str) -> str | None:
    """The first JSON object or list in a text that is not inside another one."""
    decode, effort = json.JSONDecoder().raw_decode, 0
    opened = _OPENED.search(text)
    while opened is not None and effort < _EFFORT:
        start = opened.start()
        try:
            _, end = decode(text, start)
            return text[start:end]
        except json.JSONDecodeError as error:
            effort += (
                (len(text) if error.msg.startswith("Unterminated") else error.pos) - start + 100
            )
        except (RecursionError, ValueError):
            effort += 100_000
        opened = _OPENED.search(text, start + 1)
    return None


strip_fences = Transform("strip_fences", _strip_fences)
strip_thinking = Transform("strip_thinking", _strip_thinking)
extract_json = Transform("extract_json", _extract_json, "2")
last_line = Transform("last_line", _last_line)


@explained
def answer_part(marker: str = "answer is") -> Transform:
    """The text after the last marker in its line, without markup and final period (see
    `answer_after`).
    """
    if not isinstance(marker, str) or not marker.strip():
        raise ScorerError(
            f"answer_part was given {marker!r}; give the text before the answer, as in"
            ' answer_part("answer is").'
        )
    return Transform(spelled("answer_part", marker), text_after(marker))
