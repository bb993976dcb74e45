"""Few-shot examples, found in a text or in the turns of a conversation.

Layouts: ``Ticket: ... / Answer: ...`` lines, ``<ticket>...</ticket><answer>...</answer>``, ``"text"
-> answer`` lines, and user and assistant messages in turn. Anything but a complete pair stays
instruction text.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

from .brief import Shot
from .turns import ASKED, REPLIED

__all__ = ["fields_of_answer", "from_text", "shot"]

_MARK = re.compile(
    rf"^[ \t>*#-]*(?:(?P<asked>{ASKED})|(?P<replied>{REPLIED}))(?: \(json\))?\**[ \t]*:\**[ \t]*",
    re.I | re.M,
)
_TAGGED = re.compile(
    r"<(ticket|text|input|message|email|question|query|user)>(?P<q>[^<]{1,8000})</\1>\s*"
    r"<(answer|output|label|category|response|json|result|assistant)>(?P<a>[^<]{1,4000})</\3>",
    re.I,
)
_ARROW = re.compile(r"->|=>|→")
_BULLET = re.compile(r"[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]+")
_LINE = re.compile(
    r"[ \t]*[\"'`*]*([A-Za-z_][\w -]{0,30}?)[\"'`*]*[ \t]*[:=][ \t]*+(.{0,200}?)[ \t]*"
)
_DECODE = json.JSONDecoder()
MAX_SHOTS = 400  # more examples than any prompt holds: a bound for hostile text


def from_text(text: str) -> tuple[list[Shot], str]:
    """(examples, the text without them)."""
    for find in (_marked, _by_tags, _by_arrows):
        shots, spans = find(text)
        if shots:
            return shots, _without(text, spans)
    return [], text


def shot(question: str, answer: str) -> Shot:
    """One example, its answer parsed."""
    return Shot(_bare(question), answer.strip(), fields_of_answer(answer))


def fields_of_answer(answer: str) -> dict[str, object]:
    """The values of a JSON object, or of ``Name: value`` lines; {} for prose."""
    parsed = _object_in(answer)
    if parsed is not None:
        return parsed[0]
    lines = [line for line in answer.strip().splitlines() if line.strip()]
    matches = [_LINE.fullmatch(line) for line in lines]
    if lines and all(matches) and len(lines) <= 20:
        return {match[1].strip(): match[2].strip("\"'`* ") for match in matches if match}
    return {}


def _object_in(text: str) -> tuple[dict[str, object], int] | None:
    """The first JSON object of a text that starts with one (a code fence before it is skipped), and
    where it ends.
    """
    head = re.match(r"\s*(?:```\w*\s*)?", text)
    start = head.end() if head else 0
    if text[start : start + 1] != "{":
        return None
    try:
        value, end = _DECODE.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return (value, end) if isinstance(value, dict) else None


def _marked(text: str) -> tuple[list[Shot], list[tuple[int, int]]]:
    marks = list(_MARK.finditer(text))
    shots: list[Shot] = []
    spans = []
    for here, there in pairwise(marks):
        if not (here["asked"] and there["replied"]) or len(shots) >= MAX_SHOTS:
            continue
        end = _answer_end(text, there.end())
        question, answer = text[here.end() : there.start()], text[there.end() : end]
        if (
            there["replied"].lower() in ("category", "label", "class", "sentiment", "priority")
            and "\n" in answer.strip()
        ):
            answer = text[
                there.start() : end
            ]  # several "Name: value" lines, the first of them taken for the marker
        if question.strip() and answer.strip():
            shots.append(shot(question, answer))
            spans.append((here.start(), end))
    return shots, spans


def _answer_end(text: str, start: int) -> int:
    """Where an answer ends: behind its JSON object, else before the next blank line or the next
    text to judge.
    """
    parsed = _object_in(text[start : start + 8000])
    if parsed is not None:
        end = start + parsed[1]
        fence = re.match(r"\s*```", text[end : end + 8])
        return end + (fence.end() if fence else 0)
    blank = re.compile(r"\n[ \t]*\n").search(text, start)
    end = blank.start() if blank else len(text)
    for mark in _MARK.finditer(text, start, end):
        if mark["asked"]:
            return mark.start()
    return end


def _by_tags(text: str) -> tuple[list[Shot], list[tuple[int, int]]]:
    found = list(_TAGGED.finditer(text))[:MAX_SHOTS]
    return [shot(match["q"], match["a"]) for match in found], [match.span() for match in found]


def _by_arrows(text: str) -> tuple[list[Shot], list[tuple[int, int]]]:
    found: list[tuple[str, str]] = []
    spans = []
    at = 0
    for line in text.splitlines(keepends=True):
        arrows = list(_ARROW.finditer(line))[:50]
        if arrows and len(line) <= 1200 and len(found) < MAX_SHOTS:
            bullet = _BULLET.match(line)
            asked, answer = (
                line[bullet.end() if bullet else 0 : arrows[-1].start()].strip(),
                line[arrows[-1].end() :].strip(),
            )
            if len(asked) > 1 and answer:
                found.append((asked, answer.strip("\"'` ")))
                spans.append((at, at + len(line)))
        at += len(line)
    longer = sum(len(asked.split()) > len(answer.split()) for asked, answer in found)
    if len(found) < 2 or 2 * longer < len(
        found
    ):  # "billing -> refunds and invoices" is a definition
        return [], []
    return [shot(asked, answer) for asked, answer in found], spans


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    kept, at = [], 0
    for start, end in spans:
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])


def _bare(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] in "\"'“«`" and text[-1] in "\"'”»`":
        text = text.strip("\"'“”«»`").strip()
    return text
