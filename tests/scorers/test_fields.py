"""JSON against a schema, as the reference implementation judges it, and against a golden object,
field by field.
"""

from __future__ import annotations

import json
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import ScorerError
from promptops.score import Score
from promptops.scorers import json_equals, json_schema, try_out

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.floats(-10, 10) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def judge(scorer: Any, output: Any, expected: Any = None, *, raw: bool = False) -> Score:
    found = try_out(scorer, output if raw else json.dumps(output), expected=expected)
    assert isinstance(found, Score)
    return found


SCHEMAS: list[Any] = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 0}}},
    {"type": "array", "items": {"type": ["string", "null"]}, "maxItems": 2},
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {"a": {}, "b": {"enum": [1, "x", None]}},
    },
    {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[a-z]*$"}]},
    {"not": {"type": "object"}},
    {
        "$defs": {"n": {"type": "number"}},
        "type": "object",
        "patternProperties": {"^a": {"$ref": "#/$defs/n"}},
    },
    {"const": {"a": [1, 2]}},
    True,
    False,
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@given(value=JSON)
def test_schema_as_the_reference_judges(schema: Any, value: Any) -> None:
    """On any value the verdict is that of the package jsonschema (draft 2020-12)."""
    found = judge(json_schema(schema), value)
    assert found.passed is jsonschema.Draft202012Validator(schema).is_valid(value)
    assert bool(found.reason) is not found.passed


BAD_SCHEMAS = [
    {"type": "objet"},
    {"minimum": "3"},
    {"$ref": "https://example.com/schema.json"},
    {"$ref": "file:///etc/passwd"},
    {"$ref": "#/$defs/missing"},
    {"pattern": "("},
    {"pattern": "(?=a)b"},  # needs backtracking
    {"required": "a"},
    [],
    "x",
    None,
]


@pytest.mark.parametrize("schema", BAD_SCHEMAS, ids=str)
def test_invalid_schemas_are_said_when_built(schema: Any) -> None:
    """What is not a schema, points elsewhere or could hang is refused before any call; nothing is
    fetched.
    """
    started = time.monotonic()
    with pytest.raises(ScorerError):
        json_schema(schema)
    assert time.monotonic() - started < 5


def test_schema_reasons() -> None:
    """The reason names where and what, at most three, in one short line."""
    found = judge(
        json_schema({"properties": {"user": {"properties": {"id": {"type": "integer"}}}}}),
        {"user": {"id": "x"}},
    )
    assert found.reason == 'user.id: "x" is not of type "integer"'
    assert judge(json_schema({}), "no json", raw=True).reason.startswith("not JSON: ")
    many = judge(json_schema({"items": {"type": "string"}}), list(range(1000)))
    assert len(many.reason) <= 300


def test_pattern_bombs_in_schemas() -> None:
    """A pattern that would backtrack forever runs in linear time."""
    started = time.monotonic()
    assert not judge(json_schema({"pattern": "^(a+)+$"}), "a" * 50_000 + "!").passed
    assert time.monotonic() - started < 5


GOLDEN = {"name": "Lee", "total": 10.0, "items": [{"id": 1}, {"id": 2}], "tags": []}
EQUAL = [
    (json_equals(), GOLDEN, GOLDEN, 1.0),
    (json_equals(), GOLDEN, json.dumps(GOLDEN, sort_keys=True), 1.0),
    (json_equals(), {**GOLDEN, "total": 10}, GOLDEN, 1.0),
    (json_equals(), {**GOLDEN, "total": 10.4}, GOLDEN, 0.8),
    (json_equals(tolerance=0.5), {**GOLDEN, "total": 10.4}, GOLDEN, 1.0),
    (json_equals(ignore=["total"]), {**GOLDEN, "total": 99}, GOLDEN, 1.0),
    (json_equals(ignore=["items[0]"]), {**GOLDEN, "items": [{"id": 9}, {"id": 2}]}, GOLDEN, 1.0),
    (json_equals(), {**GOLDEN, "more": 1}, GOLDEN, 5 / 6),
    (json_equals(extra=True), {**GOLDEN, "more": 1}, GOLDEN, 1.0),
    (json_equals(), {"name": "Lee"}, GOLDEN, 1 / 5),
    (json_equals(), {**GOLDEN, "name": None}, GOLDEN, 0.8),
    (json_equals(), {**GOLDEN, "tags": ["a"]}, GOLDEN, 0.8),
    (json_equals(), {**GOLDEN, "name": {"first": "Lee"}}, GOLDEN, 0.8),
    (json_equals({"a": 1}), {"a": True}, None, 0.0),
    (json_equals({"a": 1}), "nope", None, 0.0),
    (json_equals(5), 5.0, None, 1.0),
    (json_equals('{"a": 1}'), {"a": 1}, None, 1.0),
    (json_equals(), [], [], 1.0),
]


@pytest.mark.parametrize(("scorer", "output", "expected", "value"), EQUAL)
def test_field_by_field(scorer: Any, output: Any, expected: Any, value: float) -> None:
    """The value is the share of golden leaves that are right, with additions counted as wrong;
    passed at 1.
    """
    found = judge(scorer, output, expected)
    assert found.value == pytest.approx(value)
    assert found.passed is (value == 1.0)


@given(JSON)
def test_a_value_equals_itself(value: Any) -> None:
    """Any JSON value equals itself, and is in [0, 1] against any other."""
    fixed = json.dumps(value) if isinstance(value, str) else value  # a text is read as JSON
    assert value is None or judge(json_equals(fixed), value).value == 1.0


@given(JSON.filter(lambda value: value is not None and not isinstance(value, str)), JSON)
def test_range(golden: Any, value: Any) -> None:
    """Values lie in [0, 1], and pass exactly where they are 1 and nothing is added."""
    found = judge(json_equals(golden), value)
    assert found.value is not None
    assert 0 <= found.value <= 1
    assert found.passed is (found.value == 1.0)


def test_wrong_arguments_and_rows() -> None:
    """Tolerances and paths are checked when built; a row whose golden text is not JSON is named."""
    for build in (
        lambda: json_equals(tolerance=-1),
        lambda: json_equals("{broken"),
        lambda: json_equals(ignore="a"),
        lambda: json_equals(ignore=["a..b"]),
    ):
        with pytest.raises(ScorerError):
            build()
    assert str(judge(json_equals(), "{}", "{broken").unscored).startswith(
        "missing JSON: example 'tried'"
    )
