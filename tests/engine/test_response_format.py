"""An answer of another form than its request asked for is an outcome of its own class, kept as it
came; asking for nothing costs nothing.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from promptops.engine import response_format, retries
from promptops.errors import CallError
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.run import Attempt, Run
from tests.engine.test_retries import REQUEST, JumpClock, caller, question

OBJECT = {"type": "json_object"}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "user",
        "schema": {
            "type": "object",
            "properties": {"user": {"type": "object", "properties": {"age": {"type": "integer"}}}},
            "required": ["user"],
        },
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {
            "type": "object",
            "properties": {"top": {"type": "integer"}},
            "required": ["top"],
        },
    },
}
NOW = {"type": "function", "function": {"name": "now"}}
BOMBS = {
    "depth 1e5": "[" * 100_000,
    "a closed depth of 1e5": "[" * 100_000 + "]" * 100_000,
    "objects of depth 1e5": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "an integer of 5,000 digits": "9" * 5000,
    "NaN": '{"a": NaN}',
    "Infinity": "[-Infinity]",
    "a key given twice": '{"a": 1, "a": 2}',
    "a lone surrogate": '{"a": "\\ud800"}',
    "prose": "Sure! Here it is: {}",
    "a code fence": "```json\n{}\n```",
    "two values": "{} {}",
    "half": '{"a": [1, 2',
}


def ask(answer: Any, **request: Any) -> tuple[Run, list[Attempt]]:
    """The run of one answer (a text, a Reply, an exception) to a request."""
    who = caller(JumpClock())
    return asyncio.run(
        who.ask(question(ScriptedModel([answer], remote=True), {**REQUEST, **request}))
    )


def calling_(
    name: Any = "search", arguments: Any = '{"top": 3}', text: str | None = None, **more: Any
) -> Reply:
    return Reply(
        text,
        tool_calls=(
            {
                "id": "c1",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
                **more,
            },
        ),
    )


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("wanted", [OBJECT, SCHEMA], ids=["json_object", "json_schema"])
def test_what_is_not_strict_json_is_invalid_json(text: str, wanted: dict[str, Any]) -> None:
    """S14: one class, the raw text kept, the reason said; one attempt, which is an answer and no
    failure of the endpoint's.
    """
    run, attempts = ask(text, response_format=wanted)
    assert (run.failure, run.output, run.attempts) == ("invalid_json", text, 1)
    assert run.failure_detail is not None
    assert run.failure_detail.startswith("the answer is not JSON: ")
    assert (attempts[0].failure, attempts[0].http_status) == ("invalid_json", 200)


@pytest.mark.parametrize("text", ['{"a": 1}', " [1]\n", "null", '"é"', "12"])
def test_json_is_json(text: str) -> None:
    """Any value, white space around it allowed."""
    assert ask(text, response_format=OBJECT)[0].failure is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"user": {"age": "12"}}', 'user.age: "12" is not of type "integer"'),
        ("{}", 'the answer: "user" is a required property'),
        ("[]", 'the answer: [] is not of type "object"'),
        ('{"user": {"age": 1.5}}', "user.age: 1.5"),
    ],
)
def test_what_does_not_hold_to_its_schema_is_a_mismatch(text: str, place: str) -> None:
    """The detail names the place; the same where an endpoint takes the schema without its
    wrapper.
    """
    for wanted in (SCHEMA, {"type": "json_object", "schema": SCHEMA["json_schema"]["schema"]}):
        run, _ = ask(text, response_format=wanted)
        assert (run.failure, run.output) == ("schema_mismatch", text)
        assert place in str(run.failure_detail)
    assert ask(text, response_format=OBJECT)[0].failure is None
    assert ask('{"user": {"age": 12}}', response_format=SCHEMA)[0].failure is None


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (calling_(arguments='{"top": '), "call 1 (search): its arguments are not JSON: "),
        (calling_(arguments="[3]"), "call 1 (search): its arguments are a list, not an object"),
        (calling_(arguments='{"top": "3"}'), 'call 1 (search): top: "3" is not of type "integer"'),
        (calling_(arguments=""), 'call 1 (search): the arguments: "top" is a required property'),
        (
            calling_(arguments='{"top": 1, "top": 2}'),
            "call 1 (search): its arguments are not JSON: ",
        ),
        (calling_(arguments='{"top": ' + "[" * 100_000), "nested deeper than"),
        (calling_("serch"), "call 1 is of 'serch', which was not offered; offered: search, now"),
        (calling_(None), "call 1 is of 'None', which was not offered"),
        (
            Reply("", tool_calls=({"type": "function"},)),
            "call 1 is of 'None', which was not offered",
        ),
    ],
)
def test_calls_that_cannot_be_carried_out(reply: Reply, said: str) -> None:
    """tool_error, with which call and why; the calls are kept as they came."""
    run, _ = ask(reply, tools=[SEARCH, NOW])
    assert run.failure == "tool_error"
    assert said in str(run.failure_detail)
    assert len(json.loads(run.tool_calls or "[]")) == 1


@pytest.mark.parametrize(
    ("reply", "request_"),
    [
        (calling_(), {"tools": [SEARCH, NOW]}),
        (calling_(arguments={"top": 3}), {"tools": [SEARCH]}),
        (calling_("now", ""), {"tools": [SEARCH, NOW]}),
        (calling_("now", '{"any": "thing"}'), {"tools": [NOW]}),
        (calling_("anything", "no JSON"), {}),
        (calling_("anything"), {"tools": [NOW, {"type": "web_search"}]}),
        (calling_(arguments='{"top": 3}'), {"functions": [SEARCH["function"]]}),
        (Reply(None, tool_calls=({"type": "custom", "custom": {"name": "sql", "input": "select 1"}},)), {"tools": [{"type": "custom", "custom": {"name": "sql"}}]}),
        (calling_(), {"tools": [SEARCH], "response_format": SCHEMA}),
    ],
)  # fmt: skip
def test_what_nobody_asked_for_is_not_held_against_an_answer(
    reply: Reply, request_: dict[str, Any]
) -> None:
    """Good calls; calls where no tool was offered, or where some are the endpoint's own; a call
    instead of the JSON.
    """
    assert ask(reply, **request_)[0].failure is None


def test_a_call_with_a_text_must_hold_to_both() -> None:
    """Where an answer says something beside its call, the text is held to the response format."""
    assert (
        ask(calling_(text="Sure"), tools=[SEARCH], response_format=OBJECT)[0].failure
        == "invalid_json"
    )


@pytest.mark.parametrize(
    "failure", ["truncated_length", "refusal", "content_filter_output", "empty_output"]
)
def test_worse_comes_first(failure: str) -> None:
    """An answer that was cut, refused, filtered or empty stays that, though it is not JSON
    either.
    """
    run, _ = ask(Reply('{"a": ', failure=failure), response_format=SCHEMA)
    assert run.failure == failure


@pytest.mark.parametrize(
    "schema",
    [{"type": "nonsense"}, {"$ref": "https://elsewhere.example/schema"}, {"pattern": "(?=a)"}],
)
def test_a_schema_that_cannot_be_checked_accuses_nobody(schema: dict[str, Any]) -> None:
    """The answer must be JSON, no more; that it is so is reported before the study (see
    `unchecked`).
    """
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert ask("{}", response_format=wanted)[0].failure is None
    assert ask("{", response_format=wanted)[0].failure == "invalid_json"
    assert response_format.unchecked({"response_format": wanted})[0].startswith(
        "the schema of its response_format (the schema is not valid: "
    )
    assert response_format.unchecked({"response_format": SCHEMA, "tools": [SEARCH]}) == []


def test_a_plain_answer_is_not_read_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hot path: without response_format and without calls, nothing is parsed or compared with
    anything.
    """
    read: list[Reply] = []
    monkeypatch.setattr(retries, "held", lambda reply, request: read.append(reply) or reply)
    assert ask("prose", tools=[SEARCH])[0].failure is None
    assert read == []
    ask("prose", response_format=OBJECT)
    assert len(read) == 1


def test_where_nobody_looked_nothing_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof of the tests above: an engine that holds nothing takes a bomb for an answer."""
    monkeypatch.setattr(retries, "held", lambda reply, request: reply)
    assert ask(BOMBS["depth 1e5"], response_format=SCHEMA)[0].failure is None
    assert ask(calling_("serch"), tools=[SEARCH])[0].failure is None


def test_a_failure_of_the_endpoint_is_no_answer() -> None:
    """Nothing came back: the class is the endpoint's."""
    assert ask(CallError("no.", failure="auth"), response_format=OBJECT)[0].failure == "auth"


def test_no_secret_is_quoted() -> None:
    """A schema's fault quotes the answer; a key in it is taken out as everywhere."""
    run, _ = ask('{"user": "sk-abcdefghijklmnop1234"}', response_format=SCHEMA)
    assert run.failure == "schema_mismatch"
    assert "abcdefghijklmnop" not in str(run.failure_detail)
