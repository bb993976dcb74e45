"""Law: what a call takes down is what came back, at the moment that it came; what waits for the
writer is small where no content is kept.
"""

from __future__ import annotations

import gc
import weakref
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptops.observe.answers import read_answer
from promptops.observe.live_call import Observer
from promptops.observe.live_queue import LiveQueue, Row
from promptops.observe.quick_answers import quick_answer
from promptops.observe.row_writer import RowWriter
from promptops.observe.sinks import FolderSink
from promptops.version.identity import Identity, identified


class Waiting(LiveQueue):
    """A queue whose writer never comes."""

    def __init__(self) -> None:
        super().__init__(FolderSink(Path("nowhere")), RowWriter())
        self.held: list[Any] = []

    def put(self, table: str, row: Any, chars: int = 0) -> bool:
        self.held.append(row)
        return True

    def rows(self) -> list[Row]:
        return [row() if callable(row) else row for row in self.held]


class Text(str):
    """Text that can be watched."""


def chat(content: str, **message: Any) -> Any:
    said = {"content": content, "tool_calls": None, "refusal": None, **message}
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": None}
    return SimpleNamespace(
        id="c-1",
        model="m-1",
        system_fingerprint=None,
        choices=[SimpleNamespace(finish_reason="stop", message=SimpleNamespace(**said))],
        usage=SimpleNamespace(**usage),
    )


def test_an_answer_that_the_application_changes_afterwards() -> None:
    """The row has what the model said, not what the application made of it before the writer's turn
    came.
    """
    queue = Waiting()
    answer = chat("billing")
    Observer(queue, 1.0).begin({"messages": []}).answered(read_answer(answer))
    answer.choices[0].message.content = "shipping"
    answer.usage.prompt_tokens = 0
    [row] = queue.rows()
    assert (row["output"], row["tokens_in"], row["chars_out"]) == ("billing", 3, 7)


@pytest.mark.parametrize("content", [0.0, 1.0])
def test_what_waits_is_small_unless_content_is_kept(content: float) -> None:
    """With content off neither the answer nor the values live on in the queue."""
    queue = Waiting()
    said, given = Text("x" * 1_000), Text("y" * 1_000)
    seen = weakref.ref(said), weakref.ref(given)
    identity = Identity("p1-1", {"ticket": given}, ("p", "prod", 1, None, None))
    messages = identified([{"role": "user", "content": "short"}], identity)
    call = Observer(queue, content).begin({"messages": messages})
    call.answered(read_answer(chat(said)))
    del said, given, identity, messages, call
    identified([], Identity("p1-2", {}))  # this context remembers the last renders
    for _ in range(4):
        identified([], Identity("p1-2", {}))
    gc.collect()
    assert [each() is not None for each in seen] == [bool(content)] * 2


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (chat("fine"), None),
        (chat(" \n"), "empty_output"),
        (chat("", tool_calls=[]), "empty_output"),
        (chat("", refusal="I will not"), "refusal"),
        ({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, "filter"),
    ],
)
def test_every_form_is_judged_alike(answer: Any, failure: str | None) -> None:
    """The usual form of an answer is read by a shorter way, with the same result."""
    found = read_answer(answer).failure
    assert found == ("content_filter_output" if failure == "filter" else failure)


def test_the_short_way_reads_what_the_long_one_reads() -> None:
    """An answer of the client and its JSON are one reading."""
    from openai.types.chat import ChatCompletion

    from tests.observe.live_rows_of import COMPLETION

    assert read_answer(ChatCompletion.model_validate(COMPLETION)) == read_answer(COMPLETION)
    # DeepSeek's older form, in which the client has no such field
    counts = {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}
    older = COMPLETION | {"usage": counts | {"prompt_cache_hit_tokens": 8}}
    assert read_answer(ChatCompletion.model_validate(older)).tokens_cached == 8
    assert read_answer(older).tokens_cached == 8


def test_what_the_application_changes_after_the_call() -> None:
    """Values and arguments of tools are the call's, whatever becomes of the application's own."""
    from promptops import PromptVersion

    queue, items = Waiting(), [{"text": "late parcel"}]
    version = PromptVersion("Sort: {{items}}", model="m", variables={"items": "list"})
    request = version.request(items=items)
    items[0]["text"], wanted = "changed before the call", {"days": [1]}
    block = SimpleNamespace(type="tool_use", name="refund", input=wanted)
    answer = SimpleNamespace(id="m-1", type="message", stop_reason="tool_use", content=[block])
    Observer(queue, 1.0).begin(request).answered(read_answer(answer))
    items.clear()
    wanted["days"].append(2)
    request["messages"][0]["content"] = "changed after the call"
    [row] = queue.rows()
    assert row["values"] == {"items": [{"text": "late parcel"}]}
    assert row["tool_calls"] == [{"name": "refund", "arguments": {"days": [1]}}]
    assert row["chars_in"] == len(
        version.render({"items": [{"text": "late parcel"}]})[0]["content"]
    )


