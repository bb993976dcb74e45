"""How close an answer is to a golden one: values in [0, 1], 1 where they are equal, symmetric in the two texts."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

from ..errors import ScorerError
from ..score import Score
from .case import Case
from .reading import ABSENT, NotJSON, find, parse_path, read_json
from .rule import Rule, rule, snippet, spelled

__all__ = ["similar_to"]

# rapidfuzz scorers (its documentation, "fuzz"); all give 0 to 100
SIMILARITIES = {
    "ratio": "ratio",
    "partial": "partial_ratio",
    "token_sort": "token_sort_ratio",
    "token_set": "token_set_ratio",
}
_CELLS = 20_000_000_000  # characters of one text times those of the other: about half a second of rapidfuzz


def similar_to(column: str = "expected", *, at_least: float | None = None, by: str = "ratio", field: str | None = None) -> Rule:
    """How similar the answer is to the golden one in the column, in [0, 1] by rapidfuzz.

    by: "ratio" (2 x common subsequence / both lengths), "token_sort" (words in any order), "token_set" (shared words),
    "partial" (best matching part; all symmetric). field: compares what stands there in the JSON of both. Texts are NFC
    without outer white space; where both are JSON objects or lists, they are compared with their keys sorted. Two texts
    so long that comparing them would take seconds are unscored.
    """
    if by not in SIMILARITIES:
        raise ScorerError(f"similar_to has no measure {by!r}; choose one of {', '.join(SIMILARITIES)}.")
    pair = paired(column, field)
    measure = _ratio(by)

    def score(case: Case) -> Score:
        texts = pair(case)
        return texts if isinstance(texts, Score) else measure(*texts)

    spec = spelled("similar_to", column, by=by if by != "ratio" else None, field=field)
    found = rule(spec, "regression", score, needs=[column])
    return found if at_least is None else found.at_least(at_least)


def _ratio(by: str) -> Callable[[str, str], Score]:
    from rapidfuzz import fuzz

    compare = getattr(fuzz, SIMILARITIES[by])

    def measure(one: str, two: str) -> Score:
        if len(one) * len(two) > _CELLS and one != two:
            return Score.none(f"too long to compare: {len(one):,} and {len(two):,} characters")
        return Score(1.0 if one == two else min(max(compare(one, two) / 100, 0.0), 1.0))

    return measure


def paired(column: str, field: str | None) -> Callable[[Case], tuple[str, str] | Score]:
    """Case -> (answer, golden answer) as texts to compare, or the score where there is nothing to compare."""
    steps = parse_path(field) if field is not None else ()

    def pair(case: Case) -> tuple[str, str] | Score:
        wanted: Any = case.example.column(column)
        if not field and isinstance(wanted, str) and not _both_json(wanted, case.output):
            return composed(case.output).strip(), composed(wanted).strip()
        found = read_json(case.output)
        if not field:
            golden = read_json(wanted) if isinstance(wanted, str) else wanted
            return (case.output.strip() if isinstance(found, NotJSON) else sorted_json(found)), sorted_json(golden)
        wanted = read_json(wanted) if isinstance(wanted, str) else wanted
        golden = ABSENT if isinstance(wanted, NotJSON) else find(wanted, steps)
        if golden is ABSENT:
            return Score.none(f"missing {field}: example {case.example.id!r} has no such field in {column!r}")
        value = ABSENT if isinstance(found, NotJSON) else find(found, steps)
        if value is ABSENT:
            return Score(0.0, reason=f"no field {field} in the answer {snippet(case.output)}")
        return as_golden(value), as_golden(golden)

    return pair


def _both_json(one: str, two: str) -> bool:
    """Whether both texts are a JSON object or list."""
    opened = all(text[:200].lstrip()[:1] in ("{", "[") for text in (one, two))
    return opened and not any(isinstance(read_json(text), NotJSON) for text in (one, two))


def as_golden(value: Any) -> str:
    return composed(value).strip() if isinstance(value, str) else sorted_json(value)


def sorted_json(value: Any) -> str:
    """A JSON value as one text whatever the order of its keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
