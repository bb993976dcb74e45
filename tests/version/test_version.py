"""A version is its content: named by it forever, immutable, rendered strictly, free of endpoints
and secrets.
"""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.errors import RenderError, TemplateError, VersionError
from promptops.version import PromptVersion
from promptops.version.setting import unknown_settings

law = settings(deadline=None, max_examples=100)

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "ids.json").read_text(encoding="utf-8")
)["versions"]
TEXT = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: text.replace("{{", "(("))
PLAIN = (
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15) | TEXT
)
SETTINGS = st.dictionaries(
    st.sampled_from(["temperature", "top_p", "stop", "seed", "logit_bias", "é"]),
    PLAIN | st.lists(PLAIN),
    max_size=4,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXT}
    ),
    min_size=1,
    max_size=4,
)
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"password": {"type": "string"}}},
    },
}
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "t",
        "schema": {"type": "object", "properties": {"api_key": {"type": "string"}}},
    },
}


def full() -> PromptVersion:
    return PromptVersion(
        [
            {"role": "system", "content": "You are {{who}}."},
            {"role": "history"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "{{ask}}"},
                    {"type": "image_url", "image_url": {"url": "{{picture}}"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
        ],
        model="m",
        variables={
            "who": {"default": "a clerk", "description": "the role"},
            "picture": {"type": "string", "example": "https://x/y.png"},
        },
        settings={"temperature": 0.5, "stop": ["a"]},
        tools=[TOOL],
        response_format=FORMAT,
    )


# -- ids


@pytest.mark.parametrize("case", GOLDEN, ids=[case["name"] for case in GOLDEN])
def test_golden_ids(case: dict[str, Any]) -> None:
    """The id of a content never changes, in any release, on any machine; nor does the id of its
    text.
    """
    version = PromptVersion.from_content(case["content"])
    assert (version.id, version.text_id) == (case["id"], case["text_id"])
    assert version.content() == case["content"]


@law
@given(MESSAGES, SETTINGS, st.none() | st.just("gpt-4o"))
def test_the_id_is_the_hash_of_the_content(
    messages: list[Any], chosen: dict[str, Any], model: str | None
) -> None:
    """`p1-` and the first 128 bits of SHA-256 over the RFC 8785 text of `content()`: anybody can
    derive it.
    """
    version = PromptVersion(messages, settings=chosen, model=model)
    assert version.id == "p1-" + hashlib.sha256(rfc8785.dumps(version.content())).hexdigest()[:32]
    assert version.content()["messages"] == messages


@law
@given(MESSAGES, SETTINGS, st.randoms())
def test_spelling_is_no_content(messages: list[Any], chosen: dict[str, Any], chance: Any) -> None:
    """The order of keys, tuples for lists and a trip through JSON change neither the id nor
    equality.
    """
    version = PromptVersion(messages, settings=chosen)
    pairs = list(chosen.items())
    chance.shuffle(pairs)
    turned = [dict(reversed(message.items())) for message in messages]
    for again in (
        PromptVersion(tuple(turned), settings=dict(pairs)),
        PromptVersion.from_content(json.loads(json.dumps(version.content()))),
        PromptVersion.from_content(version.document()),
    ):
        assert again.id == version.id
        assert again == version
        assert hash(again) == hash(version)


@law
@given(TEXT, TEXT)
def test_one_changed_character_is_another_version(one: str, other: str) -> None:
    """Two texts are one version exactly where they are the same characters; no normal form is
    applied.
    """
    assert (PromptVersion(one) == PromptVersion(other)) is (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"settings": {"temperature": 0.6, "stop": ["a"]}},
        {"settings": {"temperature": 0.5}},
        {"tools": []},
        {"response_format": None},
        {"variables": {"who": {"default": "a cook"}}},
        {"variables": {"who": "string"}},
    ],
)
def test_every_field_is_content(change: dict[str, Any]) -> None:
    """Model, settings, tools, response format, a default and whether it is required all name
    another version.
    """
    assert PromptVersion.from_content({**full().document(), **change}).id != full().id


def test_on_another_model() -> None:
    """`on` changes the model alone: the text keeps its id, descriptions stay."""
    other = full().on("n")
    assert other.model == "n"
    assert other.id != full().id
    assert other.text_id == full().text_id
    assert other.document()["variables"] == full().document()["variables"]


def test_numbers_of_numpy_are_numbers() -> None:
    """A setting that came out of numpy names the same version as the plain number, and is stored as
    one.
    """
    version = PromptVersion("a", settings={"temperature": np.float64(0.1)})
    assert version == PromptVersion("a", settings={"temperature": 0.1})
    assert type(version.settings["temperature"]) is float


