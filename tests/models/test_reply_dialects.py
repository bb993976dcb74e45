"""What came back is read right, whatever dialect of chat completions an endpoint speaks: one reader
for whole and streamed replies.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptops.errors import CallError
from promptops.models.completion import reply_of
from promptops.models.endpoint import EndpointModel
from promptops.models.failures import error_of_body, error_of_status
from promptops.models.protocol import Call, Reply
from promptops.models.stream_assembly import Assembly
from tests.faults.server import FaultServer, Say, completion, error, events

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def streamed(*deltas: dict[str, Any], finish: str = "stop", **more: Any) -> Reply:
    """The reply of a stream of these deltas."""
    assembly = Assembly()
    for delta in deltas:
        assembly.add({"id": "c", "choices": [{"index": 0, "delta": delta}], **more})
    assembly.add({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return reply_of(assembly.finished(), {})


def names(reply: Reply) -> list[tuple[str, str]]:
    """(name, arguments) of each call."""
    return [(call["function"]["name"], call["function"]["arguments"]) for call in reply.tool_calls]


@pytest.mark.parametrize(
    "body",
    [
        completion(choices=None),
        completion(choices=[]),
        completion(choices=[None]),
        completion(message=None),
        {"choices": [{"index": 0}]},
    ],
    ids=["null", "empty", "no object", "no message", "nothing"],
)
def test_a_reply_without_a_message_is_nobodys_answer(body: dict[str, Any]) -> None:
    """Status 200 without a choice that holds a message is a server error: tried again, unscored."""
    with pytest.raises(CallError, match="without a message in its choices") as caught:
        reply_of(body, {})
    assert (caught.value.failure, caught.value.code) == ("server_error", "200 unreadable")


def test_a_filtered_prompt_is_told_apart_from_a_missing_choice() -> None:
    """Azure answers a filtered prompt without a choice, and says why beside it."""
    results = [{"content_filter_results": {"hate": {"filtered": True}}}]
    reply = reply_of(completion(choices=[], prompt_filter_results=results), {})
    assert reply.failure == "content_filter_input"
    assert reply.failure_detail == "the provider's filter refused the prompt."


OVERFLOWS = [
    (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size. try increasing it",
                "type": "exceed_context_size_error",
            }
        },
    ),
    (500, error("the request exceeds the available context size, try increasing it", 500)),
    (400, error("This model's maximum context length is 4096 tokens. However, you requested", 400)),
    (400, error("The decoder prompt (length 5000) is longer than the maximum model length of 2")),
    (400, error("The input (9 tokens) is longer than the model's context length (4 tokens).")),
    (
        422,
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048",
            "error_type": "validation",
        },
    ),
    (422, {"error": "Input validation error: `inputs` must have less than 1024 tokens."}),
    (400, {"error": "the input length exceeds the context length"}),
    (500, {"error": "prompt too long; exceeded max context length by 10 tokens"}),
    (
        400,
        error("prompt is too long: 210000 tokens > 200000 maximum", kind="invalid_request_error"),
    ),
    (400, error("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000")),
    (400, error("The input token count (12) exceeds the maximum number of tokens allowed (10).")),
    (400, error("too many tokens: total number of tokens in the prompt cannot exceed 4081")),
    (400, error("Input is too long for requested model.")),
    (400, error("Trying to keep the first 9 tokens when context the overflows.")),
    (400, error("Your input exceeds the context window of this model.", "context_length_exceeded")),
]


@pytest.mark.parametrize(("status", "body"), OVERFLOWS, ids=lambda part: str(part)[:40])
def test_a_context_overflow_is_one_in_every_dialect(status: int, body: Any) -> None:
    """Whatever words and status an endpoint has for it, the prompt was too long for the model."""
    assert error_of_status(status, body, {}).failure == "context_length"


@pytest.mark.parametrize(
    ("status", "message", "failure"),
    [
        (500, "failed to allocate the context window on the device", "server_error"),
        (500, "internal error", "server_error"),
        (400, "max_tokens is too large: 100000; at most 16384 completion tokens", "bad_request"),
        (400, "the inputs field is missing", "bad_request"),
    ],
)
def test_what_is_no_overflow_is_not_called_one(status: int, message: str, failure: str) -> None:
    """A server's own fault and a wrong setting keep their class."""
    assert error_of_status(status, error(message), {}).failure == failure


