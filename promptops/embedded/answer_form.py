"""The form of an answer: its keys, its style, and what an id looks like, as the prompt tells or its
examples show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .brief import AllowedValue, Field, Format, Shot

__all__ = [
    "Schema",
    "absent_values",
    "dumps",
    "form_of",
    "said_beside",
    "samples_of",
    "schema_of",
    "skeleton_keys",
    "told_keys",
    "told_lines",
    "unsaid_words",
]

_JSON = re.compile(r"\bjson\b", re.I)
_NO_JSON = re.compile(r"\b(?:no|not|don't|never|without|instead of)\b[^.\n]{0,30}\bjson\b", re.I)
_KEY = re.compile(r"[\"']([A-Za-z_]\w{0,60})[\"']\s*:")
_KEY_LIST = re.compile(
    r"\b(?:keys?|fields?|properties|attributes|json(?: object)?(?: with| containing| of)?)\b(?:"
    r" named| called| are)?[ :]*(?:exactly )?((?:[\"'`]?\w+[\"'`]?(?: \([^()]*\))?(?:\s*,\s*(?:and"
    r" )?|\s+and\s+|\s*$|(?=[.:;\n]))){1,20})",
    re.I,
)
_COMPACT = re.compile(
    r"\b(?:compact|minified|no (?:extra )?(?:spaces|whitespace)|without (?:spaces|whitespace))\b",
    re.I,
)
_SORTED = re.compile(
    r"\b(?:sorted keys|keys sorted|alphabetical|keys in order of the alphabet|sort(?:ed)? (?:the"
    r" )?keys)\b",
    re.I,
)
_ONLY = re.compile(
    r"\b(?:one word|single word|(?:only|just|nothing but|exactly)(?: with)?(?: the| one| its)?(?:"
    r" name of the)? (?:label|category|class|word|answer|name|option)|"
    r"(?:label|category|class|word|name) (?:only|alone|and nothing else))\b",
    re.I,
)
_SAMPLE = re.compile(
    r"(?<![\w-])#?[A-Za-z]{0,8}[-_#]?(?:\d{2,}|#{2,}|[XN]{2,})(?:[-_][\w]{1,10})?(?!\w)"
)
_LIKE = r"(?:like|e\.g\.,?|such as|for example|example|format|form|pattern|looks?|written|as|:|\()"
_FORBIDDEN = re.compile(
    r"\b(?:never|do not|don't|must not|may not|should not|avoid|without|no)\s+(?:ever\s+)?"
    r"(?:mention(?:s|ing)?(?: of)?|say(?:ing)?|nam(?:e|ing)|refer(?:ring)? to|us(?:e|ing) the"
    r" (?:words?|names?|terms?)|the words?)\b\s*(?P<what>[^.;\n]{1,200})",
    re.I,
)
_NEVER = re.compile(
    r"(?<=\s)(?:must|should|may|is|are)\s++(?:never|not)\s++(?:to\s++)?(?:be\s++)?"
    r"(?:mentioned|named|said|written|used)\b",
    re.I,
)
_BEFORE = 120  # characters before such words in which their subject is read
_QUOTED_TERM = re.compile(r"[\"'`“‘]([^\"'`”’\n]{2,40})[\"'`”’]")
_PROPER = re.compile(r"(?<![\w'])[A-Z][\w-]{2,40}(?: [A-Z][\w-]{2,40})*")
_BARE_TERM = re.compile(
    r"(?:the (?:words?|names?|terms?) )?([\w-]{3,40})\s*(?:,.*|in .*|at all|ever|again)?", re.I
)
_GENERIC = frozenset(
    re.findall(
        r"\w+",
        "the any competitor competitors customer customers user name names them it other others"
        " anything word words this that",
    )
)
_DIGITS = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_SPELT = re.compile(
    r"(?P<head>[A-Za-z]{0,8}[-_#])[\"'`]?\s*(?:followed"
    rf" by|and|plus|then|with)\s++(?:exactly\s++)?(?P<n>{'|'.join(_DIGITS)}|\d{{1,2}})?\s*"
    rf"(?:digits|numbers|numerals)",
    re.I,
)
_ABSENT = re.compile(
    r"(?P<null>\bnull\b|\bNone\b)|(?P<empty>\bempty (?:string|text)\b|(?<!\w)\"\"(?!\w))|"
    r"[\"'`](?P<word>unknown|none|n/a|missing|not given|not"
    r" found)[\"'`]|\b(?:or|use|write|say|put|else)\s+(?P<bare>unknown|none|n/a|missing)\b",
    re.I,
)
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*+(?:\"|\\?\Z)", re.S)  # one that never ends takes the rest
_IDENTIFIER = re.compile(r"`([A-Za-z_]\w{0,40})`|\"([A-Za-z_]\w{0,40})\"")
_LINE_FORM = re.compile(
    r"^[ \t]*+(?:[-*•][ \t]*+)?([A-Za-z_][\w ]{0,30}?)[ \t]*:["
    r" \t]*(?:<[^<>\n]{1,80}>|\[[^\[\]\n]{1,80}\]|\.\.\.|…|_{2,})[^\n]{0,80}$",
    re.M,
)


@dataclass(frozen=True, slots=True)
class Schema:
    """What a request's response_format says. json: JSON is wanted; notes: key -> its
    description.
    """

    json: bool = False
    keys: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


def schema_of(response_format: object) -> Schema:
    """The schema in a request's response_format; an empty one for anything else."""
    if not isinstance(response_format, Mapping) or response_format.get("type") not in (
        "json_object",
        "json_schema",
    ):
        return Schema()
    named = response_format.get("json_schema")
    schema = named.get("schema") if isinstance(named, Mapping) else None
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return Schema(json=True)
    fields = []
    notes = {}
    for name, about in properties.items():
        if not isinstance(about, Mapping):
            continue
        values = [True, False] if about.get("type") == "boolean" else about.get("enum")
        if isinstance(values, list) and values:
            fields.append(
                Field(
                    str(name),
                    tuple(
                        AllowedValue(value)
                        for value in values
                        if not isinstance(value, (list, dict))
                    ),
                )
            )
        notes[str(name)] = " ".join(
            str(about.get(key) or "") for key in ("description", "examples", "pattern")
        )
    return Schema(
        True, tuple(map(str, properties)), tuple(each for each in fields if each.labels), notes
    )


