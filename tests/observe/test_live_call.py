"""Law: what a call takes down is what came back, at the moment that it came; what waits for the
writer is small where no content is kept.
"""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptops.observe.answers import read_answer
from promptops.observe.live_call import Observer
from promptops.observe.live_queue import LiveQueue, Row
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
