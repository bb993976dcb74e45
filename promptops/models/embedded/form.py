"""The form of an answer: its keys, its style, and what an id looks like, as the prompt tells or its examples show."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .brief import Field, Format, Label, Shot

__all__ = ["absent_values", "form_of", "samples_of", "schema_of", "skeleton_keys", "told_keys", "unsaid_words"]

_JSON = re.compile(r"\bjson\b", re.I)
_NO_JSON = re.compile(r"\b(?:no|not|don't|never|without|instead of)\b[^.\n]{0,30}\bjson\b", re.I)
_KEY = re.compile(r"[\"']([A-Za-z_]\w{0,60})[\"']\s*:")
_KEY_LIST = re.compile(
    r"\b(?:keys?|fields?|properties|attributes)\b(?: named| called| are)?[ :]*(?:exactly )?((?:[\"'`]?\w+[\"'`]?(?: \([^()]*\))?(?:\s*,\s*(?:and )?|\s+and\s+|\s*$|(?=[.:;\n]))){1,20})",
    re.I,
)
_COMPACT = re.compile(r"\b(?:compact|minified|no (?:extra )?(?:spaces|whitespace)|without (?:spaces|whitespace))\b", re.I)
_SORTED = re.compile(r"\b(?:sorted keys|keys sorted|alphabetical|keys in order of the alphabet|sort(?:ed)? (?:the )?keys)\b", re.I)
_ONLY = re.compile(
    r"\b(?:one word|single word|(?:only|just|nothing but|exactly)(?: with)?(?: the| one| its)?(?: name of the)? (?:label|category|class|word|answer|name|option)|"
    r"(?:label|category|class|word|name) (?:only|alone|and nothing else))\b",
    re.I,
)
_SAMPLE = re.compile(r"(?<![\w-])#?[A-Za-z]{0,8}[-_#]?(?:\d{2,}|#{2,}|[XN]{2,})(?:[-_][\w]{1,10})?(?!\w)")
_LIKE = r"(?:like|e\.g\.,?|such as|for example|example|format|form|pattern|looks?|written|as|:|\()"
_UNSAID = re.compile(
    r"\b(?:never|do not|don't|avoid)\s+(?:mention(?:ing)?|say(?:ing)?|nam(?:e|ing)|us(?:e|ing) the words?)\s+(?:the (?:words?|name) )?[\"'`]?([A-Z][\w-]{2,40})",
    re.I,
)


def schema_of(response_format: Any) -> tuple[bool, tuple[str, ...], tuple[Field, ...]]:
    """(JSON is wanted, its keys, its label fields) of a request's response_format."""
    if not isinstance(response_format, Mapping) or response_format.get("type") not in ("json_object", "json_schema"):
        return False, (), ()
    schema: Any = (response_format.get("json_schema") or {}).get("schema") or {}
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return True, (), ()
    fields = []
    for name, about in properties.items():
        values = about.get("enum") if isinstance(about, Mapping) else None
        if isinstance(about, Mapping) and about.get("type") == "boolean":
            values = [True, False]
        if isinstance(values, list):
            fields.append(Field(str(name), tuple(Label(value) for value in values if not isinstance(value, (list, dict)))))
    return True, tuple(map(str, properties)), tuple(fields)


def told_keys(text: str) -> tuple[str, ...]:
    """The keys of ``with the keys category, priority and user_id``."""
    for match in _KEY_LIST.finditer(text):
        bare = re.sub(r"\([^()]*\)", "", match[1])
        names = re.findall(r"[A-Za-z_]\w*", re.sub(r"\band\b", ",", bare))
        if len(names) > 1 or (names and _JSON.search(text)):
            return tuple(dict.fromkeys(names))
    return ()


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


def form_of(text: str, shots: Sequence[Shot], json_wanted: bool, keys: tuple[str, ...], labelled: bool) -> Format:
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
            compact=not re.search(r"[\"\d\]}el]\s*[:,]\s", re.sub(r"\"(?:[^\"\\]|\\.)*\"", '""', last.answer)),
            sorted=len(shown) > 1 and all(list(shot.fields) == sorted(shot.fields) for shot in shaped),
            fenced=last.answer.lstrip().startswith("```"),
            indent=2 if "\n" in last.answer.strip().strip("`") and "\n" in last.answer[last.answer.find("{") :] else None,
        )
    if json_wanted or (_JSON.search(text) and not _NO_JSON.search(text)):
        sketch = text[text.find("{") : text.find("}") + 1]
        return Format(
            "json",
            keys,
            compact=bool(_COMPACT.search(text)) or bool(_KEY.search(sketch) and '": ' not in sketch),
            sorted=bool(_SORTED.search(text)),
        )
    if labelled and (_ONLY.search(text) or (shots and all(len(shot.answer.split()) <= 3 for shot in shots))):
        return Format("label")
    return Format()


def samples_of(text: str, keys: Sequence[str], shots: Sequence[Shot], notes: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """key -> texts that show how its value is written: answers of the examples, else what the prompt says beside it."""
    found: dict[str, tuple[str, ...]] = {}
    for key in keys:
        shown = [shot.fields.get(key) for shot in shots]
        values = [value for value in shown if isinstance(value, str) and re.search(r"\d", value) and len(value) <= 40]
        if not values:
            beside = notes.get(key, "")
            for match in re.finditer(rf"\b{re.escape(key)}\b[^\n]{{0,160}}", text):
                beside += " " + match[0]
            near = re.search(rf"{_LIKE}[^\n]{{0,40}}?({_SAMPLE.pattern})", beside, re.I) if beside else None
            values = [near[1]] if near else []
        if values:
            found[key] = tuple(dict.fromkeys(values))
    return found


def absent_values(keys: Sequence[str], shots: Sequence[Shot]) -> dict[str, Any]:
    """key -> what the examples write where the text holds no such id: null, "" or "unknown"."""
    empty = (None, "", "unknown", "none", "null", "n/a", "N/A", "missing")
    return {key: shot.fields[key] for shot in shots for key in keys if key in shot.fields and shot.fields[key] in empty}


def unsaid_words(text: str) -> tuple[str, ...]:
    """Words that the prompt forbids: ``never mention Acme``."""
    return tuple(dict.fromkeys(match[1] for match in _UNSAID.finditer(text)))


def dumps(value: Any, form: Format) -> str:
    """A JSON answer in the style told."""
    tight = (",", ":") if form.compact else None
    text = json.dumps(value, ensure_ascii=False, sort_keys=form.sorted, separators=tight, indent=form.indent)
    return f"```json\n{text}\n```" if form.fenced else text