def test_an_overflow_behind_a_success_is_one_too() -> None:
    """llama.cpp answers a stream with 200 before it meets the prompt."""
    body = error("the request exceeds the available context size", 500)
    assert error_of_body(body, {}).failure == "context_length"


@pytest.mark.parametrize("finish", ["length", "LENGTH", "MAX_TOKENS", "max_tokens", "Model_Length"])
def test_finish_words_mean_the_same_in_any_case(finish: str) -> None:
    """Gateways pass their model's own words through."""
    reply = reply_of(completion("half", finish_reason=finish), {})
    assert (reply.failure, reply.finish_reason) == ("truncated_length", finish)
    assert reply_of(completion("", finish_reason="SAFETY"), {}).failure == "content_filter_output"


REASONED = {"completion_tokens_details": {"reasoning_tokens": 256}, "completion_tokens": 256}


@pytest.mark.parametrize(
    ("text", "usage", "limit", "detail"),
    [
        ("", REASONED, "max_tokens", "all 256 tokens went into reasoning; raise max_tokens."),
        (
            "Par",
            {**REASONED, "completion_tokens": 300},
            "max_completion_tokens",
            "the answer was cut after 300 tokens, 256 of them for reasoning; raise"
            " max_completion_tokens.",
        ),
        (
            "Par",
            {"completion_tokens": 9},
            "max_tokens",
            "the answer was cut after 9 tokens; raise max_tokens.",
        ),
        ("Par", {}, "max_tokens", "the answer was cut; raise max_tokens."),
    ],
)
def test_a_cut_answer_names_the_setting(text: str, usage: Any, limit: str, detail: str) -> None:
    """The tokens that went into reasoning are recorded and named, with the setting to raise."""
    reply = reply_of(completion(text, finish_reason="length", usage=usage), {}, limit=limit)
    assert (reply.failure, reply.failure_detail) == ("truncated_length", detail)
    assert reply.tokens_reasoning == usage.get("completion_tokens_details", {}).get(
        "reasoning_tokens"
    )


