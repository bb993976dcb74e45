"""What changed between two versions: words within each message, then model, settings, variables,
tools, format.
"""

from __future__ import annotations

import difflib
import re

from ..canonical import canonical
from ..markup import UNTYPESET, code, esc, markdown, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .version import PromptVersion

__all__ = ["Piece", "VersionDiff", "diff", "words"]

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_SENTENCE = re.compile(r"[^\n.!?]*[\n.!?]+|[^\n.!?]+")
# pairs of tokens that are compared for one text: SequenceMatcher is quadratic, and this takes it
# 0.2 s
_WORK = 2_000_000
Piece = tuple[str, str]  # ("same" | "removed" | "added", text)


def words(old: str, new: str) -> list[Piece]:
    """The word diff of two texts, in reading order; joined, the same and removed pieces are `old`,
    the same and added are `new`.

    Sentences are aligned first. Words are marked within sentences that are at least half alike;
    where less is alike, the old text comes whole before the new one, since words of unrelated
    sentences that happen to be equal tell a reader nothing. Past 200,000 changed characters the
    texts are compared as a whole.
    """
    a, b = _WORD.findall(old), _WORD.findall(new)
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    middle = _by_sentence("".join(a[head : len(a) - tail]), "".join(b[head : len(b) - tail]))
    return _joined([("same", "".join(a[:head])), *middle, ("same", "".join(a[len(a) - tail :]))])


def _shared(a: list[str], b: list[str]) -> int:
    return next(
        (index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y),
        min(len(a), len(b)),
    )


def _compared(old: str, new: str, work: int) -> tuple[list[Piece], int]:
    """The words of two texts that are at least half alike, else the one and then the other; and how
    many of the `work` pairs of words are left.
    """
    whole: list[Piece] = [("removed", old), ("added", new)]
    a, b = _WORD.findall(old), _WORD.findall(new)
    work -= len(a) * len(b)
    if work < 0:
        return whole, work
    pieces: list[Piece] = []
    for tag, a0, a1, b0, b1 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(("same", "".join(a[a0:a1])))
        else:
            pieces += [("removed", "".join(a[a0:a1])), ("added", "".join(b[b0:b1]))]
    shorter = min(_letters(old), _letters(new))
    alike = sum(_letters(text) for tag, text in pieces if tag == "same")
    return (pieces if 2 * alike >= shorter else whole), work


def _letters(text: str) -> int:
    """Characters that are not white space."""
    return sum(len(part) for part in text.split())


def _by_sentence(old: str, new: str) -> Iterator[Piece]:
    if len(old) + len(new) > 200_000:  # nobody reads words there
        yield from (("removed", old), ("added", new))
        return
    a, b = _SENTENCE.findall(old), _SENTENCE.findall(new)
    if len(a) * len(b) > 4 * _WORK:  # sentences seldom repeat, which is what costs time
        yield from (("removed", old), ("added", new))
        return
    left = 2 * _WORK
    for tag, a0, a1, b0, b1 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            yield "same", "".join(a[a0:a1])
            continue
        for before, after in _paired(a[a0:a1], b[b0:b1]):
            pieces, left = _compared(before, after, left)
            yield from pieces


