"""What an answer calls: tools by name, their arguments, their order; calls that are not JSON fail
and never raise.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptops.errors import ScorerError
from promptops.score import Score
from promptops.scorers import tool_arguments, tool_called, tool_sequence, try_out


def call(name: str, arguments: Any = None) -> dict[str, Any]:
    given = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return {"id": "c1", "type": "function", "function": {"name": name, "arguments": given}}


def judge(scorer: Any, *calls: dict[str, Any], expected: Any = None) -> Score:
    run = {"tool_calls": json.dumps(calls)} if calls else {}
    found = try_out(scorer, "", expected=expected, run=run)
    assert isinstance(found, Score)
    return found


SEARCH, BOOK = call("search", {"city": "Oslo", "days": 3}), call("book", {"id": 7})
TABLE = [
    (tool_called("search"), (SEARCH,), None, True),
    (tool_called("search"), (BOOK,), None, False),
    (tool_called("search"), (), None, False),
    (tool_called("search", times=2), (SEARCH, SEARCH), None, True),
    (tool_called("search", times=0), (BOOK,), None, True),
    (tool_called("search", times=0), (), None, True),
    (tool_arguments("search", {"city": "Oslo"}), (SEARCH,), None, True),
    (tool_arguments("search", {"city": "Oslo", "days": 3.0}), (SEARCH,), None, True),
    (tool_arguments("search", {"days": 3.4}, tolerance=0.5), (SEARCH,), None, True),
    (tool_arguments("search", {"city": "Rome"}), (SEARCH,), None, False),
    (
        tool_arguments("search", {"city": "Oslo"}),
        (call("search", {"city": "Rome"}), SEARCH),
        None,
        True,
    ),
    (tool_arguments("search"), (SEARCH,), {"days": 3}, True),
    (tool_arguments("search"), (SEARCH,), '{"days": 4}', False),
    (tool_arguments("search", {"city": "Oslo"}), (call("search", "{broken"),), None, False),
    (tool_arguments("search", {"city": "Oslo"}), (call("search", "[1]"),), None, False),
    (tool_arguments("search", {}), (SEARCH,), None, True),
    (tool_sequence("search", "book"), (SEARCH, BOOK), None, True),
    (tool_sequence("search", "book"), (BOOK, SEARCH), None, False),
    (tool_sequence("search", "book"), (SEARCH, BOOK, BOOK), None, False),
    (tool_sequence("search", "book", exact=False), (SEARCH, call("x"), BOOK, BOOK), None, True),
    (tool_sequence("book", "search", exact=False), (SEARCH, BOOK), None, False),
    (tool_sequence(), (SEARCH, BOOK), ["search", "book"], True),
    (tool_sequence(), (SEARCH,), '["search", "book"]', False),
]


@pytest.mark.parametrize(("scorer", "calls", "expected", "passes"), TABLE)
def test_table(scorer: Any, calls: tuple[dict[str, Any], ...], expected: Any, passes: bool) -> None:
    """Names, arguments and order are judged as documented."""
    found = judge(scorer, *calls, expected=expected)
    assert found.passed is passes
    assert bool(found.reason) is not passes


def test_share_of_arguments() -> None:
    """The value is the share of wanted arguments that the best call has right, and the reason names
    the wrong one.
    """
    found = judge(tool_arguments("search", {"city": "Rome", "days": 3, "nested": {"a": 1}}), SEARCH)
    assert found.value == pytest.approx(1 / 3)
    assert 'city is "Oslo", expected "Rome"' in found.reason
    assert "nested.a is missing" in found.reason


def test_rows_without_what_is_wanted_are_unscored() -> None:
    """A row without an object or a list of names is named."""
    assert judge(tool_arguments("search"), SEARCH, expected="text").unscored is not None
    assert judge(tool_sequence(), SEARCH, expected={"a": 1}).unscored is not None


def test_odd_records() -> None:
    """Calls in the short form, with arguments as objects, or that are none are read without
    raising.
    """
    run = {
        "tool_calls": json.dumps(
            [{"name": "search", "arguments": {"a": 1}}, {"function": None}, 3, None]
        )
    }
    assert try_out(tool_called("search"), "", run=run).passed  # type: ignore[union-attr]
    assert try_out(tool_arguments("search", {"a": 1}), "", run=run).passed  # type: ignore[union-attr]
    assert not try_out(tool_called("search"), "", run={"tool_calls": "{}"}).passed  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "build",
    [
        lambda: tool_called(""),
        lambda: tool_called("a", times=-1),
        lambda: tool_arguments("a", [1]),
        lambda: tool_sequence("a", ""),
    ],  # type: ignore[arg-type]
)
def test_wrong_arguments(build: Any) -> None:
    """Names are texts, times whole numbers, arguments a mapping."""
    with pytest.raises(ScorerError):
        build()
