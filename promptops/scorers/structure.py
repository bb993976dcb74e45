"""Assertions on an answer that should be JSON.

The whole answer must be the JSON text; `after(extract_json, ...)` takes it out of code fences or
prose first.
"""

from __future__ import annotations

from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .reading import ABSENT, NotJSON, find, parse_path, read_json
from .rule import PASS, Rule, fail, rule, spelled

__all__ = ["json_has", "json_valid"]


@declared("assertion", example="json_valid()", output='{"a": 1}', value=1.0, source="RFC 8259")
@explained
def json_valid() -> Rule:
    """The whole answer is one JSON text by RFC 8259; NaN, duplicate keys, lone surrogates and
    JSON bombs are invalid.
    """
    return rule("json_valid", "assertion", _valid)


def _valid(case: Case) -> Score:
    found = read_json(case.output)
    return fail(f"not JSON: {found.why}") if isinstance(found, NotJSON) else PASS


@declared("assertion", example='json_has("user.id")', output='{"user": {"id": 7}}', value=1.0)
@explained
def json_has(path: str) -> Rule:
    """The answer is JSON and has something at the path (`user_id`, `user.name`, `items[0].id`);
    null counts.
    """
    steps = parse_path(path)
    missing = fail(f"the JSON has no {path}")

    def score(case: Case) -> Score:
        value = read_json(case.output)
        if isinstance(value, NotJSON):
            return fail(f"not JSON: {value.why}")
        return missing if find(value, steps) is ABSENT else PASS

    return rule(spelled("json_has", path), "assertion", score)
