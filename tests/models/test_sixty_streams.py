"""The sixty replies, each as the stream that its provider would have sent: the provider's own
client puts the whole reply together again, and what we read of the stream is what we read of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import openai
import pytest

from promptops.errors import CallError
from promptops.models.dialects import DIALECTS, read_any
from promptops.models.protocol import Call, Model, Reply
from promptops.study.resolve_model import as_model
from promptops.version import PromptVersion
from tests.faults.server import FaultServer, Say, Seen
from tests.models import reply_streams as streams
from tests.models.test_provider_clients import closed
from tests.models.test_sixty_replies import ANTHROPIC, GEMINI, OPENAI, Expected

anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")

Case = tuple[dict[str, Any], Expected]
HI: list[Any] = [{"role": "user", "content": "hi"}]
KEY = "a-key-123456"


def pieces(body: dict[str, Any]) -> tuple[bytes, ...]:
    """The stream of a whole reply, in the provider's way of sending events."""
    api, events = streams.form_of(body)
    return streams.sent(events, named=api in ("responses", "anthropic"), done=api == "chat")


def number_of(seen: Seen) -> int:
    """The number of the reply that is asked for: the question, in each form."""
    body = seen.body
    if "contents" in body:
        return int(body["contents"][0]["parts"][0]["text"])
    return int((body.get("messages") or body["input"])[0]["content"])


@pytest.fixture(scope="module")
def server() -> Iterator[Callable[[list[Case]], str]]:
    """Starts a server that streams the replies of a list; gives the root of its address."""
    opened: list[FaultServer] = []

    def start(cases: list[Case]) -> str:
        made = FaultServer(lambda seen: Say(pieces=pieces(cases[number_of(seen)][0])))
        made.__enter__()
        opened.append(made)
        return f"http://127.0.0.1:{made.port}"

    yield start
    for each in opened:
        each.__exit__()


Ours = dict[int, tuple[Reply, list[str]]]


def read_all(cases: list[Case], client: Any, api: str, numbers: range) -> Ours:
    """What our model of that client reads of each stream, and the pieces that it told of."""
    asked = PromptVersion("{{n}}", model="m-1", settings={"max_tokens": 64}, api=api)
    model: Model = as_model(client, "m-1")

    async def replies() -> AsyncIterator[tuple[int, Reply, list[str]]]:
        for number in numbers:
            heard: list[str] = []
            call = Call(asked.request(n=str(number)), asked, on_token=heard.append)
            yield number, await model.complete(call), heard

    async def read() -> Ours:
        try:
            return {number: (reply, heard) async for number, reply, heard in replies()}
        finally:
            await model.aclose()
            await closed(client)

    return asyncio.run(read())


@pytest.fixture(scope="module")
def chats(server: Callable[[list[Case]], str]) -> tuple[openai.OpenAI, Ours]:
    """OpenAI's client for the loopback server, and what we read."""
    url = server(OPENAI) + "/v1"
    clients = [openai.AsyncOpenAI(api_key=KEY, base_url=url) for _ in range(2)]
    read = read_all(OPENAI, clients[0], "chat", range(10))
    read |= read_all(OPENAI, clients[1], "responses", range(10, 20))
    return openai.OpenAI(api_key=KEY, base_url=url), read


@pytest.fixture(scope="module")
def messages(server: Callable[[list[Case]], str]) -> tuple[Any, Ours]:
    url = server(ANTHROPIC)
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=url)
    read = read_all(ANTHROPIC, client, "anthropic", range(20))
    return anthropic.Anthropic(api_key=KEY, base_url=url), read


@pytest.fixture(scope="module")
def contents(server: Callable[[list[Case]], str]) -> Ours:
    client = genai.Client(api_key=KEY, http_options={"base_url": server(GEMINI)})
    return read_all(GEMINI, client, "gemini", range(20))


FIELDS = (
    "failure",
    "failure_detail",
    "text",
    "tool_calls",
    "finish_reason",
    "reasoning",
    "model",
    "tokens_in",
    "tokens_out",
    "tokens_cached",
    "tokens_reasoning",
    "service_tier",
)


