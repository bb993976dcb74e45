"""Live rows as spans of OTLP/JSON over HTTP, sent by the writing thread: a collector that hangs or
is gone costs the application nothing.

Feedback is sent as a span of its own, named `gen_ai.evaluation.result`, with the response's id.
"""

from __future__ import annotations

import calendar
import codecs
import json
import os
import time
import urllib.error
import urllib.request
from datetime import datetime
from typing import Any

from .otel_names import ATTRIBUTES, OWN
from .sinks import hash_key

__all__ = ["OtlpSink", "document_of", "span_of"]

_TIMEOUT_S = 5.0
codecs.lookup("idna")  # of a host name; loaded now, not while the process may fork
_DEFAULT = "http://localhost:4318"
_AGAIN = frozenset((408, 429, 502, 503, 504))  # by the protocol; any other is refused for good


class OtlpSink:
    """endpoint: the collector's address; default: OTEL_EXPORTER_OTLP_ENDPOINT, whose headers are
    those of OTEL_EXPORTER_OTLP_HEADERS.
    """

    linger_s = 0.5

    def __init__(self, endpoint: str | None = None) -> None:
        named = endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULT
        self._traces = f"{named.rstrip('/').removesuffix('/v1/traces')}/v1/traces"
        self._headers = {"Content-Type": "application/json", **_headers()}

    @property
    def secrets(self) -> frozenset[str]:
        """The values of its headers, each with and without a scheme such as "Basic"."""
        values = [value for name, value in self._headers.items() if name != "Content-Type"]
        return frozenset([*values, *(value.rpartition(" ")[2].strip() for value in values)])

    def write(self, lines: list[tuple[str, dict[str, object]]]) -> tuple[int, int]:
        """All of them in one request."""
        body = json.dumps(document_of([span_of(table, row) for table, row in lines])).encode()
        request = urllib.request.Request(self._traces, body, self._headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            if error.code in _AGAIN:
                raise OSError(f"the collector answers HTTP {error.code}") from None
            return 0, len(lines)
        return len(lines), 0

    def secret(self) -> bytes | None:
        """PROMPTOPS_HASH_KEY; without it None, and no user is recorded."""
        return hash_key()

    def forked(self) -> None:
        """No connection is kept."""

    def close(self) -> None:
        """No connection is kept."""

    def __str__(self) -> str:
        return "otlp"


def span_of(table: str, row: dict[str, Any]) -> dict[str, object]:
    """A row as a span of OTLP/JSON."""
    at = _nanoseconds(row.get("started_at") or row.get("at"))
    end = at + int(float(row.get("latency_ms") or 0) * 1e6)
    span: dict[str, object] = {
        "traceId": row.get("trace_id") or _hex(row["id"], 32),
        "spanId": _hex(row["id"][-16:], 16),
        "name": f"chat {row.get('model') or 'model'}",
        "kind": 3,
        "startTimeUnixNano": str(at),
        "endTimeUnixNano": str(end),
        "attributes": [],
    }
    if row.get("span_id"):
        span["parentSpanId"] = row["span_id"]
    listed: dict[str, Any] = {"promptops.table": table}
    if table == "live":
        listed["gen_ai.operation.name"] = "chat"
        listed |= {
            name: _as_written(column, row[column])
            for column, name in {**ATTRIBUTES, **OWN}.items()
            if row.get(column) is not None
        }
        if row.get("failure"):
            span["status"] = {"code": 2, "message": row["failure"]}
    else:
        span["name"] = "gen_ai.evaluation.result" if table == "feedback" else table
        listed |= {f"promptops.{name}": value for name, value in row.items() if value is not None}
        if table == "feedback":
            listed["gen_ai.response.id"] = row.get("run")
            listed["gen_ai.evaluation.name"] = row.get("kind")
            listed["gen_ai.evaluation.score.value"] = row.get("value")
    span["attributes"] = [
        {"key": name, "value": _value(value)} for name, value in listed.items() if value is not None
    ]
    return span


def _as_written(column: str, value: Any) -> object:
    if column == "version":
        return str(value)
    if column == "finish_reason":
        return [value]
    if column == "output":
        parts = [{"type": "text", "content": value}]
        return json.dumps([{"role": "assistant", "parts": parts}], ensure_ascii=False)
    if column == "first_token_ms":
        return float(value) / 1e3
    return value


def _value(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": str(value)}


def document_of(spans: list[dict[str, object]]) -> dict[str, object]:
    """Spans as one document of OTLP/JSON."""
    service = os.environ.get("OTEL_SERVICE_NAME") or "unknown_service"
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    scope = {"scope": {"name": "promptops"}, "spans": spans}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def _hex(name: str, digits: int) -> str:
    kept = "".join(each for each in name.lower() if each in "0123456789abcdef")
    return kept[-digits:].rjust(digits, "0")


def _nanoseconds(moment: object) -> int:
    """Of UTC text as rows have it."""
    if not isinstance(moment, str):
        return time.time_ns()
    whole, _, part = moment.partition(".")
    seconds = calendar.timegm(datetime.fromisoformat(whole).timetuple())
    return seconds * 1_000_000_000 + int(part.ljust(9, "0")[:9] or 0)


def _headers() -> dict[str, str]:
    """Of OTEL_EXPORTER_OTLP_HEADERS: name=value, comma separated, percent-encoded."""
    from urllib.parse import unquote

    pairs = (each.partition("=") for each in os.environ.get(_HEADERS, "").split(","))
    return {name.strip(): unquote(value.strip()) for name, equal, value in pairs if equal}


_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
