"""From a request to what it asks: one Brief per prompt, and the text to judge.

Only `messages` and `response_format` of the rendered request are read. The text to judge never
becomes instructions where the prompt sets it apart, and a prompt is read once: the next ticket
under the same instructions costs no second reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from . import answer_form, ids, label_meaning, shots, wording
from .brief import AllowedValue, Brief, Field, Format, Shot
from .turns import WINDOW, question_of, sets_apart, texts
from .word_forms import sentences

__all__ = ["KEPT", "Told", "brief_of", "read"]

KEPT = 256  # prompts that are kept read
_TURNS = 2 * shots.MAX_SHOTS
_BLANKS = re.compile(
    r"[ \t]{33,}"
)  # wider gaps say no more, and every pattern would try each of their places
_FENCE = re.compile(r"```|code (?:block|fence)|fenced", re.I)
_NO_FENCE = re.compile(
    r"\b(?:no|not|never|without|don't|do not)\b[^.\n]{0,40}(?:```|code"
    r" (?:block|fence)|fence|markdown)",
    re.I,
)

_YES_NO = re.compile(
    r"(?:\b(?:with|by|only|just|exactly|simply)\s+){0,4}[\"'`]?\byes\b[\"'`]?\s*(?:or|/|\|)"
    r"\s*[\"'`]?\bno\b[\"'`]?",
    re.I,
)
_WHETHER = re.compile(r"\b(?:whether|if)\b", re.I)
_SWITCH = re.compile(
    r"\btrue\b[^\n]{0,12}\bfalse\b|\bfalse\b[^\n]{0,12}\btrue\b|\bbool(?:ean)?\b|\btrue"
    r" (?:if|when|where)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a request says apart from the text to judge: a value, so that it can be a key."""

    instructions: str
    turns: tuple[tuple[str, str], ...]  # (user text, assistant text) of earlier turns
    response_format: str  # JSON text, "" for none


def read(request: Mapping[str, object]) -> tuple[Told, str]:
    """(what the prompt says, the text to judge). Never raises, whatever the messages hold."""
    message = texts(request)
    last = max(
        (
            index
            for index, (role, _) in enumerate(message)
            if role not in ("system", "developer", "assistant", "tool", "function")
        ),
        default=-1,
    )
    system = "\n\n".join(
        text for role, text in message if role in ("system", "developer") and text.strip()
    )
    turns = _pairs(message[: max(last, 0)])
    wanted = _as_text(request.get("response_format"))
    told = Told(system, turns, wanted)
    if last < 0:  # nothing is asked: an answer by the instructions alone
        return told, ""
    guided = bool(turns) or (bool(system) and _guides(told, message[last][1]))
    instructions, question = question_of(message[last][1], guided)
    if instructions:
        told = Told(
            f"{system}\n\n{instructions}"[:WINDOW] if system else instructions, turns, wanted
        )
    return told, question


def _guides(told: Told, text: str) -> bool:
    """Whether the system message says what to do by itself, so that the user message is nothing but
    the text to judge.
    """
    brief = brief_of(told)
    if brief.shots or brief.format.kind != "prose":
        return True
    return bool(brief.fields) and not sets_apart(text)


