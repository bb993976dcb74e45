"""Reasoning is counted and billed as a part of the answer, also where an endpoint counts it beside
the answer or only in the total.
"""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from promptops.engine.prices import Spent, bill
from promptops.models.completion import reply_of
from promptops.models.responses_reply import reply_of_response
from promptops.observe.answers import read_answer

# (given, written, total, reasoning, cached) -> tokens of the answer
USAGES: dict[str, tuple[tuple[Any, Any, Any, Any, Any], int | None]] = {
    "OpenAI": ((20, 500, 520, 400, 0), 500),
    "xAI": ((32, 9, 135, 94, 6), 103),
    "xAI, no word of an answer": ((21, 0, 81, 60, 0), 60),
    "Gemini's OpenAI form": ((20, 198, 623, None, None), 603),
    "Gemini's OpenAI form, zero": ((20, 198, 623, 0, None), 603),
    "no total": ((20, 2, None, 317, None), 319),
    "no total, as OpenAI": ((20, 500, None, 400, None), 500),
    "no reasoning": ((20, 5, 25, None, None), 5),
    "a total without the cached": ((20, 5, 1025, None, 1000), 5),
    "a total that is too small": ((20, 5, 12, None, None), 5),
    "nothing known of the answer": ((20, None, 25, None, None), None),
}


def _details(usage: tuple[Any, ...], names: tuple[str, str]) -> dict[str, Any]:
    given, written, total, reasoning, cached = usage
    named = {names[0]: given, names[1]: written, "total_tokens": total}
    named[f"{names[0]}_details"] = None if cached is None else {"cached_tokens": cached}
    named[f"{names[1]}_details"] = None if reasoning is None else {"reasoning_tokens": reasoning}
    return {name: value for name, value in named.items() if value is not None}


def _chat(usage: tuple[Any, ...]) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
    counted = _details(usage, ("prompt_tokens", "completion_tokens"))
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "grok-4"}
    return {**head, "choices": [choice], "usage": counted}


def _response(usage: tuple[Any, ...]) -> dict[str, Any]:
    part = {"type": "output_text", "text": "a", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "content": [part]}
    counted = _details(usage, ("input_tokens", "output_tokens"))
    head = {"id": "r", "object": "response", "created_at": 1, "status": "completed"}
    return {**head, "model": "grok-4", "output": [message], "usage": counted}


@pytest.mark.parametrize("name", list(USAGES))
def test_lab_and_application_count_what_is_billed(name: str) -> None:
    usage, expected = USAGES[name]
    assert reply_of(_chat(usage), {}).tokens_out == expected
    assert reply_of_response(_response(usage), {}).tokens_out == expected
    assert read_answer(_chat(usage)).tokens_out == expected
    assert read_answer(_response(usage)).tokens_out == expected
    built = ChatCompletion.construct(**_chat(usage))
    assert read_answer(built).tokens_out == expected


def test_the_bill_holds_the_reasoning() -> None:
    reply = reply_of(_chat(USAGES["Gemini's OpenAI form"][0]), {})
    assert bill("m", Spent.of(reply), {"m": (1.0, 10.0)}) == pytest.approx(0.00605)


def test_a_cost_of_several_parts_is_its_total() -> None:
    body = _chat(USAGES["OpenAI"][0])
    body["usage"]["cost"] = {"input_tokens_cost": 0.001, "request_cost": 0.005, "total_cost": 0.006}
    assert reply_of(body, {}).cost_usd == 0.006
    body["usage"]["cost"] = {"total_cost": "much"}
    assert reply_of(body, {}).cost_usd is None


@pytest.mark.parametrize("read", [reply_of, reply_of_response])
def test_zero_for_what_was_not_counted_is_unknown(read: Any) -> None:
    """A gateway that reports zeros gives nothing away for free."""
    form = _chat if read is reply_of else _response
    reply = read(form((0, 0, 0, None, None)), {})
    assert (reply.tokens_in, reply.tokens_out) == (None, None)
    assert bill("m", Spent.of(reply), {"m": (1.0, 10.0)}) is None
    assert read(form((20, 0, 20, None, None)), {}).tokens_out is None
