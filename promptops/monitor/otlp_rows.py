"""Spans of OTLP/JSON as live rows, from any writer: our own sink, OpenInference, OpenLLMetry,
Langfuse, Logfire, the instrumentation of openai-v2, or a collector's file.

Nothing of the conventions is stable, so one table of aliases reads all of their names. A span
without a model is not a call and gives no row. The row's id is the span's, so that a file read
twice adds nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..failure_classes import FAILURES
from ..observe.answers import read_answer, usage_of
from ..observe.error_class import named_class
from ..observe.otel_names import ATTRIBUTES, OWN
from .log_file import DAMAGED, opened, unpacked

__all__ = ["ALIASES", "ended_rows_of_file", "row_of_span", "rows_of_file"]

# column -> attributes that hold it, the first that is there
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("promptops.id",),
    "prompt": ("gen_ai.prompt.name", "langfuse.observation.prompt.name"),
    "version": ("gen_ai.prompt.version", "langfuse.observation.prompt.version"),
    "version_id": ("promptops.version.id",),
    "env": ("promptops.environment", "langfuse.environment", "deployment.environment.name"),
    "arm": ("promptops.arm",),
    "model": ("gen_ai.request.model", "langfuse.observation.model.name", "llm.model_name"),
    "model_returned": ("gen_ai.response.model", "llm.model_name"),
    "response_id": ("gen_ai.response.id",),
    "finish_reason": ("gen_ai.response.finish_reasons", "llm.finish_reason"),
    "tokens_in": (
        *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    ),
    "tokens_out": (
        *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        "llm.token_count.completion",
    ),
    "tokens_cached": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "system_fingerprint": (
        "openai.response.system_fingerprint",
        "gen_ai.openai.response.system_fingerprint",
    ),
    "session": ("gen_ai.conversation.id", "session.id", "langfuse.session.id"),
    "endpoint": ("server.address",),
    "failure": ("error.type",),
    "output": (
        *("gen_ai.output.messages", "gen_ai.completion.0.content", "output.value"),
        "langfuse.observation.output",
    ),
    "service": ("service.name",),
}
_CACHED = "gen_ai.usage.cache_read.input_tokens"
_WHOLE_FILE = 64 << 20  # bytes of a document over many lines, which is read as one
_WHOLE = ("version", "tokens_in", "tokens_out", "tokens_cached")


def rows_of_file(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """("live", row) of each model call in a file of OTLP/JSON: one document, or one per line."""
    return ((table, row) for _, table, row in ended_rows_of_file(path))


def ended_rows_of_file(path: Path) -> Iterator[tuple[int, str, dict[str, object]]]:
    """The same, each with the byte at which its document ends."""
    for end, document in _documents(path):
        for span, shared in _spans(document):
            try:
                found = _said_later(span) or row_of_span(span, shared)
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
                continue  # a span of another shape stops no other
            if found is not None:
                table, row = found if isinstance(found, tuple) else ("live", found)
                yield end, table, row


def _documents(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Each line that is a document, with its end; else the file as one, which may be laid out over
    lines.
    """
    found, end = False, 0
    with suppress(*DAMAGED), opened(path) as file:
        for data in unpacked(file):
            end += len(data)
            line = data.decode("utf-8", "replace")
            if not line.lstrip().startswith("{"):
                continue
            try:
                document = json.loads(line)
            except ValueError:
                continue
            if isinstance(document, dict) and "resourceSpans" in document:
                found = True
                yield end, document
    if not found and end <= _WHOLE_FILE:
        try:
            with opened(path) as file:
                document = json.loads(file.read(_WHOLE_FILE).decode("utf-8", "replace"))
        except (ValueError, *DAMAGED):
            return
        if isinstance(document, dict):
            yield end, document


def _spans(
    document: Mapping[str, object],
) -> Iterator[tuple[Mapping[str, object], dict[str, object]]]:
    """Each span of a document, with the attributes of its resource."""
    for each in _listed(document, "resourceSpans"):
        resource = each.get("resource")
        shared = attributes_of(_listed(resource, "attributes"))
        for scope in _listed(each, "scopeSpans"):
            for span in _listed(scope, "spans"):
                yield span, shared


