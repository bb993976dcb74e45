"""A prompt that works today becomes a version that sends the very same request."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from promptops.errors import VersionError
from promptops.version import PromptVersion
from promptops.version.from_request import from_format, looks_like_format

law = settings(deadline=None, max_examples=150)

TEXT = st.text(
    st.sampled_from("{} ab\0\1\n") | st.characters(exclude_categories=["Cs"]), max_size=12
)
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True).filter(
    lambda name: name not in ("api", "fresh", "self")
)
FIELDS = st.lists(st.tuples(TEXT, NAME, TEXT), max_size=4)


@law
@given(FIELDS, TEXT)
def test_from_format_renders_what_format_gives(
    fields: list[tuple[str, str, str]], tail: str
) -> None:
    """The version of a `str.format` text renders, for any values, exactly what `str.format`
    gives.
    """
    double = str.maketrans({"{": "{{", "}": "}}"})
    assume(
        not any(before.endswith("{") for before, _, _ in fields)
    )  # "{" just before a mark cannot be written
    text = "".join(
        f"{before.translate(double)}{{{name}}}" for before, name, _ in fields
    ) + tail.translate(double)
    values = {name: value for _, name, value in fields}
    assert PromptVersion.from_format(text).messages(**values) == [
        {"role": "user", "content": text.format(**values)}
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{0}",
        "{}",
        "{a.b}",
        "{a[0]}",
        "{a!r}",
        "{a:.2f}",
        "{a:{b}}",
        "{a",
        "a}",
        "{ a }",
        "{{a}",
        "{a}}",
        "{имя}",
    ],
)
def test_from_format_refuses(text: str) -> None:
    """What is not a plain `{name}` is refused, never guessed; nor are stray braces, which
    `str.format` refuses too.
    """
    with pytest.raises(VersionError, match="is not a plain"):
        from_format(text)


def test_from_format_takes_the_rest() -> None:
    """Model, settings and variable types are passed on; a NUL in the text stays one."""
    version = PromptVersion.from_format(
        "\0{n}\1 {{x}}", model="m", variables={"n": "number"}, settings={"temperature": 0}
    )
    assert version.request(n=3) == {
        "messages": [{"role": "user", "content": "\x003\1 {x}"}],
        "temperature": 0,
        "model": "m",
    }


def test_a_brace_before_a_field_is_said() -> None:
    """`{` directly before a variable cannot be written: an error at once, not another text."""
    with pytest.raises(VersionError, match="is not a variable"):
        PromptVersion.from_format("{{{x}}}")


@law
@given(
    st.lists(TEXT, min_size=1, max_size=3),
    st.dictionaries(NAME, st.text(string.ascii_letters + " {}", min_size=1), max_size=3),
)
def test_from_request_sends_the_same_request(texts: list[str], values: dict[str, str]) -> None:
    """Filled with the texts that were replaced, the version sends exactly the request that it came
    from.
    """
    said = texts[0] + "".join(f"|{value}|" for value in values.values())
    request = {
        "model": "m",
        "messages": [{"role": "system", "content": text} for text in (*texts[1:], said)],
        "temperature": 0.5,
    }
    try:
        version = PromptVersion.from_request(request, values)
    except VersionError as error:
        assume("is not a variable" not in str(error))  # "{" just before a mark cannot be written
        assume("occurs in no message" not in str(error))  # a longer text swallowed it
        raise
    assert version.request(**values) == request


def test_from_request_with_everything() -> None:
    """Parts, images, tools, format and answers of the client become content; how it was sent is
    left out.
    """
    from openai.types.chat import ChatCompletionMessage

    answer = ChatCompletionMessage.model_validate(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        }
    )
    tool = {"type": "function", "function": {"name": "f"}}
    request: dict[str, Any] = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Order A1 is {{not}} ours"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "A1?"},
                    {"type": "image_url", "image_url": {"url": "https://x/A1.png"}},
                ],
            },
            answer,
            {"role": "tool", "content": "A1 is on its way", "tool_call_id": "1"},
        ],
        "tools": [tool],
        "response_format": {"type": "json_object"},
        "max_tokens": 5,
        **dict.fromkeys(
            ("stream", "timeout", "extra_headers", "user", "store", "metadata", "n"), None
        ),
    }
    version = PromptVersion.from_request(request, {"order": "A1"})
    assert version.settings == {"max_tokens": 5}
    assert [variable.name for variable in version.variables] == ["order"]
    sent = version.request(order="B2")
    assert sent["messages"] == [
        {"role": "system", "content": "Order B2 is {{not}} ours"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "B2?"},
                {"type": "image_url", "image_url": {"url": "https://x/B2.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "content": "B2 is on its way", "tool_call_id": "1"},
    ]
    assert (sent["tools"], sent["response_format"], sent["model"]) == (
        [tool],
        {"type": "json_object"},
        "m",
    )
    assert request["messages"][1]["content"][0]["text"] == "A1?"


def test_the_longest_text_is_replaced_first() -> None:
    """A text inside another does no harm: the longer one is replaced where both would fit."""
    request = {"messages": [{"role": "user", "content": "red wine and red"}]}
    version = PromptVersion.from_request(request, {"hue": "red", "a_drink": "red wine"})
    assert version.template[0]["content"] == "{{a_drink}} and {{hue}}"


@pytest.mark.parametrize(
    ("request_", "variables", "said"),
    [
        ({}, {}, "has no messages"),
        ({"messages": None}, {}, "has no messages"),
        ({"messages": []}, {}, "non-empty list"),
        ({"messages": ["a"]}, {}, "message 0 is a str"),
        (
            {"messages": [{"role": "user", "content": "a"}]},
            {"x": "b"},
            "'x': its text 'b' occurs in no message",
        ),
        ({"messages": [{"role": "user", "content": "a"}]}, {"x": ""}, "'x' means ''"),
        ({"messages": [{"role": "user", "content": "a"}]}, {"x": 3}, "'x' means 3"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            {},
            "message 0 has no content",
        ),
        (
            {"messages": [{"role": "user", "content": "a"}], "extra_body": {"api_key": "k"}},
            {},
            "names an endpoint or a secret",
        ),
    ],
)
def test_refused_requests(request_: dict[str, Any], variables: dict[str, Any], said: str) -> None:
    """A request that is none, or a text that does not occur, is an error that names it."""
    with pytest.raises(VersionError, match=said):
        PromptVersion.from_request(request_, variables)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Classify {ticket}", "{ticket}"),
        ("a {b} {c}", "{b}"),
        ("Classify {{ticket}}", None),
        ("{{ ticket }} and {b}", None),
        ('Answer as {"a": 1}', None),
        ("{0} {}", None),
        ("plain", None),
    ],
)
def test_looks_like_format(text: str, field: str | None) -> None:
    """A text with `{name}` and no `{{name}}` is most likely a `str.format` prompt: its first field
    is named.
    """
    assert looks_like_format(text) == field
