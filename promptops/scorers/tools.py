"""What an answer calls: the tools by name, their arguments field by field, their order.

Read from the recorded calls of the run, in the chat-completions form; a run without calls fails.
Arguments that are not JSON fail with the reason, never with an exception; so does an answer whose
calls could not be carried out (tool_error).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..errors import ScorerError
from ..run import Run
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .fields import compared
from .golden import EXPECTED
from .reading import NotJSON, read_json
from .rule import PASS, Rule, fail, rule, snippet, spelled, verdict

__all__ = ["tool_arguments", "tool_called", "tool_sequence"]

_CALL = (
    '[{"function": {"arguments": "{\\"city\\": \\"Oslo\\"}", "name": "weather"}, "id": "1", "type":'
    ' "function"}]'
)


@declared(
    "assertion",
    example='tool_called("weather")',
    output="",
    value=1.0,
    given={"run": {"tool_calls": _CALL}},
)
@explained
def tool_called(name: str, *, times: int | None = None) -> Rule:
    """The answer calls the tool (exactly `times` times, if given); raw_value: how often. 0 or 1.

    Args:
        name: the tool.
        times: the exact number of calls; None: at least one.
    """
    if (
        not isinstance(name, str)
        or not name
        or (
            times is not None
            and (isinstance(times, bool) or not isinstance(times, int) or times < 0)
        )
    ):
        raise ScorerError(
            f"tool_called({name!r}, times={times!r}) cannot work; give a tool's name and a whole"
            " number of times."
        )

    def score(case: Case) -> Score:
        if case.run.failure == "tool_error":
            return _broken(case.run)
        found = [call for call, _ in calls(case.run)]
        count = found.count(name)
        ok = count > 0 if times is None else count == times
        wanted = "" if times is None else f" {times} times"
        reason = "" if ok else f"called {_listed(found)}, expected {name}{wanted}"
        return Score(float(ok), ok, raw_value=float(count), unit="calls", reason=reason)

    return rule(spelled("tool_called", name, times=times), "assertion", score)


@declared(
    "assertion",
    example='tool_arguments("weather", {"city": "Oslo", "days": 3})',
    output="",
    value=0.5,
    whole=False,
    given={"run": {"tool_calls": _CALL}},
)
@explained
def tool_arguments(
    name: str,
    arguments: Mapping[str, object] | None = None,
    *,
    column: str = "expected",
    tolerance: float = 0.0,
) -> Rule:
    """The share of the wanted arguments that are correct in the best call of the tool; passed if
    all are.

    [0, 1], higher is better.

    Args:
        name: the tool.
        arguments: the wanted arguments, compared as by `json_equals` (additional ones are allowed);
            None: this row's object in the column.
        column: the column with the golden arguments.
        tolerance: the absolute difference allowed between numbers.
    """
    _check_wanted(name, arguments)

    def score(case: Case) -> Score:
        wanted = dict(arguments) if arguments is not None else case.example.column(column)
        if isinstance(wanted, str):
            wanted = read_json(wanted)
        if not isinstance(wanted, dict):
            return Score.none(
                f"missing arguments: example {case.example.id!r} has no object in the column"
                f" {column!r}"
            )
        if case.run.failure == "tool_error":
            return _broken(case.run)
        found = calls(case.run)
        tried = [_matched(given, wanted, tolerance) for call, given in found if call == name]
        if not tried:
            return fail(f"called {_listed([call for call, _ in found])}, expected {name}")
        return max(tried, key=lambda score: score.value or 0.0)

    shown = spelled(
        "tool_arguments",
        name,
        dict(arguments) if arguments is not None else None,
        tolerance=tolerance or None,
    )
    if arguments is None:
        shown = spelled("tool_arguments", name, column=column, tolerance=tolerance or None)
    return rule(shown, "assertion", score, needs=[] if arguments is not None else [column])


def _check_wanted(name: object, arguments: object) -> None:
    if not (isinstance(name, str) and name and isinstance(arguments, Mapping | None)):
        raise ScorerError(
            f"tool_arguments({name!r}, {arguments!r}) cannot work; give a tool's name and its"
            " arguments as a mapping."
        )


@declared(
    "assertion",
    example='tool_sequence("weather")',
    output="",
    value=1.0,
    given={"run": {"tool_calls": _CALL}},
)
@explained
def tool_sequence(*names: str, column: str = EXPECTED, exact: bool = True) -> Rule:
    """The tools are called in this order; exact=False: other calls may occur before, between and
    after. 0 or 1.

    Without names, the order is the golden list, or the list in this row's column.

    Args:
        names: the tools in order; if empty, the row's value of `column`.
        column: the column with the golden list.
        exact: whether other calls are forbidden.
    """
    if not all(isinstance(name, str) and name for name in names):
        raise ScorerError(
            'tool_sequence takes names of tools, as in tool_sequence("search", "book").'
        )

    def score(case: Case) -> Score:
        wanted = list(names) if names else case.example.column(column)
        if isinstance(wanted, str):
            wanted = read_json(wanted)
        if not isinstance(wanted, (list, tuple)) or not all(
            isinstance(name, str) for name in wanted
        ):
            return Score.none(
                f"missing names: example {case.example.id!r} has no list of tools in the column"
                f" {column!r}"
            )
        if case.run.failure == "tool_error":
            return _broken(case.run)
        found = [call for call, _ in calls(case.run)]
        rest = iter(found)
        ok = found == list(wanted) if exact else all(name in rest for name in wanted)
        return verdict(
            ok,
            f"called {_listed(found)}, expected"
            f" {_listed(list(wanted))}{'' if exact else ' in this order'}",
        )

    other = column if not names and column != EXPECTED else None
    shown = spelled("tool_sequence", *names, column=other, exact="off" if not exact else None)
    return rule(shown, "assertion", score, needs=[] if names else [column])


def calls(run: Run) -> list[tuple[str, object]]:
    """(name, arguments read as JSON, or NotJSON) of each call that the run recorded, in order."""
    recorded = json.loads(run.tool_calls) if run.tool_calls else []
    found = []
    for call in recorded if isinstance(recorded, list) else []:
        function = call.get("function", call) if isinstance(call, dict) else {}
        function = function if isinstance(function, dict) else {}
        given = function.get("arguments", {})
        found.append(
            (
                str(function.get("name", "")),
                read_json(given or "{}") if isinstance(given, str) else given,
            )
        )
    return found


def _broken(run: Run) -> Score:
    return fail(
        f"tool_error: {snippet(run.failure_detail or 'a call could not be carried out', 200)[1:-1]}"
    )


def _matched(given: object, wanted: dict[str, object], tolerance: float) -> Score:
    if isinstance(given, NotJSON):
        return fail(f"its arguments are not JSON: {given.why}")
    if not isinstance(given, dict):
        return fail(f"its arguments are {snippet(given)} instead of an object")
    right, wrong = compared(
        {name: given[name] for name in wanted if name in given}, wanted, tolerance
    )
    if not wrong:
        return PASS
    return Score(right / (right + len(wrong)), False, reason="; ".join(wrong[:3]))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "no tool"
