"""Classes and functions as the JSON that a version keeps: pydantic models, dataclasses, TypedDicts
and functions in the place of a response format, a tool or a schema.

The bytes are those of openai's own helper, so that a version saved from a class is the request that
the code sent before.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import VersionError

__all__ = ["is_typed", "response_format_of", "schema_of", "tools_of"]


def is_typed(value: object) -> bool:
    """Whether a value represents a schema: a class, or a function."""
    return inspect.isclass(value) or inspect.isfunction(value) or inspect.ismethod(value)


def response_format_of(value: object) -> Any:
    """A response format as chat completions take it; anything else comes back as it is."""
    if not inspect.isclass(value) or value in (int, str, float, bool, list, dict):
        return value
    schema = schema_of(value, strict=True)
    return {
        "type": "json_schema",
        "json_schema": {"schema": schema, "name": value.__name__, "strict": True},
    }


def tools_of(value: object, api: object = None) -> Any:
    """Tools as chat completions take them, each class or function described; anything else comes
    back as it is. api: the request form; Gemini's has no strict tools.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    strict = {} if api == "gemini" else {"strict": True}
    return [_tool(item, strict) if is_typed(item) else item for item in value]


def schema_of(value: Any, *, strict: bool = False) -> dict[str, object]:
    """The JSON Schema of a class, or of a function's arguments. strict: as OpenAI's strict mode
    wants it: every property required, and no other allowed.

    Raises VersionError if pydantic cannot describe it.
    """
    import pydantic

    try:
        if inspect.isclass(value) and issubclass(value, pydantic.BaseModel):
            schema: dict[str, object] = value.model_json_schema()
        else:
            schema = pydantic.TypeAdapter(value).json_schema()
    except Exception as error:  # pydantic's own errors have several roots
        name = getattr(value, "__name__", repr(value))
        raise VersionError(
            f"{name} cannot be described as a JSON Schema ({type(error).__name__}:"
            f" {str(error).splitlines()[0][:200]}); annotate it, or pass the schema as a dict."
        ) from None
    return _strict(schema, schema) if strict else schema


def _tool(value: Any, strict: Mapping[str, object]) -> dict[str, object]:
    described = inspect.getdoc(value) if not inspect.isclass(value) else value.__doc__
    function: dict[str, Any] = {
        "name": value.__name__,
        **strict,
        "parameters": schema_of(value, strict=True),
    }
    if described is not None:
        function["description"] = described
    return {"type": "function", "function": function}


def _strict(schema: dict[str, Any], root: dict[str, object]) -> dict[str, object]:
    """The schema as strict mode wants it, changed in place, in the order of openai's helper."""
    for group in ("$defs", "definitions"):
        for inner in (schema.get(group) or {}).values():
            _strict(inner, root)
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    properties = schema.get("properties")
    if isinstance(properties, dict):
        schema["required"] = list(properties)
        schema["properties"] = {key: _strict(inner, root) for key, inner in properties.items()}
    if isinstance(schema.get("items"), dict):
        schema["items"] = _strict(schema["items"], root)
    for group in ("anyOf", "allOf"):
        variants = schema.get(group)
        if isinstance(variants, list) and group == "allOf" and len(variants) == 1:
            schema.update(_strict(variants[0], root))
            schema.pop("allOf")
        elif isinstance(variants, list):
            schema[group] = [_strict(variant, root) for variant in variants]
    if "default" in schema and schema["default"] is None:
        schema.pop("default")
    reference = schema.get("$ref")
    if reference and len(schema) > 1:  # a reference cannot be combined with anything else
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        schema.update({**target, **schema})
        schema.pop("$ref")
        return _strict(schema, root)
    return schema