def _pairs(message: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    found = []
    asked = ""
    for role, text in message[-_TURNS:]:
        if role == "assistant":
            if asked.strip() and text.strip():
                found.append((asked, text))
            asked = ""
        elif role == "user":
            asked = text
    return tuple(found)


def _as_text(response_format: object) -> str:
    if not response_format:
        return ""
    try:
        text = json.dumps(response_format, default=str)
        json.loads(text)
        return text
    except (
        TypeError,
        ValueError,
        RecursionError,
    ):  # no JSON: it asks for nothing that could be followed
        return ""


@lru_cache(maxsize=KEPT)
def brief_of(told: Told) -> Brief:
    """The Brief of instructions, earlier turns and response_format."""
    examples, rest = shots.from_text(_BLANKS.sub(" " * 32, told.instructions))
    examples += [shots.shot(question_of(asked, True)[1], answer) for asked, answer in told.turns]
    message = wording.read(rest)
    schema = answer_form.schema_of(
        json.loads(told.response_format) if told.response_format else None
    )
    fields = _joined(schema.fields, message.fields, rest) or _yes_or_no(rest)
    notes = {**dict(message.notes), **schema.notes}
    keys = (
        schema.keys
        or answer_form.skeleton_keys(rest)
        or message.keys
        or answer_form.told_keys(rest)
    )
    labels = {str(label.value).lower() for field in fields for label in field.labels}
    keys = tuple(key for key in keys if key.lower() not in labels)
    fields = _named(fields or _shown(examples), keys, examples)
    fields += _switches(
        rest, [key for key in keys if all(field.name != key for field in fields)], notes
    )
    shape = _format(rest, examples, schema.json, keys, fields)
    other = [key for key in shape.keys if not any(field.name == key for field in fields)]
    return Brief(
        fields=fields,
        shots=tuple(examples),
        format=shape,
        samples=answer_form.samples_of(rest, other, examples, notes),
        absent=answer_form.absent_values(rest, other, examples, notes),
        unsaid=answer_form.unsaid_words(rest),
    )


def _yes_or_no(text: str) -> tuple[Field, ...]:
    """The field of a question to be answered by yes or no; its words are what speaks for yes."""
    if not _YES_NO.search(text):
        return ()
    asked = " ".join(
        sentence
        for sentence in sentences(_YES_NO.sub(" ", text))
        if sentence.endswith("?") or _WHETHER.search(sentence)
    )
    return (Field("answer", (AllowedValue("no", "everything else"), AllowedValue("yes", asked))),)


def _switches(text: str, keys: Sequence[str], notes: Mapping[str, str]) -> tuple[Field, ...]:
    """Keys of which the prompt says that they are true or false; what it says beside them is when
    they are true.
    """
    found = []
    for key in keys:
        beside = answer_form.said_beside(text, key, keys, notes)
        if _SWITCH.search(beside):
            when = _SWITCH.sub(" ", beside).strip(" \n\"'`:,.()")
            found.append(
                Field(
                    key,
                    (
                        AllowedValue(False, "everything else"),
                        AllowedValue(True, f"{key.replace('_', ' ')} {when}"),
                    ),
                )
            )
    return tuple(found)


def _joined(schema: Sequence[Field], message: Sequence[Field], text: str) -> tuple[Field, ...]:
    """The fields of a schema with the meanings that the words give to their labels; without a
    schema, those of the words.
    """
    if not schema:
        return tuple(message)
    named = label_meaning.meanings(
        text, [str(label.value) for field in schema for label in field.labels]
    )
    listed = {str(label.value): label.definition for field in message for label in field.labels}

    def meant(label: AllowedValue) -> AllowedValue:
        return AllowedValue(label.value, listed.get(str(label.value)) or named[str(label.value)])

    return tuple(Field(field.name, tuple(map(meant, field.labels))) for field in schema)


def _named(
    fields: Sequence[Field], keys: Sequence[str], examples: Sequence[Shot]
) -> tuple[Field, ...]:
    """The fields under the names that the answer gives them: "categories of ticket" is the key
    "category".
    """
    names = list(dict.fromkeys([*(key for each in examples for key in each.fields), *keys]))
    taken: dict[str, Field] = {}
    spare: list[Field] = []
    for field in fields:
        name = next((key for key in names if key not in taken and _alike(key, field.name)), None)
        name = name or next(
            (key for key in names if key not in taken and _holds(field, key, examples)), None
        )
        if name is None:
            spare.append(field)
        else:
            taken[name] = Field(name, field.labels)
    free = [key for key in names if key not in taken and not ids.is_id_key(key)]
    if len(spare) == 1 and len(free) == 1:  # what is left over on both sides belongs together
        taken[free[0]] = Field(free[0], spare.pop().labels)
    return (*taken.values(), *spare)


def _alike(key: str, name: str) -> bool:
    plain = re.sub(r"[\s_-]+", "", key).lower()
    other = re.sub(r"[\s_-]+", "", name).lower()
    return plain == other or (len(other) > 3 and (plain.endswith(other) or plain.startswith(other)))


def _holds(field: Field, key: str, examples: Sequence[Shot]) -> bool:
    """Whether the examples write labels of the field under the key."""
    values = {str(each.fields[key]).lower() for each in examples if key in each.fields}
    return bool(values) and values <= {str(label.value).lower() for label in field.labels}


def _shown(examples: Sequence[Shot]) -> tuple[Field, ...]:
    """Fields that no list names but the examples show: short values that come back, under one key
    or as the whole answer.
    """
    if not examples:
        return ()
    if not any(each.fields for each in examples):
        answers = [each.answer.strip().rstrip(".") for each in examples]
        short = all(len(answer.split()) <= 4 and len(answer) <= 40 for answer in answers)
        return (
            (Field("label", tuple(map(AllowedValue, dict.fromkeys(answers)))),)
            if short and len(set(answers)) > 1
            else ()
        )
    found = []
    for key in dict.fromkeys(key for each in examples for key in each.fields):
        values = [each.fields[key] for each in examples if key in each.fields]
        plain = [value for value in values if isinstance(value, (str, bool, int))]
        if len(plain) < len(values) or any(
            isinstance(value, str) and (len(value) > 40 or re.search(r"\d", value))
            for value in plain
        ):
            continue
        distinct = tuple(dict.fromkeys(plain))
        if len(distinct) > 1 and (
            len(distinct) <= max(2, len(values) // 2)
            or all(str(value).replace("_", "").isalpha() for value in distinct)
        ):
            found.append(Field(key, tuple(map(AllowedValue, distinct))))
    return tuple(found)


def _format(
    text: str,
    examples: Sequence[Shot],
    json_wanted: bool,
    keys: tuple[str, ...],
    fields: Sequence[Field],
) -> Format:
    shape = answer_form.form_of(text, examples, json_wanted, keys, bool(fields))
    if json_wanted and shape.kind != "json":
        shape = Format("json", keys)
    if shape.kind == "prose" and _YES_NO.search(text) and len(fields) == 1:
        shape = Format("label")
    if shape.kind == "json" and not shape.keys:
        shape = Format(
            "json",
            tuple(field.name for field in fields) or ("answer",),
            shape.compact,
            shape.sorted,
            shape.fenced,
            shape.indent,
        )
    if (
        shape.kind == "json"
        and not json_wanted
        and not examples
        and _FENCE.search(text)
        and not _NO_FENCE.search(text)
    ):
        shape = Format("json", shape.keys, shape.compact, shape.sorted, True, shape.indent)
    return shape
