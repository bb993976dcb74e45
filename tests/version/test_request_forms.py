"""One version, four request forms: each is what that provider's own client takes, and what a form
cannot express is an error at save that names it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import RenderError, VersionError
from promptops.registry.entry import to_version
from promptops.version import PromptVersion
from promptops.version.request_forms import APIS

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "conformance" / "cases.json").read_text(encoding="utf-8")
)["request"]


def of(api: str) -> list[Any]:
    found = [case for case in CASES if case["entry"].get("api") == api]
    return [pytest.param(case["request"], id=case["case"]) for case in found]


@pytest.mark.parametrize("request_", of("anthropic"))
def test_anthropics_own_types_take_it(request_: dict[str, Any]) -> None:
    """Each request of the shared cases fits the parameters of `messages.create`."""
    params = pytest.importorskip("anthropic.types.message_create_params")
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(params.MessageCreateParamsNonStreaming)
    adapter.validate_python({"model": "m", **request_})


@pytest.mark.parametrize("request_", of("gemini"))
def test_googles_own_types_take_it(request_: dict[str, Any]) -> None:
    """Each request of the shared cases fits contents and config of `generate_content`, which
    forbids fields that it does not know.
    """
    types = pytest.importorskip("google.genai.types")
    types.GenerateContentConfig.model_validate(request_.get("config") or {})
    for content in request_["contents"]:
        types.Content.model_validate(content)
    assert request_.keys() <= {"model", "contents", "config"}


def test_the_form_is_part_of_the_version_where_it_is_not_chat() -> None:
    """Old ids stand: "chat" is the default and adds nothing to what is hashed."""
    chat = PromptVersion("a", settings={"max_tokens": 9})
    assert chat.but(api="chat").id == chat.id == PromptVersion("a", settings={"max_tokens": 9}).id
    assert "api" not in chat.content()
    ids = {chat.but(api=api).id for api in APIS}
    assert len(ids) == len(APIS)
    for api in APIS:
        version = chat.but(api=api)
        assert PromptVersion.from_content(version.content()) == version
        assert version.but(api="chat") == chat


def test_a_version_with_some_parts_changed() -> None:
    """Parts are replaced, settings joined, None takes a setting out, and new texts bring their own
    variables.
    """
    version = PromptVersion("{{a}}", model="m", settings={"seed": 1}, variables={"a": "number"})
    assert version.but(temperature=0).settings == {"seed": 1, "temperature": 0}
    assert version.but(seed=None).settings == {}
    assert version.but(settings={"top_p": 1}).settings == {"top_p": 1}
    assert version.but(model="n").variables == version.variables
    assert [v.name for v in version.but(messages="{{b}}").variables] == ["b"]
    assert version.but() == version


REFUSED = [
    ("anthropic", {}, "a request without max_tokens"),
    ("anthropic", {"settings": {"seed": 1, "max_tokens": 1}}, "setting 'seed'"),
    ("anthropic", {"settings": {"service_tier": "flex", "max_tokens": 1}}, "service_tier='flex'"),
    ("anthropic", {"settings": {"max_tokens": 1, "reasoning_effort": "none"}}, "reasoning_effort"),
    ("gemini", {"settings": {"max_tokens": 1, "max_completion_tokens": 1}}, "maxOutputTokens"),
    ("gemini", {"settings": {"service_tier": "auto"}}, "service_tier='auto'"),
    ("gemini", {"settings": {"parallel_tool_calls": False}}, "setting 'parallel_tool_calls'"),
    ("gemini", {"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "of the type 'custom'"),
    ("responses", {"settings": {"stop": "x"}}, "setting 'stop'"),
]


@pytest.mark.parametrize(("api", "parts", "said"), REFUSED)
def test_what_a_form_cannot_express_is_an_error_at_save(
    api: str, parts: dict[str, Any], said: str
) -> None:
    """Never dropped: the sentence names the setting and the form."""
    with pytest.raises(VersionError, match=said):
        PromptVersion("a", api=api, **parts)


def message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


@pytest.mark.parametrize(
    ("api", "history", "said"),
    [
        ("anthropic", [message("user", "a"), message("system", "b")], "after the conversation"),
        ("anthropic", [message("user", "a", name="ann")], "the name 'ann'"),
        ("gemini", [message("tool", "a", tool_call_id="x")], "the call 'x', which no message"),
        ("gemini", [message("user", [{"type": "odd"}])], "a part of the type 'odd'"),
    ],
)
def test_a_conversation_that_a_form_cannot_express_is_an_error(
    api: str, history: list[dict[str, Any]], said: str
) -> None:
    """What is spliced in is looked at when it comes."""
    version = PromptVersion([{"role": "history"}], settings={"max_tokens": 1}, api=api)
    with pytest.raises(RenderError, match=said):
        version.request(history=history)


def test_a_request_is_made_anew_each_time() -> None:
    """Changing a request changes no version."""
    for case in CASES:
        version = to_version(case["entry"], case["case"])
        before = version.id
        request = version.request(**case["values"])
        request.clear()
        assert version.request(**case["values"]) == case["request"]
        assert PromptVersion.from_content(version.content()).id == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_request_is_read_back_as_its_version(case: dict[str, Any]) -> None:
    """`from_request` of each form gives a version whose request is that request again."""
    read = PromptVersion.from_request(case["request"], {})
    if case["case"] == "anthropic: a text":  # nothing in it tells the two forms apart
        assert read.api == "chat"
        return
    assert read.api == case["entry"].get("api", "chat")
    assert _without_labels(read.request()) == _without_labels(case["request"])


def _without_labels(value: Any) -> Any:
    """A request without the names that some forms have no place for, and cannot give back: of a
    schema, of a file, and texts of JSON in their canonical spelling.
    """
    if isinstance(value, dict):
        left = {k: _without_labels(v) for k, v in value.items() if k not in ("title", "filename")}
        return {k: v for k, v in left.items() if not (k == "name" and "schema" in value)}
    if isinstance(value, list):
        return [_without_labels(item) for item in value]
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def test_the_four_forms_of_one_version_say_the_same() -> None:
    """Texts, tools and schema read back from each are those of the version."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    chat = PromptVersion(
        [
            {"role": "system", "content": "Be {brief}."},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Hm."},
            {"role": "user", "content": "Ask {{ask}}!"},
        ],
        model="m",
        settings={"max_completion_tokens": 9, "temperature": 0.5},
        tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        },
    )
    read = [
        PromptVersion.from_request(chat.but(api=api).request(ask="WHERE"), {"ask": "WHERE"})
        for api in APIS
    ]
    assert [version.api for version in read] == list(APIS)
    for version in read:
        assert version.template == chat.template
        assert version.tools == chat.tools
        assert version.response_format is not None
        assert version.response_format["json_schema"]["schema"] == schema
        assert version.settings["temperature"] == 0.5
