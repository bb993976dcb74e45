"""Law: each door of the three clients is observed, or stands in one reviewed list with the reason
why it is not: a new version of a client adds none in silence.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import promptops
from promptops.observe.open_queues import open_queue
from tests.observe.live_rows_of import COMPLETION, client, rows_of, server_sent
from tests.observe.test_provider_doors import others

anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")

LIST = Path(__file__).with_name("files") / "reviewed_doors.txt"
# what such methods do needs no model: they read, change, end or copy what is there
_QUIET = (
    *("_", "list", "get", "retrieve", "delete", "update", "cancel", "close", "aclose", "archive"),
    *("unarchive", "download", "pause", "copy", "with_"),
)
_ELSEWHERE = ("qs", "parent_ref", "sdk_configuration", "timeout")  # the same resources once more
_PACKAGES = ("openai", "anthropic", "google")


def doors(owner: object, path: tuple[str, ...] = (), above: tuple[type, ...] = ()) -> Iterator[Any]:
    """(name, method) of every method of a client and its resources that may ask a model."""
    for name in dir(owner):
        if name.startswith(_QUIET) or name in _ELSEWHERE:
            continue
        value, kind = getattr(owner, name, None), type(getattr(owner, name, None))
        if inspect.isroutine(value):
            yield ".".join((*path, name)), value
        elif kind.__module__.partition(".")[0] in _PACKAGES and kind not in (*above, type):
            yield from doors(value, (*path, name), (*above, kind))


def reviewed() -> dict[str, dict[str, str]]:
    """provider -> door -> why it is not observed."""
    found: dict[str, dict[str, str]] = {}
    reason = provider = ""
    for line in LIST.read_text().splitlines():
        if line.startswith("#"):
            reason = line[2:]
            continue
        head, colon, rest = line.partition(": ")
        if colon:
            provider, line = head, rest
        for door in line.split():
            found.setdefault(provider, {})[door] = reason
    return found


def observed(one: Any, tmp_path: Path) -> tuple[set[str], set[str]]:
    """The doors of a client that are observed, and those that are not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some resources of Gemini's say that they may change
        found = dict(doors(promptops.observe(one, sink=tmp_path / "live")))
    seen = {name for name, method in found.items() if hasattr(method, "promptops_observed")}
    return seen, set(found) - seen


CLIENTS = {
    "openai": lambda: openai.OpenAI(api_key="x"),
    "openai, async": lambda: openai.AsyncOpenAI(api_key="x"),
    "openai, azure": lambda: openai.AzureOpenAI(
        api_key="x", azure_endpoint="https://x.example", api_version="1"
    ),
    "anthropic": lambda: anthropic.Anthropic(api_key="x"),
    "anthropic, async": lambda: anthropic.AsyncAnthropic(api_key="x"),
    "gemini": lambda: genai.Client(api_key="x"),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_each_door_is_observed_or_reviewed(name: str, tmp_path: Path) -> None:
    """A door that is in neither is new: observe it, or say in the list why not."""
    listed = reviewed()[name.partition(",")[0]]
    seen, left = observed(CLIENTS[name](), tmp_path)
    plain = {each.removeprefix("aio.").replace("request_async", "request") for each in left}
    assert sorted(plain - set(listed)) == []
    assert sorted({each.removeprefix("aio.") for each in seen} & set(listed)) == []
    assert seen
    if name == "openai":  # nor does the list name what is gone
        assert sorted(set(listed) - plain) == []


def test_a_new_door_is_noticed(tmp_path: Path) -> None:
    """The enumeration itself: a resource that a next version might bring."""
    one = openai.OpenAI(api_key="x")
    type(one.evals).ask_a_model = lambda self: None  # type: ignore[attr-defined]
    try:
        assert "evals.ask_a_model" in observed(one, tmp_path)[1] - set(reviewed()["openai"])
    finally:
        del type(one.evals).ask_a_model  # type: ignore[attr-defined]


def test_the_list_reads_as_it_was_written() -> None:
    """Each door once, each with a reason."""
    text = LIST.read_text()
    listed = reviewed()
    assert set(listed) == {"openai", "anthropic", "gemini"}
    assert all(reason for each in listed.values() for reason in each.values())
    words = [
        word for line in text.splitlines() if not line.startswith("#") for word in line.split()
    ]
    assert len([word for word in words if not word.endswith(":")]) == sum(map(len, listed.values()))


def _anthropic() -> Any:
    transport = httpx2.MockTransport(others)
    return anthropic.Anthropic(
        api_key="x", base_url="http://p.example", http_client=httpx2.Client(transport=transport)
    )


def test_threads_and_tool_runners_ask_through_an_observed_door(tmp_path: Path) -> None:
    """One row for each turn, its prompt unknown."""
    folder = tmp_path / "live"
    messages = promptops.observe(_anthropic(), sink=folder).beta.messages
    thread = messages.thread(model="claude-x", max_tokens=9)
    thread.send({"role": "user", "content": "one"})
    with thread.stream({"role": "user", "content": "two"}) as stream:
        stream.get_final_message()
    said = [{"role": "user", "content": "three"}]
    messages.tool_runner(model="claude-x", max_tokens=9, messages=said, tools=[]).until_done()
    assert open_queue(str(folder)).flush(30)
    found = rows_of(folder)
    assert [(row["attribution"], row["tokens_in"]) for row in found] == [("unknown", 11)] * 3
    open_queue(str(folder)).close()


def _completes(asked: httpx2.Request) -> httpx2.Response:
    """The oldest door of OpenAI's: a text is gone on with."""
    answer = {key: COMPLETION[key] for key in ("id", "created", "model", "usage")}
    answer |= {"object": "text_completion"}
    choice = {"index": 0, "finish_reason": "stop", "text": "billing", "logprobs": None}
    if not json.loads(asked.content).get("stream"):
        return httpx2.Response(200, json={**answer, "choices": [choice]})
    pieces = [{**choice, "text": part, "finish_reason": None} for part in ("bil", "ling")]
    ends = [{**choice, "text": ""}]
    data = server_sent(*({**answer, "choices": [each]} for each in (*pieces, *ends)))
    head = {"content-type": "text/event-stream"}
    return httpx2.Response(200, content=data + b"data: [DONE]\n\n", headers=head)


def test_a_completion_of_a_text(tmp_path: Path) -> None:
    """Asked and streamed: one row each, with what the model wrote."""
    folder = tmp_path / "live"
    create = promptops.observe(client(_completes), sink=folder, content=True).completions.create
    create(model="m", prompt="x")
    list(create(model="m", prompt="x", stream=True))
    assert open_queue(str(folder)).flush(30)
    found = rows_of(folder)
    assert [(row["output"], row["tokens_in"], row.get("failure")) for row in found] == [
        ("billing", 11, None)
    ] * 2
    open_queue(str(folder)).close()
