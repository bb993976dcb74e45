"""JSON Schemas (drafts 4 to 2020-12, by `jsonschema-rs`): compiled once, never fetched from
anywhere, patterns in linear time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ScorerError

__all__ = ["compiled", "misfits"]

_SAID = 3  # faults that are named


def compiled(schema: Mapping[str, object] | bool) -> object:
    """A validator of the schema. Raises ScorerError for one that is invalid, refers to another
    document, or has a pattern that needs backtracking.
    """
    import jsonschema_rs

    try:
        plain = dict(schema) if isinstance(schema, Mapping) else schema
        return jsonschema_rs.validator_for(
            plain, offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (
        jsonschema_rs.ValidationError,
        jsonschema_rs.ReferencingError,
        ValueError,
        TypeError,
        RecursionError,
    ) as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise ScorerError(f"the schema is not valid: {text[0][:200]}; correct it.") from None


def misfits(validator: Any, value: Any, whole: str = "the answer") -> str:
    """Where the value does not hold to the schema, the first few places; "" if it does. whole:
    what the value is called.
    """
    if validator.is_valid(value):
        return ""
    text = []
    for error in validator.iter_errors(value):
        text.append(f"{'.'.join(map(str, error.instance_path)) or whole}: {error.message[:120]}")
        if len(text) == _SAID:
            break
    return "; ".join(text)