@lru_cache(maxsize=1)  # the clients take a second to import
def _answers() -> dict[str, Any]:
    """One usual answer of each client, as the client itself builds it, and variants of it."""
    from anthropic.types import Message
    from google.genai import types as gemini
    from openai.types.responses import Response

    def response(content: Any, **more: Any) -> Any:
        item = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
        return Response.model_validate(
            {
                "id": "resp_1",
                "object": "response",
                "created_at": 1.0,
                "status": "completed",
                "model": "gpt-6",
                "parallel_tool_calls": True,
                "tool_choice": "auto",
                "tools": [],
                "output": [{"id": "r", "type": "reasoning", "summary": []}, {**item, **content}],
                "usage": {
                    "input_tokens": 3,
                    "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
                    "output_tokens": 4,
                    "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": 7,
                },
                **more,
            }
        )

    def part(text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": []}

    def message(blocks: list[Any], reason: str = "end_turn", **usage: Any) -> Any:
        return Message.model_validate(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-6",
                "content": blocks,
                "stop_reason": reason,
                "stop_sequence": None,
                "usage": {"input_tokens": 3, "output_tokens": 4, **usage},
            }
        )

    def generated(parts: list[Any], reason: str = "STOP", **more: Any) -> Any:
        return gemini.GenerateContentResponse.model_validate(
            {
                "candidates": [
                    {"content": {"parts": parts, "role": "model"}, "finish_reason": reason}
                ],
                "response_id": "r-1",
                "model_version": "gemini-4",
                "usage_metadata": {
                    "prompt_token_count": 3,
                    "candidates_token_count": 4,
                    "thoughts_token_count": 2,
                    "cached_content_token_count": 1,
                    "tool_use_prompt_token_count": 7,
                },
                **more,
            }
        )

    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    cached = {"cache_read_input_tokens": 5, "cache_creation_input_tokens": 2}
    call = {"function_call": {"name": "refund", "args": {"days": 1}}}
    return {
        "response": response({"content": [part("bil"), part("ling")]}),
        "response blank": response({"content": [part(" \n")]}),
        "response refused": response({"content": [{"type": "refusal", "refusal": "no"}]}),
        "response cut": response({"content": [part("bil")]}, status="incomplete"),
        "message": message([thinking, {"type": "text", "text": "billing"}], **cached),
        "message uncached": message([{"type": "text", "text": "billing"}]),
        "message blank": message([{"type": "text", "text": " "}]),
        "message cut": message([{"type": "text", "text": "bil"}], "max_tokens"),
        "message tool": message(
            [{"type": "tool_use", "id": "t", "name": "refund", "input": {"days": 1}}], "tool_use"
        ),
        "generated": generated([{"text": "hm", "thought": True}, {"text": "billing"}]),
        "generated blank": generated([{"text": ""}]),
        "generated cut": generated([{"text": "bil"}], "MAX_TOKENS"),
        "generated tool": generated([call]),
        "generated blocked": generated([{"text": "x"}], prompt_feedback={"block_reason": "SAFETY"}),
    }


def test_an_answer_of_each_client_and_its_json_are_one_reading() -> None:
    """The short way of the usual answer, and the long one of every other, of every provider."""
    for name, answer in _answers().items():
        assert read_answer(answer) == read_answer(answer.model_dump()), name


@pytest.mark.parametrize("name", ["response", "message", "message uncached", "generated"])
def test_a_usual_answer_is_read_by_the_short_way(name: str) -> None:
    """Else a call would wait ten times as long, and nothing would show it."""
    assert quick_answer(_answers()[name]) is not None


def test_a_field_of_another_type_is_unknown() -> None:
    """The short way takes references; what is not of its type never reaches a row."""
    queue = Waiting()
    answer = chat("billing")
    answer.id, answer.model, answer.usage.prompt_tokens = ["c"], 7, True
    Observer(queue).begin({"messages": [], "model": object()}).answered(read_answer(answer))
    [row] = queue.rows()
    assert [row[name] for name in ("response_id", "model_returned", "tokens_in", "model")] == [
        None
    ] * 4
