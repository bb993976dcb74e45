"""promptfoo's assertions as checks of a row, with their own meaning: `contains` minds case there,
latency is in milliseconds, `equals` is exact to the last space.

An assertion that means anything else here is not translated: it comes back with the reason and the
nearest thing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ScorerError
from ..scorers.row_checks import parsed

__all__ = ["NEAREST", "Translated", "cell_assertion", "graded_by_model", "translated"]

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", re.ASCII)
_MARK = re.compile(r"\{\{|\{%|\{#")
_CASED = "(ignore_case=false)"
_OF_THE_CALL = frozenset(("latency", "cost", "finish-reason"))
_PARSE = "JSON.parse(output)"  # a transform after which is-json means the same
_TRIM = re.compile(r"output\.trim\(\);?")
# what JavaScript's trim() takes away
_BLANK = (
    r"[\t\n\v\f\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}]*"
)
_INSIDE = frozenset(
    ("contains", "icontains", "contains-any", "contains-all", "icontains-any", "icontains-all")
)

# promptfoo's type -> (why it has no equal here, the nearest thing)
NEAREST: Mapping[str, tuple[str, str]] = {
    "javascript": ("code is never executed by an import", "a function scorer: @scorer"),
    "python": ("code is never executed by an import", "a function scorer: @scorer"),
    "ruby": ("code is never executed by an import", "a function scorer: @scorer"),
    "webhook": ("it calls a server of yours", "a function scorer that calls it"),
    "llm-rubric": ("a judge needs a model of yours", "rubric(criteria, judge=...)"),
    "g-eval": ("a judge needs a model of yours", "rubric(criteria, judge=...)"),
    "model-graded-closedqa": ("a judge needs a model of yours", "rubric(criteria, judge=...)"),
    "model-graded-factuality": ("a judge needs a model of yours", "rubric(criteria, judge=...)"),
    "factuality": ("a judge needs a model of yours", "rubric(criteria, judge=...)"),
    "answer-relevance": ("a judge needs a model of yours", "answer_relevance(judge=...)"),
    "context-faithfulness": ("a judge needs a model of yours", "faithfulness(judge=...)"),
    "select-best": ("it compares answers with each other", "pairwise(criteria, against)"),
    "similar": ("it compares embeddings", "similar_meaning(embedder=..., at_least=...)"),
    "classifier": ("it needs a classifier of yours", "classified(classifier, wanted)"),
    "moderation": ("it needs a moderation endpoint", "classified(classifier, wanted)"),
    "is-refusal": ("its list of wordings is another than ours", "refuses()"),
    "rouge-n": ("it is ROUGE-N by another tokenizer", "rouge_l()"),
    "bleu": ("BLEU is not among our scorers", "chrf()"),
    "gleu": ("GLEU is not among our scorers", "chrf()"),
    "meteor": ("METEOR is not among our scorers", "chrf()"),
    "perplexity": ("runs keep no log probabilities", ""),
    "contains-json": ("it looks for JSON inside a text", "after(extract_json, json_valid())"),
}
_JUDGES = frozenset(
    (
        *(name for name, (why, _) in NEAREST.items() if why.startswith("a judge")),
        *("select-best", "context-recall", "context-relevance", "conversation-relevance"),
        *("search-rubric", "agent-rubric", "trajectory:goal-success", "pi"),
    )
)


def graded_by_model(assertion: Mapping[str, object]) -> bool:
    """Whether a model's word decides an assertion."""
    return str(assertion.get("type", "")).removeprefix("not-") in _JUDGES


@dataclass(frozen=True, slots=True)
class Translated:
    """checks: what an assertion became; reason, nearest: why it became nothing."""

    checks: tuple[str, ...] = ()
    reason: str = ""
    nearest: str = ""


