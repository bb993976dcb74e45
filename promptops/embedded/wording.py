"""Label lists and definitions, found in the words of a prompt.

Read are blocks (``Categories:`` over ``- billing: refunds``), lists in a sentence (``category: one
of billing, bug``, ``low|normal|high``, ``"priority": "low" | "high"``) and definitions elsewhere
(``use billing for refunds``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .brief import AllowedValue, Field
from .label_meaning import define

__all__ = ["Wording", "items", "read"]

MAX_LABELS = 60
_QUOTES = "\"'`*“”‘’[]<>{} \t"
_BULLET = re.compile(r"^([ \t]*)(?:[-*•+–]|\(?\d{1,2}[.)]|[a-z][.)])[ \t]+(.*)$")
_NOT_LABELS = re.compile(
    r"\b(?:rules?|guidelines?|instructions?|examples?|notes?|steps?|important|tips?|constraints?|"
    r"style|formats?)\b",
    re.I,
)
_KEYS = re.compile(
    r"\b(?:keys?|fields?|json|object|attributes?|properties|columns?|form|format|template|layout|"
    r"structure)\b",
    re.I,
)
_ASKS_KEYS = re.compile(
    r"\b(?:extract|decide|determine|return|output|provide|produce|include|fill in|report|find"
    r" out)\b",
    re.I,
)
_ABOUT_LABELS = re.compile(
    r"\b(?:categor\w+|labels?|class\w*|one of|options?|types?|intents?|topics?|sentiments?)\b", re.I
)
_TYPES = frozenset(
    (
        "string",
        "str",
        "text",
        "number",
        "integer",
        "int",
        "float",
        "bool",
        "boolean",
        "null",
        "object",
        "array",
        "list",
    )
)
_ITEM = re.compile(
    r"[\"'`*“‘<]*(?P<name>[\w][\w &/+.'-]{0,39}?)[\"'`*”’>]*[ \t]*"
    r"(?:\((?P<inner>[^()]{0,300})\)[ \t]*)?"
    r"(?:(?::|=|–|—|->|→|[ \t]-[ \t]|\b(?:if|when|for|means|is for|covers)\b)\**["
    r" \t]*(?P<rest>.*))?",
    re.S,
)
_TRIGGER = re.compile(
    r"\b(?:(?:exactly |any )?one"
    r" of|either|(?:choose|chosen|pick|picked|select|selected|drawn|taken) (?:exactly )?(?:one"
    r" )?(?:from|between|among)|"
    r"(?:allowed|possible|valid|permitted)"
    r" (?:values?|labels?|options?|categor(?:y|ies)|answers?|classes)(?: are| is)?|limited"
    r" to|among)"
    r"(?: (?:the|these|this))?(?: following)?(?: (?P<noun>\w+))?(?=[ \t:(\[\"'`]|$)[ \t:]*",
    re.I,
)
_NAMED = re.compile(
    r"(?<!\w)(?P<name>[A-Za-z_]\w{0,40}(?: [A-Za-z_]\w{0,40})?)[\"'`*]{0,6}[ \t]*(?::|=|\()["
    r" \t]*(?=[\"'`\[<]{0,6}\w)"
)
_IS = re.compile(
    r"(?:^|[.;,][ \t]+)[\"'`*]*(?:the )?(?P<name>[A-Za-z_]\w*)[\"'`*]* (?:is|are|must be|should"
    r" be|can be|may be)(?: always)?(?: either)?[ \t]+"
    r"(?=[\"'`]*\w+[\"'`]*(?:, [\"'`]*\w+[\"'`]*){1,40},? or [\"'`]*\w)",
    re.I,
)
_PIPED = re.compile(
    r"(?<!\w)(?P<name>[A-Za-z_]\w{0,40})[\"'`*]{0,6}[ \t]*+(?:[:=(]["
    r" \t]*+)?(?P<list>[\"'`<]{0,6}\w[\w -]{0,30}[\"'`]{0,6}(?:[ \t]*\|[ \t]*[\"'`]*\w[\w"
    r" -]{0,30}[\"'`>]*)+)"
)
_VERB = re.compile(
    r"\b(?:classify|categori[sz]e|label|tag|sort|route|triage|mark|decide)\b[^.\n:]{0,80}?\b"
    r"(?:as|into|to|between|whether"
    r" it is)\b[ \t:]*",
    re.I,
)
_BROKEN = re.compile(
    r"\b(?:is|are|be|of|the|must|should|one|value|values|key|keys|return|answer|reply|not)\b", re.I
)
_FILLER = frozenset(
    re.findall(
        r"\w+",
        "the a an is are must be should can may one of following these this into from choose its"
        " their with to exactly pick select use as allowed values value options option possible"
        " valid either set it ticket text message and or for each by in which what only your answer"
        " meaning meanings definition definitions description descriptions guide criteria levels"
        " level names list support ",
    )
)


@dataclass(frozen=True, slots=True)
class Wording:
    """fields: what to decide; keys: names of the answer's keys, in the order of the prompt; notes:
    key -> its description.
    """

    fields: tuple[Field, ...]
    keys: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]


def read(text: str) -> Wording:
    """All label lists of a text (one without examples)."""
    lines = text.expandtabs(4).splitlines()[:2000]
    found: dict[str, dict[str, str]] = {}
    keys: dict[str, str] = {}
    used: set[int] = set()
    for index in range(len(lines)):
        block = _block(lines, index)
        if block:
            _take_block(lines[index], block, found, keys, used)
    for index, line in enumerate(lines):
        if index not in used and len(line) < 4000:
            for name, labels in _inline(line):
                _add(found, name, labels)
    define(text, found)
    fields = tuple(
        Field(
            name,
            tuple(AllowedValue(_plain(value, labels), means) for value, means in labels.items()),
        )
        for name, labels in found.items()
    )
    return Wording(fields, tuple(keys), tuple(keys.items()))


def items(text: str) -> list[tuple[str, str]]:
    """(value, definition) of a list in a sentence: up to its end, or to the first piece that is not
    a value. [] if none.
    """
    text = _list_part(text)
    piped = "|" in text
    found: list[tuple[str, str]] = []
    notes: list[str] = []

    def noted(match: re.Match[str]) -> str:
        notes.append(match[1])
        return f"\x00{len(notes) - 1}\x01"

    bare = re.sub(r"\(([^()]*)\)", noted, text.replace("\x00", " ").replace("\x01", " "))
    for piece in re.split(
        r"\|" if piped else r"\s*;\s*(?:or\s+)?|\s*,\s*(?:(?:or|and)\s+)?|\s*/\s*|\s+(?:or|and)\s+",
        bare,
    ):
        mark = re.search(r"\x00(\d+)\x01", piece)
        name, _, rest = (
            re.sub(r"\x00\d+\x01", "", piece)
            .strip(_QUOTES + ".")
            .partition(":" if ";" in text else "\n")
        )
        name = name.strip(_QUOTES + ".")
        if not _is_name(name) or len(found) >= MAX_LABELS:
            break
        found.append((name, notes[int(mark[1])] if mark else rest.strip()))
    if len(found) > 2 and " " in found[-1][0] and not any(" " in name for name, _ in found[:-1]):
        found[-1] = (
            found[-1][0].split()[0],
            found[-1][1],
        )  # "billing, bug or account in lower case"
    return found


def _list_part(text: str) -> str:
    """Up to the end of the sentence, or the bracket that closes around it."""
    depth = 0
    for at, char in enumerate(text[:3000]):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth < 0:
                return text[:at]
        elif char == "\n" or (
            char == "." and depth <= 0 and text[at + 1 : at + 2] in ("", " ", "\n")
        ):
            return text[:at]
    return text[:3000]


def _is_name(name: str) -> bool:
    plain = bool(name) and len(name) <= 40 and len(name.split()) <= 3 and name[0].isalnum()
    return plain and not _BROKEN.search(name) and not any(mark in name for mark in "\"':{}=")


def _block(lines: list[str], header: int) -> list[tuple[int, str, str]]:
    """(line, name, definition) of the bullets under a header line; [] if there is no such
    list.
    """
    title = lines[header].rstrip("*_ ")
    if not title.endswith(":") and not re.match(r"\s*(#|\*\*)", title):
        return []
    found: list[tuple[int, str, str]] = []
    indent: int | None = None
    for index in range(header + 1, min(len(lines), header + 300)):
        line = lines[index]
        if not line.strip():
            continue
        bullet = _BULLET.match(line)
        body = bullet[2] if bullet else line.strip()
        depth = len(line) - len(line.lstrip())
        if indent is None:
            if not bullet and not re.match(
                r"\s*[\"'`*]*[\w-]+(?: [\w-]+)?[\"'`*]*\s*(?::|=|–|—| - )\s*\S", line
            ):
                return []
            indent = depth
        elif depth > indent:
            found[-1] = (found[-1][0], found[-1][1], f"{found[-1][2]} {body}"[:2000])
            continue
        elif (
            depth < indent
            or (bool(bullet) != bool(_BULLET.match(lines[found[0][0]])))
            or (not bullet and not re.search(r":|=|–|—", body))
        ):
            break
        item = _ITEM.fullmatch(body.strip().rstrip(".;,")) or _ITEM.match(body)
        name = item["name"].strip(_QUOTES) if item else ""
        meaning = " ".join(part for part in (item["inner"], item["rest"]) if part) if item else body
        found.append((index, name, meaning.strip() if item and item.end() > len(name) else body))
    return found if len(found) > 1 else []


def _take_block(
    header: str,
    block: list[tuple[int, str, str]],
    found: dict[str, dict[str, str]],
    keys: dict[str, str],
    used: set[int],
) -> None:
    lists = [_TRIGGER.search(meaning) or _PIPED.match(f"x: {meaning}") for _, _, meaning in block]
    title = header.strip().strip("#*_: ")
    asks = bool(_ASKS_KEYS.search(title)) and not _ABOUT_LABELS.search(title)
    if (_KEYS.search(title) or asks or any(lists)) and all(
        re.fullmatch(r"\w+" if not meaning else r"\w+(?: \w+)?", name) for _, name, meaning in block
    ):
        for _, name, meaning in block:
            keys.setdefault(name, meaning)
        return  # their own lines are read for lists in the sentence, or as blocks below them
    if _NOT_LABELS.search(title) or not all(_is_name(name) for _, name, _ in block):
        return
    if len({name for _, name, _ in block}) < len(block):
        return
    used.update(index for index, _, _ in block)
    bare = {
        name: "" if meaning.strip(_QUOTES + ".") == name else meaning for _, name, meaning in block
    }
    _add(found, _field_name(title), bare.items())


def _inline(line: str) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """(field, labels) of each list in a line."""
    seen: list[tuple[int, int]] = []
    for match in _TRIGGER.finditer(line):
        start = match.end()
        noun = match["noun"] or ""
        if (noun and line[match.end("noun") : match.end("noun") + 1] not in (":", " ")) or (
            noun and ":" not in match[0]
        ):
            start, noun = match.start("noun"), ""  # the noun was the first value
        start += len(line[start:]) - len(line[start:].lstrip("([ "))
        labels = items(line[start:])
        if len(labels) > 1:
            seen.append((match.start(), start + len(_list_part(line[start:]))))
            yield _field_name(noun or line[: match.start()]), labels
    for pattern, least in (
        (_PIPED, 2),
        (_IS, 3),
        (_VERB, 2),
        (_NAMED, 2 if _KEYS.search(line) else 3),
    ):
        for match in pattern.finditer(line):
            if any(start <= match.end() and match.start() < end for start, end in seen):
                continue
            rest = match["list"] if pattern is _PIPED else line[match.end() :]
            labels = [
                (value, meaning) for value, meaning in items(rest) if value.lower() not in _TYPES
            ]
            name = match["name"].split()[-1] if "name" in pattern.groupindex else ""
            short = all(len(value.split()) <= 2 for value, _ in labels)
            if (
                len(labels) < least
                or not short
                or (name and (_KEYS.search(name) or _NOT_LABELS.search(name)))
            ):
                continue
            if pattern is _VERB and len(labels) == 2 and " or " not in rest:
                continue
            seen.append(
                (match.start(), match.end() + (0 if pattern is _PIPED else len(_list_part(rest))))
            )
            yield _field_name(name), labels


def _field_name(words: str) -> str:
    """The noun that a list is about: the last word before it but fillers, in the singular."""
    for word in reversed(re.findall(r"[A-Za-z_]\w*", words[-200:])):
        if word.lower() not in _FILLER:
            return _singular(word.lower())
    return "label"


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("sses"):
        return word[:-2]
    return (
        word[:-1]
        if word.endswith("s") and not word.endswith(("ss", "us")) and len(word) > 3
        else word
    )


def _add(found: dict[str, dict[str, str]], name: str, labels: Iterable[tuple[str, str]]) -> None:
    """Join a list to the field of that name, or to the one that already holds the same values."""
    listed = dict(labels)
    same = next((field for field, known in found.items() if set(known) == set(listed)), name)
    known = found.setdefault(same, {})
    if known and not set(known) & set(listed):
        return  # another list under a name that is taken: the first one counts
    for value, meaning in listed.items():
        known[value] = known.get(value) or meaning


def _plain(value: str, labels: Sequence[str] | dict[str, str]) -> str | int | bool:
    """A value as JSON would hold it: true and false, and numbers where all are."""
    lowered = {label.lower() for label in labels}
    if lowered == {"true", "false"}:
        return value.lower() == "true"
    return int(value) if all(re.fullmatch(r"\d{1,9}", label) for label in labels) else value
