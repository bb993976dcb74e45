"""One answer, one scorer, now: how a scorer is tried in a notebook before it meets a study."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..dataset.example import Example
from ..run import Run
from ..score import Score
from .case import Ask, Case
from .function import as_scorer

__all__ = ["try_out"]

_Found = Score | Sequence[Score]


def try_out(
    scorer: object,
    output: str,
    *,
    expected: object = None,
    reference: str | None = None,
    run: Mapping[str, object] | None = None,
    ask: Ask | None = None,
    **columns: object,
) -> Score | list[Score]:
    """Score one answer: `try_out(equals(), "Paris", expected="Paris").passed`.

    It waits for asynchronous scorers, and raises what the scorer raises.

    Args:
        scorer: the scorer.
        output: the answer.
        expected: the golden answer.
        reference: the answer of another version.
        run: fields of the recorded call that matter (cost_usd, tool_calls, finish_reason, ...).
        ask: the function that answers a judge's calls.
        columns: other columns of the row.
    """
    judge = as_scorer(scorer)
    checks: Any = columns.pop("checks", ())
    fields: dict[str, Any] = dict(run or {})
    example = Example("tried", columns, expected, checks=tuple(checks))
    recorded = replace(_run(output, judge.against or "p1-tried"), **fields)
    other = None if reference is None else _run(reference, judge.against or "p1-other")
    found = judge.score(Case(output, example, recorded, other, ask))
    done = _waited(found) if inspect.isawaitable(found) else found
    return done if isinstance(done, Score) else list(done)


def _run(output: str, version: str) -> Run:
    return Run(
        "r-tried", "k1:tried", "", version, "", "tried", "imported", "tried", None, 0, "{}", output
    )


def _waited(found: Awaitable[_Found]) -> _Found:
    """The result of an awaitable, in a thread of its own: a notebook's thread has a running loop
    already.
    """
    kept: list[_Found | BaseException] = []

    def run() -> None:
        async def wait() -> _Found:
            return await found

        try:
            kept.append(asyncio.run(wait()))
        except BaseException as error:
            kept.append(error)

    thread = threading.Thread(target=run, name="promptops-trial", daemon=True)
    thread.start()
    thread.join()
    [result] = kept
    if isinstance(result, BaseException):
        raise result
    done: Score | Sequence[Score] = result
    return done