def translated(assertion: Mapping[str, object], names: Sequence[str], transform: str) -> Translated:
    """One assertion as checks of a row.

    Args:
        assertion: type, value, threshold as promptfoo has them.
        names: the row's variables, which `{{name}}` in a value may refer to.
        transform: the code that makes of the answer what this assertion sees, "" without.
    """
    kind = str(assertion.get("type", ""))
    negated = kind.startswith("not-")
    plain = kind.removeprefix("not-")
    if plain in NEAREST and plain not in _BUILDERS:
        return Translated((), *NEAREST[plain])
    same = plain in _OF_THE_CALL or (plain == "is-json" and transform.strip() == _PARSE)
    trimmed = _TRIM.fullmatch(transform.strip()) is not None
    same = same or (trimmed and plain in _INSIDE and not _edges(assertion.get("value")))
    if trimmed and plain in _TRIMMED:
        same = True
    if transform and not same:
        why = "it judges what a transform makes of the answer, which is code"
        return Translated((), why, "after(transform, scorer), per_field(...)")
    build = (_TRIMMED if trimmed and plain in _TRIMMED else _BUILDERS).get(plain)
    if build is None:
        return Translated((), "there is no such scorer here")
    value = assertion.get("value")
    fault = _unusable(value, names)
    if fault:
        return Translated((), fault, "a function scorer: @scorer")
    try:
        checks = build(value, assertion)
        for check in checks:
            parsed(check)
    except (ScorerError, ValueError, TypeError, KeyError) as error:
        reason = str(error).rstrip(".") or "its value is of another form than promptfoo documents"
        return Translated((), reason, NEAREST.get(plain, ("", ""))[1])
    if negated:
        if len(checks) != 1:
            return Translated((), "the opposite of a range is two ranges", "word_count")
        checks = (f"not {checks[0]}",)
    return Translated(checks)


def cell_assertion(text: str) -> dict[str, object]:
    """An assertion as a cell of a test table writes it: `icontains:ahoy`, `similar(0.8):text`."""
    text = text.strip()
    match = re.fullmatch(
        r"(not-)?([a-z][a-z-]*)(?:\(([0-9.]+)\))?(?::(.*))?", text, re.DOTALL | re.IGNORECASE
    )
    kind = (match[2] if match else "").lower()
    short = {"grade": "llm-rubric", "fn": "javascript", "eval": "javascript"}
    if match is None or (kind not in _BUILDERS and kind not in NEAREST and kind not in short):
        return {"type": "equals", "value": text}
    out: dict[str, Any] = {"type": (match[1] or "").lower() + short.get(kind, kind)}
    if match[4] is not None:
        out["value"] = match[4].strip()
    if match[3]:
        out["threshold"] = float(match[3])
    return out


def _unusable(value: object, names: Sequence[str]) -> str:
    """Why a value cannot be a check's argument; "" if it can."""
    if isinstance(value, str):
        if value.startswith(("file://", "package:")):
            return f"its value is the file {value!r}, which is not a text or JSON file here"
        rest = _VARIABLE.sub(lambda match: "" if match[1] in names else match[0], value)
        if _MARK.search(rest):
            return f"its value {value[:60]!r} is a template with more than this row's variables"
    if isinstance(value, Mapping):
        return next((fault for item in value.values() if (fault := _unusable(item, names))), "")
    if isinstance(value, list):
        return next((fault for item in value if (fault := _unusable(item, names))), "")
    return ""


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, (list, dict)):
        raise ValueError("its value is not a text")
    text = str(value)
    if not text:
        raise ValueError("its value is empty")
    return text


def _quoted(text: str) -> str:
    """A pattern that finds exactly the text; spaces at its edges survive a check's trimming."""
    return "".join(
        char
        if char.isalnum() or char == "_" or ord(char) > 127
        else f"\\x{ord(char):02x}"
        if char.isspace() or not char.isprintable() or char in "{}"
        else "\\" + char
        for char in text
    )


def _edged(text: str) -> bool:
    return text != text.strip()


def _edges(value: object) -> bool:
    """Whether white space at the edge of a value, or of one in a list of them, counts: a variable
    may have some.
    """
    texts = value if isinstance(value, list) else [value]
    return any(_edged(str(text)) or _VARIABLE.search(str(text)) is not None for text in texts)


def _contains(cased: bool) -> Callable[[object, Mapping[str, object]], tuple[str, ...]]:
    def build(value: object, _: Mapping[str, object]) -> tuple[str, ...]:
        text = _text(value)
        if not _edged(text):
            return (f"contains{_CASED if cased else ''}: {text}",)
        if _VARIABLE.search(text):
            raise ValueError("its value has a variable, and white space at its edge that counts")
        return (f"matches: {'' if cased else '(?i)'}{_quoted(text)}",)

    return build


def _many(name: str, cased: bool) -> Callable[[object, Mapping[str, object]], tuple[str, ...]]:
    def build(value: object, _: Mapping[str, object]) -> tuple[str, ...]:
        listed = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if not isinstance(listed, list) or not listed:
            raise ValueError("its value is not a list of texts")
        texts = [_text(item) for item in listed]
        return (f"{name}{_CASED if cased else ''}: {json.dumps(texts, ensure_ascii=False)}",)

    return build


