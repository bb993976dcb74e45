"""What an answer cost and how it ended: time, money, tokens, the finish reason.

Unknown is unscored, never free: a run without a price has no cost to judge. Each gives 0 or 1 and
the figure as raw_value.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import ScorerError
from ..run import Run
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .rule import Rule, fail, rule, spelled

__all__ = ["cost_below", "finish_reason", "latency_below", "tokens_below"]

_COUNTED: dict[str, Callable[[Run], int | None]] = {
    "out": lambda run: run.tokens_out,
    "in": lambda run: run.tokens_in,
    "total": lambda run: (
        None if run.tokens_in is None or run.tokens_out is None else run.tokens_in + run.tokens_out
    ),
}


@declared(
    "assertion",
    example="latency_below(2000)",
    output="",
    value=1.0,
    given={"run": {"latency_ms": 350.0}},
)
@explained
def latency_below(limit_ms: float, *, first_token: bool = False) -> Rule:
    """The whole call, including retries and waits, took less than the limit.

    Args:
        limit_ms: the limit in milliseconds.
        first_token: measure the time to the first piece of the text instead.
    """
    name = "first_token_ms" if first_token else "latency_ms"

    def figure(run: Run) -> float | None:
        return run.first_token_ms if first_token else run.latency_ms

    return _below(
        spelled("latency_below", _limit("latency_below", limit_ms), first_token=first_token),
        limit_ms,
        figure,
        "ms",
        name,
    )


@declared(
    "assertion", example="cost_below(0.01)", output="", value=0.0, given={"run": {"cost_usd": 0.02}}
)
@explained
def cost_below(limit_usd: float) -> Rule:
    """The call cost less than the limit in USD; a run whose price is unknown is unscored."""
    return _below(
        spelled("cost_below", _limit("cost_below", limit_usd)),
        limit_usd,
        lambda run: run.cost_usd,
        "USD",
        "cost_usd",
    )


@declared(
    "assertion",
    example="tokens_below(200)",
    output="",
    value=1.0,
    given={"run": {"tokens_out": 50}},
)
@explained
def tokens_below(limit: int, *, count: str = "out") -> Rule:
    """The call took fewer tokens than the limit.

    Args:
        limit: the lowest number that fails.
        count: "out" (the answer's), "in" (the prompt's) or "total", as counted by the provider.
    """
    if count not in _COUNTED:
        raise ScorerError(
            f"tokens_below was given count={count!r}; choose one of {', '.join(_COUNTED)}."
        )
    shown = spelled(
        "tokens_below", _limit("tokens_below", limit), count=count if count != "out" else None
    )
    return _below(shown, limit, _COUNTED[count], "tokens", f"tokens_{count}")


@declared(
    "assertion",
    example='finish_reason("stop")',
    output="cut",
    value=0.0,
    given={"run": {"finish_reason": "length"}},
)
@explained
def finish_reason(*allowed: str) -> Rule:
    """The provider ended the answer for one of the reasons, `stop` by default ("length": truncated;
    "tool_calls": it calls tools).
    """
    reasons = allowed or ("stop",)
    if not all(isinstance(reason, str) and reason for reason in reasons):
        raise ScorerError(
            'finish_reason takes reasons as texts, as in finish_reason("stop", "tool_calls").'
        )

    def score(case: Case) -> Score:
        found = case.run.finish_reason
        if found is None:
            failure = case.run.failure
            return (
                fail(f"the model failed: {failure}")
                if failure
                else Score.none("missing finish_reason: the provider gave none")
            )
        if found in reasons:
            return Score(1.0, True, category=found)
        return Score(
            0.0,
            False,
            category=found,
            reason=f"ended by {found!r}, expected {' or '.join(map(repr, reasons))}",
        )

    return rule(spelled("finish_reason", *reasons), "assertion", score, judges_failures=True)


def _limit(name: str, limit: float) -> float:
    if (
        isinstance(limit, bool)
        or not isinstance(limit, (int, float))
        or not (math.isfinite(limit) and limit > 0)
    ):
        raise ScorerError(f"{name} was given the limit {limit!r}; give a number above 0.")
    return limit


def _below(
    spec: str, limit: float, figure: Callable[[Run], float | None], unit: str, name: str
) -> Rule:
    def score(case: Case) -> Score:
        found = figure(case.run)
        if found is None:
            return Score.none(f"missing {name}: it is not known of this run")
        if found < limit:
            return Score(1.0, True, raw_value=float(found), unit=unit)
        return Score(
            0.0,
            False,
            raw_value=float(found),
            unit=unit,
            reason=f"{found:,.6g} {unit}, expected less than {limit:,.6g}",
        )

    return rule(spec, "assertion", score, judges_failures=True)
