"""Whether an answer has the form that its request asked for: JSON, JSON of a schema, calls of the
tools that were offered.

Only what the request itself states is compared with the answer, and only if nothing worse came
of it (an answer that was cut short stays that). The answer is kept as it came; what cannot be
checked here is not reported as wrong.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ScorerError
from ..models.protocol import Reply
from ..scorers.reading import NotJSON, read_json
from ..scorers.schemas import compiled, misfits

__all__ = ["held", "unchecked"]

_JSON = ("json_object", "json_schema")


def held(reply: Reply, request: Mapping[str, object]) -> Reply:
    """The reply, with failure invalid_json, schema_mismatch or tool_error, and the place, where it
    breaks the request's form.
    """
    fault = _fault_of_calls(reply.tool_calls, request) if reply.tool_calls else None
    if fault is not None:
        return replace(reply, failure="tool_error", failure_detail=fault)
    wanted = request.get("response_format")
    if (
        not isinstance(wanted, Mapping)
        or wanted.get("type") not in _JSON
        or (reply.tool_calls and not reply.text)
    ):
        return reply
    value = read_json(reply.text or "")
    if isinstance(value, NotJSON):
        return replace(
            reply, failure="invalid_json", failure_detail=f"the answer is not JSON: {value.why}"
        )
    wording = _misfits(_schema(wanted), value, "the answer")
    return (
        replace(
            reply,
            failure="schema_mismatch",
            failure_detail=f"the answer does not hold to its schema: {wording}",
        )
        if wording
        else reply
    )


def unchecked(request: Mapping[str, object]) -> list[str]:
    """A part of a sentence for each schema of the request that answers cannot be compared with
    here, and why.
    """
    wanted = request.get("response_format")
    schemas = {"response_format": _schema(wanted)} if isinstance(wanted, Mapping) else {}
    schemas |= {f"tool {name!r}": parameters for name, parameters in _offered(request)[0].items()}
    wording = []
    for name, schema in schemas.items():
        if schema is not None:
            try:
                compiled(schema)
            except ScorerError as error:
                wording.append(f"the schema of its {name} ({str(error).rstrip('.')})")
    return wording


def _schema(wanted: Mapping[str, object]) -> Any:
    """The schema of a response_format; None if it has none."""
    inner = wanted.get("json_schema")
    found = (
        inner.get("schema") if isinstance(inner, Mapping) else wanted.get("schema")
    )  # some endpoints do without the wrapper
    return found if isinstance(found, (Mapping, bool)) else None


def _fault_of_calls(
    calls: Sequence[Mapping[str, object]], request: Mapping[str, object]
) -> str | None:
    """What is wrong with the first call that could not be carried out; None if all could."""
    offered, closed = _offered(request)
    if not offered and not closed:
        return None
    for number, call in enumerate(calls, 1):
        custom = call.get("custom") if call.get("type") == "custom" else None
        function = custom if custom is not None else call.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        if name not in offered:
            if not closed:
                continue  # one of a kind that is not described here
            return (
                f"call {number} is of {str(name)[:80]!r}, which was not offered; offered:"
                f" {', '.join(list(offered)[:12])}"
            )
        wording = (
            None
            if custom is not None or not isinstance(function, Mapping)
            else _fault_of_arguments(function, offered[name])
        )
        if wording:
            return f"call {number} ({name}): {wording}"
    return None


def _fault_of_arguments(function: Mapping[str, object], parameters: object) -> str:
    given = function.get("arguments")
    value = read_json(given or "{}") if given is None or isinstance(given, str) else given
    if isinstance(value, NotJSON):
        return f"its arguments are not JSON: {value.why}"
    if not isinstance(value, dict):
        return f"its arguments are a {type(value).__name__}, not an object"
    return _misfits(parameters, value, "the arguments")


def _offered(request: Mapping[str, object]) -> tuple[dict[Any, object], bool]:
    """(name -> schema of its parameters or None, whether these are all that may be called)."""
    offered: dict[object, object] = {}
    tools, closed = request.get("tools"), False
    for tool in tools if isinstance(tools, (list, tuple)) else ():
        kind = tool.get("type", "function") if isinstance(tool, Mapping) else None
        described = tool.get(kind) if isinstance(tool, Mapping) else None
        if (
            kind not in ("function", "custom")
            or not isinstance(described, Mapping)
            or not isinstance(described.get("name"), str)
        ):
            return (
                offered,
                False,
            )  # a tool of the endpoint's own, whose calls have names that only it knows
        offered[described["name"]], closed = _parameters(described), True
    old = request.get("functions")  # what tools were before they had types
    for described in old if isinstance(old, (list, tuple)) else ():
        if isinstance(described, Mapping) and isinstance(described.get("name"), str):
            offered[described["name"]], closed = _parameters(described), True
    return offered, closed


def _parameters(described: Mapping[str, object]) -> object:
    found = described.get("parameters")
    return found if isinstance(found, Mapping) else None


def _misfits(schema: object, value: object, whole: str) -> str:
    validator = None if schema is None else _validator(json.dumps(schema, sort_keys=True))
    return "" if validator is None else misfits(validator, value, whole)


@functools.lru_cache(maxsize=64)
def _validator(schema: str) -> object:
    """A validator, made once for all answers; None if the schema cannot be checked here."""
    try:
        return compiled(json.loads(schema))
    except ScorerError:
        return None
