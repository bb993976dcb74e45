"""JSON answers compared with a golden object, field by field, and against a schema.

A schema is checked when the scorer is built; it is never fetched from anywhere, and its patterns
run in linear time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import ScorerError, VersionError
from ..models.typed_schemas import schema_of
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .golden import check_fixed
from .reading import ABSENT, NotJSON, find, parse_path, read_json, same
from .rule import PASS, Rule, fail, rule, snippet, spelled
from .schemas import compiled, misfits

__all__ = ["compared", "json_equals", "json_schema"]

_SAID = 3  # differences that a reason names


@declared(
    "assertion",
    example='json_schema({"type": "object"})',
    output="[]",
    value=0.0,
    source="JSON Schema, jsonschema-rs",
)
@explained
def json_schema(schema: Mapping[str, object] | bool | type[object]) -> Rule:
    """The whole answer is JSON that is valid for the JSON Schema (drafts 4 to 2020-12, with
    `jsonschema-rs`). 0 or 1.

    Args:
        schema: the schema, or a pydantic model, dataclass or TypedDict that defines it.

    Raises:
        ScorerError: if the schema is invalid, refers to another document, or has a pattern that
            needs backtracking.
    """
    if isinstance(schema, type):
        try:
            schema = schema_of(schema)
        except VersionError as error:
            raise ScorerError(str(error)) from None
    if not isinstance(schema, (Mapping, bool)):
        raise ScorerError(
            f"json_schema was given a {type(schema).__name__}; give the schema as a mapping."
        )
    validator = compiled(schema)

    def score(case: Case) -> Score:
        value = read_json(case.output)
        if isinstance(value, NotJSON):
            return fail(f"not JSON: {value.why}")
        wording = misfits(validator, value)
        return fail(snippet(wording, 300)[1:-1]) if wording else PASS

    return rule(spelled("json_schema", schema), "assertion", score)


@declared(
    "assertion",
    example="json_equals()",
    output='{"a": 1, "b": 3}',
    value=0.5,
    whole=False,
    given={"expected": {"a": 1, "b": 2}},
)
@explained
def json_equals(
    value: object = None,
    *,
    column: str = "expected",
    tolerance: float = 0.0,
    ignore: Sequence[str] = (),
    extra: bool = False,
) -> Rule:
    """The share of the golden fields that are correct in the JSON answer; passed if all are and
    no field is added.

    Fields are the leaves of the golden value (this row's column, or a fixed value), each compared
    as JSON. A wrong or missing leaf counts as wrong, and so does a field that the golden value does
    not have, unless extra=True.

    [0, 1], higher is better.

    Args:
        value: a fixed golden value; None means the row's value of `column`.
        column: the column with the golden value.
        tolerance: the absolute difference allowed between numbers.
        ignore: paths that are not compared ("id", "meta.at").
        extra: whether the answer may have additional fields.
    """
    check_fixed("json_equals", value)
    if (
        isinstance(tolerance, bool)
        or not isinstance(tolerance, (int, float))
        or not 0 <= tolerance < float("inf")
    ):
        text = f"json_equals was given tolerance={tolerance!r}; give a finite number from 0."
        raise ScorerError(text)
    if isinstance(ignore, str):
        raise ScorerError(f'ignore={ignore!r} is one text; give a list, as in ignore=["{ignore}"].')
    left_out = [parse_path(path) for path in ignore]
    fixed = read_json(value) if isinstance(value, str) else value
    if isinstance(fixed, NotJSON):
        raise ScorerError(
            f"json_equals was given {snippet(value)}, which is not JSON: {fixed.why}; give the"
            " value, or its JSON text."
        )

    def score(case: Case) -> Score:
        golden = fixed
        if value is None:
            golden = case.example.column(column)
            golden = read_json(golden) if isinstance(golden, str) else golden
        if isinstance(golden, NotJSON):
            return Score.none(
                f"missing JSON: example {case.example.id!r} has none in the column {column!r}:"
                f" {golden.why}"
            )
        found = read_json(case.output)
        if isinstance(found, NotJSON):
            return fail(f"not JSON: {found.why}")
        right, wrong = compared(found, golden, tolerance, left_out, extra=extra)
        if not wrong:
            return PASS
        return Score(right / (right + len(wrong)), False, reason="; ".join(wrong[:_SAID]))

    shown = spelled("json_equals", value) if value is not None else spelled("json_equals", column)
    options = spelled("", tolerance=tolerance or None, ignore=list(ignore) or None, extra=extra)[
        1:-1
    ]
    spec = f"{shown[:-1]}, {options})" if options else shown
    return rule(spec, "assertion", score, needs=[] if value is not None else [column])


def compared(
    found: object,
    golden: object,
    tolerance: float = 0.0,
    ignore: Sequence[tuple[str | int, ...]] = (),
    *,
    extra: bool = False,
) -> tuple[int, list[str]]:
    """(how many golden leaves are right, a sentence for each that is wrong, missing or added)."""
    leaves = [(path, leaf) for path, leaf in _leaves(golden) if not _ignored(path, ignore)]
    right, wrong = 0, []
    for path, leaf in leaves:
        value = find(found, path)
        if value is not ABSENT and same(value, leaf, tolerance):
            right += 1
        else:
            wrong.append(
                f"{_spelled(path)} is {'missing' if value is ABSENT else snippet(value, 40)},"
                f" expected {snippet(leaf, 40)}"
            )
    if not extra:
        known = {path for path, _ in leaves}
        wrong += [
            f"{_spelled(path)} is not expected"
            for path, _ in _leaves(found)
            if not _ignored(path, ignore) and not _within(path, known)
        ]
    return right, wrong


def _leaves(
    value: object, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Every value that is not a filled container, with its path; read_json bounds the depth."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, (list, tuple)) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        yield path, value


def _within(path: tuple[str | int, ...], known: set[tuple[str | int, ...]]) -> bool:
    """Whether the path or one above it is a golden leaf: what is below a wrong leaf is reported
    once.
    """
    return any(path[:length] in known for length in range(len(path) + 1)) or any(
        leaf[: len(path)] == path for leaf in known
    )


def _ignored(path: tuple[str | int, ...], ignore: Sequence[tuple[str | int, ...]]) -> bool:
    return any(path[: len(left)] == left for left in ignore)


def _spelled(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")[:80] or "the answer"
