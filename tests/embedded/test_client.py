"""The embedded model behind the shape of an openai client: the same attributes, the same road, no
network and no extras.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from promptops.embedded import EmbeddedClient, EmbeddedModel
from promptops.errors import SetupError
from promptops.models.protocol import Call
from promptops.version import PromptVersion

SYSTEM = (
    "Categories:\n- billing: money and refunds\n- bug: errors and crashes\n\nAnswer in JSON with"
    " the keys category and user_id (like u-48213)."
)
PROMPT = PromptVersion(
    [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "{{ticket}}"}],
    model="embedded",
    settings={"temperature": 0},
)


def test_a_version_s_request_runs_as_it_is() -> None:
    """`client.chat.completions.create(**prompt.request(...))`, read by attribute."""
    answer = EmbeddedClient().chat.completions.create(
        **PROMPT.request(ticket="It crashes, u-12345")
    )
    assert answer.choices[0].message.content == '{"category": "bug", "user_id": "u-12345"}'
    assert (
        answer.choices[0].message.role,
        answer.choices[0].finish_reason,
        answer.choices[0].index,
    ) == ("assistant", "stop", 0)
    assert answer.choices[0].message.tool_calls is answer.choices[0].message.refusal is None
    assert answer.model == "embedded model, not an LLM"
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-embedded-")
    assert answer.created > 1_700_000_000
    assert answer.system_fingerprint.startswith("embedded-learner-")
    assert (
        answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    )


def test_the_client_and_the_model_give_the_same_answer() -> None:
    """One learner, two doors."""
    request = PROMPT.request(ticket="my money")
    reply = asyncio.run(EmbeddedModel().complete(Call(request)))
    answer = EmbeddedClient().chat.completions.create(**request)
    assert reply.text == answer.choices[0].message.content
    assert reply.tokens_in == answer.usage.prompt_tokens
    assert reply.fingerprint == answer.system_fingerprint


def test_an_answer_can_be_dumped() -> None:
    """As plain values and as JSON, under the names of a chat completion."""
    answer = EmbeddedClient().chat.completions.create(**PROMPT.request(ticket="my money"))
    dumped = answer.model_dump()
    assert dumped["choices"][0]["message"]["content"] == answer.choices[0].message.content
    assert dumped == answer.to_dict() == json.loads(answer.model_dump_json())


def test_the_real_client_s_types_accept_the_answer() -> None:
    """The openai package reads the dump as a chat completion of its own."""
    openai_types = pytest.importorskip(
        "openai.types.chat", reason="the openai package is not installed"
    )
    client = EmbeddedClient()
    answer = client.chat.completions.create(**PROMPT.request(ticket="my money"), n=2)
    assert (
        openai_types.ChatCompletion.model_validate(answer.model_dump()).choices[1].message.role
        == "assistant"
    )
    for chunk in client.chat.completions.create(
        **PROMPT.request(ticket="my money"), stream=True, stream_options={"include_usage": True}
    ):
        openai_types.ChatCompletionChunk.model_validate(chunk.model_dump())


def test_n_choices_are_draws_of_their_own() -> None:
    """Above temperature 0 they differ, and the first is the answer to a request for one."""
    request = {
        "messages": [
            {"role": "user", "content": "Classify into a, b or c. Answer with one word.\n\nhello"}
        ]
    }
    create = EmbeddedClient().chat.completions.create
    many = create(**request, n=30)
    assert [choice.index for choice in many.choices] == list(range(30))
    assert len({choice.message.content for choice in many.choices}) == 3
    assert create(**request).choices[0].message.content == many.choices[0].message.content


def test_a_stream_adds_up_to_the_answer() -> None:
    """Pieces, then the reason why it ended, then the usage if it was asked for."""
    create = EmbeddedClient().chat.completions.create
    whole = create(**PROMPT.request(ticket="It crashes"))
    chunks = list(
        create(
            **PROMPT.request(ticket="It crashes"),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        == whole.choices[0].message.content
    )
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage == whole.usage
    assert chunks[-1].choices == []


def test_the_responses_api_answers_alike() -> None:
    """`client.responses.create(**prompt.request(...))` of a version with that form."""
    client = EmbeddedClient()
    answer = client.responses.create(
        **PROMPT.but(api="responses").request(ticket="It crashes, u-12345")
    )
    assert answer.output_text == '{"category": "bug", "user_id": "u-12345"}'
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    cut = client.responses.create(
        input="Classify this ticket: it crashes", temperature=0, max_output_tokens=2
    )
    assert (len(cut.output_text), cut.status) == (8, "incomplete")
    schema = {
        "format": {
            "type": "json_schema",
            "name": "x",
            "schema": {"type": "object", "properties": {"kind": {"enum": ["red", "blue"]}}},
        }
    }
    assert json.loads(
        client.responses.create(
            input="a blue one", instructions="Decide.", text=schema, temperature=0
        ).output_text
    ) == {"kind": "blue"}
    with pytest.raises(SetupError, match="stream"):
        client.responses.create(input="hello", stream=True)


def test_a_demanded_tool_call_is_an_error() -> None:
    """The client refuses what the model cannot do."""
    with pytest.raises(SetupError, match="calls no tools"):
        EmbeddedClient().chat.completions.create(messages=[], tool_choice="required")


def test_it_says_what_it_is() -> None:
    """Its repr is no key and no address."""
    assert "embedded model, not an LLM" in repr(EmbeddedClient())


def test_it_needs_the_standard_library_only() -> None:
    """An application without extras can ask it: no numpy, no openai, no pydantic is loaded."""
    code = (
        "import sys\nfrom promptops.embedded import"
        " EmbeddedClient\nEmbeddedClient().chat.completions.create(messages=[{'role': 'user',"
        " 'content': 'Classify: hello'}])\nprint({name.partition('.')[0] for name in sys.modules} -"
        " set(sys.stdlib_module_names) - {'promptops', '__main__', '__mp_main__'})"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
