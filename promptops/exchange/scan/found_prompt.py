"""A prompt found in source code: its texts with what is filled in, its place, and the settings of
the call that sends it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ...canonical import canonical
from ...errors import TemplateError, VersionError
from ...version import PromptVersion
from ...version.renderer import literal
from ..chat_text import slug

__all__ = [
    *("FoundPrompt", "Hole", "Text", "handed_over", "instructs", "looks_like_prompt"),
    *("plain_text", "says_something"),
]

_RESERVED = frozenset(("api", "fresh", "self", "history"))
_NAMED = re.compile(
    r"(?i)(^|_)(prompts?|system|instructions?|template|persona|rubric|few_?shots?)(_|$)|prompt"
)
_ROLE = re.compile(r"(?i)(^|_)roles?$")  # a long text of that name is a persona
_CUE = re.compile(
    r"(?i)\b(you are (an?|the|my|now|\{)|provide (only|an?)|"
    r"you're an?|your (task|job|role|goal)|act as|respond|"
    r"answer (the|with|in|like)|"
    r"reply (to|in|with)|summari[sz]e|translate|classify|extract|rewrite|generate an?|write an?|"
    r"given (the|a)|the following|return (only|json)|do not|don't|step by step|as an? (expert|"
    r"assistant)|based on the|output (only|format|in)|identify the|describe the)\b(?!-)"
)
_OPENS = re.compile(r"(?i)\A\s*+you are (an?|the)\b")
_OTHER = re.compile(
    r"(?is)^\s*(select\s.+\sfrom|insert\s+into|create\s+table|update\s.+\sset|<!doctype|<html|<div|"
    r"<svg|<\?xml|https?://|import\s|def\s|function\s|usage:|#!/|"
    r"(could not|couldn't|cannot|failed to|unable to|an error occurred)\b)"
)

_SHORT, _LONG = 6, 12  # words
_TOLD = re.compile(
    r"(?i)(?:(^|[._])(print|echo|log|debug|info|warn|fatal|console|describe|expect|assert\w{0,40}|"
    r"field|option|argument|add_argument|help|alert|toast|note|write|raise\w{0,40}|markdown|tool|"
    r"it|test)|error|exception|warning)$"
)


@dataclass(frozen=True, slots=True)
class Hole:
    """Where a value is filled in. name: of the variable; code: the expression, as the source has
    it, that gives the text.
    """

    name: str
    code: str


Text: TypeAlias = tuple["str | Hole", ...]


def plain_text(text: Text) -> str:
    """The text with a mark in place of each value, to look at."""
    return "".join(piece if isinstance(piece, str) else "{…}" for piece in text)


def looks_like_prompt(name: str, text: Text, owner: str = "") -> bool:
    """Whether a text that no call was seen to send reads like instructions to a model. owner: the
    class, enum or object that has it as a field; one that is named after prompts has prompts.
    """
    shown = plain_text(text)
    words = len(shown.split())
    if words < 4 or _OTHER.search(shown):
        return False
    if _ROLE.search(name) and words >= 12:
        return True
    if _NAMED.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)):
        return words >= 5 or bool(_CUE.search(shown))
    if re.search("(?i)prompt", owner) and words >= _SHORT:
        return words >= 2 * _LONG or bool(_CUE.search(shown))
    return words >= 6 and len(_CUE.findall(shown)) >= 2


def says_something(messages: Sequence[tuple[str, Text]]) -> bool:
    """Whether a call sends words of its own: one that only passes on what it was given has no
    prompt.
    """
    pieces = [piece for _, text in messages for piece in text if isinstance(piece, str)]
    return any(any(mark.isalpha() for mark in piece) for piece in pieces)


def instructs(messages: Sequence[tuple[str, Text]]) -> bool:
    """Whether a list of messages has words of its own for a model, more than an answer."""
    return says_something([entry for entry in messages if entry[0] != "assistant"])


def handed_over(callee: str, text: Text, word: str = "") -> bool:
    """Whether a text that is an argument of a call reads like instructions. Where no keyword names
    it, it has to be long and to instruct twice, and the function must not be one that logs,
    describes or refuses.
    """
    shown = plain_text(text)
    named = bool(word and _NAMED.search(word))
    if len(shown.split()) < (_SHORT if named else _LONG) or _OTHER.search(shown):
        return False
    enough = 1 if named or _OPENS.match(shown) else 2
    return len(_CUE.findall(shown)) >= enough and not _TOLD.search(callee)


@dataclass(frozen=True, slots=True)
class FoundPrompt:
    """file: relative to the scanned folder; line: where the prompt's call or text begins, counted
    from 1; name: for the registry; messages: (role, text); model, settings: of the call; call: the
    callee as written, "" for a text that no call was seen to send; unread: arguments of the call
    whose values are not literals; kept: the source of each argument that stays in the call.
    """

    file: str
    line: int
    name: str
    messages: tuple[tuple[str, Text], ...]
    model: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    call: str = ""
    unread: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """variable -> the expression that fills it. One name means one expression."""
        return {name: code for code, name in _names(self.messages).items()}

    @property
    def key(self) -> str:
        """What a baseline knows the prompt by: its file and texts, not its line."""
        texts = [[role, plain_text(text)] for role, text in self.messages]
        return hashlib.sha256(canonical([self.file, texts]).encode()).hexdigest()[:16]

    def version(self) -> PromptVersion:
        """The prompt as a version. Raises TemplateError or VersionError if it cannot be one."""
        names = _names(self.messages)
        messages = [
            {
                "role": role,
                "content": "".join(
                    literal(piece) if isinstance(piece, str) else "{{" + names[piece.code] + "}}"
                    for piece in text
                ),
            }
            for role, text in self.messages
        ]
        return PromptVersion(messages, model=self.model, settings=self.settings)

    def fault(self) -> str:
        """Why it cannot be a version that renders the same; "" if it can."""
        if "messages" in self.unread:
            return "a part of its messages is built elsewhere, which no version would send."
        try:
            self.version()
        except (TemplateError, VersionError) as error:
            return str(error)
        return ""


def _names(messages: Sequence[tuple[str, Text]]) -> dict[str, str]:
    """expression -> variable: the hole's own name, numbered where two expressions share it."""
    out: dict[str, str] = {}
    for _, text in messages:
        for piece in text:
            if isinstance(piece, Hole) and piece.code not in out:
                name = slug(piece.name, "value").replace("-", "_")
                if not name[0].isalpha() or name in _RESERVED:
                    name = f"value_{name}"
                taken, plain, n = set(out.values()), name, 2
                while name in taken:
                    name, n = f"{plain}_{n}", n + 1
                out[piece.code] = name
    return out