def _edge(name: str, form: str) -> Callable[[object, Mapping[str, object]], tuple[str, ...]]:
    def build(value: object, _: Mapping[str, object]) -> tuple[str, ...]:
        text = _text(value)
        if _VARIABLE.search(text):
            raise ValueError(f"{name} of a variable minds white space that ours leaves aside")
        return (f"matches: {form.format(_quoted(text))}",)

    return build


def _equals_trimmed(value: object, _: Mapping[str, object]) -> tuple[str, ...]:
    text = _text(value)
    if _edges(text) or text.lstrip()[:1] in ("{", "["):
        raise ValueError("it compares JSON, a variable or white space with a text that is trimmed")
    return (rf"matches: \A{_BLANK}{_quoted(text)}{_BLANK}\z",)


def _equals(value: object, _: Mapping[str, object]) -> tuple[str, ...]:
    if isinstance(value, (dict, list)):
        return (f"json_equals: {json.dumps(value, ensure_ascii=False)}",)
    text = _text(value)
    if text.lstrip()[:1] in ("{", "["):
        raise ValueError("its value is JSON text, which is compared as text there")
    if _VARIABLE.search(text):
        raise ValueError("equals of a variable minds white space that ours leaves aside")
    return (rf"matches: \A{_quoted(text)}\z",)


def _regex(value: object, _: Mapping[str, object]) -> tuple[str, ...]:
    text = _text(value)
    if _VARIABLE.search(text):
        raise ValueError("a variable inside a pattern is not filled here")
    if _edged(text):
        raise ValueError("white space at the edge of a pattern counts there")
    if re.search(r"\(\?[imsx]|\[[^\]\[]{0,200}&&|\\[pPkuc]", text):
        raise ValueError("the pattern uses a dialect that differs between the two languages")
    return (f"matches: {text}",)


def _is_json(value: object, _: Mapping[str, object]) -> tuple[str, ...]:
    if value is None or value == "":
        return ("json_valid",)
    if not isinstance(value, Mapping):
        raise ValueError("its schema is not an object")
    return (f"json_schema: {json.dumps(value, ensure_ascii=False)}",)


def _below(name: str) -> Callable[[object, Mapping[str, object]], tuple[str, ...]]:
    def build(value: object, assertion: Mapping[str, object]) -> tuple[str, ...]:
        limit = assertion.get("threshold", value)
        number = float(limit) if isinstance(limit, (int, float, str)) else 0.0
        if number <= 0:
            raise ValueError("its threshold is not above 0")
        # the threshold itself passes there, and `below` here would refuse it
        return (f"{name}: {math.nextafter(number, math.inf)!r}",)

    return build


def _words(value: Any, _: Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        bounds = ((">=", value.get("min")), ("<=", value.get("max")))
        found = tuple(f"word_count {mark} {int(n)}" for mark, n in bounds if n is not None)
        if not found:
            raise ValueError("its value names neither min nor max")
        return found
    return (f"word_count == {int(value)}",)


def _levenshtein(value: Any, assertion: Mapping[str, Any]) -> tuple[str, ...]:
    text = _text(value)
    if _edged(text):
        raise ValueError("white space at the edge of its value counts there")
    most = assertion.get("threshold")
    return (f"edit_distance <= {int(5 if most is None else most)}: {text}",)


def _finish(value: object, _: Mapping[str, object]) -> tuple[str, ...]:
    return (f"finish_reason: {_text(value)}",)


_BUILDERS: Mapping[str, Callable[[object, Mapping[str, object]], tuple[str, ...]]] = {
    "equals": _equals,
    "contains": _contains(True),
    "icontains": _contains(False),
    "contains-any": _many("contains_any", True),
    "contains-all": _many("contains_all", True),
    "icontains-any": _many("contains_any", False),
    "icontains-all": _many("contains_all", False),
    "starts-with": _edge("starts-with", r"\A{}"),
    "ends-with": _edge("ends-with", r"{}\z"),
    "regex": _regex,
    "is-json": _is_json,
    "latency": _below("latency_below"),
    "cost": _below("cost_below"),
    "word-count": _words,
    "levenshtein": _levenshtein,
    "finish-reason": _finish,
}
# after a transform that trims the answer
_TRIMMED: Mapping[str, Callable[[object, Mapping[str, object]], tuple[str, ...]]] = {
    "equals": _equals_trimmed
}