def _paired(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    """Sentences beside each other where there are as many, else all of them at once."""
    if len(old) == len(new):
        yield from zip(old, new, strict=True)
    else:
        yield "".join(old), "".join(new)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Without empty pieces, and neighbours of one kind as one."""
    out: list[Piece] = []
    for tag, text in pieces:
        if text and out and out[-1][0] == tag:
            out[-1] = (tag, out[-1][1] + text)
        elif text:
            out.append((tag, text))
    return out


class VersionDiff:
    """messages: [(role, pieces)]; settings: [(name, old, new)] as canonical JSON, None if
    absent.
    """

    __slots__ = ("messages", "new_id", "old_id", "settings")

    def __init__(self, old: PromptVersion, new: PromptVersion) -> None:
        self.old_id, self.new_id = old.id, new.id
        self.messages: list[tuple[str, list[Piece]]] = list(_messages(old.template, new.template))
        self.settings: list[tuple[str, str | None, str | None]] = list(_settings(old, new))

    def __bool__(self) -> bool:
        return self.old_id != self.new_id

    def __str__(self) -> str:
        lines = [
            f"{role}: {''.join(_SIGNS[tag].format(plain(text)) for tag, text in pieces)}"
            for role, pieces in self.changed()
        ]
        lines += [
            f"{name}: {plain(old or '(none)')} -> {plain(new or '(none)')}"
            for name, old, new in self.settings
        ]
        return "\n".join(lines) or "no difference"

    __repr__ = __str__

    def changed(self) -> list[tuple[str, list[Piece]]]:
        """The messages that differ."""
        return [
            (role, pieces)
            for role, pieces in self.messages
            if any(tag != "same" for tag, _ in pieces)
        ]

    def markdown(self, context: int = 8) -> str:
        """For a pull request: changed words with `context` words around them, then the settings as
        a list.
        """
        lines = [
            f"- **{markdown(role)}**: {_excerpt(pieces, context)}"
            for role, pieces in self.changed()
        ]
        lines += [
            f"- {_code(name)}: {_code(old)} → {_code(new)}" for name, old, new in self.settings
        ]
        return "\n".join(lines) or "- no difference"

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The changes as HTML, insertions and deletions marked."""
        rows = "".join(
            f"<p><b>{esc(role)}</b></p><pre"
            f" style='white-space:pre-wrap'>"
            f"{''.join(_HTML[tag].format(esc(text)) for tag, text in pieces)}</pre>"
            for role, pieces in self.changed()
        )
        rows += "".join(
            f"<p><b>{esc(name)}</b> <del>{esc(old or '(none)')}</del> →"
            f" <ins>{esc(new or '(none)')}</ins></p>"
            for name, old, new in self.settings
        )
        return f"<div class='{UNTYPESET}'>{rows or 'no difference'}</div>"


_SIGNS = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
_HTML = {
    "same": "{}",
    "removed": "<del style='background:rgba(213,94,0,.18)'>{}</del>",
    "added": "<ins style='background:rgba(0,158,115,.2);text-decoration:none'>{}</ins>",
}


def diff(old: PromptVersion, new: PromptVersion) -> VersionDiff:
    """What changed from `old` to `new`."""
    return VersionDiff(old, new)


def _text(message: dict[str, object]) -> str:
    extra = {key: value for key, value in message.items() if key not in ("role", "content")}
    content = message.get("content")
    text = content if isinstance(content, str) else "" if content is None else canonical(content)
    return text + (f"\n{canonical(extra)}" if extra else "")


def _messages(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> Iterator[tuple[str, list[Piece]]]:
    roles = difflib.SequenceMatcher(
        None, [m["role"] for m in old], [m["role"] for m in new], autojunk=False
    )
    for tag, a0, a1, b0, b1 in roles.get_opcodes():
        if tag == "equal":
            for before, after in zip(old[a0:a1], new[b0:b1], strict=True):
                yield before["role"], words(_text(before), _text(after))
        else:
            yield from (
                (message["role"], [("removed", _text(message) or "(empty)")])
                for message in old[a0:a1]
            )
            yield from (
                (message["role"], [("added", _text(message) or "(empty)")])
                for message in new[b0:b1]
            )


def _settings(
    old: PromptVersion, new: PromptVersion
) -> Iterator[tuple[str, str | None, str | None]]:
    before, after = _flat(old), _flat(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _flat(version: PromptVersion) -> dict[str, str]:
    flat = {name: canonical(value) for name, value in version.settings.items()}
    flat |= {
        f"variable {variable.name}": canonical(variable.content()) for variable in version.variables
    }
    for name, value in (
        ("model", version.model),
        ("tools", version.tools or None),
        ("response_format", version.response_format),
    ):
        if value is not None:
            flat[name] = canonical(value)
    return flat


def _code(text: str | None) -> str:
    return "(none)" if text is None else code(text)


def _excerpt(pieces: list[Piece], context: int) -> str:
    out = []
    for index, (tag, text) in enumerate(pieces):
        if tag != "same":
            shown = markdown(text) or "⏎"
            out.append(f"~~{shown}~~" if tag == "removed" else f"**{shown}**")
            continue
        wording = text.split()
        first, last = index == 0, index == len(pieces) - 1
        if len(wording) > context * (2 - first - last):
            head = [] if first else wording[:context]
            tail = [] if last else wording[len(wording) - context :]
            wording = [*head, "…", *tail]
        out.append(markdown(" ".join(wording)))
    return " ".join(filter(None, out))