def told_keys(text: str) -> tuple[str, ...]:
    """The keys of ``with the keys category, priority and user_id``, or of ``extract `category`
    (...) and `user_id` as JSON``.
    """
    json_said = bool(_JSON.search(text))
    for match in _KEY_LIST.finditer(text):
        bare = re.sub(r"\([^()]*\)", "", match[1])
        names = re.findall(r"[A-Za-z_]\w*", re.sub(r"\band\b", ",", bare))
        if len(names) > 1 or (names and json_said and not match[0].lower().startswith("json")):
            return tuple(dict.fromkeys(names))
    marked = [
        match[1] or match[2] for match in _IDENTIFIER.finditer(re.sub(r"\([^()]*\)", "", text))
    ]
    return tuple(dict.fromkeys(marked)) if json_said else ()


def told_lines(text: str) -> tuple[str, ...]:
    """The names of an answer that is sketched line by line: ``Category: <category>`` over
    ``Priority: <priority>``.
    """
    names = [match[1].strip() for match in _LINE_FORM.finditer(text)]
    return tuple(dict.fromkeys(names)) if len(names) > 1 and "{" not in text else ()


def skeleton_keys(text: str) -> tuple[str, ...]:
    """The keys of a JSON object that is sketched in the text: ``{"category": "...", ...}``."""
    at = text.find("{")
    while at >= 0:
        end = text.find("}", at)
        names = _KEY.findall(text[at : end if 0 < end < at + 3000 else at + 600])
        if names:
            return tuple(dict.fromkeys(names))
        at = text.find("{", at + 1)
    return ()


def form_of(
    text: str, shots: Sequence[Shot], json_wanted: bool, keys: tuple[str, ...], labelled: bool
) -> Format:
    """How to answer; examples weigh more than words."""
    shaped = [shot for shot in shots if shot.fields]
    if shaped:
        last = shaped[-1]
        shown = tuple(last.fields)
        if "{" not in last.answer:
            return Format("lines", shown)
        return Format(
            "json",
            tuple(dict.fromkeys((*shown, *(key for key in keys if key in shown)))),
            compact=not re.search(r"[\"\d\]}el]\s*[:,]\s", _STRING.sub('""', last.answer)),
            sorted=len(shown) > 1
            and all(list(shot.fields) == sorted(shot.fields) for shot in shaped),
            fenced=last.answer.lstrip().startswith("```"),
            indent=(
                2
                if "\n" in last.answer.strip().strip("`")
                and "\n" in last.answer[last.answer.find("{") :]
                else None
            ),
        )
    sketch = text[text.find("{") : text.find("}") + 1]
    if json_wanted or ((_JSON.search(text) or _KEY.search(sketch)) and not _NO_JSON.search(text)):
        return Format(
            "json",
            keys,
            compact=bool(_COMPACT.search(text))
            or bool(_KEY.search(sketch) and '": ' not in sketch),
            sorted=bool(_SORTED.search(text)),
        )
    lines = told_lines(text)
    if lines:
        return Format("lines", lines)
    if labelled and (
        _ONLY.search(text) or (shots and all(len(shot.answer.split()) <= 3 for shot in shots))
    ):
        return Format("label")
    return Format()