# -- immutable


def test_nothing_that_went_in_or_came_out_can_change_it() -> None:
    """Every argument is copied, every property is a copy: the version keeps its id and what it
    renders.
    """
    said = [{"role": "user", "content": [{"type": "text", "text": "{{x}}"}]}]
    chosen: dict[str, Any] = {"stop": ["a"]}
    tools: list[Any] = [copy.deepcopy(TOOL)]
    form = copy.deepcopy(FORMAT)
    version = PromptVersion(said, settings=chosen, tools=tools, response_format=form)
    before, request = version.id, version.request(x="1")
    said[0]["content"][0]["text"] = "changed"  # type: ignore[index]
    chosen["stop"].append("b")
    tools[0]["function"]["name"] = "changed"
    form["type"] = "changed"
    for out in (
        version.content(),
        version.document(),
        {"messages": version.template},
        version.request(x="1"),
    ):
        out["messages"][0]["content"][0]["text"] = "changed"
        out.get("settings", out).setdefault("stop", []).append("b")
    version.settings["stop"].append("b")
    version.tools[0]["function"]["name"] = "changed"
    version.response_format["type"] = "changed"  # type: ignore[index]
    assert version.request(x="1") == request
    assert PromptVersion.from_content(version.content()).id == before == version.id


@pytest.mark.parametrize("name", ["model", "variables", "_id", "_messages", "other"])
def test_attributes_are_fixed(name: str) -> None:
    """No attribute can be set, added or deleted."""
    with pytest.raises(AttributeError, match="immutable"):
        setattr(full(), name, None)
    with pytest.raises(AttributeError, match="immutable"):
        delattr(full(), name)


@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        lambda v: pickle.loads(pickle.dumps(v)),
        lambda v: eval("v", {"v": v}),
    ],
)
def test_copies_are_the_same_version(again: Any) -> None:
    """A copied or pickled version is equal, down to the descriptions, and works as a key."""
    made = again(full())
    assert made == full()
    assert made.document() == full().document()
    assert {full(): 1}[made] == 1


def test_never_equal_to_anything_else() -> None:
    """A version equals versions only, not its id, content or text."""
    version = PromptVersion("a")
    assert all(version != other for other in (version.id, version.content(), "a", None))


# -- messages, history, parts


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "non-empty list"),
        (None, "non-empty list"),
        ({"role": "user", "content": "a"}, "non-empty list"),
        (["a"], "message 0 is a str"),
        (
            [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}],
            "message 1 has the role 'bot'",
        ),
        ([{"content": "a"}], "message 0 has the role None"),
        ([{"role": ["user"], "content": "a"}], "message 0 has the role"),
        ([{"role": "user"}], "message 0 has no content"),
        ([{"role": "user", "content": None}], "message 0 has no content"),
        ([{"role": "user", "content": []}], "message 0 has no content"),
        ([{"role": "user", "content": 3}], "message 0 has no content"),
        ([{"role": "user", "content": ["a"]}], "message 0 has no content"),
        ([{"role": "user", "content": [{"text": "a"}]}], "message 0 has no content"),
        ([{"role": "user", "content": [{"type": "text"}]}], "message 0 has no content"),
        ([{"role": "user", "content": [{"type": "text", "text": 3}]}], "message 0 has no content"),
        ([{"role": "user", "content": "a", "cache": 1}], "message 0 has the unknown field 'cache'"),
        ([{"role": "user", "content": "a", 1: 1}], "message 0 has the key 1"),
        ([{"role": "history", "content": "a"}], "message 0 has the role 'history'"),
        ([{"role": "user", "content": "\ud800"}], "message 0.content holds a lone surrogate"),
        (
            [{"role": "user", "content": [{"type": "x", "x": {1}}]}],
            r"message 0.content\[0\].x is a set",
        ),
        ([{"role": "history"}, {"role": "user", "content": "{{history}}"}], "share a name"),
    ],
)
def test_refused_messages(messages: Any, said: str) -> None:
    """What is not a list of messages is refused, naming the message and the fault."""
    with pytest.raises(VersionError, match=said):
        PromptVersion(messages)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": ""}, "model is ''"),
        ({"model": 3}, "model is 3"),
        ({"variables": ["x"]}, "variables is a list"),
        ({"settings": [("a", 1)]}, "settings is a list"),
        ({"settings": "abc"}, "settings is a str"),
        ({"settings": {1: 2}}, "settings has the key 1"),
        ({"settings": {"x": float("nan")}}, "settings.x: nan"),
        ({"settings": {"x": 1e17}}, "settings.x is 1e.17"),
        ({"tools": "abc"}, "tools is a str"),
        ({"tools": {"type": "function"}}, "tools is a dict"),
        ({"tools": ["f"]}, "tool 0 is a str"),
        ({"tools": [{"x": {1}}]}, r"tools\[0\].x is a set"),
        ({"response_format": "json"}, "response_format is a str"),
        ({"response_format": int}, "response_format is a type"),
    ],
)
def test_refused_arguments(arguments: dict[str, Any], said: str) -> None:
    """A wrong argument is refused where the version is made, in words that name it."""
    with pytest.raises(VersionError, match=said):
        PromptVersion("a", **arguments)