def test_reasoning_is_kept_apart_and_capped() -> None:
    """It is beside the answer in a field, in another field, or among the parts of the content."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "London?"}, " no"]}
    content = [thought, {"type": "text", "text": "Paris"}]
    for message in (
        {"content": "Paris", "reasoning_content": "London? no"},
        {"content": "Paris", "reasoning": "London? no"},
        {"content": content},
        {"content": [{"type": "reasoning", "text": "London? no"}, content[1]]},
    ):
        reply = reply_of(completion(message=message), {})
        assert (reply.text, reply.reasoning) == ("Paris", "London? no")
    long = reply_of(completion(message={"content": "a", "reasoning": "x" * 90_000}), {})
    assert len(long.reasoning or "") == 20_000
    alone = reply_of(completion(message={"content": "", "reasoning": "hm"}), {})
    assert alone.failure_detail == "the reply holds reasoning, but no answer after it."


def test_a_streamed_content_of_parts_is_the_same_text() -> None:
    """Magistral streams lists of parts, thinking first."""
    reply = streamed(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Lon"}]}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "don"}]}]},
        {"content": [{"type": "text", "text": "Par"}]},
        {"content": "is", "reasoning_content": "?"},
    )
    assert (reply.text, reply.reasoning, reply.failure) == ("Paris", "London?", None)


def part(
    name: str | None = None, arguments: Any = None, index: Any = 0, **more: Any
) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {
        "index": index,
        "function": {k: v for k, v in function.items() if v is not None},
        **more,
    }


@pytest.mark.parametrize(
    ("parts", "calls"),
    [
        (
            [part("weather", '{"a":1}', id="t1"), part("time", '{"b":2}', id="t2")],
            [("weather", '{"a":1}'), ("time", '{"b":2}')],
        ),
        (
            [part("weather", '{"a"', id="t1"), part("weather", ":1}", id="t1")],
            [("weather", '{"a":1}')],
        ),
        (
            [part("weather", '{"a"', id="t1"), part("weather", ":1}")],
            [("weather", '{"a":1}')],
        ),
        (
            [
                part("weather", "", id="t1"),
                part("time", "", id="t2"),
                part(None, '{"a":1}', id="t1"),
                part(None, '{"b":2}', id="t2"),
            ],
            [("weather", '{"a":1}'), ("time", '{"b":2}')],
        ),
        (
            [part("weather", '{"a"', id="t1"), part(None, ":1}", id="fresh-every-time")],
            [("weather", '{"a":1}')],
        ),
        (
            [part("one", "{}", index=None, id="t1"), part("two", "{}", index=None, id="t2")],
            [("one", "{}"), ("two", "{}")],
        ),
        (
            [part("one", '{"a"', index=0), part("two", "{}", index=1), part(None, ":1}", index=0)],
            [("one", '{"a":1}'), ("two", "{}")],
        ),
        ([part("get_"), part("weather"), part(None, "{}")], [("get_weather", "{}")]),
        ([part("weather", {"a": 1}, id="t1")], [("weather", '{"a": 1}')]),
    ],
    ids=[
        "one index, two ids",
        "repeated name and id",
        "repeated name",
        "interleaved by id",
        "an id of its own for each piece",
        "no index",
        "interleaved by index",
        "a name in pieces",
        "an object as arguments",
    ],
)
def test_streamed_calls_are_told_apart(
    parts: list[dict[str, Any]], calls: list[tuple[str, str]]
) -> None:
    """By index, by id where indices are equal, and a name that is repeated is not appended."""
    reply = streamed(*({"tool_calls": [piece]} for piece in parts), finish="tool_calls")
    assert names(reply) == calls


def ask(model: EndpointModel, request: dict[str, Any], times: int = 1) -> list[Reply]:
    async def all_of_them() -> list[Reply]:
        try:
            return [await model.complete(Call(request)) for _ in range(times)]
        finally:
            await model.aclose()

    return asyncio.run(all_of_them())


CHUNK = {"choices": [{"index": 0, "delta": {"content": "Paris"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Unrecognized argument: stream_options"),
        (400, "unknown field"),
        (422, "extra fields not permitted: stream_options"),
        (501, "include_usage is not implemented"),
    ],
)
def test_what_we_add_is_left_out_where_it_is_refused(status: int, words: str) -> None:
    """The same call is sent without stream_options, once and from then on, and a note says so."""

    def say(seen: Any) -> Say:
        if "stream_options" in seen.body:
            return Say(status=status, body=error(words, kind="invalid_request_error"))
        return Say(pieces=events(CHUNK))

    with FaultServer(say) as server:
        model = EndpointModel(base_url=server.url, stream=True)
        replies = ask(model, REQUEST, 3)
    assert [reply.text for reply in replies] == ["Paris"] * 3
    assert ["stream_options" in seen.body for seen in server.seen] == [True, False, False, False]
    assert "refuses stream_options" in model.notes[0]


def test_what_the_version_asks_for_is_never_left_out() -> None:
    """A version's own stream_options are its own fault; and if they are accepted nothing is
    noted.
    """
    with FaultServer(lambda seen: Say(status=400, body=error("no stream_options"))) as server:
        model = EndpointModel(base_url=server.url, stream=True)
        with pytest.raises(CallError):
            ask(model, {**REQUEST, "stream_options": {"include_usage": False}})
        assert len(server.seen) == 1
    with FaultServer(lambda seen: Say(pieces=events(CHUNK))) as server:
        model = EndpointModel(base_url=server.url, stream=True)
        ask(model, REQUEST)
    assert model.notes == ()


def test_the_tier_and_the_cache_are_read() -> None:
    """What costs more or less than the standard is recorded beside the tokens."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    }
    reply = reply_of(completion("a", usage=usage, service_tier="flex"), {})
    assert (reply.tokens_cached, reply.tokens_cache_write, reply.service_tier) == (60, 30, "flex")
    assert reply.reasoning is None