def samples_of(
    text: str, keys: Sequence[str], shots: Sequence[Shot], notes: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """key -> texts that show how its value is written: answers of the examples, else what the
    prompt says beside it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for key in keys:
        shown = [shot.fields.get(key) for shot in shots]
        values = [
            value
            for value in shown
            if isinstance(value, str) and re.search(r"\d", value) and len(value) <= 40
        ]
        if not values:
            beside = said_beside(text, key, keys, notes)
            if re.search(r"(?:^|_)ids?$", key, re.I):
                beside += " \n " + said_beside(text, "ids", keys, {})  # "ids look like u-12345"
            near = re.search(rf"{_LIKE}[^\n]{{0,40}}?({_SAMPLE.pattern})", beside, re.I)
            spelt = _SPELT.search(beside)
            if near:
                values = [near[1]]
            elif spelt:
                size = spelt["n"] or "5"
                values = [spelt["head"] + "0" * int(_DIGITS.get(size.lower(), size))]
        if values:
            found[key] = tuple(dict.fromkeys(values))
    return found


def said_beside(text: str, key: str, keys: Sequence[str], notes: Mapping[str, str]) -> str:
    """The text behind each mention of a key, up to the end of its line or the mention of another
    key.
    """
    others = "|".join(_spaced(other) for other in keys if other != key)
    stop = rf"(?!(?<!\w)(?:{others})(?!\w))" if others else ""
    beside = [notes.get(key, "")]
    pattern = re.compile(rf"(?<!\w){_spaced(key)}(?!\w)(?P<behind>(?:{stop}[^\n]){{0,160}})", re.I)
    beside.extend(
        match["behind"] for _, match in zip(range(40), pattern.finditer(text), strict=False)
    )
    return " \n ".join(beside)


def _spaced(key: str) -> str:
    """The pattern of a key as code and as words: user_id, user id, userId."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", key) or [key]
    return r"[ _-]?".join(map(re.escape, parts))


def absent_values(
    text: str, keys: Sequence[str], shots: Sequence[Shot], notes: Mapping[str, str]
) -> dict[str, object]:
    """key -> what to write where the text holds no such id: as the examples do, else as the prompt
    says: null, "" or a word.
    """
    found: dict[str, Any] = {}
    for key in keys:
        told = _ABSENT.search(said_beside(text, key, keys, notes)) or _ABSENT.search(text)
        if told:
            word = told["word"] or told["bare"]
            found[key] = None if told["null"] else word.lower() if word else ""
    empty = (None, "", "unknown", "none", "null", "n/a", "N/A", "missing")
    for shot in shots:
        found.update(
            (key, shot.fields[key])
            for key in keys
            if key in shot.fields and shot.fields[key] in empty
        )
    return found


def unsaid_words(text: str) -> tuple[str, ...]:
    """Words that the prompt forbids: ``never mention Acme``, ``Acme must not be named``, ``no
    mention of "Acme Inc"``.
    """
    found: list[str] = []
    for match in _FORBIDDEN.finditer(text):
        what = match["what"].strip()
        terms = _QUOTED_TERM.findall(what) or _PROPER.findall(what)
        bare = _BARE_TERM.fullmatch(what) if not terms else None
        found.extend(terms or ([bare[1]] if bare and bare[1].lower() not in _GENERIC else []))
    for what in _subjects(text):
        found.extend(
            _QUOTED_TERM.findall(what)
            or [term for term in _PROPER.findall(what) if term.lower() not in _GENERIC]
        )
    return tuple(dict.fromkeys(found))


def _subjects(text: str) -> Iterator[str]:
    """The words before ``must not be named`` in its sentence."""
    end = 0
    for match in _NEVER.finditer(text):
        before = text[max(end, match.start() - _BEFORE) : match.start()].rstrip()
        yield before[max(before.rfind(mark) for mark in ".;\n") + 1 :].strip()
        end = match.end()


def dumps(value: object, form: Format) -> str:
    """A JSON answer in the style that the prompt asks for."""
    tight = (",", ":") if form.compact else None
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=form.sorted, separators=tight, indent=form.indent
    )
    return f"```json\n{text}\n```" if form.fenced else text
