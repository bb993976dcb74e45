"""One version, two APIs: what chat completions take becomes what the responses API takes, or is an
error; nothing is dropped.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptops.errors import RenderError, VersionError
from promptops.version import PromptVersion
from promptops.version.responses_api import to_responses

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def settings_of(**settings: Any) -> dict[str, Any]:
    out = to_responses({"messages": [{"role": "user", "content": "a"}], **settings})
    assert out.pop("input") == [{"role": "user", "content": "a"}]
    return out


@pytest.mark.parametrize(
    ("chat", "responses"),
    [
        ({}, {}),
        ({"model": "m", "temperature": 0, "top_p": 1, "user": "u"}, {"model": "m", "temperature": 0, "top_p": 1, "user": "u"}),
        ({"max_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_completion_tokens": 5}, {"max_output_tokens": 5}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "t", "strict": True, "schema": SCHEMA}}, "verbosity": "low"},
            {"text": {"format": {"type": "json_schema", "name": "t", "strict": True, "schema": SCHEMA}, "verbosity": "low"}},
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}]},
            {"tools": [{"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}]},
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
            {"tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": True}]},
        ),
        (
            {"tools": [{"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}}}]},
            {"tools": [{"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}]},
        ),
        ({"tools": [{"type": "web_search"}]}, {"tools": [{"type": "web_search"}]}),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"tool_choice": {"type": "function", "name": "f"}}),
        ({"tool_choice": {"type": "custom", "custom": {"name": "f"}}}, {"tool_choice": {"type": "custom", "name": "f"}}),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}},
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
        ),
    ],
)  # fmt: skip
def test_settings(chat: dict[str, Any], responses: dict[str, Any]) -> None:
    """Settings, tools, tool choice and format are renamed and flattened; functions stay as lax as
    chat completions have them.
    """
    assert settings_of(**chat) == responses


@pytest.mark.parametrize(
    "name",
    [
        *(
            "stop",
            "seed",
            "logit_bias",
            "frequency_penalty",
            "presence_penalty",
            "logprobs",
            "modalities",
            "audio",
            "prediction",
        ),
        *("functions", "function_call", "web_search_options"),
    ],
)
def test_what_has_no_place(name: str) -> None:
    """A setting that the responses API has no place for is an error that names it, never
    dropped.
    """
    with pytest.raises(VersionError, match=f"setting '{name}' has no place in the responses API"):
        PromptVersion("a", settings={name: 1}, api="responses")


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 1, "max_completion_tokens": 2},
        {"reasoning_effort": "low", "reasoning": {"effort": "high"}},
        {"reasoning": {"effort": "high"}, "reasoning_effort": "low"},
        {"verbosity": "low", "text": {"verbosity": "high"}},
        {"input": "other"},
    ],
)
def test_two_settings_for_one_field(settings: dict[str, Any]) -> None:
    """Two settings that would be one field are an error that names one of them: neither wins
    silently.
    """
    with pytest.raises(RenderError, match="both become"):
        settings_of(**settings)


@pytest.mark.parametrize(
    ("message", "items"),
    [
        ({"role": "system", "content": "a"}, [{"role": "system", "content": "a"}]),
        ({"role": "assistant", "content": "a"}, [{"role": "assistant", "content": "a"}]),
        (
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "u", "detail": "low"}},
                ],
            },
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "a"},
                        {"type": "input_image", "image_url": "u", "detail": "low"},
                    ],
                }
            ],
        ),
        (
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_id": "f"}},
                    {"type": "image_url", "image_url": {"url": "u"}},
                ],
            },
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_file", "file_id": "f"},
                        {"type": "input_image", "image_url": "u"},
                    ],
                }
            ],
        ),
        (
            {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
            [{"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}],
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}],
        ),
        (
            {"role": "assistant", "content": "so", "tool_calls": [CALL]},
            [
                {"role": "assistant", "content": "so"},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
            ],
        ),
        (
            {"role": "tool", "content": "b", "tool_call_id": "c1"},
            [{"type": "function_call_output", "call_id": "c1", "output": "b"}],
        ),
        (
            {"role": "tool", "content": [{"type": "text", "text": "b"}], "tool_call_id": "c1"},
            [
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": [{"type": "input_text", "text": "b"}],
                }
            ],
        ),
    ],
)
def test_messages(message: dict[str, Any], items: list[dict[str, Any]]) -> None:
    """Messages, parts, tool calls and tool answers become input items, in order."""
    version = PromptVersion([message, {"role": "user", "content": "end"}], api="responses")
    assert version.request()["input"] == [*items, {"role": "user", "content": "end"}]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "a", "name": "ann"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "c", "input": "x"}}],
        },
    ],
)
def test_messages_without_a_place(message: dict[str, Any]) -> None:
    """A message's name and a call that is not a function call are errors, never dropped."""
    with pytest.raises(VersionError, match="has no place in the responses API"):
        PromptVersion([message], api="responses")
    with pytest.raises(RenderError, match="has no place in the responses API"):
        PromptVersion([{"role": "history"}], api="responses").request(history=[message])


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_openai_client_takes_it(api: str) -> None:
    """The openai client sends the request of either API as it is, with every variable
    filled.
    """
    import openai

    sent: list[tuple[str, dict[str, Any]]] = []

    class Stop(Exception):
        pass

    version = PromptVersion(
        [
            {"role": "system", "content": "You."},
            {"role": "history"},
            {"role": "user", "content": "{{ask}}"},
        ],
        model="m",
        settings={
            "temperature": 0.5,
            "max_tokens": 9,
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
        tools=[{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        response_format={"type": "json_object"},
        api=api,
    )
    history = [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "b", "tool_call_id": "c1"},
    ]

    client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9", max_retries=0)

    def refuse(path: str, *, body: Any = None, **_: Any) -> None:
        sent.append((path, json.loads(json.dumps(body))))
        raise Stop

    resource: Any = client.chat.completions if api == "chat" else client.responses
    resource._post = refuse
    with pytest.raises(Stop):
        resource.create(**version.request(ask="q", history=history))
    path, body = sent[0]
    assert path == ("/chat/completions" if api == "chat" else "/responses")
    given = version.request(ask="q", history=history)
    assert {key: body[key] for key in given} == given
