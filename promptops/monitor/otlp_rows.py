"""Spans of OTLP/JSON as live rows, whoever wrote them: our own sink, OpenInference, OpenLLMetry,
Langfuse, the instrumentation of openai-v2, or a collector's file.

Nothing of the conventions is stable, so one table of aliases reads all of their names. A span
without a model is no call and gives no row. The row's id is the span's, so that a file read twice
adds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..observe.answers import read_answer

__all__ = ["ALIASES", "row_of_span", "rows_of_file"]

# column -> attributes that hold it, the first that is there
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("promptops.id",),
    "prompt": ("gen_ai.prompt.name", "langfuse.observation.prompt.name"),
    "number": ("gen_ai.prompt.version", "langfuse.observation.prompt.version"),
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
_WHOLE = ("number", "tokens_in", "tokens_out", "tokens_cached")


def rows_of_file(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """("live", row) of each model call in a file of OTLP/JSON: one document, or one a line."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                document = json.loads(line)
            except ValueError:
                continue
            for each in document.get("resourceSpans", ()) if isinstance(document, dict) else ():
                shared = attributes_of(each.get("resource", {}).get("attributes", ()))
                for scope in each.get("scopeSpans", ()):
                    for span in scope.get("spans", ()):
                        row = row_of_span(span, shared)
                        if row is not None:
                            yield "live", row


def row_of_span(span: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row of a span; None where it is not a model call. shared: the resource's attributes."""
    own = {**shared, **attributes_of(span.get("attributes", ()))}
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
    row["trace_id"], row["span_id"] = str(span.get("traceId")), str(span.get("spanId"))
    row.setdefault("id", f"l-otel-{row['trace_id']}-{row['span_id']}")
    if "output" in row:
        row["output"] = _output(str(row["output"]), row)
    texts = ("session", "failure", "finish_reason", "model", "env", "service")
    return {name: str(value) if name in texts else value for name, value in row.items()}


def attributes_of(listed: Any) -> dict[str, Any]:
    """OTLP/JSON's attributes as a dict; its whole numbers are written as text."""
    return {each["key"]: _value(each.get("value", {})) for each in listed if "key" in each}


def _value(value: Mapping[str, Any]) -> Any:
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


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _output(text: str, row: dict[str, Any]) -> str:
    """The answer's text, out of whatever document stands there; its fingerprint and id too, where
    only that document has them.
    """
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if isinstance(document, list) and document:
        parts = document[-1].get("parts") or () if isinstance(document[-1], dict) else ()
        said = [str(part.get("content", "")) for part in parts if part.get("type") == "text"]
        return "".join(said) or text
    if isinstance(document, dict):
        found = read_answer(document)
        row.setdefault("system_fingerprint", found.fingerprint)
        row.setdefault("response_id", found.response_id)
        return found.text if found.text is not None else text
    return text