def _listed(value: object, name: str) -> list[Any]:
    listed = value.get(name) if isinstance(value, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _said_later(span: Mapping[str, object]) -> tuple[str, dict[str, object]] | None:
    """The row of feedback, or of rows that were lost, that our own sink sent as a span."""
    own = attributes_of(_listed(span, "attributes"))
    table = own.get("promptops.table")
    if table not in ("feedback", "live_losses"):
        return None
    head = "promptops."
    row = {name[len(head) :]: value for name, value in own.items() if name.startswith(head)}
    row.pop("table")
    return table, row


def row_of_span(span: Mapping[str, Any], shared: Mapping[str, object]) -> dict[str, object] | None:
    """The row of a span; None if it is not a model call. shared: the resource's attributes."""
    own = {**shared, **attributes_of(_listed(span, "attributes"))}
    _unfolded(own)
    row: dict[str, Any] = {}
    for column, names in ALIASES.items():
        value = next((own[name] for name in names if own.get(name) is not None), None)
        if value is not None:
            row[column] = _first(value) if column == "finish_reason" else value
    if "model" not in row and "model_returned" not in row:
        return None
    for column in _WHOLE:
        if column in row:
            row[column] = _number(row[column])
    begun, ended = (int(span.get(name) or 0) for name in ("startTimeUnixNano", "endTimeUnixNano"))
    row["started_at"] = datetime.fromtimestamp(begun / 1e9, UTC).isoformat()
    row["latency_ms"] = (ended - begun) / 1e6
    row["attribution"] = "imported" if "prompt" in row or "version_id" in row else "unknown"
    row["trace_id"], row["span_id"] = _hex(span.get("traceId"), 16), _hex(span.get("spanId"), 8)
    row.setdefault("id", f"l-otel-{row['trace_id']}-{row['span_id']}")
    if "output" in row:
        row["output"] = _output(str(row["output"]), row)
    _failed(row, span.get("status"))
    if own.get("promptops.table") == "live":  # our own sink's, which has every column
        row |= {column: own[name] for column, name in OWN.items() if own.get(name) is not None}
        first = own.get(ATTRIBUTES["first_token_ms"])
        if isinstance(first, (int, float)):
            row["first_token_ms"] = first * 1e3
    texts = ("session", "failure", "finish_reason", "model", "env", "service")
    return {name: str(value) if name in texts else value for name, value in row.items()}


def _unfolded(own: dict[str, object]) -> None:
    """Bring up what an emitter folds into one text of JSON: Langfuse the tokens, OpenInference the
    model that was asked for.
    """
    usage = _json(own.get("langfuse.observation.usage_details"))
    if isinstance(usage, dict):
        given = usage if "prompt_tokens" in usage else _langfuse_usage(usage)
        names = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", _CACHED)
        for name, value in zip(names, usage_of(given), strict=True):
            own.setdefault(name, value)
    if own.get("openinference.span.kind") == "LLM":
        asked = _json(own.get("llm.invocation_parameters"))
        if isinstance(asked, dict) and isinstance(asked.get("model"), str):
            own.setdefault("gen_ai.request.model", asked["model"])


def _langfuse_usage(usage: Mapping[str, object]) -> dict[str, object]:
    """Langfuse's own names: input, output and what the cache gave."""
    cached = next((v for name, v in usage.items() if "cache" in name and "read" in name), None)
    details = {"cached_tokens": cached}
    return {
        "prompt_tokens": usage.get("input"),
        "completion_tokens": usage.get("output"),
        "prompt_tokens_details": details,
    }


def _failed(row: dict[str, object], status: object) -> None:
    """The failure's class, from the error's name and the span's status; none of a call that went
    well.
    """
    status = status if isinstance(status, dict) else {}
    bad = status.get("code") in (2, "2", "STATUS_CODE_ERROR")
    name, words = str(row.get("failure") or ""), str(status.get("message") or "")
    if not (bad or name):
        return
    if name not in FAILURES:
        row["failure"] = named_class(name, words)
        row.setdefault("failure_detail", name or words.partition(":")[0][:200])


def _hex(name: object, size: int) -> str:
    """An id of so many bytes in hex digits: OTLP/JSON has them, protobuf's own JSON has base64."""
    text = str(name)
    if len(text) == 2 * size:
        return text.lower()
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text
    return data.hex() if len(data) == size else text


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


def attributes_of(listed: Any) -> dict[str, object]:
    """OTLP/JSON's attributes as a dict; its whole numbers are written as text."""
    return {each["key"]: _value(each.get("value", {})) for each in listed if "key" in each}


def _value(value: Mapping[str, Any]) -> object:
    if "intValue" in value:
        return _number(value["intValue"])
    if "arrayValue" in value:
        return [_value(each) for each in value["arrayValue"].get("values", ())]
    return next(
        (value[name] for name in ("stringValue", "doubleValue", "boolValue") if name in value), None
    )


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _first(value: object) -> object:
    listed = _json(value) if isinstance(value, str) and value.startswith("[") else value
    return listed[0] if isinstance(listed, list) and listed else value


def _output(text: str, row: dict[str, object]) -> str:
    """The answer's text, out of whatever document it is in; its fingerprint and id too, where
    only that document has them.
    """
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if isinstance(document, list) and document:
        parts = document[-1].get("parts") or () if isinstance(document[-1], dict) else ()
        wording = [str(part.get("content", "")) for part in parts if part.get("type") == "text"]
        return "".join(wording) if wording else text
    if isinstance(document, dict) and isinstance(document.get("content"), str):
        return str(document["content"])  # Langfuse: the message alone
    if isinstance(document, dict):
        found = read_answer(document)
        row.setdefault("system_fingerprint", found.fingerprint)
        row.setdefault("response_id", found.response_id)
        return found.text if found.text is not None else text
    return text