def test_a_mark_in_an_image_is_checked_too() -> None:
    """Text parts and image addresses are templated; the error names their message."""
    with pytest.raises(TemplateError, match="message 0: .*x.y"):
        PromptVersion(
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{{x.y}}"}}]}]
        )


def test_parts_are_filled_in_place() -> None:
    """Text and image addresses of parts are filled; every other part and field passes through
    unchanged.
    """
    audio = {"type": "input_audio", "input_audio": {"data": "{{ask}}", "format": "wav"}}
    version = PromptVersion(
        [
            {
                "role": "user",
                "name": "ann",
                "content": [
                    {"type": "text", "text": "<{{ask}}>"},
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:{{picture}}", "detail": "low"},
                    },
                    audio,
                ],
            },
            {"role": "assistant", "content": "{{ask}}", "name": "bob"},
        ]
    )
    first, second = version.messages(ask="{{picture}}", picture="é")
    assert first["content"] == [
        {"type": "text", "text": "<{{picture}}>"},
        {"type": "image_url", "image_url": {"url": "data:é", "detail": "low"}},
        audio,
    ]
    assert (first["name"], second) == (
        "ann",
        {"role": "assistant", "content": "{{picture}}", "name": "bob"},
    )


HISTORY = [
    {"role": "user", "content": "{{who}} {{ not.a.mark }}"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "content": "{{{{", "tool_call_id": "1"},
]


def test_history_is_spliced_verbatim() -> None:
    """A conversation takes the placeholder's place, copied and never templated; left out, nothing
    takes it.
    """
    version = PromptVersion(
        [
            {"role": "system", "content": "{{who}}"},
            {"role": "history"},
            {"role": "user", "content": "now"},
        ]
    )
    assert version.takes_history
    messages = version.messages(who="you", history=HISTORY)
    assert messages == [
        {"role": "system", "content": "you"},
        *HISTORY,
        {"role": "user", "content": "now"},
    ]
    messages[2]["tool_calls"][0]["id"] = "changed"
    assert HISTORY[1]["tool_calls"][0]["id"] == "1"  # type: ignore[index]
    assert len(version.messages(who="you")) == 2
    assert len(version.messages(who="you", history=())) == 2


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ("text", "history is a str"),
        (None, "history is a NoneType"),
        (["a"], r"history\[0\] is a str"),
        (
            [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}],
            r"history\[1\] has the role 'bot'",
        ),
        ([{"role": "history"}], r"history\[0\] is a placeholder"),
        ([{"role": "user", "content": "\ud800"}], "lone surrogate"),
    ],
)
def test_refused_history(history: Any, said: str) -> None:
    """A history that is not a conversation is a RenderError that names the message at fault."""
    with pytest.raises(RenderError, match=said):
        PromptVersion([{"role": "history"}]).messages(history=history)


def test_history_where_none_is_taken() -> None:
    """A version without a placeholder does not know `history`; as a plain variable the name is
    free.
    """
    with pytest.raises(RenderError, match="does not know history"):
        PromptVersion("a").messages(history=[])
    assert PromptVersion("{{history}}").messages(history="a")[0]["content"] == "a"


# -- the request


def test_request_for_chat() -> None:
    """`request` is the keyword arguments of chat completions: messages, settings, model, tools,
    format, nothing else.
    """
    request = full().request(ask="q", picture="https://x", history=HISTORY)
    assert list(request) == ["messages", "temperature", "stop", "model", "tools", "response_format"]
    assert request["messages"] == full().messages(ask="q", picture="https://x", history=HISTORY)
    assert request["messages"][0]["content"] == "You are a clerk."
    assert PromptVersion("a").request() == {"messages": [{"role": "user", "content": "a"}]}
    with pytest.raises(VersionError, match="api is 'soap'"):
        PromptVersion("a", api="soap")
    with pytest.raises(RenderError, match=r"does not know api; .* version.but\(api=...\)"):
        PromptVersion("a").request(api="responses")