def same(case: Case, reply: Reply, heard: list[str], limit: str) -> None:
    """The stream is read as the whole reply is, which is what was expected of it."""
    body, expected = case
    whole = read_any(body)
    assert whole is not None
    assert (reply.failure, reply.text, len(reply.tool_calls)) == expected
    for field in FIELDS:
        told, found = getattr(whole, field), getattr(reply, field)
        if field == "failure_detail" and reply.failure == "truncated_length":
            told, found = told.partition("; raise")[0], found.removesuffix(f"; raise {limit}.")
        assert found == told, field
    assert "".join(heard) == (reply.text or "")
    assert (reply.first_token_ms is not None) is bool(reply.text)


def called(reply: Reply) -> list[tuple[str, str, Any]]:
    """(id, name, arguments) of each call."""
    functions = [(call["id"], call["function"]) for call in reply.tool_calls]
    return [(id_, each["name"], json.loads(each["arguments"])) for id_, each in functions]


def again(made: Any, case: Case) -> None:
    """What the provider's own accumulator made of the stream is what was expected of the reply."""
    theirs = read_any(made.model_dump(mode="json", by_alias=True))
    assert theirs is not None
    assert (theirs.failure, theirs.text, len(theirs.tool_calls)) == case[1]
    whole = read_any(case[0])
    assert whole is not None
    assert called(theirs) == called(whole)
    assert (theirs.tokens_in, theirs.tokens_out) == (9, 4)
    assert theirs.finish_reason == whole.finish_reason


@pytest.mark.parametrize("number", range(10))
def test_streamed_chat_completions(chats: tuple[openai.OpenAI, Ours], number: int) -> None:
    """Ten, also put together by openai's own accumulator."""
    client, read = chats
    same(OPENAI[number], *read[number], limit="max_tokens")
    with client.chat.completions.stream(
        model="m",
        messages=[{"role": "user", "content": str(number)}],
        stream_options={"include_usage": True},
    ) as stream:
        for _ in stream:
            pass
        again(stream.current_completion_snapshot, OPENAI[number])


@pytest.mark.parametrize("number", range(10, 20))
def test_streamed_responses(chats: tuple[openai.OpenAI, Ours], number: int) -> None:
    """Ten, each event one that openai's own model of its kind takes."""
    client, read = chats
    same(OPENAI[number], *read[number], limit="max_output_tokens")
    question: Any = [{"role": "user", "content": str(number)}]
    with client.responses.create(model="m", input=question, stream=True) as stream:
        events = list(stream)
    again(events[-1].response, OPENAI[number])  # type: ignore[union-attr]
    for event, written in zip(events, streams.response_events(OPENAI[number][0]), strict=True):
        assert type(event).model_validate(written) == event


@pytest.mark.parametrize("number", range(20))
def test_streamed_messages(messages: tuple[Any, Ours], number: int) -> None:
    """Twenty, also put together by anthropic's own accumulator."""
    client, read = messages
    same(ANTHROPIC[number], *read[number], limit="max_tokens")
    question = [{"role": "user", "content": str(number)}]
    with client.messages.stream(model="m", max_tokens=9, messages=question) as stream:
        again(stream.get_final_message(), ANTHROPIC[number])


@pytest.mark.parametrize("number", range(20))
def test_streamed_contents(contents: Ours, number: int) -> None:
    """Twenty, each reply one that google-genai's own model takes; it has no accumulator."""
    same(GEMINI[number], *contents[number], limit="max_tokens")
    kind = genai.types.GenerateContentResponse
    for event in streams.content_chunks(GEMINI[number][0]):
        assert kind.model_validate(event).model_version == "gemini-x"


def test_a_stream_that_lacks_its_end_is_another_reply() -> None:
    """The comparison can fail: of each stream but its last two events no whole reply is made."""
    for body, _ in (OPENAI[6], OPENAI[14], ANTHROPIC[11]):
        api, events = streams.form_of(body)
        assembly = DIALECTS[api].assembly()
        for event in list(events)[:-2]:
            assembly.add(event)
        with pytest.raises(CallError) as caught:
            assembly.finished()
        assert caught.value.failure == "connection"
