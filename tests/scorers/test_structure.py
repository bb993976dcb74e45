"""JSON answers: strict RFC 8259, paths into it, and bombs that cost a verdict but never the run
(S14).
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.dataset import strict
from promptops.dataset.example import Example
from promptops.errors import ScorerError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import Case, json_has, json_valid
from promptops.scorers.reading import NotJSON, bare, find, fold, parse_path, read_json, same

BOMBS = {
    "deep": "[" * 100_000,
    "deep and closed": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "long integer": "1" * 5_001,
    "NaN": "NaN",
    "infinity": '{"a": Infinity}',
    "minus infinity": "[-Infinity]",
    "key twice": '{"a": 1, "a": 2}',
    "lone surrogate": '"\\ud800"',
    "raw surrogate": '"\ud800"',
    "empty": "",
    "white space": " \n",
    "prose": "The answer is {}",
    "fence": '```json\n{"a": 1}\n```',
    "trailing comma": '{"a": 1,}',
    "single quotes": "{'a': 1}",
    "two values": "{} {}",
    "cut": '{"a": "b',
    "BOM": "\ufeff{}",
}


def judge(scorer: Any, output: str) -> Score:
    run = Run("r-1", "k1:1", "p", "p1-a", "m", "scripted", "model", "e1", None, 0, "{}", output)
    found = scorer.score(Case(output, Example("e1", {}), run))
    assert isinstance(found, Score)
    return found


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_not_json(name: str) -> None:
    """Bombs, repaired forms and prose are not JSON: a failed answer with a short reason, at once,
    never an exception.
    """
    started = time.monotonic()
    for scorer in (json_valid(), json_has("a")):
        found = judge(scorer, BOMBS[name])
        assert found.passed is False
        assert found.reason.startswith("not JSON: ")
        assert len(found.reason) < 300
        found.reason.encode("utf-8")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        "0",
        '"a"',
        "true",
        ' {"a": [1, {"b": null}]} ',
        '"\\ud83d\\ude00"',
        "[" * 200 + "]" * 200,
    ],
)
def test_what_is_json(text: str) -> None:
    """What RFC 8259 allows passes, white space around it too, up to 200 levels."""
    assert judge(json_valid(), text).passed


PATHS = [
    ("user_id", '{"user_id": 7}', True),
    ("user_id", '{"user_id": null}', True),
    ("user_id", '{"userId": 7}', False),
    ("user.name", '{"user": {"name": "Lee"}}', True),
    ("user.name", '{"user.name": 1}', False),
    ('["user.name"]', '{"user.name": 1}', True),
    ("items[0].id", '{"items": [{"id": 1}]}', True),
    ("items[1].id", '{"items": [{"id": 1}]}', False),
    ("items[-1].id", '{"items": [{"id": 1}]}', True),
    ("$.a", '{"a": 1}', True),
    ("[0]", "[1]", True),
    ("a", "[1]", False),
    ("a", '"a"', False),
]


@pytest.mark.parametrize(("path", "output", "passes"), PATHS)
def test_paths(path: str, output: str, passes: bool) -> None:
    """A path finds keys, items and odd keys; null is something, a missing key is not."""
    assert judge(json_has(path), output).passed is passes


@pytest.mark.parametrize("path", ["", ".", "a..b", "a[", "a[x]", ".a", "$", 3])
def test_wrong_paths_are_said_when_built(path: Any) -> None:
    """A path that cannot be read is refused when the scorer is built."""
    with pytest.raises(ScorerError):
        json_has(path)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_reads_what_python_writes(value: Any) -> None:
    """Any value written by json.dumps is read back equal, with escapes or without."""
    for ascii_only in (True, False):
        found = read_json(json.dumps(value, ensure_ascii=ascii_only))
        assert not isinstance(found, NotJSON)
        assert same(found, value)
        assert same(value, found)


@given(st.text())
def test_reading_never_raises(text: str) -> None:
    """Any text is read or said to be no JSON; folding is idempotent."""
    read_json(text)
    assert fold(fold(text)) == fold(text)
    assert bare(bare(text)) == bare(text)


@given(JSON, JSON)
def test_same_is_symmetric(one: Any, two: Any) -> None:
    """Equality of JSON values is symmetric and reflexive."""
    assert same(one, two) is same(two, one)
    assert same(one, one)


def test_same_tells_numbers_from_booleans() -> None:
    """1 is 1.0, never true; a tolerance is absolute."""
    assert same(1, 1.0)
    assert not same(1, True)
    assert not same(0, False)
    assert same([1.0], [1.05], 0.1)
    assert not same([1.0], [1.2], 0.1)
    assert not same(math.inf, 1.0, 0.1)


def test_find_and_parse_path() -> None:
    """Steps are keys and indices; what is not there is absent, which null is not."""
    assert parse_path('a.b[0]["c d"]') == ("a", "b", 0, "c d")
    assert find({"a": None}, ("a",)) is None
    assert repr(find({"a": None}, ("b",))) == "ABSENT"


@pytest.mark.parametrize(
    "name",
    [
        "long integer",
        "NaN",
        "infinity",
        "key twice",
        "lone surrogate",
        "trailing comma",
        "two values",
        "cut",
        "BOM",
    ],
)
def test_an_answer_and_a_line_of_a_dataset_are_read_alike(name: str) -> None:
    """What a dataset's file may not hold, an answer that is called JSON may not either, and the
    other way round.
    """
    assert isinstance(read_json(BOMBS[name]), NotJSON)
    with pytest.raises(ValueError, match="."):
        strict.parse(BOMBS[name])
    assert read_json('{"a": [1, "é"]}') == strict.parse('{"a": [1, "é"]}')