def test_values_may_have_any_keys() -> None:
    """Keys that are not text are named as extra, never a crash."""
    with pytest.raises(RenderError, match="does not know 1, y"):
        PromptVersion("a").render({1: "x", "y": 2})  # type: ignore[dict-item]


# -- endpoints and secrets (S6)

SECRETS = [
    "base_url", "baseURL", "base-url", "api_base", "api_key", "apikey", "API-KEY", "x-api-key", "api_key_env", "openai_api_key",
    "headers", "extra_headers", "default_headers", "endpoint", "azure_endpoint", "secret", "client_secret", "password", "passwd",
    "authorization", "Authorization", "bearer", "http_client", "proxy", "proxies_proxy", "access_token", "authToken", "credentials", "private_key", "cookie",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "nest", ["{}", "extra_body.{}", "extra_body.metadata.deep.{}", "list.0.{}"]
)
def test_endpoints_and_secrets_are_refused(name: str, nest: str) -> None:
    """S6: a setting that names an endpoint or a secret is refused in any spelling and at any depth,
    and the error names it.
    """
    value: Any = "canary-7f3a"
    for step in reversed(nest.format(name).split(".")):
        value = [value] if step == "0" else {step: value}
    with pytest.raises(VersionError, match="no version may carry") as caught:
        PromptVersion("a", settings=value)
    assert name in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("field", ["headers", "authorization", "api_key"])
def test_tools_carry_none_either(field: str) -> None:
    """S6: a hosted tool's headers and keys are refused too."""
    with pytest.raises(
        VersionError, match=f"tool 1: the field '{field}' names an endpoint or a secret"
    ):
        PromptVersion("a", tools=[TOOL, {"type": "mcp", "server_label": "x", field: {"a": "b"}}])


@pytest.mark.parametrize(
    "settings_",
    [
        {
            "max_tokens": 5,
            "max_completion_tokens": 5,
            "presence_penalty": 0,
            "logit_bias": {"50256": -100},
            "reasoning_effort": "low",
        },
        {
            "extra_body": {"guided_json": FORMAT["json_schema"]},
            "guided_json": {"properties": {"password": {"type": "string"}}},
        },
        {
            "stop": ["password", "api_key"],
            "metadata": {"team": "secret weapons"},
            "prediction": {"type": "content", "content": "headers"},
        },
    ],
)
def test_what_only_looks_like_a_secret(settings_: dict[str, Any]) -> None:
    """Token counts, values and the fields of a JSON schema are not secrets: schemas in tools, format
    and settings pass.
    """
    assert (
        PromptVersion("a", settings=settings_, tools=[TOOL], response_format=FORMAT).settings
        == settings_
    )


@pytest.mark.parametrize(
    "name", ["model", "messages", "tools", "response_format", "stream", "stream_options", "n"]
)
def test_settings_that_are_no_settings(name: str) -> None:
    """What is an argument of its own, or how a call is sent, is refused as a setting."""
    with pytest.raises(VersionError, match=f"setting '{name}'"):
        PromptVersion("a", settings={name: "x"})


@pytest.mark.parametrize(
    ("api", "name", "near"),
    [
        ("chat", "temprature", "temperature"),
        ("chat", "maxOutputTokens", "max_tokens"),
        ("chat", "reasoningEffort", "reasoning_effort"),
        ("anthropic", "max_output_tokens", "max_tokens"),
        ("chat", "zzz", ""),
        ("gemini", "topp", "top_p"),
    ],
)
def test_a_setting_that_no_provider_has_is_named(api: str, name: str, near: str) -> None:
    """With the one that was most likely meant."""
    assert unknown_settings(api, {name: 1, "temperature": 0}) == [(name, near)]


@pytest.mark.parametrize(
    ("api", "names"),
    [
        ("chat", ("top_k", "num_ctx", "extra_body", "thinking", "web_search_options")),
        ("responses", ("max_output_tokens", "reasoning", "include")),
        ("anthropic", ("thinking", "top_k", "stop_sequences", "output_config")),
        ("gemini", ("thinkingConfig", "thinking_config", "safetySettings", "topK")),
    ],
)
def test_settings_of_known_providers_pass(api: str, names: tuple[str, ...]) -> None:
    """Also those of local servers, and of either spelling where a client takes both."""
    assert unknown_settings(api, dict.fromkeys(names, 1)) == []
